"""Cells of each thread's own, and what they add up to."""

from __future__ import annotations

import gc
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from aumos_otel import context
from aumos_otel.processors.sli_cells import REMEMBERED, Cells, Trace

GOOD, BAD = 1, 0


@pytest.fixture(autouse=True)
def _tenants() -> Iterator[None]:
    """No tenant has a value of its own yet, and none has afterwards."""
    context.reset_metric_tenants()
    yield
    context.reset_metric_tenants()


def in_thread(job: Callable[[], object]) -> None:
    """Run ``job`` on a thread of its own, to its end."""
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()


def count(cells: Cells, cell: int, times: int = 1, tenant: str | None = None) -> None:
    """Count as the processor does."""
    for _ in range(times):
        cells.row(tenant).counts[cell] += 1


def test_threads_add_up() -> None:
    """Threads that switch at every chance, while somebody reads all the time, lose no increment."""
    cells, stop, readings = Cells(), threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            bad, good = cells.read().counts.get((0, None), [0, 0])
            readings.append((good, bad + good))

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    reader = threading.Thread(target=read)
    reader.start()
    try:
        with ThreadPoolExecutor(8) as pool:
            for _ in range(8):
                pool.submit(lambda: [count(cells, number % 2) for number in range(5_000)])
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        reader.join()

    assert cells.read().counts == {(0, None): [20_000, 20_000]}
    assert readings == sorted(readings), "a counter went back"


def test_thousands_of_short_threads() -> None:
    """What ended threads have counted stays, and nothing else of them does, even if nobody ever reads."""
    cells = Cells()

    for _ in range(1_000):
        in_thread(lambda: count(cells, GOOD))

    gc.collect()
    assert len(cells._shards) <= 64
    assert cells.read().counts == {(0, None): [0, 1_000]}
    assert cells._shards == []


def test_a_thread_that_lives_keeps_its_cells() -> None:
    """Its row is the same one from event to event, also when others have been read and taken over."""
    cells = Cells()
    mine = cells.row("acme")
    in_thread(lambda: count(cells, BAD, tenant="acme"))
    cells.read()

    assert cells.row("acme") is mine
    mine.counts[GOOD] += 1
    assert cells.read().counts == {(0, "acme"): [1, 1]}


def test_tenants_over_the_limit() -> None:
    """Those that came first have a row of their own, all others share one, and nothing is lost."""
    cells = Cells()

    for number in range(context.METRIC_TENANT_LIMIT + 50):
        count(cells, GOOD, 2, f"tenant-{number}")
    in_thread(lambda: count(cells, GOOD, tenant="tenant-0"))
    in_thread(lambda: count(cells, GOOD, tenant="one more"))

    counts = cells.read().counts
    assert len(counts) == context.METRIC_TENANT_LIMIT + 1
    assert counts[0, "_other"] == [0, 101]
    assert counts[0, "tenant-0"] == [0, 3]


def test_a_tenant_without_end() -> None:
    """The name of a tenant is cut to what an identity may have, and its events are one series."""
    cells = Cells()

    count(cells, GOOD, tenant="x" * 10_000)
    count(cells, GOOD, tenant="x" * 20_000)

    assert cells.read().counts == {(0, "x" * context.VALUE_LIMIT): [0, 2]}


@pytest.mark.parametrize("tenant", [None, "", 7, ["a"], {"a": 1}, b"acme"])
def test_what_is_no_tenant(tenant: object) -> None:
    """What is no text counts as if there were none."""
    cells = Cells()

    cells.row(tenant).counts[GOOD] += 1

    assert cells.read().counts == {(0, None): [0, 1]}


def test_traces_behind_bad_events() -> None:
    """The newest are remembered, each trace once, and told once."""
    cells = Cells()
    row = cells.row(None)
    for number in (1, 1, 2, 3, 4, 5, 6, 6):
        row.remember_bad(0, Trace(number, 10 + number, 100 + number))

    told = cells.read().bad[0, None]
    assert [trace.trace_id for trace in told] == [2, 3, 4, 5, 6]
    assert len(told) == REMEMBERED
    assert cells.read().bad == {}


def test_traces_of_ended_threads() -> None:
    """They are told although their thread has ended."""
    cells = Cells()

    def work() -> None:
        cells.row(None).remember_bad(0, Trace(1, 2, 3))
        cells.row(None).good[0] = Trace(4, 5, 6)

    in_thread(work)

    reading = cells.read()
    assert reading.bad == {(0, None): [Trace(1, 2, 3)]}
    assert reading.good == {(0, None): Trace(4, 5, 6)}
    assert cells.read().good == {}
