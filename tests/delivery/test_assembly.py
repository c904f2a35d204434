"""Requests: put together by who speaks, and divided when they are too large."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from aumos_otel.delivery.assembly import assemble, split
from aumos_otel.delivery.parcel import Group, Parcel
from aumos_otel.delivery.wire import frame

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}


def record(signal: str, number: int) -> Any:
    """One record that knows its number."""
    if signal == "traces":
        return Span(name=str(number), kind=2)
    if signal == "logs":
        return LogRecord(event_name=str(number))
    metric = Metric(name="m", unit="1")
    metric.sum.is_monotonic = True
    metric.sum.data_points.add(as_int=number)
    return metric


def parcel(signal: str, number: int, resource: int = 0, scope: int = 0) -> Parcel:
    """The parcel of a record, from one of several speakers."""
    group = Group(b"\x10" + bytes([resource]), f"r{resource}", b"\x0a\x01" + str(scope).encode(), f"s{scope}")
    return framed(record(signal, number), 1, group)


def framed(message: Any, count: int, group: Group) -> Parcel:
    """A parcel of one message."""
    data = message.SerializeToString()
    return Parcel(frame(len(data)) + data, count, group, valued=False)


def found(signal: str, body: bytes) -> list[tuple[int, int, int]]:
    """Resource, scope and number of each record in a request."""
    seen = []
    for resource in getattr(
        REQUESTS[signal].FromString(body), {"traces": "resource_spans"}.get(signal, f"resource_{signal}")
    ):
        assert resource.schema_url == f"r{resource.resource.dropped_attributes_count}"
        for scope in getattr(resource, {"traces": "scope_spans"}.get(signal, f"scope_{signal}")):
            assert scope.schema_url == f"s{scope.scope.name}"
            key = resource.resource.dropped_attributes_count, int(scope.scope.name)
            if signal == "metrics":
                assert all((each.name, each.unit, each.sum.is_monotonic) == ("m", "1", True) for each in scope.metrics)
                seen += [(*key, point.as_int) for each in scope.metrics for point in each.sum.data_points]
            else:
                names = (
                    [each.name for each in scope.spans]
                    if signal == "traces"
                    else [each.event_name for each in scope.log_records]
                )
                seen += [(*key, int(name)) for name in names]
    return seen


speakers = st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=20)


@pytest.mark.parametrize("signal", REQUESTS)
@settings(deadline=None, max_examples=50)
@given(speakers)
def test_each_record_arrives_under_who_said_it(signal: str, said: list[tuple[int, int]]) -> None:
    """A request has each record once, under its resource and scope, and each of those once."""
    body = assemble([parcel(signal, number, *speaker) for number, speaker in enumerate(said)])

    seen = found(signal, body)

    assert sorted(seen) == sorted((*speaker, number) for number, speaker in enumerate(said))
    scopes = [each[:2] for each in seen]
    assert [pair for at, pair in enumerate(scopes) if at == 0 or scopes[at - 1] != pair] == list(dict.fromkeys(scopes))


@pytest.mark.parametrize("signal", REQUESTS)
@settings(deadline=None, max_examples=50)
@given(speakers)
def test_halves(signal: Any, said: list[tuple[int, int]]) -> None:
    """The halves of a request have all of its records in order, and say how many."""
    body = assemble([parcel(signal, number, *speaker) for number, speaker in enumerate(said)])

    parts = split(signal, body)

    if len(said) < 2:
        assert parts == []
        return
    (first, some), (second, others) = parts
    assert found(signal, first) + found(signal, second) == found(signal, body)
    assert (some, others) == (len(said) // 2, len(said) - len(said) // 2)
    assert (len(found(signal, first)), len(found(signal, second))) == (some, others)


def test_the_points_of_one_metric_are_divided() -> None:
    """A metric with several points is divided between its points, with all that they have in common."""
    metric = record("metrics", 0)
    for number in range(1, 5):
        metric.sum.data_points.add(as_int=number)
    group = Group(b"", "r0", b"\x0a\x010", "s0")

    parts = split("metrics", assemble([framed(metric, 5, group)]))

    assert [count for _, count in parts] == [2, 3]
    assert [[number for *_, number in found("metrics", body)] for body, _ in parts] == [[0, 1], [2, 3, 4]]


def test_down_to_single_records() -> None:
    """Divided again and again, a request ends as one request a record."""
    waiting = [(assemble([parcel("logs", number, number % 2) for number in range(37)]), 37)]
    single = []
    while waiting:
        body, _ = waiting.pop()
        parts = split("logs", body)
        waiting += parts
        single += [] if parts else [body]

    assert len(single) == 37
    assert sorted(number for body in single for *_, number in found("logs", body)) == list(range(37))


def test_an_empty_request() -> None:
    """Without records there is nothing to say."""
    assert assemble([]) == b""


@pytest.mark.parametrize("count", [1, 10, 512])
def test_the_size_of_a_request(count: int) -> None:
    """A request is hardly larger than its records: batches may be measured by those."""
    parcels = [parcel("traces", number) for number in range(count)]

    assert len(assemble(parcels)) <= sum(len(each.data) + 4 for each in parcels) + 40
