"""A way out for events that are few: a bounded queue, and a thread that waits for what is behind it.

Whoever puts an event never waits.  What is behind may raise, hang or be away: that costs events,
which are counted, and the time of nobody else.
"""

from __future__ import annotations

import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel.delivery.worker import Worker
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: Events that may wait.
LIMIT: Final = 1000

#: What becomes of events.
OUTCOMES: Final = (
    attributes.AUMOS_SLO_EVENT_DELIVERED,
    attributes.AUMOS_SLO_EVENT_DROPPED,
    attributes.AUMOS_SLO_EVENT_FAILED,
)

#: Seconds of the time to leave that are kept for counting what is left.
MARGIN: Final = 0.1


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
            self._drop_oldest()
        self._queue.append(event)
        self._worker.ensure()
        self._worker.wake()

    def counts(self) -> dict[str, int]:
        """Events of this process by what became of them, one of `OUTCOMES`."""
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
        margin = min(MARGIN, timeout / 10)
        done = self.flush(timeout - margin)
        self._worker.stop()
        while self._drop_oldest():
            pass
        self._close(margin)
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

    def _close(self, timeout: float) -> None:  # noqa: B027 - most have nothing to let go of
        """Let go of what is behind, within ``timeout`` seconds."""

    def _count(self, what: str, number: int = 1) -> None:
        with self._lock:
            self._counts[what] += number

    def _drop_oldest(self) -> bool:
        try:
            self._queue.popleft()
        except IndexError:  # the thread was quicker
            return False
        self._count(attributes.AUMOS_SLO_EVENT_DROPPED)
        return True

    @property
    def _idle(self) -> bool:
        return not self._queue and not self._busy

    def _work(self) -> float | None:
        self._busy = True
        try:
            while True:
                try:
                    event = self._queue.popleft()
                except IndexError:  # empty, or emptied by a shutdown that waits no longer
                    return self._between()
                self._try(event)
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
        self._counts = dict.fromkeys(OUTCOMES, 0)
        self._busy = False


class Hook(Outlet):
    """Calls a function of the user with each event."""

    def __init__(self, function: Callable[[Mapping[str, Any]], object]) -> None:
        super().__init__("exporters.hook")
        self._function = function

    def _hand_on(self, event: Mapping[str, Any]) -> None:
        self._function(dict(event))  # a copy: the function may keep and change it
        self._count(attributes.AUMOS_SLO_EVENT_DELIVERED)
