"""Work that must end in time: a few daemon threads, started before they are needed.

Flush and shutdown of the SDK may block for half a minute, one provider after the other.  The
crew runs them side by side and stops waiting when the time is up.  The threads start with the
pipeline, and in a forked child at once, because a thread cannot be started while the
interpreter exits.
"""

from __future__ import annotations

import queue
import threading
import time
from typing import TYPE_CHECKING, Final

from aumos_otel import guard
from aumos_otel._internal import forking, thread

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

#: Threads at most, for each one of the crew: those that hang are replaced so often.
_SPARE: Final = 8


class Crew:
    """Daemon threads that run jobs side by side, under one deadline."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._dismissed = False
        self._start_over()
        forking.in_child(self._start_over)

    def run(self, jobs: Sequence[Callable[[], object]], timeout: float) -> bool:
        """Run ``jobs`` side by side; True when all of them ended within ``timeout`` seconds and returned no False.

        Where no thread is to be had they run here, one after the other, unless the caller does not wait at all.
        """
        deadline = time.monotonic() + timeout
        self._hire(len(jobs))
        results: list[bool] = []
        finished = [threading.Event() for _ in jobs]
        if not self._threads:
            for job, event in zip(jobs if timeout > 0 else (), finished, strict=False):
                self._report(job, results, event)()
            return len(results) == len(jobs) and all(results)
        for job, event in zip(jobs, finished, strict=True):
            report = self._report(job, results, event)
            self._underway.add(report)
            self._jobs.put(report)
        in_time = [event.wait(max(0.0, deadline - time.monotonic())) for event in finished]
        if not all(in_time):  # the next jobs do not queue up behind these; they may be the last, when none can be hired
            self._hire(len(jobs))
        return all(in_time) and len(results) == len(jobs) and all(results)

    def dismiss(self) -> None:
        """Let the idle threads end."""
        self._dismissed = True
        for _ in range(self._threads):
            self._jobs.put(None)

    def _start_over(self) -> None:
        """Threads do not survive a fork."""
        self._jobs: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._threads = 0
        self._underway: set[object] = set()
        self._hire(0 if self._dismissed else self._size)

    def _hire(self, wanted: int) -> None:
        """Have as many idle threads as are wanted, as far as threads can be started."""
        while self._threads - len(self._underway) < wanted and self._threads < self._size * _SPARE:
            name = f"aumos-otel-{self._threads}"
            if thread.start(name, self._work, self._jobs, site="crew.thread") is None:
                return
            self._threads += 1

    @staticmethod
    def _work(jobs: queue.SimpleQueue[Callable[[], None] | None]) -> None:
        while (job := jobs.get()) is not None:
            job()

    def _report(self, job: Callable[[], object], results: list[bool], event: threading.Event) -> Callable[[], None]:
        underway = self._underway

        def run() -> None:
            try:
                with guard.contain("crew.job"):
                    results.append(job() is not False)
            finally:
                underway.discard(run)
                event.set()

        return run
