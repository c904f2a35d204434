"""The tracer provider."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

from aumos_otel import _compat
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.processors.spans import IdentityProcessor, NestedUsageProcessor
from aumos_otel.providers.sampler import PausableSampler

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.id_generator import IdGenerator
    from opentelemetry.sdk.trace.sampling import Sampler

logger = logging.getLogger("aumos_otel")


def build(
    resource: Resource,
    sampler: Sampler,
    exporting: Sequence[SpanProcessor],
    extra: Sequence[SpanProcessor],
    *,
    environ: Mapping[str, str],
    paused: Callable[[], bool],
) -> TracerProvider:
    """A tracer provider: our processors first, the user's next, export last."""
    provider = TracerProvider(
        sampler=PausableSampler(sampler, paused),
        resource=resource,
        shutdown_on_exit=False,
        id_generator=_id_generator(environ),
        **_compat.tracer_configurator(environ),
    )
    attach(provider, exporting, extra)
    return provider


def attach(provider: TracerProvider, exporting: Sequence[SpanProcessor], extra: Sequence[SpanProcessor]) -> None:
    """Add our processors to a provider, also to one that somebody else made."""
    for processor in (IdentityProcessor(), NestedUsageProcessor(), *extra, *exporting):
        provider.add_span_processor(processor)


def _id_generator(environ: Mapping[str, str]) -> IdGenerator | None:
    name = environ.get("OTEL_PYTHON_ID_GENERATOR", "").strip()
    if not name or name == "random":
        return None
    generator: IdGenerator = load_entry_point("opentelemetry_id_generator", name, "OTEL_PYTHON_ID_GENERATOR")()
    return generator
