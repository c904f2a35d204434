"""What the sink does over HTTP, seen by a client that is not ours."""

from __future__ import annotations

import gzip
import http.client
import json
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from servers.senders import as_json, post, spans

from aumos_otel.testing import TLS, OTLPSink, Reply, Request

BODY = spans(1, 2, 3).SerializeToString()


def test_takes_and_tells() -> None:
    """A request is answered 200, and the sink has its spans, headers, path and size."""
    with OTLPSink() as sink:
        status, headers, body = post(sink, BODY, x_tenant="acme")

        (request,) = sink.kept("traces")
        assert status == 200
        assert headers["content-type"] == "application/x-protobuf"
        assert ExportTraceServiceResponse.FromString(body) == ExportTraceServiceResponse()
        assert [span.name for span in sink.spans()] == ["span 1", "span 2", "span 3"]
        assert (request.signal, request.path, request.headers["x-tenant"]) == ("traces", "/v1/traces", "acme")
        assert request.size == len(BODY)
        assert time.monotonic() - 10 < request.at < time.monotonic()


def test_json_means_the_same() -> None:
    """OTLP/JSON, with its ids in hex, gives the same records; the answer is JSON."""
    with OTLPSink() as sink:
        post(sink, BODY)
        status, headers, body = post(sink, as_json(spans(1, 2, 3)), content_type="application/json")

        assert (status, headers["content-type"], json.loads(body)) == (200, "application/json", {})
        assert sink.kept()[0].body == sink.kept()[1].body


