"""What the sink does over gRPC, seen by a plain channel."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from servers.senders import call, spans

from aumos_otel.testing import TLS, OTLPSink, Reply

BODY = spans(1, 2, 3).SerializeToString()


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(400), "INVALID_ARGUMENT"),
        (Reply(429), "RESOURCE_EXHAUSTED"),
        (Reply(503), "UNAVAILABLE"),
        (Reply(418), "UNKNOWN"),
        (Reply(code="DATA_LOSS"), "DATA_LOSS"),
        (Reply(reset="read"), "CANCELLED"),
    ],
)
def test_refusals(reply: Reply, code: str) -> None:
    """An HTTP status has its gRPC counterpart, any code can be named; then the usual answer follows."""
    with OTLPSink(protocol="grpc", script=[reply]) as sink:
        with pytest.raises(grpc.RpcError) as caught:
            call(sink, BODY)
        assert caught.value.code().name == code
        assert not sink.kept()

        call(sink, BODY)
        assert [span.name for span in sink.spans()] == ["span 1", "span 2", "span 3"]
        assert sink.kept()[0].path.endswith("TraceService/Export")


def test_retry_info() -> None:
    """retry_after comes as RetryInfo in the details of the status."""
    busy = Reply(429, retry_after=1.5, message="busy")
    with OTLPSink(protocol="grpc", script=[busy]) as sink, pytest.raises(grpc.RpcError) as caught:
        call(sink, BODY)

    ((_, blob),) = [pair for pair in caught.value.trailing_metadata() if pair[0] == "grpc-status-details-bin"]
    status, info = Status.FromString(blob), RetryInfo()
    assert status.details[0].Unpack(info)
    assert (status.code, status.message, info.retry_delay.ToTimedelta().total_seconds()) == (8, "busy", 1.5)


def test_partial_success() -> None:
    """The answer says how many were refused, and those are not kept."""
    with OTLPSink(protocol="grpc", script=[Reply(rejected=1, message="one was bad")]) as sink:
        told = call(sink, BODY).partial_success

        assert (told.rejected_spans, told.error_message) == (1, "one was bad")
        assert sink.tally("traces").received == 2


def test_too_large() -> None:
    """A message above the limit is RESOURCE_EXHAUSTED."""
    with OTLPSink(protocol="grpc", max_body=len(BODY) - 1) as sink:
        with pytest.raises(grpc.RpcError) as caught:
            call(sink, BODY)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED


@pytest.mark.parametrize("keeps", [True, False])
def test_no_answer(*, keeps: bool) -> None:
    """The call ends with the sender's deadline; whether the records were kept, it cannot know."""
    with OTLPSink(protocol="grpc", script=[Reply(answers=False, keeps=keeps)]) as sink:
        with pytest.raises(grpc.RpcError) as caught:
            call(sink, BODY, timeout=0.3)

        assert caught.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
        assert sink.tally("traces").received == (3 if keeps else 0)


def test_dying_while_it_hangs() -> None:
    """What is held when the sink stops is not kept, also when its sender gave up before; stop() returns."""
    with OTLPSink(protocol="grpc") as sink:
        sink.hold()
        with pytest.raises(grpc.RpcError):
            call(sink, BODY, timeout=0.2)
        assert sink.arrived == 1

    assert sink.tally("traces").received == 0


def test_late() -> None:
    """A delay comes before the answer."""
    with OTLPSink(protocol="grpc", script=[Reply(delay=0.3)]) as sink:
        started = time.monotonic()
        call(sink, BODY)
        assert time.monotonic() - started >= 0.3


def test_stops_and_listens_again() -> None:
    """Stopped, it is unavailable; started again, it listens at the same port and has what it had."""
    sink = OTLPSink(protocol="grpc")
    with sink:
        call(sink, BODY)
    with pytest.raises(grpc.RpcError) as caught:
        call(sink, BODY)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE

    with sink:
        call(sink, BODY)
        assert sink.tally("traces").received == 6


def test_another_certificate(issue: Callable[..., tuple[TLS, Path]]) -> None:
    """A certificate that is swapped while the sink runs is shown to the next connection."""
    (old, old_ca), (new, new_ca) = issue("old"), issue("new")
    with OTLPSink(protocol="grpc", tls=old) as sink:
        call(sink, BODY, credentials=grpc.ssl_channel_credentials(old_ca.read_bytes()))
        sink.swap_certificate(new)
        call(sink, BODY, credentials=grpc.ssl_channel_credentials(new_ca.read_bytes()))
        with pytest.raises(grpc.RpcError):
            call(sink, BODY, credentials=grpc.ssl_channel_credentials(old_ca.read_bytes()))

        assert sink.tally("traces").received == 6
