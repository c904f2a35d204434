"""Burn policies as arithmetic: what they cannot see, what they see too often, and what they cannot be asked.

Throughout, burning at rate b means an error ratio of b x (1 - target), and uses up the budget of a period in period / b.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

from aumos_otel.slo import quantity
from aumos_otel.slo.burn_rate import blind_band
from aumos_otel.slo.finding import about
from aumos_otel.slo.indicator import Composite, RawRatio, Threshold
from aumos_otel.slo.policy import BUILT_IN
from aumos_otel.slo.window import Occurrences

if TYPE_CHECKING:
    from collections.abc import Iterator
    from decimal import Decimal

    from aumos_otel.slo.finding import Finding
    from aumos_otel.slo.objective import Objective, Prometheus
    from aumos_otel.slo.policy import Limit, Policy, Tier

#: Scrapes that a window must hold: of fewer, one that fails makes a gap.
SCRAPES: Final = 4
#: Periods, and burn rates, that differ by less are the same: a month is one of 28 to 31 days.
_SAME: Final = 0.1
#: Factors that differ by less, relatively, are the same written with fewer digits.
_ROUNDED: Final = 0.05


def lint_policy(objective: Objective, prometheus: Prometheus, traffic: float | None) -> Iterator[Finding]:
    """All findings about the policy of an objective whose target lies between 0 and 1.

    Args:
        objective: its policy is taken for its window.
        prometheus: what runs the rules.
        traffic: events a minute, if that is known.
    """
    yield from _order(objective)
    yield from _reach(objective)
    yield from _blind(objective)
    yield from _factors(objective)
    yield from _resolution(objective, prometheus)
    yield from _single_failure(objective, traffic)


def single_failure_rate(objective: Objective, tier: Tier) -> float | None:
    """The most events a second among which a single bad one makes a tier burn, if they come evenly; None: none does.

    One bad of n is an error ratio of 1 / n, and each window w of the tier holds n = rate x w events.
    """
    ratios = [(limit.seconds, limit.factor * objective.budget) for limit in tier.limits]
    if any(ratio > 1 for _, ratio in ratios):
        return None
    return min(1 / float(seconds * ratio) for seconds, ratio in ratios)


def _order(objective: Objective) -> Iterator[Finding]:
    for tier in objective.policy.tiers:
        for short, long in pairwise(tier.limits):
            if short.seconds >= long.seconds:
                text = f"{_name(tier)}: {_time(short.seconds)} should be shorter than {_time(long.seconds)}"
                yield about(objective, "error", "window-order", text, "write each window once, the shortest first")
        longest = max(limit.seconds for limit in tier.limits)
        if longest > objective.window.seconds:
            text = f"{_name(tier)}: its window of {_time(longest)} is longer than the period, {_time(objective.window.seconds)}"
            yield about(objective, "warning", "window-order", text, "take a policy with shorter windows")


def _reach(objective: Objective) -> Iterator[Finding]:
    most = 1 / objective.budget
    tiers = objective.burn_policy.tiers
    reachable = {tier.severity for tier in tiers if _needed(tier) <= most}
    if not reachable:
        least = min(_needed(tier) for tier in tiers)
        text = (
            f"no alert can ever fire: the lowest burn rate of {_title(objective.policy)} is {_number(least)}, but even"
            f" when everything is bad it is 1 / (1 - {_share(objective.target)}) = {_number(most)}"
        )
        yield about(objective, "error", "never-fires", text, "take lower factors: page: 5m>=2 & 1h>=2")
        return
    for tier in tiers:
        needed = _needed(tier)
        if needed > most:
            text = (
                f"{_name(tier)} cannot fire: it needs a burn rate of {_number(needed)}, but even when everything is bad"
                f" it is 1 / (1 - {_share(objective.target)}) = {_number(most)}"
            )
            remedy = f"raise the target to {_share(1 - 1 / needed)} or more, or take a policy with lower factors"
            yield about(objective, "warning" if tier.severity in reachable else "error", "unreachable", text, remedy)


def _blind(objective: Objective) -> Iterator[Finding]:
    band = blind_band(objective)
    if (
        band is None
        or band[1] < 1 + _SAME
        or all(_needed(tier) > 1 / objective.budget for tier in objective.burn_policy.tiers)
    ):
        return
    budget, seconds = float(objective.budget), objective.window.seconds
    text = (
        f"steady errors of {budget * band[0]:.4g} to {budget * band[1]:.4g} (burn rates {band[0]:g} to {band[1]:.4g}) never"
        f" fire {_title(objective.policy)}, yet the whole budget is gone in {_time(seconds)} to {_time(seconds / band[1])}"
    )
    yield about(objective, "warning", "blind-band", text, "add a slow tier such as ticket: 6h>=1 & 3d>=1")


def _factors(objective: Objective) -> Iterator[Finding]:
    policy, seconds = objective.policy, objective.window.seconds
    for tier, scaled in zip(policy.tiers, objective.burn_policy.tiers, strict=True):
        long = tier.long
        if tier.budget is None and long.factor > 1 and abs(seconds / policy.period - 1) > _SAME:
            here, there = (float(long.factor * long.seconds) / period for period in (seconds, policy.period))
            text = (
                f"{_name(tier)}: burning at {_number(long.factor)} for {_time(long.seconds)} uses {here:.3%} of the budget of"
                f" {_time(seconds)}, but {there:.3%} of that of {_time(policy.period)}, for which {_title(policy)} is meant"
            )
            remedy = "give each tier the share of the budget that it stands for (budget: 2%): factors then follow"
            yield about(objective, "warning", "factor-period", text, remedy)
        if tier.budget is not None:
            right = tier.budget * policy.period / long.seconds
            for limit in tier.limits:
                if abs(limit.factor / right - 1) > _ROUNDED:
                    text = (
                        f"{_name(tier)}: the factor {_number(limit.factor)} is not {_share(tier.budget)} x"
                        f" {_time(policy.period)} / {_time(long.seconds)} = {_number(right)}, which is used instead"
                    )
                    yield about(objective, "warning", "factor-period", text, "correct the factor or the budget")
        if scaled.long.factor < 1:
            text = (
                f"{_name(tier)} fires from a burn rate of {_number(scaled.long.factor)} on: a budget that is used more"
                f" slowly than it may be lasts the whole {_time(seconds)}"
            )
            yield about(objective, "warning", "factor-below-one", text, "take shorter windows or a longer period")


def _resolution(objective: Objective, prometheus: Prometheus) -> Iterator[Finding]:
    least = max(SCRAPES * prometheus.scrape_interval, prometheus.interval)
    reckoning = (
        f"{SCRAPES} x {_time(prometheus.scrape_interval)} between scrapes"
        if least > prometheus.interval
        else f"{_time(prometheus.interval)} between evaluations"
    )
    windows = {limit.seconds for tier in objective.policy.tiers for limit in tier.limits}
    slices = set() if isinstance(objective.budgeting, Occurrences) else {objective.budgeting.seconds}
    for seconds in sorted(windows | slices):
        if seconds < least:
            text = f"the window {_time(seconds)} is shorter than {reckoning}: compiled rules cannot see it"
            remedy = "take a longer window, or scrape and evaluate more often and say so in prometheus:"
            yield about(objective, "error", "window-resolution", text, remedy)
    longest = max(objective.window.seconds, *windows)
    if prometheus.retention is not None and prometheus.retention < longest:
        text = f"{_time(longest)} are asked for, but samples are kept for {_time(prometheus.retention)}"
        yield about(objective, "error", "retention", text, "keep samples longer, or take a shorter window")


def _single_failure(objective: Objective, traffic: float | None) -> Iterator[Finding]:
    if objective.gate is not None:
        return
    rates = [
        (rate, tier)
        for tier in objective.burn_policy.tiers
        if tier.severity == "page" and (rate := single_failure_rate(objective, tier)) is not None
    ]
    if not rates:
        return
    rate, tier = max(rates, key=lambda found: found[0])
    minutes = _is_by_minute(objective)
    one, known = ("bad minute", 1.0) if minutes else ("bad event", traffic)
    if known is not None and known > rate * 60:
        return
    binding = min(tier.limits, key=lambda limit: 1 / float(limit.seconds * limit.factor * objective.budget))
    text = (
        f"a single {one} fires {_name(tier)} while there are at most {rate * 60:.3g} events a minute"
        f" ({_most(objective, binding):.3g} in {_time(binding.seconds)}):"
        f" 1 / {_most(objective, binding):.3g} >= {_number(binding.factor)} x (1 - {_share(objective.target)})"
    )
    if known is None:
        yield about(objective, "note", "single-failure", text, "with less traffic than that write min_bad_events: 2")
    else:
        happens = "there is one a minute" if minutes else f"there are {known:.3g}"
        grade: Final = "warning" if minutes else "error"
        yield about(objective, grade, "single-failure", f"{text}, and {happens}", "write min_bad_events: 2")


def _is_by_minute(objective: Objective) -> bool:
    """Whether a minute is what counts, so that the traffic is known."""
    by_minute = isinstance(objective.indicator, RawRatio | Threshold | Composite)
    return by_minute or not isinstance(objective.budgeting, Occurrences)


def _most(objective: Objective, limit: Limit) -> float:
    """The most events of a window among which one bad one reaches its limit."""
    return 1 / float(limit.factor * objective.budget)


def _needed(tier: Tier) -> Decimal:
    """The constant burn rate from which on a tier fires."""
    return max(limit.factor for limit in tier.limits)


def _name(tier: Tier) -> str:
    return f"{tier.severity} {'/'.join(_time(limit.seconds) for limit in tier.limits)}"


def _title(policy: Policy) -> str:
    """What it is called, or what it says where it has no name of its own."""
    return policy.name if policy.name in BUILT_IN else f"'{policy.expression}'"


def _time(seconds: float) -> str:
    """A duration that a person can read: three digits of its largest unit, unless it is whole ones."""
    for unit, digits in ((86_400, "d"), (3600, "h"), (60, "m")):
        if seconds >= unit and seconds != int(seconds // unit * unit):
            return f"{seconds / unit:.3g}{digits}"
    return quantity.duration_text(int(seconds)) if seconds >= 1 else f"{seconds:.3g}s"


def _number(number: Decimal) -> str:
    return f"{float(number):.4g}"


def _share(share: Decimal) -> str:
    return f"{float(share) * 100:.7g}%"
