"""TLS and proxies of the HTTP transport."""

from __future__ import annotations

import base64
import contextlib
import datetime as dt
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
import trustme
from servers.senders import spans
from servers.sockets import Listener
from servers.targets import http_target, soon

from aumos_otel.delivery.http import HTTPTransport
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.testing import TLS, OTLPSink

BODY = spans(1).SerializeToString()
PAST = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)


class Authority:
    """An authority that issues the files of a server at 127.0.0.1, or of a client."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._authority = trustme.CA()
        self.file = self._write("ca", self._authority.cert_pem)
        self._issued = 0

    def issue(self, name: str = "127.0.0.1", **options: object) -> tuple[Path, Path]:
        """Key and chain."""
        self._issued += 1
        leaf = self._authority.issue_cert(name, **options)
        return (
            self._write(f"key-{self._issued}", leaf.private_key_pem),
            self._write(f"chain-{self._issued}", leaf.cert_chain_pems[0]),
        )

    def _write(self, name: str, blob: trustme.Blob) -> Path:
        file = self._directory / f"{name}.pem"
        blob.write_to_path(file)
        return file


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    """An authority."""
    return Authority(tmp_path)


def send(url: str, **options: object) -> Outcome:
    """One request over a connection of its own."""
    transport = HTTPTransport(http_target(url, **options))
    try:
        return transport.send(BODY, soon())
    finally:
        transport.close()


def test_a_trusted_server(authority: Authority) -> None:
    """A server of the named authority gets the request, and the connection is kept."""
    with OTLPSink(tls=TLS(*authority.issue())) as sink:
        transport = HTTPTransport(http_target(sink.url, certificate=str(authority.file)))

        assert [transport.send(BODY, soon()) for _ in range(3)] == [Outcome("accepted")] * 3

        kept = transport._connection
        assert transport.send(BODY, soon()).kind == "accepted"
        assert transport._connection is kept
        transport.close()


def test_what_is_wrong_with_a_certificate(authority: Authority) -> None:
    """Expired, of an unknown authority, for another name: each is told as what it is, and nothing is sent."""
    cases = {
        "has expired": (authority.issue(not_after=PAST), str(authority.file)),
        "an authority that is not trusted": (authority.issue(), None),
        "for another name": (authority.issue("elsewhere.example"), str(authority.file)),
    }
    for words, (files, certificate) in cases.items():
        with OTLPSink(tls=TLS(*files)) as sink:
            outcome = send(sink.url, certificate=certificate)

            assert (outcome.kind, outcome.ambiguous, sink.arrived) == ("retry", False, 0)
            assert outcome.message.startswith(f"127.0.0.1:{sink.port}: its certificate ")
            assert words in outcome.message


def test_a_server_without_tls(authority: Authority) -> None:
    """https:// to a plain server says what to change."""
    with OTLPSink() as sink:
        outcome = send(sink.url.replace("http:", "https:"), certificate=str(authority.file))

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert "does not speak TLS" in outcome.message


def test_a_handshake_that_hangs(authority: Authority) -> None:
    """A server that accepts and says nothing is left at the deadline."""
    with Listener(None) as listener:
        transport = HTTPTransport(http_target(listener.url.replace("http:", "https:")))
        deadline = soon(0.4)
        outcome = transport.send(BODY, deadline)

        assert 0 <= time.monotonic() - deadline < 1.0
        assert (outcome.kind, outcome.ambiguous) == ("retry", False)


def test_the_authority_is_replaced(authority: Authority, tmp_path: Path) -> None:
    """An authority file that was rotated is used by the next connection, without a restart."""
    other = tmp_path / "other"
    other.mkdir()
    successor = Authority(other)
    with OTLPSink(tls=TLS(*authority.issue())) as sink:
        transport = HTTPTransport(http_target(sink.url, certificate=str(authority.file)))
        assert transport.send(BODY, soon()).kind == "accepted"
        sink.swap_certificate(TLS(*successor.issue()))
        transport.close()
        assert transport.send(BODY, soon()).kind == "retry"

        authority.file.write_bytes(successor.file.read_bytes())

        assert transport.send(BODY, soon()) == Outcome("accepted")
        transport.close()


def test_a_client_certificate(authority: Authority) -> None:
    """A server that asks for it sees who we are."""
    key, chain = authority.issue("client.example")
    with OTLPSink(tls=TLS(*authority.issue(), client_ca=authority.file)) as sink:
        outcome = send(sink.url, certificate=str(authority.file), client_key=str(key), client_certificate=str(chain))

        assert outcome == Outcome("accepted")
        assert sink.requests[0].client == "client.example"


