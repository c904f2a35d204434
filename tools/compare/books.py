"""Rows 4 and 5: what a side claims was delivered, beside what the receiver took."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lab import Finding, say
from opentelemetry import trace

if TYPE_CHECKING:
    from lab import Lab
    from sides import Side

    from aumos_otel.testing import Reply


def ten_spans(side: Side) -> None:
    """Scenario: ten spans, and the books after them."""
    side.start()
    tracer = trace.get_tracer("compare")
    for number in range(10):
        tracer.start_span(str(number)).end()
    side.flush(5)
    say(claimed=side.claimed())


def claim(lab: Lab, reply: Reply) -> tuple[int | None, int]:
    """Claimed and taken spans, when each request for traces is answered like this."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink(script=lambda request: reply if request.signal == "traces" else None) as sink:
        claimed = lab.run("books:ten_spans", sink.url).report["claimed"]
        return claimed, sink.tally("traces").distinct


def refused(lab: Lab) -> Finding:
    """Row 4: all refused."""
    from aumos_otel.testing import Reply

    claimed, taken = claim(lab, Reply(400))
    return Finding("keeps no books" if claimed is None else f"claims {claimed}, taken {taken}", claimed == taken)


def redirected(lab: Lab) -> Finding:
    """Row 5: redirected, and partly refused."""
    from aumos_otel.testing import Reply

    moved, partly = claim(lab, Reply(302)), claim(lab, Reply(rejected=7, message="seven were bad"))
    if moved[0] is None:
        return Finding("keeps no books", good=False)
    text = f"302: claims {moved[0]}, taken {moved[1]}; partial: claims {partly[0]}, taken {partly[1]}"
    return Finding(text, moved[0] == moved[1] and partly[0] == partly[1])
