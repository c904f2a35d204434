"""Responses as clients return them, as plain dicts, and what is to be read from each."""

from __future__ import annotations

from types import SimpleNamespace

from aumos_otel.llm.usage import Reading, StreamReading, Usage

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
