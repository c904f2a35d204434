"""Events of the semantic conventions, through OpenTelemetry's Logs API."""

from __future__ import annotations

import time
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import _logs

from aumos_otel._internal.per_provider import PerProvider
from aumos_otel.semconv.spans import SCOPE_AUMOS_OTEL_LLM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry._logs import Logger, SeverityNumber
    from opentelemetry.context import Context
    from opentelemetry.util.types import AnyValue

_logger: PerProvider[Logger] = PerProvider(
    _logs.get_logger_provider, lambda: _logs.get_logger(SCOPE_AUMOS_OTEL_LLM, version("aumos-otel"))
)


def emit(
    name: str, attributes: Mapping[str, AnyValue], severity: SeverityNumber, context: Context | None = None
) -> None:
    """Emit one event, as of now, in the trace of ``context``."""
    _logger.get().emit(
        timestamp=time.time_ns(), event_name=name, attributes=attributes, severity_number=severity, context=context
    )
