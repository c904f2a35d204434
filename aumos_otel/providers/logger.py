"""The logger provider, and the handler that feeds it from the standard library."""

from __future__ import annotations

import functools
import logging
import logging.config
import warnings
import weakref
from typing import TYPE_CHECKING, Any

import wrapt
from opentelemetry.sdk._logs import Logger as SdkLogger
from opentelemetry.sdk._logs import LoggerProvider, LogRecordLimits, LogRecordProcessor

from aumos_otel import _compat, guard
from aumos_otel._internal.diagnostics import Throttle
from aumos_otel.processors.foreign import guarded_log_record_processor
from aumos_otel.processors.log_handler import StandardLibraryHandler
from aumos_otel.processors.logs import LogIdentityProcessor, LogProcessors
from aumos_otel.providers.log_keeper import Logger

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry._logs import Logger as ApiLogger
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

    from aumos_otel._internal.quantities import Quantities
    from aumos_otel.config import LogsOptions

logger = logging.getLogger("aumos_otel")


class AumosLoggerProvider(LoggerProvider):
    """The SDK's provider; its loggers are ours, and its processors are guarded unless it is given them in one."""

    def __init__(
        self,
        resource: Resource | None = None,
        shutdown_on_exit: bool = True,  # noqa: FBT001, FBT002 - the SDK's signature
        multi_log_record_processor: Any = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(resource, shutdown_on_exit, multi_log_record_processor or LogProcessors(), **kwargs)

    def get_logger(
        self,
        name: str,
        version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> ApiLogger:
        """The logger of an instrumentation scope."""
        logger = super().get_logger(name, version, schema_url, attributes)
        if type(logger) is SdkLogger:
            logger.__class__ = Logger
            if not logger.take_over():  # type: ignore[attr-defined]  # its class has just been changed
                logger.__class__ = SdkLogger
        return logger


def build(
    resource: Resource,
    exporting: Sequence[LogRecordProcessor],
    extra: Sequence[LogRecordProcessor],
    environ: Mapping[str, str],
    quantities: Quantities,
) -> LoggerProvider:
    """A logger provider: our processors first, the user's next, export last."""
    provider = AumosLoggerProvider(
        resource=resource,
        shutdown_on_exit=False,
        log_record_limits=_limits(quantities),
        **_compat.logger_configurator(environ),
    )
    _compat.enable(provider)
    attach(provider, exporting, extra)
    return provider


def _limits(quantities: Quantities) -> LogRecordLimits:
    def limit(name: str) -> int:
        value = quantities[f"OTEL_{name}_LIMIT"]
        return LogRecordLimits.UNSET if value is None else value

    return LogRecordLimits(
        max_attributes=limit("ATTRIBUTE_COUNT"),
        max_attribute_length=limit("ATTRIBUTE_VALUE_LENGTH"),
        max_log_record_attributes=limit("LOGRECORD_ATTRIBUTE_COUNT"),
        max_log_record_attribute_length=limit("LOGRECORD_ATTRIBUTE_VALUE_LENGTH"),
    )


def attach(
    provider: LoggerProvider, exporting: Sequence[LogRecordProcessor], extra: Sequence[LogRecordProcessor]
) -> None:
    """Add our processors to a provider, also to one that somebody else made."""
    _compat.survive_forks(provider)
    guarded = [guarded_log_record_processor(processor) for processor in extra]
    for processor in (LogIdentityProcessor(), *guarded, *exporting):
        provider.add_log_record_processor(processor)


_installations: weakref.WeakSet[Installation] = weakref.WeakSet()


class Installation:
    """Our handler on the root logger, and what keeps it there; levels are never changed.

    A handler on the root logger would turn the application's own ``logging.basicConfig()`` into
    a no-op, and ``dictConfig()`` would throw it out: both run without it.  It would also silence an
    application that never set logging up, whose warnings go to stderr: see `_LastResort`.
    """

    def __init__(self, options: LogsOptions, provider: LoggerProvider, paused: Callable[[], bool]) -> None:
        self.handler = StandardLibraryHandler(options, provider, paused)
        self._installed = (self.handler, _LastResort(self.handler))
        for handler in self._installed:
            logging.getLogger().addHandler(handler)
        self._functions: list[tuple[Any, str, Any, Any]] = []
        for module, name in ((logging, "basicConfig"), (logging.config, "dictConfig"), (logging.config, "fileConfig")):
            self._replace(module, name, wrapt.FunctionWrapper(getattr(module, name), self._without_handler))
        if options.capture_warnings:
            self._replace(warnings, "showwarning", wrapt.FunctionWrapper(warnings.showwarning, self._show_and_log))

        _installations.add(self)
        _watch_celery()

    def put_back(self) -> None:
        """Put the handlers on the root logger again, where somebody has thrown them out."""
        root = logging.getLogger()
        for handler in self._installed:
            if handler not in root.handlers:
                root.addHandler(handler)

    def remove(self) -> None:
        """Detach the handler and put back what was replaced, unless somebody replaced it since."""
        _installations.discard(self)
        for handler in self._installed:
            logging.getLogger().removeHandler(handler)
        for module, name, original, ours in self._functions:
            if getattr(module, name) is ours:
                setattr(module, name, original)

    def _replace(self, module: Any, name: str, ours: Any) -> None:
        self._functions.append((module, name, getattr(module, name), ours))
        setattr(module, name, ours)

    def _without_handler(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        root = logging.getLogger()
        present = [handler for handler in self._installed if handler in root.handlers]
        for handler in present:
            root.removeHandler(handler)
        try:
            return wrapped(*args, **kwargs)
        finally:
            for handler in present:
                root.addHandler(handler)

    def _show_and_log(self, wrapped: Any, _instance: Any, args: Any, kwargs: Any) -> Any:
        with guard.swallow("providers.logger.warnings"):
            self._log_warning(*args, **kwargs)
        return wrapped(*args, **kwargs)

    def _log_warning(
        self, message: Any, category: Any, filename: str, lineno: int, file: Any = None, *_line: Any
    ) -> None:
        if file is None and self.handler.level <= logging.WARNING:
            text = f"{category.__name__}: {message}"
            record = logging.LogRecord("py.warnings", logging.WARNING, filename, lineno, text, None, None)
            self.handler.handle(record)


@functools.cache
def _watch_celery() -> None:
    """A worker of celery throws out all handlers of the root logger when it starts, and tells when it has."""
    wrapt.register_post_import_hook(_connect, "celery.signals")


def _connect(signals: Any) -> None:
    with guard.swallow("providers.logger.celery"):
        signals.after_setup_logger.connect(_put_back, weak=False)


def _put_back(**_about: object) -> None:
    for installation in list(_installations):
        installation.put_back()


class _LastResort(logging.Handler):
    """Prints what nobody but us would handle, as the standard library does when there is no handler at all."""

    def __init__(self, ours: logging.Handler) -> None:
        super().__init__(logging.WARNING if logging.lastResort is None else logging.lastResort.level)
        self._ours = (ours, self)

    def handle(self, record: logging.LogRecord) -> bool:
        """Hand ``record`` to `logging.lastResort` if no handler of the application's takes it; without a lock."""
        printer = logging.lastResort
        if printer is None or record.levelno < printer.level or self._is_handled(record.name):
            return False
        return bool(printer.handle(record))

    def _is_handled(self, name: str) -> bool:
        root = logging.getLogger()
        if self._takes_part(root):  # mostly; a look for the logger takes a lock
            return True
        logger: logging.Logger | None = logging.getLogger(name)
        while logger is not None and logger is not root:
            if self._takes_part(logger):
                return True
            logger = logger.parent
        return False

    def _takes_part(self, logger: logging.Logger) -> bool:
        return any(handler not in self._ours and not isinstance(handler, Throttle) for handler in logger.handlers)
