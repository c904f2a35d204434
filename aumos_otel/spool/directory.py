"""Where segments lie, and who owns them: ``<root>/<service>/<destination>/<signal>/<process>/``.

Each process writes a directory of its own and holds a lock in it.  A directory whose lock is free was
left by a process that ended, and belongs to the first who takes the lock.  The lock is `flock`'s: it
goes with the process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import sys
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Final

from aumos_otel._internal.discovery import process_start
from aumos_otel.errors import ConfigError

try:
    import fcntl
except ImportError:  # Windows: there is no spool there, see `check_root`
    fcntl = None  # type: ignore[assignment] # a module, or nothing

_LOCK: Final = "lock"
_ACKNOWLEDGED: Final = "acknowledged"
_SEGMENT: Final = re.compile(r"(\d{6,})\.seg")
_UNSAFE: Final = re.compile(rb"[^a-z0-9._-]|\A\.")
_LONGEST_NAME: Final = 200
_OTHERS_MAY_WRITE: Final = stat.S_IWGRP | stat.S_IWOTH


def default_root() -> Path:
    """``spool`` in ``$XDG_STATE_HOME/aumos-otel``, or in ``~/.local/state/aumos-otel``."""
    state = os.environ.get("XDG_STATE_HOME")
    return (Path(state) if state else Path.home() / ".local" / "state") / "aumos-otel" / "spool"


def prepare_root(root: Path) -> None:
    """Make ``root`` if it is missing, and see that nobody else can write in it.

    Raises:
        ConfigError: it is another user's, others may write in it, or the system has no `flock`.
        OSError: it cannot be made.
    """
    if sys.platform == "win32":
        raise ConfigError("spool", seen=sys.platform, expected="a POSIX system", remedy="leave spool out")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    check_root(root)


def check_root(root: Path) -> None:
    """See that nobody else can write in ``root``: what lies there is sent in this process's name.

    Raises:
        ConfigError: it is another user's, or others may write in it.
        OSError: it is not there.
    """
    status = root.stat()
    if status.st_uid != os.geteuid() or status.st_mode & _OTHERS_MAY_WRITE:
        raise ConfigError(
            "spool.directory",
            seen=f"{root}, mode {stat.S_IMODE(status.st_mode):04o}, owner {status.st_uid}",
            expected=f"a directory of user {os.geteuid()} in which nobody else may write",
            remedy="name a subdirectory, which is then made with mode 0700, or run: chmod go-w on it",
        )


def place(root: Path, service: str, destination: str, signal: str) -> Path:
    """The directory of one signal to one destination, under which each process has its own."""
    return root / file_name(service) / file_name(destination) / file_name(signal)


def file_name(name: str) -> str:
    """A file name for ``name``; two names never share one, also where upper and lower case are the same."""
    safe = _UNSAFE.sub(lambda found: b"%%%02x" % found[0][0], name.encode("utf-8", "surrogatepass")).decode("ascii")
    if len(safe) > _LONGEST_NAME:
        digest = sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{safe[:_LONGEST_NAME]}%-{digest[:32]}"
    return safe or "%"


class Directory:
    """One process directory, owned through its lock until `release`."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock

    @classmethod
    def create(cls, parent: Path) -> Directory:
        """A new directory of this process below ``parent``.

        Raises:
            OSError: the disk refuses.
        """
        parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        for made in (parent, parent.parent, parent.parent.parent):  # mkdir's mode is for the last of them alone
            if stat.S_IMODE(made.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
                made.chmod(0o700)
        started = int(process_start(os.getpid()) or 0)
        while True:
            path = parent / f"{os.getpid()}-{started}-{secrets.token_hex(4)}"
            path.mkdir(mode=0o700)
            directory = cls.claim(path)
            if directory is not None:  # else somebody took the empty directory for an orphan, and removed it
                return directory

    @classmethod
    def claim(cls, path: Path) -> Directory | None:
        """Take over ``path``; None if its owner lives or it is gone.

        Raises:
            OSError: the disk refuses.
        """
        name = path / _LOCK
        try:
            lock = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # The owner before us may have removed the directory after we opened the file.
            if os.path.samestat(os.fstat(lock), os.stat(name)):  # noqa: PTH116 - beside fstat
                return cls(path, lock)
        except (BlockingIOError, FileNotFoundError):
            pass
        except BaseException:
            os.close(lock)
            raise
        os.close(lock)
        return None

    def segments(self) -> list[tuple[int, Path]]:
        """The segments by number, oldest first."""
        found = ((_SEGMENT.fullmatch(entry.name), entry) for entry in self.path.iterdir())
        return sorted((int(match[1]), entry) for match, entry in found if match)

    def segment_path(self, number: int) -> Path:
        """Where the segment of that number is."""
        return self.path / f"{number:06}.seg"

    def acknowledged(self) -> tuple[int, int]:
        """The segment, and the offset in it, before which everything is done with; (0, 0) if nothing is known."""
        try:
            number, offset, check = (self.path / _ACKNOWLEDGED).read_text("ascii").split()
            if zlib.crc32(f"{number} {offset}".encode()) == int(check):
                return int(number), int(offset)
        except (OSError, ValueError):
            pass
        return 0, 0

    def acknowledge(self, number: int, offset: int) -> None:
        """Write down that everything before ``offset`` in segment ``number`` is done with.

        A failure is no loss: what is not known to be done is sent again.
        """
        text = f"{number} {offset}"
        temporary = self.path / f"{_ACKNOWLEDGED}.tmp"
        with contextlib.suppress(OSError):
            descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(f"{text} {zlib.crc32(text.encode())}\n")
            temporary.replace(self.path / _ACKNOWLEDGED)

    def sync(self) -> None:
        """Make the names in the directory survive a power cut.

        Raises:
            OSError: the disk refuses.
        """
        for path in (self.path / _ACKNOWLEDGED, self.path):
            with contextlib.suppress(FileNotFoundError):
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)

    def remove(self) -> None:
        """Release the directory, and delete it if nothing is kept in it."""
        with contextlib.suppress(OSError):
            names = [entry.name for entry in self.path.iterdir()]
            if not any(".seg" in name for name in names):
                for name in names:
                    (self.path / name).unlink()
                self.path.rmdir()
        self.release()

    def release(self) -> None:
        """Let the lock go: the next who asks has the directory.

        In a forked child this lets go of nothing: the lock is held as long as the parent holds it.
        """
        lock, self._lock = self._lock, -1
        if lock >= 0:
            os.close(lock)


def process_directories(parent: Path) -> list[Path]:
    """The directories of all processes below a `place`.

    Raises:
        OSError: they cannot be listed.
    """
    try:
        return sorted(entry for entry in parent.iterdir() if entry.is_dir() and not entry.is_symlink())
    except FileNotFoundError:
        return []
