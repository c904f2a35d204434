"""When two sets of attributes are the same series.

Python holds 1, 1.0 and True for equal, OpenTelemetry does not; the order of keys does not matter; and an enum
member of text or number is what is exported of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, Final

#: Types of values that a series keeps as they are.
SIMPLE: Final = frozenset({str, bool, int, float, bytes, type(None)})

Identity = frozenset[Any]


def identify(attributes: Mapping[str, Any]) -> tuple[Identity, dict[str, Any]]:
    """What the series is known by, and its attributes, in which nothing is the caller's.

    Args:
        attributes: keys are texts; values as the SDK leaves them when it has cleaned them.
    """
    parts: list[Any] = []
    kept: dict[str, Any] = {}
    for key, value in attributes.items():
        kept[key], part = _part(value)
        parts.append((key, part))
    return frozenset(parts), kept


def is_simple(value: object) -> bool:
    """Whether a value is simple, or a member of an enum of such: it cannot change."""
    return type(value) in SIMPLE or (isinstance(value, Enum) and isinstance(value, str | int | float))


def _part(value: Any) -> tuple[Any, Any]:
    """A value without what subclasses add, and what is compared of it: a text, or a type and a value."""
    if isinstance(value, str):
        text = str.__str__(value)
        return text, text
    if type(value) in SIMPLE:
        return value, (type(value), value)
    if isinstance(value, Mapping):
        identity, kept = identify(value)
        return kept, (dict, identity)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        found = [_part(each) for each in value]
        return tuple(plain for plain, _ in found), (tuple, tuple(part for _, part in found))
    base: Any = next((base for base in (int, float, bytes) if isinstance(value, base)), str)
    plain = base(value)
    return plain, plain if base is str else (base, plain)
