"""The tracer provider: the SDK's, whose tracers make spans of ours; everything that is not ours is behind a guard."""

from __future__ import annotations

import logging
from random import getrandbits
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace import Tracer as SdkTracer
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision
from opentelemetry.trace import SpanKind, TraceFlags, TraceState

from aumos_otel import _compat, guard
from aumos_otel._internal import ambient
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.processors.adoption import AdoptionProcessor
from aumos_otel.processors.border import BorderProcessor
from aumos_otel.processors.foreign import SpanProcessors, guarded_span_processor
from aumos_otel.processors.spans import IdentityProcessor, NestedUsageProcessor
from aumos_otel.providers.sampler import PausableSampler
from aumos_otel.providers.scope import Scope
from aumos_otel.recording.limits import Limits
from aumos_otel.recording.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.util.types import Attributes

    from aumos_otel._internal.quantities import Quantities
    from aumos_otel.processors.border import Border
    from aumos_otel.providers.sampler import Verdict

logger = logging.getLogger("aumos_otel")

_SITE: Final = "providers.tracer.start_span"
_FLAGS: Final = tuple(TraceFlags(bits) for bits in range(4))
_RANDOM: Final = TraceFlags.RANDOM_TRACE_ID
_NO_STATE: Final = TraceState()
_INTERNAL: Final = SpanKind.INTERNAL
_SAMPLE, _DROP = Decision.RECORD_AND_SAMPLE, Decision.DROP

#: Tracers that are found without the SDK.
_MOST_KNOWN: Final = 1024
_SPAN_KEY: Final = ambient.SPAN_KEY

_current_context = ambient.current_context
_new_span_context = _compat.new_span_context


