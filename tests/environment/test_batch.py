"""OTEL_BSP_*, OTEL_BLRP_* and OTEL_METRIC_EXPORT_*: how records wait for their export."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

import pytest
from opentelemetry import metrics, trace
from servers.otlp import HTTPSink
from servers.work import configure, eventually

#: What one record of the signal is, and the prefix of its variables.
SIGNALS = {
    "OTEL_BSP": ("traces", lambda: trace.get_tracer("tests").start_span("work").end()),
    "OTEL_BLRP": ("logs", lambda: logging.getLogger("tests").warning("hello")),
}


def book(telemetry: object, signal: str) -> dict[str, object]:
    """The account of one signal."""
    (found,) = (entry for entry in telemetry.status().destinations if entry["signal"] == signal)
    return found


def sizes(sink: HTTPSink, signal: str) -> list[int]:
    """How many records each export had."""
    if signal == "traces":
        return [len(export.body.resource_spans[0].scope_spans[0].spans) for export in sink.of(signal)]
    return [len(export.body.resource_logs[0].scope_logs[0].log_records) for export in sink.of(signal)]


@pytest.mark.parametrize("variable", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"])
def test_queue_size(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a collector that hangs the queue holds as many records as the variable says; the rest is counted as lost."""
    signal, record = SIGNALS[variable.removesuffix("_MAX_QUEUE_SIZE")]
    monkeypatch.setenv(variable, "4")
    monkeypatch.setenv(variable.replace("QUEUE", "EXPORT_BATCH"), "1")
    collector.answering.clear()
    telemetry = configure()

    record()
    collector.wait_for_arrival()
    for _ in range(10):
        record()

    eventually(lambda: book(telemetry, signal)["queued"] == 4 + 1)  # one more is on its way
    assert book(telemetry, signal)["dropped"] == {"queue_full": 6}


@pytest.mark.parametrize("variable", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BLRP_MAX_QUEUE_SIZE"])
def test_a_queue_smaller_than_the_default_batch(
    variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A small queue alone is enough: the batch shrinks with it."""
    signal, record = SIGNALS[variable.removesuffix("_MAX_QUEUE_SIZE")]
    monkeypatch.setenv(variable, "2")
    telemetry = configure()

    record()

    assert telemetry.force_flush(10.0)
    assert sizes(collector, signal) == [1]
    assert telemetry.describe()["warnings"] == []


@pytest.mark.parametrize("variable", ["OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BLRP_MAX_EXPORT_BATCH_SIZE"])
def test_batch_size(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """No export has more records than the variable says."""
    signal, record = SIGNALS[variable.removesuffix("_MAX_EXPORT_BATCH_SIZE")]
    monkeypatch.setenv(variable, "3")
    collector.answering.clear()
    telemetry = configure()

    for _ in range(7):
        record()
    collector.answering.set()

    assert telemetry.force_flush(10.0)
    assert sum(sizes(collector, signal)) == 7
    assert max(sizes(collector, signal)) == 3


@pytest.mark.parametrize("variable", ["OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"])
def test_delay(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records leave by themselves after the delay."""
    signal, record = SIGNALS[variable.removesuffix("_SCHEDULE_DELAY")]
    monkeypatch.setenv(variable, "10")
    configure()
    started = time.monotonic()

    for count in range(1, 31):
        record()
        collector.wait(signal, count)

    assert time.monotonic() - started < 25  # the defaults would need 30 seconds, or 150


@pytest.mark.parametrize(
    "variable", ["OTEL_BSP_EXPORT_TIMEOUT", "OTEL_BLRP_EXPORT_TIMEOUT", "OTEL_METRIC_EXPORT_TIMEOUT"]
)
def test_export_timeout(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """An export that a collector does not answer is given up after the time-out; whether it arrived nobody knows."""
    signals: dict[str, tuple[str, Callable[[], object]]] = {
        **SIGNALS,
        "OTEL_METRIC": ("metrics", lambda: metrics.get_meter("tests").create_counter("work.done").add(1)),
    }
    signal, record = signals[variable.removesuffix("_EXPORT_TIMEOUT")]
    for other in {"traces", "metrics", "logs"} - {signal}:
        monkeypatch.setenv(f"OTEL_{other.upper()}_EXPORTER", "none")
    monkeypatch.setenv(variable, "200")
    collector.answering.clear()
    telemetry = configure()

    record()

    assert telemetry.force_flush(8.0) is False  # the transport's own time-out is 10 seconds
    assert book(telemetry, signal)["unconfirmed"] >= 1
    assert book(telemetry, signal)["queued"] == 0


def test_metric_interval(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metrics leave by themselves, again and again."""
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "10")
    configure()

    metrics.get_meter("tests").create_counter("work.done").add(1)

    collector.wait("metrics", 3)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "many"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "0"),
        ("OTEL_BLRP_SCHEDULE_DELAY", "-5"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "1.5"),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", "-1"),
        ("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "100000"),
    ],
)
def test_a_number_that_cannot_be_used(
    variable: str, value: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A number that cannot be used is reported and ignored, as the specification says."""
    monkeypatch.setenv(variable, value)

    telemetry = configure()

    (warning,) = telemetry.describe()["warnings"]
    assert warning.startswith(f"{variable}: got ")
    assert value in warning


@pytest.mark.parametrize(
    "variable", ["OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_SPAN_EVENT_COUNT_LIMIT", "OTEL_BLRP_SCHEDULE_DELAY"]
)
def test_an_empty_number(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable is an unset one."""
    monkeypatch.setenv(variable, "")

    assert configure().describe()["warnings"] == []