@pytest.mark.parametrize(
    ("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)]
)
def test_unpacks(encoding: str, pack: Callable[[bytes], bytes]) -> None:
    """A compressed body is kept as what it means, with its size on the wire."""
    with OTLPSink() as sink:
        status, _, _ = post(sink, pack(BODY), content_encoding=encoding)

        assert status == 200
        assert len(sink.spans()) == 3
        assert sink.kept()[0].size == len(pack(BODY))


def test_an_encoding_that_is_not_taken() -> None:
    """415 for an encoding that is not in `encodings`, until it is."""
    with OTLPSink() as sink:
        sink.encodings = {""}
        assert post(sink, gzip.compress(BODY), content_encoding="gzip")[0] == 415
        assert not sink.kept()

        sink.encodings.add("gzip")
        assert post(sink, gzip.compress(BODY), content_encoding="gzip")[0] == 200


def test_a_script_of_steps() -> None:
    """The steps answer one request each, then the usual answer; refused records are not kept."""
    steps = [Reply(503, retry_after=7, message="busy"), Reply(302, headers={"Location": "/x"}), Reply(400, body=b"no")]
    with OTLPSink(script=steps) as sink:
        busy, moved, bad, good = (post(sink, BODY) for _ in range(4))

        assert (busy[0], busy[1]["retry-after"], Status.FromString(busy[2]).message) == (503, "7", "busy")
        assert (moved[0], moved[1]["location"]) == (302, "/x")
        assert (bad[0], bad[2]) == (400, b"no")
        assert good[0] == 200
        assert (sink.arrived, len(sink.requests), len(sink.kept())) == (4, 4, 1)
        assert str(sink.tally("traces")) == "received 3, distinct 3, duplicates 0"


def test_a_script_that_reads() -> None:
    """A function decides by what is in the request; None means as usual."""

    def poison(request: Request) -> Reply | None:
        scope = request.body.resource_spans[0].scope_spans[0]
        return Reply(400) if any(span.name == "span 2" for span in scope.spans) else None

    with OTLPSink(script=poison) as sink:
        assert post(sink, spans(1).SerializeToString())[0] == 200
        assert post(sink, spans(2).SerializeToString())[0] == 400
        assert [span.name for span in sink.spans()] == ["span 1"]


def test_partial_success() -> None:
    """The first n records of a request are refused: the answer says so, and they are not kept."""
    with OTLPSink(script=[Reply(rejected=2, message="two were bad")]) as sink:
        status, _, body = post(sink, BODY)

        told = ExportTraceServiceResponse.FromString(body).partial_success
        assert (status, told.rejected_spans, told.error_message) == (200, 2, "two were bad")
        assert [span.name for span in sink.spans()] == ["span 3"]
        assert sink.tally("traces").received == 1


def test_no_more_are_refused_than_there_are() -> None:
    """An answer that refuses more than the request has refuses all of it."""
    with OTLPSink(script=[Reply(rejected=99)]) as sink:
        _, _, body = post(sink, BODY)

        assert ExportTraceServiceResponse.FromString(body).partial_success.rejected_spans == 3
        assert sink.spans() == []


def test_duplicates_are_counted() -> None:
    """What comes twice is received twice and distinct once."""
    with OTLPSink() as sink:
        for numbers in ((1, 2), (2, 3)):
            post(sink, spans(*numbers).SerializeToString())

        tally = sink.tally("traces")
        assert (tally.received, tally.distinct, tally.duplicates) == (4, 3, 1)
        assert max(sink.ids("traces").values()) == 2


def test_too_large() -> None:
    """A body above the limit is refused with 413, by its size when unpacked."""
    with OTLPSink(max_body=len(BODY)) as sink:
        larger = spans(1, 2, 3, 4).SerializeToString()
        assert post(sink, BODY)[0] == 200
        assert post(sink, gzip.compress(larger), content_encoding="gzip")[0] == 413


@pytest.mark.parametrize("body", [b"\xff\xff", b"{}"])
def test_garbage(body: bytes) -> None:
    """What is no request is answered 400, with the reason; the sink lives on."""
    with OTLPSink() as sink:
        status, _, answer = post(sink, body)

        assert status == 400
        assert "not a request for traces" in Status.FromString(answer).message
        assert post(sink, BODY)[0] == 200


def test_another_path() -> None:
    """A path that ends in no signal is 404."""
    with OTLPSink() as sink, pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{sink.url}/v1/profiles", data=b"")

    with caught.value as answer:
        assert answer.code == 404


def test_late() -> None:
    """A delay comes before the answer; the records are kept at once."""
    with OTLPSink(script=[Reply(delay=0.3)]) as sink:
        started = time.monotonic()
        assert post(sink, BODY)[0] == 200
        assert time.monotonic() - started >= 0.3


def test_drip() -> None:
    """The answer, headers included, comes byte by byte."""
    with OTLPSink(script=[Reply(drip=0.002)]) as sink, socket.create_connection(("127.0.0.1", sink.port)) as sender:
        sender.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        got = [sender.recv(100) for _ in range(20)]

        assert b"".join(got).startswith(b"HTTP/1.1 200 OK")
        assert len(b"".join(got)) < 60


@pytest.mark.parametrize("reset", ["unread", "read", "midway"])
def test_reset(reset: str) -> None:
    """The connection is reset, and nothing is kept; a reset midway cuts an answer that had begun."""
    with OTLPSink(script=[Reply(reset=reset)]) as sink, socket.create_connection(("127.0.0.1", sink.port)) as sender:
        head = b"POST /v1/traces HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY)
        sender.sendall(head + (b"" if reset == "unread" else BODY))
        sender.settimeout(10)

        if reset == "midway":
            assert sender.recv(1000).startswith(b"HTTP/1.1 200")
        with pytest.raises(ConnectionResetError):
            sender.recv(1000)
        assert not sink.kept()
        assert post(sink, BODY)[0] == 200


@pytest.mark.parametrize("keeps", [True, False])
def test_no_answer(*, keeps: bool) -> None:
    """The sender waits until it gives up; whether the records were kept, it cannot know."""
    with OTLPSink(script=[Reply(answers=False, keeps=keeps)]) as sink:
        with pytest.raises(TimeoutError):
            post(sink, BODY, timeout=0.2)

        assert len(sink.spans()) == (3 if keeps else 0)


def test_stopping_ends_what_waits() -> None:
    """stop() ends connections whose answer is outstanding, and leaves no thread."""
    with OTLPSink(script=[Reply(answers=False), Reply(delay=600)]) as sink:
        senders = [socket.create_connection(("127.0.0.1", sink.port)) for _ in range(2)]
        for sender in senders:
            sender.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        sink.wait_for(lambda: sink.arrived == 2)

    for sender in senders:
        with sender:
            sender.settimeout(5)
            assert sender.recv(1) == b""
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("otlp-sink")]


def test_hold_and_release() -> None:
    """Held requests have arrived and are not kept; released, they are answered."""
    with OTLPSink() as sink:
        sink.hold()
        answers: list[int] = []
        sender = threading.Thread(target=lambda: answers.append(post(sink, BODY)[0]))
        sender.start()
        sink.wait_for(lambda: sink.arrived == 1)
        assert not sink.kept()

        sink.release()
        sender.join(10)
        assert (answers, len(sink.kept())) == ([200], 1)


