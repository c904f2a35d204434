"""One objective in our format, and what stands once for all objectives of a service."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aumos_otel.slo import quantity
from aumos_otel.slo.entry import Entry, data_of
from aumos_otel.slo.indicator import Elsewhere
from aumos_otel.slo.objective import Alerting, Gate, Notice, Objective
from aumos_otel.slo.policy import SRE_WORKBOOK, Policy
from aumos_otel.slo.spec_indicator import indicator_data, read_indicator
from aumos_otel.slo.spec_policy import policy_data
from aumos_otel.slo.spec_window import budgeting_data, read_budgeting, read_window, window_data
from aumos_otel.slo.window import OCCURRENCES, THIRTY_DAYS

if TYPE_CHECKING:
    from aumos_otel.slo.policy import Severity
    from aumos_otel.slo.sli import Sli
    from aumos_otel.slo.window import Window

Value = TypeVar("Value")

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_SERVICE: Final = re.compile(r"\S|\S.*\S")
_GROUP: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_.]*")
#: Stands in for an indicator that has a problem.
_NOTHING: Final = Elsewhere("nothing", "")
_SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")

#: Gives the policy at ``burn_policy`` of a mapping.
PolicyOf = Callable[[Entry], Policy | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Defaults:
    """What holds for each objective of a document that does not say otherwise; labels and annotations are joined."""

    service: str
    owner: str
    window: Window
    policy: Policy
    labels: Mapping[str, str]
    annotations: Mapping[str, str]


def read_defaults(entry: Entry, policy_of: PolicyOf) -> Defaults:
    """What the top of a document says about all its objectives; the service may be missing where there is none."""
    nameless = entry.get("slos") == [] and "service" not in entry
    return Defaults(
        service="" if nameless else entry.word("service", _SERVICE, "the name of the service, in one line"),
        owner=entry.text("owner"),
        window=read_window(entry) or THIRTY_DAYS,
        policy=policy_of(entry) or SRE_WORKBOOK,
        labels=entry.labels("labels"),
        annotations=entry.texts("annotations"),
    )


def read_objective(entry: Entry, defaults: Defaults, named: Mapping[str, Sli], policy_of: PolicyOf) -> Objective | None:
    """The objective that an entry of ``slos`` is; None if it is none: its problems are noted."""
    known = len(entry.findings.problems)
    name = entry.word("name", _NAME, "lower-case letters, digits and dashes between them")
    if entry.get("target") is None:
        entry.wrong("target", "a share such as 99.9% or 0.999")
    foreign = entry.entry("foreign")
    objective = Objective(
        name=name,
        service=defaults.service,
        target=entry.share("target") or Decimal(0),
        indicator=read_indicator(entry, name, named) or _NOTHING,
        window=read_window(entry) or defaults.window,
        budgeting=read_budgeting(entry),
        policy=policy_of(entry) or defaults.policy,
        display_name=entry.text("display_name"),
        description=entry.text("description"),
        owner=entry.text("owner") or defaults.owner,
        runbook=entry.text("runbook"),
        labels={**defaults.labels, **entry.labels("labels")},
        annotations={**defaults.annotations, **entry.texts("annotations")},
        group_by=entry.matching("group_by", _GROUP, "the name of a label or attribute"),
        gate=_gate(entry),
        alerting=_alerting(entry),
        foreign=foreign.value if foreign else {},
    )
    entry.done()
    return objective if len(entry.findings.problems) == known else None


def shared_data(objectives: Sequence[Objective]) -> dict[str, Any]:
    """The top of a document, which `read_defaults` reads: what most objectives have, of texts what all of them have."""
    if not objectives:
        return {}
    owners = [objective.owner for objective in objectives]
    window = _commonest([objective.window for objective in objectives])
    policy = _commonest([objective.policy for objective in objectives])
    return data_of(
        service=objectives[0].service,
        # An objective cannot say that it has no owner.
        owner=_commonest(owners) if all(owners) else "",
        window=None if window == THIRTY_DAYS else window_data(window),
        burn_policy=None if policy == SRE_WORKBOOK else policy_data(policy),
        labels=_in_all([objective.labels for objective in objectives]),
        annotations=_in_all([objective.annotations for objective in objectives]),
    )


def objective_data(objective: Objective, shared: Mapping[str, Any], named: Sequence[Sli]) -> dict[str, Any]:
    """What `read_objective` reads as the objective, under a top of ``shared`` data and with the SLIs ``named`` there."""
    own = {
        "window": window_data(objective.window),
        "burn_policy": policy_data(objective.policy),
        "owner": objective.owner,
    }
    usual = {"window": window_data(THIRTY_DAYS), "burn_policy": policy_data(SRE_WORKBOOK), "owner": ""} | dict(shared)
    texts = {"labels": objective.labels, "annotations": objective.annotations}
    gate = objective.gate
    return data_of(
        name=objective.name,
        display_name=objective.display_name,
        description=objective.description,
        target=quantity.percent_text(objective.target),
        sli=indicator_data(objective.indicator, objective.name, named),
        budgeting=None if objective.budgeting == OCCURRENCES else budgeting_data(objective.budgeting),
        **{key: value for key, value in own.items() if value != usual[key]},
        runbook=objective.runbook,
        group_by=list(objective.group_by),
        min_bad_events=gate.bad_events if gate else None,
        confidence=quantity.percent_text(gate.confidence) if gate and gate.confidence is not None else None,
        **{key: _without(found, shared.get(key, {})) for key, found in texts.items()},
        alerting=_alerting_data(objective.alerting),
        foreign=dict(objective.foreign),
    )


def _commonest(values: Sequence[Value]) -> Value:
    """The value that is there most often; of two such, the first."""
    return Counter(values).most_common(1)[0][0]


def _in_all(mappings: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The entries that all mappings have."""
    return {key: text for key, text in mappings[0].items() if all(other.get(key) == text for other in mappings)}


