"""Ids that count and a clock that ticks: what makes two runs of a test the same."""

from __future__ import annotations

import itertools


class TickingClock:
    """A clock that moves by one step each time it is read; nanoseconds.

    >>> clock = TickingClock(start=0, step=1_000_000_000)
    >>> clock(), clock()
    (1000000000, 2000000000)
    """

    def __init__(self, start: int = 1_700_000_000_000_000_000, step: int = 1_000_000_000) -> None:
        self.now = start
        self.step = step

    def __call__(self) -> int:
        """The next instant."""
        self.now += self.step
        return self.now


class SequentialIds:
    """An id generator for the SDK that counts traces and spans from 1.

    >>> ids = SequentialIds()
    >>> ids.generate_trace_id(), ids.generate_span_id(), ids.generate_span_id()
    (1, 1, 2)
    """

    def __init__(self) -> None:
        self._traces = itertools.count(1)
        self._spans = itertools.count(1)

    def generate_trace_id(self) -> int:
        """The next trace id."""
        return next(self._traces)

    def generate_span_id(self) -> int:
        """The next span id."""
        return next(self._spans)

    def is_trace_id_random(self) -> bool:
        """No: these ids count."""
        return False