class Tracer(_compat.TracerNames):
    """The SDK's tracer; its spans are ours, and what fails as one starts costs that span, not the user's call.

    Attributes:
        limits: of its spans.
        scope: what makes its spans.
        enabled: whether it makes any.
        processors: who is told of their start and end.
    """

    limits: Limits
    processors: Any
    _decide: Callable[..., Verdict]

    def take_over(self) -> None:
        """Become ours: the SDK's provider has made it."""
        self.limits = Limits.of(self.adopt())
        processors = self.span_processor
        self.processors = processors if isinstance(processors, SpanProcessors) else _Processors(processors)
        self._plan_sampling()

    def _plan_sampling(self) -> None:
        sampler = self._planned = self.sampler
        ours = sampler if isinstance(sampler, PausableSampler) else PausableSampler(sampler, _never, _never)
        self._decide = ours.decide
        self._switch = ours.switch
        #: Whether a child of a sampled span is sampled without anybody being asked, and a root, too.
        self._follows = ours.root is not None
        self._keeps_roots = self._follows and ours.root is ALWAYS_ON

    def start_span(  # noqa: PLR0917 - the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - same
    ) -> trace.Span:
        """Start a span; where the sampler fails, one that is not recorded."""
        try:
            span = self.begin(
                name, _current_context() if context is None else context, kind, attributes, start_time, links
            )
        except BaseException as error:  # noqa: BLE001 - control flow of the user's passes through there
            return self.instead(error, context)
        if not record_exception and type(span) is Span:
            span.record_exception_on_exit = False
        if not set_status_on_exception and type(span) is Span:
            span.set_status_on_exit = False
        return span

    def start_as_current_span(  # type: ignore[override]  # noqa: PLR0917 - the API's signature; its class is private
        self,
        name: str,
        context: Context | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - same
        end_on_exit: bool = True,  # noqa: FBT001, FBT002 - same
    ) -> Scope:
        """A block, or a function, that is a span; it starts when the block is entered."""
        return Scope(
            self,
            (
                name,
                context,
                kind,
                attributes,
                links,
                start_time,
                record_exception,
                set_status_on_exception,
                end_on_exit,
            ),
        )

    def begin(  # noqa: C901, PLR0912, PLR0917 - on the hot path: names, and a call for each step, would cost
        self,
        name: str,
        context: Context,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes = None,
        start_time: int | None = None,
        links: Sequence[trace.Link] | None = None,
    ) -> trace.Span:
        """Start a span in ``context``.

        Raises:
            BaseException: whatever a sampler, an id generator or an argument raises.
        """
        above: Any = context.get(_SPAN_KEY)
        parent: trace.SpanContext | None = None
        root = None
        if type(above) is Span:
            parent = above.context
            root = (above.aumos_local_root or above) if above.end_time is None else None
        elif above is not None:
            parent = _parent_of(above)
        if not self.enabled:
            return trace.NonRecordingSpan(parent or trace.INVALID_SPAN_CONTEXT)
        ids = self.id_generator
        at_random = type(ids) is RandomIdGenerator
        if parent is None:
            if at_random:
                trace_id, random = getrandbits(128) or 1, _RANDOM
            else:
                trace_id = ids.generate_trace_id()
                random = _RANDOM if ids.is_trace_id_random() else 0
        else:
            trace_id, random = parent[0], parent[3] & _RANDOM
        if self.sampler is not self._planned:
            self._plan_sampling()
        sampled, state = (parent[3] & 1, parent[4]) if parent is not None else (self._keeps_roots, None)
        if sampled and self._follows and not self._switch.paused:
            decision, kept = _SAMPLE, attributes
        else:
            decision, kept, state = self._decide(context, parent, trace_id, name, kind, attributes, links)
            sampled = decision is _SAMPLE
        span_id = (getrandbits(64) or 1) if at_random else ids.generate_span_id()
        identity = _new_span_context(
            (trace_id, span_id, False, _FLAGS[sampled | random], _NO_STATE if state is None else state, True)
        )
        if decision is _DROP:
            if self.measures:
                self.measure(parent, decision)
            return trace.NonRecordingSpan(identity)
        span = Span(self, name, kind, identity, parent, root, bool(sampled), kept, start_time)
        if links:
            span.refer_all(links)
        if self.measures:
            span.measured = self.measure(parent, decision)
        processors = self.processors
        if (
            processors.always_starts
            or len(context) > (above is not None)
            or (kind is not _INTERNAL and processors.kinds_start)
        ):
            processors.started(span, context)
        return span

    @staticmethod
    def instead(error: BaseException, context: Context | None) -> trace.Span:
        """A span of nobody's, since starting one has failed."""
        if guard.is_control_flow(type(error)):
            raise error
        guard.told(_SITE, error)
        with guard.shield(_SITE):
            return trace.NonRecordingSpan(trace.get_current_span(context).get_span_context())
        return trace.INVALID_SPAN


def _parent_of(above: object) -> trace.SpanContext | None:
    """The identity of a span of others; None where it has none."""
    parent = above.get_span_context() if isinstance(above, trace.Span) else None
    return parent if parent is not None and parent.is_valid else None


def _never() -> bool:
    return False


class _Processors:
    """A processor of the SDK that has others in it, where somebody gave one to the provider."""

    always_starts: Final = True
    kinds_start: Final = True

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.ends = ((inner.on_end, None),)
        ending = _compat.ending(inner)
        self.endings = () if ending is None else (ending,)

    def started(self, span: Any, context: Context) -> None:
        """``span`` has started in ``context``."""
        self._inner.on_start(span, parent_context=context)


