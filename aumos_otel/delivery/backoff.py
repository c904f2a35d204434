"""How long to wait before the next attempt."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

#: Seconds: the most that follows the first failed attempt; it doubles with each further one up to the cap.
BASE: Final = 1.0
CAP: Final = 30.0
#: Seconds: a receiver that asks for more is asked again all the same; its clock or its header may be wrong.
LONGEST_REQUEST: Final = 600.0
#: Share of the time asked for that is added at most, so that not all senders come back at once.
_SPREAD: Final = 0.1

#: Not the application's generator: a seed of its own would make all its workers come back at once.
_chance: Final = random.SystemRandom().random


def delay(attempt: int, retry_after: float | None = None, *, chance: Callable[[], float] = _chance) -> float:
    """Seconds until the next attempt: full jitter below a doubling bound, and never before the receiver wants it.

    Args:
        attempt: attempts that failed so far, 1 or more.
        retry_after: seconds that the receiver asked for.
        chance: a number from 0 to 1, drawn anew for each delay.

    >>> [delay(attempt, chance=lambda: 1.0) for attempt in (1, 2, 3, 9)]
    [1.0, 2.0, 4.0, 30.0]
    >>> delay(1, retry_after=20.0, chance=lambda: 0.0)
    20.0
    """
    share = chance()
    jittered = share * min(CAP, BASE * 2.0 ** min(attempt - 1, 16))
    if retry_after is None:
        return jittered
    return max(jittered, min(retry_after, LONGEST_REQUEST) * (1 + _SPREAD * share))
