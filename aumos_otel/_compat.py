"""Every private attribute of the OpenTelemetry SDK that we touch, checked at import.

A missing name is reported in `MISSING` (shown by ``aumos-otel doctor`` and ``describe()``) and
the function that needs it does the next best public thing.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, get_value, set_value
from opentelemetry.sdk import _configuration
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import resources as sdk_resources
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.metrics._internal import metric_reader_storage
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping import exponent_mapping, logarithm_mapping
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from aumos_otel import guard
from aumos_otel.errors import ConfigError

try:
    importlib.import_module("opentelemetry.propagate")
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


#: GRPC_CHANNEL_READY.
_GRPC_READY = 2


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


_MetricReaderStorage: Any = _require(metric_reader_storage, "MetricReaderStorage")
_ExponentMapping: Any = _require(exponent_mapping, "ExponentMapping")
_LogarithmMapping: Any = _require(logarithm_mapping, "LogarithmMapping")
_require(sdk_resources, "_service_instance_id_lock")
_require(_ExponentMapping, "_mappings_lock")
_require(getattr(metrics, "_internal", None), "_PROXY_METER_PROVIDER")

#: Providers that are renewed in a forked child.
_surviving: weakref.WeakSet[Any] = weakref.WeakSet()

#: The class of every span that a tracer of the SDK makes.
RecordedSpan: Any = _require(sdk_trace, "_Span") or sdk_trace.Span

#: The code of the API's `use_span`, which makes a text of the exception by itself.
_use_span_code: Any = _require(getattr(trace.use_span, "__wrapped__", trace.use_span), "__code__")


def wishes_of_use_span(depth: int) -> tuple[bool, bool] | None:
    """Whether `use_span` was asked to record exceptions and to set the status; None when it is not the caller.

    Args:
        depth: frames between this function and the one that may be `use_span`.
    """
    frame = sys._getframe(depth)  # noqa: SLF001 - CPython's; the API offers no hook at this place
    if frame.f_code is not _use_span_code:
        return None
    return frame.f_locals["record_exception"], frame.f_locals["set_status_on_exception"]


def wishes_of_span(span: Any) -> tuple[bool, bool]:
    """The same for a span that is used as a context manager itself."""
    return getattr(span, "_record_exception", True), getattr(span, "_set_status_on_exception", True)


def ending(processor: Any) -> Any:
    """The method that a span processor has for a span that is about to end."""
    return getattr(processor, "_on_ending", None)


def _spans_can_be_read() -> bool:
    """Whether finished spans of the SDK, and their scopes, are kept as `parts_of` expects them."""
    attributes = BoundedAttributes(attributes={"a": 1})
    scope, empty = InstrumentationScope("probe"), sdk_resources.Resource.get_empty()
    span = sdk_trace.ReadableSpan("probe", attributes=attributes, resource=empty, instrumentation_scope=scope)
    wanted = {"_kind": trace.SpanKind.INTERNAL, "_name": "probe", "_instrumentation_scope": scope}
    known = [getattr(span, name, None) == value for name, value in wanted.items()]
    known += [getattr(scope, "_name", None) == "probe", getattr(attributes, "_dict", None) == {"a": 1}]
    if all(known) and getattr(span, "_attributes", None) is attributes:
        return True
    MISSING.append("ReadableSpan._attributes._dict")
    return False


_can_read_spans = _spans_can_be_read()


def parts_of(span: Any) -> tuple[int, str, str, Mapping[str, Any]]:
    """The number of the kind, name, scope and attributes (not to be changed) of a finished span.

    Of the SDK's own without its properties and views, which take longer than counting the span.
    """
    if _can_read_spans and type(span) is sdk_trace.ReadableSpan:
        scope, attributes, kind = span._instrumentation_scope, span._attributes, span._kind  # noqa: SLF001 - this module is where private names live
        if type(attributes) is BoundedAttributes and type(kind) is trace.SpanKind:
            name = "" if scope is None else scope._name  # noqa: SLF001 - same
            return kind._value_, span._name, name, attributes._dict  # noqa: SLF001 - same
    scope = span.instrumentation_scope
    kind_number = getattr(span.kind, "value", trace.SpanKind.INTERNAL.value)
    return kind_number, span.name, "" if scope is None else scope.name, span.attributes or {}


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


def suppress_instrumentation() -> None:
    """Make no telemetry of what the current thread does from now on; for threads of ours, as the SDK does in its own."""
    attach(set_value(_SUPPRESS_INSTRUMENTATION_KEY, True))  # noqa: FBT003 - the value of the key


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


def update_resource(provider: Any, resource: Resource) -> bool:
    """Merge ``resource`` into a provider of the SDK, as the SDK does after a fork."""
    update = getattr(provider, "_update_resource", None)
    if update is None:
        return False
    update(resource)
    return True


def survive_forks(*providers: Any) -> None:
    """Make forked children able to use these providers of the SDK, whatever lock is held when they are forked.

    The SDK renews some of its locks in the child and not others (1.45: not those of metrics), and
    lets the child go on counting from where its parent was, so that a sum over processes counts twice.
    """
    for provider in providers:
        _surviving.add(provider)
        if isinstance(provider, sdk_metrics.MeterProvider):
            for name in ("_measurement_consumer", "_meters", "_meter_lock"):
                _require(provider, name)


def reset_metrics_after_fork(provider: Any) -> None:
    """Let a meter provider start over in a forked child: counts from zero, no lock held, instruments still valid."""
    consumer = provider._measurement_consumer  # noqa: SLF001 - this module is where private names live
    consumer._lock = threading.Lock()  # noqa: SLF001 - same
    storages = consumer._reader_storages  # noqa: SLF001 - same
    consumer._reader_storages = {reader: _new_storage(consumer, reader) for reader in storages}  # noqa: SLF001 - same
    for reader in storages:
        _renew_reader(reader)
    for meter in provider._meters.values():  # noqa: SLF001 - same
        _renew_meter(meter)


def _new_storage(consumer: Any, reader: Any) -> Any:
    return _MetricReaderStorage(
        consumer._sdk_config,  # noqa: SLF001 - this module is where private names live
        reader._instrument_class_temporality,  # noqa: SLF001 - same
        reader._instrument_class_aggregation,  # noqa: SLF001 - same
        reader._instrument_class_cardinality_limit,  # noqa: SLF001 - same
    )


def _renew_reader(reader: Any) -> None:
    if hasattr(reader, "_lock"):  # the SDK's in-memory reader
        reader._lock = threading.RLock()  # noqa: SLF001 - this module is where private names live
    if hasattr(reader, "_export_lock"):
        reader._export_lock = threading.Lock()  # noqa: SLF001 - same
        thread = reader._daemon_thread  # noqa: SLF001 - same
        if thread is None or not thread.is_alive():  # else the SDK has started it anew, and it waits on the old event
            closed = reader._shutdown_event.is_set()  # noqa: SLF001 - same
            reader._shutdown_event = threading.Event()  # noqa: SLF001 - same
            if closed:
                reader._shutdown_event.set()  # noqa: SLF001 - same


def _renew_meter(meter: Any) -> None:
    for name in ("_instrument_registration_lock", "_instrument_ids_lock", "_lock"):
        if hasattr(meter, name):
            setattr(meter, name, threading.Lock())


def _start_over() -> None:
    """In a forked child, before the SDK's own hooks if we were imported before they were registered."""
    sdk_resources._service_instance_id_lock = threading.Lock()  # noqa: SLF001 - this module is where private names live
    for mapping in (_ExponentMapping, _LogarithmMapping):
        if mapping is not None:
            mapping._mappings_lock = threading.Lock()  # noqa: SLF001 - same
    proxies = metrics._internal._PROXY_METER_PROVIDER  # noqa: SLF001 - same
    for proxy in (proxies, *proxies._meters):  # noqa: SLF001 - same
        _renew_meter(proxy)
    for provider in list(_surviving):
        for name in ("_active_span_processor", "_multi_log_record_processor"):
            if hasattr(provider, name):
                getattr(provider, name)._lock = threading.Lock()  # noqa: SLF001 - same
        if hasattr(provider, "_measurement_consumer"):
            provider._lock, provider._meter_lock = threading.Lock(), threading.Lock()  # noqa: SLF001 - same
            reset_metrics_after_fork(provider)


def _forget_imports_under_way() -> None:
    """Let a forked child import what other threads of its parent were importing; what this thread imports goes on.

    The interpreter's lock of such a module is never released in the child.  A worker thread
    imports something when it first sends: the standard library does, in `socket.getaddrinfo`.
    """
    bootstrap: Any = importlib._bootstrap  # noqa: SLF001 - CPython has no other way
    locks = bootstrap._module_locks  # noqa: SLF001 - same
    for name, reference in list(locks.items()):
        lock = reference()
        if lock is not None and lock.owner not in {None, threading.get_ident()}:
            del locks[name]
            spec = getattr(sys.modules.get(name), "__spec__", None)
            if getattr(spec, "_initializing", False):
                del sys.modules[name]


def _after_fork_in_child() -> None:
    with guard.swallow("compat.imports"):
        _forget_imports_under_way()
    with guard.swallow("compat.fork"):
        _start_over()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)


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


def is_grpc_connected(channel: Any) -> bool:
    """Whether a channel of grpcio has a connection, which it tells in public only through a thread of its own.

    True where a version does not tell: what was sent may have arrived.
    """
    state = getattr(getattr(channel, "_channel", None), "check_connectivity_state", None)
    return state is None or state(try_to_connect=False) == _GRPC_READY


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
