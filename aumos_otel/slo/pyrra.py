"""Pyrra's Kubernetes resource ``ServiceLevelObjective``, in and out.

The resource names no service: it is the label ``pyrra.dev/service``, else the namespace.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, foreign, quantity, selector
from aumos_otel.slo.entry import canonical, data_of
from aumos_otel.slo.foreign import Findings, Node
from aumos_otel.slo.indicator import Elsewhere, Gauge, Histogram, Query, Ratio
from aumos_otel.slo.objective import Alerting, Definitions, Notice, Objective
from aumos_otel.slo.policy import PYRRA, Limit, Policy
from aumos_otel.slo.window import Rolling

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aumos_otel.slo.indicator import Indicator
    from aumos_otel.slo.policy import Severity
    from aumos_otel.slo.selector import Selector

FORMAT: Final = "pyrra"
API_VERSION: Final = "pyrra.dev/v1alpha1"
KIND: Final = "ServiceLevelObjective"

#: Labels and annotations with it go on to rules and alerts, without it.
_PREFIX: Final = "pyrra.dev/"
_SERVICE: Final = "pyrra.dev/service"
_RUNBOOK: Final = "runbook_url"
_NOTHING: Final = Elsewhere("nothing", "name an indicator")
_KINDS: Final = ("ratio", "latency", "latencyNative", "bool_gauge")
#: The words of alerting.severities by our severities, with what Pyrra says without them.
_SEVERITIES: Final[Mapping[Severity, tuple[tuple[str, str], str]]] = {
    "page": (("fastBurn", "mediumBurn"), "critical"),
    "ticket": (("slowBurn", "longTermBurn"), "warning"),
}
_REMEDIES: Final = {
    "policy": "Pyrra's four tiers for this window; write burn_policy: pyrra and a window of 28d",
    "window": "a rolling window",
    "indicator": "bad and total as counters, a histogram, or a gauge of 0 and 1",
    "budgeting": "occurrences",
    "gate": "no gate",
    "alerting": "alerts of one name, both on or both off, without labels or annotations of one of them",
}


def policy(period: int) -> Policy:
    """Pyrra's policy for a period in seconds: the windows grow with it, in whole minutes, and the factors stay."""
    tiers = (
        replace(tier, limits=tuple(Limit(_scaled(limit.seconds, period), limit.factor) for limit in tier.limits))
        for tier in PYRRA.tiers
    )
    return PYRRA if period == PYRRA.period else replace(PYRRA, period=period, tiers=tuple(tiers))


