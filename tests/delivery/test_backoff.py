"""How long a sender waits before it tries again."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.delivery import backoff

CHANCES = st.floats(0, 1)


@given(attempt=st.integers(1, 10**9), chance=CHANCES)
def test_bounds(attempt: int, chance: float) -> None:
    """A delay is never negative and never above the cap, however long it has gone on."""
    assert 0 <= backoff.delay(attempt, chance=lambda: chance) <= backoff.CAP


@given(attempt=st.integers(1, 10**9), chance=CHANCES, retry_after=st.floats(0, backoff.LONGEST_REQUEST))
def test_what_the_receiver_asks_for(attempt: int, chance: float, retry_after: float) -> None:
    """The receiver is not asked before the time that it named."""
    assert backoff.delay(attempt, retry_after, chance=lambda: chance) >= retry_after


def test_the_bound_doubles() -> None:
    """The most that a delay can be doubles with each attempt, up to the cap."""
    bounds = [backoff.delay(attempt, chance=lambda: 1.0) for attempt in range(1, 8)]

    assert bounds == [1, 2, 4, 8, 16, 30, 30]


def test_a_request_that_is_a_mistake() -> None:
    """A receiver that asks for a year is asked again within the hour."""
    assert backoff.delay(1, 365 * 86400.0, chance=lambda: 1.0) <= 1.1 * backoff.LONGEST_REQUEST


def test_zero_is_no_invitation_to_a_storm() -> None:
    """Retry-After: 0 does not switch the growing delay off."""
    assert backoff.delay(5, 0.0, chance=lambda: 0.5) == 8.0


def test_senders_spread() -> None:
    """Two senders that were told the same do not come back at the same moment."""
    assert len({backoff.delay(1, 60.0) for _ in range(20)}) > 1
