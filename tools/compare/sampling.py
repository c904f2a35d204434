"""Row 15: what a span processor, such as one that computes an SLI, sees under sampling."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import Finding, say
from opentelemetry import trace

if TYPE_CHECKING:
    from lab import Lab
    from sides import Side

SPANS = 2000


def count_ends(side: Side) -> None:
    """Scenario: a processor that counts, at a ratio of 0.1."""
    from opentelemetry.sdk.trace import SpanProcessor

    class Counting(SpanProcessor):
        seen = 0

        def on_end(self, _span: Any) -> None:
            self.seen += 1

    counting = Counting()
    side.start(processors=[counting], ratio=0.1)
    tracer = trace.get_tracer("compare")
    for _ in range(SPANS):
        tracer.start_span("work").end()
    side.flush(5)
    say(seen=counting.seen)


def seen(lab: Lab) -> Finding:
    """Row 15: spans seen by the processor, spans exported."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        count = lab.run("sampling:count_ends", sink.url).report["seen"]
        exported = sink.tally("traces").distinct
    return Finding(f"{count} of {SPANS} seen, {exported} exported", count == SPANS and exported < SPANS / 2)
