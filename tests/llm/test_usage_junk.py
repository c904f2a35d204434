"""Nothing is made up: junk, test doubles and hostile objects read as nothing, and never raise."""

from __future__ import annotations

import math
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.shapes import BEDROCK_RESPONSE, OPENAI_CHAT, SHAPES, feed, objects

from aumos_otel.llm.usage import Usage, read, read_request

JUNK = [
    None,
    True,
    7,
    1.5,
    "text",
    b"bytes",
    [],
    [OPENAI_CHAT],
    {},
    object(),
    Usage,
    math.nan,
    {"usage": None},
    {"usage": {}},
    {"usage": {"prompt_tokens": "12", "completion_tokens": "3"}},
    {"usage": {"prompt_tokens": True, "completion_tokens": False}},
    {"usage": {"prompt_tokens": -1, "completion_tokens": -2}},
    {"usage": {"prompt_tokens": math.nan, "completion_tokens": math.inf}},
    {"usage": {"prompt_tokens": 10**30}},
    {"usage": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}},
    {"choices": ["red", "blue"], "usage": "lots"},
    MagicMock(),
    MagicMock(spec=dict),
    MagicMock(usage=MagicMock(prompt_tokens=MagicMock(spec=int))),
]


@pytest.mark.parametrize("junk", JUNK, ids=range(len(JUNK)))
def test_junk_is_no_response(junk) -> None:
    """A wrong type, a test double or a placeholder of zeros never reads as usage."""
    assert read(junk) is None


@pytest.mark.parametrize("bad", ["12", True, -1, math.nan, math.inf, 1.5, [], {}, MagicMock(), 2**60])
def test_one_bad_count_does_not_spoil_the_others(bad) -> None:
    """A field of the wrong type is unknown; its neighbours are still read."""
    usage = {"prompt_tokens": 5, "completion_tokens": bad, "prompt_tokens_details": {"cached_tokens": bad}}
    found = read({**OPENAI_CHAT, "usage": usage})
    assert found is not None
    assert found.usage == Usage(5, None, None)


@pytest.mark.parametrize("build", [dict, objects], ids=["dict", "object"])
@pytest.mark.parametrize("shape", [shape for shape, _, _ in SHAPES.values()], ids=SHAPES)
def test_a_response_without_usage_has_none(shape, build) -> None:
    """A missing usage is None, never 0."""
    names = ("usage", "usage_metadata")
    found = read(build({key: value for key, value in shape.items() if key not in names}))
    assert found is not None
    assert found.usage is None


class Hostile:
    """Raises from every attribute."""

    def __getattribute__(self, name: str) -> object:
        raise RuntimeError(name)


class HostileMapping(dict):
    """Raises from `get`."""

    def get(self, *args: object) -> object:
        """Raise."""
        raise RuntimeError(*args)


@pytest.mark.parametrize("build", [Hostile, lambda: HostileMapping(a=1)], ids=["object", "mapping"])
def test_an_object_that_raises_is_no_response(build, request_messages) -> None:
    """Attributes may raise anything, in a response and within one."""
    assert read(build()) is None
    assert feed(build()) is None
    for shape, _, _ in SHAPES.values():
        for name in shape:
            read({**shape, name: build()})
            feed({**shape, name: build()}, {**shape, name: [build()]})
    request_messages({"messages": [build()], "tools": [build()], "config": build()})
    assert read_request({"model": build(), "stop": [build()], "response_format": build(), "n": build()}) == {}


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, GeneratorExit])
def test_what_is_no_exception_passes_through(error) -> None:
    """Interrupts and exits are the user's."""

    class Interrupted:
        @property
        def choices(self) -> object:
            raise error

    with pytest.raises(error):
        read(Interrupted())


def test_labels_are_short_and_encodable() -> None:
    """An id with a lone surrogate or a NUL can be sent; a name as long as a novel is none."""
    found = read({**OPENAI_CHAT, "id": "a\ud800b\x00c", "model": "m" * 10_000})
    assert found is not None
    assert (found.response_id, found.model) == ("a?bc", None)


KNOWN_NAMES = sorted(
    {name for shape, _, _ in SHAPES.values() for name in shape}
    | set(BEDROCK_RESPONSE)
    | {"usage", "type", "delta", "message", "response", "index", "text", "content", "parts", "role", "metadata"}
    | {"prompt_tokens", "input_tokens", "completion_tokens_details", "finish_reason", "arguments", "_hidden_params"}
    | {"tool_calls", "function", "name", "embedding", "embeddings", "values", "data", "contentBlockDelta", "x_groq"}
    | {"is_closed", "http_response", "raw", "source", "image_url", "inline_data", "function_response", "statistics"}
)
LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.sampled_from(
        [
            "message",
            "assistant",
            "response",
            "chat.completion.chunk",
            "message_start",
            "message_delta",
            "content_block_delta",
            "response.completed",
            "text_delta",
            "tool_use",
            "image",
            "ai",
            "chunk",
        ]
    )
)
NESTED = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(KNOWN_NAMES), inner, max_size=6)
        | st.tuples(inner, inner)
    ),
    max_leaves=25,
)


@settings(max_examples=300, deadline=None)
@given(junk=NESTED, more=st.lists(NESTED, max_size=4))
def test_reading_never_raises(request_messages, junk, more) -> None:
    """Arbitrary nested data, as dicts and as objects, reads without an error and without false numbers."""
    for build in (lambda value: value, objects):
        found = read(build(junk))
        streamed = feed(*(build(chunk) for chunk in [junk, *more]))
        for reading in (found, streamed):
            assert reading is None or reading.usage is None or all_counts(reading.usage)
        if isinstance(junk, dict):
            assert all(isinstance(value, str | bool | int | float | tuple) for value in read_request(junk).values())
            request_messages(junk)


def all_counts(usage: Usage) -> bool:
    """Whether every field is a plain count or unknown."""
    counts = [getattr(usage, name) for name in Usage.__dataclass_fields__]
    return all(count is None or (type(count) is int and 0 <= count < 2**56) for count in counts)
