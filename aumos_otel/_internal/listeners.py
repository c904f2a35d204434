"""Which process listens on a TCP port of this machine, as far as Linux lets us read it."""

from __future__ import annotations

from pathlib import Path

_LISTENING = "0A"


def owner_of(port: int) -> str | None:
    """``"pid 4711 (uvicorn)"`` for the process that listens on ``port``; None when it cannot be told."""
    wanted = {f"socket:[{inode}]" for inode in _inodes(port)}
    if not wanted:
        return None
    for directory in Path("/proc").iterdir():
        if directory.name.isdigit() and _holds(directory, wanted):
            return f"pid {directory.name} ({_command(directory)})"
    return None


def _inodes(port: int) -> set[str]:
    found: set[str] = set()
    for table in ("tcp", "tcp6"):
        try:
            rows = Path("/proc/net", table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:  # not Linux
            continue
        for row in rows:
            columns = row.split()
            if columns[3] == _LISTENING and int(columns[1].rpartition(":")[2], 16) == port:
                found.add(columns[9])
    return found


def _holds(directory: Path, sockets: set[str]) -> bool:
    try:
        return any(str(descriptor.readlink()) in sockets for descriptor in (directory / "fd").iterdir())
    except OSError:  # another user's process, or one that has just ended
        return False


def _command(directory: Path) -> str:
    try:
        return (directory / "comm").read_text(encoding="utf-8", errors="replace").strip()
    except OSError:  # it has just ended
        return "?"
