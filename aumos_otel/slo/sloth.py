"""Specifications of sloth: ``prometheus/v1``, its Kubernetes resource, and its alert windows.

sloth's files say nothing of the period: it is 30 days, or that of an ``AlertWindows`` document in the same stream.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Final

from aumos_otel.slo import foreign, quantity
from aumos_otel.slo.indicator import WINDOW, Elsewhere, Query, Ratio, RawRatio
from aumos_otel.slo.objective import Alerting, Definitions, Notice, Objective
from aumos_otel.slo.policy import SLOTH_30D, Limit, Policy, Severity, Tier
from aumos_otel.slo.window import Rolling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from aumos_otel.slo.foreign import Findings, Node
    from aumos_otel.slo.indicator import Indicator

FORMAT: Final = "sloth"
VERSION: Final = "prometheus/v1"
API_VERSION: Final = "sloth.slok.dev/v1"

RESOURCE: Final = "PrometheusServiceLevel"
WINDOWS: Final = "AlertWindows"
RUNBOOKS: Final = ("runbook_url", "runbook")
#: The tiers of alert windows, most urgent first.
_SPEEDS: Final[tuple[tuple[Severity, str], ...]] = (
    ("page", "quick"),
    ("page", "slow"),
    ("ticket", "quick"),
    ("ticket", "slow"),
)
#: What the resource calls the fields whose words the file joins by underscores.
RESOURCE_WORDS: Final = {
    "error_query": "errorQuery",
    "total_query": "totalQuery",
    "error_ratio_query": "errorRatioQuery",
    "page_alert": "pageAlert",
    "ticket_alert": "ticketAlert",
    "slo_plugins": "sloPlugins",
}
FILE_WORDS: Final = {name: name for name in RESOURCE_WORDS}


def definitions(documents: Sequence[Node], findings: Findings) -> Definitions:
    """What documents of sloth define."""
    windows = [document for document in documents if document.value.get("kind") == WINDOWS]
    found = policy(windows[0]) if windows else SLOTH_30D
    for other in windows[1:]:
        other.problem("kind", "one document of alert windows a stream: the files do not say which of them they mean")
    names = foreign.Names(findings)
    return Definitions(
        objectives=tuple(
            objective
            for document in documents
            if document not in windows
            for objective in objectives(document, found, names)
        ),
        foreign={FORMAT: [dict(document.value) for document in windows]} if windows else {},
    )


def policy(document: Node) -> Policy:
    """The policy of an ``AlertWindows`` document; sloth's default when its tiers are the same."""
    document.close("apiVersion", "kind", "metadata", "spec")
    spec = document.node("spec", required=True)
    if spec is None:
        return SLOTH_30D
    period = spec.duration("sloPeriod", required=True)
    tiers = []
    for severity in ("page", "ticket"):
        pair = spec.node(severity, required=True)
        for speed in (speed for name, speed in _SPEEDS if name == severity):
            node = pair.node(speed, required=True) if pair else None
            if node is not None and period is not None:
                tiers += _tier("page" if severity == "page" else "ticket", node, period)
        if pair:
            pair.close()
    spec.close()
    if period is None or len(tiers) != len(_SPEEDS):
        return SLOTH_30D
    found = Policy(f"sloth-{quantity.duration_text(period)}", "alert windows of sloth", int(period), tuple(tiers))
    return SLOTH_30D if (found.period, found.tiers) == (SLOTH_30D.period, SLOTH_30D.tiers) else found


def _tier(severity: Severity, node: Node, period: Decimal) -> list[Tier]:
    percent = node.number("errorBudgetPercent")
    short, long = node.duration("shortWindow", required=True), node.duration("longWindow", required=True)
    node.close()
    if percent is None or not 0 < percent <= 100:  # noqa: PLR2004 - percent
        node.problem("errorBudgetPercent", "a number over 0, at most 100")
        return []
    if short is None or long is None:
        return []
    if not short < long <= period:
        node.problem("longWindow", "a window longer than the short one, and not longer than sloPeriod")
        return []
    factor = percent / 100 * period / long
    return [Tier(severity, (Limit(int(short), factor), Limit(int(long), factor)), percent / 100)]


