"""Instruments that are misused cost themselves alone."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import Observation
from servers.otlp import HTTPSink

import aumos_otel as aumos
from aumos_otel import Telemetry, testing
from aumos_otel.providers import instruments

BAD_AMOUNTS = [10**400, "5", None, float("nan"), float("inf"), object(), [1], b"x", 1j]
BAD_ATTRIBUTES: list[Any] = [{"a": object()}, {1: 2}, {"deep": {"x": [1]}}, {"s": "\ud800"}, "words", [1], {"set": {1}}]


@pytest.fixture
def sink() -> Iterator[HTTPSink]:
    """A receiver."""
    with HTTPSink() as receiver:
        yield receiver
        testing.reset()


@pytest.fixture
def telemetry(sink: HTTPSink) -> Telemetry:
    """Telemetry as users have it: nothing is raised again."""
    return aumos.configure(
        service_name="instruments", destinations=[aumos.OTLP(endpoint=sink.url)], instrumentations=False
    )


def values(sink: HTTPSink, name: str) -> list[float]:
    """The values of a number metric."""
    metric = sink.metrics()[name]
    points = (metric.sum if metric.HasField("sum") else metric.gauge).data_points
    return [point.as_int if point.HasField("as_int") else point.as_double for point in points]


def test_bad_amounts(telemetry: Telemetry, sink: HTTPSink) -> None:
    """An amount that is none raises nothing, and does not stop the stream of its metric or another one."""
    meter = metrics.get_meter("tests")
    record = {
        "counter": meter.create_counter("counter").add,
        "updown": meter.create_up_down_counter("updown").add,
        "histogram": meter.create_histogram("histogram").record,
        "gauge": meter.create_gauge("gauge").set,
    }
    for amount in BAD_AMOUNTS:
        for measure in record.values():
            measure(amount)
    for attributes in BAD_ATTRIBUTES:
        for measure in record.values():
            measure(1, attributes)
    record["counter"](7, {"good": True})

    assert telemetry.force_flush(10.0)
    assert 7 in values(sink, "counter")
    assert set(record) <= set(sink.metrics())
    assert telemetry.status().guard["providers.instruments"] >= 4 * 5


def test_a_counter_beyond_64_bits(telemetry: Telemetry, sink: HTTPSink) -> None:
    """A counter of 2^63 is sent as a double, and the others go on."""
    meter = metrics.get_meter("tests")
    huge, other = meter.create_counter("huge"), meter.create_counter("other")
    huge.add(2**63)
    other.add(1)

    assert telemetry.force_flush(10.0)
    assert values(sink, "huge") == [float(2**63)]
    assert values(sink, "other") == [1]


def leave(_options: Any) -> Any:
    """A callback that ends the program."""
    raise SystemExit(3)


@pytest.mark.parametrize("callback", [leave, lambda _: 5, lambda _: [5], lambda _: [Observation("x")], lambda _: 1 / 0])
def test_a_bad_callback(telemetry: Telemetry, sink: HTTPSink, callback: Any) -> None:
    """A callback that fails, or returns junk, is counted; every other instrument is still collected."""
    meter = metrics.get_meter("tests")
    meter.create_observable_counter("bad", [callback, lambda _: [Observation(3)]])
    meter.create_counter("good").add(1)

    assert telemetry.force_flush(10.0)
    assert (values(sink, "good"), values(sink, "bad")) == ([1], [3])
    assert any(site.startswith("providers.instruments") for site in telemetry.status().guard)


def test_a_callback_that_hangs(telemetry: Telemetry, sink: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left behind; the collection goes on without it."""
    monkeypatch.setattr(instruments, "CALLBACK_PATIENCE", 0.05)
    release = threading.Event()
    meter = metrics.get_meter("tests")
    meter.create_observable_gauge("hangs", [lambda _: release.wait(20) and []])
    meter.create_counter("good").add(1)

    assert telemetry.force_flush(10.0)
    release.set()
    assert values(sink, "good") == [1]


def test_a_generator_as_callback(telemetry: Telemetry, sink: HTTPSink) -> None:
    """The API's other form of a callback works."""

    def counting() -> Any:
        yield
        for number in range(1, 10):
            yield [Observation(number)]

    metrics.get_meter("tests").create_observable_counter("generated", [counting()])

    assert telemetry.force_flush(10.0)
    assert values(sink, "generated") == [1]


@pytest.mark.parametrize("name", [None, 5, "", "1st", "x" * 300, "\ud800"])
def test_a_bad_name(telemetry: Telemetry, sink: HTTPSink, name: Any) -> None:
    """An instrument whose name is wrong does nothing."""
    meter = metrics.get_meter("tests")
    for make in (meter.create_counter, meter.create_up_down_counter):
        make(name).add(1)
    meter.create_histogram(name).record(1)
    meter.create_gauge(name).set(1)
    meter.create_observable_gauge(name, [lambda _: [Observation(1)]])
    meter.create_counter("good").add(1)

    assert telemetry.force_flush(10.0)
    assert values(sink, "good") == [1]


@pytest.mark.parametrize(
    "arguments",
    [
        {"name": None},
        {"name": 5},
        {"name": "\ud800"},
        {"name": "x", "attributes": 5},
        {"name": "x", "attributes": {"a": object(), 1: 2}},
        {"name": "x", "links": 5},
        {"name": "x", "kind": "server"},
        {"name": "x", "start_time": "noon"},
        {"name": "x", "context": 5},
    ],
)
def test_a_span_that_is_misused(telemetry: Telemetry, sink: HTTPSink, arguments: dict[str, Any]) -> None:
    """Whatever a span is given, the code inside runs once and nothing is raised; the next span arrives."""
    ran = []
    tracer: Any = trace.get_tracer("tests")
    with tracer.start_as_current_span(**arguments) as span:
        span.set_attribute(5, 5)
        span.set_attributes(None)
        span.add_event(None, {"a": object()}, "noon")
        span.set_status("x")
        span.update_name(None)
        span.record_exception("none")
        span.add_link(None)
        ran.append(True)
    with tracer.start_as_current_span("next"):
        pass

    assert ran == [True]
    assert telemetry.force_flush(10.0)
    assert "next" in [span.name for span in sink.spans()]