def _without(texts: Mapping[str, str], said: Mapping[str, str]) -> dict[str, str]:
    """The entries that are not ``said`` already."""
    return {key: text for key, text in texts.items() if said.get(key) != text}


def _gate(entry: Entry) -> Gate | None:
    bad_events, confidence = entry.whole("min_bad_events", 0), entry.share("confidence")
    if bad_events is None and confidence is None:
        return None
    return Gate(Gate().bad_events if bad_events is None else bad_events, confidence)


def _alerting(holder: Entry) -> Alerting:
    entry = holder.entry("alerting")
    if entry is None:
        return Alerting()
    found = Alerting(
        name=entry.text("name") or None,
        labels=entry.labels("labels"),
        annotations=entry.texts("annotations"),
        notices={severity: _notice(entry, severity) for severity in _SEVERITIES if severity in entry},
        absent=entry.flag("absent", default=True),
    )
    for severity in _SEVERITIES:
        entry.get(severity)
    entry.done()
    return found


def _notice(holder: Entry, severity: Severity) -> Notice:
    value = holder.get(severity)
    if isinstance(value, bool):
        return Notice(enabled=value)
    entry = Entry(value, (*holder.path, severity), holder.findings)
    found = Notice(
        enabled=entry.flag("enabled", default=True),
        labels=entry.labels("labels"),
        annotations=entry.texts("annotations"),
    )
    entry.done()
    return found


def _alerting_data(alerting: Alerting) -> dict[str, Any]:
    return data_of(
        name=alerting.name,
        labels=dict(alerting.labels),
        annotations=dict(alerting.annotations),
        absent=None if alerting.absent else False,
        **{severity: _notice_data(notice) for severity, notice in alerting.notices.items()},
    )


def _notice_data(notice: Notice) -> Any:
    said = data_of(labels=dict(notice.labels), annotations=dict(notice.annotations))
    return {"enabled": notice.enabled, **said} if said else notice.enabled
