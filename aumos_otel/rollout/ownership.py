"""Whose rules these are: every rule of ours carries its owner as a label."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import rules

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The label on every rule.
LABEL: Final = rules.OWNED_BY


def is_owned(groups: object, owner: str) -> bool:
    """Whether there are rules, and every one of them belongs to ``owner``."""
    found = [rule for group in _mappings(groups) for rule in _mappings(group.get("rules"))]
    return bool(found) and all(_labels(rule).get(LABEL) == owner for rule in found)


def _labels(rule: dict[str, Any]) -> dict[str, Any]:
    labels = rule.get("labels")
    return labels if isinstance(labels, dict) else {}


def _mappings(values: object) -> Sequence[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []
