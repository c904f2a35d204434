"""What is read from the chunks of a stream."""

from __future__ import annotations

import pytest
from servers.shapes import ANTHROPIC_MESSAGE, OPENAI_RESPONSE, feed, objects

from aumos_otel.llm.usage import Reading, StreamReading, Usage, read


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
