"""The thread that does what is due."""

from __future__ import annotations

import os
import threading
import time

import pytest

from aumos_otel import guard
from aumos_otel.delivery.worker import Worker

PATIENCE = 10.0


@pytest.fixture
def calls() -> list[str]:
    """Names of the threads that did the work."""
    return []


def stop(worker: Worker, calls: list[str]) -> None:
    """End the thread and wait for it."""
    worker.stop()
    for thread in threading.enumerate():
        if thread.name in calls and thread is not threading.current_thread():
            thread.join(PATIENCE)


def test_it_starts_on_first_use(calls: list[str]) -> None:
    """There is no thread before it is needed, and only one after."""
    worker = Worker("aumos-otel-test", lambda: calls.append(threading.current_thread().name))
    assert "aumos-otel-test" not in [thread.name for thread in threading.enumerate()]

    worker.ensure()
    worker.ensure()

    assert worker.sync(time.monotonic() + PATIENCE)
    assert [thread.name for thread in threading.enumerate()].count("aumos-otel-test") == 1
    assert calls[-1] == "aumos-otel-test"
    stop(worker, calls)


def test_without_a_thread_sync_does_the_work_itself(calls: list[str]) -> None:
    """What waits can be sent also where no thread was started."""
    worker = Worker("aumos-otel-test", lambda: calls.append(threading.current_thread().name))

    assert worker.sync(time.monotonic() + PATIENCE)
    assert calls == [threading.current_thread().name]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_an_error_does_not_end_the_thread(error: BaseException) -> None:
    """Whatever the work raises is counted; the next call finds the thread alive."""
    outcomes = [error, None]

    def work() -> None:
        outcome = outcomes.pop(0) if outcomes else None
        if outcome is not None:
            raise outcome

    before = guard.swallowed().get("delivery.worker", 0)
    worker = Worker("aumos-otel-test", work)
    worker.ensure()

    assert worker.sync(time.monotonic() + PATIENCE)
    assert worker.sync(time.monotonic() + PATIENCE)
    assert guard.swallowed()["delivery.worker"] == before + 1
    stop(worker, ["aumos-otel-test"])


def test_a_refused_thread_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a thread nothing is raised, and not every record tries again."""
    attempts: list[int] = []

    def refuse(_thread: threading.Thread) -> None:
        attempts.append(1)
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)
    worker = Worker("aumos-otel-test", lambda: None)

    for _ in range(1000):
        worker.ensure()

    assert len(attempts) == 1


def test_sync_keeps_its_deadline() -> None:
    """Work that hangs does not hold up who waits for it."""
    release = threading.Event()
    worker = Worker("aumos-otel-test", lambda: release.wait(PATIENCE) and None)
    worker.ensure()

    assert not worker.sync(time.monotonic() + 0.05)
    release.set()
    stop(worker, ["aumos-otel-test"])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_gets_a_thread_of_its_own() -> None:
    """After a fork the child's first use starts a thread there."""
    worker = Worker("aumos-otel-test", lambda: None)
    worker.ensure()
    assert worker.sync(time.monotonic() + PATIENCE)
    child = os.fork()
    if child == 0:
        worker.after_fork()
        worker.ensure()
        os._exit(0 if worker.sync(time.monotonic() + PATIENCE) and worker._thread is not None else 1)
    _, status = os.waitpid(child, 0)

    assert os.waitstatus_to_exitcode(status) == 0
    stop(worker, ["aumos-otel-test"])


def test_many_threads_start_one(calls: list[str]) -> None:
    """However many threads need it at the same moment, one thread is started."""
    worker = Worker("aumos-otel-test", lambda: calls.append(threading.current_thread().name))
    barrier = threading.Barrier(8)

    def need() -> None:
        barrier.wait()
        worker.ensure()

    threads = [threading.Thread(target=need) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert worker.sync(time.monotonic() + PATIENCE)
    assert [thread.name for thread in threading.enumerate()].count("aumos-otel-test") == 1
    stop(worker, calls)
