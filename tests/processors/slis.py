"""SLIs whose predicates are Python, so that a test may let one do anything."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from opentelemetry.sdk.trace import Span, TracerProvider
from opentelemetry.trace import SpanKind, StatusCode

from aumos_otel.processors.sli import SliCounter, SliProcessor


@dataclass(frozen=True)
class Demand:
    """What an SLI demands of each of its events, as `aumos_otel.slo.sli` tells it."""

    kinds: frozenset[str] | None = None
    names: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    attributes: Mapping[str, frozenset[object] | None] = field(default_factory=dict)


@dataclass(frozen=True)
class PythonSli:
    """An SLI of two functions."""

    name: str
    match: Callable[[Any], bool] = lambda facts: True
    good: Callable[[Any], bool] = lambda facts: facts.status != "error"
    discriminator: Demand = Demand()

    def verdict(self, facts: Any) -> bool | None:
        """Whether an event is good; None: it is none."""
        return self.good(facts) if self.match(facts) else None


def counting(counter: SliCounter, **options: Any) -> TracerProvider:
    """A provider whose spans are counted."""
    provider = TracerProvider(shutdown_on_exit=False, **options)
    provider.add_span_processor(SliProcessor(counter))
    return provider


def end(
    provider: TracerProvider,
    name: str = "work",
    *,
    error: bool = False,
    kind: SpanKind = SpanKind.INTERNAL,
    scope: str = "tests",
    tenant: str | None = None,
    **attributes: Any,
) -> Span:
    """A span that has ended."""
    if tenant is not None:
        attributes["aumos.tenant.id"] = tenant
    span: Any = provider.get_tracer(scope).start_span(name, kind=kind, attributes=attributes)
    if error:
        span.set_status(StatusCode.ERROR)
    span.end()
    return span
