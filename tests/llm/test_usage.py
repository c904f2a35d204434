"""What is read from responses, streams and requests, by shape."""

from __future__ import annotations

import base64
import json
import math
import struct
from enum import Enum
from types import SimpleNamespace
from typing import NamedTuple
from unittest.mock import MagicMock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel.llm.usage import Reading, StreamReading, Usage, read, read_request, request_messages

OPENAI_CHAT = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-mini-2025-08-07",
    "service_tier": "default",
    "system_fingerprint": "fp_1",
    "choices": [
        {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}},
        {
            "index": 1,
            "finish_reason": "tool_calls",
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {"id": "call_1", "type": "function", "function": {"name": "find", "arguments": '{"q": "x"}'}}
                ],
            },
        },
    ],
    "usage": {
        "prompt_tokens": 142,
        "completion_tokens": 67,
        "total_tokens": 209,
        "prompt_tokens_details": {"cached_tokens": 96, "cache_write_tokens": 10, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 40, "audio_tokens": 0},
    },
}
OPENAI_RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "status": "completed",
    "model": "gpt-5-mini-2025-08-07",
    "service_tier": "flex",
    "output": [
        {"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": "Think."}]},
        {
            "type": "message",
            "id": "msg_1",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "Hi", "annotations": []}],
        },
    ],
    "usage": {
        "input_tokens": 75,
        "input_tokens_details": {"cached_tokens": 5},
        "output_tokens": 30,
        "output_tokens_details": {"reasoning_tokens": 20},
        "total_tokens": 105,
    },
}
ANTHROPIC_MESSAGE = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-opus-4-5-20251101",
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Looking."},
        {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "x"}},
    ],
    "usage": {
        "input_tokens": 10,
        "cache_read_input_tokens": 100,
        "cache_creation_input_tokens": 30,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 50,
        "output_tokens_details": {"thinking_tokens": 15},
        "service_tier": "standard",
    },
}
GOOGLE_RESPONSE = {
    "response_id": "r1",
    "model_version": "gemini-2.5-pro",
    "candidates": [
        {
            "index": 0,
            "finish_reason": "STOP",
            "content": {
                "role": "model",
                "parts": [
                    {"text": "Pondering", "thought": True},
                    {"text": "Hi"},
                    {"function_call": {"id": "f1", "name": "find", "args": {"q": 1}}},
                ],
            },
        }
    ],
    "usage_metadata": {
        "prompt_token_count": 20,
        "tool_use_prompt_token_count": 3,
        "cached_content_token_count": 8,
        "candidates_token_count": 11,
        "thoughts_token_count": 9,
        "total_token_count": 43,
    },
}
BEDROCK_RESPONSE = {
    "output": {"message": {"role": "assistant", "content": [{"text": "Hi"}]}},
    "stopReason": "end_turn",
    "usage": {
        "inputTokens": 10,
        "outputTokens": 4,
        "cacheReadInputTokens": 20,
        "cacheWriteInputTokens": 5,
        "cacheDetails": [{"ttl": "1h", "inputTokens": 5}],
        "totalTokens": 39,
    },
    "serviceTier": {"type": "priority"},
}
LANGCHAIN_MESSAGE = {
    "type": "ai",
    "id": "run-1",
    "content": "Hi",
    "tool_calls": [],
    "response_metadata": {"finish_reason": "stop", "model_name": "gpt-4o-mini", "model_provider": "openai"},
    "usage_metadata": {
        "input_tokens": 350,
        "output_tokens": 240,
        "total_tokens": 590,
        "input_token_details": {"cache_creation": 200, "cache_read": 100},
        "output_token_details": {"reasoning": 200},
    },
}

SHAPES = {
    "openai chat": (
        OPENAI_CHAT,
        ("openai", "chatcmpl-1", "gpt-5-mini-2025-08-07", ("stop", "tool_calls"), "default", "chat_completions"),
        Usage(142, 67, 96, 10, 40, None, 0),
    ),
    "openai response": (
        OPENAI_RESPONSE,
        ("openai", "resp_1", "gpt-5-mini-2025-08-07", ("stop",), "flex", "responses"),
        Usage(75, 30, 5, None, 20),
    ),
    "anthropic message": (
        ANTHROPIC_MESSAGE,
        ("anthropic", "msg_1", "claude-opus-4-5-20251101", ("tool_use",), "standard", None),
        Usage(140, 50, 100, 30, 15, 20),
    ),
    "google response": (
        GOOGLE_RESPONSE,
        ("gcp.gemini", "r1", "gemini-2.5-pro", ("STOP",), None, None),
        Usage(23, 20, 8, None, 9),
    ),
    "langchain message": (
        LANGCHAIN_MESSAGE,
        ("openai", "run-1", "gpt-4o-mini", ("stop",), None, None),
        Usage(350, 240, 100, 200, 200),
    ),
}


