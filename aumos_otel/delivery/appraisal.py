"""What a finished span or log record is worth and roughly weighs; on the user's thread, so it is quick and never raises."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import StatusCode

from aumos_otel.delivery.record import SEVERITY_ERROR
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.sdk._logs import ReadableLogRecord, ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

#: Bytes from which a record is shortened before it waits: a few of them would fill the queue.
LARGE: Final = 1024 * 1024

#: Bytes of a record, and of each attribute, event and link, without their texts.
_RECORD: Final = 400
_ATTRIBUTE: Final = 40
_ENTRY: Final = 200

#: How many elements of a structured value are looked at, the others being taken for the like, and how deeply.
_SAMPLE: Final = 16
_DEPTH: Final = 3


def appraise_span(span: ReadableSpan) -> tuple[int, bool]:
    """Estimated bytes of a span, and whether it is dropped last: it failed, or is an LLM call."""
    try:
        own: Any = span.attributes
        size = _RECORD + (_sum(own.copy().values()) if own else 0)
        entries: tuple[Any, ...] = (*span.events, *span.links)
        for entry in entries:
            size += _ENTRY + _sum((entry.attributes or {}).values())
        valued = span.status.status_code is StatusCode.ERROR or attributes.GEN_AI_OPERATION_NAME in own
    except Exception:  # noqa: BLE001 - what is wrong with it is found out when it is read
        return _RECORD, False
    return size, valued


def appraise_log(data: ReadableLogRecord | ReadWriteLogRecord) -> tuple[int, bool]:
    """Estimated bytes of a log record, and whether it is dropped last: it tells of an error, or of an LLM call."""
    try:
        record: Any = data.log_record
        own = record.attributes or {}
        size = _RECORD + _sum(own.copy().values()) + _sum((record.body,))
        severity = getattr(record.severity_number, "value", 0)
        valued = severity >= SEVERITY_ERROR or attributes.GEN_AI_OPERATION_NAME in own
    except Exception:  # noqa: BLE001 - what is wrong with it is found out when it is read
        return _RECORD, False
    return size, valued


def _sum(values: Iterable[Any], depth: int = _DEPTH) -> int:
    size = 0
    for value in values:
        kind = type(value)
        if kind is str or kind is bytes:
            size += _ATTRIBUTE + len(value)
        elif kind is list or kind is tuple or kind is dict:
            size += _ATTRIBUTE + _extrapolated(value, depth)
        else:
            size += _ATTRIBUTE
    return size


def _extrapolated(container: Any, depth: int) -> int:
    count = len(container)
    if not depth or not count:
        return _ATTRIBUTE * count
    sample = islice(container.values() if type(container) is dict else container, _SAMPLE)
    return _sum(sample, depth - 1) * count // min(count, _SAMPLE)
