"""How records are told apart, and taken out of a request."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from servers.senders import spans

from aumos_otel.semconv import attributes as names
from aumos_otel.testing import OTLPSink, Reply, refuse
from aumos_otel.testing.records import discard, ids, value


def test_spans_have_ids() -> None:
    """A span is told by its trace and span id."""
    (found,) = ids(spans(7))

    assert found == f"{1:032x}-{7:016x}"


def test_log_records_with_an_id_and_without() -> None:
    """A log record is told by its record id, or else by time and body."""
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    plain = scope.log_records.add(time_unix_nano=5)
    plain.body.string_value = "hello"
    named = scope.log_records.add(time_unix_nano=5)
    named.attributes.add(key=names.LOG_RECORD_UID).value.string_value = "r-1"

    assert list(ids(request)) == ["5:hello", "r-1"]


def test_points_of_all_kinds() -> None:
    """A point is told by metric, attributes and time; a metric counts as many records as it has points."""
    request = ExportMetricsServiceRequest()
    scope = request.resource_metrics.add().scope_metrics.add()
    total = scope.metrics.add(name="orders").sum
    for shop in ("a", "b"):
        point = total.data_points.add(time_unix_nano=9)
        point.attributes.add(key="shop").value.string_value = shop
    scope.metrics.add(name="latency").exponential_histogram.data_points.add(time_unix_nano=9)
    scope.metrics.add(name="empty")

    assert list(ids(request)) == ["orders[('shop', 'a')]@9", "orders[('shop', 'b')]@9", "latency[]@9"]


def test_discarding_crosses_lists() -> None:
    """The first n records go, from however many scopes they are in."""
    request = spans(1, 2)
    request.MergeFrom(spans(3, 4))
    discard(request, 3)

    assert [found[-1] for found in ids(request)] == ["4"]


def test_values() -> None:
    """Lists, maps and nothing become what they are in Python."""
    request = ExportLogsServiceRequest()
    body = request.resource_logs.add().scope_logs.add().log_records.add().body
    assert value(body) is None

    items = body.kvlist_value.values
    items.add(key="list").value.array_value.values.add().int_value = 1
    items.add(key="flag").value.bool_value = True
    assert value(body) == {"list": [1], "flag": True}


def test_a_random_share_is_refused() -> None:
    """The same seed refuses the same requests; the share is what was asked for."""
    script = refuse(0.7, seed=3, reply=Reply(429))
    refused = [script(None) for _ in range(1000)]
    assert {reply.status for reply in refused if reply} == {429}
    assert sum(reply is not None for reply in refused) == pytest.approx(700, abs=50)
    again = refuse(0.7, seed=3, reply=Reply(429))
    assert [again(None) for _ in range(1000)] == refused


def test_a_script_can_be_set_anew() -> None:
    """Setting the script begins it anew."""
    sink = OTLPSink(script=[Reply(400)])
    sink.script = [Reply(503)]

    assert sink.script(None) == Reply(503)
    assert sink.script(None) is None
