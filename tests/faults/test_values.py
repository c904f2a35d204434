"""Records that are huge, broken or wrong: their neighbours arrive (rows 14, 15, 16)."""

from __future__ import annotations

import logging
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import metrics, trace
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import OTLPSink
from aumos_otel.testing.records import attributes, value

from .accounts import agree, book, lost, settled, work

MIB = 1024 * 1024
#: Everything that UTF-8, protobuf or 64 bits have no room for, and some that look odd and are fine.
ODD = [
    "\ud800",
    "a\x00b",
    b"\xff\xfe",
    "\u202egnp.exe",
    2**63,
    -(2**63) - 1,
    10**5000,
    float("nan"),
    float("inf"),
    -0.0,
    object(),
    {1, 2},
    {"set": {object()}},
    None,
]


def start(sink: OTLPSink, **options: object) -> Telemetry:
    """Everything, sent to the sink."""
    return configure(destinations=[OTLP(endpoint=sink.url)], handle_signals=False, **options)


def logger_of(telemetry: Telemetry) -> logging.Logger:
    """A logger that no other handler listens to: those of the test run may not like what is logged."""
    logger = logging.Logger("tests")  # noqa: LOG001 - one that the root logger does not know
    logger.addHandler(telemetry.log_handler)
    return logger


def deep(levels: int) -> dict[str, object]:
    """A dict in a dict in a dict."""
    value: dict[str, object] = {}
    for _ in range(levels):
        value = {"in": value}
    return value


def test_huge(sink: OTLPSink) -> None:
    """Row 14: prompts of 10 MB are cut with a mark, and cost the user's thread next to nothing; their neighbours arrive."""
    telemetry = start(sink, metrics=False)
    prompt, tracer, logger = "p" * (10 * MIB), trace.get_tracer("tests"), logger_of(telemetry)
    cycle: dict[str, object] = {}
    cycle["self"] = cycle
    spent = 0.0
    for _ in range(5):
        began = time.monotonic()
        with tracer.start_as_current_span("huge") as span:
            span.set_attributes({f"number.{number}": number for number in range(200)} | {"prompt": prompt})
            logger.warning({"deep": deep(1000), "cycle": cycle, "prompt": prompt})
        spent += time.monotonic() - began
        work(20)
        assert telemetry.force_flush(20)
    assert spent / 5 < 0.1

    done, logs = book(telemetry), book(telemetry, signal="logs")
    assert (done["emitted"], done["delivered"], logs["delivered"]) == (105, 105, 5)
    agree(done, sink)
    agree(logs, sink)
    huge = [span for span in sink.spans() if span.name == "huge"]
    assert all("sha256" in attributes(span)["prompt"] for span in huge)
    assert sum(len(request.content) for request in sink.kept()) < 5 * MIB


def test_more_huge_ones_than_there_is_room_for(sink: OTLPSink) -> None:
    """Row 14: a hundred of them at once do not fit into the queue: what does not is counted, to the record."""
    telemetry = start(sink, metrics=False, logs=False)
    prompt = "p" * (10 * MIB)
    for _ in range(100):
        trace.get_tracer("tests").start_span("huge", attributes={"prompt": prompt}).end()

    telemetry.force_flush(20)

    done = settled(telemetry, lambda now: not now["queued"])
    assert done["emitted"] == 100
    assert set(done["dropped"]) <= {"queue_bytes"}
    assert done["delivered"] > 0
    agree(done, sink)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: type(odd).__name__)
def test_odd_values(odd: object, sink: OTLPSink) -> None:
    """Row 15: one odd value, everywhere where there is room for one; everything else arrives as it was."""
    telemetry = start(sink)
    tracer, logger = trace.get_tracer("tests"), logger_of(telemetry)
    work(50)
    span = tracer.start_span(odd, attributes={"odd": odd, "fine": 1})
    span.add_event(odd, {"odd": odd})
    span.set_status(trace.StatusCode.ERROR, odd)
    span.record_exception(ValueError(odd))
    span.end()
    tracer.start_span("times", start_time=odd).end(end_time=odd)
    logger.warning(odd)
    logger.warning("fine", extra={"odd": odd})
    meter = metrics.get_meter("tests")
    meter.create_counter("odd").add(1, {"odd": odd})
    meter.create_counter("fine").add(3)
    work(50)

    telemetry.force_flush(20)

    done, logs = book(telemetry), book(telemetry, signal="logs")
    agree(done, sink)
    agree(logs, sink)
    assert done["emitted"] == 102
    assert sum(span.name == "work" for span in sink.spans()) == 100
    assert (logs["delivered"], lost(logs)) == (2, 0)
    assert "fine" in [value(log.body) for log in sink.logs()]
    assert sink.metrics()["fine"].sum.data_points[0].as_int == 3
    assert lost(book(telemetry, signal="metrics")) == 0


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    name=st.text(st.characters()),
    attribute=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters()), inner, max_size=3),
        max_leaves=10,
    ),
)
def test_any_value(name: str, attribute: object, sink: OTLPSink) -> None:
    """Row 15: whatever the values are, the record and its neighbours arrive."""
    telemetry = start(sink, metrics=False, logs=False)
    before = book(telemetry)["delivered"]
    with trace.get_tracer("tests").start_as_current_span(name, attributes={"any": attribute, name: attribute}):
        work(3)

    assert telemetry.force_flush(20), book(telemetry)

    # Hypothesis makes the ids repeat themselves, so that only their number tells.
    assert book(telemetry)["delivered"] == before + 4 == sink.tally("traces").received


@pytest.mark.parametrize(
    "amount",
    [2**63, 2**64, 10**5000, -1, "1", None, float("nan"), float("inf")],
    ids=lambda amount: type(amount).__name__,
)
def test_amounts(amount: object, sink: OTLPSink) -> None:
    """Row 16: an amount that is none costs its own measurement at most; other instruments go on, nothing raises."""
    telemetry = start(sink, logs=False)
    meter = metrics.get_meter("tests")
    fine, odd = meter.create_counter("fine"), meter.create_counter("odd")
    histogram = meter.create_histogram("odd.too")
    for number in range(1, 4):
        odd.add(amount)
        histogram.record(amount)
        fine.add(1)
        telemetry.force_flush(20)
        assert sink.metrics()["fine"].sum.data_points[0].as_int == number

    agree(book(telemetry, signal="metrics"), sink)
