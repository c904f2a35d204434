"""Every private attribute of the OpenTelemetry SDK that we touch, checked at import.

A missing name is reported in `MISSING` (shown by ``aumos-otel doctor`` and ``describe()``) and
the function that needs it does the next best public thing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk import _configuration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.resources import Resource

#: Private names that this SDK version lacks.
MISSING: list[str] = []


def _require(owner: Any, name: str) -> Any:
    found = getattr(owner, name, None)
    if found is None:
        MISSING.append(f"{getattr(owner, '__name__', owner)}.{name}")
    return found


_import_tracer_configurator = _require(_configuration, "_import_tracer_configurator")
_import_meter_configurator = _require(_configuration, "_import_meter_configurator")
_import_logger_configurator = _require(_configuration, "_import_logger_configurator")


def tracer_configurator(environ: Mapping[str, str]) -> dict[str, Any]:
    """Constructor arguments for OTEL_PYTHON_TRACER_CONFIGURATOR."""
    return _configurator("tracer", _import_tracer_configurator, environ)


def meter_configurator(environ: Mapping[str, str]) -> dict[str, Any]:
    """Constructor arguments for OTEL_PYTHON_METER_CONFIGURATOR."""
    return _configurator("meter", _import_meter_configurator, environ)


def logger_configurator(environ: Mapping[str, str]) -> dict[str, Any]:
    """Constructor arguments for OTEL_PYTHON_LOGGER_CONFIGURATOR."""
    return _configurator("logger", _import_logger_configurator, environ)


def _configurator(kind: str, load: Any, environ: Mapping[str, str]) -> dict[str, Any]:
    name = environ.get(f"OTEL_PYTHON_{kind.upper()}_CONFIGURATOR")
    found = load(name) if name and load else None
    return {f"_{kind}_configurator": found} if found else {}


def queue_length(processor: Any) -> int:
    """Records that wait in a stock batch processor; 0 when the SDK hides them."""
    queue = getattr(getattr(processor, "_batch_processor", None), "_queue", ())
    return len(queue)


def update_resource(provider: Any, resource: Resource) -> bool:
    """Merge ``resource`` into a provider of the SDK, as the SDK does after a fork."""
    update = getattr(provider, "_update_resource", None)
    if update is None:
        return False
    update(resource)
    return True


def prefer_stable_http(environ: Mapping[str, str]) -> Callable[[], None]:
    """Make contrib instrumentors emit the stable HTTP names unless OTEL_SEMCONV_STABILITY_OPT_IN is set.

    The same as that variable with ``http``, without writing to the environment, which child
    processes inherit.  Returns what undoes it.
    """
    if environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").strip():
        return lambda: None
    from opentelemetry.instrumentation import _semconv  # noqa: PLC0415 - not needed where nothing is instrumented

    stability = _require(_semconv, "_OpenTelemetrySemanticConventionStability")
    kinds, modes = _require(_semconv, "_OpenTelemetryStabilitySignalType"), _require(_semconv, "_StabilityMode")
    initialize = getattr(stability, "_initialize", None)
    chosen = getattr(stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", None)
    if initialize is None or chosen is None:
        MISSING.append("_OpenTelemetrySemanticConventionStability._initialize")
        return lambda: None
    initialize()
    chosen = stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING  # noqa: SLF001 - replaced by _initialize
    before = chosen.get(kinds.HTTP)
    chosen[kinds.HTTP] = modes.HTTP

    def restore() -> None:
        chosen[kinds.HTTP] = before

    return restore


def reset_globals() -> None:
    """Forget the global providers; for tests only."""
    trace._TRACER_PROVIDER = None  # noqa: SLF001 - this module is where private names live
    trace._TRACER_PROVIDER_SET_ONCE = type(trace._TRACER_PROVIDER_SET_ONCE)()  # noqa: SLF001 - same
    internal_metrics = metrics._internal  # noqa: SLF001 - same
    internal_metrics._METER_PROVIDER = None  # noqa: SLF001 - same
    internal_metrics._METER_PROVIDER_SET_ONCE = type(internal_metrics._METER_PROVIDER_SET_ONCE)()  # noqa: SLF001 - same
    internal_metrics._PROXY_METER_PROVIDER = internal_metrics._ProxyMeterProvider()  # noqa: SLF001 - same
    internal_logs = _logs._internal  # noqa: SLF001 - same
    internal_logs._LOGGER_PROVIDER = None  # noqa: SLF001 - same
    internal_logs._LOGGER_PROVIDER_SET_ONCE = type(internal_logs._LOGGER_PROVIDER_SET_ONCE)()  # noqa: SLF001 - same
