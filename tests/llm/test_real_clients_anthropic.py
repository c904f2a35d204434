"""The real anthropic client against a loopback server: span tree, usage, finish reasons, beside its own spans."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anthropic
import pytest
from opentelemetry.trace import StatusCode
from servers import anthropic_api
from servers.seen import adrain, chat_span, drain, tokens_in_metrics, tokens_on_spans, use_block

import aumos_otel as aumos
from aumos_otel import llm

if TYPE_CHECKING:
    from aumos_otel.testing import Capture

CLAUDE = {"model": "claude-opus-4-5", "max_tokens": 99, "messages": [{"role": "user", "content": "Paint?"}]}


@pytest.fixture(scope="module")
def claude_server() -> Any:
    """A server of Anthropic's protocol."""
    with anthropic_api.server() as server:
        yield server


@pytest.fixture(params=[True, False], ids=["own spans", "no spans"])
def claude_options(request, claude_server) -> dict[str, Any]:
    """Options of a client, with its own OpenTelemetry spans or without."""
    own = {} if request.param else {"open_telemetry": False}
    return {"base_url": claude_server.address, "api_key": "none", "max_retries": 0, **own}


def check_claude(capture: Capture, reason: str) -> None:
    """Ours is the chat span; tokens and cost are told once, with cached input included."""
    span = chat_span(capture, "chat claude-opus-4-5", reasons=(reason,))
    assert span.attributes["gen_ai.response.id"] == "msg_1"
    assert span.attributes["gen_ai.response.model"] == anthropic_api.MODEL
    assert tokens_on_spans(capture) == (anthropic_api.INPUT_TOKENS, anthropic_api.OUTPUT_TOKENS)
    assert tokens_in_metrics(capture) == (anthropic_api.INPUT_TOKENS, anthropic_api.OUTPUT_TOKENS)
    costs = [span.attributes["gen_ai.usage.cost"] for span in capture.spans if "gen_ai.usage.cost" in span.attributes]
    assert len(costs) == 1


def claude_block(manager: Any) -> None:
    """Use `messages.stream()` as its documentation does."""
    with manager as stream:
        "".join(stream.text_stream)
        assert stream.get_final_message().usage.output_tokens == anthropic_api.OUTPUT_TOKENS


CLAUDE_SYNC = {
    "create": (lambda c, **more: c.messages.create(**CLAUDE, **more), None),
    "raw": (lambda c, **more: c.messages.with_raw_response.create(**CLAUDE, **more), None),
    "stream": (lambda c, **more: c.messages.create(**CLAUDE, stream=True, **more), drain),
    "helper events": (lambda c, **more: c.messages.stream(**CLAUDE, **more), use_block),
    "helper text": (lambda c, **more: c.messages.stream(**CLAUDE, **more), claude_block),
}
CLAUDE_ENDS = {"end_turn": {}, "tool_use": {"tools": [{"name": "find", "input_schema": {"type": "object"}}]}}


@pytest.mark.parametrize("reason", CLAUDE_ENDS)
@pytest.mark.parametrize("way", CLAUDE_SYNC)
def test_anthropic_sync(capture, claude_options, way, reason) -> None:
    """Messages and all their streams, beside the client's own spans and without them."""
    (ask, use), more = CLAUDE_SYNC[way], CLAUDE_ENDS[reason]
    decorated = llm.chat(provider="anthropic", model="claude-opus-4-5")(ask)
    with anthropic.Anthropic(**claude_options) as client, aumos.span("request"):
        result = decorated(client, **more)
        if use is not None:
            use(result)
    check_claude(capture, reason)


async def claude_whole(client: anthropic.AsyncAnthropic) -> Any:
    """One message."""
    return await client.messages.create(**CLAUDE)


async def claude_stream(client: anthropic.AsyncAnthropic) -> Any:
    """The client's own stream."""
    return await client.messages.create(**CLAUDE, stream=True)


async def claude_yielded(client: anthropic.AsyncAnthropic) -> Any:
    """An async generator around the helper."""
    async with client.messages.stream(**CLAUDE) as stream:
        async for event in stream:
            yield event


@pytest.mark.parametrize("ask", [claude_whole, claude_stream, claude_yielded])
async def test_anthropic_async(capture, claude_options, ask) -> None:
    """The async client and its streams."""
    decorated = llm.chat(provider="anthropic", model="claude-opus-4-5")(ask)
    async with anthropic.AsyncAnthropic(**claude_options) as client:
        with aumos.span("request"):
            result = decorated(client)
            if ask is not claude_yielded:
                result = await result
            if ask is not claude_whole:
                await adrain(result)
    check_claude(capture, "end_turn")


@pytest.mark.parametrize(
    ("question", "stream", "error"),
    [
        (anthropic_api.OVERLOADED, False, anthropic.APIStatusError),
        (anthropic_api.OVERLOADED, True, anthropic.APIStatusError),
        (anthropic_api.BROKEN_STREAM, True, Exception),
    ],
    ids=["refused", "refused stream", "broken stream"],
)
def test_anthropic_errors(capture, claude_options, question, stream, error) -> None:
    """The client's exception passes; a broken stream does not count the output's placeholder."""

    @llm.chat(provider="anthropic", model="claude-opus-4-5")
    def ask() -> Any:
        asked = {**CLAUDE, "messages": [{"role": "user", "content": question}]}
        return client.messages.create(**asked, stream=stream)

    with anthropic.Anthropic(**claude_options) as client, aumos.span("request"), pytest.raises(error):
        drain(ask())
    span = capture.span("chat claude-opus-4-5")
    assert span.status.status_code is StatusCode.ERROR
    assert "gen_ai.usage.output_tokens" not in span.attributes
    assert "gen_ai.usage.cost" not in span.attributes
