"""When a budget will be gone, if it goes on as now.

"As now" is the mean of the burn rates over an hour, six hours and three days: what just began counts, and what
is usual too.  The largest and the smallest of them say how early and how late it may be.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo.window import Rolling

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.budget import Budget
    from aumos_otel.slo.objective import Objective

#: Seconds of the windows that are blended, as far as the policy has them; else all that it has.
BLENDED: Final = (3_600, 21_600, 259_200)


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """Unix seconds at which the budget is gone; None: not within the period at that rate.

    Attributes:
        rate: the burn rate that is taken to go on; None: not known, and so is the rest.
        exhausted_at: at that rate; the moment of asking when it is gone already.
        earliest: at the largest of the rates.
        latest: at the smallest.
    """

    rate: float | None = None
    exhausted_at: float | None = None
    earliest: float | None = None
    latest: float | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "rate": self.rate,
            "exhausted_at": self.exhausted_at,
            "earliest": self.earliest,
            "latest": self.latest,
        }


def forecast(objective: Objective, burns: Mapping[int, float | None], budget: Budget, at: float) -> Forecast:
    """The forecast at ``at``, given the burn rate of each window and what is left."""
    if budget.remaining_ratio is None:
        return Forecast()
    rates = _rates(burns)
    blend = sum(rates) / len(rates) if rates else None
    if budget.remaining_ratio <= 0:
        return Forecast(rate=blend, exhausted_at=at, earliest=at, latest=at)
    if blend is None:
        return Forecast()
    # A rolling period has no end: a budget that lasts for another one is as good as any.
    horizon = budget.seconds if isinstance(objective.window, Rolling) else budget.end - at
    full = budget.remaining_ratio * budget.seconds
    exhausted_at, earliest, latest = (
        at + full / rate if rate > 0 and full / rate <= horizon else None for rate in (blend, max(rates), min(rates))
    )
    return Forecast(rate=blend, exhausted_at=exhausted_at, earliest=earliest, latest=latest)


def _rates(burns: Mapping[int, float | None]) -> list[float]:
    """The rates to blend; where nothing happened, the next longer window tells; none if the longest is unknown."""
    windows = [seconds for seconds in BLENDED if seconds in burns] or sorted(burns)
    rates: list[float] = []
    for seconds in reversed(windows):
        rate = burns[seconds]
        if rate is None and not rates:
            return []
        rates.append(rates[-1] if rate is None else rate)
    return rates
