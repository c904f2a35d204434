"""The language of SLIs once more, evaluated straight from the data: slow, plain, and apart from the package.

The vectors in tests/contract/sli say what this says; package and collector must agree with it.  A record is
OTLP's JSON: ``{"resource": {...}, "scope": {...}, "span": {...}}``, or ``"log"`` in the place of ``"span"``.
"""

from __future__ import annotations

import re
from fractions import Fraction
from typing import Any

KINDS = ("internal", "internal", "server", "client", "producer", "consumer")
STATUSES = ("unset", "ok", "error")
UNITS = {"ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9, "d": 86_400 * 10**9}
COMPARISONS = {"lt": (-1,), "lte": (-1, 0), "gt": (1,), "gte": (1, 0), "below": (-1, 0), "above": (1, 0)}

Record = dict[str, Any]


def verdict(sli: dict[str, Any], record: Record) -> bool | None:
    """Whether a record is a good event of an SLI; None if it is no event of it."""
    return holds(sli["good"], record) if holds(sli["match"], record) else None


def holds(condition: dict[str, Any], record: Record) -> bool:
    """Whether every entry of a condition is true."""
    return all(entry_holds(key, value, record) for key, value in condition.items())


def entry_holds(key: str, value: Any, record: Record) -> bool:  # noqa: C901, PLR0911 - one case a word of the language
    """Whether one entry is true."""
    span = record.get("span") or record["log"]
    match key:
        case "all":
            return all(holds(part, record) for part in value)
        case "any":
            return any(holds(part, record) for part in value)
        case "not":
            return not holds(value, record)
        case "kind":
            return checked(value, {"stringValue": KINDS[span.get("kind", 0)] if "span" in record else "event"})
        case "status":
            return checked(value, {"stringValue": STATUSES[span.get("status", {}).get("code", 0)]})
        case "name":
            return checked(value, {"stringValue": span.get("name" if "span" in record else "eventName", "")})
        case "scope":
            return checked(value, {"stringValue": record.get("scope", {}).get("name", "")})
        case "duration":
            limits = {word: nanoseconds(limit) for word, limit in value.items()}
            return checked(limits, {"intValue": str(duration(span))})
        case "resource" | "attributes":
            holder = record.get("resource", {}) if key == "resource" else span
            return all(checked(wanted, attribute(name, holder)) for name, wanted in value.items())
        case "sum":
            return sum_holds(value, span)
        case "event":
            wanted = {"name": value} if isinstance(value, str) else value
            return any(event_holds(wanted, event) for event in span.get("events", ()))
        case _:
            return checked(value, attribute(key, span))


def event_holds(wanted: dict[str, Any], event: dict[str, Any]) -> bool:
    """Whether an event has the name and the attributes."""
    named = "name" not in wanted or checked(wanted["name"], {"stringValue": event.get("name", "")})
    return named and all(checked(value, attribute(name, event)) for name, value in wanted.get("attributes", {}).items())


def sum_holds(wanted: dict[str, Any], span: dict[str, Any]) -> bool:
    """Whether the sum of the numbers among the attributes is within the limits."""
    values = [attribute(name, span) for name in wanted["of"]]
    numbers = [value for value in values if value and {"intValue", "doubleValue"} & value.keys()]
    if not numbers:
        return False
    total = 0.0
    for value in numbers:
        total += float(int(value["intValue"])) if "intValue" in value else float(value["doubleValue"])
    return checked({word: limit for word, limit in wanted.items() if word != "of"}, {"doubleValue": total})


def attribute(name: str, holder: dict[str, Any]) -> dict[str, Any] | None:
    """The value of an attribute as OTLP has it; None if there is none, or an empty one."""
    found = [entry.get("value") or None for entry in holder.get("attributes", ()) if entry["key"] == name]
    return found[0] if found else None


def checked(wanted: Any, value: dict[str, Any] | None) -> bool:
    """Whether all checks hold for a value, or for its absence."""
    if isinstance(wanted, list):
        wanted = {"in": wanted}
    elif not isinstance(wanted, dict):
        wanted = {"eq": wanted}
    return all(check_holds(word, operand, value) for word, operand in wanted.items())


def check_holds(word: str, operand: Any, value: dict[str, Any] | None) -> bool:
    """Whether one check holds."""
    if word == "exists":
        return (value is not None) is operand
    if word == "ne":
        return not check_holds("eq", operand, value)
    if value is None:
        return False
    elements = value["arrayValue"].get("values", []) if "arrayValue" in value else [value]
    return any(element_passes(word, operand, element) for element in elements)


def element_passes(word: str, operand: Any, value: dict[str, Any]) -> bool:
    """Whether one check other than of absence holds for a value that is no array."""
    text = value.get("stringValue")
    match word:
        case "eq":
            return equal(operand, value)
        case "in":
            return any(equal(each, value) for each in operand)
        case "prefix":
            return text is not None and text.startswith(operand)
        case "regex":
            return text is not None and re.fullmatch(operand, text, re.ASCII | re.DOTALL) is not None
        case _:
            return compared(value, operand) in COMPARISONS[word]


def equal(operand: Any, value: dict[str, Any]) -> bool:
    """Whether a value is of the same type as the operand, and the same."""
    if isinstance(operand, str):
        return value.get("stringValue") == operand
    if isinstance(operand, bool):
        return value.get("boolValue") is operand
    return compared(value, operand) == 0


def compared(value: dict[str, Any], operand: float) -> int | None:
    """-1, 0 or 1 as a number is below, at or above the operand, exactly; None if it is no number."""
    if "intValue" in value:
        number = Fraction(int(value["intValue"]))
    elif "doubleValue" in value:
        double = float(value["doubleValue"])
        if double != double:  # noqa: PLR0124 - NaN
            return None
        if abs(double) == float("inf"):
            return 1 if double > 0 else -1
        number = Fraction(double)
    else:
        return None
    return (number > Fraction(operand)) - (number < Fraction(operand))


def duration(span: dict[str, Any]) -> int:
    """Nanoseconds from start to end; 0 where the clock went back, or for a log record."""
    return max(0, int(span.get("endTimeUnixNano", 0)) - int(span.get("startTimeUnixNano", 0)))


def nanoseconds(text: str) -> int:
    """The nanoseconds of a duration such as 1m30.5s."""
    parts = re.findall(r"([0-9.]+)(ms|[smhd])", text)
    return int(sum(Fraction(number) * UNITS[unit] for number, unit in parts))
