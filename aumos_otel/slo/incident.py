"""Incidents: when a service failed in earnest, by itself seen, and not by any alert.

An incident that nobody wrote down is found like this.  It begins when the hour before burns the budget faster
than allowed, and is over when that hour burns at half of it or less.  Within that time, and the hour before it, it is
the stretch with the most bad events beyond what its traffic allows.  Stretches that use
less than a hundredth of the budget of a whole period are no incidents.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo.burn_rate import burn_rate

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.slo.history import History, Sample
    from aumos_otel.slo.objective import Objective

_HOUR: Final = 3600.0
#: Burn rates of the trailing hour with which an incident begins and ends.
_BEGINS: Final = 1.0
_ENDS: Final = 0.5
#: Share of the budget of a whole period from which on it counts.
_LEAST: Final = 0.01


@dataclass(frozen=True, slots=True)
class Incident:
    """Events of (``start``, ``end``], Unix seconds, went wrong; ``name`` is how people call it."""

    start: float
    end: float
    name: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {"start": self.start, "end": self.end, "name": self.name}


def find(objective: Objective, history: History) -> tuple[Incident, ...]:
    """The incidents of a history, by the definition above, in order of time."""
    samples = list(history)
    allowed = period_allowance(objective, history)
    budget = float(objective.budget)
    found: list[Incident] = []
    for first, last in _stretches(history, samples, budget):
        start, end, bad = _worst(samples[first:last], budget, history.step)
        if bad >= _LEAST * allowed:
            found.append(Incident(start, end, f"incident {len(found) + 1}"))
    return tuple(found)


def period_allowance(objective: Objective, history: History) -> float:
    """Bad events that a whole period allows, with the mean traffic of the history; 0 without any."""
    first, last = history.first, history.last
    if first is None or last is None:
        return 0.0
    span = last - first + history.step
    return history.counts(last, span).total * objective.window.seconds / span * float(objective.budget)


def _stretches(history: History, samples: list[Sample], budget: float) -> Iterator[tuple[int, int]]:
    """Positions of samples, the last excluded, of each time that the trailing hour burns, with the hour before."""
    begun: int | None = None
    least, before = 0, 0  # no sample belongs to two stretches
    for index, counts in enumerate(history.rolling(_HOUR, [sample.at for sample in samples])):
        while samples[before].at <= samples[index].at - _HOUR:
            before += 1
        rate = burn_rate(counts, budget) or 0.0
        if begun is None and rate > _BEGINS:
            begun = max(least, before)
        elif begun is not None and rate <= _ENDS:
            yield begun, index
            begun, least = None, index
    if begun is not None:
        yield begun, len(samples)


def _worst(samples: list[Sample], budget: float, step: float) -> tuple[float, float, float]:
    """Start, end and bad events of the stretch with most bad events beyond the allowed (Kadane's algorithm)."""
    best = (0.0, samples[0].at - step, samples[0].at, 0.0)
    excess, bad, start = 0.0, 0.0, samples[0].at - step
    for sample in samples:
        if excess <= 0:
            excess, bad, start = 0.0, 0.0, sample.at - step
        wrong = max(0.0, sample.total - sample.good)
        excess += wrong - sample.total * budget
        bad += wrong
        if excess > best[0]:
            best = (excess, start, sample.at, bad)
    return best[1:]
