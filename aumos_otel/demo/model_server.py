"""A stand-in for a model provider: speaks the OpenAI protocol on loopback, always the same way.

Chat completions and responses (both also as a stream), embeddings, and a ledger of every token
that a client was told about.  A prompt that contains a fault in double brackets, such as
``[[rate_limit]]``, is answered with that fault.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import threading
from collections import deque
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Final, Self

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aumos_otel.demo import openai_protocol as protocol
from aumos_otel.demo.model import MODELS, tokens
from aumos_otel.demo.serving import AppServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from starlette.requests import Request

RATE_LIMIT: Final = "rate_limit"
SERVER_ERROR: Final = "server_error"
BROKEN_STREAM: Final = "broken_stream"
SLOW_START: Final = "slow_start"
FAULTS: Final = (RATE_LIMIT, SERVER_ERROR, BROKEN_STREAM, SLOW_START)

_MARK: Final = re.compile(r"\[\[(" + "|".join(FAULTS) + r")\]\]")
_PIECES_BEFORE_BREAK: Final = 3


@dataclass(frozen=True, slots=True)
class Reported:
    """What clients were told, in all.

    Attributes:
        requests: everything that was asked of a model.
        failures: requests that were refused or broken off on purpose.
        calls: answers that carried a usage; the tokens are theirs.
    """

    requests: int = 0
    failures: int = 0
    calls: int = 0
    input_tokens: int = 0
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


class BrokenOffError(Exception):
    """Raised inside a response to cut its connection."""


class ModelServer:
    """The server; a context manager.

    Args:
        port: 0 takes a free one.
        chunk_delay: seconds between two events of a stream.
        slow_start: seconds before the first event under the fault ``slow_start``.

    Attributes:
        base_url: for the client's ``base_url``, ending in ``/v1``.

    >>> import openai
    >>> from aumos_otel.demo.model_server import ModelServer
    >>> with ModelServer() as server, openai.OpenAI(base_url=server.base_url, api_key="none") as client:
    ...     completion = client.chat.completions.create(
    ...         model="gpt-5-mini", messages=[{"role": "user", "content": "Which drill bit?"}]
    ...     )
    ...     completion.usage.prompt_tokens == server.reported.input_tokens
    True
    """

    def __init__(self, port: int = 0, *, chunk_delay: float = 0.0, slow_start: float = 0.3) -> None:
        self._chunk_delay = chunk_delay
        self._slow_start = slow_start
        self._script: deque[str] = deque()
        self._ids = itertools.count(1)
        self._reported = Reported()
        self._lock = threading.Lock()
        self._server = AppServer(self._application(), port)
        self.base_url = f"{self._server.address}/v1"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Serve; returns when the server answers."""
        self._server.start()
        return self

    def stop(self) -> None:
        """Stop serving."""
        self._server.stop()

    @property
    def reported(self) -> Reported:
        """The ledger so far."""
        with self._lock:
            return self._reported

    def fail_next(self, *faults: str) -> None:
        """Answer the next requests with these faults, one each, whatever they ask."""
        self._script.extend(faults)

    def _application(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._asked(self._chat), methods=["POST"]),
                Route("/v1/responses", self._asked(self._responses), methods=["POST"]),
                Route("/v1/embeddings", self._asked(self._embeddings), methods=["POST"]),
                Route("/v1/models/{name}", _model),
            ]
        )

    def _asked(
        self, answer: Callable[[dict[str, Any], str | None], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        """A handler that counts the request and refuses it if that is its fault."""

        async def handle(request: Request) -> Response:
            body = await request.json()
            fault = self._fault(body)
            self._count(requests=1, failures=int(fault in FAULTS and fault != SLOW_START))
            if fault == RATE_LIMIT:
                return _error(429, "Rate limit reached", "rate_limit_exceeded")
            if fault == SERVER_ERROR:
                return _error(500, "The server had an error", "server_error")
            return await answer(body, fault)

        return handle

    def _fault(self, body: dict[str, Any]) -> str | None:
        if self._script:
            return self._script.popleft()
        conversation = protocol.conversation(body)
        found = _MARK.search(conversation[-1][1]) if conversation else None
        return found[1] if found else None

    def _count(self, **more: int) -> None:
        with self._lock:
            so_far = {field.name: getattr(self._reported, field.name) for field in fields(Reported)}
            self._reported = Reported(**{name: count + more.get(name, 0) for name, count in so_far.items()})

    def _tell(self, usage: protocol.Told) -> None:
        """Enter into the ledger what an answer says about its tokens."""
        self._count(
            calls=1,
            input_tokens=usage.input_tokens,
            cached_tokens=usage.cached_tokens,
            output_tokens=usage.output_tokens,
            reasoning_tokens=usage.reasoning_tokens,
        )

    async def _chat(self, body: dict[str, Any], fault: str | None) -> Response:
        return await self._send(protocol.Chat(body, next(self._ids)), fault, stream=bool(body.get("stream")))

    async def _responses(self, body: dict[str, Any], fault: str | None) -> Response:
        return await self._send(protocol.Responses(body, next(self._ids)), fault, stream=bool(body.get("stream")))

    async def _send(self, answer: protocol.Answer, fault: str | None, *, stream: bool) -> Response:
        if stream:
            return StreamingResponse(self._events(answer, fault), media_type="text/event-stream")
        if fault == SLOW_START:
            await asyncio.sleep(self._slow_start)
        whole = json.dumps(answer.whole())
        if fault == BROKEN_STREAM:
            return StreamingResponse(_cut(whole), media_type="application/json")
        self._tell(answer.told)
        return Response(whole, media_type="application/json")

    async def _events(self, answer: protocol.Answer, fault: str | None) -> AsyncIterator[str]:
        if fault == SLOW_START:
            await asyncio.sleep(self._slow_start)
        visible = 0
        for event in answer.events():
            visible += event.is_piece
            if fault == BROKEN_STREAM and visible > _PIECES_BEFORE_BREAK:
                raise BrokenOffError
            if event.tells_usage:
                self._tell(answer.told)
            yield event.line
            if self._chunk_delay:
                await asyncio.sleep(self._chunk_delay)

    async def _embeddings(self, body: dict[str, Any], _fault: str | None) -> Response:
        given = body["input"]
        texts = [given] if isinstance(given, str) else [str(text) for text in given]
        told = protocol.Told(input_tokens=sum(len(tokens(text)) for text in texts))
        self._tell(told)
        return JSONResponse(protocol.embeddings(body, texts, told))


async def _cut(whole: str) -> AsyncIterator[str]:
    yield whole[: len(whole) // 2]
    raise BrokenOffError


async def _model(request: Request) -> Response:
    name = request.path_params["name"]
    if name not in MODELS:
        return _error(404, f"The model {name!r} does not exist", "model_not_found")
    return JSONResponse({"id": name, "object": "model", "created": protocol.CREATED, "owned_by": "demo"})


def _error(status: int, message: str, code: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": code, "param": None, "code": code}}, status)
