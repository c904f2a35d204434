"""What each burn policy would have done with the past: alerts, how soon, for how much budget, and what it missed."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import incident as incidents_of
from aumos_otel.slo.budget import budget
from aumos_otel.slo.burn_rate import Detector, blind_band
from aumos_otel.slo.policy import AUMOS_SEED, KEPT, SLOTH_30D, SRE_WORKBOOK
from aumos_otel.slo.status import tier_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aumos_otel.slo.budget import Budget
    from aumos_otel.slo.history import History
    from aumos_otel.slo.incident import Incident
    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.policy import Policy, Severity, Tier

#: Policies that are compared with the objective's own.
COMPARED: Final = (AUMOS_SEED, SRE_WORKBOOK, SLOTH_30D)
_SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")
_WEEK: Final = 604_800.0


@dataclass(frozen=True, slots=True)
class Alert:
    """One that would have fired: at ``start``, and no longer at ``end``.

    Attributes:
        tier: that fired first.
        end: None: still firing when the history ends.
        false: while no incident was.
    """

    tier: Tier
    start: float
    end: float | None
    false: bool

    @property
    def severity(self) -> Severity:
        """Whom it calls."""
        return self.tier.severity

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "severity": self.severity,
            "tier": tier_text(self.tier),
            "start": self.start,
            "end": self.end,
            "false": self.false,
        }


@dataclass(frozen=True, slots=True)
class Detection:
    """How an incident would have been noticed.

    Attributes:
        paged_after: seconds from its start to the first page; None: none came.
        ticketed_after: same, of tickets.
        used_when_noticed: share of the budget of a whole period that it had used by the first of them.
        used: share that it used in the end.
    """

    incident: Incident
    paged_after: float | None
    ticketed_after: float | None
    used_when_noticed: float | None
    used: float

    @property
    def noticed_after(self) -> float | None:
        """Seconds to the first page or ticket; None: it was missed."""
        return min((after for after in (self.paged_after, self.ticketed_after) if after is not None), default=None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "incident": self.incident.to_dict(),
            "paged_after": self.paged_after,
            "ticketed_after": self.ticketed_after,
            "used_when_noticed": self.used_when_noticed,
            "used": self.used,
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """One policy over the whole history.

    Attributes:
        blind: constant burn rates above 1, from and up to, that never fire; None: there are none.
        unpaged: same, that never page.
    """

    policy: Policy
    alerts: tuple[Alert, ...]
    detections: tuple[Detection, ...]
    weeks: float
    blind: tuple[float, float] | None
    unpaged: tuple[float, float] | None

    def per_week(self, severity: Severity) -> float:
        """Alerts of a severity a week."""
        return sum(alert.severity == severity for alert in self.alerts) / self.weeks

    @property
    def false_pages(self) -> int:
        """Pages while no incident was."""
        return sum(alert.severity == "page" and alert.false for alert in self.alerts)

    @property
    def missed(self) -> tuple[Incident, ...]:
        """Incidents without any alert."""
        return tuple(detection.incident for detection in self.detections if detection.noticed_after is None)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "policy": self.policy.name,
            "tiers": self.policy.expression,
            "alerts": [alert.to_dict() for alert in self.alerts],
            "detections": [detection.to_dict() for detection in self.detections],
            "pages_per_week": self.per_week("page"),
            "tickets_per_week": self.per_week("ticket"),
            "false_pages": self.false_pages,
            "missed": [missed.name for missed in self.missed],
            "blind": self.blind,
            "unpaged": self.unpaged,
        }


@dataclass(frozen=True, slots=True)
class Backtest:
    """The past of one objective under several policies.

    Attributes:
        start: Unix seconds of the first evaluation; ``end``: of the last; ``step``: seconds between two.
        coverage: share of that time for which there are samples.
        budget: as it was at the end.
    """

    objective: Objective
    start: float
    end: float
    step: float
    coverage: float
    budget: Budget
    incidents: tuple[Incident, ...]
    trials: tuple[Trial, ...]

    def to_dict(self) -> dict[str, Any]:
        """Plain data, ready for JSON."""
        return {
            "service": self.objective.service,
            "name": self.objective.name,
            "target": float(self.objective.target),
            "start": self.start,
            "end": self.end,
            "step": self.step,
            "coverage": self.coverage,
            "budget": self.budget.to_dict(),
            "incidents": [incident.to_dict() for incident in self.incidents],
            "policies": [trial.to_dict() for trial in self.trials],
        }


def backtest(
    objective: Objective,
    history: History,
    incidents: Sequence[Incident] | None = None,
    policies: Sequence[Policy] | None = None,
) -> Backtest | None:
    """Replay what the objective counted, evaluated at each step; None of an empty history.

    Args:
        objective: its own policy is tried first.
        history: what it counted (see `slices.weighed`).
        incidents: that there were, of which those outside of the history are left out; None: those that
            `incident.find` finds.
        policies: that are tried beside its own; None: `COMPARED`.
    """
    first, last = history.first, history.last
    if first is None or last is None:
        return None
    if incidents is None:
        incidents = incidents_of.find(objective, history)
    within = (one for one in incidents if one.end > first - history.step and one.start < last)
    known = tuple(sorted(within, key=lambda one: one.start))
    replay = _Replay(objective, history, known)
    tried = dict.fromkeys((objective.policy, *(COMPARED if policies is None else policies)))
    return Backtest(
        objective=objective,
        start=first,
        end=last,
        step=history.step,
        coverage=history.coverage(last, last - first + history.step),
        budget=budget(objective, history, last),
        incidents=known,
        trials=tuple(replay.trial(policy) for policy in tried),
    )


class _Replay:
    """A history with what the policies have in common: each window's error ratio at each instant."""

    def __init__(self, objective: Objective, history: History, incidents: tuple[Incident, ...]) -> None:
        self._objective = objective
        self._history = history
        self._incidents = incidents
        self._allowed = incidents_of.period_allowance(objective, history)
        self._instants = instants(history)
        self._known: dict[int, list[float]] = {}

    def trial(self, policy: Policy) -> Trial:
        objective = replace(self._objective, policy=policy)
        scaled = objective.burn_policy
        detectors = [Detector.of(objective, tier) for tier in scaled.tiers]
        alerts = tuple(
            sorted(
                (alert for severity in _SEVERITIES for alert in self._alerts(severity, detectors)),
                key=lambda alert: (alert.start, alert.severity),
            )
        )
        return Trial(
            policy=scaled,
            alerts=alerts,
            detections=tuple(self._detection(incident, alerts) for incident in self._incidents),
            weeks=len(self._instants) * self._history.step / _WEEK,
            blind=blind_band(objective),
            unpaged=blind_band(objective, "page"),
        )

    def _alerts(self, severity: Severity, detectors: Sequence[Detector]) -> Iterator[Alert]:
        """The alerts of a severity: its tiers are one alert, as in the compiled rules."""
        fired: dict[int, Tier] = {}
        for detector in detectors:
            if detector.tier.severity == severity:
                for index in self._burning(detector):
                    fired.setdefault(index, detector.tier)
        runs: list[list[int]] = []
        for index in sorted(fired):
            if runs and index - runs[-1][-1] <= KEPT:
                runs[-1].append(index)
            else:
                runs.append([index])
        for run in runs:
            over = run[-1] + KEPT
            end = self._instants[over] if over < len(self._instants) else None
            yield self._alert(fired[run[0]], self._instants[run[0]], end)

    def _alert(self, tier: Tier, start: float, end: float | None) -> Alert:
        alert = Alert(tier, start, end, false=False)
        return replace(alert, false=not any(_tells(alert, incident) for incident in self._incidents))

    def _burning(self, detector: Detector) -> Sequence[int]:
        """The positions of the instants at which a tier burns."""
        found: Sequence[int] = range(len(self._instants))
        for seconds, least in reversed(detector.limits):  # the longest window leaves fewest
            ratios = self._ratios(seconds)
            found = [index for index in found if ratios[index] >= least]
        if detector.gated:
            longest = detector.tier.long.seconds
            found = [
                index
                for index in found
                if detector.enough({longest: self._history.counts(self._instants[index], longest)})
            ]
        return found

    def _detection(self, incident: Incident, alerts: Sequence[Alert]) -> Detection:
        after: dict[Severity, float] = {}
        for alert in alerts:
            if _tells(alert, incident):
                after.setdefault(alert.severity, max(0.0, alert.start - incident.start))
        noticed = min(after.values(), default=None)
        return Detection(
            incident=incident,
            paged_after=after.get("page"),
            ticketed_after=after.get("ticket"),
            used_when_noticed=None if noticed is None else self._used(incident, noticed),
            used=self._used(incident, incident.end - incident.start),
        )

    def _used(self, incident: Incident, seconds: float) -> float:
        """The share of a period's budget that an incident used within so many seconds."""
        bad = self._history.counts(incident.start + seconds, seconds).bad
        return bad / self._allowed if self._allowed > 0 else 0.0

    def _ratios(self, seconds: int) -> list[float]:
        """The error ratio of a window at each instant; NaN, which reaches nothing, where nothing happened."""
        ratios = self._known.get(seconds)
        if ratios is None:
            known = (counts.error_ratio for counts in self._history.rolling(seconds, self._instants))
            ratios = self._known[seconds] = [math.nan if ratio is None else ratio for ratio in known]
        return ratios


def _tells(alert: Alert, incident: Incident) -> bool:
    """Whether an alert is about an incident: it fires during it, or while its shortest window still sees it."""
    return alert.start < incident.end + alert.tier.short.seconds and (alert.end is None or alert.end > incident.start)


def instants(history: History) -> list[float]:
    """When a history is evaluated: at each step from its first sample to its last, whether there is one or not."""
    first, last = history.first, history.last
    if first is None or last is None:
        return []
    return [first + position * history.step for position in range(round((last - first) / history.step) + 1)]
