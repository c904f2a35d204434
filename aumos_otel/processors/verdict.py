"""Whether a trace is worth keeping, and what a kept span says of those that were not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, StatusCode

from aumos_otel._internal import globs, probability
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import TraceState

    from aumos_otel.config import TailSampling

_NANOSECONDS: Final = 1e9


class Conditions:
    """The conditions under which a trace is kept whatever chance says: one of its spans meets one of them.

    Args:
        options: resolved.
    """

    def __init__(self, options: TailSampling) -> None:
        self._errors = options.errors
        above = (
            (attributes.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK, options.first_chunk_above),
            (attributes.GEN_AI_USAGE_COST, options.cost_above),
        )
        self._above = [(name, limit) for name, limit in above if limit is not None]
        self._longest = None if options.duration_above is None else options.duration_above * _NANOSECONDS
        self._tenants = frozenset(options.tenants)
        self._routes = [globs.compiled(pattern) for pattern in options.routes]

    def met(self, span: ReadableSpan) -> bool:
        """Whether ``span`` meets one."""
        if self._errors and span.status.status_code is StatusCode.ERROR:
            return True
        if self._longest is not None and (span.end_time or 0) - (span.start_time or 0) > self._longest:
            return True
        known: Mapping[str, Any] = span.attributes or {}
        return (
            (bool(self._tenants) and known.get(attributes.AUMOS_TENANT_ID) in self._tenants)
            or any(_exceeds(known.get(name), limit) for name, limit in self._above)
            or (bool(self._routes) and self._is_on_route(span.name, known))
        )

    def _is_on_route(self, name: str, known: Mapping[str, Any]) -> bool:
        texts = (known.get(attributes.HTTP_ROUTE), known.get(attributes.URL_PATH), name)
        return any(pattern.fullmatch(text) for pattern in self._routes for text in texts if isinstance(text, str))


class Share:
    """A share of the traces, the same ones in every service that keeps the same share.

    Where a sampler in front has written its threshold into the trace state, the share is taken of
    what that one kept, by the same random value; else by one that is independent of it.
    """

    def __init__(self, ratio: float) -> None:
        self._ratio = ratio
        self._threshold = probability.threshold(ratio)

    def takes(self, context: SpanContext) -> bool:
        """Whether the trace is among them."""
        before = probability.threshold_of(context.trace_state)
        if before is None:
            return probability.scattered(context.trace_id) >= self._threshold
        return probability.randomness(context.trace_id, context.trace_state) >= self._after(before)

    def weighted(self, span: ReadableSpan, *, by_chance: bool) -> ReadableSpan:
        """``span`` with how many it stands for; ``by_chance`` when it was kept as one of the share."""
        context = span.context
        state: TraceState | None = None if context is None else context.trace_state
        before = probability.threshold_of(state)
        if before is None:
            return Weighted(span, 1 / self._ratio if by_chance else 1.0, context)
        if not by_chance or context is None:
            return Weighted(span, 1 / probability.probability(before), context)
        after = self._after(before)
        known = SpanContext(
            context.trace_id,
            context.span_id,
            context.is_remote,
            context.trace_flags,
            probability.with_threshold(state, after),
        )
        return Weighted(span, 1 / probability.probability(after), known)

    def _after(self, before: int) -> int:
        return probability.threshold(probability.probability(before) * self._ratio)


class Weighted(ReadableSpan):
    """A finished span that says how many it stands for; everything else is that of the original."""

    def __init__(self, original: ReadableSpan, count: float, context: SpanContext | None) -> None:
        super().__init__(
            name=original.name,
            context=context,
            parent=original.parent,
            resource=original.resource,
            attributes={**(original.attributes or {}), attributes.AUMOS_SAMPLING_ADJUSTED_COUNT: count},
            events=original.events,
            links=original.links,
            kind=original.kind,
            status=original.status,
            start_time=original.start_time,
            end_time=original.end_time,
            instrumentation_scope=original.instrumentation_scope,
        )
        self._original = original

    @property
    def dropped_attributes(self) -> int:
        """Attributes that were over the limit."""
        return self._original.dropped_attributes

    @property
    def dropped_events(self) -> int:
        """Events that were over the limit."""
        return self._original.dropped_events

    @property
    def dropped_links(self) -> int:
        """Links that were over the limit."""
        return self._original.dropped_links


def _exceeds(value: object, limit: float) -> bool:
    return isinstance(value, (int, float)) and value > limit
