"""Somebody else's code, waited for no longer than a moment."""

from __future__ import annotations

import contextvars
import threading
import time

import pytest

from aumos_otel._internal import deadline

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def test_the_result_comes_back() -> None:
    """What the job returns or raises is returned or raised, and it sees the context of its caller."""
    colour.set("red")

    assert deadline.within(10, colour.get) == "red"
    with pytest.raises(ZeroDivisionError):
        deadline.within(10, lambda: 1 / 0)
    with pytest.raises(KeyboardInterrupt):
        deadline.within(10, lambda: (_ for _ in ()).throw(KeyboardInterrupt))


def test_one_that_hangs_is_left_behind() -> None:
    """The caller goes on when the time is up."""
    end = threading.Event()
    began = time.monotonic()
    with pytest.raises(TimeoutError):
        deadline.within(0.02, lambda: end.wait(30))
    took = time.monotonic() - began
    end.set()

    assert 0.02 <= took < 5


def test_only_so_many_may_be_left_behind() -> None:
    """From then on nothing is tried, until one of them has ended."""
    end = threading.Event()
    for _ in range(deadline.LIMIT):
        with pytest.raises(TimeoutError, match="not done"):
            deadline.within(0, lambda: end.wait(30))

    with pytest.raises(TimeoutError, match="too many"):
        deadline.within(10, lambda: 1)
    end.set()
    until = time.monotonic() + 10
    while True:
        try:
            assert deadline.within(10, lambda: 1) == 1
            break
        except TimeoutError:
            assert time.monotonic() < until


def test_no_thread_can_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """That is told at once, and takes no room away."""

    def refuse(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        for _ in range(2 * deadline.LIMIT):
            with pytest.raises(RuntimeError):
                deadline.within(10, lambda: 1)

    assert deadline.within(10, lambda: 1) == 1
