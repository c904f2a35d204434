"""Where an objective stands at one moment: everything that is asked about it, calculated once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from aumos_otel.slo import quantity
from aumos_otel.slo.budget import budget
from aumos_otel.slo.burn_rate import Detector, burn_rate
from aumos_otel.slo.forecast import forecast

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.budget import Budget
    from aumos_otel.slo.forecast import Forecast
    from aumos_otel.slo.history import Counts, History
    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.policy import Tier

State = Literal["ok", "warning", "critical", "unknown"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """The answer for one objective.

    Attributes:
        at: Unix seconds; all windows end there.
        state: ``critical``: a page tier burns; ``warning``: a ticket tier burns, or a limit of a page tier is
            reached; ``unknown``: nothing happened in the shortest windows of the page tiers; else ``ok``.
        counts: by the seconds of each window of the policy.
        burns: burn rates by the same; None where nothing happened.
        burning: the tiers that burn, most urgent first.
    """

    objective: Objective
    at: float
    state: State
    counts: Mapping[int, Counts]
    burns: Mapping[int, float | None]
    burning: tuple[Tier, ...]
    budget: Budget
    forecast: Forecast

    @property
    def fast_burn_rate(self) -> float | None:
        """Of the shortest window of the most urgent tier."""
        return self.burns[self.objective.burn_policy.first.short.seconds]

    @property
    def slow_burn_rate(self) -> float | None:
        """Of its longest window."""
        return self.burns[self.objective.burn_policy.first.long.seconds]

    @property
    def is_fast_burning(self) -> bool:
        """Whether the shortest window's limit is reached."""
        return Detector.of(self.objective, self.objective.burn_policy.first).reached(self.counts)[0]

    @property
    def is_slow_burning(self) -> bool:
        """Whether the longest window's limit is reached."""
        return Detector.of(self.objective, self.objective.burn_policy.first).reached(self.counts)[-1]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON; windows in Prometheus' notation."""
        return {
            "service": self.objective.service,
            "name": self.objective.name,
            "target": float(self.objective.target),
            "at": self.at,
            "state": self.state,
            "policy": self.objective.burn_policy.name,
            "burns": {quantity.duration_text(seconds): rate for seconds, rate in self.burns.items()},
            "burning": [tier_text(tier) for tier in self.burning],
            "fast_burn_rate": self.fast_burn_rate,
            "slow_burn_rate": self.slow_burn_rate,
            "is_fast_burning": self.is_fast_burning,
            "is_slow_burning": self.is_slow_burning,
            "budget": self.budget.to_dict(),
            "forecast": self.forecast.to_dict(),
        }


def evaluate(objective: Objective, history: History, at: float) -> Evaluation:
    """Where ``objective`` stands at ``at``, by what it counts (see `slices.weighed`)."""
    policy = objective.burn_policy
    counts = {seconds: history.counts(at, seconds) for seconds in policy.windows}
    burns = {seconds: burn_rate(counted, float(objective.budget)) for seconds, counted in counts.items()}
    detectors = [Detector.of(objective, tier) for tier in policy.tiers]
    burning = tuple(detector.tier for detector in detectors if detector.burning(counts))
    left = budget(objective, history, at)
    return Evaluation(
        objective=objective,
        at=at,
        state=_state(detectors, counts, burning),
        counts=counts,
        burns=burns,
        burning=burning,
        budget=left,
        forecast=forecast(objective, burns, left, at),
    )


def tier_text(tier: Tier) -> str:
    """A tier in words such as ``page 5m/1h``."""
    return f"{tier.severity} {'/'.join(quantity.duration_text(limit.seconds) for limit in tier.limits)}"


def _state(detectors: list[Detector], counts: Mapping[int, Counts], burning: tuple[Tier, ...]) -> State:
    urgent = [detector for detector in detectors if detector.tier.severity == "page"] or detectors
    if any(tier.severity == "page" for tier in burning):
        return "critical"
    if not any(counts[detector.tier.short.seconds].total > 0 for detector in urgent):
        return "unknown"
    if burning or any(any(detector.reached(counts)) for detector in urgent):
        return "warning"
    return "ok"
