"""Counts over time: what burn rates and budgets are calculated from."""

from __future__ import annotations

import math
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence


@dataclass(frozen=True, slots=True)
class Counts:
    """Good events and all events; both may be fractions, because rates are extrapolated and slices weighed.

    ``good`` above ``total`` is a fault of the metrics; the ratio then is 0, never below.
    """

    good: float
    total: float

    @property
    def bad(self) -> float:
        """Events that were not good."""
        return max(0.0, self.total - self.good)

    @property
    def error_ratio(self) -> float | None:
        """The share of the bad; None when nothing happened: that is not the same as good."""
        return self.bad / self.total if self.total > 0 else None


class Sample(NamedTuple):
    """What happened since the sample before: ``at`` in Unix seconds, and the events."""

    at: float
    good: float
    total: float


class History:
    """The events of each step, summed over any window in the time of two look-ups.

    Running sums are kept with the part that rounding took from them, so that a quiet minute after
    a billion events is as exact as the first one was.

    Args:
        step: seconds between two samples as they should come; what `coverage` measures by.
        longest: seconds of the longest window that will be asked for; what is older is forgotten.
    """

    __slots__ = ("_at", "_good", "_good_rest", "_head", "_total", "_total_rest", "longest", "step")

    def __init__(self, step: float, longest: float) -> None:
        if not (0 < step < math.inf and longest > 0):
            raise ValueError(f"a history of step {step} s over {longest} s, but both must be more than 0")
        self.step = step
        self.longest = longest
        # Behind the first place lies the sum of all that is forgotten; it has no time.
        self._at = array("d", (-math.inf,))
        self._good, self._good_rest = array("d", (0.0,)), array("d", (0.0,))
        self._total, self._total_rest = array("d", (0.0,)), array("d", (0.0,))
        self._head = 0

    @classmethod
    def of(cls, samples: Iterable[tuple[float, float, float]], *, step: float, longest: float = math.inf) -> History:
        """The history of samples (at, good, total) in any order."""
        history = cls(step, longest)
        for at, good, total in sorted(samples):
            history.append(at, good, total)
        return history

    def append(self, at: float, good: float, total: float) -> None:
        """Add the events that happened since the sample before.

        A sample that is not later than the last one is added to that: a clock that was set back loses no event.

        Raises:
            ValueError: a number is negative, infinite or NaN.
        """
        if not (math.isfinite(at) and 0 <= good < math.inf and 0 <= total < math.inf):
            raise ValueError(f"a sample of {good} good of {total} at {at}, but numbers of 0 or more are needed")
        if at > self._at[-1]:
            for column in (self._at, self._good, self._good_rest, self._total, self._total_rest):
                column.append(column[-1])
            self._at[-1] = at
            self._forget(at - self.longest)
        _add(self._good, self._good_rest, good)
        _add(self._total, self._total_rest, total)

    def counts(self, at: float, window: float) -> Counts:
        """The events of (``at`` - ``window``, ``at``]."""
        return self._between(self._index(at - window), self._index(at))

    def rolling(self, window: float, instants: Sequence[float]) -> Iterator[Counts]:
        """The events of the window that ends at each of ``instants``, which ascend."""
        start = end = self._head
        last = len(self._at) - 1
        for at in instants:
            while start < last and self._at[start + 1] <= at - window:
                start += 1
            while end < last and self._at[end + 1] <= at:
                end += 1
            yield self._between(start, end)

    def coverage(self, at: float, window: float) -> float:
        """The share of the window for which there are samples, at most 1."""
        samples = self._index(at) - self._index(at - window)
        return min(1.0, samples * self.step / window)

    @property
    def first(self) -> float | None:
        """When the oldest sample was taken; None without any."""
        return self._at[self._head + 1] if len(self) else None

    @property
    def last(self) -> float | None:
        """When the latest sample was taken; None without any."""
        return self._at[-1] if len(self) else None

    def __len__(self) -> int:
        return len(self._at) - 1 - self._head

    def __iter__(self) -> Iterator[Sample]:
        for index in range(self._head + 1, len(self._at)):
            counts = self._between(index - 1, index)
            yield Sample(self._at[index], counts.good, counts.total)

    def _index(self, at: float) -> int:
        """The place of the last sample at or before ``at``."""
        return max(bisect_right(self._at, at) - 1, self._head)

    def _between(self, start: int, end: int) -> Counts:
        # With the window's end before its beginning there is nothing in it; sums only grow, but for the last bit.
        return Counts(
            max(0.0, (self._good[end] - self._good[start]) + (self._good_rest[end] - self._good_rest[start])),
            max(0.0, (self._total[end] - self._total[start]) + (self._total_rest[end] - self._total_rest[start])),
        )

    def _forget(self, before: float) -> None:
        """Let go of samples at or before ``before``; the arrays are cut when half of them is gone."""
        while self._at[self._head + 1] <= before:
            self._head += 1
        if self._head > len(self._at) // 2:
            for column in (self._at, self._good, self._good_rest, self._total, self._total_rest):
                del column[: self._head]
            self._head = 0


def _add(sums: array[float], rests: array[float], value: float) -> None:
    """Add to the last running sum; what rounding takes from it goes to the rest (Knuth's two-sum)."""
    before = sums[-1]
    after = before + value
    shown = after - before
    sums[-1] = after
    rests[-1] += (before - (after - shown)) + (value - shown)
