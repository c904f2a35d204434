"""A log that loses nothing and that nobody changes unseen: synced records, each sealed to the one before.

Each record is kept with the hash of its predecessor.  Who changes, removes or inserts a record breaks
the chain from there on; who cuts the end off is found by comparing `AuditLog.head` with what was noted elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from hashlib import sha256
from typing import TYPE_CHECKING, Final, NamedTuple

from aumos_otel.errors import ConfigError, SpoolError
from aumos_otel.spool import segment
from aumos_otel.spool.directory import Directory, prepare_root

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

#: Bytes of one segment.
SEGMENT_BYTES: Final = 4 * 1024 * 1024
#: What the first record is sealed to.
GENESIS: Final = bytes(32)


class Entry(NamedTuple):
    """One record of the log.

    Attributes:
        record: what was appended; None where the file is damaged.
        sealed: the hash of the predecessor that it was kept with.
        torn: whether the file ends within it: its `append` never came back.
    """

    record: bytes | None
    sealed: bytes = GENESIS
    torn: bool = False


class Verdict(NamedTuple):
    """What `verify` found.

    Attributes:
        records: records that are whole and in their place, from the first on.
        head: the hash of the last of them.
        broken: what is wrong with the next one; empty if there is none or it is well.
    """

    records: int
    head: bytes
    broken: str


class AuditLog:
    """An append-only log in a directory of its own, with one writer.

    Args:
        path: the directory; made if it is missing.

    Raises:
        SpoolError: another process writes it, the disk refuses, or the log is broken.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._active: int | None = None
        self._size = 0
        try:
            prepare_root(path)
            directory = Directory.claim(path)
        except (OSError, ConfigError) as error:
            raise _refused(path, error) from error
        if directory is None:
            raise SpoolError(
                f"audit log {path}",
                seen="a process that writes it",
                expected="one writer",
                remedy="give each process a directory of its own",
            )
        self._directory = directory
        verdict = verify(path)
        if verdict.broken:
            directory.release()
            raise SpoolError(
                f"audit log {path}",
                seen=verdict.broken,
                expected="records that are sealed one to the next",
                remedy="keep the directory as evidence and name another",
            )
        #: The hash of the last record.
        self.head = verdict.head
        segments = directory.segments()
        self._number = segments[-1][0] if segments else 0

    def append(self, record: bytes) -> bytes:
        """Keep ``record``; it is on the disk when this returns.

        Returns:
            Its hash, which the next record is sealed to.

        Raises:
            SpoolError: the disk refuses; the record is not in the log.
        """
        with self._lock:
            frame = segment.frame("audit", self.head + record, 1, time.time_ns())
            try:
                self._append(frame)
            except OSError as error:
                self._finish()  # should a part have stayed, nothing is written after it
                raise _refused(self._directory.path, error) from error
            self.head = seal(self.head, record)
            return self.head

    def _append(self, frame: bytes) -> None:
        if self._active is None or self._size + len(frame) > SEGMENT_BYTES:
            self._finish()
            # After a start always a new file: the end of the last one may be torn.
            self._number += 1
            self._active = segment.create(self._directory.segment_path(self._number))
            self._size = segment.FIRST
            self._directory.sync()
        segment.append(self._active, frame, self._size)
        try:
            os.fsync(self._active)
        except OSError:
            os.ftruncate(self._active, self._size)
            raise
        self._size += len(frame)

    def _finish(self) -> None:
        descriptor, self._active = self._active, None
        if descriptor is not None:
            os.close(descriptor)

    def close(self) -> None:
        """Let another process write the log."""
        with self._lock:
            self._finish()
            self._directory.release()


def seal(previous: bytes, record: bytes) -> bytes:
    """The hash of a record that follows the record with hash ``previous``."""
    return sha256(previous + record).digest()


def read(path: Path) -> Iterator[Entry]:
    """The records of the log in ``path``, in order; also while it is written.

    Raises:
        SpoolError: the disk refuses.
    """
    try:
        for _number, file in Directory(path, -1).segments():
            descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            with contextlib.closing(os.fdopen(descriptor, "rb")):
                if segment.version(descriptor) != segment.VERSION:
                    yield Entry(None, torn=os.fstat(descriptor).st_size < segment.FIRST)
                    continue
                for piece in segment.walk(descriptor, segment.FIRST, os.fstat(descriptor).st_size):
                    yield _entry(descriptor, piece)
    except OSError as error:
        raise _refused(path, error) from error


def verify(path: Path) -> Verdict:
    """Whether every record is sealed to the one before it.

    Raises:
        SpoolError: the disk refuses.
    """
    count, head = 0, GENESIS
    for entry in read(path):
        if entry.torn:  # never acknowledged; the next file goes on from where it was
            continue
        if entry.record is None:
            return Verdict(count, head, f"record {count + 1} is damaged")
        if entry.sealed != head:
            return Verdict(count, head, f"record {count + 1} does not follow record {count}")
        count, head = count + 1, seal(head, entry.record)
    return Verdict(count, head, "")


def _entry(descriptor: int, piece: segment.Piece) -> Entry:
    payload = segment.payload(descriptor, piece)
    if payload is None or len(payload) < len(GENESIS):
        end = os.fstat(descriptor).st_size
        return Entry(None, torn=piece.torn or (piece.header is None and end - piece.start < segment.OVERHEAD))
    return Entry(payload[len(GENESIS) :], payload[: len(GENESIS)])


def _refused(path: Path, error: Exception) -> SpoolError:
    return SpoolError(
        f"audit log {path}",
        seen=f"{type(error).__name__}: {error}",
        expected="a directory of this user that can be written",
        remedy="free disk space, or correct the directory's owner or mode",
    )
