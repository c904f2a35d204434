"""Rows 2, 3 and 11: what one bad record takes with it, and what a burst leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from lab import Finding, say
from opentelemetry import _logs, metrics, trace
from opentelemetry.trace import Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab import Lab
    from sides import Side

BATCH_MATES = 9
BURST = 100_000
LONE = "\ud800"


def bad_spans(tracer: Any) -> dict[str, Callable[[], None]]:
    """Ways to make a span that protobuf cannot take, by name."""

    def bad_status() -> None:
        span = tracer.start_span("bad")
        span.set_status(Status(StatusCode.ERROR, LONE))
        span.end()

    def bad_event() -> None:
        span = tracer.start_span("bad")
        span.add_event(LONE)
        span.end()

    return {
        "span name": lambda: tracer.start_span(LONE).end(),
        "name of another type": lambda: tracer.start_span(7).end(),
        "negative time": lambda: tracer.start_span("bad", start_time=-1).end(),
        "status": bad_status,
        "event name": bad_event,
    }


def bad_logs(logger: Any) -> dict[str, Callable[[], None]]:
    """The same for log records, by what is in their body."""
    cycle: dict[str, Any] = {}
    cycle["self"] = cycle
    bodies = {"surrogate": LONE, "huge number": 2**70, "object": object(), "set": {1}, "cycle": cycle}
    return {name: lambda body=body: logger.emit(body=body) for name, body in bodies.items()}  # type: ignore[misc]  # a default argument binds the value


def one_bad_among_nine(side: Side) -> None:
    """Scenario: for each way to be bad, nine good records and that one, in one batch."""
    side.start()
    tracer, logger = trace.get_tracer("compare"), _logs.get_logger("compare")
    ways = bad_spans(tracer)
    raised = []
    for way, spoil in (ways | bad_logs(logger)).items():
        for number in range(BATCH_MATES):
            if way in ways:
                tracer.start_span(f"{way} {number}").end()
            else:
                logger.emit(body=f"{way} {number}")
        try:
            spoil()
        except Exception as error:  # noqa: BLE001 - that, too, is a result
            raised.append(f"{way}: {type(error).__name__}")
        side.flush(5)
    good = [f"{way} {number}" for way in (ways | bad_logs(logger)) for number in range(BATCH_MATES)]
    say(good=good, kinds=len(good) // BATCH_MATES, raised=raised)


def bad_records(lab: Lab) -> Finding:
    """Row 2: how many of the good records arrive."""
    from aumos_otel.testing import OTLPSink
    from aumos_otel.testing.records import value

    with OTLPSink() as sink:
        report = lab.run("damage:one_bad_among_nine", sink.url).report
        names = {span.name for span in sink.spans()} | {str(value(log.body)) for log in sink.logs()}
    good = set(report["good"])
    raised = f", raised: {'; '.join(report['raised'])}" if report["raised"] else ""
    text = f"{len(good & names)} of {len(good)} good records ({report['kinds']} kinds of bad){raised}"
    return Finding(text, good <= names and not raised)


def two_counters(side: Side) -> None:
    """Scenario: a counter too large for the wire beside a good one."""
    side.start()
    meter = metrics.get_meter("compare")
    meter.create_counter("huge").add(2**63)
    meter.create_counter("orders").add(1)
    try:
        flushed = side.flush(5)
    except Exception:  # noqa: BLE001 - it says that it failed
        flushed = False
    say(flushed=flushed)


def huge_counter(lab: Lab) -> Finding:
    """Row 3: whether the good counter arrives, and what the flush says."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        flushed = lab.run("damage:two_counters", sink.url).report["flushed"]
        arrived = "orders" in sink.metrics()
    return Finding(f"the other counter {'arrives' if arrived else 'is lost'}, flush returns {flushed}", arrived)


def many_spans(side: Side) -> None:
    """Scenario: a burst from one thread, then time to send."""
    side.start()
    tracer = trace.get_tracer("compare")
    for number in range(BURST):
        with tracer.start_as_current_span("work") as span:
            span.set_attribute("number", number)
    side.flush(60)
    side.stop()
    say(lost=side.lost())


def burst(lab: Lab) -> Finding:
    """Row 11: what arrives, and whether the rest is accounted for."""
    from aumos_otel.testing import OTLPSink, Reply

    with OTLPSink(light=True) as sink:
        sink.reply = Reply(delay=0.05)
        lost = lab.run("damage:many_spans", sink.url).report["lost"]
        arrived = sink.tally("traces").distinct
    books = "no books" if lost is None else f"{lost} counted as lost"
    return Finding(f"{arrived} arrived, {books}", arrived == BURST)
