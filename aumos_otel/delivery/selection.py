"""Which records a destination gets.  Closed data, no code of the user's: it cannot raise, hang or leak.

A destination that names tenants gets their records and no others; this holds for every data point of a
metric too.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.delivery.record import LogRecord, MetricRecord, SpanRecord
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.config import Selector
    from aumos_otel.delivery.record import Record

#: Python's logging levels as OpenTelemetry's severity numbers.
#: https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber
_SEVERITIES: Final = ((50, 21), (40, 17), (30, 13), (20, 9), (10, 5), (0, 1))

_TRACE_IDS: Final = 2**56
_NOTHING: Final[Mapping[str, int]] = {}


class Selection:
    """What one destination's `Selector` and share of traces mean for a record."""

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
        self._by_attribute = bool(self._tenants or self._operations or self._attributes)
        self._everything = not (self._by_attribute or scopes or self._severity or self._threshold)

    def share(self, record: Record) -> tuple[Record | None, Mapping[str, int]]:
        """What of ``record`` is wanted, and how many records are not, by the reason to count.

        Returns:
            The record itself when all of it is wanted, None when nothing; a metric may be cut down
            to some of its data points.
        """
        if self._everything:
            return record, _NOTHING
        filtered = (self._scopes or self._prefixes) and not self._wants_scope(record.scope_name)
        if isinstance(record, MetricRecord):
            return (None, _filtered(record.count)) if filtered else self._share_of_metric(record)
        if isinstance(record, LogRecord):
            filtered = filtered or record.severity_number < self._severity
        if filtered or (self._by_attribute and not self._wants(record.attributes, record.resource_attributes)):
            return None, _filtered(1)
        if isinstance(record, SpanRecord) and record.trace_id % _TRACE_IDS < self._threshold:
            return None, {attributes.AUMOS_OTEL_REASON_SAMPLED: 1}
        return record, _NOTHING

    def _share_of_metric(self, record: MetricRecord) -> tuple[Record | None, Mapping[str, int]]:
        if not self._by_attribute:
            return record, _NOTHING
        resource = record.resource_attributes
        wanted = [point for point in record.points if self._wants(point.attributes, resource)]
        left_out = len(record.points) - len(wanted)
        if not left_out:
            return record, _NOTHING
        return record.copy(wanted) if wanted else None, _filtered(left_out)

    def _wants_scope(self, name: str) -> bool:
        return name in self._scopes or name.startswith(self._prefixes or ("\0",))

    def _wants(self, own: Mapping[str, Any], resource: Mapping[str, Any]) -> bool:
        if self._tenants:
            name = attributes.AUMOS_TENANT_ID
            tenant = own[name] if name in own else resource.get(name)
            if tenant not in self._tenants:
                return False
        if self._operations and own.get(attributes.GEN_AI_OPERATION_NAME) not in self._operations:
            return False
        return all(own.get(name, resource.get(name)) == value for name, value in self._attributes.items())


def _filtered(count: int) -> dict[str, int]:
    return {attributes.AUMOS_OTEL_REASON_FILTERED: count}