def objects(value: object) -> object:
    """The same data as attribute objects, the way a client without `model_dump` has it."""
    if isinstance(value, dict):
        return SimpleNamespace(**{key: objects(entry) for key, entry in value.items()})
    return [objects(entry) for entry in value] if isinstance(value, list) else value


def feed(*chunks: object) -> Reading | None:
    """The reading of a stream of ``chunks``."""
    stream = StreamReading()
    for chunk in chunks:
        stream.feed(chunk)
    return stream.result()


@pytest.mark.parametrize("build", [dict, objects], ids=["dict", "object"])
@pytest.mark.parametrize(("shape", "told", "usage"), SHAPES.values(), ids=SHAPES)
def test_a_response_is_read_by_its_shape(shape, told, usage, build) -> None:
    """Provider, id, model, finish reasons, tier and all counts come from the object or the plain dict."""
    found = read(build(shape))
    assert found is not None
    assert (
        found.provider,
        found.response_id,
        found.model,
        found.finish_reasons,
        found.service_tier,
        found.api_type,
    ) == told
    assert found.usage == usage


def test_a_bedrock_response_is_read() -> None:
    """Bedrock counts cached tokens beside the input; the reading includes them."""
    found = read(BEDROCK_RESPONSE)
    assert found is not None
    assert (found.provider, found.finish_reasons, found.service_tier) == ("aws.bedrock", ("end_turn",), "priority")
    assert found.usage == Usage(35, 4, 20, 5, None, 5)


@pytest.mark.parametrize(
    ("shape", "output"),
    [
        (
            OPENAI_CHAT,
            [
                {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "stop"},
                {
                    "role": "assistant",
                    "parts": [{"type": "tool_call", "id": "call_1", "name": "find", "arguments": {"q": "x"}}],
                    "finish_reason": "tool_calls",
                },
            ],
        ),
        (
            OPENAI_RESPONSE,
            [
                {
                    "role": "assistant",
                    "parts": [{"type": "reasoning", "content": "Think."}],
                    "finish_reason": "stop",
                },
                {"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"},
            ],
        ),
        (
            ANTHROPIC_MESSAGE,
            [
                {
                    "role": "assistant",
                    "parts": [
                        {"type": "reasoning", "content": "Hm."},
                        {"type": "text", "content": "Looking."},
                        {"type": "tool_call", "id": "toolu_1", "name": "find", "arguments": {"q": "x"}},
                    ],
                    "finish_reason": "tool_use",
                }
            ],
        ),
        (
            GOOGLE_RESPONSE,
            [
                {
                    "role": "assistant",
                    "parts": [
                        {"type": "reasoning", "content": "Pondering"},
                        {"type": "text", "content": "Hi"},
                        {"type": "tool_call", "id": "f1", "name": "find", "arguments": {"q": 1}},
                    ],
                    "finish_reason": "STOP",
                }
            ],
        ),
        (
            LANGCHAIN_MESSAGE,
            [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "stop"}],
        ),
        (
            BEDROCK_RESPONSE,
            [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}], "finish_reason": "end_turn"}],
        ),
    ],
    ids=["openai chat", "openai response", "anthropic", "google", "langchain", "bedrock"],
)
def test_output_messages_have_the_conventions_format(shape, output) -> None:
    """Every vocabulary ends as the same messages with typed parts."""
    found = read(shape)
    assert found is not None
    assert found.output == output


def test_content_is_left_behind_when_it_is_not_wanted() -> None:
    """Without content nothing of the answer is held."""
    for shape, _, usage in SHAPES.values():
        found = read(shape, content=False)
        assert found is not None
        assert (found.output, found.usage) == (None, usage)


