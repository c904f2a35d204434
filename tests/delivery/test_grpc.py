"""The gRPC transport against a receiver that does what it is told."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from google.protobuf import any_pb2
from google.rpc import status_pb2
from servers.senders import spans
from servers.sockets import Listener
from servers.targets import grpc_target, soon

from aumos_otel import guard
from aumos_otel.delivery.grpc import RETRYABLE, GRPCTransport
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.delivery.target import Target
from aumos_otel.testing import TLS, OTLPSink, Reply

pytestmark = pytest.mark.usefixtures("unmeasured")

BODY = spans(1, 2, 3).SerializeToString()
CODES = [
    "CANCELLED",
    "UNKNOWN",
    "INVALID_ARGUMENT",
    "DEADLINE_EXCEEDED",
    "NOT_FOUND",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "INTERNAL",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
]


@pytest.fixture
def sink() -> Iterator[OTLPSink]:
    """A receiver."""
    with OTLPSink(protocol="grpc") as started:
        yield started


@pytest.fixture
def connect() -> Iterator[Callable[..., GRPCTransport]]:
    """Makes transports, which are closed after the test."""
    made = []

    def make(sink: OTLPSink, **options: object) -> GRPCTransport:
        made.append(GRPCTransport(grpc_target(sink, **options)))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.mark.parametrize("signal_name", ["traces", "metrics", "logs"])
def test_a_request_that_is_taken(signal_name: str, sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """Each signal goes to its own service, with the user's headers and our name."""
    transport = connect(sink, signal=signal_name, headers={"x-team": "red"}, compression="gzip")

    assert transport.send(b"", soon()) == Outcome("accepted")

    (request,) = sink.requests
    assert request.signal == signal_name
    assert request.headers["x-team"] == "red"
    assert request.headers["user-agent"].startswith("aumos-otel-OTLP-Exporter-Python/")


