"""OpenSLO's alert policies: each condition looks back over one window, so it is a tier with one limit."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aumos_otel.slo.entry import canonical
from aumos_otel.slo.objective import Alerting, Notice
from aumos_otel.slo.openslo_library import duration, metadata
from aumos_otel.slo.policy import SRE_WORKBOOK, Limit, Policy, Severity, Tier

if TYPE_CHECKING:
    from aumos_otel.slo.foreign import Node
    from aumos_otel.slo.openslo_library import Library

_OPERATORS: Final = ("gt", "gte", "lt", "lte")
#: Severities, in small letters, that call somebody at once; all others can wait for office hours.
_URGENT: Final = ("page", "critical", "emergency", "high", "sev1", "sev-1", "p1")


@dataclass(slots=True)
class _Found:
    """What alert policies come to."""

    names: list[str] = field(default_factory=list)
    tiers: list[Tier] = field(default_factory=list)
    severities: dict[Severity, str] = field(default_factory=dict)
    no_data: list[bool] = field(default_factory=list)


def read(spec: Node, period: int, library: Library) -> tuple[Policy, Alerting]:
    """The burn policy and the alerts of ``alertPolicies`` in an SLO; the usual ones if there are none that can be used.

    Args:
        spec: of the SLO.
        period: seconds of its window.
        library: has the policies, conditions and targets that are only named.
    """
    found = _Found()
    for node in spec.nodes("alertPolicies"):
        reference = node.text("alertPolicyRef")
        if not reference:
            _policy(node, library, found)
            continue
        node.close()
        policy = library.spec("AlertPolicy", reference)
        if policy is None:
            node.remark("alertPolicyRef", f"no AlertPolicy {reference!r} is in this file: it is kept, but not used")
        else:
            found.names.append(reference)
            _conditions(policy, library, found)
    alerting = Alerting(
        notices={severity: Notice(labels={"severity": text}) for severity, text in found.severities.items()},
        absent=not found.no_data or any(found.no_data),
    )
    if not found.tiers:
        return SRE_WORKBOOK, alerting
    tiers = sorted(found.tiers, key=lambda tier: (tier.severity, -tier.short.factor, tier.short.seconds))
    return Policy("+".join(found.names) or "openslo", "alert policies of OpenSLO", period, tuple(tiers)), alerting


def check_policy(document: Node, library: Library) -> None:
    """Note what is wrong in a document of kind AlertPolicy."""
    spec = document.node("spec", required=True)
    if spec is not None:
        _conditions(spec, library, _Found())


def check_condition(document: Node) -> None:
    """Note what is wrong in a document of kind AlertCondition."""
    spec = document.node("spec", required=True)
    if spec is not None:
        _condition(spec, _Found())


def check_target(holder: Node) -> None:
    """Note what is wrong in a notification target."""
    spec = holder.node("spec", required=True)
    if spec is not None:
        spec.text("target", required=True)
        spec.text("description")
        spec.close()


def _policy(node: Node, library: Library, found: _Found) -> None:
    """An alert policy inside an SLO."""
    if node.text("kind", required=True) not in ("AlertPolicy", ""):
        node.problem("kind", "AlertPolicy, or an alertPolicyRef instead")
    name = metadata(node).text("name")
    spec = node.node("spec", required=True)
    node.close("apiVersion")
    if spec is not None:
        found.names.append(name)
        _conditions(spec, library, found)


def _conditions(spec: Node, library: Library, found: _Found) -> None:
    """The tiers of the ``spec`` of an alert policy."""
    spec.text("description")
    breaching = spec.flag("alertWhenBreaching", default=True)
    spec.flag("alertWhenResolved", default=False)
    if "alertWhenNoData" in spec:
        found.no_data.append(spec.flag("alertWhenNoData", default=False))
    kept = found if breaching else _Found()
    for node in spec.nodes("conditions", required=True):
        reference = node.text("conditionRef")
        inside = library.spec("AlertCondition", reference) if reference else None
        if reference and inside is None:
            node.remark("conditionRef", f"no AlertCondition {reference!r} is in this file: it is kept, but not used")
        if not reference:
            _inline(node, "AlertCondition")
            inside = node.node("spec", required=True)
        node.close("apiVersion")
        if inside is not None:
            _condition(inside, kept)
    for node in spec.nodes("notificationTargets"):
        reference = node.text("targetRef")
        if not reference:
            _inline(node, "AlertNotificationTarget")
            check_target(node)
        node.close("apiVersion")
    spec.close()


def _inline(node: Node, kind: str) -> None:
    if node.text("kind", required=True) not in (kind, ""):
        node.problem("kind", f"{kind}, or a reference instead")
    metadata(node)


def _condition(spec: Node, found: _Found) -> None:
    """The tier of the ``spec`` of an alert condition."""
    severity = spec.text("severity", required=True)
    spec.text("description")
    condition = spec.node("condition", required=True)
    spec.close()
    if condition is None:
        return
    condition.choice("kind", ("burnrate",), "burnrate")
    operator = condition.choice("op", _OPERATORS, "")
    if "op" not in condition:
        condition.problem("op", f"one of {', '.join(_OPERATORS)}")
    threshold, window = condition.number("threshold"), duration(condition, "lookbackWindow", required=True)
    if threshold is None or threshold <= 0:
        condition.problem("threshold", "a burn rate above 0")
    if condition.get("alertAfter") not in (None, "0m"):
        duration(condition, "alertAfter")
        condition.remark("alertAfter", "alerts fire at once here, and are kept firing for a while instead")
    condition.close()
    if operator in ("lt", "lte"):
        condition.remark("op", "an alert on a burn rate below something is kept, but not used")
    elif threshold is not None and threshold > 0 and window is not None:
        urgency: Severity = "page" if severity.lower() in _URGENT else "ticket"
        found.tiers.append(Tier(urgency, (Limit(window, canonical(threshold)),)))
        if severity != urgency:
            found.severities.setdefault(urgency, severity)