def test_google_rest_json_is_read_like_the_objects() -> None:
    """The camel case of the wire format reads the same."""
    wire = {
        "responseId": "r1",
        "modelVersion": "gemini-2.5-flash",
        "candidates": [{"finishReason": "MAX_TOKENS", "content": {"parts": [{"text": "H"}]}}],
        "usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7, "trafficType": "ON_DEMAND_PRIORITY"},
    }
    found = read(wire)
    assert found is not None
    assert found.usage == Usage(7, 0)
    assert (found.provider, found.service_tier, found.finish_reasons) == ("gcp.vertex_ai", "priority", ("MAX_TOKENS",))


@pytest.mark.parametrize(
    ("extra", "provider"),
    [
        ({"prompt_filter_results": [{}]}, "azure.ai.openai"),
        ({"x_groq": {"id": "req_1"}}, "groq"),
        ({"_hidden_params": {"custom_llm_provider": "vertex_ai"}}, "gcp.vertex_ai"),
        ({"_hidden_params": {"custom_llm_provider": "some_house"}}, "some_house"),
        ({"usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}}, "deepseek"),
    ],
)
def test_marks_tell_who_speaks_the_openai_protocol(extra, provider) -> None:
    """Imitators of the protocol are told by the fields that they add."""
    found = read({**OPENAI_CHAT, **extra})
    assert found is not None
    assert found.provider == provider


def test_imitators_cache_and_reasoning_habits() -> None:
    """DeepSeek names cache hits its own way, xAI counts reasoning beside the completion."""
    deepseek = read(
        {**OPENAI_CHAT, "usage": {"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 4}}
    )
    xai = read(
        {
            **OPENAI_CHAT,
            "usage": {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 45,
                "completion_tokens_details": {"reasoning_tokens": 30},
            },
        }
    )
    assert deepseek is not None
    assert xai is not None
    assert deepseek.usage == Usage(9, 1, 4)
    assert xai.usage == Usage(10, 35, None, None, 30)


@pytest.mark.parametrize(
    ("status", "details", "calls", "reason"),
    [
        ("completed", None, False, ("stop",)),
        ("completed", None, True, ("tool_call",)),
        ("incomplete", {"reason": "max_output_tokens"}, False, ("length",)),
        ("incomplete", {"reason": "content_filter"}, False, ("content_filter",)),
        ("incomplete", None, False, ("incomplete",)),
        ("failed", None, False, ("error",)),
        ("in_progress", None, False, ()),
    ],
)
def test_the_responses_api_states_a_status_which_becomes_a_reason(status, details, calls, reason) -> None:
    """The responses API has no finish reason; its status is put in the conventions' words."""
    output = [{"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}] if calls else []
    found = read({**OPENAI_RESPONSE, "status": status, "incomplete_details": details, "output": output})
    assert found is not None
    assert found.finish_reasons == reason


def test_text_completions_are_read() -> None:
    """The old completions API has text in place of a message."""
    found = read(
        {
            "id": "cmpl-1",
            "object": "text_completion",
            "model": "m",
            "choices": [{"text": "Once", "index": 0, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4},
        }
    )
    assert found is not None
    assert (found.finish_reasons, found.usage) == (("length",), Usage(3, 1))
    assert found.output == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Once"}], "finish_reason": "length"}
    ]


@pytest.mark.parametrize(
    "vector",
    [[0.1] * 6, base64.b64encode(struct.pack("<6f", *[0.1] * 6)).decode()],
    ids=["floats", "base64"],
)
def test_embeddings_have_input_tokens_and_dimensions(vector) -> None:
    """An embedding has no output tokens; the vector's length is read in either encoding."""
    found = read(
        {
            "object": "list",
            "model": "text-embedding-3-small",
            "data": [{"object": "embedding", "index": 0, "embedding": vector}],
            "usage": {"prompt_tokens": 8, "total_tokens": 8},
        }
    )
    assert found is not None
    assert (found.model, found.dimensions, found.usage) == ("text-embedding-3-small", 6, Usage(8))


def test_google_embeddings_add_up_the_statistics() -> None:
    """Google counts per vector, as a float."""
    vector = {"values": [0.1, 0.2], "statistics": {"token_count": 4.0}}
    found = read({"embeddings": [vector, vector], "metadata": None})
    assert found is not None
    assert (found.provider, found.dimensions, found.usage) == ("gcp.gemini", 2, Usage(8))


def test_a_plain_dict_with_a_usage_is_enough() -> None:
    """A dict that a user put together needs no more than a usage in a known vocabulary."""
    found = read({"model": "m", "usage": {"input_tokens": 3, "output_tokens": 4}, "finish_reason": "stop"})
    assert found == Reading(model="m", finish_reasons=("stop",), usage=Usage(3, 4))


class Colour(Enum):
    """An Enum of str values, as google-genai has for its finish reasons."""

    STOP = "STOP"


def test_enum_reasons_are_read_as_their_values() -> None:
    """A finish reason that is an Enum member is its value, not its repr."""
    candidate = {"finish_reason": Colour.STOP, "content": {"parts": []}}
    found = read({"candidates": [candidate]})
    assert found is not None
    assert found.finish_reasons == ("STOP",)


# --- wrappers --------------------------------------------------------------------------------


class Pair(NamedTuple):
    """A result with a name for each element."""

    parsed: object
    completion: object


def test_a_tuple_with_one_response_is_that_response() -> None:
    """(parsed, completion) is read from its completion."""
    assert read(({"name": "x"}, OPENAI_CHAT)) == read(OPENAI_CHAT)
    assert read(Pair(None, OPENAI_CHAT)) == read(OPENAI_CHAT)


def test_a_tuple_with_two_responses_is_ambiguous() -> None:
    """Of two responses neither is the call's usage."""
    assert read((OPENAI_CHAT, ANTHROPIC_MESSAGE)) is None


@pytest.mark.parametrize("name", ["_raw_response", "raw"])
def test_a_wrapped_response_is_read(name) -> None:
    """Instructor and llama-index keep the response beside what they made of it."""
    assert read(SimpleNamespace(**{name: OPENAI_CHAT, "answer": 42})) == read(OPENAI_CHAT)


def test_a_raw_response_is_read_from_the_body_that_is_there() -> None:
    """`with_raw_response` is read without calling its `parse()`, which might read a stream."""
    http_response = SimpleNamespace(is_closed=True, content=json.dumps(OPENAI_CHAT).encode())
    raw = SimpleNamespace(http_response=http_response, parse=lambda: pytest.fail("parse() was called"))
    assert read(raw) == read(OPENAI_CHAT)
    http_response.is_closed = False
    assert read(raw) is None


# --- nothing is made up ----------------------------------------------------------------------

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
def test_an_object_that_raises_is_no_response(build) -> None:
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
def test_reading_never_raises(junk, more) -> None:
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


# --- streams ---------------------------------------------------------------------------------


def chat_chunk(delta: dict | None = None, reason: str | None = None, **more: object) -> dict:
    """One chunk of an OpenAI chat stream."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": reason}]
    return {"id": "c1", "object": "chat.completion.chunk", "model": "m1", "choices": choices, **more}


USAGE = {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}


@pytest.mark.parametrize("build", [dict, objects], ids=["dict", "object"])
def test_a_chat_stream_is_put_together(build) -> None:
    """Text, tool calls in pieces, the reason and the last usage make one reading."""
    found = feed(
        *map(
            build,
            [
                chat_chunk({"role": "assistant", "content": ""}),
                chat_chunk({"content": "He"}, usage={"prompt_tokens": 9, "completion_tokens": 1}),
                chat_chunk({"content": "llo"}),
                chat_chunk(
                    {"tool_calls": [{"index": 0, "id": "t1", "function": {"name": "find", "arguments": '{"q"'}}]}
                ),
                chat_chunk({"tool_calls": [{"index": 0, "function": {"arguments": ": 1}"}}]}),
                chat_chunk({}, "tool_calls"),
                chat_chunk(usage=USAGE, service_tier="flex"),
            ],
        )
    )
    assert found == Reading(
        provider="openai",
        response_id="c1",
        model="m1",
        finish_reasons=("tool_calls",),
        usage=Usage(9, 2),
        output=[
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "Hello"},
                    {"type": "tool_call", "id": "t1", "name": "find", "arguments": {"q": 1}},
                ],
                "finish_reason": "tool_calls",
            }
        ],
        service_tier="flex",
        api_type="chat_completions",
    )


def test_a_stream_without_usage_has_none() -> None:
    """Nobody asked for the usage: None, never 0."""
    found = feed(chat_chunk({"content": "Hi"}), chat_chunk({}, "stop"))
    assert found is not None
    assert (found.usage, found.finish_reasons) == (None, ("stop",))


def test_a_broken_stream_has_what_came() -> None:
    """A stream that broke off has its id and text, and no reason."""
    found = feed(chat_chunk({"content": "Hi"}))
    assert found is not None
    assert (found.usage, found.finish_reasons, found.response_id) == (None, (), "c1")


def test_strings_between_the_chunks_are_ignored() -> None:
    """A generator may yield text of its own."""
    assert feed("a", chat_chunk({"content": "Hi"}), "b", chat_chunk(usage=USAGE)) is not None
    assert feed("a", "b") is None
    assert feed() is None


def test_groq_puts_the_usage_beside() -> None:
    """Groq's last chunk has its usage within x_groq."""
    found = feed(chat_chunk({"content": "Hi"}), chat_chunk({}, "stop", x_groq={"id": "r", "usage": USAGE}))
    assert found is not None
    assert (found.provider, found.usage) == ("groq", Usage(9, 2))


def test_the_events_of_the_stream_helper_are_unwrapped() -> None:
    """`chat.completions.stream()` yields events around its chunks."""
    found = feed(
        {"type": "chunk", "chunk": chat_chunk({"content": "Hi"}, "stop"), "snapshot": {}},
        {"type": "content.delta", "delta": "Hi", "snapshot": "Hi"},
        {"type": "chunk", "chunk": chat_chunk(usage=USAGE), "snapshot": {}},
    )
    assert found is not None
    assert (found.usage, found.finish_reasons) == (Usage(9, 2), ("stop",))


def test_two_calls_in_one_stream_are_summed() -> None:
    """A generator that passes on the streams of two calls used the tokens of both."""
    first = [chat_chunk({"content": "A"}), chat_chunk({}, "tool_calls"), chat_chunk(usage=USAGE)]
    second = [{**chunk, "id": "c2"} for chunk in first]
    found = feed(*first, *second)
    assert found is not None
    assert (found.response_id, found.usage) == ("c2", Usage(18, 4))
    assert [message["parts"][0]["content"] for message in found.output] == ["A", "A"]
    partly = feed(*first[:2], *second)
    assert partly is not None
    assert partly.usage is None


def test_changing_ids_alone_are_one_response() -> None:
    """Some servers give every chunk an id of its own; the usage chunk after the end belongs to the same call."""
    chunks = [
        chat_chunk({"content": "A"}),
        chat_chunk({"content": "B"}),
        chat_chunk({}, "stop"),
        chat_chunk(usage=USAGE),
    ]
    found = feed(*({**chunk, "id": f"c{i}"} for i, chunk in enumerate(chunks)))
    assert found is not None
    assert found.usage == Usage(9, 2)


RESPONSE_EVENTS = [
    {"type": "response.created", "response": {**OPENAI_RESPONSE, "status": "in_progress", "usage": None, "output": []}},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "H"},
    {"type": "response.output_text.delta", "item_id": "msg_1", "delta": "i"},
    {"type": "response.completed", "response": OPENAI_RESPONSE},
]


@pytest.mark.parametrize("build", [dict, objects], ids=["dict", "object"])
def test_a_response_stream_ends_with_the_whole_response(build) -> None:
    """The terminal event carries everything."""
    found = feed(*map(build, RESPONSE_EVENTS))
    assert found == read(build(OPENAI_RESPONSE))


def test_a_broken_response_stream_has_its_text_and_no_usage() -> None:
    """Before the terminal event there is an id, a model and the deltas."""
    found = feed(*RESPONSE_EVENTS[:3])
    assert found is not None
    assert (found.response_id, found.usage, found.finish_reasons) == ("resp_1", None, ())
    assert found.output == [{"role": "assistant", "parts": [{"type": "text", "content": "Hi"}]}]


def test_two_response_streams_are_summed() -> None:
    """A second response.created after the end opens another response."""
    found = feed(*RESPONSE_EVENTS, *RESPONSE_EVENTS)
    assert found is not None
    assert found.usage == Usage(150, 60, 10, None, 40)


ANTHROPIC_EVENTS = [
    {
        "type": "message_start",
        "message": {
            **ANTHROPIC_MESSAGE,
            "content": [],
            "stop_reason": None,
            "usage": {"input_tokens": 10, "cache_read_input_tokens": 100, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Loo"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "king."}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {}},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"q":'}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": ' "x"}'}},
    {"type": "content_block_stop", "index": 1},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use"}, "usage": {"output_tokens": 50}},
    {"type": "message_stop"},
]


@pytest.mark.parametrize("build", [dict, objects], ids=["dict", "object"])
def test_an_anthropic_stream_is_put_together(build) -> None:
    """Input comes with the start, output with the delta, blocks in pieces."""
    found = feed(*map(build, ANTHROPIC_EVENTS))
    assert found == Reading(
        provider="anthropic",
        response_id="msg_1",
        model="claude-opus-4-5-20251101",
        finish_reasons=("tool_use",),
        usage=Usage(110, 50, 100),
        output=[
            {
                "role": "assistant",
                "parts": [
                    {"type": "text", "content": "Looking."},
                    {"type": "tool_call", "id": "toolu_1", "name": "find", "arguments": {"q": "x"}},
                ],
                "finish_reason": "tool_use",
            }
        ],
    )


def test_a_broken_anthropic_stream_does_not_count_the_placeholder() -> None:
    """The start states an output of 1, which is no count; only the delta has one."""
    found = feed(*ANTHROPIC_EVENTS[:5])
    assert found is not None
    assert found.usage == Usage(110, None, 100)
    assert found.finish_reasons == ()


def test_the_stream_helper_of_anthropic_repeats_nothing() -> None:
    """`messages.stream()` adds events with snapshots, which count for nothing."""
    helper = [
        *ANTHROPIC_EVENTS[:4],
        {"type": "text", "text": "Loo", "snapshot": "Loo"},
        *ANTHROPIC_EVENTS[4:-1],
        {"type": "message_stop", "message": ANTHROPIC_MESSAGE},
    ]
    assert feed(*helper) == feed(*ANTHROPIC_EVENTS)


def google_chunk(words: str, reason: str | None, count: int | None) -> dict:
    """One chunk of a generateContent stream."""
    usage = {"prompt_token_count": 20, "candidates_token_count": count, "thoughts_token_count": 5}
    candidate = {"content": {"role": "model", "parts": [{"text": words}]}, "finish_reason": reason}
    return {"response_id": "r1", "model_version": "g", "candidates": [candidate], "usage_metadata": usage}


def test_a_google_stream_has_the_last_count() -> None:
    """Every chunk states the sum so far; texts are joined."""
    found = feed(google_chunk("He", None, 1), google_chunk("llo", "STOP", 7))
    assert found is not None
    assert (found.finish_reasons, found.usage) == (("STOP",), Usage(20, 12, None, None, 5))
    assert found.output == [
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}], "finish_reason": "STOP"}
    ]


def test_langchain_chunks_add_up() -> None:
    """LangChain's chunks each state their own part of the usage."""
    chunk = {"type": "AIMessageChunk", "id": "run-1", "content": "a", "response_metadata": {}}
    found = feed(
        {**chunk, "usage_metadata": {"input_tokens": 10, "output_tokens": 0}},
        {**chunk, "usage_metadata": {"input_tokens": 0, "output_tokens": 4}},
        {**chunk, "content": "b", "response_metadata": {"finish_reason": "stop", "model_name": "m"}},
    )
    assert found is not None
    assert (found.usage, found.finish_reasons, found.model) == (Usage(10, 4), ("stop",), "m")
    assert found.output[0]["parts"] == [{"type": "text", "content": "aab"}]


def test_a_bedrock_stream_is_put_together() -> None:
    """Converse's stream ends with its usage."""
    found = feed(
        {"messageStart": {"role": "assistant"}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "H"}}},
        {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "i"}}},
        {"contentBlockStart": {"contentBlockIndex": 1, "start": {"toolUse": {"toolUseId": "t", "name": "find"}}}},
        {"contentBlockDelta": {"contentBlockIndex": 1, "delta": {"toolUse": {"input": '{"q": 1}'}}}},
        {"contentBlockStop": {"contentBlockIndex": 1}},
        {"messageStop": {"stopReason": "tool_use"}},
        {"metadata": {"usage": {"inputTokens": 3, "outputTokens": 2}, "metrics": {"latencyMs": 5}}},
    )
    assert found is not None
    assert (found.usage, found.finish_reasons) == (Usage(3, 2), ("tool_use",))
    assert found.output[0]["parts"] == [
        {"type": "text", "content": "Hi"},
        {"type": "tool_call", "id": "t", "name": "find", "arguments": {"q": 1}},
    ]


