"""Receivers that nobody thought of."""

from __future__ import annotations

import gzip
import time

import pytest
from servers.sockets import Listener
from servers.work import configure, eventually

from aumos_otel import OTLP
from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import OTLPSink, Reply

from .accounts import agree, balance, book, lost, settled, work

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/x-protobuf\r\ncontent-length: 0\r\n\r\n"
MIB = 1024 * 1024


def start(endpoint: str, **options: object) -> Telemetry:
    """Traces alone."""
    otlp = OTLP(endpoint=endpoint, protocol="http/protobuf", **options)
    return configure(destinations=[otlp], metrics=False, logs=False, handle_signals=False)


def answer(*headers: str, status: str = "200 OK", body: bytes = b"", version: str = "1.1") -> bytes:
    """The bytes of an answer."""
    lines = [f"HTTP/{version} {status}", f"content-length: {len(body)}", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


ACCEPTED = {
    "garbage": answer("content-type: application/x-protobuf", body=b"\xff" * 100),
    "a page": answer("content-type: text/html", body=b"<h1>It works</h1>"),
    "a gzip bomb": answer(
        "content-type: application/x-protobuf", "content-encoding: gzip", body=gzip.compress(bytes(64 * MIB))
    ),
    "1xx before it": b"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" + OK,
    "HTTP/1.0": answer(version="1.0"),
    "more refused than sent": answer(
        "content-type: application/json", body=b'{"partialSuccess":{"rejectedSpans":"-5"}}'
    ),
    "a wrong length": b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc",
    "a long header": answer("x-long: " + "y" * 60_000),
}


@pytest.mark.parametrize("name", ACCEPTED)
def test_accepted_all_the_same(name: str) -> None:
    """A 200 is a success, whatever comes with it; nothing is sent twice."""
    with Listener(ACCEPTED[name], closes=name in {"HTTP/1.0", "a wrong length"}) as receiver:
        telemetry = start(receiver.url)
        work(10)

        flushed = telemetry.force_flush(20)

        done = book(telemetry)
        bodies = [request.partition(b"\r\n\r\n")[2] for request in receiver.received]
        telemetry.shutdown(5)
    if name != "a long header":
        assert flushed
        assert (done["delivered"], lost(done)) == (10, 0)
    assert len(set(bodies)) == len(bodies)


def test_an_answer_without_end() -> None:
    """A receiver that never stops answering is read for a while, and left."""
    with Listener(b"HTTP/1.1 200 OK\r\n\r\n", endless=True) as receiver:
        telemetry = start(receiver.url)
        work(1)

        assert telemetry.force_flush(20)

        assert (book(telemetry)["delivered"], len(receiver.received)) == (1, 1)
        assert receiver.sent < 64 * MIB
        telemetry.shutdown(5)


@pytest.mark.parametrize("value", ["-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT", "0", "1e9", "0x10", "NaN", "\u00b2"])
def test_a_time_that_is_none(value: str, sink: OTLPSink, impatient: None) -> None:
    """A Retry-After that makes no sense, or is over, is as good as none."""
    sink.script = [Reply(503, retry_after=value)] * 3
    telemetry = start(sink.url)
    work(10)

    assert telemetry.force_flush(20)

    assert (book(telemetry)["delivered"], book(telemetry)["retries"]) == (10, 3)
    agree(book(telemetry), sink)


def test_a_time_that_is_too_long(sink: OTLPSink) -> None:
    """A receiver that asks for thirty years does not hold up the end, and what waits is counted."""
    sink.reply = Reply(503, retry_after=10**9)
    telemetry = start(sink.url)
    work(10)
    settled(telemetry, lambda now: now["retries"])
    began = time.monotonic()

    telemetry.shutdown(1)

    assert time.monotonic() - began < 3
    done = book(telemetry)
    assert (done["queued"], done["delivered"], lost(done) + done["unconfirmed"]) == (0, 0, 10)


def test_a_redirect_to_itself(sink: OTLPSink) -> None:
    """It is not followed, not even once."""
    sink.reply = Reply(308, headers={"Location": f"{sink.url}/v1/traces"})
    telemetry = start(sink.url)
    work(1)

    telemetry.force_flush(20)

    assert (sink.arrived, book(telemetry)["dropped"]) == (1, {"export_failed": 1})


def test_a_connection_for_each_request(sink: OTLPSink) -> None:
    """A receiver that closes after each answer, saying so or not, gets everything once."""
    sink.reply = Reply(closes=True)
    telemetry = start(sink.url)
    for _ in range(20):
        work(5)
        assert telemetry.force_flush(20)

    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (100, 0)
    agree(book(telemetry), sink)


def test_a_connection_that_is_closed_silently() -> None:
    """The same without a word: the next request finds out, and goes over another connection."""
    with Listener(OK, closes=True) as receiver:
        telemetry = start(receiver.url)
        for number in range(1, 11):
            work(5)
            assert telemetry.force_flush(20)
            eventually(lambda expected=number: receiver.accepted >= expected)
        done = book(telemetry)
        telemetry.shutdown(5)
    assert (done["delivered"], lost(done), done["unconfirmed"]) == (50, 0, 0)


def test_version_6() -> None:
    """An endpoint with an address of IPv6."""
    with Listener(OK, host="::1") as receiver:
        telemetry = start(receiver.url)
        work(5)
        assert telemetry.force_flush(20)
        assert book(telemetry)["delivered"] == 5
        telemetry.shutdown(5)


def test_another_protocol(impatient: None) -> None:
    """Somebody who greets and knows no HTTP: nothing counts as delivered, and the end comes."""
    with Listener(b"220 mail.example ESMTP\r\n") as receiver:
        telemetry = start(receiver.url, timeout=1)
        work(5)
        done = settled(telemetry, lambda now: now["last_error"])
        assert done["delivered"] == 0
        assert "not HTTP" in done["last_error"]
        telemetry.shutdown(2)
        balance(book(telemetry))
        assert book(telemetry)["queued"] == 0


@pytest.mark.parametrize("fault", ["away", "hangs", "refuses"])
def test_one_of_three(fault: str, impatient: None) -> None:
    """Of three destinations one is of no use: the others have everything at once, and the books of each are right."""
    with OTLPSink() as first, OTLPSink() as second, OTLPSink() as third:
        if fault == "away":
            second.stop()
        elif fault == "hangs":
            second.hold()
        else:
            second.reply = Reply(503)
        sinks = {"first": first, "second": second, "third": third}
        telemetry = configure(
            destinations=[OTLP(endpoint=sink.url, name=name) for name, sink in sinks.items()],
            metrics=False,
            logs=False,
        )
        work(1000)

        for name in ("first", "third"):
            done = settled(telemetry, lambda now: now["delivered"] == 1000, name=name)
            agree(done, sinks[name])
            assert sinks[name].tally("traces").duplicates == 0
        waiting = book(telemetry, name="second")
        assert (waiting["delivered"], waiting["queued"]) == (0, 1000)

        telemetry.shutdown(1)

        done = book(telemetry, name="second")
        assert (done["queued"], lost(done) + done["unconfirmed"]) == (0, 1000)
