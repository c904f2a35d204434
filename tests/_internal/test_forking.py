"""What starts over in a forked child."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Callable

import pytest

from aumos_otel._internal import forking

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
    pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning"),
]


def in_child(check: Callable[[], object]) -> bool:
    """Whether ``check`` is true in a child; one that hangs is killed."""
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        os._exit(0 if check() else 1)
    return os.waitpid(child, 0)[1] == 0


class Counter:
    """Something that starts over."""

    def __init__(self) -> None:
        self.times = 0
        forking.in_child(self.start_over)

    def start_over(self) -> None:
        """Count."""
        self.times += 1


def test_in_the_child_only() -> None:
    """It is called once in the child, and in a grandchild again."""
    counter = Counter()

    assert in_child(lambda: counter.times == 1 and in_child(lambda: counter.times == 2))
    assert counter.times == 0


def test_an_object_is_not_kept_alive() -> None:
    """What is gone does not start over."""
    alive = [Counter()]
    gone = []
    alive[0].start_over = lambda: gone.append(1)
    alive.clear()
    gc.collect()

    assert in_child(lambda: gone == [])


def test_one_that_fails_is_the_parents_matter() -> None:
    """The next ones are still called, and the child goes on."""

    class Failing:
        def start_over(self) -> None:
            raise ValueError

    failing = Failing()
    forking.in_child(failing.start_over)
    counter = Counter()

    assert in_child(lambda: counter.times == 1)
