"""Jobs side by side under one deadline, whatever threads do."""

from __future__ import annotations

import os
import threading
import time

import pytest

from aumos_otel import guard
from aumos_otel._internal.crew import Crew


def test_side_by_side() -> None:
    """Two jobs that wait for each other both end; False or an exception makes the whole False."""
    crew = Crew(2)
    both = threading.Barrier(2)

    assert crew.run([both.wait, both.wait], 10)
    assert not crew.run([lambda: False, lambda: True], 10)
    assert not crew.run([lambda: 1 / 0], 10)
    crew.dismiss()


def test_a_job_that_exits_costs_no_thread() -> None:
    """SystemExit and other BaseExceptions of an exporter do not end the crew."""
    crew = Crew(1)

    def leave() -> None:
        raise SystemExit

    assert not crew.run([leave], 10)
    assert crew.run([lambda: True], 10)
    crew.dismiss()


def test_threads_that_hang_are_replaced() -> None:
    """After a job that hangs, the next run finds idle threads."""
    crew, end = Crew(2), threading.Event()
    for _ in range(3):
        began = time.monotonic()
        assert not crew.run([lambda: end.wait(30), lambda: True], 0.05)
        assert time.monotonic() - began < 5

    assert crew.run([lambda: True, lambda: True], 10)
    end.set()
    crew.dismiss()


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is counted, and the jobs are done by the caller, unless it does not wait for them."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    before = guard.swallowed().get("crew.thread", 0)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    crew = Crew(2)
    callers = []

    def job() -> None:
        callers.append(threading.current_thread())

    assert not crew.run([job], 0.0)
    assert callers == []
    assert crew.run([job, job], 10)
    assert callers == [threading.current_thread()] * 2
    assert not crew.run([job, lambda: 1 / 0], 10)
    assert guard.swallowed()["crew.thread"] > before
    crew.dismiss()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_has_threads_of_its_own() -> None:
    """They are there before they are needed: none can be started while the interpreter exits."""
    crew = Crew(2)
    child = os.fork()
    if child == 0:
        names = {thread.name for thread in threading.enumerate()}
        os._exit(0 if names >= {"aumos-otel-0", "aumos-otel-1"} and crew.run([lambda: True], 10) else 1)

    assert os.waitpid(child, 0)[1] == 0
    crew.dismiss()
