"""Records that are larger than what a receiver takes."""

from __future__ import annotations

from typing import Any

from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric as MetricMessage
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from aumos_otel.delivery.measurements import metric_records
from aumos_otel.delivery.packing import MAX_BYTES, parcels_of
from aumos_otel.delivery.parcel import Parcel
from aumos_otel.delivery.reading import span_record
from aumos_otel.delivery.wire import frame

CONTEXT = SpanContext(1, 2, is_remote=False)


def counter(points: int, size: int = 10) -> Any:
    """A counter with so many points, each with a label of so many characters."""
    data = Sum(
        [NumberDataPoint({"label": f"{number:0{size}}"}, 1, 2, number) for number in range(points)],
        AggregationTemporality.CUMULATIVE,
        is_monotonic=True,
    )
    scope = ScopeMetrics(InstrumentationScope("tests"), [Metric("m", "what", "1", data)], "")
    records, _ = metric_records(MetricsData([ResourceMetrics(Resource({}), [scope], "")]))
    return records[0]


def message(parcel: Parcel) -> bytes:
    """The only message of a parcel, without its frame."""
    size = next(size for size in range(len(parcel.data)) if len(frame(size)) + size == len(parcel.data))
    assert parcel.data.startswith(frame(size))
    return parcel.data[len(frame(size)) :]


def test_a_record_of_ordinary_size() -> None:
    """A record becomes one parcel that knows who speaks, what it counts for and whether it is worth more."""
    record = span_record(ReadableSpan("work", CONTEXT, start_time=1, end_time=2))

    (parcel,) = parcels_of(record)

    assert Span.FromString(message(parcel)).name == "work"
    assert (parcel.count, parcel.group, parcel.valued) == (1, record.origin.group, False)


def test_a_metric_with_many_points() -> None:
    """A metric that is too large becomes several with the same name and nature, and each point once."""
    parcels = parcels_of(counter(1000), max_bytes=2000)

    assert all(len(message(parcel)) <= 2000 for parcel in parcels)
    assert sum(parcel.count for parcel in parcels) == 1000
    found = [MetricMessage.FromString(message(parcel)) for parcel in parcels]
    assert {(each.name, each.description, each.unit, each.sum.is_monotonic) for each in found} == {
        ("m", "what", "1", True)
    }
    assert [point.as_int for each in found for point in each.sum.data_points] == list(range(1000))
    assert [len(each.sum.data_points) for each in found] == [parcel.count for parcel in parcels]


def test_a_span_with_many_long_attributes() -> None:
    """A span whose attributes are each within their limit, but not all together, is shortened further."""
    record = span_record(
        ReadableSpan(
            "work",
            CONTEXT,
            attributes={f"key.{number}": "x" * 32_768 for number in range(128)},
            events=[Event("event", {"text": "y" * 32_768}, 1) for _ in range(128)],
            start_time=1,
            end_time=2,
        )
    )

    (parcel,) = parcels_of(record)

    found = Span.FromString(message(parcel))
    assert len(message(parcel)) <= MAX_BYTES
    assert (len(found.attributes), len(found.events)) == (128, 128)
    assert all("… (len 32768, sha256" in each.value.string_value for each in found.attributes)


def test_what_cannot_be_made_small_enough() -> None:
    """A record that is too large even then makes no parcel, so that its loss can be counted."""
    record = span_record(ReadableSpan("work", CONTEXT, attributes={"a": "b" * 200}, start_time=1, end_time=2))

    assert parcels_of(record, max_bytes=100) == []


def test_a_point_that_cannot_be_made_small_enough() -> None:
    """Of a metric only the points that are too large are missing."""
    record = counter(3)
    record.points[1].attributes = {str(number): "y" for number in range(200)}

    parcels = parcels_of(record, max_bytes=200)

    assert sum(parcel.count for parcel in parcels) == 2
