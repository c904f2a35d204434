"""Alerts of an objective: when its budget burns, and when nobody could tell whether it does.

None of them waits (``for``) for a burning budget: the short window of a tier has waited already, and a missed
evaluation would begin the wait anew.  ``keep_firing_for`` bridges gaps instead.
"""

from __future__ import annotations

import json
import math
from decimal import Decimal
from statistics import NormalDist
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from aumos_otel.semconv import attributes
from aumos_otel.semconv import rules as names
from aumos_otel.slo import promql, quantity
from aumos_otel.slo.indicator import Counted, Spans
from aumos_otel.slo.policy import KEPT
from aumos_otel.slo.promql import label, number
from aumos_otel.slo.rules import OWNED_BY, SLOWER, VERSION, plain_labels

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.policy import Severity, Tier
    from aumos_otel.slo.rules import Recorder, Rule

_TENANT: Final = label(attributes.AUMOS_TENANT_ID)
#: Seconds of the window, or the next longer one, in which good events must not exceed all events.
_HOUR: Final = 3_600
#: How far they may: two rates that are extrapolated differ a little.
_SLACK: Final = "1.01"
_SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")


def burning(recorder: Recorder, more: Mapping[Severity, Mapping[str, str]]) -> list[Rule]:
    """One alert a severity, which fires while any of its tiers burns; its value is the burn rate of a short window.

    ``more`` are further labels of each severity's alert.
    """
    return [
        _alert(
            recorder,
            recorder.objective.alerting.name or names.ALERT_SLO_ERROR_BUDGET_BURN,
            severity,
            f"max without ({VERSION}) (\n  {_any_of(recorder, tiers)}\n) / {number(recorder.objective.budget)}",
            _burning_text(recorder, tiers),
            more=more.get(severity, {}),
            keep_firing_for=quantity.duration_text(KEPT * recorder.definitions.prometheus.interval),
        )
        for severity, tiers in _enabled(recorder.objective).items()
    ]


def broken(recorder: Recorder) -> list[Rule]:
    """What says that the burn alerts cannot be relied on, for the group of the levels."""
    severity = _worst(recorder.objective)
    if severity is None:
        return []
    alerts = []
    if recorder.objective.alerting.absent:
        absent = f"absent({recorder.series(names.AUMOS_SLO_TOTAL_INCREASE, 60)})"
        alerts.append(
            _alert(
                recorder,
                names.ALERT_SLO_METRIC_ABSENT,
                severity,
                f"max without ({VERSION}) ({absent})",
                _absent_text(recorder.objective),
                wait=quantity.duration_text(absent_after(recorder)),
            )
        )
    windows = recorder.objective.burn_policy.windows
    counts = recorder.counts(next((seconds for seconds in windows if seconds >= _HOUR), windows[-1]))
    exceeds = f"max without ({VERSION}) ({counts.good} > {counts.total} * {_SLACK})"
    alerts.append(
        _alert(recorder, names.ALERT_SLO_GOOD_EXCEEDS_TOTAL, "ticket", exceeds, _exceeds_text(recorder.objective))
    )
    return alerts


def stale(recorder: Recorder) -> list[Rule]:
    """The dead man's switch of the group of the levels; it belongs into another group than those."""
    severity = _worst(recorder.objective)
    if severity is None:
        return []
    missed = quantity.duration_text(KEPT * recorder.definitions.prometheus.interval)
    absent = f"absent_over_time({recorder.series(names.AUMOS_SLO_TARGET_RATIO)}[{missed}])"
    return [
        _alert(
            recorder,
            names.ALERT_SLO_EVALUATION_STALE,
            severity,
            f"max without ({VERSION}) ({absent})",
            _stale_text(recorder.objective),
            wait=quantity.duration_text(SLOWER),  # both groups begin at the same time
        )
    ]


def absent_after(recorder: Recorder) -> int:
    """Seconds after which missing data is told: as soon as the worst tier would have burnt, had all of it been bad."""
    objective, interval = recorder.objective, recorder.definitions.prometheus.interval
    tiers = objective.burn_policy.tiers
    paging = [tier for tier in tiers if tier.severity == "page"] or tiers
    whole = Decimal(1)  # more than all of the events cannot be bad
    soonest = min(
        max(min(whole, limit.factor * objective.budget) * limit.seconds for limit in tier.limits) for tier in paging
    )
    return max(2, math.ceil(soonest / interval)) * interval


