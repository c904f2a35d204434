"""The meter provider: readers, views, limits, exemplars."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricExporter, MetricExportResult
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.resources import Resource

from aumos_otel import MetricsOptions
from aumos_otel._internal import quantities
from aumos_otel.providers import meter


def build(environ: dict[str, str] | None = None, **given: Any) -> tuple[MeterProvider, InMemoryMetricReader]:
    """A provider and a reader of it."""
    options = MetricsOptions(**given).resolve({}, {}, {})
    reader = InMemoryMetricReader()
    return meter.build(Resource({"team": "red"}), options, [reader], environ or {}), reader


def points(reader: InMemoryMetricReader) -> dict[str, list[Any]]:
    """Data points by metric."""
    data = reader.get_metrics_data()
    assert data is not None
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def test_readers_views_and_resource() -> None:
    """Our readers and the user's see the same metrics, through the user's views, on the resource."""
    theirs = InMemoryMetricReader()
    provider, ours = build(readers=[theirs], views=[View(instrument_name="work.done", name="renamed")])

    provider.get_meter("tests").create_counter("work.done").add(3)

    assert points(ours)["renamed"][0].value == points(theirs)["renamed"][0].value == 3
    provider.get_meter("tests").create_counter("other").add(1)
    data = ours.get_metrics_data()
    assert data is not None
    assert data.resource_metrics[0].resource.attributes["team"] == "red"


@pytest.mark.parametrize(
    ("value", "count"), [("always_on", 1), ("always_off", 0), ("trace_based", 0), ("", 0), ("sometimes", 0)]
)
def test_exemplars(value: str, count: int, caplog: pytest.LogCaptureFixture) -> None:
    """Outside a span always_on alone makes exemplars; an unknown filter is logged and ignored."""
    provider, reader = build({"OTEL_METRICS_EXEMPLAR_FILTER": value})

    provider.get_meter("tests").create_counter("work.done").add(1)

    assert len(points(reader)["work.done"][0].exemplars) == count
    assert bool([record for record in caplog.records if "sometimes" in record.message]) is (value == "sometimes")
    assert not trace.get_current_span().is_recording()


class Exporter(MetricExporter):
    """Notes with what time-out it is called."""

    def __init__(self) -> None:
        super().__init__()
        self.timeouts: list[float] = []

    def export(self, metrics_data: Any, timeout_millis: float = 0, **_options: Any) -> MetricExportResult:
        """Take everything."""
        self.timeouts.append(timeout_millis)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 0) -> bool:
        """Nothing to flush."""
        return True

    def shutdown(self, timeout_millis: float = 0, **_options: Any) -> None:
        """Nothing to shut down."""


def test_the_reader_that_pushes() -> None:
    """Interval, time-out and cardinality limit reach the reader; a time-out of 0 is as long as it takes."""
    numbers = quantities.read({"OTEL_METRIC_EXPORT_INTERVAL": "12345", "OTEL_METRIC_EXPORT_TIMEOUT": "0"}, print)
    options = MetricsOptions(cardinality_limit=3).resolve({}, {}, {})
    exporter = Exporter()

    reader = meter.periodic_reader(exporter, options, numbers)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    counter = provider.get_meter("tests").create_counter("work.done")
    for number in range(10):
        counter.add(1, {"number": number})

    assert reader._export_interval_millis == 12345
    assert reader._export_timeout_millis == quantities.LARGEST
    provider.force_flush()
    assert len(exporter.timeouts) == 1
    provider.shutdown()
