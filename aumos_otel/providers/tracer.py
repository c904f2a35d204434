"""The tracer provider: the SDK's, with everything that is not ours behind a guard."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry import trace
from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, Tracer, TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator

from aumos_otel import _compat, guard
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel._internal.plain import plain_attributes
from aumos_otel.processors.adoption import AdoptionProcessor
from aumos_otel.processors.border import BorderProcessor
from aumos_otel.processors.foreign import SpanProcessors, guarded_span_processor
from aumos_otel.processors.spans import IdentityProcessor, NestedUsageProcessor
from aumos_otel.providers.sampler import PausableSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.sampling import Sampler
    from opentelemetry.util.types import Attributes

    from aumos_otel._internal.quantities import Quantities
    from aumos_otel.processors.border import Border

logger = logging.getLogger("aumos_otel")


class GuardedTracer(Tracer):
    """The SDK's tracer; what fails as a span starts costs that span, not the user's call."""

    def start_span(  # noqa: PLR0917 - the API's signature
        self,
        name: str,
        context: Context | None = None,
        kind: trace.SpanKind = trace.SpanKind.INTERNAL,
        attributes: Attributes = None,
        links: Sequence[trace.Link] | None = (),
        start_time: int | None = None,
        record_exception: bool = True,  # noqa: FBT001, FBT002 - the API's signature
        set_status_on_exception: bool = True,  # noqa: FBT001, FBT002 - same
    ) -> trace.Span:
        """Start a span; where the sampler or the SDK fails, one that is not recorded."""
        with guard.shield("providers.tracer.start_span"):
            plain = plain_attributes(attributes)
            return super().start_span(
                name, context, kind, plain, links, start_time, record_exception, set_status_on_exception
            )
        with guard.shield("providers.tracer.start_span"):
            return trace.NonRecordingSpan(trace.get_current_span(context).get_span_context())
        return trace.INVALID_SPAN


class GuardedTracerProvider(TracerProvider):
    """The SDK's provider; its tracers are `GuardedTracer`."""

    def get_tracer(
        self,
        instrumenting_module_name: str,
        instrumenting_library_version: str | None = None,
        schema_url: str | None = None,
        attributes: Attributes = None,
    ) -> trace.Tracer:
        """The tracer of an instrumentation scope."""
        tracer = super().get_tracer(instrumenting_module_name, instrumenting_library_version, schema_url, attributes)
        if type(tracer) is Tracer:
            tracer.__class__ = GuardedTracer
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
    provider = GuardedTracerProvider(
        active_span_processor=SpanProcessors(),  # type: ignore[no-untyped-call]  # the SDK left it untyped
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