def _enabled(objective: Objective) -> dict[Severity, list[Tier]]:
    """The tiers of each severity that has some and is not switched off."""
    tiers = {
        severity: [tier for tier in objective.burn_policy.tiers if tier.severity == severity]
        for severity in _SEVERITIES
        if objective.alerting.notice(severity).enabled
    }
    return {severity: found for severity, found in tiers.items() if found}


def _worst(objective: Objective) -> Severity | None:
    return next(iter(_enabled(objective)), None)


def _any_of(recorder: Recorder, tiers: list[Tier]) -> str:
    return "\n  or\n  ".join(f"(\n    {_burns(recorder, tier)}\n  )" for tier in tiers)


def _burns(recorder: Recorder, tier: Tier) -> str:
    """All of its limits are reached, by enough traffic."""
    objective = recorder.objective
    conditions = [
        f"{recorder.series(names.AUMOS_SLO_ERRORS_RATIO, limit.seconds)} >= {number(limit.factor * objective.budget)}"
        for limit in tier.limits
    ]
    if objective.gate is not None:
        counts = recorder.counts(tier.long.seconds)
        conditions.append(f"clamp_min({counts.total} - {counts.good}, 0) >= {objective.gate.bad_events}")
        if objective.gate.confidence is not None:
            lower = _wilson(
                recorder.series(names.AUMOS_SLO_ERRORS_RATIO, tier.long.seconds),
                counts.total,
                objective.gate.confidence,
            )
            conditions.append(f"{lower} >= {number(tier.long.factor * objective.budget)}")
    return "\n    and\n    ".join(conditions)


def _wilson(share: str, total: str, confidence: Decimal) -> str:
    """The lower bound of Wilson's score interval, one-sided."""
    z = NormalDist().inv_cdf(float(confidence))
    square = repr(z * z)
    return (
        f"({share} + {square} / 2 / {total} - {z!r} * sqrt(({share} * (1 - {share}) + {square} / 4 / {total})"
        f" / {total})) / (1 + {square} / {total})"
    )


def _alert(
    recorder: Recorder,
    name: str,
    severity: Severity,
    expr: str,
    text: Mapping[str, str],
    *,
    more: Mapping[str, str] | None = None,
    wait: str | None = None,
    keep_firing_for: str | None = None,
) -> Rule:
    objective = recorder.objective
    alerting, notice = objective.alerting, objective.alerting.notice(severity)
    labels = {
        "severity": severity,
        "service": literal(objective.service),
        "slo": literal(objective.name),
        **({"owner": literal(objective.owner)} if objective.owner else {}),
        **plain_labels({**objective.labels, **alerting.labels, **notice.labels}),
        **(more or {}),
        OWNED_BY: recorder.owner,
    }
    annotations = {
        **text,
        **({"runbook_url": literal(objective.runbook)} if objective.runbook else {}),
        **plain_labels({**objective.annotations, **alerting.annotations, **notice.annotations}),
    }
    rule: Rule = {"alert": name, "expr": expr}
    if wait is not None:
        rule["for"] = wait
    if keep_firing_for is not None:
        rule["keep_firing_for"] = keep_firing_for
    return {**rule, "labels": labels, "annotations": annotations}


def _burning_text(recorder: Recorder, tiers: list[Tier]) -> dict[str, str]:
    objective = recorder.objective
    left = _value(recorder, names.AUMOS_SLO_BUDGET_REMAINING_RATIO, "humanizePercentage")
    events = _value(recorder, names.AUMOS_SLO_BUDGET_REMAINING_EVENTS, 'printf "%.0f"')
    minutes = _value(recorder, names.AUMOS_SLO_BUDGET_REMAINING_MINUTES, 'printf "%.1f"')
    empty = _value(
        recorder, names.AUMOS_SLO_BUDGET_EXHAUSTION_SECONDS, "humanizeDuration", "in ", "not within its period"
    )
    wanted = quantity.percent_text(objective.target)
    limits = "; or ".join(
        " and ".join(
            f"{number(round(limit.factor, 3))}x over {quantity.duration_text(limit.seconds)}" for limit in tier.limits
        )
        for tier in tiers
    )
    sentences = [
        (
            f"{wanted} of {_subject(objective)} have to be good; errors use the budget up"
            ' {{ $value | printf "%.1f" }} times as fast as that allows.'
        ),
        (
            f"Left of the budget: {left} ({events} bad events, or {minutes} minutes of full outage);"
            f" at this rate it is empty {empty}."
        ),
        f"Fires at {limits}.",
    ]
    if objective.description:
        sentences.insert(0, literal(objective.description.strip().rstrip(".") + "."))
    offender = _offender(recorder)
    if offender:
        sentences.append(offender)
    graph = quote(recorder.series(names.AUMOS_SLO_BURN_RATE, tiers[0].short.seconds), safe="")
    return {
        "summary": f'{_title(objective)} burns its error budget {{{{ $value | printf "%.1f" }}}} times too fast',
        "description": " ".join(sentences),
        "graph_url": f"{{{{ $externalURL }}}}/graph?g0.expr={graph}&g0.tab=0",
    }