class AumosTracerProvider(TracerProvider):
    """The SDK's provider; its tracers are ours, and its processors are guarded unless it is given them in one."""

    def __init__(
        self,
        sampler: Sampler | None = None,
        resource: Resource | None = None,
        shutdown_on_exit: bool = True,  # noqa: FBT001, FBT002 - the SDK's signature
        active_span_processor: Any = None,
        *args: Any,
        **kwargs: Any,
    ) -> None:
        processors = active_span_processor or SpanProcessors()
        super().__init__(sampler, resource, shutdown_on_exit, processors, *args, **kwargs)
        self._known: dict[tuple[Any, Any, Any], trace.Tracer] = {}

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """The tracer of an instrumentation scope.

        One that is asked for again is found without the SDK's lock: a finalizer may ask while its thread is in there.
        """
        key = (instrumenting_module_name, instrumenting_library_version, schema_url)
        known = None if attributes else self._known.get(key)
        if known is not None:
            return known
        tracer = super().get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        if type(tracer) is SdkTracer:
            tracer.__class__ = Tracer
            tracer.take_over()  # type: ignore[attr-defined]  # its class has just been changed
        if not attributes and len(self._known) < _MOST_KNOWN:
            self._known[key] = tracer
        return tracer


class _GuardedIds(IdGenerator):
    """Another package's ids; random ones where it fails."""

    def __init__(self, inner: IdGenerator) -> None:
        self._inner = inner
        self._random = RandomIdGenerator()

    def generate_span_id(self) -> int:
        with guard.shield("providers.tracer.ids"):
            return self._inner.generate_span_id()
        return self._random.generate_span_id()

    def generate_trace_id(self) -> int:
        with guard.shield("providers.tracer.ids"):
            return self._inner.generate_trace_id()
        return self._random.generate_trace_id()

    def is_trace_id_random(self) -> bool:
        with guard.shield("providers.tracer.ids"):
            return self._inner.is_trace_id_random()
        return False


def build(
    resource: Resource,
    sampler: Sampler,
    exporting: Sequence[SpanProcessor],
    extra: Sequence[SpanProcessor],
    *,
    border: Border,
    environ: Mapping[str, str],
    quantities: Quantities,
    paused: Callable[[], bool],
    on_drop: Callable[[], object],
) -> TracerProvider:
    """A tracer provider: our processors first, the user's next, export last."""
    provider = AumosTracerProvider(
        active_span_processor=SpanProcessors(),
        sampler=PausableSampler(sampler, paused, on_drop),
        resource=resource,
        shutdown_on_exit=False,
        id_generator=_id_generator(environ),
        span_limits=_limits(quantities),
        **_compat.tracer_configurator(environ),
    )
    _compat.enable(provider)
    attach(provider, exporting, extra, border)
    return provider


def attach(
    provider: TracerProvider, exporting: Sequence[SpanProcessor], extra: Sequence[SpanProcessor], border: Border
) -> None:
    """Add our processors to a provider, also to one that somebody else made."""
    _compat.survive_forks(provider)
    guarded = [guarded_span_processor(processor) for processor in extra]
    ours = (AdoptionProcessor(), BorderProcessor(border), IdentityProcessor(), NestedUsageProcessor())
    for processor in (*ours, *guarded, *exporting):
        provider.add_span_processor(processor)


def _limits(quantities: Quantities) -> SpanLimits:
    def limit(name: str) -> int:
        value = quantities[f"OTEL_{name}_LIMIT"]
        return SpanLimits.UNSET if value is None else value

    return SpanLimits(
        max_attributes=limit("ATTRIBUTE_COUNT"),
        max_attribute_length=limit("ATTRIBUTE_VALUE_LENGTH"),
        max_span_attributes=limit("SPAN_ATTRIBUTE_COUNT"),
        max_span_attribute_length=limit("SPAN_ATTRIBUTE_VALUE_LENGTH"),
        max_events=limit("SPAN_EVENT_COUNT"),
        max_links=limit("SPAN_LINK_COUNT"),
        max_event_attributes=limit("EVENT_ATTRIBUTE_COUNT"),
        max_link_attributes=limit("LINK_ATTRIBUTE_COUNT"),
    )


def _id_generator(environ: Mapping[str, str]) -> IdGenerator | None:
    name = environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip()
    if not name or name == "random":
        return None
    return _GuardedIds(load_entry_point("opentelemetry_id_generator", name, "OTEL_PYTHON_ID_GENERATOR")())
