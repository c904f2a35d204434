"""Where one thread counts for one series: cells, and what they hold at a moment.

Only its owner writes to a cell, so that no amount is lost without a lock.  What a cell holds is read as a
*state*, a plain value that nobody changes:

* of a sum, the number;
* of a gauge, value and time of its setting; the value is None where it never was set;
* of a histogram, the counts of its buckets, the sum, the least and the largest amount.

The states of several threads are joined; the difference of two states of a cell is what came in between.
"""

from __future__ import annotations

import math
import time
from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.trace import SpanContext

    #: Amount, time in Unix nanoseconds, and the span in which it was recorded.
    Sample = tuple[int | float, int, SpanContext | None]

#: No samples; not to be changed.
NOTHING: Final[dict[int, Sample]] = {}

#: A number, or a tuple as the module describes it.
State = Any


class SumCell:
    """Adds up.

    Attributes:
        kinds: None: the cell is meant whenever it is found.  See `Entry`.
        others: None: no other cell takes the same amounts.
        value: the sum.
        sample: the last amount that is worth an exemplar.
    """

    __slots__ = ("kinds", "others", "sample", "value")

    def __init__(self, _bounds: Sequence[float]) -> None:
        self.kinds = self.others = None
        self.value: int | float = 0
        self.sample: Sample | None = None

    def take(self, amount: float, sample: Sample | None) -> None:
        """Add."""
        self.value += amount
        if sample is not None:
            self.sample = sample

    def state(self) -> State:
        """What has been added up."""
        return self.value

    def absorb(self, state: State) -> None:
        """Add what another cell held."""
        self.value = _sum(self.value, state)

    def samples(self) -> dict[int, Sample]:
        """Take the samples away; they are found by the index of their bucket."""
        sample = self.sample
        if sample is None:
            return NOTHING
        self.sample = None
        return {0: sample}

    @staticmethod
    def joined(one: State, other: State) -> State:
        """Both together."""
        return _sum(one, other)

    @staticmethod
    def since(now: State, told: State) -> State | None:
        """What came after ``told``; None where nothing did."""
        return None if now == told else now - told


class LastCell(SumCell):
    """Keeps the last value; ``set_at`` is a time of `time.monotonic_ns`."""

    __slots__ = ("set_at",)

    def __init__(self, bounds: Sequence[float]) -> None:
        super().__init__(bounds)
        self.value = None  # type: ignore[assignment]  # until it is set
        self.set_at = 0

    def take(self, amount: float, sample: Sample | None) -> None:
        """Set."""
        self.set_at, self.value = time.monotonic_ns(), amount
        if sample is not None:
            self.sample = sample

    def state(self) -> State:
        """The last value, and when it was set."""
        return self.value, self.set_at

    def absorb(self, state: State) -> None:
        """Keep the later one."""
        self.value, self.set_at = self.joined(self.state(), state)

    @staticmethod
    def joined(one: State, other: State) -> State:
        """The later of the two."""
        return one if other[1] < one[1] else other

    @staticmethod
    def since(now: State, told: State) -> State | None:
        """Itself, if it was set after ``told``."""
        return None if now[1] == told[1] else now


class HistogramCell:
    """Counts in buckets.

    Attributes:
        kinds: as in `SumCell`.
        others: as in `SumCell`.
        bounds: upper bounds of all buckets but the last.
        counts: one more than bounds.
        value: the sum.
        low: the least amount.
        high: the largest one.
        found: the last amount of each bucket that is worth an exemplar.
    """

    __slots__ = ("bounds", "counts", "found", "high", "kinds", "low", "others", "value")

    def __init__(self, bounds: Sequence[float]) -> None:
        self.kinds = self.others = None
        self.bounds = bounds
        self.counts = [0] * (len(bounds) + 1)
        self.value: int | float = 0
        self.low, self.high = math.inf, -math.inf
        self.found: dict[int, Sample] = {}

    def take(self, amount: float, sample: Sample | None) -> None:
        """Count."""
        index = bisect_left(self.bounds, amount)
        self.low = min(self.low, amount)
        self.high = max(self.high, amount)
        self.value += amount
        self.counts[index] += 1
        if sample is not None:
            self.found[index] = sample

    def state(self) -> State:
        """What has been counted."""
        return self.counts[:], self.value, self.low, self.high

    def absorb(self, state: State) -> None:
        """Count what another cell held."""
        self.counts, self.value, self.low, self.high = self.joined(self.state(), state)

    def samples(self) -> dict[int, Sample]:
        """Take the samples away."""
        found = self.found
        if found:
            self.found = {}
        return found

    @staticmethod
    def joined(one: State, other: State) -> State:
        """Both together."""
        counts = [ours + theirs for ours, theirs in zip(one[0], other[0], strict=True)]
        return counts, _sum(one[1], other[1]), min(one[2], other[2]), max(one[3], other[3])

    @staticmethod
    def since(now: State, told: State) -> State | None:
        """What came after ``told``; None where nothing did.  Of several amounts the mean stands for each."""
        counts = [count - before for count, before in zip(now[0], told[0], strict=True)]
        if not any(counts):
            return None
        value = now[1] - told[1]
        mean = value / sum(counts)
        return counts, value, mean, mean


Cell = SumCell | LastCell | HistogramCell


class Entry:
    """Stands for a cell where more has to be looked at.

    Attributes:
        kinds: the types that the values of the attributes must have: 1, 1.0 and True are the same key.
        key: the name of the only value that is no text, of which alone ``kinds`` is the type then; else None.
        cell: the cell.
        others: those of other streams of the instrument, which take the same amounts; None where there are none.
    """

    __slots__ = ("cell", "key", "kinds", "others")

    def __init__(self, attributes: Mapping[str, Any], cell: Cell, others: tuple[Cell, ...]) -> None:
        other_kinds = {key: type(value) for key, value in attributes.items() if type(value) is not str}
        self.key: str | None = None
        self.kinds: Any = tuple(map(type, attributes.values()))
        if len(other_kinds) == 1:
            ((self.key, self.kinds),) = other_kinds.items()
        self.cell = cell
        self.others = others or None

    def fits(self, attributes: Mapping[str, Any] | None) -> bool:
        """Whether the types are those of several values."""
        return bool(self.kinds == tuple(map(type, (attributes or {}).values())))


def _sum(one: float, other: float) -> float:
    """The sum, where a whole number may be beyond what a float holds."""
    try:
        return one + other
    except OverflowError:
        return math.inf if max(one, other) > -min(one, other) else -math.inf
