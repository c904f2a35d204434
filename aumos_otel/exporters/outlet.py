"""A way out for events that are few: a bounded queue, and a thread that waits for what is behind it.

Whoever puts an event never waits.  What is behind may raise, hang or be away: that costs events,
which are counted, and the time of nobody else.
"""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel.delivery.worker import Worker
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Events that may wait.
LIMIT: Final = 1000


class Outlet(ABC):
    """Hands events on, one after the other.

    Args:
        site: where failures are counted, e.g. ``"exporters.kafka"``; the thread is named after its last part.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._worker = Worker(f"aumos-otel-{site.rpartition('.')[2]}", self._work)
        self._closed = False
        self._start_over()
        forking.in_child(self._after_fork)

    def put(self, event: Mapping[str, Any]) -> None:
        """Queue ``event``; the oldest makes room when too many wait."""
        if self._closed:
            self._count(attributes.AUMOS_SLO_EVENT_DROPPED)
            return
        if len(self._queue) >= LIMIT:
            with contextlib.suppress(IndexError):  # the thread was quicker
                self._queue.popleft()
                self._count(attributes.AUMOS_SLO_EVENT_DROPPED)
        self._queue.append(event)
        self._worker.ensure()
        self._worker.wake()

    def counts(self) -> dict[str, int]:
        """Events of this process by what became of them: delivered, dropped, failed."""
        with self._lock:
            return dict(self._counts)

    def flush(self, timeout: float) -> bool:
        """Wait until what is queued has been handed on; False when that took more than ``timeout`` seconds."""
        deadline = time.monotonic() + timeout
        if not self._idle and not self._worker.sync(deadline):
            return False
        return self._settle(max(0.0, deadline - time.monotonic()))

    def shutdown(self, timeout: float) -> bool:
        """Flush and stop; what is left after ``timeout`` seconds is dropped.  False if any is."""
        self._closed = True
        done = self.flush(timeout)
        self._worker.stop()
        left, self._queue = len(self._queue), deque()
        self._count(attributes.AUMOS_SLO_EVENT_DROPPED, left)
        self._close()
        return done

    @abstractmethod
    def _hand_on(self, event: Mapping[str, Any]) -> None:
        """Hand on one event, and count it; whatever is raised counts as a failure."""

    def _between(self) -> float | None:
        """What is to be done when the queue is empty; the seconds until the next time, None: when there is an event."""
        return None

    def _settle(self, timeout: float) -> bool:  # noqa: ARG002 - those that hand on to another queue wait for that
        """Wait until what was handed on has arrived; False when that took more than ``timeout`` seconds."""
        return True

    def _close(self) -> None:
        """Let go of what is behind."""

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    @property
    def _idle(self) -> bool:
        return not self._queue and not self._busy

    def _work(self) -> float | None:
        self._busy = True
        try:
            while self._queue:
                self._try(self._queue.popleft())
            return self._between()
        finally:
            self._busy = False

    def _try(self, event: Mapping[str, Any]) -> None:
        try:
            self._hand_on(event)
        except BaseException as error:  # noqa: BLE001 - somebody else's code on a thread of ours
            self._count(attributes.AUMOS_SLO_EVENT_FAILED)
            guard.record(self._site, error)

    def _after_fork(self) -> None:
        self._start_over()
        self._worker.after_fork()

    def _start_over(self) -> None:
        self._lock = threading.RLock()
        self._queue: deque[Mapping[str, Any]] = deque()
        self._counts: Counter[str] = Counter()
        self._busy = False


class Hook(Outlet):
    """Calls a function of the user with each event."""

    def __init__(self, function: Callable[[Mapping[str, Any]], object]) -> None:
        super().__init__("exporters.hook")
        self._function = function

    def _hand_on(self, event: Mapping[str, Any]) -> None:
        self._function(dict(event))  # a copy: the function may keep and change it
        self._count(attributes.AUMOS_SLO_EVENT_DELIVERED)
