"""How many times faster than allowed a budget goes, and which tiers of its policy that makes burn.

All windows end at the same moment.  The arithmetic is that of the compiled rules, to the last comparison: an error
ratio is compared with factor x budget, multiplied as decimals, since 0.0144 / 0.001 is less than 14.4 in floats.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.history import Counts, History
    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.policy import Severity, Tier


def burn_rates(objective: Objective, history: History, at: float) -> dict[int, float | None]:
    """The burn rate of each window of the policy, by its seconds, at ``at``; None where nothing happened."""
    budget = float(objective.budget)
    return {window: burn_rate(history.counts(at, window), budget) for window in objective.burn_policy.windows}


def burn_rate(counts: Counts, budget: float) -> float | None:
    """Error ratio / ``budget``, the share that may be bad; None when nothing happened."""
    ratio = counts.error_ratio
    return None if ratio is None else ratio / budget


@dataclass(frozen=True, slots=True)
class Detector:
    """Decides whether a tier burns: floats of what the objective says in decimals.

    Attributes:
        limits: (seconds, error ratio) that must all be reached.
        bad_events: fewest bad events in the longest window; 0: no gate.
        z: of the gate's confidence; None: the observed ratio decides alone.
    """

    tier: Tier
    limits: tuple[tuple[int, float], ...]
    bad_events: int = 0
    z: float | None = None

    @classmethod
    def of(cls, objective: Objective, tier: Tier) -> Detector:
        """The detector of a tier of ``objective.burn_policy``, or of another policy for its window."""
        gate = objective.gate
        return cls(
            tier=tier,
            limits=tuple((limit.seconds, float(limit.factor * objective.budget)) for limit in tier.limits),
            bad_events=gate.bad_events if gate else 0,
            z=NormalDist().inv_cdf(float(gate.confidence)) if gate and gate.confidence is not None else None,
        )

    def reached(self, counts: Mapping[int, Counts]) -> tuple[bool, ...]:
        """Which of the limits are reached, given what each window counts."""
        ratios = ((counts[seconds].error_ratio, least) for seconds, least in self.limits)
        return tuple(ratio is not None and ratio >= least for ratio, least in ratios)

    def burning(self, counts: Mapping[int, Counts]) -> bool:
        """Whether all of them are, and by enough traffic."""
        return all(self.reached(counts)) and self.enough(counts)

    @property
    def gated(self) -> bool:
        """Whether little traffic can keep it from burning."""
        return self.bad_events > 0 or self.z is not None

    def enough(self, counts: Mapping[int, Counts]) -> bool:
        """Whether the longest window holds enough traffic to tell."""
        seconds, least = self.limits[-1]
        longest = counts[seconds]
        return longest.bad >= self.bad_events and (self.z is None or wilson_lower(longest, self.z) >= least)


def wilson_lower(counts: Counts, z: float) -> float:
    """The lower bound of Wilson's score interval of the error ratio; 0 when nothing happened."""
    bad, total = counts.bad, counts.total
    if total <= 0:
        return 0.0
    square = z * z
    spread = z * math.sqrt(bad * (total - bad) / total + square / 4)
    return (bad + square / 2 - spread) / (total + square)


def blind_band(objective: Objective, severity: Severity | None = None) -> tuple[float, float] | None:
    """The constant burn rates above 1, from and up to, at which no tier (of ``severity``) ever burns; None: none.

    At each of them the budget is gone before the period is over, and nobody was told.
    """
    most = 1 / float(objective.budget)
    tiers = [tier for tier in objective.burn_policy.tiers if severity in (None, tier.severity)]
    least = min((max(float(limit.factor) for limit in tier.limits) for tier in tiers), default=most)
    return (1.0, min(least, most)) if least > 1 else None
