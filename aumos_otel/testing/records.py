"""The records inside a request: walking them, telling them apart, counting them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Tally:
    """What a checker prints.

    Attributes:
        received: records that were kept, each time that they came.
        distinct: different ones among them.
    """

    received: int
    distinct: int

    @property
    def duplicates(self) -> int:
        """How many came again."""
        return self.received - self.distinct

    @classmethod
    def of(cls, ids: Counter[str]) -> Tally:
        """The tally of a multiset of ids."""
        return cls(ids.total(), len(ids))

    def __str__(self) -> str:
        return f"received {self.received}, distinct {self.distinct}, duplicates {self.duplicates}"


def scopes(body: Any) -> Iterator[tuple[Any, Any]]:
    """Each scope of a request of any signal, with its resource."""
    for _, resources in body.ListFields():
        for item in resources:
            for field, found in item.ListFields():
                if field.name.startswith("scope_"):
                    yield from ((item.resource, scope) for scope in found)


def lists(body: Any) -> Iterator[tuple[str, Any]]:
    """The lists that hold the records of a request: spans, log records or points, with the metric's name."""
    for _, scope in scopes(body):
        for field, records in scope.ListFields():
            if field.name == "metrics":
                for metric in records:
                    kind = metric.WhichOneof("data")
                    if kind:
                        yield metric.name, getattr(metric, kind).data_points
            elif field.name in {"spans", "log_records"}:
                yield "", records


def discard(body: Any, count: int) -> int:
    """Take the first ``count`` records out of a request, in place; returns how many there were to take."""
    left = count
    for _, records in lists(body):
        gone = min(left, len(records))
        del records[:gone]
        left -= gone
    return count - left


def ids(body: Any) -> Iterator[str]:
    """What tells each record from the others.

    A span has its id; a log record its record id or else its time and body; a point its metric, attributes and
    time.
    """
    for name, records in lists(body):
        for record in records:
            if hasattr(record, "span_id") and hasattr(record, "parent_span_id"):
                yield f"{record.trace_id.hex()}-{record.span_id.hex()}"
            elif name:
                yield f"{name}{sorted(attributes(record).items())}@{record.time_unix_nano}"
            else:
                own = attributes(record).get(names.LOG_RECORD_UID)
                yield str(own or f"{record.time_unix_nano}:{value(record.body)}")


def attributes(item: Any) -> dict[str, Any]:
    """The attributes of a resource, span, point or log record; values as Python has them."""
    return {pair.key: value(pair.value) for pair in item.attributes}


def value(wire: Any) -> Any:
    """The Python value of an ``AnyValue``."""
    kind = wire.WhichOneof("value")
    if kind == "array_value":
        return [value(item) for item in wire.array_value.values]
    if kind == "kvlist_value":
        return {pair.key: value(pair.value) for pair in wire.kvlist_value.values}
    return getattr(wire, kind) if kind else None
