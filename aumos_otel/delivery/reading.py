"""From the SDK's finished spans and log records to ours, whatever is in them.

What is wrong is mended where that is possible: a time is brought into range, a status or kind that is none
becomes the default, a broken event or link is left out and counted.  Only a record without ids is lost.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.trace import SpanKind

from aumos_otel.delivery.cleaning import Cleaner
from aumos_otel.delivery.origin import origin_of
from aumos_otel.delivery.record import EventRecord, LinkRecord, LogRecord, SpanRecord

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

T = TypeVar("T")

MAX_NANOSECONDS: Final = 2**63 - 1
_MAX_UINT32: Final = 2**32 - 1
_TRACE_IDS: Final = 2**128
_SPAN_IDS: Final = 2**64
_MAX_SEVERITY: Final = 24

#: Bits of ``Span.flags`` that tell whether the parent, or what a link leads to, is another process.
HAS_REMOTE: Final = 0x100
IS_REMOTE: Final = 0x200

_KINDS: Final = {kind: kind.value + 1 for kind in SpanKind}


def span_record(span: ReadableSpan | SpanRecord) -> SpanRecord:
    """The record of a finished span; one that is a record already is given back.

    Raises:
        TypeError: it has no ids, which cannot be mended.
    """
    if isinstance(span, SpanRecord):
        return span
    cleaner = Cleaner()
    context: Any = span.get_span_context()
    parent = span.parent
    record = SpanRecord()
    record.origin = origin_of(span.resource, span.instrumentation_scope)
    record.trace_id = _identifier(context.trace_id, _TRACE_IDS)
    record.span_id = _identifier(context.span_id, _SPAN_IDS)
    record.trace_state = trace_state(context.trace_state, cleaner)
    record.parent_span_id = _identifier(parent.span_id, _SPAN_IDS) if parent else 0
    record.flags = HAS_REMOTE | IS_REMOTE if parent and parent.is_remote else HAS_REMOTE
    record.name = cleaner.words(span.name)
    kind: Any = span.kind
    record.kind = _KINDS.get(kind, 1) if isinstance(kind, SpanKind) else 1
    record.start, record.end = period(span.start_time, span.end_time)
    _read_attributes(record, span, cleaner)
    record.status_code, record.status_message = _status(span.status, cleaner)
    record.events, record.dropped_events = _read_all(_event, span, "events", cleaner)
    record.links, record.dropped_links = _read_all(_link, span, "links", cleaner)
    return record


def log_record(data: ReadableLogRecord | ReadWriteLogRecord | LogRecord) -> LogRecord:
    """The record of a log record; one that is a record already is given back."""
    if isinstance(data, LogRecord):
        return data
    cleaner = Cleaner()
    given: Any = data.log_record
    record = LogRecord()
    record.origin = origin_of(data.resource, data.instrumentation_scope)
    record.time = nanoseconds(given.timestamp)
    record.observed_time = nanoseconds(given.observed_timestamp)
    record.trace_id = _optional_identifier(given.trace_id, _TRACE_IDS)
    record.span_id = _optional_identifier(given.span_id, _SPAN_IDS)
    record.flags = count32(given.trace_flags)
    record.severity_number = min(count32(getattr(given.severity_number, "value", given.severity_number)), _MAX_SEVERITY)
    record.severity_text = cleaner.words(given.severity_text)
    record.event_name = cleaner.words(given.event_name)
    record.body = cleaner.value(given.body)
    record.attributes, lost = cleaner.attributes(given.attributes)
    record.dropped_attributes = count32(data.dropped_attributes) + lost
    return record


def nanoseconds(value: Any) -> int:
    """A time within what the protocol holds; 0, which means unknown, where it is none."""
    if type(value) is int:
        return min(max(value, 0), MAX_NANOSECONDS)
    if isinstance(value, int | float) and not isinstance(value, bool):
        return min(max(int(value), 0), MAX_NANOSECONDS) if math.isfinite(value) else 0
    return 0


def count32(value: Any) -> int:
    """A count or flags within 32 bits; 0 where it is none."""
    return min(max(value, 0), _MAX_UINT32) if value and isinstance(value, int) else 0


def _identifier(value: Any, end: int) -> int:
    if isinstance(value, int) and 0 <= value < end:
        return value
    raise TypeError(f"not an id below {end}: {type(value).__name__}")


def _optional_identifier(value: Any, end: int) -> int:
    return value if isinstance(value, int) and 0 < value < end else 0


def trace_state(state: Any, cleaner: Cleaner) -> str:
    """A trace state as the text of its header; empty where it cannot be read."""
    if not state:
        return ""
    try:
        return cleaner.words(",".join(f"{key}={value}" for key, value in state.items()))
    except Exception:  # noqa: BLE001 - it came from outside, and the span is worth more
        return ""


def period(start: Any, end: Any) -> tuple[int, int]:
    """Start and end, the end not before the start; a time that is missing is taken from the other."""
    if type(start) is int and type(end) is int and 0 < start <= end <= MAX_NANOSECONDS:
        return start, end
    first, last = nanoseconds(start), nanoseconds(end)
    return (first, max(first, last)) if first else (last, last)


def _status(status: Any, cleaner: Cleaner) -> tuple[int, str]:
    code: Any = getattr(getattr(status, "status_code", None), "value", 0)
    return code if code in (1, 2) else 0, cleaner.words(getattr(status, "description", None))


def _read_attributes(record: SpanRecord, span: ReadableSpan, cleaner: Cleaner) -> None:
    try:
        record.attributes, lost = cleaner.attributes(span.attributes)
        record.dropped_attributes = count32(span.dropped_attributes) + lost
    except Exception:  # noqa: BLE001 - what stands in the attributes' place is no mapping
        record.attributes, record.dropped_attributes = {}, 1


def _read_all(
    read: Callable[[Any, Cleaner], T], span: ReadableSpan, name: str, cleaner: Cleaner
) -> tuple[list[T], int]:
    """The events or links of a span, and how many there were beside them."""
    taken: list[T] = []
    try:
        entries, dropped = getattr(span, name), count32(getattr(span, f"dropped_{name}"))
    except Exception:  # noqa: BLE001 - what stands in their place is no sequence
        return taken, 1
    for entry in entries:
        try:
            taken.append(read(entry, cleaner))
        except Exception:  # noqa: BLE001 - a broken one costs itself alone
            dropped += 1
    return taken, dropped


def _event(event: Any, cleaner: Cleaner) -> EventRecord:
    record = EventRecord()
    record.name = cleaner.words(event.name)
    record.time = nanoseconds(event.timestamp)
    record.attributes, lost = cleaner.attributes(event.attributes)
    record.dropped_attributes = count32(event.dropped_attributes) + lost
    return record


def _link(link: Any, cleaner: Cleaner) -> LinkRecord:
    record = LinkRecord()
    context = link.context
    record.trace_id = _identifier(context.trace_id, _TRACE_IDS)
    record.span_id = _identifier(context.span_id, _SPAN_IDS)
    record.trace_state = trace_state(context.trace_state, cleaner)
    record.flags = HAS_REMOTE | IS_REMOTE if context.is_remote else HAS_REMOTE
    record.attributes, lost = cleaner.attributes(link.attributes)
    record.dropped_attributes = count32(link.dropped_attributes) + lost
    return record
