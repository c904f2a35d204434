"""Time as what is counted: slices that were good, instead of events.

The compiled rules do the same at level 0, so that burn rates and budgets never ask how an objective counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aumos_otel.slo.history import Counts, History
from aumos_otel.slo.window import Occurrences, RatioTimeslices

if TYPE_CHECKING:
    from aumos_otel.slo.window import Budgeting

#: Seconds that weigh one.
MINUTE: Final = 60.0
#: Of a slice's ratio that are compared: 0.95 of so many events is 0.95, whatever the last bit says.
_DIGITS: Final = 9


def weighed(events: History, budgeting: Budgeting) -> History:
    """What the objective counts, of each step of a history of events; itself where each event counts alike."""
    if isinstance(budgeting, Occurrences):
        return events
    history = History(events.step, events.longest)
    for sample in events:
        counts = verdict(events, budgeting, sample.at)
        history.append(sample.at, counts.good, counts.total)
    return history


def verdict(events: History, budgeting: Budgeting, at: float) -> Counts:
    """What counts for the step that ends at ``at``: its events, or how good the slice was that ends there.

    A slice weighs as much as its step is of a minute; one without events weighs nothing.
    """
    if isinstance(budgeting, Occurrences):
        return events.counts(at, events.step)
    ratio = events.counts(at, budgeting.seconds).error_ratio
    if ratio is None:
        return Counts(0.0, 0.0)
    weight = events.step / MINUTE
    if isinstance(budgeting, RatioTimeslices):
        return Counts((1 - ratio) * weight, weight)
    good = round(1 - ratio, _DIGITS) >= float(budgeting.target)
    return Counts(weight if good else 0.0, weight)
