"""A loopback server that speaks Google's generateContent and embedContent, with the same answer each time."""

from __future__ import annotations

import json
from typing import Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aumos_otel.demo.serving import AppServer

MODEL = "gemini-2.5-flash"
PIECES = ("Two coats ", "are enough.")
INPUT_TOKENS, OUTPUT_TOKENS, REASONING_TOKENS, CACHED_TOKENS = 23, 20, 9, 8
DIMENSIONS = 4


def part_of(words: str, reason: str | None, answered: int) -> dict[str, Any]:
    """A response, or a chunk of one; the counts are the sums so far."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": [{"text": words}]}, "index": 0}
    if reason is not None:
        candidate["finishReason"] = reason
    return {
        "responseId": "resp-1",
        "modelVersion": MODEL,
        "candidates": [candidate],
        "usageMetadata": {
            "promptTokenCount": 20,
            "toolUsePromptTokenCount": 3,
            "cachedContentTokenCount": CACHED_TOKENS,
            "candidatesTokenCount": answered,
            "thoughtsTokenCount": REASONING_TOKENS,
            "totalTokenCount": 32 + answered,
        },
    }


async def lines() -> Any:
    """The chunks of a stream."""
    yield f"data: {json.dumps(part_of(PIECES[0], None, 5))}\r\n\r\n"
    yield f"data: {json.dumps(part_of(PIECES[1], 'STOP', 11))}\r\n\r\n"


async def call(request: Any) -> Response:
    """POST /<version>/models/<model>:<method>."""
    method = request.path_params["target"].rpartition(":")[2]
    if method == "streamGenerateContent":
        return StreamingResponse(lines(), media_type="text/event-stream")
    if method == "generateContent":
        return JSONResponse(part_of("".join(PIECES), "STOP", 11))
    if method == "batchEmbedContents":
        asked = (await request.json())["requests"]
        return JSONResponse({"embeddings": [{"values": [0.5] * DIMENSIONS} for _ in asked]})
    return JSONResponse({"error": {"code": 404, "message": f"no method {method}", "status": "NOT_FOUND"}}, 404)


def server() -> AppServer:
    """The server, not started."""
    return AppServer(Starlette(routes=[Route("/{version}/models/{target:path}", call, methods=["POST"])]))
