"""A daemon thread that does what is due: started on first use, started anew after a fork, never dead of an error.

Waking it is safe everywhere, in signal handlers and finalizers too: it puts a token into a
`queue.SimpleQueue`, which is reentrant, unlike `threading.Event`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Final

from aumos_otel import _compat, guard
from aumos_otel._internal import thread

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds until another attempt where the system refused a thread.
START_INTERVAL: Final = 1.0


class Worker:
    """Calls ``work`` whenever it is woken, and again after the seconds that ``work`` returned (None: when woken).

    Args:
        name: of the thread.
        work: what is to be done.
        first: seconds from the start of the thread to the first call, unless it is woken before.
    """

    def __init__(self, name: str, work: Callable[[], float | None], first: float = 0.0) -> None:
        self._name = name
        self._work = work
        self._stopped = False
        self._first = first
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: the parent's thread is not here; a stopped worker stays stopped."""
        self._wakes: queue.SimpleQueue[threading.Event | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()
        self._stepping = threading.Lock()
        self._start_at = 0.0

    def wake(self) -> None:
        """Let it look for work now."""
        self._wakes.put(None)

    def ensure(self) -> None:
        """Start the thread unless it runs; a refusal of the system is counted, and tried again later."""
        if self._thread is None and not self._stopped and self._starting.acquire(blocking=False):
            try:  # not waited for: a signal handler may come here while its thread is here
                self._start()
            finally:
                self._starting.release()

    def _start(self) -> None:
        if self._thread is not None or time.monotonic() < self._start_at:
            return
        self._thread = thread.start(self._name, self._run, self._wakes, site="delivery.thread")
        if self._thread is None:
            self._start_at = time.monotonic() + START_INTERVAL

    @property
    def started(self) -> bool:
        """Whether there is, or was, a thread."""
        return self._thread is not None

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def sync(self, deadline: float) -> bool:
        """Have ``work`` run once from now on and wait for its end; False when ``deadline`` (monotonic) came first."""
        if not self.running:
            return self.step(deadline)
        done = threading.Event()
        self._wakes.put(done)
        return done.wait(max(0.0, deadline - time.monotonic()))

    def step(self, deadline: float) -> bool:
        """Do the work here, because there is no thread; False when somebody else did it until ``deadline``."""
        if not self._stepping.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        try:
            self._step()
        finally:
            self._stepping.release()
        return True

    def stop(self) -> None:
        """Let the thread end; it does not start again."""
        self._stopped = True
        self._wakes.put(None)

    def _run(self, wakes: queue.SimpleQueue[threading.Event | None]) -> None:
        _compat.suppress_instrumentation()
        pause: float | None = self._first
        while not self._stopped and self._wakes is wakes:
            waiting = []
            with contextlib.suppress(queue.Empty):
                waiting.append(wakes.get(timeout=pause))
                while True:
                    waiting.append(wakes.get_nowait())
            with self._stepping:
                pause = self._step()
            for done in waiting:
                if done is not None:
                    done.set()

    def _step(self) -> float | None:
        try:
            return self._work()
        except BaseException as error:  # noqa: BLE001 - whatever it was, the thread goes on
            guard.record("delivery.worker", error)
            return START_INTERVAL
