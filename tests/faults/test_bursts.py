"""More than there is room for: a burst of spans, and labels without end (rows 12 and 13)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import metrics
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.testing import OTLPSink
from aumos_otel.testing.records import attributes

from .accounts import agree, book, lost

#: `nox -s faults` sets a million.
SPANS = int(os.environ.get("AUMOS_TEST_SPANS", "80000"))
#: What may wait in the intake and in front of the destination, and 64 MiB.
MOST_MEMORY = (16 + 16 + 64) * 1024 * 1024

BURST = """
import resource, threading, time
telemetry = configure(metrics=False, logs=False, shutdown_timeout=60)
tracer = trace.get_tracer("tests")
for _ in range(1000):
    tracer.start_span("work").end()
assert telemetry.force_flush(20)
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
costs = []

def produce():
    mine = []
    for _ in range(EACH):
        began = time.perf_counter_ns()
        tracer.start_span("work", attributes={"a": 1, "b": "two"}).end()
        mine.append(time.perf_counter_ns() - began)
    costs.extend(mine)

threads = [threading.Thread(target=produce) for _ in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 - before
telemetry.force_flush(60)
telemetry.shutdown(30)
costs.sort()
report(telemetry, grown=grown, median=costs[len(costs) // 2], p99=costs[len(costs) * 99 // 100])
"""


@pytest.mark.timeout(600)
def test_a_burst(service: Callable[..., dict[str, Any]]) -> None:
    """Row 12: memory stays below its bound, and what there is no room for is counted, to the record."""
    with OTLPSink(light=True) as sink:
        told = service(BURST.replace("EACH", str(SPANS // 8)), sink.url, patience=500)
        done = told["books"]["traces"]
        print(
            f"\n{done['emitted']} spans by 8 threads: {done['delivered']} delivered, {lost(done)} dropped; "
            f"{told['grown'] / 2**20:.0f} MiB more; a span costs {told['median'] / 1000:.0f} µs, "
            f"p99 {told['p99'] / 1000:.0f} µs"
        )

        assert done["emitted"] == SPANS + 1000
        assert done["queued"] == 0
        assert set(done["dropped"]) <= {"queue_full", "queue_bytes"}
        assert told["grown"] <= MOST_MEMORY
        assert (done["delivered"], 0) == (sink.tally("traces").distinct, sink.tally("traces").duplicates)
        agree(done, sink)


def test_labels_without_end(sink: OTLPSink) -> None:
    """Row 13: there are no more points than the limit and the one for the rest, and their sum is right."""
    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], logs=False)
    counter = metrics.get_meter("tests").create_counter("work.done")
    for number in range(100_000):
        counter.add(1, {"user": f"user-{number}"})

    assert telemetry.force_flush(30)

    points = sink.metrics()["work.done"].sum.data_points
    assert len(points) <= 2001
    assert sum(point.as_int for point in points) == 100_000
    assert any(attributes(point).get("otel.metric.overflow") for point in points)
    agree(book(telemetry, signal="metrics"), sink)
