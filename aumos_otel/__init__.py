"""The AumOS distribution of OpenTelemetry: ``configure()`` once, then everything is told.

>>> import aumos_otel as aumos
>>> telemetry = aumos.configure(service_name="docs")
>>> with aumos.span("load"):
...     pass

The names below are loaded on first use, so that ``import aumos_otel`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aumos_otel import llm
    from aumos_otel._configure import configure
    from aumos_otel.config import (
        OTLP,
        ConsoleOptions,
        KafkaOptions,
        LLMOptions,
        LogsOptions,
        MetricsOptions,
        OTLPFile,
        PropagationOptions,
        RedactionOptions,
        SamplingOptions,
        Selector,
        SLOOptions,
        SpoolOptions,
        TailSampling,
    )
    from aumos_otel.context import Identity, bind, propagate
    from aumos_otel.context import current as current_identity
    from aumos_otel.errors import AlreadyConfiguredError, AumosOtelError, ConfigError
    from aumos_otel.indicators import slo
    from aumos_otel.instrumentation import from_headers
    from aumos_otel.pipeline import Status, Telemetry
    from aumos_otel.spans import span

__all__ = [
    "OTLP",
    "AlreadyConfiguredError",
    "AumosOtelError",
    "ConfigError",
    "ConsoleOptions",
    "Identity",
    "KafkaOptions",
    "LLMOptions",
    "LogsOptions",
    "MetricsOptions",
    "OTLPFile",
    "PropagationOptions",
    "RedactionOptions",
    "SLOOptions",
    "SamplingOptions",
    "Selector",
    "SpoolOptions",
    "Status",
    "TailSampling",
    "Telemetry",
    "bind",
    "configure",
    "current_identity",
    "from_headers",
    "llm",
    "propagate",
    "slo",
    "span",
]

#: Where each public name lives; a module of its own stands for itself.
_HOMES = {
    "OTLP": "config",
    "AlreadyConfiguredError": "errors",
    "AumosOtelError": "errors",
    "ConfigError": "errors",
    "ConsoleOptions": "config",
    "Identity": "context",
    "KafkaOptions": "config",
    "LLMOptions": "config",
    "LogsOptions": "config",
    "MetricsOptions": "config",
    "OTLPFile": "config",
    "PropagationOptions": "config",
    "RedactionOptions": "config",
    "SLOOptions": "config",
    "SamplingOptions": "config",
    "Selector": "config",
    "SpoolOptions": "config",
    "Status": "pipeline",
    "TailSampling": "config",
    "Telemetry": "pipeline",
    "bind": "context",
    "configure": "_configure",
    "current_identity": "context",
    "from_headers": "instrumentation",
    "propagate": "context",
    "span": "spans",
}


def __getattr__(name: str) -> Any:
    if name in {"llm", "slo"}:
        return import_module(f"aumos_otel.{name}")
    if name not in _HOMES:
        raise AttributeError(f"module 'aumos_otel' has no attribute {name!r}")
    module = import_module(f"aumos_otel.{_HOMES[name]}")
    value = getattr(module, "current" if name == "current_identity" else name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