def test_the_body(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """A body arrives as it was given, also one that is larger than grpcio's own limit."""
    transport = connect(sink)
    large = spans(*range(200_000)).SerializeToString()

    assert [transport.send(body, soon(30)).kind for body in (BODY, large)] == ["accepted"] * 2

    assert [request.content for request in sink.requests] == [BODY, large]


@pytest.mark.parametrize("code", CODES)
def test_codes(code: str, sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """What the specification names is tried again, all else is for good; an answer is never ambiguous."""
    sink.reply = Reply(503, code=code, message="busy")

    outcome = connect(sink).send(BODY, soon())

    assert outcome.kind == ("retry" if code in RETRYABLE else "rejected")
    assert (outcome.message, outcome.ambiguous) == (f"gRPC {code}: busy", False)


def test_other_codes(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """The user's list stands in the place of the specification's."""
    transport = connect(sink, retryable_codes=frozenset({"INVALID_ARGUMENT"}))
    sink.script = [Reply(400), Reply(503)]

    assert [transport.send(BODY, soon()).kind for _ in range(2)] == ["retry", "rejected"]


@pytest.mark.parametrize("code", ["RESOURCE_EXHAUSTED", "UNAVAILABLE"])
def test_retry_info(code: str, sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """The receiver says when to come back; with that, even a message about size means later."""
    sink.reply = Reply(429, code=code, message="larger than max for now", retry_after=2.5)

    outcome = connect(sink).send(BODY, soon())

    assert (outcome.kind, outcome.retry_after) == ("retry", 2.5)


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (b"\xff\xff", None),
        (status_pb2.Status(details=[any_pb2.Any(type_url="x/other")]).SerializeToString(), None),
        (b"", None),
    ],
)
def test_details_that_say_nothing(details: bytes, expected: None) -> None:
    """Details that are broken, or about something else, are passed over."""
    from aumos_otel.delivery import grpc

    class Answer:
        """A status with details."""

        def trailing_metadata(self) -> list[tuple[str, bytes]]:
            """The details."""
            return [("x", b""), ("grpc-status-details-bin", details)]

    assert grpc._retry_after(Answer()) is expected


def test_too_large(connect: Callable[..., GRPCTransport]) -> None:
    """A request above the receiver's limit may be taken in pieces."""
    with OTLPSink(protocol="grpc") as sink:
        sink.reply = Reply(429, message="SERVER: Received message larger than max (5000000 vs. 4194304)")

        assert connect(sink).send(BODY, soon()).kind == "too_large"


def test_partial_success(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """What an accepted request lost is counted, and told."""
    sink.reply = Reply(rejected=2, message="too old")

    assert connect(sink).send(BODY, soon()) == Outcome("accepted", rejected=2, message="too old")


def at(url: str, **options: object) -> GRPCTransport:
    """A transport to an address."""
    return GRPCTransport(
        Target("traces", "grpc", url, url.startswith("https"), "tests", {"compression": "none", **options})
    )


def test_nobody_is_there() -> None:
    """A refused connection was certainly not received, and is told as what it is."""
    outcome = at("http://127.0.0.1:9").send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert "127.0.0.1:9: no connection" in outcome.message
    assert "Connection refused" in outcome.message


def test_a_connection_that_is_not_answered() -> None:
    """The deadline ends an attempt to connect, too; nothing was sent then."""
    with Listener(None) as listener:
        transport, deadline = at(listener.url), soon(0.5)

        outcome = transport.send(BODY, deadline)

        assert 0 <= time.monotonic() - deadline < 1.0
        assert (outcome.kind, outcome.ambiguous) == ("retry", False)
        transport.close()


@pytest.mark.parametrize("used", [False, True])
def test_no_answer(used: bool, sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """A receiver that hangs is left at the deadline; it may have the request."""
    transport = connect(sink)
    if used:
        transport.send(BODY, soon())
    sink.reply = Reply(answers=False)
    deadline = soon(0.5)

    outcome = transport.send(BODY, deadline)

    assert 0 <= time.monotonic() - deadline < 1.0
    assert (outcome.kind, outcome.ambiguous) == ("retry", True)


def test_a_deadline_that_has_passed(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """Without any time left nothing is sent."""
    outcome = connect(sink).send(BODY, soon(-1))

    assert (outcome.kind, outcome.ambiguous, sink.arrived) == ("retry", False, 0)


def test_a_receiver_that_comes_back(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """After an outage the first request goes through: no pause of grpcio's own is waited for."""
    transport = connect(sink)
    assert transport.send(BODY, soon()).kind == "accepted"
    sink.stop()
    assert transport.send(BODY, soon()).kind == "retry"
    assert transport.send(BODY, soon()).kind == "retry"

    sink.start()

    assert transport.send(BODY, soon()) == Outcome("accepted")


def test_close_ends_a_call(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """Closing from another thread ends a call that waits; the next one opens another channel."""
    transport = connect(sink)
    sink.hold()
    outcomes: list[Outcome] = []
    sender = threading.Thread(target=lambda: outcomes.append(transport.send(BODY, soon(60))))
    sender.start()
    sink.wait_for(lambda: sink.arrived == 1)

    transport.close()
    sender.join(10)

    assert not sender.is_alive()
    assert (outcomes[0].kind, outcomes[0].ambiguous) == ("retry", True)
    sink.release()
    assert transport.send(BODY, soon()).kind == "accepted"


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """An authority, a server and a client of it, and another authority."""
    authority = trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client.example")
    blobs = {
        "ca": authority.cert_pem,
        "other": trustme.CA().cert_pem,
        "key": server.private_key_pem,
        "chain": server.cert_chain_pems[0],
        "client_key": client.private_key_pem,
        "client_certificate": client.cert_chain_pems[0],
    }
    for name, blob in blobs.items():
        blob.write_to_path(tmp_path / f"{name}.pem")
    return {name: tmp_path / f"{name}.pem" for name in blobs}


def test_tls(files: dict[str, Path], connect: Callable[..., GRPCTransport]) -> None:
    """A trusted server sees who we are; an authority that was replaced is used without a restart."""
    tls = TLS(files["key"], files["chain"], client_ca=files["ca"])
    with OTLPSink(protocol="grpc", tls=tls) as sink:
        trusted = files["ca"].read_bytes()
        files["ca"].write_bytes(files["other"].read_bytes())
        transport = connect(
            sink,
            certificate=str(files["ca"]),
            client_key=str(files["client_key"]),
            client_certificate=str(files["client_certificate"]),
        )
        outcome = transport.send(BODY, soon())
        assert (outcome.kind, outcome.ambiguous) == ("retry", False)
        assert "its certificate is not accepted" in outcome.message

        files["ca"].write_bytes(trusted)

        assert transport.send(BODY, soon()) == Outcome("accepted")
        assert sink.requests[0].client == "client.example"


def test_a_file_that_is_gone(files: dict[str, Path], connect: Callable[..., GRPCTransport]) -> None:
    """A certificate that cannot be read any more is an outcome that names it."""
    with OTLPSink(protocol="grpc", tls=TLS(files["key"], files["chain"])) as sink:
        transport = connect(sink, certificate=str(files["ca"]))
        files["ca"].unlink()

        outcome = transport.send(BODY, soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert "ca.pem" in outcome.message


def test_a_defect_of_ours(sink: OTLPSink, connect: Callable[..., GRPCTransport]) -> None:
    """Whatever goes wrong inside is an outcome: it may be tried again, and not for ever."""
    transport = connect(sink)
    transport._metadata = (("x", object()),)
    strict = guard.set_strict(False)
    try:
        outcome = transport.send(BODY, soon())
    finally:
        guard.set_strict(strict)

    assert (outcome.kind, outcome.ambiguous) == ("retry", True)


FORKS = """
import os, signal, sys, threading, time
{before}
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from aumos_otel.delivery.grpc import GRPCTransport
from aumos_otel.delivery.target import Target

def transport():
    return GRPCTransport(Target("traces", "grpc", {url!r}, False, "tests", {{"compression": "none"}}))

def kind(transport, number):
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name=f"span {{number}}")
    span.trace_id, span.span_id = bytes(15) + b"1", number.to_bytes(8, "big")
    return transport.send(request.SerializeToString(), time.monotonic() + 5)

used, fresh, busy = transport(), transport(), transport()
assert kind(used, 1).kind == "accepted"
outcomes = []
if {underway}:
    thread = threading.Thread(target=lambda: outcomes.append(kind(busy, 999)))
    thread.start()
    sys.stdin.readline()
failed = 0
for child in range(4):
    pid = os.fork()
    if pid == 0:
        signal.alarm(10)
        used.close()
        answers = [kind(used, 10 + child), kind(fresh, 20 + child)]
        print(*answers, sep="\\n", file=sys.stderr)
        (sys.exit if child % 2 else os._exit)(0 if all(answer.kind == "accepted" for answer in answers) else 1)
    _, status = os.waitpid(pid, 0)
    failed += status != 0
print(failed, kind(used, 2).kind, *(outcome.kind for outcome in outcomes), flush=True)
os._exit(0)
"""


def forks(sink: OTLPSink, *, underway: bool = False, before: str = "", **environ: str) -> tuple[str, str]:
    """Standard output and error of a process whose children send, too."""
    script = FORKS.format(url=sink.url, underway=underway, before=before)
    process = subprocess.Popen(
        [sys.executable, "-c", script],
        env=os.environ | environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    if underway:
        sink.wait_for(lambda: sink.ids("traces") and sink.arrived == 2)
    return process.communicate("\n", timeout=60)


def test_forks(sink: OTLPSink) -> None:
    """Children of a process that has used gRPC send through channels of their own, and leave as any process does."""
    output, errors = forks(sink)

    assert output == "0 accepted\n", errors
    assert sorted(sink.ids("traces").values()) == [1] * 10


def test_a_fork_while_a_call_is_underway(sink: OTLPSink) -> None:
    """A call that is underway at a fork is ended, to be tried again, and the children send."""
    held = threading.Event()
    sink.script = lambda request: held.wait(30) and None if b"span 999" in request.raw else None
    try:
        output, errors = forks(sink, underway=True)
    finally:
        held.set()

    assert output == "0 accepted retry\n", errors


def test_grpc_that_was_loaded_before(sink: OTLPSink) -> None:
    """Where grpcio was loaded without support for forks, a child says so instead of hanging."""
    output, errors = forks(sink, before="import grpc")

    assert output == "4 accepted\n", errors
    assert "GRPC_ENABLE_FORK_SUPPORT=1" in errors


def test_the_user_decides(sink: OTLPSink) -> None:
    """GRPC_ENABLE_FORK_SUPPORT that is set already is left alone."""
    assert forks(sink, GRPC_ENABLE_FORK_SUPPORT="0")[0] == "4 accepted\n"
    assert forks(sink, before="import grpc", GRPC_ENABLE_FORK_SUPPORT="1")[0] == "0 accepted\n"


def test_our_variable_is_not_for_children(connect: Callable[..., GRPCTransport], sink: OTLPSink) -> None:
    """What is set while grpcio loads is taken back: child processes inherit nothing."""
    connect(sink)

    assert "GRPC_ENABLE_FORK_SUPPORT" not in os.environ
