"""Forked and spawned children: none hangs, nothing is lost or sent twice, counters add up, instances are told apart.

AUMOS_TEST_FORKS says how many children there are in each case (20 by default, fewer where each starts an interpreter).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from servers.otlp import HTTPSink, attributes

TESTS = Path(__file__).resolve().parent
FORKS = int(os.environ.get("AUMOS_TEST_FORKS", "20"))
WAYS = ["os.fork", *multiprocessing.get_all_start_methods()]
STARTS_AN_INTERPRETER = {"spawn", "forkserver"}

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
    pytest.mark.usefixtures("unmeasured"),
]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("state", ["idle", "busy", "locked"])
@pytest.mark.parametrize("how", WAYS)
def test_children(how: str, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the parent does at that moment, and whatever lock is held."""
    times = max(2, FORKS // 10) if how in STARTS_AN_INTERPRETER else FORKS
    with HTTPSink() as sink:
        done = subprocess.run(
            [sys.executable, "-m", "servers.forks", how, str(times), state],
            env={**os.environ, "PYTHONPATH": str(TESTS), "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url},
            capture_output=True,
            text=True,
            timeout=540,
            check=True,
        )
        told = json.loads(done.stdout)
        spans, logs = sink.ids("traces"), sink.logs()
        counted = count_by_instance(sink)

    print(f"\n{how}, {state}: {times} children, slowest {told['slowest'] * 1000:.0f} ms")
    assert told["failed"] == 0
    assert len(spans) == told["events"], "a span is missing"
    assert set(spans.values()) == {1}, "a span was sent twice"
    assert len(logs) == told["events"]
    assert sum(counted.values()) == told["events"]
    assert len(counted) == times + 1
    if how not in STARTS_AN_INTERPRETER:
        assert all(instance.startswith("pod-7") for instance in counted)


def count_by_instance(sink: HTTPSink) -> Counter[str]:
    """The last value of the cumulative counter, by instance."""
    found: Counter[str] = Counter()
    for request in sink.of("metrics"):
        for resource in request.body.resource_metrics:
            instance = str(attributes(resource.resource)["service.instance.id"])
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "events":
                        found[instance] = sum(point.as_int for point in metric.sum.data_points)
    return found


HOOKS = """
import os, sys, time
import aumos_otel
telemetry = aumos_otel.configure(service_name="forks", instrumentations=False)
times = []
for _ in range(10):
    read, write = os.pipe()
    began = time.perf_counter_ns()
    if os.fork() == 0:
        os.write(write, str(time.perf_counter_ns() - began).encode())
        os._exit(0)
    times.append(int(os.read(read, 100)) / 1e6)
    os.wait()
print(sorted(times)[len(times) // 2], flush=True)
os._exit(0)
"""


def test_what_a_fork_costs_the_child() -> None:
    """With three providers a child begins its work within 50 ms; the median of ten is printed."""
    done = subprocess.run([sys.executable, "-c", HOOKS], capture_output=True, text=True, timeout=60, check=True)
    milliseconds = float(done.stdout)

    print(f"\nfrom fork to the child's first line: {milliseconds:.1f} ms")
    assert milliseconds < 50