def objectives(document: Node, burn_policy: Policy, names: foreign.Names) -> list[Objective]:
    """The objectives of one specification."""
    resource = "version" not in document.value
    words = RESOURCE_WORDS if resource else FILE_WORDS
    spec: Node | None = document
    if resource:
        if document.text("kind", required=True) != RESOURCE:
            document.problem("kind", f"{RESOURCE} or {WINDOWS}")
            return []
        spec = document.node("spec", required=True)
        document.close("apiVersion", "metadata", "status")
    elif document.text("version") != VERSION:
        document.problem("version", VERSION)
    if spec is None:
        return []
    service = spec.text("service", required=True)
    shared = spec.labels("labels", scalars=True)
    _plugins(spec, words["slo_plugins"])
    found = []
    for slo in spec.nodes("slos", required=True):
        name = names.give((*slo.path, "name"), service, slo.text("name", required=True))
        labels = {**shared, **slo.labels("labels", scalars=True)}
        _plugins(slo, "plugins")
        alerting = _alerting(slo, words)
        found.append(
            Objective(
                name=name,
                service=service,
                target=_target(slo),
                indicator=_indicator(slo, words),
                window=Rolling(burn_policy.period),
                policy=burn_policy,
                description=slo.text("description"),
                owner=labels.get("owner", ""),
                runbook=next((alerting.annotations[key] for key in RUNBOOKS if key in alerting.annotations), ""),
                labels=labels,
                alerting=alerting,
                foreign={FORMAT: dict(document.value)},
                line=slo.line,
            )
        )
        slo.close()
    spec.close("version")
    return found


def _target(slo: Node) -> Decimal:
    percent = slo.number("objective")
    if percent is not None and 0 < percent < 100:  # noqa: PLR2004 - percent
        return percent / 100
    slo.problem("objective", "a percentage over 0 and below 100, e.g. 99.9; with 100 there is no budget to burn")
    return Decimal("0.5")


def _plugins(node: Node, key: str) -> None:
    """Remark on plugins that would change the rules which sloth makes."""
    plugins = node.node(key)
    if plugins is None:
        return
    plugins.flag("overridePrevious", default=False)
    chain = plugins.nodes("chain")
    ids = [plugin.text("id", required=True) for plugin in chain]
    for plugin in chain:
        plugin.number("priority")
        plugin.close("config")
    plugins.close()
    if ids:
        node.remark(key, f"plugins of sloth do not run here: {', '.join(ids)}; the rules are made without them")


def _indicator(slo: Node, words: Mapping[str, str]) -> Indicator:
    nothing = Elsewhere("nothing", "name an SLI")
    sli = slo.node("sli", required=True)
    if sli is None:
        return nothing
    kinds = [kind for kind in ("events", "raw", "plugin") if kind in sli]
    sli.close("events", "raw", "plugin")
    if len(kinds) != 1:
        slo.problem("sli", "exactly one of events, raw and plugin")
        return nothing
    kind = kinds[0]
    node = sli.node(kind)
    if node is None:
        return nothing
    if kind == "plugin":
        system = f"the plugin {node.text('id', required=True)!r} of sloth"
        node.texts("options", scalars=True)
        node.close()
        slo.remark("sli", f"{system} is Go and cannot run here; the SLO is kept, but cannot be compiled")
        return Elsewhere(system, "write the query that it makes as sli.events or sli.raw")
    if kind == "raw":
        query = _template(node, words["error_ratio_query"])
        node.close()
        return RawRatio(query, "failure")
    bad, total = _template(node, words["error_query"]), _template(node, words["total_query"])
    if bad.text and bad == total:
        node.problem(words["error_query"], "another query than the total's")
    node.close()
    return Ratio(total=total, bad=bad)


def _template(node: Node, key: str) -> Query:
    text = node.text(key, required=True)
    if text and WINDOW.search(text) is None:
        node.problem(key, "PromQL with {{.window}} in the place of each range")
    return Query(text, "template")


def _alerting(slo: Node, words: Mapping[str, str]) -> Alerting:
    node = slo.node("alerting")
    if node is None:
        slo.problem("alerting", "a mapping with the name of the alerts, or with both of them disabled")
        return Alerting()
    severities: tuple[tuple[Severity, str], ...] = (("page", "page_alert"), ("ticket", "ticket_alert"))
    notices = {severity: _notice(node, words[key]) for severity, key in severities}
    name = node.text("name")
    if not name and any(notice.enabled for notice in notices.values()):
        node.problem("name", "a name for the alerts, since they are not disabled")
    alerting = Alerting(
        name=name or None,
        labels=node.labels("labels", scalars=True),
        annotations=node.texts("annotations", scalars=True),
        notices={severity: notice for severity, notice in notices.items() if notice != Notice()},
    )
    node.close()
    return alerting


def _notice(alerting: Node, key: str) -> Notice:
    node = alerting.node(key)
    if node is None:
        return Notice()
    notice = Notice(
        enabled=not node.flag("disable", default=False),
        labels=node.labels("labels", scalars=True),
        annotations=node.texts("annotations", scalars=True),
    )
    node.close()
    return notice
