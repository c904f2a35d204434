"""Careful access to values that somebody else made.

A response may be a model object, a plain dict, a half-filled test double or nothing of the
kind.  Each function here answers None (or an empty list) for whatever is not plainly the
type that it is named after, and raises nothing.  Types are compared by ``type(value)``:
a ``MagicMock(spec=int)`` claims to be an int through ``isinstance``.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Hashable, Mapping
from enum import Enum
from typing import TypeGuard, cast

#: Longest identifier, model name or finish reason that is believed to be one.
LABEL_LIMIT = 512

#: Largest count that every consumer (JSON, OTLP, a float) holds exactly.
COUNT_LIMIT = 2**53


@functools.lru_cache(maxsize=256)  # an abstract class takes its time to answer
def _has_keys(kind: Hashable) -> bool:
    return issubclass(cast("type", kind), Mapping)


def is_mapping(value: object) -> TypeGuard[Mapping[str, object]]:
    """Whether ``value`` has keys rather than attributes."""
    kind = type(value)
    if kind is dict:
        return True
    try:
        return _has_keys(cast("Hashable", kind))
    except TypeError:  # a class whose own class has no hash
        return issubclass(kind, Mapping)


def get(source: object, name: str, *more: str) -> object:
    """The value at ``name``, and at ``more`` within it, through attributes or keys; None where the path ends."""
    try:
        found = source.get(name) if is_mapping(source) else getattr(source, name, None)
    except Exception:  # noqa: BLE001 - a property of the user's object may raise anything
        return None
    return get(found, *more) if more and found is not None else found


def first(source: object, *names: str) -> object:
    """The first of ``names`` that ``source`` has a value for; None if there is none."""
    for name in names:
        value = get(source, name)
        if value is not None:
            return value
    return None


def text(value: object) -> str | None:
    """The plain str that ``value`` is (or an Enum's str); None for anything else."""
    if type(value) is str:
        return value
    if issubclass(type(value), Enum):
        value = get(value, "value")
    return str.__str__(value) if issubclass(type(value), str) else None


def label(value: object) -> str | None:
    """A short, printable, encodable str such as an id or a model name; None for anything else."""
    found = value if type(value) is str else text(value)
    if not found or len(found) > LABEL_LIMIT:
        return None
    if found.isascii() and "\x00" not in found:
        return found
    return found.encode("utf-8", "replace").decode().replace("\x00", "") or None


def count(value: object) -> int | None:
    """A token count: a whole number from 0 to 2**53; None for anything else, a bool included."""
    if value is None:
        return None
    if type(value) is int:
        return value if 0 <= value <= COUNT_LIMIT else None
    found = number(value)
    if found is None or not 0 <= found <= COUNT_LIMIT or found != int(found):
        return None
    return int(found)


def counted(source: object, *names: str) -> int | None:
    """The first of ``names`` at which ``source`` has a `count`; None if there is none."""
    if source is None:
        return None
    for name in names:
        found = count(get(source, name))
        if found is not None:
            return found
    return None


def number(value: object) -> float | None:
    """A finite int or float as a float; None for anything else, a bool included."""
    kind = type(value)
    if not issubclass(kind, int | float) or issubclass(kind, bool):
        return None
    try:
        found = float(value)  # type: ignore[arg-type]  # checked by type()
    except Exception:  # noqa: BLE001 - too large, or a subclass that raises
        return None
    return found if math.isfinite(found) else None


def items(value: object) -> list[object]:
    """The elements of a list or tuple; empty for anything else (an iterator is not consumed)."""
    kind = type(value)
    if kind is not list and kind is not tuple and not issubclass(kind, list | tuple):
        return []
    try:
        return list(value)  # type: ignore[call-overload, no-any-return]  # checked by type()
    except Exception:  # noqa: BLE001 - a subclass that loads its elements may raise anything
        return []


def total(*counts: int | None) -> int | None:
    """The sum of the known counts; None if none is known."""
    known = [number for number in counts if number is not None]
    return sum(known) if known else None


def parsed(value: object) -> object:
    """``value`` decoded if it is a str of JSON, else as it is."""
    found = text(value)
    if found is None:
        return value
    try:
        return json.loads(found)
    except (ValueError, RecursionError):
        return found
