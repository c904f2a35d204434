"""A stand-in for a model provider: speaks the OpenAI protocol on loopback, always the same way.

Chat completions, responses (both also as a stream) and embeddings, with token counts that
follow from the text alone, and a ledger of every token that it told a client about.  A prompt
that contains a fault in double brackets, such as ``[[rate_limit]]``, is answered with it.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import struct
import threading
from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from aumos_otel.demo.serving import AppServer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterable

    from starlette.requests import Request

RATE_LIMIT: Final = "rate_limit"
SERVER_ERROR: Final = "server_error"
BROKEN_STREAM: Final = "broken_stream"
SLOW_START: Final = "slow_start"
FAULTS: Final = (RATE_LIMIT, SERVER_ERROR, BROKEN_STREAM, SLOW_START)

#: Models and the release that answers for each, as a provider does it.
MODELS: Final = {
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "text-embedding-3-small": "text-embedding-3-small",
}

_ANSWERS: Final = (
    "A 6 mm masonry bit fits that wall plug. Drill a little deeper than the plug is long.",
    "Use exterior wood screws of stainless steel. They cost more and do not stain the oak.",
    "Yes, the blade fits both saws. Unplug the saw before you change it.",
    "Two coats are enough on bare plaster. Let the first one dry for four hours.",
    "That hinge carries twelve kilograms. Take three of them for a door of this size.",
)
_FAULT: Final = re.compile(r"\[\[(" + "|".join(FAULTS) + r")\]\]")
_TOKEN: Final = re.compile(r"\s*(?:\w+|[^\w\s])")
_REASONING: Final = 8
_CACHE_STEP: Final = 8
_DIMENSIONS: Final = 16
_CREATED: Final = 1_780_000_000


@dataclass(frozen=True, slots=True)
class Reported:
    """What clients were told, in all.

    Attributes:
        calls: answers that carried a usage.
        requests: everything that was asked.
        failures: requests that were refused or broken off on purpose.
    """

    calls: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    requests: int = 0
    failures: int = 0


class ModelServer:
    """The server; a context manager.

    Args:
        port: 0 takes a free one.
        chunk_delay: seconds between two chunks of a stream.
        slow_start: seconds before the first chunk under the fault ``slow_start``.

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
        self._reported = Reported()
        self._lock = threading.Lock()
        self._server = AppServer(self.application(), port)
        self.base_url = f"{self._server.address}/v1"

    def __enter__(self) -> ModelServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> ModelServer:
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

    def application(self) -> Starlette:
        """The ASGI application alone."""
        return Starlette(
            routes=[
                Route("/v1/chat/completions", self._handler(self._chat), methods=["POST"]),
                Route("/v1/responses", self._handler(self._responses), methods=["POST"]),
                Route("/v1/embeddings", self._handler(self._embeddings), methods=["POST"]),
                Route("/v1/models/{name}", self._model),
            ]
        )
