"""The HTTP transport against a receiver that does what it is told, and against sockets that do worse."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from google.protobuf.json_format import MessageToJson
from servers.senders import spans
from servers.sockets import Listener
from servers.targets import soon

from aumos_otel import guard
from aumos_otel.delivery.http import HTTPTransport
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.testing import OTLPSink, Reply
from aumos_otel.testing.request import RESPONSES

BODY = spans(1, 2, 3).SerializeToString()
LARGE = spans(*range(200_000)).SerializeToString()  # more than the buffers of two sockets


def test_a_request_that_is_taken(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A request arrives as it was given, with our name and the user's headers."""
    transport = connect(sink.url, headers={"x-team": "red", "Content-Type": "text/plain", "host": "other.example"})

    assert transport.send(BODY, soon()) == Outcome("accepted")

    (request,) = sink.requests
    assert request.content == BODY
    assert request.headers["content-type"] == "application/x-protobuf"
    assert request.headers["x-team"] == "red"
    assert request.headers["host"] == "other.example"
    assert request.headers["user-agent"].startswith("aumos-otel-OTLP-Exporter-Python/")


def test_one_connection(connect: Callable[..., HTTPTransport]) -> None:
    """Requests that follow each other use the same connection."""
    with Listener(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as listener:
        transport = connect(listener.url)

        assert [transport.send(BODY, soon()).kind for _ in range(5)] == ["accepted"] * 5

        assert listener.accepted == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (200, "accepted"),
        (202, "accepted"),
        (204, "accepted"),
        (301, "rejected"),
        (302, "rejected"),
        (304, "rejected"),
        (307, "rejected"),
        (400, "rejected"),
        (401, "rejected"),
        (403, "rejected"),
        (404, "rejected"),
        (405, "rejected"),
        (408, "rejected"),
        (413, "too_large"),
        (415, "rejected"),
        (429, "retry"),
        (499, "rejected"),
        (500, "rejected"),
        (501, "rejected"),
        (502, "retry"),
        (503, "retry"),
        (504, "retry"),
        (599, "rejected"),
    ],
)
def test_statuses(status: int, kind: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """Only 2xx is success, only what the specification names is tried again, and an answer is never ambiguous."""
    sink.reply = Reply(status)

    outcome = connect(sink.url).send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == (kind, False)
    assert outcome.message.startswith(f"HTTP {status}") or kind == "accepted"


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
def test_the_reason_of_a_refusal(protocol: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """What the receiver says about a refusal is in the message, on one line."""
    sink.reply = Reply(400, message="no such\r\ntenant")

    outcome = connect(sink.url, protocol=protocol).send(BODY, soon())

    assert outcome.message == "HTTP 400 Bad Request: no such tenant"


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json"])
@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
def test_partial_success(
    signal_name: str, protocol: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]
) -> None:
    """What an accepted request lost is counted, and told."""
    kind, field = RESPONSES[signal_name]
    answer = kind()
    setattr(answer.partial_success, field, 7)
    answer.partial_success.error_message = "too old"
    body = MessageToJson(answer).encode() if protocol == "http/json" else answer.SerializeToString()
    sink.reply = Reply(body=body)

    outcome = connect(sink.url, signal=signal_name, protocol=protocol).send(b"", soon())

    assert outcome == Outcome("accepted", rejected=7, message="too old")


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body=b"<html>welcome</html>", headers={"Content-Type": "text/html"}),
        Reply(body=b"\xff\xff\xff"),
        Reply(body=b"{", headers={"Content-Type": "application/json"}),
        Reply(body=b"[1]", headers={"Content-Type": "application/json"}),
        Reply(body=b'{"partialSuccess":{"rejectedSpans":"many"}}', headers={"Content-Type": "application/json"}),
        Reply(body=b"", headers={"Content-Length": "10"}, closes=True),
    ],
)
def test_a_body_that_makes_no_sense(reply: Reply, sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A 2xx is success whatever its body is worth; the message says that something is odd."""
    sink.reply = reply

    outcome = connect(sink.url).send(BODY, soon())

    assert (outcome.kind, outcome.rejected) == ("accepted", 0)
    assert outcome.message.startswith("HTTP 200 OK, but ")


def test_a_redirect_is_not_followed(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A redirect is a refusal that names where it points, without the query, which may hold a key."""
    sink.reply = Reply(302, headers={"Location": "https://user:hush@elsewhere.example/v1/traces?key=hush"})

    outcome = connect(sink.url).send(BODY, soon())

    assert outcome.kind == "rejected"
    assert "elsewhere.example" in outcome.message
    assert "hush" not in outcome.message
    assert sink.arrived == 1


def test_a_body_limit_of_go(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """The collector answers a body over its limit with 400: that is too large, too."""
    sink.reply = Reply(400, message="http: request body too large")

    assert connect(sink.url).send(BODY, soon()).kind == "too_large"


def moment(seconds: float) -> str:
    """A date of HTTP, that long from now."""
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "least", "most"),
    [
        ({"Retry-After": "7"}, 7, 7),
        ({"Retry-After": "0"}, 0, 0),
        ({"Retry-After": 40.0}, 20, 41),
        ({"Retry-After": -40.0}, 0, 0),
        ({"Retry-After": 3640.0, "Date": 3600.0}, 39, 41),
        ({"Retry-After": "9" * 400}, 1e8, 1e9),
    ],
)
def test_retry_after(
    headers: dict[str, str | float], least: float, most: float, sink: OTLPSink, connect: Callable[..., HTTPTransport]
) -> None:
    """The receiver says when to come back, in seconds or as a date of its own clock (here: so many seconds from now)."""
    sink.reply = Reply(
        503, headers={name: value if isinstance(value, str) else moment(value) for name, value in headers.items()}
    )

    retry_after = connect(sink.url).send(BODY, soon()).retry_after

    assert retry_after is not None
    assert least <= retry_after <= most