def _absent_text(objective: Objective) -> dict[str, str]:
    return {
        "summary": f"{_title(objective)} has no data",
        "description": "Nothing is known of it: neither whether it is met nor whether its budget burns, and no other"
        " alert of it can fire.  See whether the service runs and is scraped, and whether the indicator's series"
        " are still called as its definition says.",
    }


def _exceeds_text(objective: Objective) -> dict[str, str]:
    return {
        "summary": f"{_title(objective)} counts more good events than events",
        "description": "Its metrics or its queries are at fault: the good events must be among all events."
        "  Until that is mended its errors are not seen.",
    }


def _stale_text(objective: Objective) -> dict[str, str]:
    return {
        "summary": f"{_title(objective)} is not evaluated",
        "description": "Its recording rules have written nothing for a while, so that its burn alerts cannot fire."
        "  See the rule groups of Prometheus, or of the ruler: whether they are there, fail or are too slow.",
    }


def _subject(objective: Objective) -> str:
    """The events of the objective, with the values by which it is counted apart."""
    groups = ", ".join(f"{literal(name)}={_group(name)}" for name in promql.grouping(objective))
    return f"the events of {literal(objective.service)}" + (f" with {groups}" if groups else "")


def _title(objective: Objective) -> str:
    name = objective.display_name or objective.name
    groups = ", ".join(_group(name) for name in promql.grouping(objective))
    return literal(f"{objective.service}: {name}") + (f" ({groups})" if groups else "")


def _group(name: str) -> str:
    return f"{{{{ index $labels {_go_string(name)} }}}}"


def _value(recorder: Recorder, name: str, form: str, before: str = "", otherwise: str = "unknown") -> str:
    """A recorded number of the objective, or of the group that burns, as the alert is sent."""
    found = _query(recorder, recorder.series(name, more=_matchers(recorder)))
    return f"{{{{ with {found} }}}}{before}{{{{ . | first | value | {form} }}}}{{{{ else }}}}{otherwise}{{{{ end }}}}"


def _offender(recorder: Recorder) -> str:
    """The tenant that most of the bad events belong to; empty when nobody counts them by tenant."""
    objective = recorder.objective
    groups = promql.grouping(objective)
    if not isinstance(objective.indicator, Spans | Counted) or _TENANT in groups:
        return ""
    picked = ",".join(filter(None, (f'{_TENANT}!=""', _matchers(recorder))))
    counters = promql.series(objective.indicator, objective.service, recorder.definitions.prometheus, picked)
    total, good = (
        promql.aggregated("sum", (_TENANT,), f"rate({text}[1h])") for text in (counters.total, counters.good)
    )
    found = _query(recorder, f"topk(1, {total} - ({good} or {total} * 0) > 0)")
    tenant = f"{{{{ . | first | label {_go_string(_TENANT)} }}}}"
    return f"{{{{ with {found} }}}}Most of them are of tenant {tenant}.{{{{ end }}}}"


def _matchers(recorder: Recorder) -> str:
    """Matchers of the group that burns; a null character stands for each value."""
    return ",".join(f"{promql.label_text(name)}=\0" for name in promql.grouping(recorder.objective))


def _query(recorder: Recorder, expression: str) -> str:
    """A query in a template, with the values of the alert's group in their places."""
    groups = promql.grouping(recorder.objective)
    if not groups:
        return f"query {_go_string(expression)}"
    pattern = expression.replace("%", "%%").replace("\0", "%q")
    values = " ".join(f"(index $labels {_go_string(name)})" for name in groups)
    repeats = expression.count("\0") // len(groups)
    return f"query (printf {_go_string(pattern)} {' '.join([values] * repeats)})"


def _go_string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False) if "`" in text or "\n" in text else f"`{text}`"


def literal(text: str) -> str:
    """Text that is no template, although it may hold ``{{``."""
    return text.replace("{{", '{{ "{{" }}')
