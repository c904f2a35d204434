"""A loopback server that speaks Anthropic's messages API, with the same answer each time."""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aumos_otel.demo.serving import AppServer

MODEL = "claude-opus-4-5-20251101"
PIECES = ("Two coats ", "are enough.")
TOOL = {"type": "tool_use", "id": "toolu_1", "name": "find", "input": {"q": "paint"}}
USAGE = {
    "input_tokens": 10,
    "cache_read_input_tokens": 100,
    "cache_creation_input_tokens": 30,
    "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
    "output_tokens": 50,
    "service_tier": "standard",
}
#: What the semantic conventions make of `USAGE`: the input includes what is cached.
INPUT_TOKENS, OUTPUT_TOKENS = 140, 50
#: A prompt with this text is refused, or its stream broken off.
OVERLOADED, BROKEN_STREAM = "[[overloaded]]", "[[broken_stream]]"


def message(*, tool: bool, **fields: Any) -> dict[str, Any]:
    """The answer as one message."""
    content = [TOOL] if tool else [{"type": "text", "text": "".join(PIECES)}]
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": MODEL,
        "content": content,
        "stop_reason": "tool_use" if tool else "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **fields,
    }


def events(*, tool: bool, breaks: bool) -> Any:
    """The answer as server-sent events."""
    placeholder = {**USAGE, "output_tokens": 1}
    start = message(tool=tool, content=[], stop_reason=None, usage=placeholder)
    block = {**TOOL, "input": {}} if tool else {"type": "text", "text": ""}
    yield "message_start", {"message": start}
    yield "content_block_start", {"index": 0, "content_block": block}
    yield "ping", {}
    for piece in ('{"q": ', '"paint"}') if tool else PIECES:
        delta = {"type": "input_json_delta", "partial_json": piece} if tool else {"type": "text_delta", "text": piece}
        yield "content_block_delta", {"index": 0, "delta": delta}
        if breaks:
            raise ConnectionError
    yield "content_block_stop", {"index": 0}
    reason = "tool_use" if tool else "end_turn"
    yield (
        "message_delta",
        {"delta": {"stop_reason": reason, "stop_sequence": None}, "usage": {"output_tokens": OUTPUT_TOKENS}},
    )
    yield "message_stop", {}


async def stream(*, tool: bool, breaks: bool) -> Any:
    """The lines of the stream."""
    for kind, fields in events(tool=tool, breaks=breaks):
        yield f"event: {kind}\ndata: {json.dumps({'type': kind, **fields})}\n\n"


async def messages(request: Any) -> Response:
    """POST /v1/messages."""
    body = await request.json()
    asked, tool = json.dumps(body["messages"]), bool(body.get("tools"))
    if OVERLOADED in asked:
        error = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
        return JSONResponse(error, 529)
    if body.get("stream"):
        return StreamingResponse(stream(tool=tool, breaks=BROKEN_STREAM in asked), media_type="text/event-stream")
    return JSONResponse(message(tool=tool), headers={"request-id": "req_1"})


def server() -> AppServer:
    """The server, not started."""
    return AppServer(Starlette(routes=[Route("/v1/messages", messages, methods=["POST"])]))
