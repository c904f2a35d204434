"""OTLP over HTTP/1.1 on loopback: each connection has a thread, each request is answered as a `Reply` says."""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import struct
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

from google.protobuf import json_format
from google.rpc.status_pb2 import Status

from aumos_otel.testing.request import REQUESTS, RESPONSES, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.testing.reply import Reply
    from aumos_otel.testing.tls import TLS

#: SO_LINGER on, for no time: closing sends a reset.
_ABORT = struct.pack("ii", 1, 0)


class HTTPReceiver:
    """Listens from `start` to `stop`; ``answer`` decides about each request.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self,
        port: int,
        tls: TLS | None,
        answer: Callable[[Request], Reply],
    ) -> None:
        self._context = None if tls is None else _server_context(tls)
        self._server = _Server(port, self._context, answer)
        self.port = int(self._server.server_address[1])

    def start(self) -> None:
        """Accept connections."""
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="otlp-sink", daemon=True).start()

    def stop(self) -> None:
        """Stop listening and end all connections; an answer on its way is still written."""
        self._server.stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.end_connections()

    def swap_certificate(self, tls: TLS) -> None:
        """Show another certificate from the next connection on."""
        if self._context is not None:
            self._context.load_cert_chain(tls.chain, tls.key)


def _server_context(tls: TLS) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls.chain, tls.key)
    if tls.client_ca is not None:
        context.load_verify_locations(tls.client_ca)
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class _Server(ThreadingHTTPServer):
    request_queue_size = 128

    def __init__(
        self,
        port: int,
        context: ssl.SSLContext | None,
        answer: Callable[[Request], Reply],
    ) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.stopping = threading.Event()
        self.answer = answer
        self._context = context
        self._lock = threading.Lock()
        self._open: dict[socket.socket, threading.Thread] = {}

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self._context is not None:  # the handshake is the first read, in the connection's own thread
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def process_request(self, request: Any, client_address: Any) -> None:
        arguments = (request, client_address)
        thread = threading.Thread(
            target=self.process_request_thread, args=arguments, name="otlp-sink-connection", daemon=True
        )
        with self._lock:
            self._open[request] = thread
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._lock:
                del self._open[request]

    def end_connections(self) -> None:
        with self._lock:
            connections = dict(self._open)
        for connection in connections:
            with contextlib.suppress(OSError):
                # The base class's: an SSL socket would forget its encryption, and an answer on its way would be plain.
                socket.socket.shutdown(connection, socket.SHUT_RD)
        for thread in connections.values():
            thread.join(5.0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        if not isinstance(sys.exception(), OSError):  # a sender that went away is what tests are about
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def do_POST(self) -> None:
        signal = self.path.partition("?")[0].rpartition("/")[2]
        if signal not in REQUESTS:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        length = int(self.headers.get("content-length", "0"))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(signal, self.path, headers, lambda: self.rfile.read(length), client=_peer(self.connection))
        reply = self.server.answer(request)
        if reply.reset == "unread":
            self._reset()
            return
        request.raw  # noqa: B018 - reads the body: the next request of the connection begins behind it
        if not reply.answers:
            self.rfile.read(1)  # until the sender goes away or the sink stops
            self.close_connection = True
        elif not (reply.delay and self.server.stopping.wait(reply.delay)):
            self._send(reply, _response(request, reply), request.headers.get("content-type", ""))

    def _send(self, reply: Reply, body: bytes, media: str) -> None:
        if reply.reset == "read":
            self._reset()
            return
        reason = HTTPStatus(reply.status).phrase if reply.status in list(HTTPStatus) else "Unknown"
        headers = {"Content-Type": media, "Content-Length": str(len(body)), **reply.headers}
        if reply.retry_after is not None:
            headers["Retry-After"] = str(reply.retry_after)
        if reply.closes:
            headers["Connection"] = "close"
            self.close_connection = True
        lines = [f"HTTP/1.1 {reply.status} {reason}", *(f"{name}: {value}" for name, value in headers.items())]
        data = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        if reply.reset == "midway":
            self.wfile.write(data[: len(data) // 2])
            self._reset()
        elif reply.drip:
            for position in range(len(data)):
                self.wfile.write(data[position : position + 1])
                if self.server.stopping.wait(reply.drip):
                    break
        else:
            self.wfile.write(data)

    def _reset(self) -> None:
        self.close_connection = True
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        os.close(self.connection.detach())

    def log_message(self, *_arguments: object) -> None:
        """Say nothing."""


def _response(request: Request, reply: Reply) -> bytes:
    """The body that OTLP prescribes for the answer, unless the reply brings its own."""
    if reply.body is not None:
        return reply.body
    message: Any
    if reply.accepts:
        kind, field = RESPONSES[request.signal]
        message = kind()
        if reply.rejected or reply.message:
            setattr(message.partial_success, field, reply.rejected)
            message.partial_success.error_message = reply.message
    else:
        message = Status(message=reply.message)
    return json_format.MessageToJson(message).encode() if request.is_json else bytes(message.SerializeToString())


def _peer(connection: Any) -> str | None:
    """The name in the client's certificate."""
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    names: Any = (certificate or {}).get("subjectAltName", ())
    return next((str(name) for _, name in names), None)
