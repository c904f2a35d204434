"""The books of a metric exporter of another package."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExporter,
    MetricExportResult,
    MetricsData,
)

from aumos_otel.delivery.accounting import AccountingMetricExporter
from aumos_otel.delivery.ledger import Account, Books


class Exporter(MetricExporter):
    """Does what it is told, and remembers what it was asked."""

    def __init__(self, outcome: Callable[[], Any]) -> None:
        super().__init__(preferred_temporality={Counter: AggregationTemporality.DELTA})
        self.outcome = outcome
        self.calls: list[tuple[str, Any]] = []

    def export(self, metrics_data: MetricsData, timeout_millis: float = 0, **options: Any) -> Any:
        """Do what it is told."""
        self.calls.append(("export", timeout_millis))
        return self.outcome()

    def shutdown(self, timeout_millis: float = 0, **options: Any) -> None:
        """Remember."""
        self.calls.append(("shutdown", timeout_millis))

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Remember."""
        self.calls.append(("force_flush", timeout_millis))
        return True


def two_points() -> MetricsData:
    """What a reader collects of a counter with two sets of attributes."""
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("tests").create_counter("work.done")
    counter.add(1, {"kind": "a"})
    counter.add(1, {"kind": "b"})
    data = reader.get_metrics_data()
    assert data is not None
    return data


def build(outcome: Callable[[], Any], *, paused: bool = False) -> tuple[AccountingMetricExporter, Account, Exporter]:
    """A wrapper, its account, and what is inside."""
    inner, account = Exporter(outcome), Books("metrics").open("theirs", "theirs")
    return AccountingMetricExporter(inner, account, lambda: paused), account, inner


def test_success() -> None:
    """A batch that was taken is delivered: a point counts when it is collected."""
    exporter, account, inner = build(lambda: MetricExportResult.SUCCESS)

    assert exporter.export(two_points(), timeout_millis=1234) is MetricExportResult.SUCCESS

    book = account.snapshot()
    assert (book["emitted"], book["delivered"], book["queued"], book["state"]) == (2, 2, 0, "ok")
    assert inner.calls == [("export", 1234)]


def raises(error: BaseException) -> Callable[[], Any]:
    """An exporter that raises."""

    def outcome() -> Any:
        raise error

    return outcome


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (lambda: MetricExportResult.FAILURE, "the exporter returned a failure"),
        (lambda: None, "the exporter returned a failure"),
        (raises(ValueError("no such host")), "ValueError: no such host"),
        (raises(KeyboardInterrupt()), "KeyboardInterrupt: "),
    ],
)
def test_failure(outcome: Callable[[], Any], told: str) -> None:
    """A batch that was not taken is lost and said to be, whatever the exporter did; it goes no further."""
    exporter, account, _ = build(outcome)

    assert exporter.export(two_points()) is not MetricExportResult.SUCCESS

    book = account.snapshot()
    assert (book["dropped"], book["queued"]) == ({"export_failed": 2}, 0)
    assert book["last_error"] == told


def test_paused() -> None:
    """In a pause nothing reaches the exporter inside, and nothing is called a failure."""
    exporter, account, inner = build(lambda: MetricExportResult.SUCCESS, paused=True)

    assert exporter.export(two_points()) is MetricExportResult.SUCCESS

    assert inner.calls == []
    assert (account.snapshot()["dropped"], account.snapshot()["state"]) == ({"paused": 2}, "ok")


def test_the_rest_is_passed_on() -> None:
    """Flush and shutdown reach the exporter inside, and the reader sees the temporality that it prefers."""
    exporter, _, inner = build(lambda: MetricExportResult.SUCCESS)

    assert exporter.force_flush(1234) is True
    exporter.shutdown(567)

    assert inner.calls == [("force_flush", 1234), ("shutdown", 567)]
    assert exporter._preferred_temporality == {Counter: AggregationTemporality.DELTA}