def test_a_stream_without_content_holds_no_text() -> None:
    """Without content the chunks leave counts and labels behind, nothing else."""
    for chunks in ([chat_chunk({"content": "Hi"}, "stop")], ANTHROPIC_EVENTS, RESPONSE_EVENTS):
        stream = StreamReading(content=False)
        for chunk in chunks:
            stream.feed(chunk)
        found = stream.result()
        assert found is not None
        assert found.output is None


# --- requests --------------------------------------------------------------------------------


class Answer:
    """Looks like a pydantic class."""

    @classmethod
    def model_json_schema(cls) -> dict:
        """As pydantic has it."""
        return {}


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        (
            {
                "model": "gpt-5-mini",
                "temperature": 0.2,
                "top_p": 1,
                "max_tokens": 10,
                "max_completion_tokens": 20,
                "seed": -3,
                "stop": "END",
                "n": 2,
                "stream": True,
                "frequency_penalty": 0,
                "presence_penalty": -1.5,
                "service_tier": "flex",
                "response_format": {"type": "json_schema"},
            },
            {
                "gen_ai.request.model": "gpt-5-mini",
                "gen_ai.request.temperature": 0.2,
                "gen_ai.request.top_p": 1.0,
                "gen_ai.request.max_tokens": 20,
                "gen_ai.request.seed": -3,
                "gen_ai.request.stop_sequences": ("END",),
                "gen_ai.request.choice.count": 2,
                "gen_ai.request.stream": True,
                "gen_ai.request.frequency_penalty": 0.0,
                "gen_ai.request.presence_penalty": -1.5,
                "openai.request.service_tier": "flex",
                "gen_ai.output.type": "json",
            },
        ),
        (
            {"model": "claude", "max_tokens": 9, "top_k": 5, "stop_sequences": ["a", "b"], "service_tier": "auto"},
            {
                "gen_ai.request.model": "claude",
                "gen_ai.request.max_tokens": 9,
                "gen_ai.request.top_k": 5,
                "gen_ai.request.stop_sequences": ("a", "b"),
            },
        ),
        (
            {
                "model": "gemini",
                "config": {"max_output_tokens": 7, "top_k": 40.0, "response_mime_type": "application/json"},
            },
            {
                "gen_ai.request.model": "gemini",
                "gen_ai.request.max_tokens": 7,
                "gen_ai.request.top_k": 40,
                "gen_ai.output.type": "json",
            },
        ),
        (
            {"modelId": "amazon.nova", "inferenceConfig": {"maxTokens": 5, "topP": 0.5, "stopSequences": ["x"]}},
            {
                "gen_ai.request.model": "amazon.nova",
                "gen_ai.request.max_tokens": 5,
                "gen_ai.request.top_p": 0.5,
                "gen_ai.request.stop_sequences": ("x",),
            },
        ),
        (
            {"model": "e", "dimensions": 256, "encoding_format": "base64"},
            {
                "gen_ai.request.model": "e",
                "gen_ai.embeddings.dimension.count": 256,
                "gen_ai.request.encoding_formats": ("base64",),
            },
        ),
        ({"text": {"format": {"type": "json_object"}}}, {"gen_ai.output.type": "json"}),
        ({"response_format": {"type": "text"}}, {"gen_ai.output.type": "text"}),
        ({"response_format": Answer}, {"gen_ai.output.type": "json"}),
        ({"modalities": ["text", "audio"]}, {"gen_ai.output.type": "speech"}),
    ],
    ids=["openai", "anthropic", "google", "bedrock", "embeddings", "responses", "text", "pydantic", "speech"],
)
def test_request_parameters_become_attributes(kwargs, expected) -> None:
    """Each client's names for the same parameter lead to the same attribute."""
    assert read_request(kwargs) == expected


