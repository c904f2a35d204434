"""No memory, no descriptors, no threads: the application lives (row 33)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aumos_otel.testing import OTLPSink, Reply

from .accounts import agree, lost

THREADS = """
import threading
import opentelemetry.sdk._logs  # needs a thread itself while it is imported

def refuse(self):
    raise RuntimeError("can't start new thread")

threading.Thread.start = refuse
telemetry = configure(shutdown_timeout=5)
for number in range(100):
    with trace.get_tracer("tests").start_as_current_span("work"):
        metrics.get_meter("tests").create_counter("work.done").add(1)
telemetry.force_flush(0.5)
telemetry.shutdown()
report(telemetry)
"""


def test_no_threads(sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """Without threads everything is sent at the end, by the thread that ends the pipeline."""
    done = service(THREADS, sink.url)["books"]["traces"]

    assert (done["emitted"], done["delivered"], lost(done)) == (100, 100, 0)
    agree(done, sink)


DESCRIPTORS = """
import os, resource
from aumos_otel.delivery import backoff
backoff.BASE, backoff.CAP = 0.02, 0.2
telemetry = configure(metrics=False, logs=False, shutdown_timeout=5)
trace.get_tracer("tests").start_span("first").end()
assert telemetry.force_flush(10)  # what is loaded on first use is there
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
taken = []
resource.setrlimit(resource.RLIMIT_NOFILE, (64, hard))
try:
    while True:
        taken.append(os.open(os.devnull, os.O_RDONLY))
except OSError:
    pass
for number in range(100):
    with trace.get_tracer("tests").start_as_current_span("work"):
        pass
flushed = telemetry.force_flush(0.5)
without = dict(telemetry.status().destinations[0])
for descriptor in taken:
    os.close(descriptor)
telemetry.force_flush(10)
telemetry.shutdown()
report(telemetry, flushed=flushed, without=without)
"""


@pytest.mark.parametrize("kept", [False, True])
def test_no_descriptors(kept: bool, sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """A connection that is open is used on; else it is tried again until there are some, and everything arrives."""
    sink.script = [Reply(closes=not kept)]
    told = service(DESCRIPTORS, sink.url)
    done = told["books"]["traces"]

    assert told["flushed"] is kept
    assert told["without"]["queued"] == (0 if kept else 100)
    assert (done["emitted"], done["delivered"], lost(done)) == (101, 101, 0)
    agree(done, sink)


MEMORY = """
import resource
telemetry = configure(metrics=False, logs=False, shutdown_timeout=5)
with trace.get_tracer("tests").start_as_current_span("work"):
    pass
telemetry.force_flush(5)
with open("/proc/self/statm") as file:
    used = int(file.read().split()[0]) * resource.getpagesize()
prompt = "p" * (20 * 1024 * 1024)
resource.setrlimit(resource.RLIMIT_AS, (used + 40 * 1024 * 1024,) * 2)
survived = 0
for number in range(200):
    try:
        own = [prompt[number:], number]
    except MemoryError:
        own = None
    with trace.get_tracer("tests").start_as_current_span("work", attributes={"prompt": prompt}):
        survived += 1
    del own
telemetry.force_flush(10)
telemetry.shutdown()
report(telemetry, survived=survived)
"""


def test_no_memory(sink: OTLPSink, service: Callable[..., dict[str, Any]]) -> None:
    """An application at the end of its memory lives; what could not be prepared is counted."""
    told = service(MEMORY, sink.url)
    done = told["books"]["traces"]

    assert told["survived"] == 200
    assert done["emitted"] == 201
    assert done["queued"] == 0
    agree(done, sink)
