"""OTLP/JSON and back."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from aumos_otel.delivery import otlp_json

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
INT64 = st.integers(-(2**63), 2**63 - 1)
UINT64 = st.integers(0, 2**64 - 1)


def any_value(value: Any) -> AnyValue:
    """A value as protobuf has it."""
    made = AnyValue()
    if isinstance(value, bool):
        made.bool_value = value
    elif isinstance(value, str):
        made.string_value = value
    elif isinstance(value, int):
        made.int_value = value
    elif isinstance(value, float):
        made.double_value = value
    elif isinstance(value, bytes):
        made.bytes_value = value
    elif isinstance(value, list):
        made.array_value.values.extend(any_value(item) for item in value)
    elif isinstance(value, dict):
        made.kvlist_value.values.extend(KeyValue(key=key, value=any_value(item)) for key, item in value.items())
    return made


VALUES = st.recursive(
    st.none() | st.booleans() | TEXT | INT64 | st.floats() | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT | st.just("traceId"), inner, max_size=3),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(TEXT, VALUES, max_size=4).map(
    lambda given: [KeyValue(key=key, value=any_value(value)) for key, value in given.items()]
)


@st.composite
def traces(draw: st.DrawFn) -> ExportTraceServiceRequest:
    """A request of spans."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add(schema_url=draw(TEXT))
    resource.resource.attributes.extend(draw(ATTRIBUTES))
    scope = resource.scope_spans.add()
    scope.scope.name = draw(TEXT)
    for _ in range(draw(st.integers(0, 3))):
        span = scope.spans.add(
            name=draw(TEXT), trace_id=draw(st.binary(max_size=16)), span_id=draw(st.binary(max_size=8))
        )
        span.parent_span_id = draw(st.binary(max_size=8))
        span.kind = draw(st.integers(0, 5))
        span.start_time_unix_nano = draw(UINT64)
        span.flags = draw(st.integers(0, 2**32 - 1))
        span.status.code = draw(st.integers(0, 2))
        span.attributes.extend(draw(ATTRIBUTES))
        span.links.add(trace_id=draw(st.binary(max_size=16)), span_id=draw(st.binary(max_size=8)))
        span.events.add(name=draw(TEXT), time_unix_nano=draw(UINT64)).attributes.extend(draw(ATTRIBUTES))
    return request


@st.composite
def logs(draw: st.DrawFn) -> ExportLogsServiceRequest:
    """A request of log records."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(trace_id=draw(st.binary(max_size=16)))
    record.body.CopyFrom(any_value(draw(VALUES)))
    record.severity_number = draw(st.integers(0, 24))
    record.time_unix_nano = draw(UINT64)
    return request


@st.composite
def metrics(draw: st.DrawFn) -> ExportMetricsServiceRequest:
    """A request of metrics."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    total = scope.metrics.add(name=draw(TEXT)).sum
    total.aggregation_temporality = draw(st.integers(0, 2))
    total.data_points.add(as_int=draw(INT64)).exemplars.add(
        as_double=draw(st.floats()), span_id=draw(st.binary(max_size=8))
    )
    total.data_points.add(as_double=draw(st.floats())).attributes.extend(draw(ATTRIBUTES))
    histogram = scope.metrics.add().histogram.data_points.add(
        bucket_counts=draw(st.lists(UINT64, max_size=4)), explicit_bounds=draw(st.lists(st.floats(), max_size=4))
    )
    histogram.sum = draw(st.floats())
    exponential = scope.metrics.add().exponential_histogram.data_points.add(scale=draw(st.integers(-10, 20)))
    exponential.positive.bucket_counts.extend(draw(st.lists(UINT64, max_size=4)))
    return request


def same(one: Any, other: Any) -> bool:
    """Whether two messages are the same bytes; a NaN may lose its payload."""
    return _canonical(one.SerializeToString()) == _canonical(other.SerializeToString())


def _canonical(data: bytes) -> bytes:
    for position in range(len(data) - 7):
        (number,) = struct.unpack_from("<d", data, position)
        if math.isnan(number):
            data = data[:position] + struct.pack("<d", math.nan) + data[position + 8 :]
    return data


@pytest.mark.parametrize(
    ("signal", "requests", "kind"),
    [
        ("traces", traces(), ExportTraceServiceRequest),
        ("logs", logs(), ExportLogsServiceRequest),
        ("metrics", metrics(), ExportMetricsServiceRequest),
    ],
)
def test_round_trip(signal: Any, requests: st.SearchStrategy[Any], kind: Any) -> None:
    """Whatever a request holds comes back, and its JSON is one line that any parser reads."""

    @settings(max_examples=60, deadline=None)
    @given(request=requests)
    def check(request: Any) -> None:
        line = otlp_json.from_protobuf(signal, request.SerializeToString())
        json.loads(line, parse_constant=pytest.fail)
        assert b"\n" not in line
        assert same(kind.FromString(otlp_json.to_protobuf(signal, line)), request)

    check()


def test_how_it_is_written() -> None:
    """Ids are hexadecimal, enums numbers, 64-bit integers text, bytes base64, names in camel case."""
    request = ExportTraceServiceRequest()
    span = (
        request.resource_spans.add().scope_spans.add().spans.add(name="é", trace_id=b"\xab" * 16, span_id=b"\xcd" * 8)
    )
    span.kind = 3
    span.start_time_unix_nano = 2**63
    span.attributes.append(KeyValue(key="traceId", value=any_value("kept as it is")))
    span.attributes.append(KeyValue(key="raw", value=any_value(b"\x00\xff")))
    span.attributes.append(KeyValue(key="none", value=any_value(math.nan)))

    written = json.loads(otlp_json.from_protobuf("traces", request.SerializeToString()))

    assert written["resourceSpans"][0]["scopeSpans"][0]["spans"] == [
        {
            "traceId": "ab" * 16,
            "spanId": "cd" * 8,
            "name": "é",
            "kind": 3,
            "startTimeUnixNano": "9223372036854775808",
            "attributes": [
                {"key": "traceId", "value": {"stringValue": "kept as it is"}},
                {"key": "raw", "value": {"bytesValue": "AP8="}},
                {"key": "none", "value": {"doubleValue": "NaN"}},
            ],
        }
    ]


def test_what_is_no_request() -> None:
    """Bytes that are no request, and lines that are none, are a ValueError."""
    with pytest.raises(ValueError, match="traces"):
        otlp_json.from_protobuf("traces", b"\xff\xff")
    for line in (
        b"{",
        b"[]",
        b'{"resourceSpans":7}',
        b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xy"}]}]}]}',
    ):
        with pytest.raises(ValueError):
            otlp_json.to_protobuf("traces", line)


def test_members_that_are_not_known() -> None:
    """A line of a later version is read as far as it is understood."""
    assert otlp_json.to_protobuf("logs", b'{"resourceLogs":[],"later":1}') == b""
