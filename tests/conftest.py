"""What holds around every test: loopback only, no leaked threads, a clean environment, no providers left behind."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading
import time

import hypothesis
import pytest

from aumos_otel import testing

# A shell's background job ignores SIGINT, and so would every program that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no finding.
hypothesis.settings.register_profile("clockless", deadline=None)
hypothesis.settings.load_profile("clockless")

#: Seconds that a test's threads have to end after it.
THREAD_DEADLINE = 2.0
#: Names of threads that telemetry starts; they may be daemons, but must not outlive their pipeline.
TELEMETRY_THREADS = ("aumos", "Otel", "opentelemetry", "PeriodicExporting")

_real_connect = socket.socket.connect
_real_connect_ex = socket.socket.connect_ex
_real_getaddrinfo = socket.getaddrinfo
_forbidden: list[str] = []


def is_local(host: object) -> bool:
    """Whether an address stays on this machine; a name other than localhost does not."""
    if host in {None, "", "localhost", b"localhost"}:
        return True
    text = host.decode() if isinstance(host, bytes) else str(host)
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def refuse(host: object) -> None:
    """Remember and refuse an attempt to leave the machine."""
    _forbidden.append(str(host))
    msg = f"tests reach loopback only; this one tried {host!r}"
    raise OSError(msg)


def check_address(sock: socket.socket, address: object) -> None:
    """Refuse an Internet address that is not loopback; other families (unix, netlink) stay on the machine."""
    if sock.family in {socket.AF_INET, socket.AF_INET6} and not is_local(address[0]):
        refuse(address[0])


def guarded_connect(sock: socket.socket, address: object) -> None:
    """`socket.connect`, loopback only."""
    check_address(sock, address)
    _real_connect(sock, address)


def guarded_connect_ex(sock: socket.socket, address: object) -> int:
    """`socket.connect_ex`, loopback only."""
    check_address(sock, address)
    return _real_connect_ex(sock, address)


def guarded_getaddrinfo(host: object, *args: object, **kwargs: object) -> list:
    """`socket.getaddrinfo`, without asking a name server."""
    if not is_local(host):
        refuse(host)
    return _real_getaddrinfo(host, *args, **kwargs)


@pytest.fixture(autouse=True, scope="session")
def _loopback_only() -> object:
    """Patch Python's sockets for the whole run, so that background threads are held to it too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def _stays_on_this_machine() -> object:
    """Fail a test whose code tried to leave the machine, even when the error was swallowed."""
    _forbidden.clear()
    yield
    assert not _forbidden, f"tried to reach {sorted(set(_forbidden))}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Hide the developer's own variables, proxies and running local backend from the test."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AUMOS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("AUMOS_OTEL_STATE_DIR", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start processes without coverage: its lock may be held by another thread at a fork, and the child would hang."""
    for name in list(os.environ):
        if name.startswith("COVERAGE_"):
            monkeypatch.delenv(name)


def leaked(before: set[threading.Thread]) -> list[threading.Thread]:
    """New threads that still run and should not: all but foreign daemons."""
    return [
        thread
        for thread in set(threading.enumerate()) - before
        if not thread.daemon or thread.name.startswith(TELEMETRY_THREADS)
    ]


@pytest.fixture(autouse=True)
def _no_leftovers(_clean_environment: None) -> object:
    """Take down what the test configured, then fail if a thread of it outlives the deadline."""
    before = set(threading.enumerate())
    yield
    testing.reset()
    deadline = time.monotonic() + THREAD_DEADLINE
    while leaked(before) and time.monotonic() < deadline:  # not join(): one of them may be about to start
        threading.Event().wait(0.01)
    assert not leaked(before), f"threads outlive the test: {leaked(before)}"