@pytest.mark.parametrize("value", ["", "soon", "-5", "1.5", "٣", "Mon, 99 Foo 2020", "\xff"])
def test_a_retry_after_that_is_none(value: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """What cannot be read is passed over."""
    sink.reply = Reply(429, headers={"Retry-After": value} if value.isascii() else {"Retry-After": "\xb2"})

    outcome = connect(sink.url).send(BODY, soon())

    assert (outcome.kind, outcome.retry_after) == ("retry", None)


def test_nobody_is_there(connect: Callable[..., HTTPTransport]) -> None:
    """A refused connection may be tried again and was certainly not received; the message says where."""
    outcome = connect("http://127.0.0.1:9").send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert outcome.message == "127.0.0.1:9: connection refused; is the collector running there?"


def test_an_unknown_name(connect: Callable[..., HTTPTransport], monkeypatch: pytest.MonkeyPatch) -> None:
    """A name that is not resolved is told as that."""

    def unknown(*_arguments: object, **_options: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)

    outcome = connect("http://collector.invalid:4318").send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert "collector.invalid:4318: the name is not resolved" in outcome.message


def test_path_and_query(connect: Callable[..., HTTPTransport]) -> None:
    """What an endpoint has beside the host is sent, and cannot break the request line."""
    with Listener(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") as listener:
        connect(f"{listener.url}/ü tlp?key=a b", signal="traces").send(BODY, soon())

        assert listener.received[0].startswith(b"POST /%C3%BC%20tlp?key=a%20b/v1/traces HTTP/1.1\r\n")


@pytest.mark.parametrize(("name", "encoding"), [("gzip", "gzip"), ("deflate", "deflate"), ("none", "")])
def test_compression(name: str, encoding: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A body is compressed as asked for."""
    connect(sink.url, compression=name).send(BODY, soon())

    (request,) = sink.requests
    assert (request.encoding, request.content) == (encoding, BODY)


def test_json(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A request in JSON says the same."""
    assert connect(sink.url, protocol="http/json", compression="gzip").send(BODY, soon()) == Outcome("accepted")

    (request,) = sink.requests
    assert request.headers["content-type"] == "application/json"
    assert request.body == spans(1, 2, 3)


def test_a_body_that_is_no_request(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A body that cannot be written as JSON is refused and not tried for ever; the transport lives on."""
    transport = connect(sink.url, protocol="http/json")

    assert transport.send(b"\xff\xff", soon()).kind == "rejected"
    assert transport.send(BODY, soon()).kind == "accepted"


@pytest.mark.parametrize("status", [400, 415])
def test_a_receiver_that_does_not_know_zstd(
    status: int, sink: OTLPSink, connect: Callable[..., HTTPTransport], caplog: pytest.LogCaptureFixture
) -> None:
    """A receiver that refuses zstd gets gzip at once and from then on, which is told once."""
    pytest.importorskip("zstandard")
    sink.script = lambda request: Reply(status) if request.encoding == "zstd" else None
    transport = connect(sink.url, compression="zstd")

    outcomes = [transport.send(BODY, soon()) for _ in range(3)]

    assert outcomes == [Outcome("accepted")] * 3
    assert [request.encoding for request in sink.requests] == ["zstd", "gzip", "gzip", "gzip"]
    assert [record.getMessage() for record in caplog.records] == [
        f"127.0.0.1:{sink.port} does not take zstd; it gets gzip from now on"
    ]


def test_a_refusal_that_is_not_about_zstd(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A body that is refused with gzip, too, says nothing about zstd."""
    pytest.importorskip("zstandard")
    sink.script = [Reply(400, message="bad"), Reply(400, message="bad")]
    transport = connect(sink.url, compression="zstd")

    assert transport.send(BODY, soon()).message == "HTTP 400 Bad Request: bad"
    assert transport.send(BODY, soon()).kind == "accepted"
    assert [request.encoding for request in sink.requests] == ["zstd", "gzip", "zstd"]


def test_close_ends_a_request(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """Closing from another thread ends a request that waits, and does not begin another."""
    transport = connect(sink.url)
    assert transport.send(BODY, soon()).kind == "accepted"
    sink.hold()
    outcomes: list[Outcome] = []
    sender = threading.Thread(target=lambda: outcomes.append(transport.send(BODY, soon(60))))
    sender.start()
    sink.wait_for(lambda: sink.arrived == 2)

    transport.close()
    sender.join(10)

    assert not sender.is_alive()
    assert outcomes[0].kind == "retry"
    assert "the connection was closed" in outcomes[0].message
    sink.release()
    assert transport.send(BODY, soon()).kind == "accepted"


def test_a_fork(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A forked child closes its copy and opens its own; the connection of the parent stays as it is."""
    transport = connect(sink.url)
    assert transport.send(BODY, soon()).kind == "accepted"
    transport._lock.acquire()  # as if another thread of the parent were sending
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        transport.close()
        os._exit(0 if transport.send(BODY, soon()).kind == "accepted" else 1)
    _, status = os.waitpid(child, 0)
    transport._lock.release()

    assert status == 0
    assert transport._connection.is_alive()
    assert transport.send(BODY, soon()).kind == "accepted"
    assert sink.arrived == 3


def test_a_defect_of_ours(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """Whatever goes wrong inside is an outcome: it may be tried again, and not for ever."""
    transport = connect(sink.url)
    transport._compress = lambda _body: 1 / 0
    strict = guard.set_strict(False)
    try:
        outcome = transport.send(BODY, soon())
    finally:
        guard.set_strict(strict)

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)
