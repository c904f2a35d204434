"""The handler that hands records of the standard library's logging to OpenTelemetry."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import date, timedelta
from decimal import Decimal
from pathlib import PosixPath, PurePosixPath
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, Protocol
from uuid import UUID

from opentelemetry._logs import LogRecord
from opentelemetry.instrumentation.log_utils import std_to_otel
from opentelemetry.instrumentation.logging.handler import LoggingHandler

from aumos_otel import _compat, guard
from aumos_otel._internal import ambient, failure
from aumos_otel._internal.plain import SCALARS, ask, plain, text
from aumos_otel.recording.limits import ATTRIBUTE, NUMBERS, kept_values, weight
from aumos_otel.recording.log import LOG
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry._logs import SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import LoggerProvider
    from opentelemetry.trace import SpanContext

    from aumos_otel.config import LogsOptions
    from aumos_otel.processors.logs import LogProcessors

#: Loggers of the export path: their records would cause the next export, for ever.
EXPORT_PATH: Final = frozenset(
    {"aumos_otel", "grpc", "httpcore", "httpx", "httpx2", "langfuse", "opentelemetry", "requests", "urllib3"}
)

#: What every record of the standard library has, and what formatters and newer versions add; anything else was given
#: by ``extra``, and comes after the last of the former.
_FIELDS: Final = tuple(vars(logging.LogRecord("", 0, "", 0, "", (), None)))
_LAST: Final = _FIELDS[-1]
_ADDED: Final = frozenset({"asctime", "message", "taskName"}) - {_LAST}
_STANDARD: Final = _ADDED.union(_FIELDS)
_EVENT_NAMES: Final = (attributes.OTEL_EVENT_NAME, attributes.EVENT_NAME)

#: What OpenTelemetry calls the levels, and their numbers.
_SEVERITIES: Final = {
    "CRITICAL": "FATAL",
    "ERROR": "ERROR",
    "WARNING": "WARN",
    "INFO": "INFO",
    "DEBUG": "DEBUG",
    "NOTSET": "NOTSET",
}
_NUMBERS: Final = {level: std_to_otel(level).value for level in range(logging.CRITICAL + 10)}

#: Classes whose text is made without code of the user's, and those whose values can be in a message.
_SPELLED: Final = frozenset({UUID, date, timedelta, Decimal, PosixPath, PurePosixPath})
_HARMLESS: Final = SCALARS | _SPELLED

#: Names of loggers, and keys of ``extra``, that are remembered.
_MOST: Final = 4096

_SITE: Final = "processors.log_handler"

_emitting: ContextVar[bool] = ContextVar("aumos_otel_emitting", default=False)
_is_emitting = _emitting.get
_current_context = ambient.current_context
_SUPPRESSION: Final = _compat.SUPPRESSION_KEY

#: What `Log.body` does instead; an application may have put another function in its place.
_get_message: Final = logging.LogRecord.getMessage

#: Keys of ``extra`` that become attributes as they are.
_names: set[str] = set()


class Keeper(Protocol):
    """A logger of our provider, see `aumos_otel.providers.log_keeper.Logger`."""

    processors: LogProcessors
    most: int
    longest: int | None

    def keep(  # noqa: PLR0917 - on the hot path: names would cost
        self,
        context: Context,
        timestamp: int | None,
        observed_timestamp: int,
        severity_number: int,
        severity_text: str | None,
        message: Any,
        arguments: Any,
        values: dict[str, Any],
        event_name: str | None,
        size: int,
    ) -> None:
        """Hand over a record, where `LogProcessors.take_logs`."""

    def keep_parts(  # noqa: PLR0917 - in the order of `Logger.emit`
        self,
        context: Context,
        span_context: SpanContext | None,
        timestamp: int | None,
        observed_timestamp: int | None,
        severity_number: SeverityNumber | None,
        severity_text: str | None,
        body: Any,
        given: Mapping[str, Any] | None,
        event_name: str | None,
    ) -> bool:
        """Hand over these parts; False where they are not plain enough, or somebody wants more than a `Log`."""


class StandardLibraryHandler(LoggingHandler):
    """Records of the standard library, as they are when they are written: what changes later does not show.

    Records of the export path's own loggers, records logged while an export is running (the SDK
    suppresses instrumentation there) or by a thread of ours, and records that translating another
    one causes, are left out.

    A record whose message, arguments and ``extra`` are scalars goes straight to a logger of ours; any other
    one becomes a log record of the API first.
    """

    def __init__(self, options: LogsOptions, provider: LoggerProvider, paused: Callable[[], bool]) -> None:
        super().__init__(options.level, provider, options.code_attributes)
        self._provider = provider
        self._code_attributes = options.code_attributes
        self._paused = paused
        self._keepers: dict[str, Keeper] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Hand ``record`` to the provider."""
        self.handle(record)

    def handle(self, record: logging.LogRecord) -> Any:
        """Filter and hand over, without `logging.Handler`'s lock: there is nothing to protect, and a text may log in turn."""
        if _is_emitting():
            return False
        if self.filters:
            kept: Any = self.filter(record)  # a record since 3.12
            if not kept:
                return kept
            record = kept if isinstance(kept, logging.LogRecord) else record
        try:
            keeper = self._keepers.get(record.name)
            if keeper is None:
                if record.name.partition(".")[0] in EXPORT_PATH:
                    return False
                keeper = self._find(record.name)
            context = _current_context()
            if (
                (context and context.get(_SUPPRESSION))
                or self._paused()
                or (record.threadName or "").startswith("aumos-otel")
            ):
                return False
            if keeper is None or not self._keep(keeper, record, context):
                self._hand_over(keeper, record, context)
        except BaseException as error:
            if guard.is_control_flow(type(error)):
                raise
            guard.told(_SITE, error)
        return True

    def _find(self, name: str) -> Keeper | None:
        """The logger of that name, if it is ours."""
        logger: Any = self._provider.get_logger(name)
        if getattr(logger, "processors", None) is None:
            return None
        if len(self._keepers) >= _MOST:
            self._keepers.clear()
        keeper: Keeper = logger
        self._keepers[name] = keeper
        return keeper

    def _keep(self, keeper: Keeper, record: logging.LogRecord, context: Context) -> bool:  # noqa: C901, PLR0911, PLR0912 - on the hot path: calls would cost
        """Hand over a record that consists of scalars; False if it does not, or somebody wants more than a `Log`."""
        message, arguments = record.msg, record.args
        if (
            not keeper.processors.take_logs
            or type(message) is not str
            or type(record) is not logging.LogRecord
            or record.exc_info
            or self.formatter is not None
        ):
            return False
        longest, size = keeper.longest, LOG + len(message)
        if arguments:
            more = _size_of(arguments)
            if more is None:
                return False
            size += more
        values: dict[str, Any] = {}
        fields = record.__dict__
        for key in reversed(fields):  # what was given comes after what all have; to pass those over would take longer
            if key in _names:
                value = fields[key]
                kind = type(value)
                if kind is str:
                    values[key] = value
                elif kind in NUMBERS:
                    values[key] = value
                    continue
                elif kind in _SPELLED:
                    value = values[key] = str(value)
                else:
                    return False
                size += len(value)
                if longest is not None and len(value) > longest:
                    return False
            elif key == _LAST:
                break
            elif key not in _ADDED:
                _remember(key)
                return False
        if self._code_attributes:
            place, _ = kept_values(_place(record), None, longest)
            values |= place
            size += weight(place)
        if len(values) > keeper.most:
            return False
        number = _NUMBERS.get(record.levelno)
        keeper.keep(
            context,
            int(record.created * 1e9),
            time_ns(),
            std_to_otel(record.levelno).value if number is None else number,
            _SEVERITIES.get(record.levelname) or text(record.levelname),
            message,
            arguments or None,
            values,
            None,
            size + ATTRIBUTE * len(values),
        )
        return True

    def _hand_over(self, keeper: Keeper | None, record: logging.LogRecord, context: Context) -> None:
        """Hand over any record, by way of the API where need be."""
        token = _emitting.set(True)
        try:
            given = {key: plain(value) for key, value in vars(record).items() if key not in _STANDARD}
            event_name, older_event_name = (given.pop(name, None) for name in _EVENT_NAMES)
            if self._code_attributes:
                given |= _place(record)
            error = record.exc_info[1] if isinstance(record.exc_info, tuple) else None
            if isinstance(error, BaseException):
                given |= failure.attributes_of(error)
            written, observed, severity = int(record.created * 1e9), time_ns(), std_to_otel(record.levelno)
            name = _SEVERITIES.get(record.levelname) or text(record.levelname)
            body = self.format(record) if self.formatter else _body(record)
            event = event_name or older_event_name
            if keeper is None or not keeper.keep_parts(
                context, None, written, observed, severity, name, body, given, event
            ):
                self._provider.get_logger(record.name).emit(
                    LogRecord(
                        timestamp=written,
                        observed_timestamp=observed,
                        context=context or None,
                        severity_text=name,
                        severity_number=severity,
                        body=body,
                        attributes=given,
                        event_name=event,
                    )
                )
        finally:
            _emitting.reset(token)

    def flush(self) -> None:
        """Nothing: the provider is flushed by the handle, with a deadline."""


def _remember(key: Any) -> None:
    """Put ``key`` among `_names` if it becomes an attribute as it is."""
    if type(key) is str and key and key not in _STANDARD and key not in _EVENT_NAMES:
        if len(_names) >= _MOST:
            _names.clear()
        _names.add(key)


def _place(record: logging.LogRecord) -> dict[str, Any]:
    """Where the line stands that has logged."""
    return {
        attributes.CODE_FILE_PATH: record.pathname,
        attributes.CODE_FUNCTION_NAME: record.funcName,
        attributes.CODE_LINE_NUMBER: record.lineno,
    }


def _size_of(arguments: Any) -> int | None:
    """Bytes of the arguments of a message; None where making its text could run code of others."""
    if type(arguments) is not tuple or logging.LogRecord.getMessage is not _get_message:
        return None
    size = 0
    for argument in arguments:
        kind = type(argument)
        if kind is str:
            size += len(argument)
        elif kind not in _HARMLESS:
            return None
    return size


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
