"""The tracer provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanLimits, SpanProcessor, TracerProvider

from aumos_otel import _compat
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.processors.spans import IdentityProcessor, NestedUsageProcessor
from aumos_otel.providers.sampler import PausableSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler

    from aumos_otel._internal.quantities import Quantities

logger = logging.getLogger("aumos_otel")


def build(
    resource: Resource,
    sampler: Sampler,
    exporting: Sequence[SpanProcessor],
    extra: Sequence[SpanProcessor],
    *,
    environ: Mapping[str, str],
    quantities: Quantities,
    paused: Callable[[], bool],
) -> TracerProvider:
    """A tracer provider: our processors first, the user's next, export last."""
    provider = TracerProvider(
        sampler=PausableSampler(sampler, paused),
        resource=resource,
        shutdown_on_exit=False,
        id_generator=_id_generator(environ),
        span_limits=_limits(quantities),
        **_compat.tracer_configurator(environ),
    )
    _compat.enable(provider)
    attach(provider, exporting, extra)
    return provider


def attach(provider: TracerProvider, exporting: Sequence[SpanProcessor], extra: Sequence[SpanProcessor]) -> None:
    """Add our processors to a provider, also to one that somebody else made."""
    for processor in (IdentityProcessor(), NestedUsageProcessor(), *extra, *exporting):
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
    generator: IdGenerator = load_entry_point("opentelemetry_id_generator", name, "OTEL_PYTHON_ID_GENERATOR")()
    return generator
