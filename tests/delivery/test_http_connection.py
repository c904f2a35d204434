"""The HTTP transport's connection: deadlines, resets, framings, addresses, against sockets that do worse."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

import pytest
from servers.senders import spans
from servers.sockets import Listener
from servers.targets import soon

from aumos_otel.delivery import connection
from aumos_otel.delivery.http import HTTPTransport
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.testing import OTLPSink, Reply

BODY = spans(1, 2, 3).SerializeToString()
LARGE = spans(*range(200_000)).SerializeToString()  # more than the buffers of two sockets


def timed(transport: HTTPTransport, body: bytes, seconds: float) -> tuple[Outcome, float]:
    """An outcome, and how long past its deadline it came."""
    deadline = time.monotonic() + seconds
    outcome = transport.send(body, deadline)
    return outcome, time.monotonic() - deadline


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (Reply(answers=False), "retry"),
        (Reply(drip=0.01, message="x" * 900), "accepted"),
        (Reply(drip=0.2), "retry"),
        (Reply(delay=5.0), "retry"),
    ],
)
def test_the_deadline_is_for_all_of_it(
    reply: Reply, kind: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]
) -> None:
    """A receiver that hangs, is slow, or drips header or body, is left at the deadline."""
    sink.reply = reply

    outcome, late = timed(connect(sink.url), BODY, 3.0 if kind == "accepted" else 0.5)

    assert 0 <= late < 1.0
    assert outcome.kind == kind
    assert outcome.ambiguous is (kind == "retry")


def test_a_receiver_that_does_not_read(connect: Callable[..., HTTPTransport]) -> None:
    """A request that never went out completely cannot have been received."""
    with Listener(None) as listener:
        outcome, late = timed(connect(listener.url), LARGE, 0.5)

    assert 0 <= late < 1.0
    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert outcome.message.endswith("the request could not be sent in time")


def test_a_deadline_that_has_passed(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """Without any time left nothing is sent."""
    outcome = connect(sink.url).send(BODY, soon(-1))

    assert (outcome.kind, outcome.ambiguous, sink.arrived) == ("retry", False, 0)


@pytest.mark.parametrize("reset", ["read", "midway"])
def test_a_reset(reset: str, sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A connection that breaks after the request went out leaves us not knowing."""
    sink.reply = Reply(reset=reset)

    outcome = connect(sink.url).send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)


def test_a_connection_that_was_closed_while_idle(sink: OTLPSink, connect: Callable[..., HTTPTransport]) -> None:
    """A kept connection that the peer has closed is opened again, which is no failure."""
    transport = connect(sink.url)
    assert transport.send(BODY, soon()).kind == "accepted"
    sink.stop()
    sink.start()

    assert transport.send(BODY, soon()) == Outcome("accepted")


def test_a_connection_that_is_closed_in_the_moment_of_use(connect: Callable[..., HTTPTransport]) -> None:
    """A kept connection that closes instead of answering is replaced at once."""
    answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"
    with Listener(answer, b"", answer) as listener:
        transport = connect(listener.url)
        assert transport.send(BODY, soon()).kind == "accepted"

        assert transport.send(BODY, soon()) == Outcome("accepted")

        assert listener.accepted == 2


def test_a_connection_that_never_answers_twice(connect: Callable[..., HTTPTransport]) -> None:
    """If nobody is there any more, the request that went out first may still have arrived."""
    with Listener(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", b"") as listener:
        transport = connect(listener.url)
        assert transport.send(BODY, soon()).kind == "accepted"
        listener.refuse()

        outcome = transport.send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)
    assert "connection refused" in outcome.message


def test_an_answer_before_the_end_of_the_request(connect: Callable[..., HTTPTransport]) -> None:
    """A receiver that refuses a large body before it has read it is understood."""
    with Listener(b"HTTP/1.1 413 Payload Too Large\r\ncontent-length: 0\r\n\r\n", reads=False) as listener:
        outcome = connect(listener.url).send(LARGE, soon())

    assert outcome.kind in {"too_large", "retry"}  # a reset may overtake the answer
    assert outcome.ambiguous is False


@pytest.mark.parametrize(
    "answer",
    [
        b"\x00\x00\x12\x04\x00\x00\x00\x00\x00",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"HTTP/1.1 abc\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * 100_000 + b"\r\n\r\n",
    ],
)
def test_an_answer_that_is_none(answer: bytes, connect: Callable[..., HTTPTransport]) -> None:
    """Something that does not speak HTTP/1.1 is told as that."""
    with Listener(answer, closes=True) as listener:
        outcome = connect(listener.url).send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)
    assert "not HTTP/1.1" in outcome.message


def test_an_answer_without_end(connect: Callable[..., HTTPTransport]) -> None:
    """Of an answer of a gigabyte no more than the limit is read, and the connection is given up."""
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 1000000000\r\n\r\n"
    with Listener(head, endless=True) as listener:
        transport = connect(listener.url)

        outcome = transport.send(BODY, soon())
        listener.wait_for_end()

    assert outcome.kind == "accepted"
    assert listener.sent < 64 * connection.LONGEST_ANSWER


@pytest.mark.parametrize("framing", ["chunked", "until the end"])
def test_framings(framing: str, connect: Callable[..., HTTPTransport]) -> None:
    """An answer may come in chunks, or end with the connection."""
    content = b'{"partialSuccess":{"rejectedSpans":"2"}}'
    head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json; charset=utf-8\r\n"
    if framing == "chunked":
        answer = head + b"transfer-encoding: chunked\r\n\r\n28\r\n" + content + b"\r\n0\r\n\r\n"
    else:
        answer = head + b"connection: close\r\n\r\n" + content
    with Listener(answer, closes=framing != "chunked") as listener:
        assert connect(listener.url).send(BODY, soon()) == Outcome("accepted", rejected=2)


def test_continue_is_no_answer(connect: Callable[..., HTTPTransport]) -> None:
    """An interim answer is passed over."""
    with Listener(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n") as listener:
        assert connect(listener.url).send(BODY, soon()) == Outcome("accepted")


def test_the_wall_clock_does_not_matter(
    sink: OTLPSink, connect: Callable[..., HTTPTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clock that jumps neither ends an attempt nor keeps it alive."""
    monkeypatch.setattr(time, "time", lambda: 0.0)
    sink.reply = Reply(answers=False)

    outcome, late = timed(connect(sink.url), BODY, 0.3)

    assert outcome.kind == "retry"
    assert 0 <= late < 1.0


def test_an_address_of_version_6(connect: Callable[..., HTTPTransport]) -> None:
    """An IPv6 address works and is written in brackets."""
    with Listener(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", host="::1") as listener:
        assert connect(f"http://[::1]:{listener.port}").send(BODY, soon()) == Outcome("accepted")

        assert f"host: [::1]:{listener.port}".encode() in listener.received[0]


def test_the_second_address_of_a_name(
    sink: OTLPSink, connect: Callable[..., HTTPTransport], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name with two addresses is reached when only one of them answers."""
    resolve = socket.getaddrinfo

    def twice(_host: str, port: int, **options: object) -> list[object]:
        return [*resolve("127.0.0.1", 9, **options), *resolve("127.0.0.1", port, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", twice)

    assert connect(sink.url).send(BODY, soon()) == Outcome("accepted")
