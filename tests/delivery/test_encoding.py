"""Our bytes beside those of the SDK's own encoder: the same message, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord as ApiLogRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics._internal.point import Buckets  # the public module leaves it out
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
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
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.measurements import metric_records
from aumos_otel.delivery.packing import parcels_of
from aumos_otel.delivery.reading import log_record, span_record

EXAMPLES = settings(deadline=None, max_examples=60)

# NUL and surrogates are mended by us and refused by the SDK: see test_reading.py.
words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
keys = words.filter(bool)
int64 = st.integers(-(2**63), 2**63 - 1)
uint32 = st.integers(0, 2**32 - 1)
numbers = st.floats(allow_nan=False)  # NaN is equal to nothing: see test_not_a_number
nanoseconds = st.integers(1, 2**63 - 1)
scalars = st.none() | st.booleans() | int64 | numbers | words | st.binary(max_size=20)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=8
)
attributes = st.dictionaries(keys, values, max_size=6)
trace_ids = st.integers(1, 2**128 - 1)
span_ids = st.integers(1, 2**64 - 1)
resources = st.builds(Resource, attributes, words)
# A scope without anything in it and none at all are the same on the wire; we send them together.
scopes = st.builds(InstrumentationScope, keys, words, words, attributes)
states = st.dictionaries(
    st.from_regex(r"[a-z]{1,8}", fullmatch=True), st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True), max_size=3
)
contexts = st.builds(
    SpanContext,
    trace_ids,
    span_ids,
    st.booleans(),
    st.integers(0, 255).map(TraceFlags),
    states.map(lambda pairs: TraceState(list(pairs.items()))),
)
stateless = st.builds(SpanContext, trace_ids, span_ids, st.booleans())


@st.composite
def spans(draw: Any) -> ReadableSpan:
    """A finished span with anything that is allowed in it."""
    start, end = sorted((draw(nanoseconds), draw(nanoseconds)))
    code = draw(st.sampled_from(StatusCode))
    return ReadableSpan(
        name=draw(words),
        context=draw(contexts),
        parent=draw(st.none() | contexts),
        resource=draw(resources),
        attributes=draw(attributes),
        events=draw(st.lists(st.builds(Event, words, attributes, nanoseconds), max_size=3)),
        links=draw(st.lists(st.builds(Link, stateless, attributes), max_size=3)),
        kind=draw(st.sampled_from(SpanKind)),
        status=Status(code, draw(words) if code is StatusCode.ERROR else None),
        start_time=start,
        end_time=end,
        instrumentation_scope=draw(st.none() | scopes),
    )


@st.composite
def logs(draw: Any) -> ReadableLogRecord:
    """A log record with anything that is allowed in it."""
    record = ApiLogRecord(
        timestamp=draw(nanoseconds),
        observed_timestamp=draw(nanoseconds),
        severity_text=draw(st.none() | words),
        severity_number=draw(st.none() | st.sampled_from(SeverityNumber)),
        body=draw(values),
        attributes=draw(attributes),
        event_name=draw(st.none() | words),
    )
    record.trace_id, record.span_id = draw(st.just((0, 0)) | st.tuples(trace_ids, span_ids))
    record.trace_flags = TraceFlags(draw(st.integers(0, 255)))
    return ReadableLogRecord(record, draw(resources), draw(st.none() | scopes))


counts = st.integers(0, 2**64 - 1)
buckets = st.builds(Buckets, st.integers(-(2**31), 2**31 - 1), st.lists(counts, max_size=5))
exemplars = st.lists(
    st.builds(Exemplar, attributes, numbers | int64, nanoseconds, st.none(), st.none())
    | st.builds(Exemplar, attributes, numbers | int64, nanoseconds, span_ids, trace_ids),
    max_size=2,
)
temporalities = st.sampled_from(AggregationTemporality)


def point_lists(points: Any) -> Any:
    """At least one data point: a metric without says nothing, and is not sent."""
    return st.lists(points, min_size=1, max_size=3)


number_points = st.builds(NumberDataPoint, attributes, nanoseconds, nanoseconds, int64 | numbers, exemplars)
gauge_points = st.builds(NumberDataPoint, attributes, st.none(), nanoseconds, int64 | numbers, exemplars)
histogram_points = st.builds(
    HistogramDataPoint,
    attributes,
    nanoseconds,
    nanoseconds,
    counts,
    numbers | st.integers(-(2**70), 2**70),
    st.lists(counts, max_size=5),
    st.lists(numbers, max_size=5),
    numbers,
    numbers,
    exemplars,
)
exponential_points = st.builds(
    ExponentialHistogramDataPoint,
    attributes,
    nanoseconds,
    nanoseconds,
    counts,
    numbers,
    st.integers(-10, 20),
    counts,
    buckets,
    buckets,
    uint32,
    numbers,
    numbers,
    exemplars,
)
data = (
    st.builds(Sum, point_lists(number_points), temporalities, st.booleans())
    | st.builds(Gauge, point_lists(gauge_points))
    | st.builds(Histogram, point_lists(histogram_points), temporalities)
    | st.builds(ExponentialHistogram, point_lists(exponential_points), temporalities)
)
metrics = st.builds(Metric, words, st.none() | words, st.none() | words, data)


@st.composite
def metrics_data(draw: Any) -> MetricsData:
    """What a reader collects: distinct resources, distinct scopes in each, metrics in each of those."""
    return MetricsData(
        [
            ResourceMetrics(
                resource,
                [
                    ScopeMetrics(scope, draw(st.lists(metrics, min_size=1, max_size=2)), scope.schema_url or "")
                    for scope in draw(st.lists(scopes, min_size=1, max_size=2, unique_by=lambda scope: scope.name))
                ],
                resource.schema_url,
            )
            for resource in draw(st.lists(resources, min_size=1, max_size=2, unique_by=lambda each: each.schema_url))
        ]
    )


@EXAMPLES
@given(st.lists(spans(), max_size=5))
def test_spans(batch: list[ReadableSpan]) -> None:
    """A request with spans is the one that the SDK would have sent."""
    expected = encode_spans(batch)

    ours = assemble([parcel for span in batch for parcel in parcels_of(span_record(span))])

    assert type(expected).FromString(ours) == expected


@EXAMPLES
@given(st.lists(logs(), max_size=5))
def test_logs(batch: list[ReadableLogRecord]) -> None:
    """A request with log records is the one that the SDK would have sent."""
    expected = encode_logs(batch)

    ours = assemble([parcel for log in batch for parcel in parcels_of(log_record(log))])

    assert type(expected).FromString(ours) == expected


@EXAMPLES
@given(metrics_data())
def test_metrics(collected: MetricsData) -> None:
    """A request with metrics is the one that the SDK would have sent."""
    expected = encode_metrics(collected)

    records, broken = metric_records(collected)
    ours = assemble([parcel for record in records for parcel in parcels_of(record)])

    assert broken == 0
    assert type(expected).FromString(ours) == expected


def test_not_a_number() -> None:
    """NaN, the infinities and minus zero are sent as they are."""
    given_values = {"nan": float("nan"), "inf": float("inf"), "-inf": float("-inf"), "-0": -0.0}
    span = ReadableSpan("work", SpanContext(1, 2, is_remote=False), attributes=given_values, start_time=1, end_time=2)
    request = encode_spans([span])

    ours = type(request).FromString(assemble(parcels_of(span_record(span))))

    found = ours.resource_spans[0].scope_spans[0].spans[0].attributes
    assert {each.key: str(each.value.double_value) for each in found} == {
        "nan": "nan",
        "inf": "inf",
        "-inf": "-inf",
        "-0": "-0.0",
    }


def test_the_state_of_a_link() -> None:
    """The trace state of a link is sent, which the SDK's encoder leaves out."""
    context = SpanContext(3, 4, is_remote=True, trace_state=TraceState([("vendor", "1")]))
    span = ReadableSpan("work", SpanContext(1, 2, is_remote=False), links=[Link(context)], start_time=1, end_time=2)
    request = encode_spans([span])

    ours = type(request).FromString(assemble(parcels_of(span_record(span))))

    assert ours.resource_spans[0].scope_spans[0].spans[0].links[0].trace_state == "vendor=1"


@pytest.mark.parametrize("number", [0, 1, 127, 128, 2047, 2048, 2**32, 2**63 - 1, -1, -(2**63)])
def test_whole_numbers(number: int) -> None:
    """Whole numbers of every length arrive, also where the number of bytes changes."""
    span = ReadableSpan("work", SpanContext(1, 2, is_remote=False), attributes={"n": number}, start_time=1, end_time=2)
    request = encode_spans([span])

    ours = type(request).FromString(assemble(parcels_of(span_record(span))))

    assert ours == request


@pytest.mark.parametrize("size", [0, 63, 64, 65, 120, 127, 128, 2047, 2048, 20_000])
def test_texts_of_every_length(size: int) -> None:
    """Texts arrive whole on both sides of where lengths take another byte and bytes are no longer kept."""
    given_values = {"short": "x" * size, "long": "ü" * size}
    span = ReadableSpan(
        "n" * min(size, 1024), SpanContext(1, 2, is_remote=False), attributes=given_values, start_time=1, end_time=2
    )
    request = encode_spans([span])

    ours = type(request).FromString(assemble(parcels_of(span_record(span))))

    assert ours == request
