"""What is wrong, or not as one would think, with definitions that can be read: `lint` runs every check there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aumos_otel.slo.finding import Finding, about
from aumos_otel.slo.indicator import Composite, Elsewhere, Gauge, Ratio, RawRatio, Spans, Threshold
from aumos_otel.slo.policy_lint import lint_policy
from aumos_otel.slo.promql_lint import lint_expression, lint_query
from aumos_otel.slo.threshold_lint import KNOWN_EDGES, lint_threshold
from aumos_otel.slo.window import Calendar, Timeslices, known

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from aumos_otel.slo.objective import Definitions, Objective
    from aumos_otel.slo.promql_lint import Fault
    from aumos_otel.slo.sli import Sli

_GRADES: Final = ("error", "warning", "note")


def lint(
    definitions: Definitions,
    *,
    edges: Mapping[str, Sequence[float]] = KNOWN_EDGES,
    traffic: Mapping[str, float] | None = None,
) -> list[Finding]:
    """All findings, errors first.

    Args:
        definitions: of a file, or imported.
        edges: upper edges of the buckets of each histogram, by its name in Prometheus.
        traffic: events a minute of objectives, by service and name with a slash between, as far as it is known.

    >>> from aumos_otel.slo import spec
    >>> from aumos_otel.slo.lint import lint
    >>> slo = '{"name": "up", "target": "50%", "sli": {"gauge": "up"}, "burn_policy": "aumos-seed"}'
    >>> found = lint(spec.parse('{"version": "aumos/v1", "service": "chat", "slos": [' + slo + ']}'))
    >>> [finding.rule for finding in found]
    ['never-fires']
    """
    found = [*_names(definitions)]
    for objective in definitions.objectives:
        found += _objective(objective, definitions, edges, (traffic or {}).get(_title(objective)))
    found += _same_meaning(definitions)
    return sorted(dict.fromkeys(found), key=lambda finding: (_GRADES.index(finding.grade), finding.line))


def _objective(
    objective: Objective, definitions: Definitions, edges: Mapping[str, Sequence[float]], traffic: float | None
) -> Iterator[Finding]:
    if isinstance(objective.indicator, Elsewhere):
        text = f"it is measured by {objective.indicator.system}, which cannot be asked from here"
        yield about(objective, "error", "elsewhere", text, objective.indicator.remedy or "give it another SLI")
        return
    yield from _window(objective)
    if isinstance(objective.indicator, Ratio) and (objective.indicator.good is None) == (
        objective.indicator.bad is None
    ):
        yield about(objective, "error", "ratio", "it needs one of good and bad, not both or none", "leave one of them")
    yield from _queries(objective)
    yield from lint_threshold(objective, edges)
    if isinstance(objective.indicator, Composite):
        yield from _composite(objective, objective.indicator, definitions)
    if not 0 < objective.target < 1:
        text = f"the target is {objective.target}: {'nothing may ever' if objective.target >= 1 else 'everything may'} be bad"
        yield about(objective, "error", "target", text, "take a share of more than 0 and less than 1, such as 99.9%")
    elif not objective.policy.tiers:
        yield about(objective, "error", "never-fires", "its policy has no tiers", "take a policy such as sre-workbook")
    else:
        yield from lint_policy(objective, definitions.prometheus, traffic)


def _window(objective: Objective) -> Iterator[Finding]:
    window, budgeting = objective.window, objective.budgeting
    if isinstance(window, Calendar):
        if not known(window.time_zone):
            text = f"there is no time zone {window.time_zone!r}"
            yield about(objective, "error", "time-zone", text, "take one of the IANA database, such as Europe/Berlin")
        elif window.time_zone not in ("UTC", "Etc/UTC"):
            text = (
                f"Prometheus counts in UTC; rules reckon the {window.unit} of {window.time_zone} by its local clock, and"
                " are off by an hour's share of the budget while one lasts in which the clocks change"
            )
            yield about(objective, "note", "time-zone", text, "take UTC if that matters")
    if isinstance(budgeting, Timeslices) and not 0 < budgeting.target <= 1:
        text = f"slices are good from {budgeting.target} on"
        yield about(objective, "error", "target", text, "take a share of more than 0 and at most 1, such as 95%")


def _queries(objective: Objective) -> Iterator[Finding]:
    for place, fault in _faults(objective):
        yield about(objective, fault.grade, fault.rule, f"{place}: {fault.text}", fault.remedy)


def _faults(objective: Objective) -> Iterator[tuple[str, Fault]]:
    match objective.indicator:
        case Ratio() as ratio:
            named = {"good": ratio.good, "bad": ratio.bad, "total": ratio.total}
            for place, query in named.items():
                yield from ((place, fault) for fault in (lint_query(query) if query else ()))
        case RawRatio(query):
            # A ratio is no counter, whatever the query looks like.
            yield from (("raw_ratio", fault) for fault in lint_expression(query.text))
        case Threshold(text):
            yield from (("threshold", fault) for fault in lint_expression(text))
        case Gauge(series):
            yield from (("gauge", fault) for fault in lint_expression(series, counter=True))


def _composite(objective: Objective, composite: Composite, definitions: Definitions) -> Iterator[Finding]:
    of_service = {other.name: other for other in definitions.objectives if other.service == objective.service}
    for part in composite.parts:
        other = of_service.get(part)
        if other is None:
            yield about(objective, "error", "composite", f"there is no {part!r}", "name objectives of the same service")
        elif other.window != objective.window:
            text = f"{part!r} is over another window: {other.window}, not {objective.window}"
            yield about(
                objective, "warning", "composite", text, "give them the same window, or budgets cannot be compared"
            )
        elif set(other.group_by) != set(objective.group_by):
            text = f"{part!r} is counted apart by {list(other.group_by)}, this by {list(objective.group_by)}"
            yield about(objective, "warning", "composite", text, "give them the same group_by")


def _names(definitions: Definitions) -> Iterator[Finding]:
    """One name for two things."""
    seen: dict[str, Objective] = {}
    meanings: dict[str, tuple[Objective, Sli]] = {}
    for objective in definitions.objectives:
        if _title(objective) in seen:
            text = f"line {seen[_title(objective)].line} has an objective of the same name"
            yield about(objective, "error", "duplicate", text, "give it another name")
        seen.setdefault(_title(objective), objective)
        if isinstance(objective.indicator, Spans):
            sli = objective.indicator.sli
            first, known_as = meanings.setdefault(sli.name, (objective, sli))
            if known_as != sli:
                text = f"the SLI {sli.name!r} means something else in {_title(first)}, but it is one counter"
                yield about(objective, "error", "duplicate", text, "give the SLI another name")


def _same_meaning(definitions: Definitions) -> Iterator[Finding]:
    """Two names for one thing."""
    names: dict[object, Sli] = {}
    for objective in definitions.objectives:
        if isinstance(objective.indicator, Spans):
            sli = objective.indicator.sli
            same = names.setdefault((objective.service, sli.match, sli.good), sli)
            if same.name != sli.name:
                text = f"the SLI {sli.name!r} means the same as {same.name!r}: the same spans are counted twice"
                yield about(
                    objective, "warning", "same-meaning", text, "define it once under slis: and name it in both"
                )


def _title(objective: Objective) -> str:
    return f"{objective.service}/{objective.name}"
