"""How a service ends, and what is emitted when it is too late (rows 9 and 34)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aumos_otel.testing import OTLPSink

from .accounts import agree

TERMINATED = """
import os, signal, threading
import aumos_otel as aumos
from aumos_otel.config import SpoolOptions
from opentelemetry import trace
telemetry = aumos.configure(
    destinations=[aumos.OTLP(endpoint=os.environ["ENDPOINT"])], instrumentations=False, service_name="shop",
    spool=SpoolOptions(enabled=SPOOL, directory="spool"), metrics=False, logs=False, shutdown_timeout=2,
)
for number in range(NUMBER):
    trace.get_tracer("tests").start_span("work").end()
print("ready", flush=True)
while not threading.Event().wait(0.05): pass
"""


def terminate(tmp_path: Path, endpoint: str, *, spool: bool, number: int) -> float:
    """Run a service, send it SIGTERM, and return how many seconds it took to end by it."""
    program = TERMINATED.replace("SPOOL", str(spool)).replace("NUMBER", str(number))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "ENDPOINT": endpoint, "OTEL_BSP_SCHEDULE_DELAY": "60000"},
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == -signal.SIGTERM
        return time.monotonic() - began


@pytest.mark.parametrize("spool", [False, True])
def test_sigterm_with_a_receiver(spool: bool, sink: OTLPSink, tmp_path: Path) -> None:
    """Row 9: SIGTERM loses nothing."""
    terminate(tmp_path, sink.url, spool=spool, number=2000)

    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (2000, 0)


def test_sigterm_without_a_receiver(sink: OTLPSink, tmp_path: Path, service: Callable[..., dict[str, Any]]) -> None:
    """Row 9: what cannot be sent is on disk when the process has ended, within its budget, and goes out later."""
    sink.stop()
    took = terminate(tmp_path, sink.url, spool=True, number=2000)
    assert took < 2 + 1
    assert sink.tally("traces").received == 0

    sink.start()
    told = service(
        "from aumos_otel.config import SpoolOptions\n"
        "spool = SpoolOptions(enabled=True, directory='spool')\n"
        "telemetry = configure(service_name='shop', spool=spool, metrics=False, logs=False)\n"
        "adopt(telemetry)\n"
        "telemetry.force_flush(10)\n"
        "report(telemetry)\n",
        sink.url,
    )

    assert told["books"]["traces"]["delivered"] == 2000
    agree(told["books"]["traces"], sink)
    assert sink.tally("traces").distinct == 2000


LATE = """
import atexit, gc, logging, threading

emitted = 0

def emit():
    global emitted
    with trace.get_tracer("tests").start_as_current_span("late"):
        logging.getLogger("tests").warning("late")
    metrics.get_meter("tests").create_counter("late").add(1)
    emitted += 1

def last():
    emit()
    report(telemetry, emitted=emitted)

class Late:
    def __del__(self):
        emit()

def always():
    while True:
        try:
            with trace.get_tracer("tests").start_as_current_span("daemon"):
                pass
        except BaseException:
            import traceback
            traceback.print_exc()
            raise

logging.basicConfig(handlers=[logging.NullHandler()])
atexit.register(last)  # runs after what configure() registers
telemetry = configure()
emit()
atexit.register(emit)  # runs before it
kept = Late()
cycle = [Late()]
cycle.append(cycle)
del cycle
threading.Thread(target=always, daemon=True).start()
"""


def test_too_late(sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """Row 34: in atexit, in a finalizer and in a daemon thread nothing raises, hangs or prints, and it is counted."""
    told = service(LATE, sink.url, quiet=True)

    logs = told["books"]["logs"]
    assert told["emitted"] >= 3
    assert logs["delivered"] >= 2
    assert set(logs["dropped"]) <= {"already_shutdown"}
    assert told["books"]["traces"]["dropped"]["already_shutdown"] >= 1
    agree(told["books"]["traces"], sink)
    agree(logs, sink)
