"""More traces while an objective burns: of what it is about, and only so many.

How many traces a kept one stands for stays known wherever the sampler inside is a share.  Whether there is
room is asked before the trace's random value decides, so that each root is kept by one of two thresholds, and
which of them does not depend on its own value: with room by the boost's, without by the share's.  It is the
one that is written into the trace state, for the roots that the share alone would have kept as well, and sums
of 1 / probability stay right on average.  Around another sampler a boosted root says nothing, as with `RateLimit`.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any, Final, Protocol

from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    Sampler,
    SamplingResult,
)
from opentelemetry.trace import SpanKind, get_current_span

from aumos_otel import guard
from aumos_otel._internal import probability
from aumos_otel.providers.roots import ConsistentRatio, RateLimit

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.util.types import Attributes

    from aumos_otel.slo.sli import Sli

_SITE: Final = "providers.boost"
_KINDS: Final = {kind: kind.name.lower() for kind in SpanKind}
_SETTLED: Final = (ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, DEFAULT_OFF)

#: Boosted traces that are remembered, so that their later spans are kept.
_REMEMBERED: Final = 4096


class Burning(Protocol):
    """Who knows what burns."""

    @property
    def burning(self) -> tuple[Sli, ...]:
        """The SLIs of the objectives that burn just now."""


class Boost:
    """Wraps the samplers of a process, which share one bound.

    Args:
        watch: who knows what burns.
        share: share of the roots that is kept while something burns, 0 to 1.
        rate: roots per second and process that may be kept because of it.
    """

    def __init__(self, watch: Burning, share: float, rate: float) -> None:
        self._watch = watch
        self._share = share
        self._limit = RateLimit(ConsistentRatio(share), rate)

    def ratio(self, ratio: float, *, roots_only: bool = True) -> Sampler:
        """A share of the roots, boosted; ``roots_only`` when it is never asked about a span with a parent."""
        inner = ConsistentRatio(ratio)
        if ratio >= self._share:
            return inner
        return BurnBoost(
            inner, self._watch, self._limit, threshold=probability.threshold(self._share), roots_only=roots_only
        )

    def around(self, sampler: Sampler) -> Sampler:
        """Another sampler, boosted; one that keeps everything or nothing stays as it is."""
        if sampler in _SETTLED:
            return sampler
        return BurnBoost(sampler, self._watch, self._limit, threshold=None, roots_only=False)


class BurnBoost(Sampler):
    """Keeps more of the roots that a burning objective may be about than the sampler inside does.

    Spans below a boosted root are kept, also where the sampler inside does not ask for parents.

    Args:
        inner: decides first.
        watch: who knows what burns.
        limit: decides on the others while something burns.
        threshold: of ``limit``, where ``inner`` is a smaller share by the same random value; else None.
        roots_only: whether this sampler is never asked about spans with a parent.
    """

    def __init__(
        self, inner: Sampler, watch: Burning, limit: Sampler, *, threshold: int | None, roots_only: bool
    ) -> None:
        self._inner = inner
        self._watch = watch
        self._limit = limit
        self._threshold = threshold
        self._roots_only = roots_only
        self._kept: dict[int, None] = {}

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Attributes = None,
        *args: Any,
        **kwargs: Any,
    ) -> SamplingResult:
        """Decide on a new span."""
        result = self._inner.should_sample(parent_context, trace_id, name, kind, attributes, *args, **kwargs)
        burning = self._watch.burning
        if not burning and not self._kept:
            return result
        with guard.swallow(_SITE):
            return self._raised(result, burning, parent_context, trace_id, name, kind, attributes)
        return result

    def _raised(  # noqa: PLR0917 - what a sampler is asked about
        self,
        result: SamplingResult,
        burning: tuple[Sli, ...],
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any,
        attributes: Attributes,
    ) -> SamplingResult:
        parent = None if self._roots_only else get_current_span(parent_context).get_span_context()
        if parent is not None and parent.is_valid:
            follows = parent.trace_id in self._kept and parent.trace_flags.sampled and not parent.is_remote
            return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, parent.trace_state) if follows else result
        if self._threshold is None and result.decision is Decision.RECORD_AND_SAMPLE:
            return result
        if not _concerns(burning, kind, attributes or {}):
            return result
        boosted = self._limit.should_sample(parent_context, trace_id, name, kind, attributes)
        if boosted.decision is not Decision.RECORD_AND_SAMPLE:
            return result
        if not self._roots_only:
            self._remember(trace_id)
        if self._threshold is None:
            return boosted
        state = probability.with_threshold(boosted.trace_state, self._threshold)
        return SamplingResult(boosted.decision, boosted.attributes, state)

    def _remember(self, trace_id: int) -> None:
        self._kept[trace_id] = None
        if len(self._kept) > _REMEMBERED:
            with contextlib.suppress(StopIteration, RuntimeError, KeyError):  # another thread does the same
                del self._kept[next(iter(self._kept))]

    def get_description(self) -> str:
        """What decides while something burns, and the sampler inside."""
        return f"BurnBoost{{{self._limit.get_description()},{self._inner.get_description()}}}"


def _concerns(burning: tuple[Sli, ...], kind: Any, attributes: Mapping[str, Any]) -> bool:
    """Whether the span may be an event of one of them; its name may change until it ends."""
    word = _KINDS.get(kind, "internal")
    return any(sli.may_match(word, None, None, attributes) for sli in burning)
