"""What is swallowed, counted and logged, and what passes through."""

from __future__ import annotations

import asyncio
import logging
import os
import threading

import pytest

from aumos_otel import guard

OURS = "tests.guard"


class OutOfBandError(BaseException):
    """A BaseException that is nobody's control flow."""


class Timeout(BaseException):
    """Like gevent's."""


@pytest.fixture(autouse=True)
def _from_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts and the time of the last line start over."""
    monkeypatch.setattr(guard, "_last_logged", {})
    guard._counts.pop(OURS, None)


CONTROL_FLOW = [KeyboardInterrupt, SystemExit, GeneratorExit, asyncio.CancelledError, Timeout]


@pytest.mark.parametrize("kind", CONTROL_FLOW)
@pytest.mark.parametrize("keeper", [guard.swallow, guard.shield])
def test_what_ends_the_users_work_reaches_the_user(keeper: type[guard.swallow], kind: type[BaseException]) -> None:
    """Interrupts, exits and cancellations pass through, uncounted."""
    with pytest.raises(kind), keeper(OURS):
        raise kind

    assert OURS not in guard.swallowed()


def test_our_own_code_keeps_exceptions_only() -> None:
    """A BaseException in code of ours came from outside: it passes through."""
    with guard.swallow(OURS):
        raise ValueError
    with pytest.raises(OutOfBandError), guard.swallow(OURS):
        raise OutOfBandError

    assert guard.swallowed()[OURS] == 1


def test_a_shield_keeps_what_somebody_elses_code_makes_up() -> None:
    """A BaseException of a processor's own making stays inside."""
    with guard.shield(OURS):
        raise OutOfBandError

    assert guard.swallowed()[OURS] == 1


@pytest.mark.parametrize("kind", [*CONTROL_FLOW, OutOfBandError, ValueError])
def test_a_thread_of_ours_lives_on(kind: type[BaseException]) -> None:
    """On a thread of ours everything ends in `contain`, also SystemExit."""
    with guard.contain(OURS):
        raise kind

    assert guard.swallowed()[OURS] == 1


def test_one_line_a_minute(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """A site that fails all the time is logged once a minute and counted each time."""
    for _ in range(3):
        guard.record(OURS, ValueError())
    guard.notice(OURS, "never mind")
    assert len(caplog.records) == 1

    monkeypatch.setitem(guard._last_logged, OURS, guard._last_logged[OURS] - guard.LOG_INTERVAL)
    guard.notice(OURS, "it goes on")
    assert caplog.messages[-1] == "it goes on"
    assert guard.swallowed()[OURS] == 5


def test_a_log_handler_that_comes_back(caplog: pytest.LogCaptureFixture) -> None:
    """A handler of the application's that fails inside us while our line is logged does not hang."""

    class Handler(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            guard.record(OURS, None)

    handler = Handler()
    guard.logger.addHandler(handler)
    try:
        guard.record(OURS, ValueError())
    finally:
        guard.logger.removeHandler(handler)

    assert guard.swallowed()[OURS] == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child_counts_from_zero() -> None:
    """The parent's counts stay with the parent, and its lock is not inherited locked."""
    guard.record(OURS, None)
    taken, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with guard._lock:
            taken.set()
            give_back.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    taken.wait(10)
    child = os.fork()
    if child == 0:
        import signal

        signal.alarm(10)
        os._exit(0 if OURS not in guard.swallowed() else 1)  # readers of other tests may count there
    give_back.set()
    thread.join()

    assert os.waitpid(child, 0)[1] == 0
    assert guard.swallowed()[OURS] == 1
