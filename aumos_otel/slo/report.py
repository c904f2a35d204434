"""A backtest as lines of cells: what each policy would have done, and how soon it would have noticed each incident."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from aumos_otel.slo import quantity

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.slo.backtest import Backtest, Detection, Trial
    from aumos_otel.slo.status import Evaluation

Line = tuple[str, ...]


def policies(result: Backtest) -> list[Line]:
    """One line a policy, under a line of titles."""
    titles = ("policy", "pages/week", "tickets/week", "false pages", "noticed", "blind to burn rates", "no page for")
    return [titles, *(_policy(trial) for trial in result.trials)]


def incidents(result: Backtest) -> list[Line]:
    """One line an incident: when, how long, its share of the budget, and for each policy what noticed it and when.

    ``page 4m (1.7%)``: paged after four minutes, when it had used 1.7 percent of the budget.
    """
    titles = ("incident", "began (UTC)", "lasted", "budget", *(trial.policy.name for trial in result.trials))
    lines = [
        (
            incident.name,
            f"{datetime.fromtimestamp(incident.start, UTC):%Y-%m-%d %H:%M}",
            quantity.duration_text(incident.end - incident.start),
            _percent(result.trials[0].detections[position].used),
            *(_detection(trial.detections[position]) for trial in result.trials),
        )
        for position, incident in enumerate(result.incidents)
    ]
    return [titles, *lines]


def states(found: Sequence[tuple[tuple[str, ...], Evaluation]]) -> list[Line]:
    """One line an objective and group: state, name, target, burn rates, what is left of the budget, forecast."""
    return [_state(group, evaluation) for group, evaluation in found]


def _state(group: tuple[str, ...], evaluation: Evaluation) -> Line:
    objective, left = evaluation.objective, evaluation.budget
    burns = "  ".join(
        f"{quantity.duration_text(seconds)} {'-' if rate is None else f'{rate:.1f}x'}"
        for seconds, rate in evaluation.burns.items()
    )
    ratio = "budget unknown" if left.remaining_ratio is None else f"budget left {left.remaining_ratio * 100:.1f}%"
    return (
        evaluation.state,
        "/".join((objective.service, objective.name, *group)),
        quantity.percent_text(objective.target),
        burns,
        ratio,
        _forecast(evaluation),
    )


def _forecast(evaluation: Evaluation) -> str:
    when = evaluation.forecast.exhausted_at
    if evaluation.forecast.rate is None and when is None:
        return "no forecast"
    if when is None:
        return "not gone at this rate"
    if when <= evaluation.at:
        return "gone"
    return f"gone {datetime.fromtimestamp(when, UTC):%Y-%m-%d %H:%M} UTC at this rate"


def _policy(trial: Trial) -> Line:
    return (
        trial.policy.name,
        f"{trial.per_week('page'):.1f}",
        f"{trial.per_week('ticket'):.1f}",
        str(trial.false_pages),
        f"{len(trial.detections) - len(trial.missed)}/{len(trial.detections)}",
        _band(trial.blind),
        _band(trial.unpaged),
    )


def _detection(detection: Detection) -> str:
    noticed = detection.noticed_after
    if noticed is None or detection.used_when_noticed is None:
        return "missed"
    severity = "page" if detection.paged_after == noticed else "ticket"
    return f"{severity} {quantity.duration_text(noticed)} ({_percent(detection.used_when_noticed)})"


def _band(band: tuple[float, float] | None) -> str:
    return "none" if band is None else f"{band[0]:g} to {band[1]:g}"


def _percent(share: float) -> str:
    return f"{share * 100:.1f}%"
