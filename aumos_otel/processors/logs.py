"""Log records are stamped with the bound identity, and handed to delivery.

Where all processors of a provider are ours, they get a `Log`; somebody else's get the SDK's objects, and so do ours then.
"""

from __future__ import annotations

import copy
import time
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.context import Context
from opentelemetry.sdk._logs import LogRecordProcessor, ReadableLogRecord, ReadWriteLogRecord
from opentelemetry.sdk.resources import Resource

from aumos_otel import context, guard
from aumos_otel.delivery import reading
from aumos_otel.delivery.appraisal import LARGE, appraise_log
from aumos_otel.delivery.cleaning import clean
from aumos_otel.delivery.packing import cut_down
from aumos_otel.processors.foreign import LogRecordProcessors
from aumos_otel.processors.sli import SliLogProcessor
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.delivery.dispatch import Dispatch
    from aumos_otel.delivery.record import LogRecord
    from aumos_otel.recording.log import Log

_EXPORT: Final = "processors.export"
_IMMUTABLE: Final = (str, int, float, bool, bytes)

#: Bytes that the objects of a log record take while it waits, beside its texts; measured with tracemalloc.
OBJECTS: Final = 1_500


class LogIdentityProcessor(LogRecordProcessor):
    """Stamps the bound identity on every log record."""

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Stamp the record."""
        with guard.swallow("processors.log_identity"):
            values = context.current(log_record.log_record.context).attributes()
            if values:
                log_record.log_record.attributes = values | dict(log_record.log_record.attributes or {})

    def shutdown(self) -> None:
        """Nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing to flush."""
        return True


class LogExportProcessor(LogRecordProcessor):
    """Hands log records to delivery, as they are now: what the caller changes later does not show."""

    def __init__(self, dispatch: Dispatch[ReadableLogRecord | LogRecord | Log]) -> None:
        self._dispatch = dispatch
        self._put = dispatch.intake.put

    def take(self, log: Log, size: int, *, valued: bool) -> None:
        """Hand ``log`` over.

        Args:
            log: complete.
            size: bytes that it takes, as estimated.
            valued: whether it is dropped last.
        """
        try:
            if size > LARGE:
                short = reading.log_record(cast("ReadableLogRecord", log))  # it reads like one
                self._put(short, cut_down(short), valued=valued)
            else:
                self._put(log, size, valued=valued)
        except Exception as error:  # noqa: BLE001 - it is counted
            self._dispatch.books.refuse(1, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
            guard.told(_EXPORT, error)

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hand ``log_record`` over."""
        with guard.swallow(_EXPORT):
            record = _frozen(log_record)
            size, valued = appraise_log(record)
            if size > LARGE:
                short = reading.log_record(record)
                self._dispatch.intake.put(short, cut_down(short), valued=valued)
            else:
                self._dispatch.intake.put(record, size + OBJECTS, valued=valued)
            return
        self._dispatch.books.refuse(1, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)  # e.g. no memory to cut it down

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what has been handed over."""
        return self._dispatch.flush(time.monotonic() + timeout_millis / 1000)

    def shutdown(self) -> None:
        """Send what is left, take no more."""
        self._dispatch.close()


class LogProcessors(LogRecordProcessors):
    """All log record processors of a provider of ours.

    Attributes:
        take_logs: whether all of them are ours, so that nobody wants the SDK's objects.
        takers: get each `Log` then, with its estimated size and whether it is dropped last.
        watchers: are told before of one that is an event.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK left it untyped
        self._plan()

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Add a processor; one that is not ours is wrapped."""
        super().add_log_record_processor(log_record_processor)
        self._plan()

    def _plan(self) -> None:
        first, rest = self._log_record_processors[:1], self._log_record_processors[1:]
        exits = [member for member in rest if type(member) is LogExportProcessor]
        counters = [member for member in rest if type(member) is SliLogProcessor]
        self.watchers: tuple[Callable[[Any], None], ...] = tuple(each.on_emit for each in counters)
        self.takers: tuple[Callable[..., None], ...] = tuple(each.take for each in exits)
        # Whoever makes a log stamps the identity on it, as the first processor does.
        stamped = [type(each) for each in first] == [LogIdentityProcessor]
        self.take_logs = stamped and len(exits) + len(counters) == len(rest)


def _frozen(data: ReadWriteLogRecord) -> ReadableLogRecord:
    """A copy that shares nothing that the caller, or a later processor, may change; nor the context, which may be large."""
    record = copy.copy(data.log_record)
    record.context = Context()
    if record.body is not None and type(record.body) not in _IMMUTABLE:
        record.body = clean(record.body)
    resource = data.resource or Resource.get_empty()
    return ReadableLogRecord(record, resource, data.instrumentation_scope, data.limits)
