"""Samplers that decide about roots: a share, a share by route, so many per second."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult, TraceIdRatioBased
from opentelemetry.trace import get_current_span

from aumos_otel._internal import forking, globs, probability
from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.trace import TraceState
    from opentelemetry.util.types import Attributes


class ConsistentRatio(TraceIdRatioBased):
    """A share of all traces, by their random value; the threshold is written into the trace state.

    The SDK's own decides by the other end of the trace id and tells nobody, so that nothing
    behind it can know how many traces each one stands for.
    """

    def __init__(self, rate: float) -> None:
        super().__init__(rate)
        self._threshold = probability.threshold(rate)
        self._of_a_root = probability.with_threshold(None, self._threshold)

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,  # noqa: ARG002 - the SDK's signature
        kind: Any = None,  # noqa: ARG002 - same
        attributes: Attributes = None,
        *_args: Any,
        **_kwargs: Any,
    ) -> SamplingResult:
        """Decide on a new span."""
        state = _state(parent_context)
        if probability.randomness(trace_id, state) < self._threshold:
            return SamplingResult(Decision.DROP, None, state)
        state = probability.with_threshold(state, self._threshold) if state else self._of_a_root
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes, state)


class ByRoute(Sampler):
    """A sampler for each pattern of route, path or span name; the first that matches decides.

    Args:
        routes: patterns as in `aumos_otel._internal.globs`, in the order in which they are tried.
        other: decides where none matches.
    """

    def __init__(self, routes: Mapping[str, Sampler], other: Sampler) -> None:
        self._routes = [(globs.compiled(pattern), sampler) for pattern, sampler in routes.items()]
        self._other = other
        described = ",".join(f"{pattern}:{sampler.get_description()}" for pattern, sampler in routes.items())
        self._description = f"ByRoute{{{described},other:{other.get_description()}}}"

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
        chosen = self._choose(name, attributes or {})
        return chosen.should_sample(parent_context, trace_id, name, kind, attributes, *args, **kwargs)

    def _choose(self, name: str, attributes: Mapping[str, Any]) -> Sampler:
        known = [text for text in (attributes.get(names.HTTP_ROUTE), attributes.get(names.URL_PATH), name) if text]
        for pattern, sampler in self._routes:
            if any(isinstance(text, str) and pattern.fullmatch(text) for text in known):
                return sampler
        return self._other

    def get_description(self) -> str:
        """The patterns and their samplers."""
        return self._description


class RateLimit(Sampler):
    """Lets so many of the traces through that another sampler keeps; in bursts of up to one second's worth.

    How many traces one of them stands for cannot be told, so the threshold is taken out of the
    trace state.

    Args:
        inner: decides first.
        rate: traces per second and process.
    """

    def __init__(self, inner: Sampler, rate: float) -> None:
        self._inner = inner
        self._rate = rate
        self._room = max(1.0, rate) if rate else 0.0
        self._tokens = self._filled = 0.0
        self._start_over()
        forking.in_child(self._start_over)

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        """Decide on a new span."""
        result = self._inner.should_sample(*args, **kwargs)
        if result.decision is not Decision.RECORD_AND_SAMPLE:
            return result
        state = probability.with_threshold(result.trace_state, None)
        if self._take():
            return SamplingResult(result.decision, result.attributes, state)
        return SamplingResult(Decision.DROP, None, state)

    def _take(self) -> bool:
        with self._lock:
            now = time.monotonic()
            self._tokens = min(self._room, self._tokens + (now - self._filled) * self._rate)
            self._filled = now
            if self._tokens < 1.0:
                return False
            self._tokens -= 1.0
            return True

    def _start_over(self) -> None:
        self._lock = threading.RLock()  # a signal handler may start a span while its thread is in here
        self._tokens = self._room
        self._filled = time.monotonic()

    def get_description(self) -> str:
        """The rate, and the sampler inside."""
        return f"RateLimit{{{self._rate:g}/s,{self._inner.get_description()}}}"


def _state(parent_context: Any) -> TraceState | None:
    parent = get_current_span(parent_context).get_span_context()
    return parent.trace_state if parent.is_valid else None
