"""A segment written anew without somebody's records: the old file is replaced in one step, or stays as it was."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from aumos_otel.spool import segment

if TYPE_CHECKING:
    from aumos_otel.spool.holding import Holding, Segment, Strip


def erase(holding: Holding, signal: str, strip: Strip) -> int:
    """Remove records from every segment of a holding; returns how many.

    What is underway of a segment that had some is handed out again.

    Raises:
        OSError: the disk refuses; the segments up to there are done.
    """
    descriptor = holding.finish()
    if descriptor is not None:
        os.close(descriptor)
    total = 0
    for known in list(holding.segments):
        total += _erase_from(holding, known, signal, strip)
    holding.directory.sync()
    return total


def _erase_from(holding: Holding, known: Segment, signal: str, strip: Strip) -> int:
    temporary = known.path.with_suffix(".new")
    temporary.unlink(missing_ok=True)
    try:
        source = os.open(known.path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return 0
    target = segment.create(temporary)
    try:
        size, removed = _copy(source, target, known, signal, strip)
        os.fsync(target)
        # Also where nothing was found: what is done with already may be the subject's.
        temporary.replace(known.path)
    finally:
        os.close(source)
        os.close(target)
        temporary.unlink(missing_ok=True)
    if removed:
        holding.replace(known, size, removed)
    return removed


def _copy(source: int, target: int, known: Segment, signal: str, strip: Strip) -> tuple[int, int]:
    start = known.acknowledged
    size, removed = segment.FIRST, 0
    frames = [_blank(start - size)]
    for piece in segment.walk(source, start, known.size):
        body = segment.payload(source, piece)
        is_done = piece.start < known.cursor and piece.start not in known.underway
        if piece.header is None or body is None or is_done:
            frames.append(_blank(piece.end - piece.start))
            continue
        rest, gone = strip(body)
        removed += gone
        if piece.records > gone:
            frames.append(segment.frame(signal, rest, piece.records - gone, piece.header.created_ns))
    for frame in frames:
        segment.append(target, frame, size)
        size += len(frame)
    return size, removed


def _blank(size: int) -> bytes:
    """In the place of ``size`` bytes, so that offsets stay as they were."""
    return segment.filler(size) if size >= segment.OVERHEAD else bytes(size)