@pytest.mark.parametrize(
    "value", [None, object(), MagicMock(), "warm", True, math.nan, [], {}, lambda: 1], ids=range(9)
)
def test_parameters_of_another_type_are_left_out(value) -> None:
    """The user's own arguments may have a parameter's name and another meaning; sentinels are no values."""
    names = ("model", "temperature", "max_tokens", "top_p", "top_k", "seed", "n", "stream", "stop", "response_format")
    wrong = {name: value for name in names if not (name == "stream" and value is True)}
    wrong = {name: v for name, v in wrong.items() if not (name in {"model", "stop"} and isinstance(v, str))}
    assert read_request(wrong) == {}


def test_openai_prompts_become_messages() -> None:
    """Roles, parts, tool calls and tool results of chat completions."""
    messages, instructions, tools = request_messages(
        {
            "messages": [
                {"role": "system", "content": "Be brief."},
                {
                    "role": "user",
                    "name": "ann",
                    "content": [
                        {"type": "text", "text": "What is this?"},
                        {"type": "image_url", "image_url": {"url": "https://images.example/x.png"}},
                        {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}},
                    ],
                },
                {"role": "assistant", "tool_calls": [{"id": "c", "function": {"name": "f", "arguments": "{}"}}]},
                {"role": "tool", "tool_call_id": "c", "content": "42"},
            ],
            "tools": [{"type": "function", "function": {"name": "f", "description": "d", "parameters": {"p": 1}}}],
        }
    )
    assert instructions is None
    assert tools == [{"type": "function", "name": "f", "description": "d", "parameters": {"p": 1}}]
    assert messages == [
        {"role": "system", "parts": [{"type": "text", "content": "Be brief."}]},
        {
            "role": "user",
            "parts": [
                {"type": "text", "content": "What is this?"},
                {"type": "uri", "modality": "image", "mime_type": None, "uri": "https://images.example/x.png"},
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
            ],
            "name": "ann",
        },
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "42"}]},
    ]


