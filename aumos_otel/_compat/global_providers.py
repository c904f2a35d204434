"""Providers of the SDK as a whole: how they are configured, changed and, in tests, forgotten."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk import _configuration

from aumos_otel._compat.required import require

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource

#: Base of what the entry-point group opentelemetry_configurator registers.
BaseConfigurator: Any = require(_configuration, "_BaseConfigurator") or object

_import_tracer_configurator = require(_configuration, "_import_tracer_configurator")

_import_meter_configurator = require(_configuration, "_import_meter_configurator")

_import_logger_configurator = require(_configuration, "_import_logger_configurator")


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


def enable(provider: Any) -> None:
    """Undo what a provider of the SDK read from OTEL_SDK_DISABLED: `aumos_otel.plan` has decided."""
    if hasattr(provider, "_disabled"):
        provider._disabled = False  # noqa: SLF001 - this module is where private names live


def update_resource(provider: Any, resource: Resource) -> bool:
    """Merge ``resource`` into a provider of the SDK, as the SDK does after a fork."""
    update = getattr(provider, "_update_resource", None)
    if update is None:
        return False
    update(resource)
    return True


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
