"""SIGKILL at any moment, with a spool; and a file that was torn by it (rows 10 and 23)."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aumos_otel.testing import OTLPSink, Reply
from aumos_otel.testing.records import attributes

from .accounts import agree

#: `nox -s faults` sets 50.
KILLS = int(os.environ.get("AUMOS_TEST_KILLS", "3"))
#: Seconds after which a record is on disk; 200 ms are promised, the rest is for a machine that is busy.
ON_DISK = 1.0

PRODUCER = """
import os, time
import aumos_otel as aumos
from aumos_otel.config import SpoolOptions
from opentelemetry import trace
aumos.configure(
    destinations=[aumos.OTLP(endpoint=os.environ["ENDPOINT"])], instrumentations=False, service_name="shop",
    spool=SpoolOptions(enabled=True, directory="spool"), metrics=False, logs=False,
)
tracer = trace.get_tracer("tests")
for number in range(1_000_000):
    tracer.start_span("work", attributes={"number": number}).end()
    print(number, time.monotonic(), flush=True)
    if number % 10 == 0:
        time.sleep(0.002)
"""
ADOPTER = """
from aumos_otel.config import SpoolOptions
spool = SpoolOptions(enabled=True, directory="spool")
telemetry = configure(service_name="shop", spool=spool, metrics=False, logs=False)
adopt(telemetry)
telemetry.force_flush(15)
report(telemetry)
"""


def kill(tmp_path: Path, endpoint: str, seconds: float) -> tuple[list[tuple[int, float]], float]:
    """Kill a producer after a while; returns what it emitted, each with its time, and when it was killed."""
    with subprocess.Popen(
        [sys.executable, "-c", PRODUCER],
        env={**os.environ, "ENDPOINT": endpoint},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            lines.append(process.stdout.readline())
        killed = time.monotonic()
        process.kill()
        lines += process.stdout.read().splitlines(keepends=True)
    emitted = [line.split() for line in lines if line.endswith("\n")]
    return [(int(number), float(at)) for number, at in emitted], killed


def numbers(sink: OTLPSink) -> set[int]:
    """What the sink has."""
    return {attributes(span)["number"] for span in sink.spans()}


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_kill(seed: int, sink: OTLPSink, tmp_path: Path, service: Callable[..., dict[str, Any]]) -> None:
    """Only what was in memory is lost: what was emitted within the last moment, and nothing in between."""
    chance = random.Random(seed)
    sink.reply = Reply(503) if seed % 2 else Reply()
    emitted, killed = kill(tmp_path, sink.url, ON_DISK + chance.random())

    sink.reply = Reply()
    adopted = service(ADOPTER, sink.url)["books"]["traces"]

    there = numbers(sink)
    missing = {number for number, _ in emitted} - there
    print(f"\nseed {seed}: {len(emitted)} emitted, {len(missing)} lost, {sink.tally('traces').duplicates} twice")
    assert adopted["queued"] == adopted["spooled"] == 0
    assert all(at > killed - ON_DISK for number, at in emitted if number in missing)
    assert there == set(range(max(there) + 1)), "something is missing in between"
    assert sink.tally("traces").duplicates <= 512
    if seed % 2:
        agree(adopted, sink)


@pytest.mark.parametrize("cut", [1, 7, 40])
def test_a_torn_end(cut: int, sink: OTLPSink, tmp_path: Path, service: Callable[..., dict[str, Any]]) -> None:
    """A file that lacks its last bytes: all complete batches arrive, the torn one is left out."""
    sink.reply = Reply(503)
    kill(tmp_path, sink.url, 0.5)
    (segment,) = (path for path in (tmp_path / "spool").rglob("*") if path.suffix == ".seg")
    os.truncate(segment, segment.stat().st_size - cut)

    sink.reply = Reply()
    adopted = service(ADOPTER, sink.url)["books"]["traces"]

    there = numbers(sink)
    assert adopted["delivered"] == len(there) > 0
    assert there == set(range(max(there) + 1))
    agree(adopted, sink)