def test_no_client_certificate(authority: Authority) -> None:
    """A server that asks in vain has not got the request, although the refusal comes after it was sent."""
    with OTLPSink(tls=TLS(*authority.issue(), client_ca=authority.file)) as sink:
        outcome = send(sink.url, certificate=str(authority.file))

        assert (outcome.kind, outcome.ambiguous, sink.arrived) == ("retry", False, 0)
        assert "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE" in outcome.message


class Proxy:
    """An HTTP proxy that passes on to one port, whatever it is asked for, and keeps the heads of its requests."""

    def __init__(self, port: int, refusal: bytes = b"") -> None:
        self._port, self._refusal = port, refusal
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self.heads: list[bytes] = []
        self.url = f"http://user:p%40ss@127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        for opened in [self._listener, *self._open]:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join()
        for opened in [self._listener, *self._open]:
            opened.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._open.append(client)
                self._serve(client)

    def _serve(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            head += client.recv(65536)
        self.heads.append(head)
        if self._refusal:
            client.sendall(self._refusal)
            return
        server = socket.create_connection(("127.0.0.1", self._port))
        self._open.append(server)
        if head.startswith(b"CONNECT"):
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        else:
            server.sendall(head)
        for source, goal in ((client, server), (server, client)):
            thread = threading.Thread(target=self._pump, args=(source, goal))
            self._threads.append(thread)
            thread.start()

    @staticmethod
    def _pump(source: socket.socket, goal: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                goal.sendall(data)
            goal.shutdown(socket.SHUT_WR)


@pytest.fixture
def proxied(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Proxy]]:
    """Starts a proxy and names it in a variable."""
    with contextlib.ExitStack() as stack:

        def start(variable: str, port: int, refusal: bytes = b"") -> Proxy:
            proxy = stack.enter_context(Proxy(port, refusal))
            monkeypatch.setenv(variable, proxy.url)
            return proxy

        yield start


def test_plain_through_a_proxy(proxied: Callable[..., Proxy]) -> None:
    """Over http the proxy gets the whole URL, and its credentials; the host is resolved there."""
    with OTLPSink() as sink:
        proxy = proxied("http_proxy", sink.port)

        assert send("http://collector.example:4318") == Outcome("accepted")

    (head,) = proxy.heads
    assert head.startswith(b"POST http://collector.example:4318/v1/traces HTTP/1.1\r\n")
    assert b"proxy-authorization: Basic " + base64.b64encode(b"user:p@ss") in head
    assert b"host: collector.example:4318" in head


def test_tls_through_a_proxy(proxied: Callable[..., Proxy], authority: Authority) -> None:
    """Over https the proxy passes bytes through, and sees neither headers nor body."""
    with OTLPSink(tls=TLS(*authority.issue("collector.example"))) as sink:
        proxy = proxied("https_proxy", sink.port)

        outcome = send(
            "https://collector.example:4318", certificate=str(authority.file), headers={"authorization": "hush"}
        )

    assert outcome == Outcome("accepted")
    (head,) = proxy.heads
    assert head.startswith(b"CONNECT collector.example:4318 HTTP/1.1\r\n")
    assert b"hush" not in head


def test_a_proxy_that_refuses(proxied: Callable[..., Proxy]) -> None:
    """A proxy that wants other credentials is named; nothing was sent."""
    proxied("https_proxy", 9, b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n")

    outcome = send("https://collector.example:4318")

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert outcome.message.startswith("the proxy 127.0.0.1:")
    assert "407" in outcome.message


@pytest.mark.parametrize("no_proxy", ["127.0.0.1", "*", "127.0.0.0/8", "x.example, 127.0.0.1"])
def test_no_proxy(no_proxy: str, proxied: Callable[..., Proxy], monkeypatch: pytest.MonkeyPatch) -> None:
    """Hosts, and networks, that no_proxy names are reached directly."""
    with OTLPSink() as sink:
        proxy = proxied("http_proxy", 9)
        monkeypatch.setenv("no_proxy", no_proxy)

        assert send(sink.url) == Outcome("accepted")

    assert proxy.heads == []


def test_a_proxy_of_another_kind(monkeypatch: pytest.MonkeyPatch) -> None:
    """A proxy that does not speak HTTP is told, not passed by: the direct way may not be allowed."""
    monkeypatch.setenv("http_proxy", "socks5://127.0.0.1:1080")

    outcome = send("http://collector.example:4318")

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert "socks5://" in outcome.message
