"""A receiver that is away, dies, hangs, is slow, or refuses for a while (rows 1 to 5)."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.config import SpoolOptions
from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import OTLPSink, Reply, refuse

from .accounts import agree, balance, book, lost, settled, work

#: Batches that a receiver refuses at random; `nox -s faults` sets more.
BATCHES = int(os.environ.get("AUMOS_TEST_BATCHES", "30"))
#: Seconds of grace for a machine that is busy.
GRACE = 1.0


def start(sink: OTLPSink, **options: Any) -> Telemetry:
    """Traces alone, sent to the sink."""
    mine = {name: options.pop(name) for name in ("timeout", "spool", "queue_bytes") if name in options}
    protocol = "grpc" if sink._protocol == "grpc" else "http/protobuf"
    otlp = OTLP(endpoint=sink.url, protocol=protocol, **mine)
    return configure(destinations=[otlp], metrics=False, logs=False, handle_signals=False, **options)


@pytest.fixture(params=["http", "grpc"])
def receiver(request: pytest.FixtureRequest) -> OTLPSink:
    """A receiver of each protocol."""
    return request.getfixturevalue("sink" if request.param == "http" else "grpc_sink")


def test_away_at_the_start(receiver: OTLPSink, impatient: None) -> None:
    """Row 1: configure() and the application do not notice; all arrives once it is there."""
    receiver.stop()
    began = time.monotonic()
    telemetry = start(receiver)
    work(100)
    assert time.monotonic() - began < GRACE
    waiting = settled(telemetry, lambda now: now["retries"] >= 2)
    assert (waiting["queued"], waiting["delivered"], waiting["state"]) == (100, 0, "retrying")

    receiver.start()

    assert telemetry.force_flush(20)
    done = book(telemetry)
    assert (done["delivered"], lost(done), receiver.tally("traces").distinct) == (100, 0, 100)


def test_never_there(sink: OTLPSink, impatient: None) -> None:
    """Row 1: what could not be sent until the end is counted, all of it, and the end does not wait for nothing."""
    sink.stop()
    telemetry = start(sink, shutdown_timeout=30)
    work(100)
    settled(telemetry, lambda now: now["retries"] >= 1)
    began = time.monotonic()

    assert not telemetry.shutdown()

    assert time.monotonic() - began < 10
    done = book(telemetry)
    assert (done["emitted"], done["dropped"]) == (100, {"shutdown_deadline": 100})


SPOOLED = """
from aumos_otel.config import SpoolOptions
telemetry = configure(spool=SpoolOptions(enabled=True, directory="spool"), service_name="shop", shutdown_timeout=2)
for number in range(NUMBER):
    with trace.get_tracer("tests").start_as_current_span("work"):
        pass
adopt(telemetry)
telemetry.force_flush(FLUSH)
telemetry.shutdown()
report(telemetry)
"""


def test_away_with_a_spool(sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """Row 1: with a spool the next process sends what the first could not."""
    sink.stop()
    first = service(SPOOLED.replace("NUMBER", "100").replace("FLUSH", "0.5"), sink.url)["books"]["traces"]
    assert (first["emitted"], first["spooled"], first["dropped"]) == (100, 100, {})

    sink.start()
    second = service(SPOOLED.replace("NUMBER", "0").replace("FLUSH", "10"), sink.url)["books"]["traces"]

    assert (second["emitted"], second["delivered"], second["spooled"]) == (100, 100, 0)
    agree(second, sink)


def test_an_outage_in_memory(receiver: OTLPSink, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 2: of what is emitted while it is away the queue keeps its bound; the rest is counted, to the record."""
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "200")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")
    telemetry = start(receiver)
    work(100)
    assert telemetry.force_flush(20)
    receiver.stop()
    for round_number in range(1, 11):
        work(100)
        settled(telemetry, lambda now, after=round_number: now["emitted"] == 100 + after * 100)
    settled(telemetry, lambda now: now["retries"])

    receiver.start()

    telemetry.force_flush(20)
    done = settled(telemetry, lambda now: not now["queued"])
    agree(done, receiver)
    assert done["emitted"] == 1100
    # The queue, the intake in front of it, and the batch in the hand of the lane.
    assert 200 <= done["delivered"] - 100 <= 200 + 200 + 50
    assert set(done["dropped"]) == {"queue_full"}


