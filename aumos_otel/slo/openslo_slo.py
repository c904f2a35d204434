"""A document of kind SLO in OpenSLO: one objective, or several, or a composite after its parts."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from aumos_otel.slo import json_text, openslo_alert, openslo_library, openslo_sli, openslo_window
from aumos_otel.slo.entry import Entry, canonical
from aumos_otel.slo.foreign import is_label, name_of
from aumos_otel.slo.indicator import Composite
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.policy import SRE_WORKBOOK
from aumos_otel.slo.spec_objective import Defaults, objective_data, read_objective
from aumos_otel.slo.spec_policy import read_policy
from aumos_otel.slo.window import THIRTY_DAYS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.slo.foreign import Names, Node
    from aumos_otel.slo.indicator import Indicator
    from aumos_otel.slo.openslo_library import Library

#: The annotation with what OpenSLO has no word for: the keys of our own format, as JSON.
REST: Final = "aumos-otel/objective"

_INDICATORS: Final = ("indicator", "indicatorRef")
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]")


def read(document: Node, library: Library, names: Names) -> list[Objective]:
    """The objectives of a document; they do not remember it."""
    document.get("kind")
    metadata = openslo_library.metadata(document)
    found = document.node("spec", required=True)
    document.close("apiVersion")
    if found is None:
        return []
    found.text("description")
    nodes = found.nodes("objectives", required=True)
    period = openslo_window.read(found)
    policy, alerting = openslo_alert.read(found, period.seconds, library)
    annotations = metadata.texts("annotations")
    rest = annotations.pop(REST, None)
    common = Objective(
        name=name_of(metadata.text("name")) or "unnamed",
        service=found.text("service", required=True),
        target=Decimal("0.5"),
        indicator=Composite({}),
        window=period,
        policy=policy,
        display_name=metadata.text("displayName"),
        description=found.text("description"),
        labels=_labels(metadata),
        annotations=annotations,
        alerting=alerting,
        line=document.line,
    )
    composite = any(key in node for node in nodes for key in _INDICATORS)
    if composite:
        for key in _INDICATORS:
            if key in found:
                found.problem(key, "the indicator in each objective, or once here")
    method = openslo_window.read_method(found)
    objectives: list[Objective] = []
    for node, suffix in zip(nodes, _suffixes(nodes), strict=True):
        named = replace(common, name=names.give((*metadata.path, "name"), common.service, common.name + suffix))
        indicator = _indicator(node if composite else found, node, named.name, library)
        objectives.append(_objective(node, named, indicator, method))
    if composite and len(nodes) > 1:
        objectives.append(
            _composite(
                found, common, objectives, nodes, names.give((*metadata.path, "name"), common.service, common.name)
            )
        )
    found.close(*_INDICATORS, "timeWindow", "alertPolicies")
    return [_completed(objectives[0], rest, metadata)] if rest is not None and len(objectives) == 1 else objectives


def _suffixes(nodes: Sequence[Node]) -> list[str]:
    """What tells the objectives of a document apart: how they are shown, else their number; nothing for a single one."""
    if len(nodes) == 1:
        return [""]
    shown = [name_of(node.text("displayName")) for node in nodes]
    return [f"-{name}" if name and shown.count(name) == 1 else f"-{index}" for index, name in enumerate(shown, start=1)]


def _indicator(holder: Node, node: Node, name: str, library: Library) -> Indicator:
    """What ``holder`` says is measured; ``node`` is the objective about it."""
    reference = holder.text("indicatorRef")
    sli = library.spec("SLI", reference) if reference else None
    inline = holder.node("indicator")
    if (inline is None) == (not reference):
        holder.findings.problem(holder.path, sorted(holder.value), "either an indicator or an indicatorRef")
    elif inline is not None:
        openslo_library.metadata(inline)
        sli = inline.node("spec", required=True)
        inline.close("apiVersion", "kind")
    elif sli is None:
        holder.problem("indicatorRef", "the name of an SLI in the same file")
    return Composite({}) if sli is None else openslo_sli.read(sli, node, name, library)


def _objective(node: Node, common: Objective, indicator: Indicator, method: str) -> Objective:
    """One of the objectives of an SLO."""
    own, shown = node.text("displayName"), common.display_name
    several = own and shown and name_of(own) and common.name.endswith(name_of(own))
    result = replace(
        common,
        target=_target(node),
        indicator=indicator,
        budgeting=openslo_window.read_budgeting(method, node),
        display_name=f"{shown}: {own}" if several else shown or own,
    )
    node.close(*_INDICATORS, "compositeWeight", "op", "value")
    return result


def _target(node: Node) -> Decimal:
    share, percent = node.number("target"), node.number("targetPercent")
    if (share is None) == (percent is None):
        node.findings.problem(node.path, sorted(node.value), "either target or targetPercent")
    elif share is not None and not 0 < share < 1:
        node.problem("target", "a share over 0 and below 1, e.g. 0.999; without a budget there is nothing to burn")
    elif percent is not None and not 0 < percent < 100:  # noqa: PLR2004 - percent
        node.problem("targetPercent", "a percentage over 0 and below 100, e.g. 99.9")
    elif percent is not None:
        return canonical(percent / 100)
    elif share is not None:
        return canonical(share)
    return Decimal("0.5")


def _composite(
    spec_node: Node, common: Objective, parts: Sequence[Objective], nodes: Sequence[Node], name: str
) -> Objective:
    """The SLO over its objectives: as good as their weighted mean, and so is its target."""
    weights = []
    for node in nodes:
        weight = node.number("compositeWeight")
        if weight is not None and weight <= 0:
            node.problem("compositeWeight", "a number above 0")
        weights.append(canonical(weight) if weight is not None and weight > 0 else Decimal(1))
    mean = sum((weight * part.target for weight, part in zip(weights, parts, strict=True)), Decimal(0)) / sum(weights)
    spec_node.remark(
        "objectives", f"the composite is as good as the weighted mean of its parts; its target is {mean:f}"
    )
    return replace(
        common,
        name=name,
        target=mean,
        indicator=Composite({part.name: weight for part, weight in zip(parts, weights, strict=True)}),
        budgeting=parts[0].budgeting,
    )


def _completed(objective: Objective, rest: str, metadata: Node) -> Objective:
    """The objective with what the annotation says of it."""
    parsed = json_text.parse(rest)
    said = parsed.documents[0] if parsed.documents else None
    path = (*metadata.path, "annotations", REST)
    if parsed.problems or not isinstance(said, dict):
        metadata.findings.problem(path, rest, "a mapping of JSON, as it was written here")
        return objective
    data = objective_data(objective, {}, ()) | said
    entry = Entry({key: value for key, value in data.items() if value is not None}, path, metadata.findings)
    found = read_objective(entry, _defaults(objective.service), {}, lambda holder: read_policy(holder, None, []))
    return objective if found is None else replace(found, line=objective.line)


def _defaults(service: str) -> Defaults:
    return Defaults(service=service, owner="", window=THIRTY_DAYS, policy=SRE_WORKBOOK, labels={}, annotations={})


def _labels(metadata: Node) -> dict[str, str]:
    """Labels as Prometheus has them: several values in one, joined by commas."""
    value = metadata.value.get("labels")
    labels = {}
    for name, texts in value.items() if isinstance(value, dict) else ():
        label = _NOT_IN_LABELS.sub("_", name)
        if not is_label(label):
            label = "_" + label.lstrip("_")
        if label != name:
            metadata.findings.remark((*metadata.path, "labels", name), f"the label is called {label} here")
        labels[label] = ",".join(map(str, texts)) if isinstance(texts, list) else str(texts)
    return labels
