"""The receiver over real HTTP: encodings, limits, refusals, and what an acknowledgement means."""

from __future__ import annotations

import base64
import gzip
import json
import socket
import sqlite3
import threading

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from aumos_otel.local import receiver, store, wire

from .conftest import JSON, NOW, TRACE, log, logs, metrics, span, traces

PROTOBUF = {"Content-Type": "application/x-protobuf"}


def protobuf_request(*names: str) -> ExportTraceServiceRequest:
    """A traces request with a span a name."""
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number, name in enumerate(names, 1):
        spans.add(trace_id=bytes([7] * 16), span_id=bytes([number] * 8), name=name, start_time_unix_nano=NOW, end_time_unix_nano=NOW + 5)  # fmt: skip
    return request


def test_protobuf_is_answered_in_protobuf(backend):
    """A protobuf request is stored and answered with an empty protobuf response."""
    answer = backend.send("traces", protobuf_request("one", "two").SerializeToString(), PROTOBUF)
    assert (answer.status_code, answer.headers["content-type"], answer.content) == (200, "application/x-protobuf", b"")
    assert backend.store.totals().spans == 2


def test_json_is_answered_in_json_and_ids_are_hex(backend):
    """OTLP/JSON carries hexadecimal ids, enumerations as numbers and 64-bit numbers as text."""
    answer = backend.send("traces", traces(span("b7ad6b7169203331", parent="00f067aa0ba902b7", kind=2)))
    assert (answer.status_code, answer.json()) == (200, {})
    stored = backend.store.trace(TRACE).spans[0]
    assert (stored.span_id, stored.parent_id, stored.kind) == ("b7ad6b7169203331", "00f067aa0ba902b7", 2)


def test_json_may_name_fields_that_this_version_does_not_know(backend):
    """Unknown fields are ignored, as the specification demands."""
    body = traces(span("b" * 16, futureField={"deep": [1]})) | {"anotherFuture": True}
    assert backend.send("traces", body).status_code == 200
    assert backend.store.totals().spans == 1


def test_attribute_keys_that_look_like_ids_are_left_alone(backend):
    """An attribute called traceId keeps its text; only id fields are hexadecimal."""
    backend.send("traces", traces(span("b" * 16, given={"traceId": "not hex", "spanId": "zz"})))
    assert backend.store.trace(TRACE).spans[0].attributes == {"traceId": "not hex", "spanId": "zz"}


def test_gzip_in_several_members_is_read(backend):
    """Gzip bodies are unpacked, also when they were written in pieces."""
    content = protobuf_request("one", "two").SerializeToString()
    packed = gzip.compress(content[:20]) + gzip.compress(content[20:])
    assert backend.send("traces", packed, PROTOBUF | {"Content-Encoding": "gzip"}).status_code == 200
    assert backend.store.totals().spans == 2


def test_an_empty_protobuf_request_is_a_request_for_nothing(backend):
    """No bytes are an empty protobuf message, which is acknowledged."""
    assert backend.send("logs", b"", PROTOBUF).status_code == 200


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"\xff\xff\xff", PROTOBUF),
        (b"{", JSON),
        (b"", JSON),
        (b"[1]", JSON),
        (b"[" * 100_000, JSON),
        (json.dumps(traces(span("not hex at all"))).encode(), JSON),
        (b'{"resourceSpans": 3}', JSON),
        (b'{"resourceSpans": [{"scopeSpans": [{"spans": [{"name": "\\ud800"}]}]}]}', JSON),
        (b"not gzip", PROTOBUF | {"Content-Encoding": "gzip"}),
        (gzip.compress(b"x" * 99)[:-9], PROTOBUF | {"Content-Encoding": "gzip"}),
    ],
    ids=["protobuf", "json", "empty", "list", "deep", "id", "type", "surrogate", "gzip", "cut off"],
)
def test_bad_data_is_a_400_with_a_status(backend, body, headers):
    """What cannot be read is refused with google.rpc.Status in the request's encoding, and not to be retried."""
    answer = backend.send("traces", body, headers)
    assert answer.status_code == 400
    assert "retry-after" not in answer.headers
    assert answer.headers["content-type"] == headers["Content-Type"]
    if headers["Content-Type"] == "application/json":
        code, message = answer.json()["code"], answer.json()["message"]
    else:
        status = Status.FromString(answer.content)
        code, message = status.code, status.message
    assert code == 3
    assert "valid" in message
    assert backend.store.totals().spans == 0