def test_an_outage_with_a_spool(sink: OTLPSink, impatient: None, tmp_path: Path) -> None:
    """Row 2: with a spool nothing is lost, and at most one batch comes twice."""
    telemetry = start(sink, spool=SpoolOptions(enabled=True, directory=str(tmp_path / "spool")))
    work(500)
    assert telemetry.force_flush(20)
    sink.stop()
    for _ in range(10):
        work(500)
    settled(telemetry, lambda now: now["retries"] >= 2 and now["spooled"] == 5000)

    sink.start()

    assert telemetry.force_flush(20)
    done = book(telemetry)
    assert (done["emitted"], done["delivered"], lost(done)) == (5500, 5500, 0)
    assert sink.tally("traces").distinct == 5500
    assert sink.tally("traces").duplicates <= 512


HANGING = """
import time
telemetry = configure(shutdown_timeout=1.0)
tracer = trace.get_tracer("tests")
slowest = 0
began = time.perf_counter()
for number in range(2000):
    with tracer.start_as_current_span("work"):
        pass
spent = time.perf_counter() - began
report(telemetry, spent=spent, left=time.monotonic())
"""


@pytest.mark.parametrize("kind", ["hangs", "is away"])
def test_the_exit(kind: str, receiver: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """Row 3: a receiver that hangs or is away costs a span nothing, and the exit its budget at most."""
    if kind == "hangs":
        receiver.hold()
    else:
        receiver.stop()

    protocol = "grpc" if receiver._protocol == "grpc" else "http/protobuf"
    told = service(HANGING, receiver.url, protocol=protocol)

    assert time.monotonic() - told["left"] < 1.0 + GRACE
    assert told["spent"] / 2000 < 0.001
    assert told["books"]["traces"]["emitted"] == 2000
    for account in told["books"].values():
        balance(account)


def test_a_hang_that_ends(receiver: OTLPSink, impatient: None) -> None:
    """Row 3: what was held is sent again after the time-out; it arrives, and comes twice at most as often as it was tried."""
    receiver.hold()
    telemetry = start(receiver, timeout=0.3)
    work(10)
    settled(telemetry, lambda now: now["retries"] >= 1)

    receiver.release()

    assert telemetry.force_flush(20)
    done = book(telemetry)
    agree(done, receiver)
    assert done["delivered"] == receiver.tally("traces").distinct == 10


def test_a_receiver_that_never_answers_in_time(sink: OTLPSink, impatient: None) -> None:
    """Row 4: a byte now and then does not hold an attempt beyond its time; after five of them the records are unconfirmed."""
    sink.reply = Reply(drip=0.05)
    telemetry = start(sink, timeout=0.2)
    began = time.monotonic()
    work(1)

    done = settled(telemetry, lambda now: now["unconfirmed"])

    assert time.monotonic() - began < 5 * 0.2 + 10 * GRACE
    assert (done["delivered"], done["unconfirmed"], sink.arrived) == (0, 1, 5)
    agree(done, sink)


def test_a_slow_receiver(sink: OTLPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 4: what waits for a slow receiver stays below the bound in bytes; the rest is counted."""
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "50")
    sink.reply = Reply(delay=0.1)
    telemetry = start(sink, queue_bytes=64 * 1024)
    highest = rounds = 0
    while rounds < 40 or not highest:  # a fast machine has emitted all of it before the first is prepared
        work(100, "n" * 200)
        rounds += 1
        highest = max(highest, book(telemetry)["queue_bytes"])

    telemetry.force_flush(20)

    done = settled(telemetry, lambda now: not now["queued"])
    assert 0 < highest <= 64 * 1024
    assert set(done["dropped"]) == {"queue_bytes"}
    agree(done, sink)


@pytest.mark.parametrize("status", [429, 503])
def test_refused_at_random(status: int, receiver: OTLPSink, impatient: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Row 5: a receiver that refuses 70 % of all requests has everything in the end, once."""
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "10")
    # Over gRPC a 429 is one that may come again only if the receiver says when.
    receiver.script = refuse(0.7, seed=status, reply=Reply(status, retry_after=0))
    telemetry = start(receiver)

    work(10 * BATCHES)
    receiver.wait_for(lambda: receiver.tally("traces").distinct == 10 * BATCHES, timeout=20 + BATCHES)

    done = settled(telemetry, lambda now: not now["queued"])
    assert (done["delivered"], done["dropped"], done["unconfirmed"]) == (10 * BATCHES, {}, 0)
    assert receiver.tally("traces").duplicates == 0
    assert receiver.arrived == len(receiver.kept()) + done["retries"]


@pytest.mark.parametrize("status", [429, 503])
def test_the_time_asked_for(status: int, receiver: OTLPSink, impatient: None) -> None:
    """Row 5: the next attempt does not come before the receiver wants it."""
    receiver.script = [Reply(status, retry_after=1)]
    telemetry = start(receiver)
    work(1)

    assert telemetry.force_flush(20)

    first, second = receiver.requests
    assert second.at - first.at >= 1.0
    assert book(telemetry)["delivered"] == receiver.tally("traces").distinct == 1
