"""The embedded backend as one object: store, receiver, page, and the file by which it is found."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import threading
import time
from typing import TYPE_CHECKING, Final, Self

import uvicorn
from opentelemetry.instrumentation.utils import suppress_instrumentation

from aumos_otel._internal import discovery
from aumos_otel.errors import LocalBackendError
from aumos_otel.local import page, ports, receiver
from aumos_otel.local.store import Store

if TYPE_CHECKING:
    import socket
    from pathlib import Path

    from starlette.applications import Starlette

logger = logging.getLogger("aumos_otel.local")

OTLP_PORT: Final = 4318
UI_PORT: Final = 4319
_START_TIMEOUT: Final = 15.0
_STOP_TIMEOUT: Final = 5.0
#: Seconds that requests in progress have when the backend stops.
_GRACE: Final = 1


class LocalServer:
    """The embedded local backend, running in a thread of this process.

    OTLP/HTTP comes in on ``otlp_port``, the page is on ``ui_port``, both on 127.0.0.1 only; a
    port in use makes way for the next free one, see `notes`.

    Args:
        db_path: the SQLite file; ``$XDG_DATA_HOME/aumos-otel/local.db`` if None.
        otlp_port: wished port of the receiver; 0 takes any.
        ui_port: wished port of the page; 0 takes any.

    Raises:
        LocalBackendError: from `start`, when the file or the ports cannot be had.

    >>> import pathlib, tempfile
    >>> from aumos_otel.local import LocalServer
    >>> with tempfile.TemporaryDirectory() as directory:
    ...     with LocalServer(pathlib.Path(directory) / "local.db", otlp_port=0, ui_port=0) as server:
    ...         server.otlp_url.startswith("http://127.0.0.1:"), server.store.totals().traces
    (True, 0)
    """

    def __init__(self, db_path: Path | None = None, otlp_port: int = OTLP_PORT, ui_port: int = UI_PORT) -> None:
        self.store = Store(db_path)
        self.token = secrets.token_urlsafe(24)
        #: What was not as wished, in words: ports taken, files set aside.
        self.notes: list[str] = []
        self._wished = (otlp_port, ui_port)
        self._ports: tuple[int, int] | None = None
        self._servers: list[_Server] = []
        self._thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def running(self) -> bool:
        """Whether the servers are up."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def otlp_url(self) -> str:
        """Base URL of the receiver, for ``OTEL_EXPORTER_OTLP_ENDPOINT``."""
        return f"http://{ports.HOST}:{self._running_ports()[0]}"

    @property
    def ui_url(self) -> str:
        """Address of the page, with the token that opens it."""
        return f"{self.page_url}/?token={self.token}"

    @property
    def page_url(self) -> str:
        """Base URL of the page and its API, without the token."""
        return f"http://{ports.HOST}:{self._running_ports()[1]}"

    def start(self) -> Self:
        """Listen and serve; returns when both servers answer.  Does nothing if they do already."""
        if self._thread is not None:
            return self
        with contextlib.ExitStack() as undo:
            sockets = self._listen(undo)
            self.store.start()
            undo.callback(self.store.close)
            self._serve(sockets)
            undo.pop_all()
        self.notes += self.store.notes
        self._publish()
        return self

    def stop(self, timeout: float = _STOP_TIMEOUT) -> None:
        """Stop serving, write what was taken, and withdraw the state file; gives up after ``timeout`` seconds."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        deadline = time.monotonic() + timeout
        discovery.remove()
        for server in self._servers:
            server.should_exit = True
        thread.join(max(deadline - time.monotonic(), 0))
        self.store.close(max(deadline - time.monotonic(), 0.1))

    def _running_ports(self) -> tuple[int, int]:
        if self._ports is None:
            raise LocalBackendError(
                "LocalServer", seen="no address yet", expected="a started server", remedy="call start() first"
            )
        return self._ports

    def _listen(self, undo: contextlib.ExitStack) -> tuple[socket.socket, socket.socket]:
        otlp_wish, ui_wish = self._wished
        otlp, otlp_note = ports.listen(otlp_wish, avoid={ui_wish})
        undo.callback(otlp.close)
        ui, ui_note = ports.listen(ui_wish, avoid={otlp_wish})
        undo.callback(ui.close)
        self.notes += [note for note in (otlp_note, ui_note) if note]
        self._ports = (otlp.getsockname()[1], ui.getsockname()[1])
        return otlp, ui

    def _serve(self, sockets: tuple[socket.socket, socket.socket]) -> None:
        otlp, ui = sockets
        _, ui_port = self._running_ports()
        pages = page.application(
            self.store,
            page.Addresses(otlp=self.otlp_url, ui=self.page_url),
            token=self.token,
            cookie=f"aumos_otel_{ui_port}",
        )
        served = [(_Server(receiver.application(self.store)), otlp), (_Server(pages), ui)]
        self._servers = [server for server, _ in served]
        self._thread = threading.Thread(target=_run, args=(served,), name="aumos-otel-local", daemon=True)
        self._thread.start()
        if not all(server.ready.wait(_START_TIMEOUT) and server.started for server in self._servers):
            self._thread = None
            for server in self._servers:
                server.should_exit = True
            raise LocalBackendError(
                "local backend",
                seen="servers that did not start",
                expected=f"an answer within {_START_TIMEOUT:.0f} s",
                remedy="look at the log of 'aumos_otel.local'",
            )

    def _publish(self) -> None:
        """Write the state file, unless another backend is already found by it."""
        other = discovery.read()
        if other is not None and other.pid != os.getpid():
            self.notes.append(
                f"another local backend (pid {other.pid}, {other.otlp}) runs already: "
                "programs without an endpoint keep sending there"
            )
            return
        pid = os.getpid()
        started = discovery.process_start(pid) or time.time_ns() / 1e9
        try:
            discovery.write(
                discovery.LocalBackend(pid=pid, started=started, otlp=self.otlp_url, ui=self.page_url, token=self.token)
            )
        except OSError as error:
            self.notes.append(f"programs will not find this backend by themselves: {error}")


class _Server(uvicorn.Server):
    """Uvicorn that tells another thread when it answers."""

    def __init__(self, app: Starlette) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,
            log_level="warning",
            access_log=False,
            lifespan="off",
            loop="asyncio",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """As uvicorn does it, then tell."""
        await super().startup(sockets)
        self.ready.set()


def _run(served: list[tuple[_Server, socket.socket]]) -> None:
    async def serve() -> None:
        await asyncio.gather(*(server.serve([listener]) for server, listener in served))

    try:
        # A service in this process may be instrumented: serving its own telemetry must not make more of it.
        with suppress_instrumentation():
            asyncio.run(serve())
    except Exception:
        logger.exception("the local backend stopped")
    finally:
        for server, _ in served:
            server.ready.set()
