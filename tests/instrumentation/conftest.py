"""Telemetry with everything instrumented, requests without a network, and a real server."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import uvicorn

from aumos_otel.testing import Capture, captured


@pytest.fixture
def instrumented() -> Iterator[Callable[..., Capture]]:
    """Configure into memory with the instrumentations on; arguments go to `captured`."""
    with contextlib.ExitStack() as stack:
        yield lambda **options: stack.enter_context(captured(**{"instrumentations": True, **options}))


@pytest.fixture
def telemetry(instrumented: Callable[..., Capture]) -> Capture:
    """The default telemetry with the instrumentations on."""
    return instrumented()


@pytest.fixture
def get() -> Callable[..., httpx.Response]:
    """Send one request to an application in this process; an exception of it is left to its server's 500."""

    async def send(
        app: object, path: str, method: str = "GET", root_path: str = "", **options: object
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app, raise_app_exceptions=False, root_path=root_path)
        async with httpx.AsyncClient(transport=transport, base_url="http://service.example:8000") as client:
            return await client.request(method, path, **options)

    return lambda *args, **options: asyncio.run(send(*args, **options))


@pytest.fixture
def websocket() -> Callable[..., list[dict]]:
    """Drive one websocket connection of an application: what it sends, for the messages it receives."""

    async def connect(app: object, path: str, *messages: dict) -> list[dict]:
        scope = {
            "type": "websocket",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "scheme": "ws",
            "path": path,
            "raw_path": path.encode(),
            "root_path": "",
            "query_string": b"",
            "headers": [(b"host", b"service.example")],
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 1234),
            "subprotocols": [],
        }
        incoming = iter([{"type": "websocket.connect"}, *messages])
        sent: list[dict] = []

        async def receive() -> dict:
            return next(incoming)

        async def send(message: dict) -> None:
            sent.append(message)

        await app(scope, receive, send)
        return sent

    return lambda *args: asyncio.run(connect(*args))


@pytest.fixture
def serve() -> Iterator[Callable[[object], str]]:
    """Serve applications with uvicorn on free loopback ports; returns the base URL."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def start(app: object) -> str:
        server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None))
        thread = threading.Thread(target=server.run, name="uvicorn", daemon=True)
        thread.start()
        running.append((server, thread))
        deadline = time.monotonic() + 10
        while not server.started:
            assert thread.is_alive(), "the server did not start"
            assert time.monotonic() < deadline, "the server takes too long"
            time.sleep(0.01)
        return f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    yield start
    for server, thread in running:
        server.should_exit = True
        thread.join(10)
        assert not thread.is_alive()
