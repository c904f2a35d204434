"""Every private attribute of the OpenTelemetry SDK that we touch, checked at import.

A missing name is reported in `MISSING` (shown by ``aumos-otel doctor`` and ``describe()``) and
the function that needs it does the next best public thing.
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, get_value
from opentelemetry.sdk import _configuration

from aumos_otel.errors import ConfigError

try:
    import_module("opentelemetry.propagate")
except ValueError as error:  # the API looks its propagators up when it is imported
    raise ConfigError(
        "OTEL_PROPAGATORS",
        seen=os.environ.get("OTEL_PROPAGATORS"),
        expected="a comma-separated list of installed propagators",
        remedy="correct or unset it, or install the package that provides the propagator",
    ) from error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.resources import Resource

#: Private names that this SDK version lacks.
MISSING: list[str] = []


#: What the stock HTTP exporter sends of its own.
_OWN_HEADERS = ("content-type", "user-agent", "Content-Encoding")


def _require(owner: Any, name: str) -> Any:
    found = getattr(owner, name, None)
    if found is None:
        MISSING.append(f"{getattr(owner, '__name__', owner)}.{name}")
    return found


#: Base of what the entry-point group opentelemetry_configurator registers.
BaseConfigurator: Any = _require(_configuration, "_BaseConfigurator") or object

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


def instrumentation_suppressed() -> bool:
    """Whether the current context is the SDK's own export, or the user's ``suppress_instrumentation()``."""
    return bool(get_value(_SUPPRESS_INSTRUMENTATION_KEY))


def metric_preferences(exporter: Any) -> dict[str, Any]:
    """What a wrapper of a metric exporter must pass on: temporality and aggregation by instrument."""
    return {
        "preferred_temporality": getattr(exporter, "_preferred_temporality", None),
        "preferred_aggregation": getattr(exporter, "_preferred_aggregation", None),
    }


def enable(provider: Any) -> None:
    """Undo what a provider of the SDK read from OTEL_SDK_DISABLED: `aumos_otel.plan` has decided."""
    if hasattr(provider, "_disabled"):
        provider._disabled = False  # noqa: SLF001 - this module is where private names live


def use_only_headers(exporter: Any, headers: Mapping[str, str]) -> None:
    """Send ``headers`` alone: the stock HTTP exporter adds those of OTEL_EXPORTER_OTLP_HEADERS, maybe another's key."""
    client: Any = getattr(exporter, "_client", None)
    present = getattr(client, "_headers", None)
    if present is None:
        MISSING.append(f"{type(exporter).__name__}._client._headers")
        return
    own = {key: value for key, value in present.items() if key in _OWN_HEADERS}
    client._headers = own | dict(headers)  # noqa: SLF001 - this module is where private names live


def update_resource(provider: Any, resource: Resource) -> bool:
    """Merge ``resource`` into a provider of the SDK, as the SDK does after a fork."""
    update = getattr(provider, "_update_resource", None)
    if update is None:
        return False
    update(resource)
    return True


def instrumented_by_contrib(app: Any) -> bool:
    """Whether contrib's FastAPIInstrumentor has instrumented this application."""
    return bool(getattr(app, "_is_instrumented_by_opentelemetry", False))


def native_telemetry(app: Any) -> dict[str, Any]:
    """The settings of FastAPI's own telemetry (since 0.142), live; empty where it has none."""
    settings = getattr(app, "_telemetry", None)
    return settings if isinstance(settings, dict) else {}


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
