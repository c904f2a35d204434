"""What is left of an error budget: in events, in minutes of full outage, and as a share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo.slices import MINUTE
from aumos_otel.slo.window import Calendar

if TYPE_CHECKING:
    from aumos_otel.slo.history import Counts, History
    from aumos_otel.slo.objective import Objective

_PERCENT: Final = 100


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """The budget of the period that ends, or goes on, at the moment of asking.

    Where each event counts alike, a "bad event" is one; of time slices it is a bad minute.
    What depends on events is None while there were none: that is unknown, not untouched.

    Attributes:
        start: of the period, Unix seconds; nothing at or before it counts.
        end: of the period: now, or when a calendar period will be over.
        total_events: of the period so far.
        bad_events: same.
        allowed_events: that may be bad in the whole period; of a calendar period, if traffic goes on as it came.
        remaining_ratio: share of the budget that is left; below 0 when it is overdrawn.
        total_minutes: of full outage that the period allows.
        coverage: share of the period so far for which there are samples.
    """

    start: float
    end: float
    total_events: float
    bad_events: float
    allowed_events: float
    remaining_ratio: float | None
    total_minutes: float
    coverage: float

    @property
    def remaining_events(self) -> float | None:
        """Bad events that the budget still allows; below 0 when it is overdrawn."""
        return None if self.remaining_ratio is None else self.allowed_events * self.remaining_ratio

    @property
    def remaining_minutes(self) -> float | None:
        """Minutes of full outage that the budget still allows; below 0 when it is overdrawn."""
        return None if self.remaining_ratio is None else self.total_minutes * self.remaining_ratio

    @property
    def consumed_percentage(self) -> float | None:
        """What has gone of the budget, in percent; above 100 when it is overdrawn."""
        return None if self.remaining_ratio is None else (1 - self.remaining_ratio) * _PERCENT

    @property
    def seconds(self) -> float:
        """The length of the whole period."""
        return self.end - self.start

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "start": self.start,
            "end": self.end,
            "total_events": self.total_events,
            "bad_events": self.bad_events,
            "allowed_events": self.allowed_events,
            "remaining_ratio": self.remaining_ratio,
            "remaining_events": self.remaining_events,
            "remaining_minutes": self.remaining_minutes,
            "total_minutes": self.total_minutes,
            "consumed_percentage": self.consumed_percentage,
            "coverage": self.coverage,
        }


def budget(objective: Objective, history: History, at: float) -> Budget:
    """The budget of ``objective`` at ``at``."""
    passed = at - objective.window.start(at)
    coverage = history.coverage(at, passed) if passed > 0 else 0.0
    return of_counts(objective, history.counts(at, passed), at, coverage=coverage)


def of_counts(objective: Objective, counts: Counts, at: float, *, coverage: float) -> Budget:
    """The budget, given what the period counts so far."""
    start, end = objective.window.start(at), objective.window.end(at)
    share = float(objective.budget)
    # A calendar period begins with its whole budget: an outage costs as much of it on the 2nd as on the 30th.
    passed = (at - start) / (end - start) if isinstance(objective.window, Calendar) else 1.0
    ratio = counts.error_ratio
    return Budget(
        start=start,
        end=end,
        total_events=counts.total,
        bad_events=counts.bad,
        allowed_events=counts.total * share / passed if passed > 0 else 0.0,
        remaining_ratio=None if ratio is None else 1 - ratio / share * passed,
        total_minutes=(end - start) / MINUTE * share,
        coverage=coverage,
    )
