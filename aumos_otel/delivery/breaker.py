"""One breaker a destination: a receiver that is down is asked by one lane at a time, and ever less often."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Final

from aumos_otel.delivery import backoff

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.delivery.outcome import Outcome

#: Attempts in a row, over all lanes, that have to fail before the breaker opens.
THRESHOLD: Final = 5
#: Seconds after which a lane that was let through and reported nothing is not waited for any longer.
_LEASE: Final = 30.0
#: Seconds after which the other lanes ask again while one is trying.
_ASK_AGAIN: Final = 0.5


class Breaker:
    """Closed, every lane may send.  Open, none may until a pause is over; then one tries, and its outcome decides.

    What the receiver answers for good closes it, a refusal too: somebody is there.  Used by several threads.

    Args:
        clock: monotonic seconds.
        pause: seconds to stay open, from the number of failures since it opened and what the receiver asked for.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[int, float | None], float] = backoff.delay,
    ) -> None:
        self._clock = clock
        self._pause = pause
        self.after_fork()

    def after_fork(self) -> None:
        """Start over: in a forked child the lock may be held by a thread that is not there."""
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._prober: int | None = None

    def wait_seconds(self) -> float:
        """Seconds until this thread may send; 0 is leave to send now, and is followed by `report`."""
        with self._lock:
            now = self._clock()
            if self._failures < THRESHOLD:
                return 0.0
            if self._prober == threading.get_ident():
                return 0.0
            if now < self._until:
                return self._until - now if self._prober is None else min(_ASK_AGAIN, self._until - now)
            self._prober, self._until = threading.get_ident(), now + _LEASE
            return 0.0

    def report(self, outcome: Outcome) -> None:
        """What became of an attempt."""
        with self._lock:
            if outcome.kind != "retry":
                self._failures, self._until, self._prober = 0, 0.0, None
                return
            self._failures += 1
            if self._failures >= THRESHOLD:
                self._prober = None
                self._until = self._clock() + self._pause(self._failures - THRESHOLD + 1, outcome.retry_after)
