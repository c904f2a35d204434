"""What is read from the arguments of a call."""

from __future__ import annotations

import math
from unittest.mock import MagicMock

import pytest

from aumos_otel.llm.usage import read_request


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


def test_openai_prompts_become_messages(request_messages) -> None:
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


def test_anthropic_prompts_become_messages(request_messages) -> None:
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


def test_google_prompts_become_messages(request_messages) -> None:
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


def test_response_input_items_become_messages(request_messages) -> None:
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


def test_a_text_prompt_is_one_message_and_an_iterator_is_left_alone(request_messages) -> None:
    """A str is the user's message; a generator of messages belongs to the client."""
    assert request_messages({"input": "Hi"})[0] == [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]
    generator = (message for message in [{"role": "user", "content": "Hi"}])
    assert request_messages({"messages": generator}) == (None, None, None)
    assert list(generator)
