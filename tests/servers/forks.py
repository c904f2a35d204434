"""A program that forks while it works: each event is one span, one log record and one count.

``python -m servers.forks HOW HOW_OFTEN STATE`` prints one JSON object: how many events there were
in all processes, how many children, how many of them failed, and how long the slowest fork took.
"""

from __future__ import annotations

import json
import logging
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from opentelemetry import metrics, trace
from servers.work import configure

from aumos_otel import context, guard
from aumos_otel.llm import metrics as llm_metrics

#: Events in a child; seconds after which one that hangs is killed.
EVENTS, ALARM = 5, 20


def event(count: Any = None) -> None:
    """One span with a log record in it, and one count."""
    with trace.get_tracer("tests").start_as_current_span(f"{os.getpid()}"):
        logging.getLogger("tests").warning("event")
    (count or metrics.get_meter("tests").create_counter("events")).add(1)


def child(count: Any = None) -> None:
    """What a child does; ``count`` is an instrument of its parent's, where it has one."""
    if hasattr(signal, "alarm"):
        signal.alarm(ALARM)
    if count is None:  # a spawned one has nothing of its parent's
        logging.getLogger("tests").addHandler(logging.NullHandler())
        configure()
    for _ in range(EVENTS):
        event(count)


def by_os_fork(count: Any) -> bool:
    """Fork, and end as a program does."""
    pid = os.fork()
    if pid == 0:
        child(count)
        sys.exit(0)
    return os.waitpid(pid, 0)[1] == 0


def by_multiprocessing(method: str) -> Callable[[Any], bool]:
    """A process of multiprocessing."""

    def run(count: Any) -> bool:
        arguments = (count,) if method == "fork" else ()
        process = multiprocessing.get_context(method).Process(target=child, args=arguments)
        process.start()
        process.join(2 * ALARM)
        return process.exitcode == 0

    return run


WAYS: dict[str, Callable[[Any], bool]] = {
    "os.fork": by_os_fork,
    **{method: by_multiprocessing(method) for method in multiprocessing.get_all_start_methods()},
}


@contextmanager
def busy(count: Any, done: list[int]) -> Iterator[None]:
    """Two threads emit all the time."""
    stop = threading.Event()

    def work() -> None:
        number = 0
        while not stop.is_set():
            event(count)
            number += 1
            stop.wait(0.001)
        done.append(number)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    yield
    stop.set()
    for thread in threads:
        thread.join()


@contextmanager
def locked(telemetry: Any) -> Iterator[None]:
    """Another thread holds every lock of ours that a child will need."""
    taken, give_back = threading.Event(), threading.Event()
    locks = [guard._lock, context._lock, llm_metrics._lock, telemetry._lock]
    locks += [books.lock for books in telemetry._wiring.ledger.books]

    def hold() -> None:
        for lock in locks:
            lock.acquire()
        taken.set()
        give_back.wait()
        for lock in reversed(locks):
            lock.release()

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait()
    yield
    give_back.set()
    thread.join()


def main(how: str, times: int, state: str) -> None:
    """Configure, count a little, fork so often, and end."""
    # Nothing on stderr: the lock of the file would be inherited by the child, and CPython does not renew it.
    logging.getLogger("tests").addHandler(logging.NullHandler())
    # Since 3.12 a fork warns of other threads; in the log that would wait for a lock that is held on purpose here.
    warnings.simplefilter("ignore", DeprecationWarning)
    telemetry = configure(service_name="forks", resource_attributes={"service.instance.id": "pod-7"})
    count = metrics.get_meter("tests").create_counter("events")
    event(count)
    done, failed, slowest = [1], 0, 0.0
    for _ in range(times):
        began = time.perf_counter()
        around = {"busy": lambda: busy(count, done), "locked": lambda: locked(telemetry)}.get(state)
        if around is None:
            failed += not WAYS[how](count)
        else:
            with around():
                failed += not WAYS[how](count)
        slowest = max(slowest, time.perf_counter() - began)
    print(json.dumps({"events": sum(done) + times * EVENTS, "failed": failed, "slowest": slowest}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
