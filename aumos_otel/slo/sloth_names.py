"""The series that sloth would have written, made from ours: dashboards that were built for sloth go on working."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aumos_otel.semconv import rules as names
from aumos_otel.slo import quantity
from aumos_otel.slo.promql import Events, number
from aumos_otel.slo.rules import NAME, OWNED_BY, SERVICE, VERSION, plain_labels, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.slo.policy import Severity
    from aumos_otel.slo.rules import Recorder, Rule

_DAY: Final = 86_400
#: The windows of sloth's own rules; its dashboards know no others.
_WINDOWS: Final = (300, 1_800, 3_600, 7_200, 21_600, 86_400, 259_200)
_PERCENT: Final = 100


def alert_labels(recorder: Recorder) -> dict[Severity, dict[str, str]]:
    """What sloth's alerts carry besides what the user says."""
    return {
        "page": {**_identity(recorder), "sloth_severity": "page"},
        "ticket": {**_identity(recorder), "sloth_severity": "ticket"},
    }


def rules(recorder: Recorder) -> list[Rule]:
    """All of sloth's recording rules, in order."""
    objective = recorder.objective
    days = objective.window.seconds // _DAY
    left = recorder.series(names.AUMOS_SLO_BUDGET_REMAINING_RATIO)
    facts = {
        "sloth_mode": recorder.owner,
        "sloth_objective": number(objective.target * _PERCENT),
        "sloth_spec": "aumos/v1",
        "sloth_version": objective.version,
    }
    return [
        *(
            _rule(recorder, names.SLO_SLI_ERROR_RATIO_RATE + window, _renamed(error_ratio), sloth_window=window)
            for window, error_ratio in _error_ratios(recorder)
        ),
        _rule(recorder, names.SLO_OBJECTIVE_RATIO, f"vector({number(objective.target)})"),
        _rule(recorder, names.SLO_ERROR_BUDGET_RATIO, f"vector({number(objective.budget)})"),
        _rule(recorder, names.SLO_TIME_PERIOD_DAYS, f"vector({days})"),
        _rule(recorder, names.SLO_CURRENT_BURN_RATE_RATIO, _renamed(_current_burn_rate(recorder))),
        _rule(recorder, names.SLO_PERIOD_BURN_RATE_RATIO, _renamed(f"1 - {left}")),
        _rule(recorder, names.SLO_PERIOD_ERROR_BUDGET_REMAINING_RATIO, _renamed(left)),
        _rule(recorder, names.SLOTH_SLO_INFO, "vector(1)", **facts),
    ]


def _identity(recorder: Recorder) -> dict[str, str]:
    """By what sloth tells objectives apart."""
    objective = recorder.objective
    return {
        "sloth_id": f"{objective.service}-{objective.name}",
        "sloth_service": objective.service,
        "sloth_slo": objective.name,
    }


def _error_ratios(recorder: Recorder) -> Iterator[tuple[str, str]]:
    """Each window as text with its error ratio; the period is the last of them."""
    for seconds in _WINDOWS:
        if seconds in recorder.objective.burn_policy.windows:
            error_ratio = recorder.series(names.AUMOS_SLO_ERRORS_RATIO, seconds)
        else:
            total = f"({recorder.over(names.AUMOS_SLO_TOTAL_INCREASE, seconds)})"
            good = f"({recorder.over(names.AUMOS_SLO_GOOD_INCREASE, seconds)})"
            error_ratio = ratio(Events(total, good))
        yield quantity.duration_text(seconds), error_ratio
    period = recorder.objective.window.seconds
    period = period // _DAY * _DAY or period  # the longest day of a calendar has 25 hours, and is called a day
    if period not in _WINDOWS:
        yield quantity.duration_text(period), ratio(recorder.period())


def _current_burn_rate(recorder: Recorder) -> str:
    return recorder.series(names.AUMOS_SLO_BURN_RATE, recorder.objective.burn_policy.windows[0])


def _renamed(expression: str) -> str:
    """Without the labels in the place of which sloth's come."""
    return f"max without ({SERVICE}, {NAME}, {VERSION}) ({expression})"


def _rule(recorder: Recorder, record: str, expr: str, **more: str) -> Rule:
    labels = {
        **plain_labels(recorder.objective.labels),
        OWNED_BY: recorder.owner,
        **_identity(recorder),
        **more,
    }
    return {"record": record, "expr": expr, "labels": labels}
