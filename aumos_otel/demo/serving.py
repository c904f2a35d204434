"""Serves an ASGI application on loopback, from a thread of this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import TYPE_CHECKING, Self

import uvicorn
from opentelemetry.instrumentation.utils import suppress_instrumentation

from aumos_otel.errors import LocalBackendError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

_HOST = "127.0.0.1"
_START_TIMEOUT = 10.0
_STOP_TIMEOUT = 5.0


class AppServer:
    """A running server for ``app``; a context manager.

    Args:
        app: any ASGI application.
        port: 0 takes a free one.

    Attributes:
        address: the base URL, without a slash at its end.

    Raises:
        LocalBackendError: from `start`, when the server does not come up.
    """

    def __init__(self, app: ASGIApp, port: int = 0) -> None:
        self._socket = socket.create_server((_HOST, port))
        self.address = f"http://{_HOST}:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="critical",  # an answer that breaks off on purpose is no news
            access_log=False,
            lifespan="off",
            loop="asyncio",
            ws="none",
            timeout_graceful_shutdown=1,
        )
        self._ready = threading.Event()
        self._server = _Server(config, self._ready)
        self._thread = threading.Thread(target=self._run, name="model-server", daemon=True)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> Self:
        """Serve; returns when the server answers."""
        self._thread.start()
        if not self._ready.wait(_START_TIMEOUT) or not self._server.started:
            self.stop()
            raise LocalBackendError(
                f"server at {self.address}",
                seen="no answer",
                expected=f"one within {_START_TIMEOUT:.0f} s",
                remedy="look for what keeps this machine busy, then start again",
            )
        return self

    def stop(self) -> None:
        """Stop serving; requests under way have a second to end."""
        self._server.should_exit = True
        self._thread.join(_STOP_TIMEOUT)
        self._socket.close()

    def _run(self) -> None:
        try:
            with suppress_instrumentation():  # what this process traces is the caller, not the far side
                asyncio.run(self._server.serve([self._socket]))
        finally:
            self._ready.set()


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self._is_ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._is_ready.set()
