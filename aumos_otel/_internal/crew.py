"""Work that must end in time: a few daemon threads, started before they are needed.

Flush and shutdown of the SDK may block for half a minute, one provider after the other.  The
crew runs them side by side and stops waiting when the time is up.  The threads start with
the pipeline, because a thread cannot be started while the interpreter exits.
"""

from __future__ import annotations

import os
import queue
import threading
import time
from typing import TYPE_CHECKING

from aumos_otel import guard

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Crew:
    """Daemon threads that run jobs side by side, under one deadline."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._pid = 0
        self._start()

    def run(self, jobs: Sequence[Callable[[], object]], timeout: float) -> bool:
        """Run ``jobs`` side by side; True when all of them ended within ``timeout`` seconds and returned no False."""
        if self._pid != os.getpid():  # threads do not survive a fork
            self._jobs = queue.SimpleQueue()
            self._start()
        deadline = time.monotonic() + timeout
        results: list[bool] = []
        finished = [threading.Event() for _ in jobs]
        for job, event in zip(jobs, finished, strict=True):
            self._jobs.put(_report(job, results, event))
        in_time = [event.wait(max(0.0, deadline - time.monotonic())) for event in finished]
        return all(in_time) and all(results)

    def dismiss(self) -> None:
        """Let the idle threads end."""
        for _ in range(self._size):
            self._jobs.put(None)

    def _start(self) -> None:
        self._pid = os.getpid()
        for number in range(self._size):
            threading.Thread(target=self._work, args=(self._jobs,), name=f"aumos-otel-{number}", daemon=True).start()

    @staticmethod
    def _work(jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (job := jobs.get()) is not None:
            job()


def _report(job: Callable[[], object], results: list[bool], event: threading.Event) -> Callable[[], None]:
    def run() -> None:
        try:
            with guard.swallow("crew.job"):
                results.append(job() is not False)
        finally:
            event.set()

    return run
