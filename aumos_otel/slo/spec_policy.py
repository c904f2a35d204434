"""Burn policies in our format: a name, one line, a file, or tiers written out."""

from __future__ import annotations

import difflib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import document, policy, quantity
from aumos_otel.slo.entry import Entry
from aumos_otel.slo.foreign import Findings
from aumos_otel.slo.policy import BUILT_IN, DAYS_30, Policy, Severity, Tier

if TYPE_CHECKING:
    from collections.abc import Callable

    #: Gives the text of a file that another one names; raises OSError or UnicodeDecodeError.
    Read = Callable[[str], str | bytes]

_SEVERITIES: Final[tuple[Severity, ...]] = ("page", "ticket")
_FILES: Final = (".yaml", ".yml", ".json")
_EXPECTED: Final = "the name of a policy, tiers such as 'page: 5m>=14.4 & 1h>=6', or a mapping with tiers"


def read_policy(holder: Entry, read: Read | None, elsewhere: list[object]) -> Policy | None:
    """The policy at ``burn_policy``; None if none is there, or none that can be used.

    Args:
        holder: the mapping around it.
        read: gives the text of a file that is named.
        elsewhere: where the problems of that file go.
    """
    value = holder.get("burn_policy")
    if value is None:
        return None
    if isinstance(value, dict):
        return _written_out(Entry(value, (*holder.path, "burn_policy"), holder.findings))
    if not isinstance(value, str):
        holder.problem("burn_policy", _EXPECTED)
        return None
    if value.endswith(_FILES):
        return _of_file(holder, value, read, elsewhere)
    return BUILT_IN[value] if value in BUILT_IN else _of_line(holder, value)


def policy_data(found: Policy) -> Any:
    """What `read_policy` reads as the policy: as short as can be."""
    if BUILT_IN.get(found.name) == found:
        return found.name
    if policy.parse(found.expression) == found:
        return found.expression
    return {
        "name": found.name,
        "source": found.source,
        "period": quantity.duration_text(found.period),
        "tiers": [_tier_data(tier) for tier in found.tiers],
    }


def _of_line(holder: Entry, text: str) -> Policy | None:
    if ">=" not in text:
        near = difflib.get_close_matches(text, BUILT_IN, 1)
        holder.problem("burn_policy", f"{near[0]!r}" if near else f"{_EXPECTED}; there are {', '.join(BUILT_IN)}")
        return None
    try:
        return policy.parse(text)
    except ValueError as error:
        holder.problem("burn_policy", str(error))
        return None


def _of_file(holder: Entry, name: str, read: Read | None, elsewhere: list[object]) -> Policy | None:
    if read is None:
        holder.problem("burn_policy", "the policy itself: there are no files here")
        return None
    try:
        documents = document.load(read(name), name)
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else error.reason
        holder.problem("burn_policy", f"a file that can be read ({reason})")
        return None
    except ObjectiveError as error:
        elsewhere.extend(error.problems)
        return None
    findings = Findings()
    found = _written_out(Entry(documents.data[0] if documents.data else None, (0,), findings))
    elsewhere.extend(map(documents.locate, findings.problems))
    return found


def _written_out(entry: Entry) -> Policy | None:
    known = len(entry.findings.problems)
    name = entry.text("name") or "custom"
    source = entry.text("source") or "the file itself"
    period = entry.span("period") or DAYS_30
    tiers = [_tier(item) for item in entry.entries("tiers")]
    if not tiers:
        entry.wrong("tiers", "a list with at least one tier such as {page: 5m>=14.4 & 1h>=14.4, budget: 2%}")
    entry.done()
    whole = tuple(tier for tier in tiers if tier is not None)
    return Policy(name, source, period, whole) if len(entry.findings.problems) == known else None


def _tier(entry: Entry) -> Tier | None:
    severity = entry.one_of(_SEVERITIES)
    budget = entry.share("budget", whole=True)
    text = entry.text(severity) if severity else ""
    entry.done()
    if not severity or not text:
        return None
    try:
        found = policy.parse(f"{severity}: {text}").tiers
    except ValueError as error:
        entry.problem(severity, str(error))
        return None
    if len(found) != 1:
        entry.problem(severity, "one tier; each has an entry of its own")
    return replace(found[0], budget=budget)


def _tier_data(tier: Tier) -> dict[str, Any]:
    text = Policy("", "", DAYS_30, (tier,)).expression.partition(": ")[2]
    data: dict[str, Any] = {tier.severity: text}
    if tier.budget is not None:
        data["budget"] = quantity.percent_text(tier.budget)
    return data
