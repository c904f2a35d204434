"""The handler that hands records of the standard library's logging to OpenTelemetry."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from opentelemetry._logs import LogRecord
from opentelemetry.context import get_current
from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.instrumentation.logging.handler import LoggingHandler

from aumos_otel import _compat, guard
from aumos_otel._internal import failure
from aumos_otel._internal.plain import SCALARS, ask, plain, text
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs import LoggerProvider

    from aumos_otel.config import LogsOptions

#: Loggers of the export path: their records would cause the next export, for ever.
EXPORT_PATH: Final = frozenset(
    {"aumos_otel", "grpc", "httpcore", "httpx", "httpx2", "langfuse", "opentelemetry", "requests", "urllib3"}
)

#: What every record of the standard library has; anything else was given by ``extra``.
_STANDARD: Final = frozenset({*vars(logging.makeLogRecord({})), "asctime", "message", "taskName"})

#: Severity texts that OpenTelemetry spells otherwise.
_SEVERITIES: Final = {"WARNING": "WARN", "CRITICAL": "FATAL"}

_emitting: ContextVar[bool] = ContextVar("aumos_otel_emitting", default=False)


class StandardLibraryHandler(LoggingHandler):
    """Records of the standard library, as they are when they are written: what changes later does not show.

    Records of the export path's own loggers, records logged while an export is running (the SDK
    suppresses instrumentation there) or by a thread of ours, and records that translating another
    one causes, are left out.
    """

    def __init__(self, options: LogsOptions, provider: LoggerProvider, paused: Callable[[], bool]) -> None:
        super().__init__(options.level, provider, options.code_attributes)
        self._provider = provider
        self._code_attributes = options.code_attributes
        self._paused = paused

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and emit, without `logging.Handler`'s lock: there is nothing to protect, and a text may log in turn."""
        kept: Any = self.filter(record)  # a record since 3.12
        if kept:
            self.emit(kept if isinstance(kept, logging.LogRecord) else record)
        return kept

    def emit(self, record: logging.LogRecord) -> None:
        """Hand ``record`` to the provider."""
        if _emitting.get() or self._is_left_out(record):
            return
        token = _emitting.set(True)
        try:
            with guard.shield("processors.log_handler"):
                self._provider.get_logger(record.name).emit(self._translated(record))
        finally:
            _emitting.reset(token)

    def _is_left_out(self, record: logging.LogRecord) -> bool:
        return (
            record.name.partition(".")[0] in EXPORT_PATH
            or (record.threadName or "").startswith("aumos-otel")
            or _compat.instrumentation_suppressed()
            or self._paused()
        )

    def _translated(self, record: logging.LogRecord) -> LogRecord:
        given = {key: plain(value) for key, value in vars(record).items() if key not in _STANDARD}
        event_name = given.pop(attributes.OTEL_EVENT_NAME, None)
        older_event_name = given.pop(attributes.EVENT_NAME, None)
        if self._code_attributes:
            given[attributes.CODE_FILE_PATH] = record.pathname
            given[attributes.CODE_FUNCTION_NAME] = record.funcName
            given[attributes.CODE_LINE_NUMBER] = record.lineno
        error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
        if isinstance(error, BaseException):
            given |= failure.attributes_of(error)
        return LogRecord(
            timestamp=int(record.created * 1e9),
            observed_timestamp=time.time_ns(),
            context=get_current() or None,
            severity_text=_SEVERITIES.get(record.levelname, record.levelname),
            severity_number=std_to_otel(record.levelno),
            body=self.format(record) if self.formatter else _body(record),
            attributes=given,
            event_name=event_name or older_event_name,
        )

    def flush(self) -> None:
        """Nothing: the provider is flushed by the handle, with a deadline."""


def _body(record: logging.LogRecord) -> Any:
    """The message with its arguments; a structure or an object that was logged by itself stays what it is."""
    if not record.args:
        return plain(record.msg)
    arguments = record.args.values() if isinstance(record.args, Mapping) else record.args
    suspects = [part for part in (record.msg, *arguments) if type(part) not in SCALARS]
    try:
        return ask(record.getMessage, *suspects) if suspects else record.getMessage()
    except BaseException as error:
        if guard.is_control_flow(type(error)):
            raise
        guard.record("processors.log_handler.message", error)
    return f"{text(record.msg)} {plain(tuple(arguments))!r}"
