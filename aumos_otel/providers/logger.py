"""The logger provider, and the handler that feeds it from the standard library."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor

from aumos_otel import _compat
from aumos_otel.processors.logs import LogIdentityProcessor, StandardLibraryHandler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource

    from aumos_otel.config import LogsOptions

logger = logging.getLogger("aumos_otel")


def build(
    resource: Resource,
    exporting: Sequence[LogRecordProcessor],
    extra: Sequence[LogRecordProcessor],
    environ: Mapping[str, str],
) -> LoggerProvider:
    """A logger provider: our processors first, the user's next, export last."""
    provider = LoggerProvider(resource=resource, shutdown_on_exit=False, **_compat.logger_configurator(environ))
    attach(provider, exporting, extra)
    return provider


def attach(
    provider: LoggerProvider, exporting: Sequence[LogRecordProcessor], extra: Sequence[LogRecordProcessor]
) -> None:
    """Add our processors to a provider, also to one that somebody else made."""
    for processor in (LogIdentityProcessor(), *extra, *exporting):
        provider.add_log_record_processor(processor)


def install_handler(
    options: LogsOptions, provider: LoggerProvider, paused: Callable[[], bool]
) -> StandardLibraryHandler:
    """Attach a handler to the root logger; levels are never changed."""
    handler = StandardLibraryHandler(options, provider, paused)
    root = logging.getLogger()
    root.addHandler(handler)
    if options.capture_warnings:
        logging.captureWarnings(capture=True)
    return handler


def remove_handler(handler: logging.Handler, options: LogsOptions) -> None:
    """Detach the handler and stop capturing warnings."""
    logging.getLogger().removeHandler(handler)
    if options.capture_warnings:
        logging.captureWarnings(capture=False)
