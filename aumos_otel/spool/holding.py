"""One owned directory in use: segments are appended to at the end, handed out and done with from the front."""

from __future__ import annotations

import contextlib
import errno
import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from aumos_otel.semconv import attributes
from aumos_otel.spool import segment

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from aumos_otel.spool.directory import Directory

    #: Takes the bytes of a request; returns what is left of it, and how many records were removed.
    Strip = Callable[[bytes], tuple[bytes, int]]
    #: Told the reason and the number of records whenever some are gone.
    Lost = Callable[[str, int], None]

CORRUPT: Final = attributes.AUMOS_OTEL_REASON_SPOOL_CORRUPT
EXPIRED: Final = attributes.AUMOS_OTEL_REASON_SPOOL_EXPIRED
FULL: Final = attributes.AUMOS_OTEL_REASON_SPOOL_FULL
#: A segment that is done with is left from this part of its size on.
_EARLY: Final = 8


@dataclass(slots=True, eq=False)
class Segment:
    """What is known of one file.

    Attributes:
        number: its place in the order.
        path: where it is.
        size: bytes of it that may be read.
        cursor: offset of the next frame to hand out.
        records: records that are neither done with nor lost.
        underway: frames that were handed out and are not done with, by offset.
    """

    number: int
    path: Path
    size: int
    cursor: int = segment.FIRST
    records: int = 0
    underway: dict[int, segment.Piece] = field(default_factory=dict)

    @property
    def acknowledged(self) -> int:
        """The offset before which every frame is done with."""
        return min(self.underway, default=self.cursor)

    @property
    def unclaimed(self) -> int:
        """Records that are not underway."""
        return self.records - sum(piece.records for piece in self.underway.values())


class Found(NamedTuple):
    """A frame that was handed out."""

    segment: Segment
    piece: segment.Piece
    header: segment.Header
    body: bytes


