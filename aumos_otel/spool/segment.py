r"""The file format: a header, then frames; each says how long it is and proves that it is whole.

======  =====================================================================================
file    magic ``AUMS``, version (u16), flags (u16), created (u64 ns), CRC-32 of these 16 bytes
frame   magic ``F5 A7 F6 A3``, version (u8), signal (u8), flags (u16), length (u32), records (u32),
        created (u64 ns), CRC-32 of the payload (u32), CRC-32 of these 28 bytes, then the payload
======  =====================================================================================

All little-endian.  The first 20 bytes of the file have this shape in every version.  The bytes of a
frame's magic never occur in UTF-8, so that a reader who lost its place finds the next frame.
"""

from __future__ import annotations

import errno
import os
import struct
import time
import zlib
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

VERSION: Final = 1
#: A frame without records that fills the place of erased ones, so that offsets stay as they were.
FILLER: Final = 1
#: How the signals are written; audit records use the same files.
SIGNALS: Final = {"traces": 1, "metrics": 2, "logs": 3, "audit": 4}

_FILE_MAGIC: Final = b"AUMS"
_FRAME_MAGIC: Final = b"\xf5\xa7\xf6\xa3"
_FILE: Final = struct.Struct("<4sHHQ")
_FRAME: Final = struct.Struct("<4sBBHIIQI")
_CHECKSUM: Final = struct.Struct("<I")
#: Where the first frame is.
FIRST: Final = _FILE.size + _CHECKSUM.size
#: Bytes that a frame takes beside its payload.
OVERHEAD: Final = _FRAME.size + _CHECKSUM.size


class Header(NamedTuple):
    """What a frame says about itself."""

    magic: bytes
    version: int
    signal: int
    flags: int
    length: int
    records: int
    created_ns: int
    checksum: int


class Piece(NamedTuple):
    """A stretch of a segment.

    Attributes:
        start: offset of its first byte.
        end: offset after its last byte.
        header: its header; None for bytes of which nothing is known.
        torn: whether the file ends before the frame does.
    """

    start: int
    end: int
    header: Header | None
    torn: bool = False

    @property
    def records(self) -> int:
        """Records that it holds; of bytes of which nothing is known it is at least one."""
        return 1 if self.header is None else self.header.records


def file_header() -> bytes:
    """The first bytes of a new segment."""
    fields = _FILE.pack(_FILE_MAGIC, VERSION, 0, time.time_ns())
    return fields + _CHECKSUM.pack(zlib.crc32(fields))


def frame(signal: str, payload: bytes, count: int, created_ns: int, flags: int = 0) -> bytes:
    """The bytes of one frame."""
    fields = _FRAME.pack(
        _FRAME_MAGIC, VERSION, SIGNALS[signal], flags, len(payload), count, created_ns, zlib.crc32(payload)
    )
    return b"".join((fields, _CHECKSUM.pack(zlib.crc32(fields)), payload))


def filler(size: int) -> bytes:
    """A frame of ``size`` bytes in all that holds no records."""
    return frame("audit", bytes(size - OVERHEAD), 0, 0, FILLER)


def create(path: Path) -> int:
    """Make a new segment and return its descriptor, open for appending.

    Raises:
        OSError: the disk refuses.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    descriptor = os.open(path, flags, 0o600)
    try:
        append(descriptor, file_header(), 0)
    except OSError:
        os.close(descriptor)
        path.unlink(missing_ok=True)
        raise
    return descriptor


def append(descriptor: int, data: bytes, size: int) -> None:
    """Write ``data`` in one call, after the ``size`` bytes that are there; all of it or nothing.

    Raises:
        OSError: the disk refuses.
    """
    written = 0
    try:
        written = os.write(descriptor, data)
    finally:
        if written != len(data):
            os.ftruncate(descriptor, size)
    if written != len(data):
        raise OSError(errno.ENOSPC, f"the disk took {written} of {len(data)} bytes")


def version(descriptor: int) -> int | None:
    """The version of the file's format; None if its header is damaged or not whole."""
    data = os.pread(descriptor, FIRST, 0)
    if len(data) < FIRST or _CHECKSUM.unpack_from(data, _FILE.size)[0] != zlib.crc32(data[: _FILE.size]):
        return None
    magic, number, _flags, _created = _FILE.unpack_from(data)
    return int(number) if magic == _FILE_MAGIC else None


def walk(descriptor: int, start: int, end: int) -> Iterator[Piece]:
    """The frames between two offsets, without fillers, and what is between them where the file is damaged."""
    while start < end:
        piece = _piece_at(descriptor, start, end)
        if piece.header is None or not piece.header.flags & FILLER:
            yield piece
        start = piece.end


def payload(descriptor: int, piece: Piece) -> bytes | None:
    """What a frame carries; None if it is damaged."""
    if piece.header is None or piece.torn:
        return None
    data = os.pread(descriptor, piece.header.length, piece.start + OVERHEAD)
    return data if len(data) == piece.header.length and zlib.crc32(data) == piece.header.checksum else None


def _piece_at(descriptor: int, start: int, end: int) -> Piece:
    header = _header(os.pread(descriptor, OVERHEAD, start))
    if header is None:
        return Piece(start, _next_frame(descriptor, start + 1, end), None)
    after = start + OVERHEAD + header.length
    return Piece(start, min(after, end), header, torn=after > end)


def _header(data: bytes, offset: int = 0) -> Header | None:
    if len(data) - offset < OVERHEAD or not data.startswith(_FRAME_MAGIC, offset):
        return None
    if _CHECKSUM.unpack_from(data, offset + _FRAME.size)[0] != zlib.crc32(data[offset : offset + _FRAME.size]):
        return None
    header = Header(*_FRAME.unpack_from(data, offset))
    return header if header.version == VERSION else None


def _next_frame(descriptor: int, start: int, end: int) -> int:
    """The offset of the next whole header, or ``end``."""
    data = os.pread(descriptor, max(end - start, 0), start)
    found = data.find(_FRAME_MAGIC)
    while found >= 0:
        if _header(data, found) is not None:
            return start + found
        found = data.find(_FRAME_MAGIC, found + 1)
    return end
