"""Private names of the SDK's spans, tracers and samplers."""

from __future__ import annotations

import operator
import sys
from functools import partial
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk import resources as sdk_resources
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.sdk.util import BoundedList
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from aumos_otel._compat import required
from aumos_otel._compat.required import require

if TYPE_CHECKING:
    from collections.abc import Mapping


#: The class of every span that a tracer of the SDK makes.
RecordedSpan: Any = require(sdk_trace, "_Span") or sdk_trace.Span

#: The code of the API's `use_span`, which makes a text of the exception by itself.
_use_span_code: Any = require(getattr(trace.use_span, "__wrapped__", trace.use_span), "__code__")


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
    required.MISSING.append("ReadableSpan._attributes._dict")
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


def _field(name: str, written: str | None = None) -> Any:
    """A property that reads one attribute, and writes it or another one."""
    read = operator.attrgetter(name)
    return property(read, lambda self, value: setattr(self, written or name, value))


def _new_span_context() -> Any:
    """Makes a valid `SpanContext` of (trace id, span id, False, flags, trace state, True), without looking at it again."""
    made = tuple.__new__(trace.SpanContext, (1, 2, False, trace.TraceFlags(1), trace.TraceState(), True))
    if made == trace.SpanContext(
        1, 2, is_remote=False, trace_flags=trace.TraceFlags(1), trace_state=trace.TraceState()
    ):
        return partial(tuple.__new__, trace.SpanContext)
    required.MISSING.append("SpanContext.__new__")
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
    _instrumentation_info = _field("recorder.instrumentation_info")

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
    required.MISSING.append("SpanContext as a tuple")
    return False


#: Whether the fields of a `SpanContext` may be read as those of a tuple.
CONTEXT_IS_TUPLE: bool = _is_tuple_of_fields()
