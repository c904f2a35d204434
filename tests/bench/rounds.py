"""How the benches measure: rounds in which the contestants take turns, and what is made of them.

Whatever else the machine does hits all contestants of a round alike.  A ratio is therefore one of the same round, and
the figure is their median; the quotient of the least times stands beside it, as what a quiet machine would show.
Garbage is collected between the measurements, not in them.

The worker of a pipeline would work in somebody else's measurement: a contestant that has one flushes it at the end of
its own, and `Cost.process` has that in it, while `Cost.thread` and `Cost.wall` are those of the caller alone.
"""

from __future__ import annotations

import gc
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

Job = Callable[[], object]


class Cost(NamedTuple):
    """Seconds of one unit: CPU of the caller's thread, CPU of the process with its workers, time on the wall."""

    thread: float
    process: float
    wall: float

    def above(self, plain: Cost) -> Cost:
        """What it costs more than ``plain``."""
        return Cost(*(mine - theirs for mine, theirs in zip(self, plain, strict=True)))


def nothing() -> None:
    """What somebody without a worker flushes."""


@dataclass(frozen=True, slots=True)
class Contestant:
    """What one measurement does.

    Attributes:
        job: one call.
        calls: how often it is called in one measurement.
        units: what one call makes: spans of a batch, chunks of a stream.
        flush: lets its own worker finish.
        threads: that do all of it at once; `Cost.thread` is their mean.
    """

    job: Job
    calls: int = 1
    units: int = 1
    flush: Job = nothing
    threads: int = 1

    def cost(self) -> Cost:
        """Measure once."""
        with quiet():
            process, wall = time.process_time(), time.perf_counter()
            own = self._own() if self.threads == 1 else self._crowd()
            passed = time.perf_counter() - wall
            self.flush()
            whole = time.process_time() - process
        made = self.calls * self.units
        return Cost(own / made, whole / made, passed / made)

    def _own(self) -> float:
        job, calls = self.job, range(self.calls)
        began = time.thread_time()
        for _ in calls:
            job()
        return time.thread_time() - began

    def _crowd(self) -> float:
        taken: list[float] = []
        ready = threading.Barrier(self.threads)

        def run() -> None:
            ready.wait()
            taken.append(self._own())

        working = [threading.Thread(target=run) for _ in range(self.threads)]
        for thread in working:
            thread.start()
        for thread in working:
            thread.join()
        return statistics.mean(taken)


@contextmanager
def quiet() -> Iterator[None]:
    """No collection of garbage within; what there is of it is collected before."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


Costs = dict[str, list[Cost]]


def interleave(scene: Callable[[int], Mapping[str, Contestant]], rounds: int) -> Costs:
    """What each contestant costs in each round, after one round that warms up.

    ``scene`` makes the contestants of a round; who is first changes from round to round.
    """
    costs: Costs = {}
    for number in range(rounds + 1):
        contestants = list(scene(number).items())
        for name, contestant in contestants if number % 2 else reversed(contestants):
            cost = contestant.cost()
            if number:
                costs.setdefault(name, []).append(cost)
    return costs


def median(costs: Iterable[Cost], clock: str = "thread") -> float:
    """The median of one clock, in seconds."""
    return statistics.median(getattr(cost, clock) for cost in costs)


def ratio(ours: Sequence[Cost], bare: Sequence[Cost], clock: str = "thread") -> float:
    """The median of the ratios of the rounds."""
    return statistics.median(
        getattr(one, clock) / max(getattr(other, clock), 1e-12) for one, other in zip(ours, bare, strict=True)
    )


def above(costs: Sequence[Cost], plain: Sequence[Cost]) -> list[Cost]:
    """What is added to ``plain``, round by round."""
    return [one.above(other) for one, other in zip(costs, plain, strict=True)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One line of the table.

    Attributes:
        what: is measured.
        value: what is held against the goal: a ratio to bare, or an amount.
        least: the same by the least times of both: what is left when the machine disturbs least.
        goal: what it is to be at most; None: a line for comparison.
        unit: "" for a ratio, else that of the amount.
        more: whether the goal is what it is to be at least.
        bare, ours: microseconds or other amounts of both sides, as text.
        wall: the ratio on the wall.
        kept: whether what else was promised holds, such as that each loss is counted.
        note: in words.
    """

    what: str
    value: float
    least: float
    goal: float | None = None
    unit: str = ""
    more: bool = False
    bare: str = ""
    ours: str = ""
    wall: float | None = None
    kept: bool = True
    note: str = ""

    @property
    def reached(self) -> bool:
        """Whether the goal is."""
        if self.goal is None:
            return self.kept
        return self.kept and (self.value >= self.goal if self.more else self.value <= self.goal)


def compared(
    what: str, ours: Sequence[Cost], bare: Sequence[Cost], goal: float | None, *, clock: str = "thread", note: str = ""
) -> Figure:
    """The line of two contestants."""
    least = [min(getattr(cost, clock) for cost in costs) for costs in (ours, bare)]
    return Figure(
        what=what,
        value=ratio(ours, bare, clock),
        least=least[0] / max(least[1], 1e-12),
        goal=goal,
        bare=microseconds(median(bare, clock)),
        ours=microseconds(median(ours, clock)),
        wall=ratio(ours, bare, "wall"),
        note=note,
    )


def microseconds(seconds: float) -> str:
    """As text with three digits or so."""
    amount = seconds * 1e6
    return f"{amount:,.0f}" if amount >= 100 else f"{amount:.1f}" if amount >= 10 else f"{amount:.2f}"
