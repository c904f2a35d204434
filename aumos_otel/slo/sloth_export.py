"""Objectives as sloth's ``prometheus/v1`` specifications."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.semconv import rules
from aumos_otel.slo import bucket, document, foreign, promql, selector, sloth
from aumos_otel.slo.entry import data_of, plain
from aumos_otel.slo.foreign import Findings, Node
from aumos_otel.slo.indicator import Counted, Histogram, Query, Ratio, Spans
from aumos_otel.slo.objective import Notice
from aumos_otel.slo.policy import SLOTH_30D

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aumos_otel.slo.indicator import Indicator
    from aumos_otel.slo.objective import Definitions, Objective, Prometheus

_REMEDIES: Final = {
    "policy": "sloth's four tiers; write burn_policy: sloth-30d",
    "window": "30 days, or the period of alert windows in the same file",
    "indicator": "good, bad and total, or a ratio, by query",
    "budgeting": "occurrences",
    "group_by": "no group_by; write one SLO for each group",
    "gate": "no gate",
}


def write(definitions: Definitions) -> str:
    """YAML for sloth: documents that were read come back as they were, with what changed since.

    Raises:
        ObjectiveError: it names each objective with what sloth's format cannot say of it.
    """
    windows = [one for one in foreign.kept(definitions, sloth.FORMAT) if one.get("kind") == sloth.WINDOWS]
    burn_policy = sloth.policy(Node(windows[0], (), Findings())) if windows else SLOTH_30D
    documents, problems = [*windows], []
    names = foreign.Names(Findings())
    for original, run in foreign.runs(definitions.objectives, sloth.FORMAT):
        wanted = [_fitted(objective, definitions.prometheus) for objective in run]

        def read(tried: Mapping[str, Any], findings: Findings) -> Sequence[Objective]:
            return sloth.objectives(Node(tried, (), findings), burn_policy, names.copy(findings))

        found, missing = foreign.written(original, run, wanted, _anew(wanted, original), read)
        sloth.objectives(Node(found, (), Findings()), burn_policy, names)
        documents.append(found)
        problems += foreign.refusals(missing, _REMEDIES, "the format of sloth")
    if problems:
        raise ObjectiveError("export to sloth", problems)
    return document.write(documents)


def _fitted(objective: Objective, prometheus: Prometheus) -> Objective:
    """The objective with what only describes it in the words that sloth's files use for that."""
    alerting = objective.alerting
    annotations = {**objective.annotations, **alerting.annotations}
    if objective.runbook and not any(annotations.get(key) == objective.runbook for key in sloth.RUNBOOKS):
        annotations[sloth.RUNBOOKS[0]] = objective.runbook
    labels = dict(objective.labels)
    if objective.owner:
        labels["owner"] = objective.owner
    notices = {severity: notice for severity, notice in alerting.notices.items() if notice != Notice()}
    return replace(
        objective,
        indicator=_templates(_counters(objective, prometheus)),
        display_name="",
        description=objective.description or objective.display_name,
        labels=labels,
        annotations={},
        alerting=replace(
            alerting,
            name=alerting.name or rules.ALERT_SLO_ERROR_BUDGET_BURN,
            annotations=annotations,
            notices=notices,
            absent=True,
        ),
    )


def _counters(objective: Objective, prometheus: Prometheus) -> Indicator:
    """The indicator; what spans or a classic histogram count as good and total by query."""
    indicator = objective.indicator
    if isinstance(indicator, Spans | Counted):
        events = promql.series(indicator, objective.service, prometheus)
        return Ratio(total=Query(events.total), good=Query(events.good))
    if isinstance(indicator, Histogram) and not indicator.native:
        series = selector.parse(indicator.series)
        if series is not None:
            edge = bucket.matcher(f"{indicator.below.normalize():f}")
            good = selector.Selector(f"{series.name}_bucket", (*series.matchers, edge))
            total = selector.Selector(f"{series.name}_count", series.matchers)
            return Ratio(total=Query(str(total)), good=Query(str(good)))
    return indicator


def _templates(indicator: Indicator) -> Indicator:
    """Counts by query as the templates that sloth wants: bad and total."""
    if not isinstance(indicator, Ratio):
        return indicator
    total_text = _template(indicator.total)
    if indicator.bad is not None:
        bad_text = _template(indicator.bad)
    elif indicator.good is not None:
        bad_text = f"({total_text}) - ({_template(indicator.good)})"
    else:
        return indicator
    return Ratio(total=Query(total_text, "template"), bad=Query(bad_text, "template"))


def _template(query: Query) -> str:
    if query.form == "counter":
        return f"sum(rate({query.text}[{{{{.window}}}}]))"
    if query.form == "gauge":
        return f"sum_over_time(({query.text})[{{{{.window}}}}:1m])"
    return query.text


def _anew(run: Sequence[Objective], original: Mapping[str, Any] | None) -> dict[str, Any]:
    resource = original is not None and original.get("kind") == sloth.RESOURCE
    words = sloth.RESOURCE_WORDS if resource else sloth.FILE_WORDS
    spec = {"service": run[0].service, "slos": [_slo(objective, words) for objective in run]}
    if resource and original is not None:
        return {**{key: original[key] for key in ("apiVersion", "kind", "metadata") if key in original}, "spec": spec}
    return {"version": sloth.VERSION, **spec}


def _slo(objective: Objective, words: Mapping[str, str]) -> dict[str, Any]:
    alerting = objective.alerting
    return data_of(
        name=objective.name,
        objective=plain(objective.target * 100),
        description=objective.description or None,
        labels=dict(objective.labels),
        sli=_sli(objective.indicator, words),
        alerting=data_of(
            name=alerting.name,
            labels=dict(alerting.labels),
            annotations=dict(alerting.annotations),
            **{
                words["page_alert"]: _notice(alerting.notice("page")),
                words["ticket_alert"]: _notice(alerting.notice("ticket")),
            },
        ),
    )


def _sli(indicator: Indicator, words: Mapping[str, str]) -> dict[str, Any]:
    if isinstance(indicator, Ratio) and indicator.bad is not None:
        return {"events": {words["error_query"]: indicator.bad.text, words["total_query"]: indicator.total.text}}
    query = getattr(indicator, "query", None)
    if isinstance(query, Query):
        return {"raw": {words["error_ratio_query"]: query.text}}
    return {}


def _notice(notice: Notice) -> dict[str, Any]:
    return data_of(
        disable=None if notice.enabled else True, labels=dict(notice.labels), annotations=dict(notice.annotations)
    )
