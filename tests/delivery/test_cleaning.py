"""Any object as a plain value: what becomes of each kind, and that nothing raises."""

from __future__ import annotations

import datetime as dt
import math
import uuid
from collections import OrderedDict, UserDict, deque
from decimal import Decimal
from enum import Enum, IntEnum
from fractions import Fraction
from pathlib import PurePosixPath
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.attributes import BoundedAttributes

from aumos_otel.delivery.cleaning import DEPTH, KEY, NODES, Cleaner, clean, text


class Color(Enum):
    """An enumeration of texts."""

    RED = "red"


class Level(IntEnum):
    """An enumeration of numbers."""

    HIGH = 3


class Loud(str):
    """A text that says something else than it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "LOUD"


class Opaque:
    """An object whose text is nobody's business."""

    def __repr__(self) -> str:
        return "password=hunter2"


class Broken(dict):
    """A mapping that cannot be read."""

    def items(self) -> Any:
        """Raise."""
        raise RuntimeError

    keys = __iter__ = items


class Endless(UserDict):
    """A mapping that has more entries than it says."""

    def __len__(self) -> int:
        return 3

    def items(self) -> Any:
        """Yield for ever."""
        return ((str(number), number) for number in iter(int, 1))


class SilentError(ValueError):
    """An exception whose text cannot be had."""

    def __str__(self) -> str:
        raise KeyError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (-(2**63), -(2**63)),
        (2**63 - 1, 2**63 - 1),
        (2**63, "9223372036854775808"),
        (-(2**63) - 1, "-9223372036854775809"),
        (10**98, "1" + "0" * 98),
        (10**200, "<int of 665 bits>"),
        (1.5, 1.5),
        ("text", "text"),
        ("a\0b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("lone \ud83d", "lone \ufffd"),
        ("\u202eright to left", "\u202eright to left"),
        (b"\xff\x00", b"\xff\x00"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"ab"), b"ab"),
        ((1, "a", None), [1, "a", None]),
        (frozenset({1}), [1]),
        (range(3), [0, 1, 2]),
        (deque([1, 2]), [1, 2]),
        ({"a": {"b": [1]}}, {"a": {"b": [1]}}),
        (OrderedDict(a=1), {"a": 1}),
        (MappingProxyType({"a": 1}), {"a": 1}),
        (
            {1: "a", None: "b", (1, 2): "c", Color.RED: "d", b"e": "e"},
            {"1": "a", "None": "b", "<tuple>": "c", "red": "d", "b'e'": "e"},
        ),
        (Color.RED, "red"),
        (Level.HIGH, 3),
        (Loud("quiet"), "quiet"),
        (Decimal("1.10"), "1.10"),
        (Fraction(1, 4), 0.25),
        (dt.date(2026, 1, 2), "2026-01-02"),
        (dt.timedelta(seconds=90), "0:01:30"),
        (PurePosixPath("/a/b"), "/a/b"),
        (uuid.UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (ValueError("no"), "ValueError: no"),
        (Opaque(), "<Opaque>"),
        (Opaque, "<type>"),
        (iter([]), "<list_iterator>"),
        (Broken(), "<Broken that raised RuntimeError>"),
        (SilentError(), "<SilentError that raised KeyError>"),
        (Endless(), {"0": 0}),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_kind_of_value(value: object, expected: object) -> None:
    """Each kind of value has one plain form, and keeps its type where the protocol has it."""
    found = clean(value)

    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize("number", [math.inf, -math.inf, -0.0])
def test_odd_numbers(number: float) -> None:
    """Numbers that JSON has no word for stay numbers here."""
    assert math.copysign(1, clean(number)) == math.copysign(1, number)
    assert math.isnan(clean(math.nan))


@pytest.mark.parametrize("container", [list, dict])
def test_a_cycle(container: type) -> None:
    """A container within itself is named where it would begin again."""
    value: Any = container()
    value.append(value) if container is list else value.update(me=value)

    found = clean(value)

    assert found in ([f"<{container.__name__} within itself>"], {"me": f"<{container.__name__} within itself>"})


def test_the_same_value_twice_is_no_cycle() -> None:
    """A container may stand in two places."""
    shared = [1]

    assert clean([shared, shared]) == [[1], [1]]


def test_a_thousand_levels() -> None:
    """A value that is nested deeply ends where it would be too deep."""
    value: Any = "bottom"
    for _ in range(1000):
        value = {"down": value}

    found: Any = clean(value)
    for _ in range(DEPTH):
        found = found["down"]

    assert found == "<dict nested too deeply>"


def test_a_million_elements() -> None:
    """A long list is cut at the budget, and tells how much is missing."""
    found: Any = clean([0] * 1_000_000)

    assert len(found) == NODES
    assert found[-1] == f"… ({1_000_000 - NODES + 1} more)"


def test_a_million_entries() -> None:
    """So is a large mapping."""
    found: Any = clean({str(number): number for number in range(100_000)})

    assert found["…"] == f"{100_000 - len(found) + 1} more"
    assert len(found) <= NODES


def test_all_values_of_a_record_share_the_budget() -> None:
    """Many large attributes cost no more than one."""
    found, lost = Cleaner().attributes({str(number): [0] * 10_000 for number in range(100)})

    assert lost == 0
    assert len(found) == 100
    assert sum(len(value) for value in found.values()) < NODES + 200


def test_attributes_of_the_sdk() -> None:
    """The SDK's own mappings are read, with what the SDK lets through mended."""
    given_values = BoundedAttributes(attributes={"a": "\ud800", "b": 2**64, "c": (1, 2), "d": {"e": 1.5}})

    assert Cleaner().attributes(given_values) == (
        {"a": "\ufffd", "b": "18446744073709551616", "c": [1, 2], "d": {"e": 1.5}},
        0,
    )


@pytest.mark.parametrize("broken", [Broken(a=1), 5, "text", [1], object()])
def test_attributes_that_are_none(broken: object) -> None:
    """What is no mapping, or cannot be read, counts as one lost attribute."""
    assert Cleaner().attributes(broken) == ({}, 1)


def test_keys() -> None:
    """Keys are text of bounded length, without what receivers choke on."""
    found, _ = Cleaner().attributes({"k" * 5000: 1, "nul\0": 2, "\udc00": 3, 4: 4, None: 5})

    assert found == {"k" * KEY + "…": 1, "nul\ufffd": 2, "\ufffd": 3, "4": 4, "None": 5}


def test_more_keys_than_are_remembered() -> None:
    """The memory for clean keys is bounded, and forgetting changes nothing."""
    for number in range(6000):
        assert Cleaner().attributes({f"key.{number}": number}) == ({f"key.{number}": number}, 0)


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(), max_size=10)
    | st.binary(max_size=10)
    | st.decimals()
    | st.datetimes()
    | st.complex_numbers()
    | st.sampled_from([Opaque(), Broken(a=1), SilentError(), Color.RED, Endless(), object, iter(())]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text(st.characters(), max_size=5) | st.integers() | st.none(), inner, max_size=4)
        | st.frozensets(st.integers(), max_size=4)
    ),
    max_leaves=10,
)


def check(value: object) -> None:
    """Fail unless ``value`` is plain and can be encoded."""
    if isinstance(value, list):
        for each in value:
            check(each)
    elif isinstance(value, dict):
        for key, each in value.items():
            assert type(key) is str
            check(key)
            check(each)
    elif isinstance(value, str):
        assert "\0" not in value
        value.encode()
    elif isinstance(value, int):
        assert -(2**63) <= value < 2**63
    else:
        assert value is None or type(value) in (float, bytes)


@settings(deadline=None, max_examples=300)
@given(anything)
def test_anything(value: object) -> None:
    """Whatever it is, what comes out is plain: it holds for every receiver."""
    check(clean(value))


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_good_text_is_left_alone(words: str) -> None:
    """A text that every receiver takes is not touched."""
    assert text(words) == words