class Holding:
    """The segments of one directory.  It has no lock of its own: the spool's guards it.

    Args:
        directory: the owned directory.
        lost: told of records that are gone.
        adopted: whether another process wrote it.
    """

    def __init__(self, directory: Directory, lost: Lost, *, adopted: bool = False) -> None:
        self.directory = directory
        self.lost = lost
        self.adopted = adopted
        self.segments: list[Segment] = []
        #: When the oldest of what was loaded was kept, nanoseconds since the epoch.
        self.oldest_ns = 0
        #: Files of a format that this version does not know; they were renamed and are left alone.
        self.set_aside: list[Path] = []
        self._active: int | None = None
        self._next_number = 1

    def load(self) -> int:
        """Look through what an ended process left; returns how many records there are, those that are lost included.

        Raises:
            OSError: the disk refuses.
        """
        number, offset = self.directory.acknowledged()
        total = 0
        for found, path in self.directory.segments():
            self._next_number = found + 1
            if found < number:
                path.unlink()
                continue
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
            try:
                version = segment.version(descriptor)
                if version in {None, segment.VERSION}:
                    start = max(offset, segment.FIRST) if found == number else segment.FIRST
                    total += self._take(found, path, descriptor, start)
                else:  # where an older version would be read as what it is
                    self._set_aside(path, version)
            finally:
                os.close(descriptor)
        return total

    def _take(self, number: int, path: Path, descriptor: int, start: int) -> int:
        known = Segment(number, path, os.fstat(descriptor).st_size, start)
        gone = 0
        for piece in segment.walk(descriptor, start, known.size):
            if piece.header is None or piece.torn:
                gone += piece.records
            else:
                known.records += piece.records
                self.oldest_ns = self.oldest_ns or piece.header.created_ns
        if gone:
            self.lost(CORRUPT, gone)
        self.segments.append(known)
        self._drop_if_done(known)
        return known.records + gone

    def _set_aside(self, path: Path, version: int | None) -> None:
        target = path.with_name(f"{path.name}.unreadable-v{version}")
        path.rename(target)
        self.set_aside.append(target)

    @property
    def records(self) -> int:
        """Records that are neither done with nor lost."""
        return sum(known.records for known in self.segments)

    @property
    def size(self) -> int:
        """Bytes on disk."""
        return sum(known.size for known in self.segments)

    @property
    def waiting(self) -> int:
        """Bytes on disk that are not done with."""
        return sum(known.size - known.acknowledged for known in self.segments)

    def is_gone(self) -> bool:
        """Whether somebody deleted the segment that is written."""
        return self._active is not None and not os.fstat(self._active).st_nlink

    def has_room(self, size: int, limit: int) -> bool:
        """Whether ``size`` bytes more belong into the segment that is written, with segments of ``limit`` bytes.

        One that is done with is left early: that frees its disk space, and its bytes need never be synced.
        """
        if self._active is None:
            return False
        last = self.segments[-1]
        is_done = not last.records and last.size > limit // _EARLY
        return last.size + size <= limit and not is_done

    def append(self, frame: bytes, count: int) -> None:
        """Write one frame at the end.

        Raises:
            OSError: the disk refuses; nothing was written.
        """
        if self._active is None:
            path = self.directory.segment_path(self._next_number)
            self._active = segment.create(path)
            self.segments.append(Segment(self._next_number, path, segment.FIRST))
            self._next_number += 1
        last = self.segments[-1]
        try:
            segment.append(self._active, frame, last.size)
        except OSError:
            if os.fstat(self._active).st_size != last.size:  # a part stayed: nothing may be written after it
                os.close(self._active)
                self._active = None
            raise
        last.size += len(frame)
        last.records += count

    def finish(self) -> int | None:
        """End the segment that is written; returns its descriptor, to be synced and closed, unless it is deleted."""
        descriptor, self._active = self._active, None
        if descriptor is not None and self._drop_if_done(self.segments[-1]):
            os.close(descriptor)
            return None
        return descriptor

    def active(self) -> int | None:
        """A copy of the descriptor of the segment that is written, to be synced and closed."""
        return None if self._active is None else os.dup(self._active)

    def next(self, oldest_ns: int) -> Found | None:
        """The next frame that is whole and was written after ``oldest_ns``; counts what it passes over."""
        for known in list(self.segments):
            before = known.cursor
            found = self._next_in(known, oldest_ns) if before < known.size else None
            if found is not None:
                return found
            self._write_off(known, moved=known.cursor > before)
        return None

    def _next_in(self, known: Segment, oldest_ns: int) -> Found | None:
        try:
            descriptor = os.open(known.path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:  # somebody deleted it
            known.cursor = known.size
            return None
        try:
            for piece in segment.walk(descriptor, known.cursor, known.size):
                body = segment.payload(descriptor, piece)
                known.cursor = piece.end
                if piece.header is None or body is None:
                    continue
                if piece.header.created_ns >= oldest_ns:
                    known.underway[piece.start] = piece
                    return Found(known, piece, piece.header, body)
                known.records -= piece.records
                self.lost(EXPIRED, piece.records)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            # The disk is broken from here on: what comes after is written off.
        finally:
            os.close(descriptor)
        known.cursor = known.size
        return None

    def expire(self, oldest_ns: int) -> None:
        """Drop the frames at the front that were written before ``oldest_ns``."""
        for known in list(self.segments):
            before = known.cursor
            found = self._next_in(known, oldest_ns) if before < known.size else None
            if found is None:
                self._write_off(known, moved=known.cursor > before)
                continue
            del known.underway[found.piece.start]
            known.cursor = found.piece.start
            if known.cursor > before:
                self._acknowledge(known)
            return

    def done(self, known: Segment, start: int) -> None:
        """A frame was delivered, or given up."""
        piece = known.underway.pop(start, None)
        if piece is not None and known in self.segments:
            known.records -= piece.records
            self._acknowledge(known)

    def drop_oldest(self) -> bool:
        """Delete the oldest finished segment of which nothing is underway; False if there is none."""
        finished = self.segments if self._active is None else self.segments[:-1]
        for known in finished:
            if not known.underway:
                self._delete(known)
                self.lost(FULL, known.records)
                return True
        return False

    def replace(self, known: Segment, size: int, removed: int) -> None:
        """``known`` was written anew with ``size`` bytes: what was handed out of it is void, and handed out again."""
        fresh = Segment(known.number, known.path, size, known.acknowledged, known.records - removed)
        self.segments[self.segments.index(known)] = fresh
        self._drop_if_done(fresh)

    def close(self) -> None:
        """Let go of the directory: what is done with is deleted, the rest belongs to whoever comes next."""
        self.directory.remove()

    def forget(self) -> None:
        """In a forked child: close what was inherited, touch nothing."""
        if self._active is not None:
            os.close(self._active)
            self._active = None
        self.directory.release()

    def abandon(self) -> None:
        """Somebody deleted the files: what was in them is gone."""
        descriptor = self.finish()
        if descriptor is not None:
            os.close(descriptor)
        for known in self.segments:
            self.lost(CORRUPT, known.unclaimed)
        self.segments.clear()
        self.directory.remove()

    def _write_off(self, known: Segment, *, moved: bool) -> None:
        """Everything in ``known`` that could be read was handed out: the rest is damaged."""
        missed = known.unclaimed
        if missed:
            known.records -= missed
            self.lost(CORRUPT, missed)
        if missed or moved:
            self._acknowledge(known)

    def _acknowledge(self, known: Segment) -> None:
        if not self._drop_if_done(known) and known is self.segments[0]:
            self.directory.acknowledge(known.number, known.acknowledged)

    def _drop_if_done(self, known: Segment) -> bool:
        written = self._active is not None and known is self.segments[-1]
        if written or known.records or known.underway:
            return False
        self._delete(known)
        return True

    def _delete(self, known: Segment) -> None:
        with contextlib.suppress(OSError):  # what cannot be deleted is known as done with, or sent again
            known.path.unlink()
        self.segments.remove(known)
