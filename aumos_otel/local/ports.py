"""Listening sockets on loopback: the wished port, or the next free one and who holds the wished one."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aumos_otel._internal import discovery
from aumos_otel.errors import LocalBackendError

if TYPE_CHECKING:
    from collections.abc import Collection

HOST: Final = "127.0.0.1"
_TRIES: Final = 50
_LISTENING: Final = "0A"  # state column of /proc/net/tcp


def listen(port: int, *, avoid: Collection[int] = ()) -> tuple[socket.socket, str | None]:
    """A listening socket on ``port`` or the next free port, and a note if the wished one was taken.

    Args:
        port: the wished port; 0 takes any free one.
        avoid: ports that another part of the backend wants.

    Raises:
        LocalBackendError: none of the next ports is free.
    """
    for candidate in [port] if port == 0 else range(port, min(port + _TRIES, 65536)):
        if candidate in avoid and candidate != port:
            continue
        with contextlib.suppress(OSError):
            listener = _bind(candidate)
            taken = listener.getsockname()[1]
            return listener, None if port in {0, taken} else f"port {port} is held by {owner(port)}; taking {taken}"
    raise LocalBackendError(
        "port",
        seen=port,
        expected=f"a free port among the {_TRIES} from there",
        remedy="choose another with --otlp-port or --ui-port",
    )


def owner(port: int) -> str:
    """Who listens on ``port`` of this machine, as far as it can be told."""
    backend = discovery.read()
    if backend is not None and any(url.endswith(f":{port}") for url in (backend.otlp, backend.ui)):
        return f"a running aumos-otel local backend (pid {backend.pid})"
    for inode in _listening_inodes(port):
        holder = _process_with(f"socket:[{inode}]")
        if holder is not None:
            return holder
    return "another process"


def _bind(port: int) -> socket.socket:
    # With the protocol named, asyncio sets TCP_NODELAY on what it accepts; without, each answer waits 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if os.name == "posix":  # a port in TIME_WAIT is free; elsewhere the option would share a port in use
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((HOST, port))
        listener.listen(1024)
    except BaseException:
        listener.close()
        raise
    return listener


def _listening_inodes(port: int) -> list[str]:
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text(encoding="ascii").splitlines()[1:]:
                fields = line.split()
                if fields[3] == _LISTENING and int(fields[1].rpartition(":")[2], 16) == port:
                    found.append(fields[9])
    return found


def _process_with(link: str) -> str | None:
    """The process that has ``link`` open; other users' processes cannot be looked into."""
    for directory in Path("/proc").glob("[0-9]*/fd"):
        try:
            if any(os.readlink(entry) == link for entry in directory.iterdir()):  # noqa: PTH115 - not a path that exists
                pid = directory.parent.name
                command = (directory.parent / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
                return f"pid {pid} ({command.strip()[:80] or 'unknown command'})"
        except OSError:
            continue
    return None
