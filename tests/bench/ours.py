"""Finished spans of ours for the benches of delivery: what the tracer makes, without the tracer."""

from __future__ import annotations

import random
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, TraceFlags, TraceState

from aumos_otel.recording.limits import Limits
from aumos_otel.recording.span import Span

_SAMPLED, _NO_STATE = TraceFlags(1), TraceState()


class Recorder:
    """Stands where the tracer does."""

    limits = Limits.of(SpanLimits())
    resource = Resource({"service.name": "bench"})
    scope = InstrumentationScope("bench", "1")
    endings = ends = ()

    @property
    def processors(self) -> Recorder:
        """Nobody is told of an end."""
        return self


def finished(count: int, attributes: dict[str, Any], *, fresh: bool = False, error: BaseException | None = None) -> Any:
    """Spans with a parent; with ``fresh`` each has an id of its own, with ``error`` each tells of it."""
    recorder, spans = Recorder(), []
    for _ in range(count):
        trace_id = random.getrandbits(128)
        parent, context = (SpanContext(trace_id, random.getrandbits(64), False, _SAMPLED, _NO_STATE) for _ in range(2))
        own = attributes | {"request.id": f"request-{random.getrandbits(64)}"} if fresh else attributes
        span = Span(recorder, "work", SpanKind.INTERNAL, context, parent, None, True, own, None)
        if error is not None:
            span.fail(error, record=True, status=True)
        span.end()
        spans.append(span)
    return spans
