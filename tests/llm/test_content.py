"""Message content under each policy, and what arbitrary content becomes."""

from __future__ import annotations

import hashlib
import json
import math
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import Enum
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel.llm import content
from aumos_otel.llm.content import input_from, output_from, plain, render

MESSAGES = [
    {
        "role": "assistant",
        "name": "ann",
        "finish_reason": "tool_calls",
        "parts": [
            {"type": "text", "content": "Hello"},
            {"type": "tool_call", "id": "call_1", "name": "find", "arguments": {"q": "secret"}},
            {"type": "blob", "modality": "image", "mime_type": "image/png", "content": b"\x00\x01"},
            {"type": "uri", "modality": "image", "mime_type": None, "uri": "https://images.example/x?sig=1"},
        ],
    }
]


def sha(words: str) -> str:
    """The digest that a policy of "hash" shows."""
    return f"sha256:{hashlib.sha256(words.encode()).hexdigest()},{len(words)}"


def shown(value: object) -> object:
    """What one value becomes under "full"."""
    return json.loads(render([value], "full"))[0]


def test_full_keeps_everything_as_compact_json() -> None:
    """Nothing is changed but the bytes, which JSON cannot hold."""
    rendered = render(MESSAGES, "full")
    assert ": " not in rendered
    expected = json.loads(json.dumps(MESSAGES, default=lambda _: "AAE="))
    assert json.loads(rendered) == expected


def test_none_shows_nothing() -> None:
    """The default policy has no output, and looks at nothing."""
    assert render(MESSAGES, "none") is None
    assert render([MagicMock(side_effect=AssertionError)], "none") is None


def test_hash_keeps_the_structure_alone() -> None:
    """Roles, types, ids and tool names stay; every text, argument and address is a digest."""
    assert json.loads(render(MESSAGES, "hash")) == [
        {
            "role": "assistant",
            "name": sha("ann"),
            "finish_reason": "tool_calls",
            "parts": [
                {"type": "text", "content": sha("Hello")},
                {"type": "tool_call", "id": "call_1", "name": "find", "arguments": sha('{"q":"secret"}')},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": sha("AAE=")},
                {
                    "type": "uri",
                    "modality": "image",
                    "mime_type": None,
                    "uri": sha("https://images.example/x?sig=1"),
                },
            ],
        }
    ]


@pytest.mark.parametrize(
    "leak",
    [
        [{"role": "user", "parts": "SECRET"}],
        [{"role": "user", "SECRET2": 1, "parts": [{"type": "x", "value": {"SECRET": ["SECRET"]}}]}],
        [{"role": "user", "parts": [["SECRET"], "SECRET", 5]}],
        [{"type": "function", "name": "f", "description": "SECRET", "parameters": {"SECRET": 1}}],
        ["SECRET"],
        [{"role": "SECRET" * 100}],
        {"role": "user", "parts": [{"type": "text", "content": "SECRET"}]},
    ],
    ids=range(7),
)
def test_hash_leaks_nothing_in_odd_places(leak) -> None:
    """Whatever is not known to be structure is digested."""
    rendered = render(leak, "hash")
    assert "SECRET" not in rendered.replace("SECRET2", "")
    assert "sha256:" in rendered


@pytest.mark.parametrize("policy", ["FULL", "", None, True])
def test_another_policy_is_an_error(policy) -> None:
    """Never show by mistake."""
    with pytest.raises(ValueError, match="expected none, hash, redacted or full"):
        render(MESSAGES, policy)


@pytest.mark.parametrize("nothing", [None, [], ()])
def test_no_messages_are_no_attribute(nothing) -> None:
    """Without messages there is nothing to say."""
    assert render(nothing, "full") is None
    assert render(nothing, "hash") is None


def test_the_plain_form_is_the_same_as_structure() -> None:
    """An event's attributes have the structure that a span's have as JSON."""
    assert plain(MESSAGES, "full") == json.loads(render(MESSAGES, "full"))


@pytest.mark.parametrize(
    ("prompt", "messages"),
    [
        ("Hi", [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        ({"role": "system", "content": "Hi"}, [{"role": "system", "parts": [{"type": "text", "content": "Hi"}]}]),
        (MESSAGES, MESSAGES),
        (MESSAGES[0], MESSAGES),
        ({"question": 1}, [{"role": "user", "parts": [{"type": "unknown", "value": {"question": 1}}]}]),
        (7, [{"role": "user", "parts": [{"type": "unknown", "value": 7}]}]),
        (None, None),
        ("", None),
        ([], None),
    ],
    ids=range(9),
)
def test_a_prompt_in_any_form_becomes_messages(prompt, messages) -> None:
    """A str, a client's message, the conventions' own format or any object; nothing is nothing."""
    assert input_from(prompt) == messages


def test_an_answer_is_the_assistants() -> None:
    """The same for what comes back."""
    assert output_from("Hi") == [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}]}]


