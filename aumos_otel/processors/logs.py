"""Log records: from the standard library to OpenTelemetry, stamped with the bound identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor, ReadWriteLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor

from aumos_otel import _compat, context, guard

if TYPE_CHECKING:
    import logging
    from collections.abc import Callable

    from aumos_otel.config import LogsOptions
    from aumos_otel.delivery.accounting import AccountingLogExporter

#: Loggers of the export path: their records would cause the next export, for ever.
EXPORT_PATH = ("aumos_otel", "opentelemetry", "grpc")


class StandardLibraryHandler(LoggingHandler):
    """The contrib handler without its feedback loop, failing open.

    Records of the export path's own loggers, and records logged while an export is running
    (the SDK suppresses instrumentation there), are left out.
    """

    def __init__(self, options: LogsOptions, provider: LoggerProvider, paused: Callable[[], bool]) -> None:
        super().__init__(options.level, provider, options.code_attributes)
        self._paused = paused

    def emit(self, record: logging.LogRecord) -> None:
        """Hand ``record`` to the provider."""
        if record.name.partition(".")[0] in EXPORT_PATH or _compat.instrumentation_suppressed() or self._paused():
            return
        with guard.swallow("processors.log_handler"):
            super().emit(record)

    def flush(self) -> None:
        """Nothing: the provider is flushed by the handle, with a deadline."""


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


class LogExportProcessor(BatchLogRecordProcessor):
    """The stock batch processor, counting what is handed to it; a full queue refuses new records."""

    def __init__(self, exporter: AccountingLogExporter, **batch: Any) -> None:
        super().__init__(exporter, **batch)
        self._account = exporter.account
        self._room: int = batch["max_queue_size"]

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Queue the record."""
        if self._account.admit(self._room):
            super().on_emit(log_record)

    def shutdown(self) -> None:
        """Send what is queued, take no more."""
        self._account.refuse("shut_down")
        super().shutdown()  # type: ignore[no-untyped-call]  # the SDK left it untyped
