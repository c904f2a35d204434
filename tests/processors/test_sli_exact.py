"""SLI counters are exact: under sampling, from many threads, and over forks.

AUMOS_TEST_SPANS says how many spans there are (80 000 by default; a million take about a minute).
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).resolve().parents[1]
SPANS = int(os.environ.get("AUMOS_TEST_SPANS", "80000"))
CHILDREN = 6

PROGRAM = """
import json, os, random, sys, threading
from collections import Counter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider, SpanProcessor
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import SpanKind, StatusCode
from aumos_otel import _compat
from aumos_otel.processors.sli import SliCounter, SliProcessor
from aumos_otel.processors.sli_metrics import observe
from aumos_otel.providers.sampler import ExhaustiveSampler
from processors.slis import Demand, PythonSli

SLIS = [
    PythonSli("all"),
    PythonSli("server", lambda f: f.kind == "server", discriminator=Demand(kinds=frozenset({"server"}))),
    PythonSli("route", lambda f: f.attributes.get("route") == "/a", discriminator=Demand(attributes={"route": frozenset({"/a"})})),
]
counter, reader = SliCounter(SLIS), InMemoryMetricReader()
meters = MeterProvider([reader], shutdown_on_exit=False)
observe(meters, counter)
_compat.survive_forks(meters)
sampled = []

class Sampled(SpanProcessor):
    def on_end(self, span):
        if span.context.trace_flags.sampled:
            sampled.append(1)

provider = TracerProvider(sampler=ExhaustiveSampler(TraceIdRatioBased(0.01), lambda: True), shutdown_on_exit=False)
_compat.survive_forks(provider)
for processor in (SliProcessor(counter), Sampled()):
    provider.add_span_processor(processor)
tracer = provider.get_tracer("tests")

def work(seed, times, expected):
    chance = random.Random(seed)
    for _ in range(times):
        kind = chance.choice([SpanKind.SERVER, SpanKind.CLIENT])
        tenant, route, bad = chance.choice([None, "acme", "zen"]), chance.choice(["/a", "/b"]), chance.random() < 0.1
        attributes = {"route": route} | ({"aumos.tenant.id": tenant} if tenant else {})
        span = tracer.start_span("work", kind=kind, attributes=attributes)
        if bad:
            span.set_status(StatusCode.ERROR)
        span.end()
        for sli, is_one in (("all", True), ("server", kind is SpanKind.SERVER), ("route", route == "/a")):
            if is_one:
                expected["aumos.sli.events", sli, tenant] += 1
                expected["aumos.sli.good_events", sli, tenant] += not bad

def run(seeds, times):
    counts = [Counter() for _ in seeds]
    threads = [threading.Thread(target=work, args=(seed, times, count)) for seed, count in zip(seeds, counts)]
    for thread in threads:
        thread.start()
    return threads, counts

def summed(counts):
    total = Counter()
    for count in counts:
        total.update(count)
    return {json.dumps(key): value for key, value in total.items()}

def counted():
    found = {}
    for resource in reader.get_metrics_data().resource_metrics:
        for scope in resource.scope_metrics:
            for metric in scope.metrics:
                for point in metric.data.data_points:
                    key = (metric.name, point.attributes["aumos.sli.name"], point.attributes.get("aumos.tenant.id"))
                    found[json.dumps(key)] = point.value
    return found
"""

THREADS = """
threads, counts = run(range(8), EACH)
looks, back, over = 0, 0, 0
before = {}
while any(thread.is_alive() for thread in threads):
    now = counted()
    looks += 1
    back += any(now[key] < value for key, value in before.items())
    over += any(now[key.replace("events", "good_events")] > value for key, value in now.items() if "good" not in key)
    before = now
for thread in threads:
    thread.join()
print(json.dumps({"expected": summed(counts), "counted": counted(), "sampled": len(sampled),
    "looks": looks, "back": back, "over": over}))
"""

FORKS = """
pipes = []
threads, counts = run(range(4), EACH)
mine = Counter()
counts.append(mine)
for number in range(CHILDREN):
    work(100 + number, 50, mine)
    read, write = os.pipe()
    if os.fork() == 0:
        own = Counter()
        work(200 + number, 100, own)
        more, others = run(range(300 + 10 * number, 302 + 10 * number), 100)
        for thread in more:
            thread.join()
        os.write(write, json.dumps({"expected": summed([own, *others]), "counted": counted()}).encode())
        os._exit(0)
    os.close(write)
    pipes.append(read)
told = []
for read in pipes:
    with os.fdopen(read) as pipe:
        told.append(json.loads(pipe.read()))
    os.wait()
for thread in threads:
    thread.join()
print(json.dumps({"parent": {"expected": summed(counts), "counted": counted()}, "children": told}))
"""


def run(script: str, **values: int) -> dict[str, Any]:
    """What the program prints."""
    for name, value in values.items():
        script = script.replace(name, str(value))
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM + script],
        env={**os.environ, "PYTHONPATH": str(TESTS)},
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def nonzero(counts: dict[str, int]) -> dict[str, int]:
    """Series with events."""
    return {key: value for key, value in counts.items() if value}


@pytest.mark.timeout(960)
def test_eight_threads_at_a_sampling_ratio_of_one_in_a_hundred() -> None:
    """The counters equal an independent count, to the event and by tenant, and never go back on the way."""
    told = run(THREADS, EACH=SPANS // 8)

    print(f"\n{SPANS} spans by 8 threads, {told['sampled']} of them sampled, {told['looks']} collections meanwhile")
    assert nonzero(told["counted"]) == told["expected"]
    everything = sum(value for key, value in told["counted"].items() if '"aumos.sli.events", "all"' in key)
    assert everything == SPANS // 8 * 8
    assert told["sampled"] < SPANS / 20
    assert (told["back"], told["over"]) == (0, 0)


@pytest.mark.timeout(300)
@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.usefixtures("unmeasured")
def test_forks_while_threads_count() -> None:
    """Parent and children each count what they did themselves, to the event: their sum counts nothing twice."""
    told = run(FORKS, EACH=SPANS // 20, CHILDREN=CHILDREN)

    assert nonzero(told["parent"]["counted"]) == told["parent"]["expected"]
    assert len(told["children"]) == CHILDREN
    for child in told["children"]:
        assert nonzero(child["counted"]) == child["expected"]
