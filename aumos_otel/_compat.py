"""Every private attribute of the OpenTelemetry SDK that we touch, checked at import.

A missing name is reported in `MISSING` (shown by ``aumos-otel doctor`` and ``describe()``) and
the function that needs it does the next best public thing.
"""

from __future__ import annotations

import importlib
import operator
import os
import sys
import threading
import weakref
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import _logs, metrics, trace
from opentelemetry import context as otel_context
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, get_value, set_value
from opentelemetry.sdk import _configuration
from opentelemetry.sdk import _logs as sdk_logs
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk import resources as sdk_resources
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.metrics._internal import _view_instrument_match, aggregation, metric_reader_storage, view
from opentelemetry.sdk.metrics._internal.exponential_histogram.mapping import exponent_mapping, logarithm_mapping
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from aumos_otel import guard
from aumos_otel._internal import ambient
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
    if hasattr(provider, "start_over"):
        provider.start_over()


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


def _field(name: str, written: str | None = None) -> Any:
    """A property that reads one attribute, and writes it or another one."""
    read = operator.attrgetter(name)
    return property(read, lambda self, value: setattr(self, written or name, value))


def context_with_span(context: otel_context.Context, span: Any) -> otel_context.Context:
    """``context`` with ``span`` as the current one."""
    return otel_context.Context({**context, ambient.SPAN_KEY: span})


def _new_span_context() -> Any:
    """Makes a valid `SpanContext` of (trace id, span id, False, flags, trace state, True), without looking at it again."""
    made = tuple.__new__(trace.SpanContext, (1, 2, False, trace.TraceFlags(1), trace.TraceState(), True))
    if made == trace.SpanContext(
        1, 2, is_remote=False, trace_flags=trace.TraceFlags(1), trace_state=trace.TraceState()
    ):
        return partial(tuple.__new__, trace.SpanContext)
    MISSING.append("SpanContext.__new__")
    return lambda parts: trace.SpanContext(*parts[:5])


new_span_context = _new_span_context()


def root_sampler(sampler: Any) -> Any:
    """What a parent-based sampler of the SDK asks about roots; None where it is none, or children do not follow."""
    delegates = {
        "_remote_parent_sampled": ALWAYS_ON,
        "_local_parent_sampled": ALWAYS_ON,
        "_remote_parent_not_sampled": ALWAYS_OFF,
        "_local_parent_not_sampled": ALWAYS_OFF,
    }
    follows = type(sampler) is ParentBased and all(getattr(sampler, key, None) is is_ for key, is_ in delegates.items())
    return getattr(sampler, "_root", None) if follows else None


class TracerNames(sdk_trace.Tracer):
    """The SDK's private names of a tracer's fields for `aumos_otel.providers.tracer.Tracer`."""

    enabled: bool
    scope: InstrumentationScope
    measures: bool

    def adopt(self) -> sdk_trace.SpanLimits:
        """Read the fields of a tracer that the SDK has made; returns its limits."""
        self.enabled = self._tracer_config.is_enabled
        self.scope = self._instrumentation_scope
        self.measures = type(self._tracer_metrics).__name__ != "NoOpTracerMetrics"
        return self._span_limits

    def measure(self, parent: trace.SpanContext | None, decision: Any) -> Any:
        """Count a span that starts in the SDK's own metrics; returns what counts its end."""
        return self._tracer_metrics.start_span(parent, decision)

    def _set_tracer_config(self, tracer_config: Any) -> None:
        super()._set_tracer_config(tracer_config)
        self.enabled = tracer_config.is_enabled


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


def bounded(values: dict[str, Any], lost: int, most: int | None = None, *, immutable: bool = True) -> BoundedAttributes:
    """The SDK's view of attributes that have been cleaned; it shares ``values``."""
    view = BoundedAttributes(most, immutable=immutable)
    view._dict = values  # noqa: SLF001 - this module is where private names live
    view.dropped = lost
    return view