def test_anthropic_prompts_become_messages() -> None:
    """The system prompt is apart; tool results are parts of a user's message."""
    messages, instructions, tools = request_messages(
        {
            "system": [{"type": "text", "text": "Be brief."}],
            "messages": [
                {
                    "role": "user",
                    "content": [
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "AAAA"}},
                        {"type": "tool_result", "tool_use_id": "t", "content": "42"},
                    ],
                }
            ],
            "tools": [{"name": "f", "input_schema": {"p": 1}}, {"type": "web_search_20250305", "name": "web_search"}],
        }
    )
    assert instructions == [{"type": "text", "content": "Be brief."}]
    assert messages == [
        {
            "role": "user",
            "parts": [
                {"type": "blob", "modality": "image", "mime_type": "image/png", "content": "AAAA"},
                {"type": "tool_call_response", "id": "t", "response": "42"},
            ],
        }
    ]
    assert tools == [
        {"type": "function", "name": "f", "parameters": {"p": 1}},
        {"type": "web_search_20250305", "name": "web_search"},
    ]


def test_google_prompts_become_messages() -> None:
    """Contents may be bare; the model's role is the assistant's; functions are tools."""

    def find(query: str) -> str:
        """Find something."""
        return query

    messages, instructions, tools = request_messages(
        {
            "contents": [
                "Hi",
                {"role": "model", "parts": [{"text": "Hello"}]},
                {"parts": [{"inline_data": {"mime_type": "audio/wav", "data": b"x"}}]},
            ],
            "config": {
                "system_instruction": "Be brief.",
                "tools": [find, {"function_declarations": [{"name": "g", "parameters": {"p": 1}}]}],
            },
        }
    )
    assert instructions == [{"type": "text", "content": "Be brief."}]
    assert messages == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {"role": "assistant", "parts": [{"type": "text", "content": "Hello"}]},
        {"role": "user", "parts": [{"type": "blob", "modality": "audio", "mime_type": "audio/wav", "content": b"x"}]},
    ]
    assert tools == [
        {"type": "function", "name": "find", "description": "Find something."},
        {"type": "function", "name": "g", "parameters": {"p": 1}},
    ]


def test_response_input_items_become_messages() -> None:
    """Function calls and their outputs are items of their own in the responses API."""
    messages, instructions, _ = request_messages(
        {
            "instructions": "Be brief.",
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]},
                {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c", "output": "42"},
            ],
        }
    )
    assert instructions == [{"type": "text", "content": "Be brief."}]
    assert messages == [
        {"role": "user", "parts": [{"type": "text", "content": "Hi"}]},
        {"role": "assistant", "parts": [{"type": "tool_call", "id": "c", "name": "f", "arguments": {}}]},
        {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c", "response": "42"}]},
    ]


def test_a_text_prompt_is_one_message_and_an_iterator_is_left_alone() -> None:
    """A str is the user's message; a generator of messages belongs to the client."""
    assert request_messages({"input": "Hi"})[0] == [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    generator = (message for message in [{"role": "user", "content": "Hi"}])
    assert request_messages({"messages": generator}) == (None, None, None)
    assert list(generator)
