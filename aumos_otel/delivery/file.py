"""OTLP-JSON files: a line for each request, files of bounded size, and no line ever torn or mixed with another.

Several processes may write the same file.  A lock file beside it says whose turn it is; its time of
modification says when the current file was begun.  Nothing stays open between two requests, so it does
not matter who renamed or deleted the file, or which process forked.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from aumos_otel import guard
from aumos_otel.delivery import otlp_json
from aumos_otel.delivery.outcome import Outcome

try:
    import fcntl
except ImportError:  # Windows: there, a file belongs to one process
    fcntl = None  # type: ignore[assignment] # a module, or nothing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.config import OTLPFile, Signal

#: Only the user whose process it is may read what may be confidential.
_MODE: Final = 0o600
#: Seconds between two attempts to get the lock.
_POLL: Final = 0.005


class FileTransport:
    """Appends the requests of one signal to a file.

    Args:
        signal: what is written.
        options: the destination, resolved.
    """

    def __init__(self, signal: Signal, options: OTLPFile) -> None:
        self._signal: Signal = signal
        self._path = Path(options.path).absolute()
        self._lock = self._path.with_name(self._path.name + ".lock")
        self._options = options

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Append one line; see `aumos_otel.delivery.outcome.Transport`."""
        with guard.swallow("delivery.file"):
            try:
                line = otlp_json.from_protobuf(self._signal, body) + b"\n"
            except ValueError as error:
                return Outcome("rejected", message=str(error))
            try:
                with self._turn(deadline) as begun:
                    self._rotate_for(len(line), begun)
                    self._append(line)
            except OSError as error:
                return Outcome("retry", message=f"{self._path}: {error.strerror or error}")
            return Outcome("accepted")
        return Outcome("retry", message="an internal error of the file; see the log", ambiguous=True)

    def close(self) -> None:
        """Nothing is open."""

    @contextmanager
    def _turn(self, deadline: float) -> Iterator[int]:
        """Hold the lock; yields when the current file was begun, in nanoseconds since the epoch."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = os.open(self._lock, os.O_RDWR | os.O_CREAT, _MODE)
        try:
            while fcntl is not None:
                try:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() >= deadline:
                        raise TimeoutError("another process holds the lock") from None
                    time.sleep(_POLL)
            yield os.fstat(lock).st_mtime_ns
        finally:
            if fcntl is not None:
                with suppress(OSError):
                    fcntl.flock(lock, fcntl.LOCK_UN)  # closing is not enough where a forked child has it, too
            os.close(lock)

    def _rotate_for(self, size: int, begun: int) -> None:
        """Make room: rename the file when ``size`` more bytes, or its age, are too much."""
        try:
            present = self._path.stat().st_size
        except FileNotFoundError:
            os.utime(self._lock)
            return
        max_age = self._options.max_age
        old = max_age is not None and time.time_ns() - begun > max_age * 1e9
        if not present or not (old or present + size > self._options.max_bytes):
            return
        for number in range(self._options.backups, 1, -1):
            with suppress(FileNotFoundError):
                self._backup(number - 1).replace(self._backup(number))
        if self._options.backups:
            self._path.replace(self._backup(1))
        else:
            self._path.unlink()
        os.utime(self._lock)

    def _backup(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")

    def _append(self, line: bytes) -> None:
        """Write the line as a whole or not at all.

        Raises:
            OSError: it was not written, e.g. because the disk is full.
        """
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        file = os.open(self._path, flags, _MODE)
        try:
            state = os.fstat(file)
            if not stat.S_ISREG(state.st_mode):
                raise OSError("it is no regular file")
            if state.st_size and os.pread(file, 1, state.st_size - 1) != b"\n":
                line = b"\n" + line  # somebody died in the middle of a line
            _write_whole(file, line, state.st_size)
        finally:
            os.close(file)


def _write_whole(file: int, line: bytes, size: int) -> None:
    """Append to a file of ``size`` bytes; what was written of a line that does not fit is taken back."""
    written = 0
    try:
        written = os.write(file, line)
    finally:
        if written < len(line):
            os.ftruncate(file, size)
    if written < len(line):
        raise OSError("no space left for a whole line")