class SpanNames(sdk_trace.ReadableSpan):
    """The SDK's private names of a span's fields for `aumos_otel.recording.span.Span`.

    Its base and foreign processors read them; what such a processor writes is exported.
    """

    _name = _field("name")
    _context = _field("context")
    _kind = _field("kind")
    _parent = _field("parent")
    _start_time = _field("start_time")
    _end_time = _field("end_time")
    _resource = _field("resource", "own_resource")
    _instrumentation_scope = _field("instrumentation_scope", "own_scope")
    _instrumentation_info = _field("instrumentation_info")

    @property
    def _span_processor(self) -> Any:
        span: Any = self
        return span.recorder.span_processor

    def _readable_span(self) -> sdk_trace.ReadableSpan:
        """As it is now, for those who export spans that are still open."""
        span: Any = self
        return sdk_trace.ReadableSpan(
            name=span.name,
            context=span.context,
            parent=span.parent,
            resource=span.resource,
            attributes=bounded(dict(span.attributes), span.lost_values),
            events=span._events,  # noqa: SLF001 - this module is where private names live
            links=span._links,  # noqa: SLF001 - same
            kind=span.kind,
            status=span.status,
            start_time=span.start_time,
            end_time=span.end_time,
            instrumentation_scope=span.instrumentation_scope,
        )

    @property
    def _attributes(self) -> Any:
        span: Any = self
        span.make()
        span.simple = False  # who asks may write
        return bounded(span.values, span.lost_values, immutable=span.end_time is not None)

    @_attributes.setter
    def _attributes(self, given: Any) -> None:
        span: Any = self
        span.simple = False
        span.values = dict(getattr(given, "_dict", given) or {})
        span.lost_values = getattr(given, "dropped", 0)

    @property
    def _events(self) -> Any:
        span: Any = self
        return BoundedList.from_seq(None, span.events)

    @_events.setter
    def _events(self, given: Any) -> None:
        span: Any = self
        span.happenings = [
            (event.name, event.timestamp, dict(event.attributes or {}), event.dropped_attributes) for event in given
        ]

    @property
    def _links(self) -> Any:
        span: Any = self
        return BoundedList.from_seq(None, span.links)

    @_links.setter
    def _links(self, given: Any) -> None:
        span: Any = self
        span.references = [(link.context, dict(link.attributes or {}), link.dropped_attributes) for link in given]

    @property
    def _status(self) -> Any:
        span: Any = self
        return span.status

    @_status.setter
    def _status(self, given: Any) -> None:
        span: Any = self
        span.code, span.description = given.status_code.value, given.description


def _is_tuple_of_fields() -> bool:
    """Whether a `SpanContext` is the tuple (trace id, span id, remote, flags, state, valid), which is read faster than its properties."""
    state = trace.TraceState()
    context: Any = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1), trace_state=state)
    if isinstance(context, tuple) and tuple(context) == (1, 2, True, 1, state, True) and context[4] is state:
        return True
    MISSING.append("SpanContext as a tuple")
    return False


#: Whether the fields of a `SpanContext` may be read as those of a tuple.
CONTEXT_IS_TUPLE: bool = _is_tuple_of_fields()


_ViewInstrumentMatch: Any = _require(_view_instrument_match, "_ViewInstrumentMatch")

#: What a reader of the SDK has of one instrument; object where the SDK keeps it otherwise.
ViewInstrumentMatch: Any = _ViewInstrumentMatch or object

_KINDS: dict[Any, str] = {
    _require(aggregation, "_SumAggregation"): "sum",
    _require(aggregation, "_LastValueAggregation"): "last",
    _require(aggregation, "_ExplicitBucketHistogramAggregation"): "histogram",
}
_default_reservoirs = _require(view, "_default_reservoir_factory")
_require(_MetricReaderStorage, "_get_or_init_view_instrument_match")
_require(_MetricReaderStorage, "_new_view_instrument_match")
_require(sdk_metrics.Meter, "_set_meter_config")
_require(sdk_metrics.Counter, "_is_enabled")


@dataclass(frozen=True, slots=True)
class Stream:
    """How a reader wants the amounts of an instrument.

    Attributes:
        kind: sum, last or histogram.
        bounds: of the buckets of a histogram.
        min_max: whether the least and the largest are kept.
        limit: most series.
        delta: whether each collection begins anew.
    """

    kind: str
    bounds: tuple[float, ...]
    min_max: bool
    limit: int
    delta: bool


def stream_of(match: Any) -> Stream | None:
    """The stream of a `ViewInstrumentMatch`; None where it is more than adding up whole sets of attributes."""
    try:
        chosen, made = match._view, match._aggregation  # noqa: SLF001 - this module is where private names live
        kind = _KINDS.get(type(made))
        if kind is None or chosen._attribute_keys is not None:  # noqa: SLF001 - same
            return None
        if chosen._exemplar_reservoir_factory is not _default_reservoirs:  # noqa: SLF001 - same
            return None
        return Stream(
            kind,
            tuple(getattr(made, "_boundaries", ())),
            getattr(made, "_record_min_max", True),
            match._cardinality_limit,  # noqa: SLF001 - same
            match._reset_on_collect,  # noqa: SLF001 - same
        )
    except AttributeError as error:  # another version of the SDK; it goes on by itself
        guard.record("compat.stream", error)
        return None


class _TabledStorage(_MetricReaderStorage or object):  # type: ignore[misc]  # same
    """The SDK's storage of a reader; ``adopt`` may put another match in the place of each that the SDK makes."""

    adopt: Any

    def _new_view_instrument_match(self, view: Any, instrument: Any) -> Any:
        return self.adopt(super()._new_view_instrument_match(view, instrument), instrument)


