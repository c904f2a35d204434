"""The breaker of a destination."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

import pytest

from aumos_otel.delivery.breaker import THRESHOLD, Breaker
from aumos_otel.delivery.outcome import Outcome

T = TypeVar("T")
FAILED = Outcome("retry")
TAKEN = Outcome("accepted")


class Clock:
    """Seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """The time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands still."""
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    """A breaker that stays open for ten seconds times the number of failures since it opened."""
    return Breaker(clock, lambda failures, retry_after: retry_after or 10.0 * failures)


def elsewhere(ask: Callable[[], T]) -> T:
    """What another thread gets."""
    answers: list[T] = []
    thread = threading.Thread(target=lambda: answers.append(ask()))
    thread.start()
    thread.join()
    return answers[0]


def fail(breaker: Breaker, times: int = THRESHOLD) -> None:
    """Report failures in a row."""
    for _ in range(times):
        breaker.report(FAILED)


def test_closed(breaker: Breaker) -> None:
    """Fewer failures than the threshold, or a success among them, keep it closed."""
    fail(breaker, THRESHOLD - 1)
    breaker.report(TAKEN)
    fail(breaker, THRESHOLD - 1)

    assert breaker.wait_seconds() == 0


def test_open(breaker: Breaker, clock: Clock) -> None:
    """Enough failures in a row open it, for all threads, until the pause is over."""
    fail(breaker)

    assert breaker.wait_seconds() == 10.0
    assert elsewhere(breaker.wait_seconds) == 10.0
    clock.now += 4
    assert breaker.wait_seconds() == 6.0
    clock.now += 6
    assert breaker.wait_seconds() == 0


def test_one_probe(breaker: Breaker, clock: Clock) -> None:
    """After the pause one thread tries, and may ask again; the others wait for its outcome."""
    fail(breaker)
    clock.now += 10

    assert breaker.wait_seconds() == 0
    assert breaker.wait_seconds() == 0
    assert 0 < elsewhere(breaker.wait_seconds) <= 1
    breaker.report(TAKEN)
    assert elsewhere(breaker.wait_seconds) == 0


def test_a_probe_that_fails(breaker: Breaker, clock: Clock) -> None:
    """A probe that fails opens it again, for longer."""
    fail(breaker)
    clock.now += 10
    assert breaker.wait_seconds() == 0

    breaker.report(FAILED)

    assert breaker.wait_seconds() == 20.0


def test_a_probe_that_is_forgotten(breaker: Breaker, clock: Clock) -> None:
    """A thread that was let through and never reports does not block the others for ever."""
    fail(breaker)
    clock.now += 10
    assert elsewhere(breaker.wait_seconds) == 0

    clock.now += 60

    assert breaker.wait_seconds() == 0


@pytest.mark.parametrize("kind", ["accepted", "rejected", "too_large"])
def test_an_answer_closes_it(kind: str, breaker: Breaker) -> None:
    """Whoever answers for good is there, whatever the answer."""
    fail(breaker)

    breaker.report(Outcome(kind))

    assert breaker.wait_seconds() == 0


def test_what_the_receiver_asks_for(breaker: Breaker) -> None:
    """The pause is what the receiver asks for."""
    fail(breaker, THRESHOLD - 1)
    breaker.report(Outcome("retry", retry_after=77.0))

    assert breaker.wait_seconds() == 77.0


def test_a_forked_child_starts_over(breaker: Breaker) -> None:
    """After a fork it is closed, also when its lock was held at the time."""
    fail(breaker)
    breaker._lock.acquire()

    breaker.after_fork()

    assert breaker.wait_seconds() == 0


def test_many_threads_and_one_probe(breaker: Breaker, clock: Clock) -> None:
    """Of threads that ask at once, exactly one is let through."""
    fail(breaker)
    clock.now += 10
    gate, answers = threading.Barrier(8), []

    def ask() -> None:
        gate.wait()
        answers.append(breaker.wait_seconds())

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert answers.count(0.0) == 1
