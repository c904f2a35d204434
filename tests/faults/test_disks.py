"""A spool on a disk that is full, or that takes no files (row 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aumos_otel.testing import OTLPSink, Reply

from .accounts import agree, lost

SCRIPT = """
import os, resource, time
from aumos_otel.config import SpoolOptions
from aumos_otel.delivery import backoff
backoff.BASE, backoff.CAP = 0.02, 0.2
telemetry = configure(spool=SpoolOptions(enabled=True, directory="spool", min_free=0), metrics=False, logs=False)
FAULT
tracer, complaints = trace.get_tracer("tests"), set()
for number in range(COUNT):
    with tracer.start_as_current_span("work"):
        pass
    if number % 1000 == 0:
        time.sleep(0.05)  # the disk is written to by a thread of ours
        complaints.add(str(telemetry.status().destinations[0]["last_error"])[:6])
telemetry.force_flush(FLUSH)
telemetry.shutdown(2)
report(telemetry, complaints=sorted(complaints))
"""
#: No file may grow beyond 256 KiB: the error of a full disk, without one.
FULL = "resource.setrlimit(resource.RLIMIT_FSIZE, (256 * 1024,) * 2)"
#: Somebody has put a file where the spool was.
GONE = """
import shutil
shutil.rmtree("spool", ignore_errors=True)
open("spool", "w").close()
"""


def script(fault: str, count: int, flush: float = 10) -> str:
    """The program that meets the fault."""
    return SCRIPT.replace("FAULT", fault).replace("COUNT", str(count)).replace("FLUSH", str(flush))


@pytest.mark.parametrize("fault", [FULL, GONE], ids=["full", "gone"])
def test_memory_takes_over(fault: str, sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """What the disk does not take waits in memory: nothing is lost, and the books say what is wrong with the disk."""
    refused: list[int] = []

    def answer(_request: object) -> Reply | None:
        refused.append(1)
        return Reply(503) if len(refused) < 20 else None

    sink.script = answer
    told = service(script(fault, 10_000), sink.url)
    done = told["books"]["traces"]

    assert done["emitted"] == done["delivered"] >= 10_000
    assert done["dropped"] == {}
    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (done["emitted"], 0)
    assert "spool:" in told["complaints"]


def test_memory_has_its_bound(sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """What neither disk nor memory takes is counted as spool_full, and the application goes on."""
    sink.stop()
    told = service(script(FULL, 10_000, flush=0.5), sink.url, environment={"OTEL_BSP_MAX_QUEUE_SIZE": "2048"})
    done = told["books"]["traces"]

    assert done["emitted"] == 10_000
    assert done["spooled"] > 0
    assert done["dropped"]["spool_full"] > 0
    assert lost(done) + done["spooled"] == 10_000
    agree(done, sink)
