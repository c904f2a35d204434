"""What is read from whole responses, by shape."""

from __future__ import annotations

import base64
import json
import struct
from enum import Enum
from types import SimpleNamespace
from typing import NamedTuple

import pytest
from servers.shapes import (
    ANTHROPIC_MESSAGE,
    BEDROCK_RESPONSE,
    GOOGLE_RESPONSE,
    LANGCHAIN_MESSAGE,
    OPENAI_CHAT,
    OPENAI_RESPONSE,
    SHAPES,
    objects,
)

from aumos_otel.llm.usage import Reading, Usage, read


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


def test_tools_that_the_provider_runs_are_parts_of_their_own() -> None:
    """Anthropic's server tools are told from the client's, and have a type inside."""
    found = read(
        {
            **ANTHROPIC_MESSAGE,
            "content": [
                {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "x"}},
                {"type": "web_search_tool_result", "tool_use_id": "s1", "content": []},
                {"type": "container_upload", "file_id": "f1"},
            ],
        }
    )
    assert found is not None
    assert found.output[0]["parts"] == [
        {
            "type": "server_tool_call",
            "id": "s1",
            "name": "web_search",
            "server_tool_call": {"type": "web_search", "input": {"query": "x"}},
        },
        {
            "type": "server_tool_call_response",
            "id": "s1",
            "server_tool_call_response": {"type": "web_search", "content": []},
        },
        {"type": "container_upload", "value": {"type": "container_upload", "file_id": "f1"}},
    ]


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