def _scaled(seconds: int, period: int) -> int:
    # Half a minute goes up.  Pyrra makes windows of nothing for periods under four days; a minute is the least here.
    return max(1, (seconds * period * 2 // PYRRA.period + 60) // 120) * 60


def definitions(resources: Sequence[Node], findings: Findings) -> Definitions:
    """What documents of Pyrra define."""
    names = foreign.Names(findings)
    found = (objective(resource, names) for resource in resources)
    return Definitions(objectives=tuple(one for one in found if one is not None))


def objective(resource: Node, names: foreign.Names) -> Objective | None:
    """The objective of one resource; None if it has none."""
    if resource.text("kind", required=True) != KIND:
        resource.problem("kind", KIND)
        return None
    metadata, spec = resource.node("metadata", required=True), resource.node("spec", required=True)
    resource.close("apiVersion", "status")
    if metadata is None or spec is None:
        return None
    propagated = _propagated(metadata.texts("labels", scalars=True))
    annotations = _propagated(metadata.texts("annotations", scalars=True))
    service = propagated.pop("service", "") or metadata.text("namespace") or "default"
    indicator, groups = _indicator(spec)
    period = spec.duration("window", required=True)
    window = Rolling(int(period) if period is not None and period >= 1 else PYRRA.period)
    found = Objective(
        name=names.give((*metadata.path, "name"), service, metadata.text("name", required=True)),
        service=service,
        target=_target(spec),
        indicator=indicator,
        window=window,
        policy=policy(window.seconds),
        description=spec.text("description"),
        owner=propagated.get("owner", ""),
        runbook=annotations.get(_RUNBOOK, ""),
        labels=propagated,
        group_by=groups,
        alerting=replace(_alerting(spec), annotations=annotations),
        foreign={FORMAT: dict(resource.value)},
        line=resource.line,
    )
    _without_effect(spec)
    spec.close()
    return found


def _propagated(texts: Mapping[str, str]) -> dict[str, str]:
    return {key.removeprefix(_PREFIX): text for key, text in texts.items() if key.startswith(_PREFIX)}


def _without_effect(spec: Node) -> None:
    """Fields that say how Pyrra lays out its own rules."""
    spec.flag("performanceOverAccuracy", default=False)
    if spec.choice("partial_response_strategy", ("abort", "warn", ""), "abort") == "warn":
        spec.remark("partial_response_strategy", "partial responses are Thanos' own; the rules made here do not say it")
    output = spec.node("ruleOutput")
    if output is not None:
        output.texts("shortRulesLabels", scalars=True)
        output.texts("longRulesLabels", scalars=True)
        output.flag("enableDescriptionAsLabel", default=False)
        output.close()
        spec.remark("ruleOutput", "rules are not split in two resources here; the labels are kept, but go nowhere")


def _target(spec: Node) -> Decimal:
    text = foreign.scalar_text(spec.get("target"))
    try:
        percent = Decimal(text if isinstance(text, str) else "")
    except InvalidOperation:
        percent = Decimal("NaN")
    if percent.is_finite() and 0 < percent < 100:  # noqa: PLR2004 - percent
        if percent < 1:
            spec.remark("target", f"the target is a percentage: {text} means {text} %")
        return percent / 100
    spec.problem("target", "a percentage in quotes, over 0 and below 100, e.g. '99.9'")
    return Decimal("0.5")


def _indicator(spec: Node) -> tuple[Indicator, tuple[str, ...]]:
    """The indicator, and the labels by which it is counted apart."""
    node = spec.node("indicator", required=True)
    if node is None:
        return _NOTHING, ()
    node.close(*_KINDS)
    kinds = [kind for kind in _KINDS if kind in node]
    inside = node.node(kinds[0]) if len(kinds) == 1 else None
    if inside is None:
        spec.problem("indicator", f"exactly one of {', '.join(_KINDS)}")
        return _NOTHING, ()
    reader: Callable[[Node], Indicator] = {
        "ratio": _ratio,
        "latency": _latency,
        "latencyNative": _native,
        "bool_gauge": _gauge,
    }[kinds[0]]
    indicator = reader(inside)
    groups = inside.get("grouping")
    if groups is not None and not (isinstance(groups, list) and all(map(foreign.is_label, groups))):
        inside.problem("grouping", "a list of labels")
        groups = None
    inside.close()
    return indicator, tuple(dict.fromkeys(groups or ()))


def _ratio(node: Node) -> Indicator:
    errors, total = _metric(node, "errors"), _metric(node, "total")
    if errors is None or total is None:
        return _NOTHING
    if errors == total:
        node.remark("errors", "errors and total are the same: each event is an error")
    return Ratio(total=Query(str(total)), bad=Query(str(errors)))


def _latency(node: Node) -> Indicator:
    """The histogram, if success and total are of the same; the two counters otherwise."""
    success, total = _metric(node, "success"), _metric(node, "total")
    if success is None or total is None:
        return _NOTHING
    edge = _edge(success)
    if edge is None:
        node.problem("success", 'a selector with a bucket\'s edge, e.g. x_bucket{le="0.5"}')
        return _NOTHING
    base = success.name.removesuffix("_bucket")
    others = [matcher for matcher in success.matchers if matcher.label != "le"]
    if (f"{base}_bucket", f"{base}_count") == (success.name, total.name) and _same(others, total.matchers):
        return Histogram(str(selector.Selector(base, total.matchers)), edge)
    return Ratio(total=Query(str(total)), good=Query(str(success)))


def _edge(series: Selector) -> Decimal | None:
    edges = [matcher.value for matcher in series.matchers if (matcher.label, matcher.operator) == ("le", "=")]
    try:
        edge = Decimal(edges[0]) if len(edges) == 1 else None
    except InvalidOperation:
        return None
    return canonical(edge) if edge is not None and edge.is_finite() else None


def _same(one: Sequence[selector.Matcher], other: Sequence[selector.Matcher]) -> bool:
    return sorted(map(str, one)) == sorted(map(str, other))


def _native(node: Node) -> Indicator:
    total, below = _metric(node, "total"), node.duration("latency", required=True)
    return _NOTHING if total is None or below is None else Histogram(str(total), canonical(below), native=True)


def _gauge(node: Node) -> Indicator:
    series = _selector(node)
    return _NOTHING if series is None else Gauge(str(series))


def _metric(node: Node, key: str) -> Selector | None:
    query = node.node(key, required=True)
    if query is None:
        return None
    series = _selector(query)
    query.close()
    return series


def _selector(node: Node) -> Selector | None:
    text = node.text("metric", required=True)
    series = selector.parse(text)
    if text and series is None:
        node.problem("metric", 'a selector of series, e.g. http_requests_total{code="500"}')
    return series


def _alerting(spec: Node) -> Alerting:
    node = spec.node("alerting")
    if node is None:
        return Alerting()
    enabled = node.flag("burnrates", default=True) and not node.flag("disabled", default=False)
    name, absent = node.text("name"), node.flag("absent", default=True)
    if node.text("absentName"):
        node.remark("absentName", "the alert on missing data has one name here; this one is kept, but not used")
    severities = node.node("severities")
    notices = {severity: _notice(severities, severity, enabled=enabled) for severity in _SEVERITIES}
    if severities is not None:
        if severities.text("absent"):
            severities.remark("absent", "the alert on missing data has its own severity here; this is not used")
        severities.close()
    node.close()
    kept = {severity: notice for severity, notice in notices.items() if notice != Notice()}
    return Alerting(name=name or None, notices=kept, absent=absent)


def _notice(severities: Node | None, severity: Severity, *, enabled: bool) -> Notice:
    speeds, default = _SEVERITIES[severity]
    said = [severities.text(speed) if severities else "" for speed in speeds]
    wanted = [text or default for text in said]
    if severities is not None and wanted[0] != wanted[1]:
        severities.remark(speeds[1], f"both tiers share one alert here, of severity {wanted[0]!r}")
    return Notice(enabled=enabled, labels={"severity": wanted[0]} if any(said) else {})


def write(definitions: Definitions) -> str:
    """YAML for Pyrra: resources that were read come back as they were, with what changed since.

    Raises:
        ObjectiveError: it names each objective with what Pyrra's resource cannot say of it.
    """
    names, documents, problems = foreign.Names(Findings()), [], []
    for one in definitions.objectives:
        original, wanted = foreign.original(one, FORMAT), _fitted(one)

        def read(tried: Mapping[str, Any], findings: Findings) -> list[Objective]:
            again = objective(Node(tried, (), findings), names.copy(findings))
            return [] if again is None else [again]

        found, missing = foreign.written(original, [one], [wanted], _anew(wanted, original), read)
        objective(Node(found, (), Findings()), names)
        documents.append(found)
        problems += foreign.refusals(missing, _REMEDIES, "the resource of Pyrra")
    if problems:
        raise ObjectiveError("export to Pyrra", problems)
    return document.write(documents)


def _fitted(one: Objective) -> Objective:
    """The objective with what only describes it in the words that Pyrra uses for that."""
    annotations = {**one.annotations, **one.alerting.annotations}
    if one.runbook:
        annotations[_RUNBOOK] = one.runbook
    labels = {**one.labels, **one.alerting.labels}
    if one.owner:
        labels["owner"] = one.owner
    return replace(
        one,
        display_name="",
        description=one.description or one.display_name,
        labels=labels,
        annotations={},
        alerting=replace(one.alerting, labels={}, annotations=annotations),
        indicator=_readable(one.indicator),
    )


def _readable(indicator: Indicator) -> Indicator:
    """The indicator with its selectors as `selector` writes them."""

    def plain(text: str) -> str:
        return str(selector.parse(text) or text)

    if isinstance(indicator, Ratio) and indicator.bad is not None:
        return replace(
            indicator,
            total=replace(indicator.total, text=plain(indicator.total.text)),
            bad=replace(indicator.bad, text=plain(indicator.bad.text)),
        )
    if isinstance(indicator, Histogram | Gauge):
        return replace(indicator, series=plain(indicator.series))
    return indicator


def _anew(one: Objective, original: Mapping[str, Any] | None) -> dict[str, Any]:
    labels = {_PREFIX + name: text for name, text in one.labels.items()}
    metadata = original.get("metadata") if original else None
    if not isinstance(metadata, dict) or metadata.get("namespace") != one.service:
        labels[_SERVICE] = one.service
    alerting = one.alerting
    said_metadata = {
        "name": one.name,
        "labels": labels,
        "annotations": {_PREFIX + name: text for name, text in alerting.annotations.items()},
    }
    severities = {
        speed: alerting.notice(severity).labels["severity"]
        for severity, (speeds, _) in _SEVERITIES.items()
        if "severity" in alerting.notice(severity).labels
        for speed in speeds
    }
    said = {
        "name": alerting.name,
        "burnrates": None if alerting.notice("page").enabled else False,
        "absent": None if alerting.absent else False,
        "severities": severities,
    }
    spec = {
        "target": f"{(one.target * 100).normalize():f}",
        "window": quantity.duration_text(one.window.seconds),
        "description": one.description or None,
        "indicator": _indicator_data(one),
        "alerting": data_of(**said),
    }
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": data_of(**said_metadata),
        "spec": data_of(**spec),
    }


def _indicator_data(one: Objective) -> dict[str, Any]:
    indicator, grouping = one.indicator, {"grouping": list(one.group_by)} if one.group_by else {}
    if isinstance(indicator, Ratio) and indicator.bad is not None:
        return {"ratio": {"errors": _query(indicator.bad.text), "total": _query(indicator.total.text), **grouping}}
    if isinstance(indicator, Ratio) and indicator.good is not None:
        return {"latency": {"success": _query(indicator.good.text), "total": _query(indicator.total.text), **grouping}}
    if isinstance(indicator, Gauge):
        return {"bool_gauge": {"metric": indicator.series, **grouping}}
    if isinstance(indicator, Histogram) and indicator.native:
        below = quantity.duration_text(indicator.below)
        return {"latencyNative": {"latency": below, "total": _query(indicator.series), **grouping}}
    series = selector.parse(indicator.series) if isinstance(indicator, Histogram) else None
    if isinstance(indicator, Histogram) and series is not None:
        edge = selector.Matcher("le", "=", f"{indicator.below.normalize():f}")
        success = selector.Selector(f"{series.name}_bucket", (*series.matchers, edge))
        total = selector.Selector(f"{series.name}_count", series.matchers)
        return {"latency": {"success": _query(str(success)), "total": _query(str(total)), **grouping}}
    return {}


def _query(metric: str) -> dict[str, str]:
    return {"metric": metric}