def adopt_matches(provider: Any, adopting: Callable[[Any], Callable[[Any, Any], Any]]) -> None:
    """Let each `ViewInstrumentMatch` that a meter provider makes from now on be adopted.

    Args:
        provider: of the SDK.
        adopting: called with a reader; returns what is called with match and instrument, and returns a match.
    """
    storages = getattr(getattr(provider, "_measurement_consumer", None), "_reader_storages", {})
    if _MetricReaderStorage is None or _ViewInstrumentMatch is None or not isinstance(storages, dict):
        return
    for reader, storage in storages.items():
        if type(storage) is _MetricReaderStorage:
            storage.adopt = adopting(reader)
            storage.__class__ = _TabledStorage


def matches_of(instrument: Any) -> list[Any]:
    """What all readers have of an instrument; nothing where the SDK does not tell."""
    found: list[Any] = []
    storages = getattr(getattr(instrument, "_measurement_consumer", None), "_reader_storages", {})
    for storage in storages.values():
        if type(storage) is not _TabledStorage:
            return []
        found += storage._get_or_init_view_instrument_match(instrument)  # noqa: SLF001 - this module is where private names live
    return found


def is_recording(instrument: Any) -> bool:
    """Whether the meter of an instrument is known to be enabled."""
    is_enabled = getattr(instrument, "_is_enabled", None)
    return is_enabled is not None and bool(is_enabled())


def instruments_of(provider: Any) -> list[Any]:
    """The instruments that a meter provider of the SDK has made so far."""
    meters = list(getattr(provider, "_meters", {}).values())
    return [each for meter in meters for each in list(getattr(meter, "_instrument_id_instrument", {}).values())]


def exemplar_filter(instrument: Any) -> Any:
    """The exemplar filter for what an instrument of the SDK records; None where it is not to be found."""
    consumer = getattr(instrument, "_measurement_consumer", None)
    return getattr(getattr(consumer, "_sdk_config", None), "exemplar_filter", None)


class ConfiguredMeter(sdk_metrics.Meter):
    """The SDK's meter, which tells when it is switched on or off."""

    def reconfigured(self, instruments: list[Any]) -> None:
        """These instruments may have to do something else from now on."""

    def _set_meter_config(self, meter_config: Any) -> None:
        super()._set_meter_config(meter_config)
        self.reconfigured(list(getattr(self, "_instrument_id_instrument", {}).values()))


#: Under which a context tells that its telemetry is not wanted.
SUPPRESSION_KEY: str = _SUPPRESS_INSTRUMENTATION_KEY


class LoggerNames(sdk_logs.Logger):
    """The SDK's private names of a logger's fields for `aumos_otel.providers.logger.Logger`."""

    active: bool
    measures: bool
    processor: Any

    def adopt(self) -> tuple[sdk_logs.LogRecordLimits, Resource, InstrumentationScope] | None:
        """Read the fields of a logger that the SDK has made; returns its limits, resource and scope.

        None where this SDK keeps them otherwise.
        """
        try:
            self.active = self._logger_config.is_enabled
            self.measures = type(self._logger_metrics).__name__ != "NoOpLoggerMetrics"
            self.processor = self._multi_log_record_processor
            return self._log_record_limits, self._resource, self._instrumentation_scope
        except AttributeError as error:
            name = f"Logger.{error.name}"
            MISSING.extend({name}.difference(MISSING))
            return None

    def spoken_by(self, resource: Resource, scope: InstrumentationScope) -> None:
        """This is who speaks from now on."""

    def _set_logger_config(self, logger_config: Any) -> None:
        super()._set_logger_config(logger_config)
        self.active = logger_config.is_enabled

    def _set_resource(self, resource: Resource) -> None:
        super()._set_resource(resource)
        self.spoken_by(resource, self._instrumentation_scope)


#: Keys under which a context says that HTTP calls are not to be instrumented.
_SUPPRESS: str = _require(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY") or ""
_SUPPRESS_HTTP: str = _require(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY") or ""
_SUPPRESS_OF_OLD: str = "suppress_instrumentation"


def http_suppressed(context: otel_context.Context) -> bool:
    """Whether calls over HTTP are not to be instrumented in ``context``."""
    return bool(context.get(_SUPPRESS) or context.get(_SUPPRESS_HTTP) or context.get(_SUPPRESS_OF_OLD))


def running_threads() -> set[int]:
    """The numbers of all threads that may be running Python code; `threading.enumerate` lacks those that are ending."""
    return set(sys._current_frames())  # noqa: SLF001 - documented
