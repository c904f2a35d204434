"""Rows 6 and 7: metrics before and after a fork, and a fork at a bad moment."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from typing import TYPE_CHECKING

from lab import Finding, say
from opentelemetry import metrics

if TYPE_CHECKING:
    from collections.abc import Callable

    from lab import Lab
    from sides import Side

FORKS = 20
INSTANCE = "pod-7"


def count_and_fork(side: Side) -> None:
    """Scenario: 41 events before the fork, one in the child."""
    side.start()
    orders = metrics.get_meter("compare").create_counter("orders")
    orders.add(41)
    child = os.fork()
    if child == 0:
        orders.add(1)
        side.flush(5)
        os._exit(0)
    os.waitpid(child, 0)
    side.flush(5)
    say(done=True)


def counters(lab: Lab) -> Finding:
    """Row 6: the sum over all instances, and whose instance they are."""
    from aumos_otel.testing import OTLPSink
    from aumos_otel.testing.records import attributes, scopes

    latest: dict[str, int] = {}
    with OTLPSink() as sink:
        lab.run("forking:count_and_fork", sink.url, OTEL_RESOURCE_ATTRIBUTES=f"service.instance.id={INSTANCE}")
        for request in sink.kept("metrics"):
            for resource, scope in scopes(request.body):
                for metric in scope.metrics:
                    if metric.name == "orders":
                        instance = str(attributes(resource).get("service.instance.id"))
                        latest[instance] = metric.sum.data_points[0].as_int
    kept = sum(instance.startswith(INSTANCE) for instance in latest)
    text = f"sum {sum(latest.values())} of 42 events; the user's id in {kept} of {len(latest)} instances"
    return Finding(text, sum(latest.values()) == 42 and kept == len(latest) == 2)  # noqa: PLR2004 - 41 + 1 events, 2 processes


def fork_while_busy(side: Side) -> None:
    """Scenario: forks while one thread counts and one collects; each child counts, collects and leaves."""

    def slow(_options: object) -> list[metrics.Observation]:
        time.sleep(0.01)
        return [metrics.Observation(1)]

    side.start()
    meter = metrics.get_meter("compare")
    orders = meter.create_counter("orders")
    meter.create_observable_gauge("load", [slow])
    done = threading.Event()

    def count() -> None:
        while not done.is_set():
            orders.add(1)

    def collect() -> None:
        while not done.is_set():
            side.flush(1)

    def work() -> None:
        orders.add(1)
        side.flush(1)

    sys.setswitchinterval(1e-5)  # more forks at a bad moment in less time
    threads = [threading.Thread(target=count), threading.Thread(target=collect)]
    for thread in threads:
        thread.start()
    hangs = sum(hangs_after_fork(work) for _ in range(FORKS))
    done.set()
    for thread in threads:
        thread.join()
    say(hangs=hangs)
    os._exit(0)  # leaving is another row


def hangs_after_fork(work: Callable[[], None]) -> bool:
    """Whether a child that does this work is still there after three seconds; it is killed then."""
    child = os.fork()
    if child == 0:
        with contextlib.suppress(Exception):  # that a flush is late is not the question
            work()
        os._exit(0)
    deadline = time.monotonic() + 3
    while time.monotonic() < deadline:
        if os.waitpid(child, os.WNOHANG)[0]:
            return False
        time.sleep(0.005)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return True


def busy_threads(lab: Lab) -> Finding:
    """Row 7: how many children hang."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        hangs = lab.run("forking:fork_while_busy", sink.url).report["hangs"]
    return Finding(f"{hangs} of {FORKS} children hang", hangs == 0)
