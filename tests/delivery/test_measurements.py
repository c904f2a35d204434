"""Collected metrics: one bad point or metric never costs the others."""

from __future__ import annotations

import math
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.metrics import Observation
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.sdk.metrics import Exemplar, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    InMemoryMetricReader,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from aumos_otel import guard
from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.measurements import metric_records
from aumos_otel.delivery.packing import parcels_of


def collected(*metrics: Any) -> MetricsData:
    """What a reader hands over."""
    scope = ScopeMetrics(InstrumentationScope("tests"), metrics, "")
    return MetricsData([ResourceMetrics(Resource({}), [scope], "")])


def arrived(data: MetricsData) -> dict[str, Any]:
    """The metrics as a receiver decodes them, by name."""
    records, _ = metric_records(data)
    request = ExportMetricsServiceRequest.FromString(
        assemble(each for record in records for each in parcels_of(record))
    )
    return {
        each.name: each
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for each in scope.metrics
    }


def gauge(name: str, *values: Any) -> Metric:
    """A gauge with one point a value."""
    return Metric(name, "", "", Gauge([NumberDataPoint({}, 1, 2, value) for value in values]))


def test_a_counter_beyond_64_bits() -> None:
    """A counter that passes 2**63 goes on as a float, and the other metrics flow beside it."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    meter = provider.get_meter("tests")
    huge, good = meter.create_counter("huge"), meter.create_counter("good")
    good.add(1)
    seen = []
    for amount in (2**62, 2**62, 2**70):
        huge.add(amount)
        found = arrived(reader.get_metrics_data())
        seen.append(found["huge"].sum.data_points[0])
        assert found["good"].sum.data_points[0].as_int == 1
    provider.shutdown()

    assert seen[0].as_int == 2**62
    assert [point.as_double for point in seen[1:]] == [2.0**63, float(2**63 + 2**70)]


def test_a_negative_one() -> None:
    """An observation below what 64 bits hold goes on as a float as well."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    provider.get_meter("tests").create_observable_gauge("low", [lambda _: [Observation(-(2**63) - 1)]])

    found = arrived(reader.get_metrics_data())
    provider.shutdown()

    assert found["low"].gauge.data_points[0].as_double == -(2.0**63)


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, 1), (5, 5), (1.5, 1.5), (math.inf, math.inf), (10**400, math.inf), (-(10**400), -math.inf)],
    ids=["bool", "int", "float", "inf", "huge", "low"],
)
def test_odd_values(value: Any, expected: float) -> None:
    """A value that is a number of any kind is sent."""
    point = arrived(collected(gauge("odd", value)))["odd"].gauge.data_points[0]

    assert (point.as_int if point.WhichOneof("value") == "as_int" else point.as_double) == expected


@pytest.mark.parametrize("value", ["5", None, object(), Decimal(1), 1j, [1]])
def test_a_value_that_is_none(value: Any) -> None:
    """A point whose value is no number is counted and left out; the other points and metrics arrive."""
    data = collected(gauge("mixed", 1, value, 2), gauge("good", 3))

    records, broken = metric_records(data)

    assert broken == 1
    assert [record.count for record in records] == [2, 1]
    assert [point.as_int for point in arrived(data)["mixed"].gauge.data_points] == [1, 2]
    assert guard.swallowed()["delivery.point"] >= 1


@pytest.mark.parametrize(
    "broken", [None, SimpleNamespace(name="x", data=None), Metric("x", "", "", SimpleNamespace(data_points=[]))]
)
def test_a_metric_that_is_none(broken: Any) -> None:
    """A metric that cannot be read is counted as one, and the others arrive."""
    records, lost = metric_records(collected(broken, gauge("good", 3)))

    assert lost == 1
    assert [record.name for record in records] == ["good"]


def test_a_metric_without_points() -> None:
    """A metric of which nothing is left is not sent."""
    assert metric_records(collected(gauge("empty"))) == ([], 0)


def test_a_histogram_out_of_range() -> None:
    """Counts and bounds that the protocol does not hold are brought into range; what is missing stays missing."""
    point: Any = HistogramDataPoint({}, -5, 2**70, 2**65, 10**400, [-1, 2**64, 3], [1, 2], None, math.nan)

    found = arrived(collected(Metric("h", None, None, Histogram([point], AggregationTemporality.DELTA))))["h"].histogram

    (read,) = found.data_points
    assert (read.start_time_unix_nano, read.time_unix_nano, read.count) == (0, 2**63 - 1, 2**64 - 1)
    assert (read.sum, list(read.bucket_counts), list(read.explicit_bounds)) == (math.inf, [0, 2**64 - 1, 3], [1.0, 2.0])
    assert not read.HasField("min")
    assert math.isnan(read.max)


def test_bad_labels_and_names() -> None:
    """Names and labels with half characters, NUL or no text at all are mended."""
    labels: Any = {"\ud800": "nul\0", "obj": object(), 5: 2**70}
    metric = Metric("m\ud800", 5, None, Gauge([NumberDataPoint(labels, 1, 2, 3)]))  # type: ignore[arg-type]  # on purpose

    found = arrived(collected(metric))["m\ufffd"]

    assert found.description == "5"
    assert {each.key: each.value.string_value for each in found.gauge.data_points[0].attributes} == {
        "\ufffd": "nul\ufffd",
        "obj": "<object>",
        "5": str(2**70),
    }


def test_a_bad_exemplar() -> None:
    """An exemplar that cannot be read is left out, one with impossible ids goes without them; its point arrives."""
    exemplars: Any = [Exemplar({}, "5", 1), None, Exemplar({}, 5, 1, 2**70, 1), Exemplar({}, 6, 1, 7, 8)]
    metric = Metric("m", "", "", Gauge([NumberDataPoint({}, 1, 2, 3, exemplars)]))

    (point,) = arrived(collected(metric))["m"].gauge.data_points

    assert [(each.as_int, each.span_id) for each in point.exemplars] == [(5, b""), (6, (7).to_bytes(8, "big"))]
