"""When a burning budget calls somebody: burn policies as data.

The burn rate is how many times faster than allowed the budget goes: error ratio / (1 - target).
A tier burns when each of its windows burns at least at its factor: the long one shows that it matters,
the short one that it still goes on, and lets the alert end soon after the fault does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import Final, Literal

from aumos_otel.slo import quantity

Severity = Literal["page", "ticket"]

#: Evaluations for which an alert stays after its last tier stopped burning: so many may be missed before anybody is told.
KEPT: Final = 5

_TIER: Final = re.compile(r"\s*(page|ticket)\s*:\s*(.+)")
_LIMIT: Final = re.compile(r"\s*([0-9.a-z]+)\s*>=\s*([0-9.]+)\s*")


@dataclass(frozen=True, slots=True)
class Limit:
    """One window and the burn rate that it may not reach."""

    seconds: int
    factor: Decimal


@dataclass(frozen=True, slots=True)
class Tier:
    """Limits that must all be reached, shortest window first.

    Attributes:
        budget: the share of the whole budget that has gone when the longest window gets there;
            None: the factors are fixed, whatever the period.
    """

    severity: Severity
    limits: tuple[Limit, ...]
    budget: Decimal | None = None

    @property
    def short(self) -> Limit:
        """The limit of the shortest window."""
        return self.limits[0]

    @property
    def long(self) -> Limit:
        """The limit of the longest window."""
        return self.limits[-1]


@dataclass(frozen=True, slots=True)
class Policy:
    """Tiers, most urgent first.

    Attributes:
        source: where the numbers come from.
        period: seconds of the period for which the factors are written down.
    """

    name: str
    source: str
    period: int
    tiers: tuple[Tier, ...]

    def for_period(self, seconds: int) -> Policy:
        """The policy for objectives over another period: factor = budget share x period / long window."""
        scaled = (
            tier
            if tier.budget is None
            else replace(
                tier,
                limits=tuple(Limit(limit.seconds, tier.budget * seconds / tier.long.seconds) for limit in tier.limits),
            )
            for tier in self.tiers
        )
        return replace(self, period=seconds, tiers=tuple(scaled))

    @property
    def first(self) -> Tier:
        """The tier that calls somebody first: the first that pages, if any does."""
        return next((tier for tier in self.tiers if tier.severity == "page"), self.tiers[0])

    @property
    def windows(self) -> tuple[int, ...]:
        """Seconds of every window, ascending."""
        return tuple(sorted({limit.seconds for tier in self.tiers for limit in tier.limits}))

    @property
    def expression(self) -> str:
        """The tiers in one line, e.g. ``page: 5m>=14.4 & 1h>=6``; `parse` reads it."""
        return "; ".join(
            f"{tier.severity}: "
            + " & ".join(
                f"{quantity.duration_text(limit.seconds)}>={limit.factor.normalize():f}" for limit in tier.limits
            )
            for tier in self.tiers
        )


def parse(expression: str, name: str = "custom") -> Policy:
    """The policy of a line such as ``page: 5m>=14.4 & 1h>=6; ticket: 6h>=1 & 3d>=1``.

    Raises:
        ValueError: it cannot be read; the message says what would have been right.
    """
    tiers = []
    for part in expression.split(";"):
        found = _TIER.fullmatch(part)
        if found is None:
            raise ValueError("tiers such as 'page: 5m>=14.4 & 1h>=6', separated by ';'")
        limits = sorted((_limit(text) for text in found[2].split("&")), key=lambda limit: limit.seconds)
        tiers.append(Tier("page" if found[1] == "page" else "ticket", tuple(limits)))
    return Policy(name, "the expression itself", DAYS_30, tuple(tiers))


def _limit(text: str) -> Limit:
    found = _LIMIT.fullmatch(text)
    if found is None:
        raise ValueError("a limit such as 5m>=14.4")
    try:
        window, factor = quantity.seconds(found[1]), Decimal(found[2])
    except InvalidOperation:
        raise ValueError("a limit such as 5m>=14.4") from None
    if window != int(window):
        raise ValueError("a window of whole seconds")
    if not factor > 0:
        raise ValueError("a burn rate above 0")
    return Limit(int(window), factor)


def _tier(severity: Severity, budget: str | None, *limits: tuple[str, str]) -> Tier:
    return Tier(
        severity,
        tuple(Limit(int(quantity.seconds(window)), Decimal(factor)) for window, factor in limits),
        None if budget is None else Decimal(budget),
    )


DAYS_30: Final = 2_592_000

#: The seed platform's pair: both windows must burn; quick for what burns fast, blind below 6.
AUMOS_SEED: Final = Policy(
    "aumos-seed",
    "the AumOS observability platform: fast 5 min >= 14.4 and slow 1 h >= 6",
    DAYS_30,
    (_tier("page", None, ("5m", "14.4"), ("1h", "6")),),
)

SRE_WORKBOOK: Final = Policy(
    "sre-workbook",
    "The Site Reliability Workbook, chapter 5 (Alerting on SLOs), table 5-8",
    DAYS_30,
    (
        _tier("page", "0.02", ("5m", "14.4"), ("1h", "14.4")),
        _tier("page", "0.05", ("30m", "6"), ("6h", "6")),
        _tier("ticket", "0.10", ("6h", "1"), ("3d", "1")),
    ),
)

SLOTH_30D: Final = Policy(
    "sloth-30d",
    "sloth's default windows for 30 days, which cite the workbook and add a ticket at 3x",
    DAYS_30,
    (
        _tier("page", "0.02", ("5m", "14.4"), ("1h", "14.4")),
        _tier("page", "0.05", ("30m", "6"), ("6h", "6")),
        _tier("ticket", "0.10", ("2h", "3"), ("1d", "3")),
        _tier("ticket", "0.10", ("6h", "1"), ("3d", "1")),
    ),
)

#: Pyrra's four for its usual four weeks; for other periods it scales the windows, see `aumos_otel.slo.pyrra.policy`.
PYRRA: Final = Policy(
    "pyrra",
    "Pyrra's windows for 28 days: factors 14, 7, 2 and 1",
    2_419_200,
    (
        _tier("page", None, ("5m", "14"), ("1h", "14")),
        _tier("page", None, ("30m", "7"), ("6h", "7")),
        _tier("ticket", None, ("2h", "2"), ("1d", "2")),
        _tier("ticket", None, ("6h", "1"), ("4d", "1")),
    ),
)

#: Time-scaled, so that a demo shows within seconds what takes hours elsewhere.  Never for production.
DEMO: Final = Policy(
    "demo",
    "time-scaled for the demo, not for production",
    DAYS_30,
    (_tier("page", None, ("3s", "14.4"), ("15s", "6")),),
)

BUILT_IN: Final = {policy.name: policy for policy in (AUMOS_SEED, SRE_WORKBOOK, SLOTH_30D, PYRRA, DEMO)}
