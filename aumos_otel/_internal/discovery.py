"""Where a running local backend is: a small file, never a probe of the network.

``aumos-otel ui`` writes it, ``configure()`` reads it when no endpoint is set.  The file is
believed only if its directory and itself belong to this user and to nobody else, and if the
process that wrote it still runs: a stale file must not redirect anybody's telemetry.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import stat
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

#: Overrides the directory of the state file.
STATE_DIR_VARIABLE = "AUMOS_OTEL_STATE_DIR"

_FILE_NAME = "local.json"
_MAX_BYTES = 64 * 1024
#: Start times are derived from the boot time, which moves a little when the clock is set.
_START_TOLERANCE = 2.0


@dataclass(frozen=True, slots=True)
class LocalBackend:
    """A local backend that runs on this machine.

    Attributes:
        pid: its process.
        started: when that process started, seconds since the epoch; tells a reused pid apart.
        otlp: base URL of its OTLP/HTTP receiver, e.g. ``http://127.0.0.1:4318``.
        ui: base URL of its page, e.g. ``http://127.0.0.1:4319``.
        token: what the page and its API ask for.
    """

    pid: int
    started: float
    otlp: str
    ui: str
    token: str = dataclasses.field(repr=False)


def state_path() -> Path:
    """The state file: in ``$AUMOS_OTEL_STATE_DIR``, ``$XDG_RUNTIME_DIR/aumos-otel``, or a private temporary directory."""
    chosen = os.environ.get(STATE_DIR_VARIABLE)
    if chosen:
        return Path(chosen) / _FILE_NAME
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "aumos-otel" / _FILE_NAME
    return Path(tempfile.gettempdir()) / f"aumos-otel-{_uid()}" / _FILE_NAME


def read() -> LocalBackend | None:
    """The running local backend, or None if there is none that can be trusted."""
    try:
        path = state_path()
        if not _is_private(path.parent.lstat()):
            return None
        content = read_private(path)
        backend = _parse(content) if content is not None else None
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return None
    return backend if backend is not None and is_running(backend.pid, backend.started) else None


def write(backend: LocalBackend) -> None:
    """Publish ``backend``, replacing an older file at once.

    Raises:
        OSError: the directory cannot be made, or is open to other users.
    """
    publish(state_path(), json.dumps(dataclasses.asdict(backend)))


def publish(path: Path, content: str) -> None:
    """Write a file of the state directory, replacing an older one at once.

    Raises:
        OSError: the directory cannot be made, or is open to other users.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_private(path.parent.lstat()):
        raise PermissionError(f"{path.parent} must be a directory of this user with mode 0700")
    descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=".new-")  # mkstemp: 0600 from the first moment
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(content)
        os.replace(temporary, path)  # noqa: PTH105 - both are names of the same directory
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108 - the name came from mkstemp
        raise


def remove() -> None:
    """Withdraw the file if this process wrote it."""
    try:
        content = read_private(state_path())
        if content is not None and json.loads(content)["pid"] == os.getpid():
            state_path().unlink()
    except (OSError, ValueError, TypeError, KeyError):
        return


def process_start(pid: int) -> float | None:
    """When process ``pid`` started, seconds since the epoch; None where the system does not tell (not Linux)."""
    try:
        # The command name is in parentheses and may hold spaces and parentheses itself.
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        if fields[0] in {"Z", "X"}:
            return 0.0  # it has ended and waits for its parent: no start time on record matches
        kernel = Path("/proc/stat").read_text(encoding="utf-8")
        booted = next(line for line in kernel.splitlines() if line.startswith("btime "))
        return int(booted.split()[1]) + int(fields[19]) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError, StopIteration, AttributeError):
        return None


def _uid() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0


def _is_private(status: os.stat_result) -> bool:
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
        return False
    if sys.platform == "win32":  # the profile's access list protects it; there are no mode bits
        return True
    return status.st_uid == _uid() and not status.st_mode & 0o077


def read_private(path: Path, limit: int = _MAX_BYTES) -> bytes | None:
    """The content of a file that is this user's and nobody else's, of at most ``limit`` bytes; else None."""
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0))
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(file.fileno())
        if not (stat.S_ISREG(status.st_mode) and _is_private(status)):
            return None
        content = file.read(limit + 1)
    return content if len(content) <= limit else None


def private_files(prefix: str) -> list[Path]:
    """The files of the state directory whose names begin with ``prefix``; none if it is open to other users."""
    directory = state_path().parent
    try:
        if not _is_private(directory.lstat()):
            return []
        return [path for path in directory.iterdir() if path.name.startswith(prefix)]
    except OSError:
        return []


def _parse(content: bytes) -> LocalBackend:
    """What the file says; raises ValueError or TypeError if that is not a backend of this machine."""
    fields: Any = json.loads(content)
    types: dict[str, Any] = {"pid": int, "started": (int, float), "otlp": str, "ui": str, "token": str}
    if not all(isinstance(fields[name], kind) for name, kind in types.items()):
        raise TypeError("a field of another type")
    if fields["pid"] <= 0 or not (_is_loopback(fields["otlp"]) and _is_loopback(fields["ui"])):
        raise ValueError("not a process of this machine")
    return LocalBackend(**{name: fields[name] for name in types})


def _is_loopback(url: str) -> bool:
    parts = urlsplit(url)
    return parts.scheme == "http" and parts.hostname in {"127.0.0.1", "localhost", "::1"} and parts.port is not None


def is_running(pid: int, started: float | None) -> bool:
    """Whether the process with this number is still the one that started then; unknown is no."""
    if sys.platform == "win32":  # signal 0 would end the process there; without a check nothing is believed
        return False
    try:
        os.kill(pid, 0)
    except PermissionError:
        return False  # alive, but another user's: a reused pid
    except (OSError, OverflowError):
        return False
    now = process_start(pid)
    return now is None or started is None or abs(now - started) <= _START_TOLERANCE
