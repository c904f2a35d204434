"""Long texts: what stays of them, and that the mark tells about the whole."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel.delivery.truncation import (
    DEFAULT,
    Limits,
    shorten,
    shorten_attributes,
    shorten_json,
    shorten_middle,
    shorten_plain,
)
from aumos_otel.semconv import attributes

SMALL = Limits(attribute=50, content=400, body=100, name=10, message=20, stack_trace=100)


def mark(words: str) -> str:
    """The mark of a whole text."""
    return f"… (len {len(words)}, sha256 {hashlib.sha256(words.encode()).hexdigest()})"


def test_a_text_within_the_limit() -> None:
    """A text of exactly the limit is left alone."""
    assert shorten("x" * 10, 10) == "x" * 10


@given(st.text(min_size=11), st.integers(0, 10))
def test_a_longer_text(words: str, limit: int) -> None:
    """What is left is the beginning, and length and fingerprint of the whole text."""
    clean = words.encode("utf-8", "replace").decode()

    assert shorten(clean, limit) == clean[:limit] + mark(clean)


@given(st.text(min_size=300), st.integers(0, 200), st.integers(0, 200))
def test_shortened_twice(words: str, first: int, second: int) -> None:
    """A text that is shortened again still tells about the whole text."""
    clean = words.encode("utf-8", "replace").decode()

    assert shorten(shorten(clean, first), second) == shorten(clean, min(first, second))


def test_a_stack_trace() -> None:
    """Of a stack trace both ends stay: where it began, and what was raised."""
    trace = "Traceback\n" + "  frame\n" * 1000 + "ValueError: the reason"

    short = shorten_middle(trace, 100)

    assert short.startswith("Traceback\n  frame\n")
    assert short.endswith("ValueError: the reason")
    assert mark(trace) in short
    assert len(short) < 250
    assert shorten_middle(trace, len(trace)) == trace


def test_a_stack_trace_shortened_twice() -> None:
    """A stack trace that is shortened again keeps both ends, and tells about the whole once."""
    trace = "Traceback\n" + "  frame\n" * 1000 + "ValueError: the reason"

    short = shorten_middle(shorten_middle(trace, 400), 100)

    assert short.startswith("Traceback\n")
    assert short.endswith("ValueError: the reason")
    assert short.count("sha256") == 1
    assert mark(trace) in short


def test_a_mark_that_somebody_quotes() -> None:
    """Words that look like a mark in the middle of a text are words."""
    words = f"they wrote {mark('x')} and went on " + "y" * 100

    assert shorten(words, 20) == words[:20] + mark(words)


def test_attributes_within_the_limits() -> None:
    """Attributes that need no shortening are the same dict, without a copy."""
    given_values = {"a": "x" * 50, "n": 10**18, "b": b"y" * 50, "none": None}

    assert shorten_attributes(given_values, SMALL) is given_values


def test_each_kind_of_attribute_has_its_limit() -> None:
    """LLM content and stack traces may be longer than other attributes."""
    given_values: dict[str, Any] = {
        "a": "x" * 60,
        attributes.GEN_AI_INPUT_MESSAGES: "x" * 399,
        attributes.EXCEPTION_STACKTRACE: "y" * 99,
        "raw": b"z" * 51,
    }

    short = shorten_attributes(given_values, SMALL)

    assert short["a"] == "x" * 50 + mark("x" * 60)
    assert short[attributes.GEN_AI_INPUT_MESSAGES] == "x" * 399
    assert short[attributes.EXCEPTION_STACKTRACE] == "y" * 99
    assert short["raw"] == f"<51 bytes, sha256 {hashlib.sha256(b'z' * 51).hexdigest()}>"


def test_the_texts_of_a_structure_share_the_limit() -> None:
    """Many short texts in one value are bounded as one long text is; what is left out is counted."""
    short = shorten_plain({"list": ["x" * 20] * 1000, "more": "y"}, 200)

    assert isinstance(short, dict)
    assert short["list"][-1].startswith("… (")
    assert short["list"][-1].endswith(" more)")
    assert short["…"] == "1 more"
    assert len(json.dumps(short)) < 1000


messages = st.lists(
    st.fixed_dictionaries(
        {
            "role": st.sampled_from(["user", "assistant"]),
            "parts": st.lists(
                st.fixed_dictionaries(
                    {
                        "type": st.just("text"),
                        "index": st.integers(0, 9) | st.none(),
                        "content": st.text(max_size=5) | st.just("long " * 5000),
                    }
                ),
                max_size=4,
            ),
        }
    ),
    min_size=1,
    max_size=6,
)


@settings(deadline=None, max_examples=60)
@given(messages)
def test_messages_stay_messages(conversation: list[dict[str, Any]]) -> None:
    """Long messages are still JSON with every role and part after they were shortened."""
    words = json.dumps(conversation, ensure_ascii=False, separators=(",", ":"))

    short = json.loads(shorten_json(words, 4000))

    assert [message["role"] for message in short] == [message["role"] for message in conversation]
    assert [len(message["parts"]) for message in short] == [len(message["parts"]) for message in conversation]
    assert len(json.dumps(short, ensure_ascii=False)) < 6000
    if len(words) <= 4000:
        assert short == conversation


@pytest.mark.parametrize("words", ["no json " * 100, "[" * 5000, '{"a":"' + "x" * 3_000_000 + '"}'])
def test_what_is_no_json(words: str) -> None:
    """Content that is not JSON, is nested without end or is very long is shortened as any text."""
    assert shorten_json(words, 400) == words[:400] + mark(words)


def test_escaped_surrogates_in_messages() -> None:
    """Half a character that JSON spells out does not become half a character in the text."""
    words = json.dumps([{"content": "\ud83d" + "x" * 500}])

    shorten_json(words, 200).encode()


def test_divided_limits() -> None:
    """Divided limits are smaller for what makes a record large, the same for what does not."""
    smaller = DEFAULT.divided(8)

    assert (smaller.attribute, smaller.content, smaller.body) == (4096, 32768, 32768)
    assert (smaller.name, smaller.message) == (DEFAULT.name, DEFAULT.message)