@pytest.mark.parametrize("headers", [{}, {"Content-Type": "text/plain"}, JSON | {"Content-Encoding": "br"}])
def test_other_encodings_are_a_415(backend, headers):
    """Content types and compressions that OTLP does not have are named in a 415."""
    answer = backend.send("traces", b"{}", headers)
    assert answer.status_code == 415
    assert "expected" in answer.json()["message"]


def test_a_parameter_of_the_content_type_does_not_matter(backend):
    """``application/json; charset=utf-8`` is JSON."""
    assert backend.send("logs", logs(log("hi")), {"Content-Type": "Application/JSON; charset=utf-8"}).status_code == 200


def test_too_large_a_body_is_a_413(backend, monkeypatch):
    """A body beyond the cap is refused while it is read."""
    monkeypatch.setattr(wire, "MAX_COMPRESSED", 1000)
    assert backend.send("traces", b" " * 1001, JSON).status_code == 413


def test_a_gzip_bomb_is_a_413(backend, monkeypatch):
    """A small body that unpacks beyond the cap is refused at the cap."""
    monkeypatch.setattr(wire, "MAX_DECOMPRESSED", 100_000)
    answer = backend.send("traces", gzip.compress(b" " * 50_000_000), JSON | {"Content-Encoding": "gzip"})
    assert answer.status_code == 413


def test_unusable_records_are_counted_and_their_neighbors_kept(backend):
    """A span without an id, or from beyond 2^63, is rejected in partial_success; the rest is stored."""
    far = str(2**64 - 1)
    body = traces(span("b" * 16), span(""), span("c" * 16, trace="0" * 32), span("d" * 16, endTimeUnixNano=far))
    answer = backend.send("traces", body).json()["partialSuccess"]
    assert answer["rejectedSpans"] == "3"
    assert "span id" in answer["errorMessage"]
    assert "trace id" in answer["errorMessage"]
    assert backend.store.totals().spans == 1


def test_partial_success_of_metrics_counts_points(backend):
    """A metric without a name loses its points; they are counted."""
    points = {"dataPoints": [{"timeUnixNano": "1", "asInt": "5"}, {"timeUnixNano": "2", "asDouble": 0.5}]}
    answer = backend.send("metrics", metrics({"name": "", "gauge": points}, {"name": "kept", "gauge": points}))
    assert answer.json()["partialSuccess"]["rejectedDataPoints"] == "2"
    assert backend.store.totals().metric_points == 2


def test_a_log_without_a_usable_trace_id_is_kept(backend):
    """Logs outside a trace are the rule, not an error."""
    answer = backend.send("logs", logs(log("alone", traceId="abcd", spanId=""), log("zero", traceId="0" * 32)))
    assert answer.json() == {}
    assert [found.trace_id for found in backend.store.logs()] == [None, None]


def test_a_span_that_comes_twice_is_stored_once(backend):
    """Senders retry: totals count distinct spans, whatever else is in the second request."""
    backend.send("traces", traces(span("a" * 16), span("b" * 16, error="boom")))
    backend.send("traces", traces(span("b" * 16, error="boom"), span("c" * 16)))
    summary = backend.store.traces()[0]
    assert (backend.store.totals().spans, summary.spans, summary.errors) == (3, 3, 1)


def test_a_request_that_comes_twice_is_taken_once(backend):
    """Log records have no id: a retried request is known by its bytes, and acknowledged again."""
    body = logs(log("once"), log("bad", timeUnixNano=str(2**64 - 1)))
    first, second = backend.send("logs", body), backend.send("logs", body)
    assert first.json() == second.json() == {"partialSuccess": {"rejectedLogRecords": "1", "errorMessage": "time beyond 2^63"}}  # fmt: skip
    assert backend.store.totals().logs == 1


def test_an_acknowledged_record_is_committed(backend):
    """When the answer is there, another connection to the file sees the data."""
    for number in range(1, 20):
        backend.send("traces", traces(span(f"{number:016x}")))
        with sqlite3.connect(backend.store.path) as other:
            assert other.execute("SELECT count(*) FROM spans").fetchone()[0] == number
        other.close()


