"""A receiver that refuses for good, in part, or for size (row 6)."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import OTLPSink, Reply

from .accounts import agree, book, lost, settled, work

#: HTTP status, and the name that gRPC has for the like.
REFUSALS = [
    (Reply(400, message="no"), {"http", "grpc"}),
    (Reply(401), {"http", "grpc"}),
    (Reply(404), {"http", "grpc"}),
    (Reply(302, headers={"Location": "http://127.0.0.1:1/v1/traces"}), {"http"}),
    (Reply(307, headers={"Location": "/v1/traces"}), {"http"}),
    (Reply(500), {"http", "grpc"}),
]
CASES = [(protocol, reply) for reply, protocols in REFUSALS for protocol in sorted(protocols)]


def start(sink: OTLPSink, protocol: str, **options: object) -> Telemetry:
    """Traces alone, sent to the sink."""
    otlp = OTLP(endpoint=sink.url, protocol={"http": "http/protobuf", "json": "http/json"}.get(protocol, "grpc"))
    return configure(destinations=[otlp], metrics=False, logs=False, handle_signals=False, **options)


@pytest.fixture
def receiver(protocol: str, request: pytest.FixtureRequest) -> OTLPSink:
    """The receiver of the protocol."""
    return request.getfixturevalue("grpc_sink" if protocol == "grpc" else "sink")


@pytest.mark.parametrize(("protocol", "reply"), CASES, ids=lambda value: getattr(value, "status", value))
def test_a_refusal(protocol: str, reply: Reply, receiver: OTLPSink) -> None:
    """It is asked once, and what it refused is a loss with a reason; a redirect is no success."""
    receiver.reply = reply
    telemetry = start(receiver, protocol)
    work(50)

    assert not telemetry.force_flush(20)

    done = settled(telemetry, lambda now: not now["queued"])
    assert (done["emitted"], done["delivered"], done["dropped"]) == (50, 0, {"export_failed": 50})
    assert (done["retries"], done["state"]) == (0, "failing")
    assert len({request.raw for request in receiver.requests}) == receiver.arrived, "a request came twice"


@pytest.mark.parametrize("protocol", ["http", "json", "grpc"])
def test_a_part_is_refused(protocol: str, receiver: OTLPSink) -> None:
    """What ``partial_success`` refuses is counted, in every encoding."""
    telemetry = start(receiver, protocol)
    work(1)
    assert telemetry.force_flush(20)
    receiver.script = [Reply(rejected=7, message="seven are bad")]
    work(10)

    telemetry.force_flush(20)

    done = settled(telemetry, lambda now: not now["queued"])
    assert done["dropped"]["partial_rejected"] == 11 - receiver.tally("traces").distinct
    assert 1 <= done["dropped"]["partial_rejected"] <= 7
    assert done["last_error"] == "seven are bad"
    agree(done, receiver)


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_too_large(protocol: str, receiver: OTLPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is too large goes in smaller ones; a record that is too large alone is counted."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    receiver._max_body = 4096
    telemetry = start(receiver, protocol)
    work(100, "n" * 100)
    trace.get_tracer("tests").start_span("large", attributes={"large": "m" * 8192}).end()
    work(100, "n" * 100)

    telemetry.force_flush(20)

    done = settled(telemetry, lambda now: not now["queued"])
    assert (done["delivered"], done["dropped"]) == (200, {"too_large": 1})
    assert (receiver.tally("traces").distinct, receiver.tally("traces").duplicates) == (200, 0)


def test_others_go_on(sink: OTLPSink) -> None:
    """One batch that is refused costs the next ones nothing."""
    protocol = "http"
    sink.script = [Reply(400)]
    telemetry = start(sink, protocol)
    work(5)
    telemetry.force_flush(20)
    refused = lost(book(telemetry))

    work(20)

    assert telemetry.force_flush(20)
    done = book(telemetry)
    assert (refused > 0, lost(done), done["delivered"]) == (True, refused, 25 - refused)
    agree(done, sink)
