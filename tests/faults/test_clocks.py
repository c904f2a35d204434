"""Clocks that jump, and a process that is suspended (row 17)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk import trace as sdk_trace
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.testing import OTLPSink, Reply

from .accounts import agree, book, settled, work

HOUR = 3600 * 10**9


@pytest.fixture
def jump(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Sets the wall clock forward or back, in nanoseconds."""
    real, shift = time.time_ns, [0]

    def now() -> int:
        return real() + shift[0]

    monkeypatch.setattr(time, "time_ns", now)
    monkeypatch.setattr(time, "time", lambda: now() / 1e9)
    monkeypatch.setattr(sdk_trace, "time_ns", now)

    def by(nanoseconds: int) -> None:
        shift[0] += nanoseconds

    return by


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_span_across_a_jump(hours: int, sink: OTLPSink, jump: Callable[[int], None]) -> None:
    """No span that arrives ends before it began."""
    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    with trace.get_tracer("tests").start_as_current_span("across"):
        jump(hours * HOUR)
        work(10)

    assert telemetry.force_flush(20)

    agree(book(telemetry), sink)
    assert book(telemetry)["delivered"] == 11
    assert all(span.end_time_unix_nano >= span.start_time_unix_nano for span in sink.spans())


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_retry_across_a_jump(hours: int, sink: OTLPSink, impatient: None, jump: Callable[[int], None]) -> None:
    """Neither a retry nor a time-out waits for the wall clock."""
    sink.reply = Reply(503)
    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    work(10)
    settled(telemetry, lambda now: now["retries"] >= 2)
    jump(hours * HOUR)
    before = book(telemetry)["retries"]
    settled(telemetry, lambda now: now["retries"] >= before + 2)

    sink.reply = Reply()

    assert telemetry.force_flush(20)
    assert book(telemetry)["delivered"] == 10
    agree(book(telemetry), sink)


SUSPENDED = """
import os, sys
import aumos_otel as aumos
from opentelemetry import trace
telemetry = aumos.configure(destinations=[aumos.OTLP(endpoint=os.environ["ENDPOINT"], timeout=0.3)],
                            instrumentations=False, metrics=False, logs=False)
for line in sys.stdin:
    for _ in range(100):
        trace.get_tracer("tests").start_span("work").end()
    print("emitted", flush=True)
assert telemetry.force_flush(10), telemetry.status()
"""


def test_a_suspended_process(sink: OTLPSink, tmp_path: Path) -> None:
    """A process that sleeps for longer than every time-out, a request underway, goes on where it was."""
    with subprocess.Popen(
        [sys.executable, "-c", SUSPENDED],
        env={**os.environ, "ENDPOINT": sink.url},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        sink.hold()
        process.stdin.write("go\n")
        process.stdin.flush()
        assert process.stdout.readline() == "emitted\n"
        sink.wait_for(lambda: sink.arrived)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        sink.release()
        time.sleep(1.0)  # longer than the time-out of the request; nothing tells that this has passed
        process.send_signal(signal.SIGCONT)
        process.stdin.write("go\n")
        process.stdin.close()
        assert process.wait(20) == 0

    assert sink.tally("traces").distinct == 200
