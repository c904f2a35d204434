"""The OTLP/HTTP receiver: ``POST /v1/traces``, ``/v1/metrics``, ``/v1/logs``.

It answers 2xx only when the data is committed.  https://opentelemetry.io/docs/specs/otlp/#otlphttp
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from aumos_otel.local import access, wire

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from aumos_otel.local.store import Store

#: Bytes of requests in memory at once, over all connections.
MAX_IN_FLIGHT: Final = 4 * wire.MAX_COMPRESSED


def application(store: Store) -> Starlette:
    """The ASGI application that feeds ``store``."""
    intake = _Intake()

    def endpoint(signal: wire.Signal) -> Callable[[Request], Awaitable[Response]]:
        async def receive(request: Request) -> Response:
            return await _receive(request, signal, store, intake)

        return receive

    routes = [Route(f"/v1/{signal.value}", endpoint(signal), methods=["POST"]) for signal in wire.Signal]
    app = Starlette(routes=[*routes, Route("/", _greet)])
    app.router.redirect_slashes = False
    return app


class _Intake:
    """How many bytes are being received or wait to be written."""

    def __init__(self) -> None:
        self.bytes = 0

    def add(self, count: int, *, of: int) -> None:
        """Count ``count`` more bytes, of a body that is ``of`` bytes long by now; raises when it is too much."""
        self.bytes += count
        if of > wire.MAX_COMPRESSED:
            raise wire.Rejection(413, f"body: more than {wire.MAX_COMPRESSED} bytes; send smaller batches")
        if self.bytes > MAX_IN_FLIGHT:
            raise wire.Rejection(429, "too much is being received at once; send again later", retry_after=1)


async def _greet(_: Request) -> Response:
    return PlainTextResponse("aumos-otel: OTLP/HTTP receiver\nPOST /v1/traces, /v1/metrics, /v1/logs\n")


async def _receive(request: Request, signal: wire.Signal, store: Store, intake: _Intake) -> Response:
    media = wire.JSON  # what goes wrong before the encoding is known is answered in JSON
    body = bytearray()
    try:
        _check_origin(request)
        media = wire.media_type(request.headers.get("content-type", ""))
        encoding = wire.content_encoding(request.headers.get("content-encoding", ""))
        async for chunk in request.stream():
            body += chunk
            intake.add(len(chunk), of=len(body))
        outcome = await asyncio.wrap_future(store.submit(wire.Body(signal, media, encoding, bytes(body))))
    except wire.Rejection as rejection:
        headers = {} if rejection.retry_after is None else {"Retry-After": str(rejection.retry_after)}
        return Response(wire.encode_rejection(media, rejection), rejection.status, headers, media)
    except ClientDisconnect:
        return Response(status_code=400)  # nobody is left to read it
    finally:
        intake.bytes -= len(body)
    return Response(wire.encode_outcome(signal, media, outcome), 200, media_type=media)


def _check_origin(request: Request) -> None:
    """A browser names the page that sends; programs name none."""
    origin = request.headers.get("origin")
    if origin is not None and not access.is_loopback_origin(origin):
        raise wire.Rejection(403, f"origin {origin!r}: only pages of this machine may send telemetry here")
