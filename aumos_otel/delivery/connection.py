"""One HTTP/1.1 connection of which every step ends at a deadline.

A time-out of a socket counts from one byte to the next: a peer that drips never trips it.  Here
the remaining time is set anew before each read and write; a TLS handshake has one time for all of it.
Only the name server answers when it wants: the resolver of the platform has time-outs of its own.
"""

from __future__ import annotations

import io
import os
import selectors
import socket
import ssl
import time
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from http.client import HTTPException, HTTPMessage, HTTPResponse
from typing import TYPE_CHECKING, Any, Final, cast

from aumos_otel.delivery import diagnosis, proxy

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Bytes of an answer that are read; what follows is of no interest.
LONGEST_ANSWER: Final = 64 * 1024

#: One that needs no descriptor of its own, where there is one: a process that has none left can still send.
_Selector: Final = getattr(selectors, "PollSelector", selectors.SelectSelector)

_CLOSED: Final = (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError)


class Failure(Exception):  # noqa: N818 - an outcome of the network, not a defect
    """No answer.

    Attributes:
        message: one line for a person.
        sent: the whole request was handed to the network: the receiver may have it.
        stale: the peer had closed a connection that was kept open; another one may do.
    """

    def __init__(self, message: str, *, sent: bool = False, stale: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.sent = sent
        self.stale = stale


@dataclass(frozen=True, slots=True)
class Server:
    """Whom to talk to; ``host`` without brackets."""

    host: str
    port: int
    tls: bool

    @property
    def authority(self) -> str:
        """``host:port`` as URLs have it."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Trust:
    """PEM files of TLS: the authority to trust (None: those of the system), and who we are."""

    certificate: str | None = None
    client_certificate: str | None = None
    client_key: str | None = None

    def context(self) -> ssl.SSLContext:
        """The files as they are now: the next connection uses a certificate that was rotated.

        Raises:
            OSError: a file cannot be read, or is not what it should be.
        """
        context = ssl.create_default_context(cafile=self.certificate)
        if self.client_certificate is not None:
            context.load_cert_chain(self.client_certificate, self.client_key, password=_no_password)
        return context


def _no_password() -> str:
    raise OSError("the client's key is encrypted; there is nobody to type its password")


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back; ``whole`` says whether ``body`` is all that was announced."""

    status: int
    reason: str
    headers: HTTPMessage
    body: bytes
    whole: bool


class Connection:
    """Opened by the first request, afterwards kept.  Used by one thread; `interrupt` may come from another."""

    def __init__(self, server: Server, trust: Trust) -> None:
        self._server = server
        self._trust = trust
        self._proxy: proxy.Proxy | None = None
        self._socket: socket.socket | None = None
        self._pid = os.getpid()
        self._answered = False
        self._usable = True

    def is_alive(self) -> bool:
        """Whether it can take another request: the peer has closed it when there is something to read."""
        if self._socket is None or not self._usable:
            return False
        with _Selector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            return not selector.select(0)

    def close(self) -> None:
        """Close it here; the peer of a parent process notices nothing."""
        self._usable = False
        if self._socket is not None:
            self._socket.close()

    def interrupt(self) -> None:
        """End what another thread is waiting for; that thread closes the connection then."""
        self._usable = False
        if self._socket is not None and self._pid == os.getpid():
            with suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def post(self, path: str, headers: Mapping[str, str], body: bytes, deadline: float) -> Answer:
        """Send one request and read its answer.

        Args:
            path: path and query.
            headers: all but ``host`` and ``content-length``; checked.
            body: as it goes over the wire.
            deadline: `time.monotonic` seconds at which this ends.

        Raises:
            Failure: there was no answer; the connection is closed.
        """
        if self._socket is None:
            self._open(deadline)
        wire = cast("socket.socket", self._socket)
        head = self._head(path, headers, len(body))
        sent, reader = False, _Reader(wire, deadline)
        try:
            if not self._usable:
                raise ConnectionAbortedError("it was closed meanwhile")
            with suppress(*_CLOSED):  # a receiver that refuses may answer and close before it has read everything
                _write(wire, head, deadline)
                _write(wire, body, deadline)
                sent = True
            return self._read(reader)
        except (OSError, HTTPException) as error:
            if isinstance(error, ssl.SSLError) and not self._answered:
                sent = False  # with TLS 1.3 a client learns after its first request that it was not let in
            stale = self._usable and self._answered and not reader.received and isinstance(error, _CLOSED)
            self.close()
            message = diagnosis.waiting(error, self._server.authority, sent=sent)
            raise Failure(message, sent=sent, stale=stale) from error

    def _open(self, deadline: float) -> None:
        server, peer = self._server, self._server.authority
        try:
            self._proxy = via = proxy.find(server.host, server.port, tls=server.tls)
            if via is None:
                self._socket = _connect(server.host, server.port, deadline)
            else:
                peer = f"the proxy {via.host}:{via.port}"
                self._socket = _connect(via.host, via.port, deadline)
            if server.tls:
                if via is not None:
                    self._tunnel(self._socket, via, deadline)
                peer = server.authority
                self._socket.settimeout(_remaining(deadline))
                self._socket = self._trust.context().wrap_socket(self._socket, server_hostname=server.host)
        except (OSError, HTTPException, ValueError) as error:
            self.close()
            raise Failure(diagnosis.connecting(error, peer)) from error

    def _tunnel(self, wire: socket.socket, via: proxy.Proxy, deadline: float) -> None:
        """Have a proxy pass bytes through to the server."""
        authority = self._server.authority
        lines = [f"CONNECT {authority} HTTP/1.1", f"host: {authority}", *via.header_lines]
        _write(wire, _encoded(lines), deadline)
        response = _response(_Reader(wire, deadline), "CONNECT")
        if not 200 <= response.status < 300:  # noqa: PLR2004 - the range that HTTP defines
            raise ConnectionError(f"it answered CONNECT with HTTP {response.status}")

    def _head(self, path: str, headers: Mapping[str, str], length: int) -> bytes:
        lines = [f"POST {path} HTTP/1.1"]
        if self._proxy is not None and not self._server.tls:
            lines = [f"POST http://{self._server.authority}{path} HTTP/1.1", *self._proxy.header_lines]
        if "host" not in headers:
            lines.append(f"host: {self._server.authority}")
        lines += [f"{name}: {value}" for name, value in headers.items()]
        lines.append(f"content-length: {length}")
        return _encoded(lines)

    def _read(self, reader: _Reader) -> Answer:
        response = _response(reader, "POST")
        body, whole = b"", False
        with suppress(OSError, HTTPException):  # the status is known; a body that breaks off does not change it
            body = response.read(LONGEST_ANSWER)
            whole = not response.length and (response.isclosed() or len(body) < LONGEST_ANSWER)
        self._answered = True
        if not whole or response.will_close:
            self.close()
        return Answer(response.status, response.reason, response.headers, body, whole)


class _Reader(io.RawIOBase):
    """A socket as `http.client.HTTPResponse` reads it: no read goes beyond the deadline."""

    def __init__(self, wire: socket.socket, deadline: float) -> None:
        self._wire = wire
        self._deadline = deadline
        self._file = io.BufferedReader(self)
        self.received = False

    def makefile(self, _mode: str) -> Any:
        """The file that HTTPResponse asks a socket for; the same for all answers to one request."""
        return self._file

    def readable(self) -> bool:
        """Always."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what is there, once something is."""
        self._wire.settimeout(_remaining(self._deadline))
        count = self._wire.recv_into(buffer)
        self.received = self.received or count > 0
        return count


def _response(reader: _Reader, method: str) -> HTTPResponse:
    """The head of an answer, after those that only announce it (1xx)."""
    while True:
        response = HTTPResponse(cast("socket.socket", reader), method=method)
        response.begin()
        if response.status == HTTPStatus.SWITCHING_PROTOCOLS or response.status >= HTTPStatus.OK:
            return response
        response.fp = None  # type: ignore[assignment]  # it would close the file that the next one is read from


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """Try each address of ``host``, each with its share of the time that is left."""
    addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    problem: OSError = OSError("the name has no address")
    for tried, (family, kind, protocol, _, address) in enumerate(addresses):
        wire = socket.socket(family, kind, protocol)
        try:
            wire.settimeout(_remaining(deadline) / (len(addresses) - tried))
            wire.connect(address)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            wire.close()
            problem = error
        else:
            return wire
    raise problem


def _write(wire: socket.socket, data: bytes, deadline: float) -> None:
    view = memoryview(data)
    while view:
        wire.settimeout(_remaining(deadline))
        view = view[wire.send(view) :]


def _encoded(lines: list[str]) -> bytes:
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def _remaining(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("the time is up")
    return left