class Colour(Enum):
    """Any Enum."""

    RED = "red"


@dataclass
class Point:
    """Any dataclass."""

    x: int


class Model:
    """Has the method of pydantic's models."""

    def model_dump(self) -> dict:
        """As pydantic has it."""
        return {"a": 1}


class Broken:
    """Raises when it is dumped."""

    def model_dump(self) -> dict:
        """Raise."""
        raise RuntimeError("no")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a\x00b", "a\ufffdb"),
        ("\ud83d\ude00", "\U0001f600"),
        ("a\ud800", "a\ufffd"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
        (2**63 - 1, 2**63 - 1),
        (2**64, "<int of 65 bits>"),
        (True, True),
        (Colour.RED, "red"),
        (b"ab", "YWI="),
        ((1, 2), [1, 2]),
        ({3}, [3]),
        (Decimal("1.50"), "1.50"),
        (datetime(2026, 11, 22, tzinfo=UTC), "2026-11-22 00:00:00+00:00"),
        (uuid.UUID(int=0), "00000000-0000-0000-0000-000000000000"),
        (Point(1), {"x": 1}),
        (Model(), {"a": 1}),
        (Broken(), "<Broken that raised RuntimeError>"),
        (object(), "<object>"),
        (Model, "<type>"),
        ({1: "a", None: "b", (1, 2): "c"}, {"1": "a", "null": "b", "[1,2]": "c"}),
        (iter([1]), "<list_iterator>"),
    ],
    ids=range(22),
)
def test_values_become_what_json_can_hold(value, expected) -> None:
    """Each odd value has one plain form; an iterator is not consumed, a repr is not shown."""
    assert shown(value) == expected


def test_cycles_and_depth_end() -> None:
    """A list within itself, and nesting without end, are cut."""
    cycle: list = []
    cycle.append(cycle)
    assert shown(cycle) == ["<list within itself>"]
    deep: list = []
    for _ in range(10_000):
        deep = [deep]
    assert "nested too deeply" in render([deep], "full")
    assert "nested too deeply" in render([MagicMock()], "full")


def test_the_same_object_twice_is_no_cycle() -> None:
    """A part that two messages share is shown in both."""
    part = {"type": "text"}
    assert shown([part, part]) == [{"type": "text"}, {"type": "text"}]


def test_a_long_text_is_cut_with_its_length_and_digest() -> None:
    """The head stays; the marker tells what is missing and identifies it."""
    words = "x" * (content.TEXT_LIMIT + 1)
    cut = shown(words)
    assert cut.startswith("x" * content.TEXT_LIMIT + "… (len 262145, sha256 ")
    assert hashlib.sha256(words.encode()).hexdigest() in cut
    whole = "x" * content.TEXT_LIMIT
    assert shown(whole) == whole


@pytest.mark.parametrize(
    "many",
    [
        [{"role": "user", "parts": [{"type": "text", "content": "x" * 10**6}]}] * 50,
        [["x"] * 10**6],
        [{f"key{i}": i for i in range(10**6)}],
        [[]] * 10**6,
        [b"x" * 10**7],
    ],
    ids=["long", "many", "keys", "empty", "bytes"],
)
def test_the_whole_is_bounded(many) -> None:
    """However much there is, an attribute stays well under what a collector takes."""
    assert len(render(many, "full")) < 2 * content.TOTAL_LIMIT
    assert len(render([{"role": "user", "parts": many}], "hash")) < 2 * content.TOTAL_LIMIT


def test_what_was_left_out_is_counted() -> None:
    """A list that does not fit says how much of it is missing."""
    shown_list = shown(["x" * 1000] * 2000)
    assert shown_list[-1] == f"… ({2000 - len(shown_list) + 1} more left out)"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()) | st.binary() | st.uuids(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.tuples(inner, inner),
    max_leaves=20,
)


@settings(max_examples=200, deadline=None)
@given(anything=ANYTHING)
def test_anything_becomes_strict_json(anything) -> None:
    """Whatever the messages hold, the result parses as strict JSON and encodes as UTF-8."""
    for policy in ("full", "hash"):
        rendered = render([{"role": "user", "parts": [anything]}], policy)
        rendered.encode("utf-8")
        assert "\\u0000" not in rendered
        json.loads(rendered, parse_constant=pytest.fail)
