"""Which records a destination gets.  Closed data, no code of the user's: it cannot raise, hang or leak.

A destination that names tenants gets their records and no others; this holds for every data point of a
metric too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.delivery.record import MetricRecord, SpanRecord
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.config import Selector
    from aumos_otel.delivery.origin import Origin
    from aumos_otel.delivery.record import Record

#: Python's logging levels as OpenTelemetry's severity numbers.
#: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))

_TRACE_IDS: Final = 2**56
_NOTHING: Final[Mapping[str, int]] = {}


class Selection:
    """What one destination's `Selector` and share of traces mean for a record.

    Attributes:
        everything: whether all records are wanted.
        by_attribute: whether it takes the attributes of a record to tell.
    """

    def __init__(self, selector: Selector | None, share: float) -> None:
        self._tenants = frozenset(selector.tenants) if selector else frozenset()
        self._operations = frozenset(selector.operations) if selector else frozenset()
        self._attributes = dict(selector.attributes) if selector else {}
        scopes = tuple(selector.scopes) if selector else ()
        self._scopes = frozenset(name for name in scopes if not name.endswith("*"))
        self._prefixes = tuple(name[:-1] for name in scopes if name.endswith("*"))
        level = selector.severity if selector else None
        self._severity = 0 if level is None else next(number for least, number in _SEVERITIES if level >= least)
        # The last 56 bits of a trace id are random (W3C trace context, level 2), and the same for all its spans.
        self._threshold = int((1 - share) * _TRACE_IDS)
        self.by_attribute = bool(self._tenants or self._operations or self._attributes)
        self.everything = not (self.by_attribute or scopes or self._severity or self._threshold)

    def share(self, record: Record) -> tuple[Record | None, Mapping[str, int]]:
        """What of ``record`` is wanted, and how many records are not, by the reason to count.

        Returns:
            The record itself when all of it is wanted, None when nothing; a metric may be cut down
            to some of its data points.
        """
        if self.everything:
            return record, _NOTHING
        if isinstance(record, MetricRecord):
            if self._is_foreign(record.scope_name):
                return None, {attributes.AUMOS_OTEL_REASON_FILTERED: record.count}
            return self._share_of_metric(record)
        if isinstance(record, SpanRecord):
            reason = self.refusal(record.attributes, record.origin, trace_id=record.trace_id)
        else:
            reason = self.refusal(record.attributes, record.origin, severity=record.severity_number)
        return (record, _NOTHING) if reason is None else (None, {reason: 1})

    def refusal(
        self, own: Mapping[str, Any], origin: Origin, *, trace_id: int | None = None, severity: int | None = None
    ) -> str | None:
        """The reason to count for a span or a log record that is not wanted; None for one that is.

        Args:
            own: its attributes, clean; needed when `by_attribute`.
            origin: who speaks.
            trace_id: of a span.
            severity: of a log record, as a number.
        """
        filtered = (
            self._is_foreign(origin.scope_name)
            or (severity is not None and severity < self._severity)
            or (self.by_attribute and not self._wants(own, origin.resource_attributes))
        )
        if filtered:
            return attributes.AUMOS_OTEL_REASON_FILTERED
        if trace_id is not None and trace_id % _TRACE_IDS < self._threshold:
            return attributes.AUMOS_OTEL_REASON_SAMPLED
        return None

    def _share_of_metric(self, record: MetricRecord) -> tuple[Record | None, Mapping[str, int]]:
        if not self.by_attribute:
            return record, _NOTHING
        resource = record.resource_attributes
        wanted = [point for point in record.points if self._wants(point.attributes, resource)]
        left_out = len(record.points) - len(wanted)
        if not left_out:
            return record, _NOTHING
        return record.copy(wanted) if wanted else None, {attributes.AUMOS_OTEL_REASON_FILTERED: left_out}

    def _is_foreign(self, scope: str) -> bool:
        """Whether other scopes are named."""
        named = self._scopes or self._prefixes
        return bool(named) and scope not in self._scopes and not scope.startswith(self._prefixes)

    def _wants(self, own: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
        if self._tenants:
            name = attributes.AUMOS_TENANT_ID
            tenant = own[name] if name in own else resource.get(name)
            if not _is_among(tenant, self._tenants):
                return False
        if self._operations and not _is_among(own.get(attributes.GEN_AI_OPERATION_NAME), self._operations):
            return False
        return all(own.get(name, resource.get(name)) == value for name, value in self._attributes.items())


def _is_among(value: Any, names: frozenset[str]) -> bool:
    return isinstance(value, str) and value in names
