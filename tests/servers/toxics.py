"""Toxiproxy between a sender and a receiver: what happens to connections on the way.

>>> with Toxiproxy(binary) as toxiproxy:
...     proxy = toxiproxy.proxy(sink.port)
...     with proxy.toxic("latency", latency=200):
...         post(proxy.url)
"""

from __future__ import annotations

import itertools
import json
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from servers.go_programs import free_port, wait_for_port

SOURCE = Path(__file__).parent / "toxiproxy"


@dataclass(frozen=True)
class Proxy:
    """One way through Toxiproxy; ``url`` is what the sender gets as its endpoint."""

    server: Toxiproxy
    name: str
    url: str

    @contextmanager
    def toxic(
        self, kind: str, *, stream: Literal["upstream", "downstream"] = "downstream", **attributes: int
    ) -> Iterator[None]:
        """What a connection suffers during the block, on the way of the answers or, upstream, of the requests.

        ``latency`` (latency, jitter: ms), ``bandwidth`` (rate: KB/s), ``timeout`` (timeout: ms after which the
        connection is closed, 0 never; nothing passes), ``reset_peer`` (timeout: ms), ``slicer`` (average_size:
        bytes, delay: µs), ``limit_data`` (bytes).
        """
        body = {"name": kind, "type": kind, "stream": stream, "attributes": attributes}
        self.server.call("POST", f"/proxies/{self.name}/toxics", body)
        try:
            yield
        finally:
            self.server.call("DELETE", f"/proxies/{self.name}/toxics/{kind}")

    @contextmanager
    def down(self) -> Iterator[None]:
        """Connections are cut and refused during the block."""
        self.server.call("POST", f"/proxies/{self.name}", {"enabled": False})
        try:
            yield
        finally:
            self.server.call("POST", f"/proxies/{self.name}", {"enabled": True})


class Toxiproxy:
    """A running Toxiproxy; `proxy` opens a way through it."""

    def __init__(self, binary: Path) -> None:
        self._binary = binary
        self._port = free_port()
        self._numbers = itertools.count()

    def __enter__(self) -> Self:
        self._process = subprocess.Popen([str(self._binary), str(self._port)])
        wait_for_port(self._port, self._process)
        return self

    def __exit__(self, *_error: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def proxy(self, port: int) -> Proxy:
        """A new way to the receiver on ``port``."""
        name = f"{next(self._numbers)}-to-{port}"
        made = self.call("POST", "/proxies", {"name": name, "listen": "127.0.0.1:0", "upstream": f"127.0.0.1:{port}"})
        return Proxy(self, name, f"http://{made['listen']}")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the control interface."""
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"http://127.0.0.1:{self._port}{path}", data=data, method=method)
        with urllib.request.urlopen(request, timeout=10) as answer:
            return json.loads(answer.read() or b"null")