def test_a_full_queue_is_a_429_that_says_when_to_come_back(backend, monkeypatch):
    """While the writer is held up, requests beyond the queue get 429 and Retry-After; the waiting ones are stored."""
    held, go_on = threading.Event(), threading.Event()
    decode = wire.decode

    def slow(body):
        held.set()
        assert go_on.wait(20)
        return decode(body)

    monkeypatch.setattr(wire, "decode", slow)
    waiting = [backend.store.submit(wire.Body(wire.Signal.TRACES, wire.JSON, "identity", b"{}"))]
    assert held.wait(20)
    body = json.dumps(traces(span("e" * 16))).encode()
    waiting += [backend.store.submit(wire.Body(wire.Signal.TRACES, wire.JSON, "identity", body)) for _ in range(store.MAX_WAITING)]  # fmt: skip
    answer = backend.send("traces", traces(span("f" * 16)))
    go_on.set()
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (429, "1", 8)
    assert all(work.result(20) == wire.Outcome() for work in waiting)
    assert backend.store.totals().spans == 1


def test_too_much_at_once_is_a_429(backend, monkeypatch):
    """The bytes of all requests in flight are bounded."""
    monkeypatch.setattr(receiver, "MAX_IN_FLIGHT", 100)
    assert backend.send("traces", traces(span("f" * 16))).status_code == 429
    monkeypatch.undo()
    assert backend.send("traces", traces(span("f" * 16))).status_code == 200


def test_a_database_that_cannot_be_written_is_a_503(backend):
    """While another process holds the file locked for too long, senders are told to come back, then served."""
    backend.store._connection.execute("PRAGMA busy_timeout = 10")
    with sqlite3.connect(backend.store.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        answer = backend.send("traces", traces(span("f" * 16)))
        assert (answer.status_code, answer.headers["retry-after"], answer.json()["code"]) == (503, "1", 14)
        other.execute("ROLLBACK")
    other.close()
    assert backend.send("traces", traces(span("f" * 16))).status_code == 200
    assert backend.store.totals().spans == 1


@pytest.mark.parametrize("origin", ["https://evil.example", "null", "http://localhost.evil.example", "http://127.0.0.1@evil.example"])  # fmt: skip
def test_pages_of_other_sites_may_not_send(backend, origin):
    """A browser names its page's origin: other sites are refused."""
    assert backend.send("traces", traces(span("f" * 16)), JSON | {"Origin": origin}).status_code == 403
    assert backend.store.totals().spans == 0


def test_pages_of_this_machine_may_send(backend):
    """A page under development on localhost is no stranger."""
    assert backend.send("traces", traces(span("f" * 16)), JSON | {"Origin": "http://localhost:3000"}).status_code == 200


def test_other_paths_and_methods_say_what_is_right(backend):
    """A sender with the wrong path learns it from the status, a person from the greeting."""
    base = backend.server.otlp_url
    assert backend.client.get(f"{base}/v1/traces").status_code == 405
    assert backend.client.post(f"{base}/v1/spans").status_code == 404
    assert "/v1/traces" in backend.client.get(base).text


def test_a_sender_that_hangs_up_does_no_harm(backend):
    """A connection that breaks in the middle of a body leaves the receiver serving."""
    host, port = backend.server.otlp_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as sock:
        sock.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
    assert backend.send("traces", traces(span("f" * 16))).status_code == 200


def test_bytes_in_attributes_are_kept_as_base64(backend):
    """Attribute values of every kind come back as JSON has them."""
    value = {"kvlistValue": {"values": [{"key": "raw", "value": {"bytesValue": base64.b64encode(b"\0\1").decode()}}, {"key": "nan", "value": {"doubleValue": "NaN"}}, {"key": "none", "value": {}}]}}  # fmt: skip
    backend.send("traces", traces(span("f" * 16, attributes=[{"key": "nested", "value": value}])))
    assert backend.store.trace(TRACE).spans[0].attributes == {"nested": {"raw": "AAE=", "nan": "NaN", "none": None}}


def test_responses_are_the_messages_of_the_specification():
    """A rejection count goes into the field of its signal."""
    outcome = wire.Outcome(2, "because")
    answer = ExportTraceServiceResponse.FromString(wire.encode_outcome(wire.Signal.TRACES, wire.PROTOBUF, outcome))
    assert (answer.partial_success.rejected_spans, answer.partial_success.error_message) == (2, "because")
    answer = ExportLogsServiceResponse.FromString(wire.encode_outcome(wire.Signal.LOGS, wire.PROTOBUF, outcome))
    assert answer.partial_success.rejected_log_records == 2