def test_dying_while_it_hangs() -> None:
    """What is held when the sink stops gets no answer and is not kept; what was released before gets one."""
    for released in (False, True):
        sink = OTLPSink()
        with sink:
            sink.hold()
            sender = socket.create_connection(("127.0.0.1", sink.port))
            sender.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
            sink.wait_for(lambda sink=sink: sink.arrived == 1)
            if released:
                sink.release()
        with sender:
            sender.settimeout(5)
            assert sender.recv(12) == (b"HTTP/1.1 200" if released else b"")
        assert sink.tally("traces").received == (3 if released else 0)


def test_keep_alive_and_its_end() -> None:
    """A connection takes several requests; `closes` ends it after the answer."""
    with OTLPSink(script=[Reply(), Reply(closes=True)]) as sink:
        connection = http.client.HTTPConnection("127.0.0.1", sink.port)
        for closing in (None, "close"):
            connection.request("POST", "/v1/traces", BODY)
            with connection.getresponse() as answer:
                assert (answer.status, answer.getheader("connection")) == (200, closing)
        connection.close()
        assert sink.tally("traces").received == 6


def test_stops_and_listens_again() -> None:
    """Stopped, it refuses connections; started again, it listens at the same port and has what it had."""
    sink = OTLPSink()
    with sink:
        post(sink, BODY)
        port = sink.port
    with pytest.raises(urllib.error.URLError, match="refused"):
        post(sink, BODY)

    with sink:
        assert post(sink, BODY)[0] == 200
        assert sink.port == port
        assert sink.tally("traces").received == 6


def test_a_connection_that_slept_ends_with_the_sink() -> None:
    """stop() also ends connections that nobody uses."""
    with OTLPSink() as sink:
        sender = socket.create_connection(("127.0.0.1", sink.port))
        sender.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
        sender.recv(1000)
    with sender:
        sender.settimeout(5)
        assert sender.recv(1) == b""


def test_tls_and_another_certificate(issue: Callable[..., tuple[TLS, Path]]) -> None:
    """A certificate that is swapped while the sink runs is shown to the next connection."""
    (old, old_ca), (new, new_ca) = issue("old"), issue("new")
    with OTLPSink(tls=old) as sink:
        assert sink.url.startswith("https://")
        for swapped, trusted in ((False, old_ca), (True, new_ca)):
            if swapped:
                sink.swap_certificate(new)
            context = ssl.create_default_context(cafile=str(trusted))
            address = ("127.0.0.1", sink.port)
            with (
                socket.create_connection(address) as plain,
                context.wrap_socket(plain, server_hostname="127.0.0.1") as secure,
            ):
                secure.sendall(b"POST /v1/traces HTTP/1.1\r\nContent-Length: 0\r\n\r\n")
                assert secure.recv(100).startswith(b"HTTP/1.1 200")


def test_a_stranger_is_no_failure_of_the_sink(issue: Callable[..., tuple[TLS, Path]]) -> None:
    """A client that does not trust the certificate goes away, and the next one is served."""
    (certificate, ca), (_, other) = issue("server"), issue("other")
    with OTLPSink(tls=certificate) as sink:
        for trusted, expected in ((other, ssl.SSLCertVerificationError), (ca, None)):
            context = ssl.create_default_context(cafile=str(trusted))
            with socket.create_connection(("127.0.0.1", sink.port)) as plain:
                if expected:
                    with pytest.raises(expected):
                        context.wrap_socket(plain, server_hostname="127.0.0.1")
                else:
                    context.wrap_socket(plain, server_hostname="127.0.0.1").close()


def test_light_keeps_numbers_alone() -> None:
    """A light sink counts and compares ids, and holds no request."""
    with OTLPSink(light=True) as sink:
        for _ in range(2):
            post(sink, BODY)

        assert (sink.arrived, sink.requests, sink.kept(), sink.spans()) == (2, [], [], [])
        assert str(sink.tally("traces")) == "received 6, distinct 3, duplicates 3"


def test_a_script_that_raises() -> None:
    """The request is answered 500; stop() raises what the script raised."""

    def broken(_request: Request) -> Reply:
        raise LookupError("typo")

    sink = OTLPSink(script=broken)
    sink.start()
    assert post(sink, BODY)[0] == 500
    with pytest.raises(LookupError, match="typo"):
        sink.stop()


def test_waiting_in_vain_says_what_is_there() -> None:
    """wait_for() fails with the numbers of the sink."""
    with OTLPSink() as sink:
        post(sink, BODY)

        with pytest.raises(AssertionError, match=r"1 requests arrived; traces: received 3, distinct 3"):
            sink.wait_for(lambda: sink.arrived == 2, timeout=0.01)
