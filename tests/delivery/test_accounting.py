"""Exporters that keep the books, around any exporter."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExportResult
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    InMemoryMetricReader,
    MetricExportResult,
    MetricsData,
)
from opentelemetry.sdk.trace.export import SpanExportResult

from aumos_otel.delivery.accounting import AccountingLogExporter, AccountingMetricExporter, AccountingSpanExporter
from aumos_otel.delivery.ledger import Account


class Exporter:
    """Does what it is told, and remembers what it was asked."""

    def __init__(self, outcome: Callable[[], Any]) -> None:
        self._preferred_temporality = {Counter: AggregationTemporality.DELTA}
        self._preferred_aggregation: dict[type, Any] = {}
        self.outcome = outcome
        self.calls: list[tuple[str, Any]] = []

    def export(self, batch: Any, **options: Any) -> Any:
        """Do what it is told."""
        self.calls.append(("export", options))
        return self.outcome()

    def shutdown(self, **options: Any) -> None:
        """Remember."""
        self.calls.append(("shutdown", options))

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Remember."""
        self.calls.append(("force_flush", timeout_millis))
        return True


def metrics_data() -> MetricsData:
    """Two data points."""
    reader = InMemoryMetricReader()
    counter = MeterProvider([reader], shutdown_on_exit=False).get_meter("tests").create_counter("work.done")
    counter.add(1, {"kind": "a"})
    counter.add(1, {"kind": "b"})
    data = reader.get_metrics_data()
    assert data is not None
    return data


KINDS = [
    (AccountingSpanExporter, SpanExportResult, lambda: ["a", "b"]),
    (AccountingLogExporter, LogRecordExportResult, lambda: ["a", "b"]),
    (AccountingMetricExporter, MetricExportResult, metrics_data),
]


def build(kind: type, outcome: Callable[[], Any], paused: bool = False) -> tuple[Any, Account, Exporter]:
    """A wrapper, its account, and what is inside."""
    inner, account = Exporter(outcome), Account("otlp", "traces", "http://collector")
    return kind(inner, account, lambda: paused), account, inner


def hand_over(account: Account, kind: type) -> None:
    """What the batch processors do before; metric points count when they are collected."""
    if kind is not AccountingMetricExporter:
        account.emit(2)


@pytest.mark.parametrize(("kind", "result", "batch"), KINDS)
def test_success(kind: type, result: Any, batch: Callable[[], Any]) -> None:
    """A batch that was taken is delivered."""
    exporter, account, _ = build(kind, lambda: result.SUCCESS)
    hand_over(account, kind)

    assert exporter.export(batch()) is result.SUCCESS

    book = account.snapshot()
    assert (book["emitted"], book["delivered"], book["queued"]) == (2, 2, 0)


@pytest.mark.parametrize(("kind", "result", "batch"), KINDS)
def test_failure(kind: type, result: Any, batch: Callable[[], Any]) -> None:
    """A batch that was refused is lost, and said to be."""
    exporter, account, _ = build(kind, lambda: result.FAILURE)
    hand_over(account, kind)

    assert exporter.export(batch()) is result.FAILURE

    assert account.snapshot()["dropped"] == {"export_failed": 2}
    assert account.snapshot()["last_error"] == "the receiver did not accept the batch"


def broken() -> Any:
    """An exporter that raises."""
    raise ValueError("no such host")


@pytest.mark.parametrize(("kind", "result", "batch"), KINDS)
def test_an_exporter_that_raises(kind: type, result: Any, batch: Callable[[], Any]) -> None:
    """An exporter that raises has failed; its error is kept, and goes no further."""
    exporter, account, _ = build(kind, broken)
    hand_over(account, kind)

    assert exporter.export(batch()) is result.FAILURE

    assert account.snapshot()["last_error"] == "ValueError: no such host"


def interrupted() -> Any:
    """An exporter that is interrupted."""
    raise KeyboardInterrupt


@pytest.mark.parametrize(("kind", "result", "batch"), KINDS)
def test_an_interruption_passes(kind: type, result: Any, batch: Callable[[], Any]) -> None:
    """KeyboardInterrupt is not ours to swallow; the batch is settled all the same."""
    exporter, account, _ = build(kind, interrupted)
    hand_over(account, kind)

    with pytest.raises(KeyboardInterrupt):
        exporter.export(batch())

    assert account.snapshot()["queued"] == 0


@pytest.mark.parametrize(("kind", "result", "batch"), KINDS)
def test_paused(kind: type, result: Any, batch: Callable[[], Any]) -> None:
    """In a pause nothing reaches the exporter inside."""
    exporter, account, inner = build(kind, lambda: result.SUCCESS, paused=True)
    hand_over(account, kind)

    assert exporter.export(batch()) is result.SUCCESS

    assert inner.calls == []
    assert account.snapshot()["dropped"] == {"paused": 2}


@pytest.mark.parametrize(("kind", "result", "batch"), KINDS)
def test_the_rest_is_passed_on(kind: type, result: Any, batch: Callable[[], Any]) -> None:
    """Flush and shutdown reach the exporter inside."""
    exporter, _, inner = build(kind, lambda: result.SUCCESS)

    assert exporter.force_flush(1234) is True
    exporter.shutdown()

    assert [name for name, _ in inner.calls] == ["force_flush", "shutdown"]
    assert inner.calls[0][1] == 1234


def test_preferences_of_a_metric_exporter() -> None:
    """The reader sees the temporality that the exporter inside prefers."""
    exporter, _, _ = build(AccountingMetricExporter, lambda: MetricExportResult.SUCCESS)

    assert exporter._preferred_temporality == {Counter: AggregationTemporality.DELTA}
