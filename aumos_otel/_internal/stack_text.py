"""The text of a traceback, as `traceback.format_exception` writes it, from frames that were written before.

What is written of a frame (file, line, name, source, carets) depends on its code and the place
in it alone.  So it is kept by those; neither frame nor exception is.  The source is that of the
first time: the code was compiled from that, whatever became of the file since.
"""

from __future__ import annotations

import sys
import traceback
from itertools import islice
from typing import TYPE_CHECKING, Final

from aumos_otel._internal import exception_class

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, TracebackType

#: Frames and exceptions of a chain beyond which the library writes the text.
_FRAMES: Final = 40
_CHAIN: Final = 8
#: Times that one line may follow itself; the library folds what is more.
_REPEATS: Final = 3

#: Places that are kept, and characters of one.
_MEMORY: Final = 4096
_LONGEST: Final = 4096

_HEADER: Final = "Traceback (most recent call last):\n"
_CAUSE: Final = "\nThe above exception was the direct cause of the following exception:\n\n"
_CONTEXT: Final = "\nDuring handling of the above exception, another exception occurred:\n\n"

#: By the id of the code, which is kept so that the id stays its own, and the place in it: the text, and the line.
_known: dict[tuple[int, int], tuple[str, tuple[str, int | None, str], CodeType]] = {}


def rendered(error: BaseException, said: Callable[[BaseException], str]) -> str | None:
    """The traceback with its causes; None for what only the library can write: groups, recursion, long chains.

    Args:
        error: any exception.
        said: the text of one; it may raise.
    """
    if hasattr(sys, "tracebacklimit"):
        return None
    pieces: list[str] = []  # backwards
    link = error
    for _ in range(_CHAIN):
        line = _line(link, said)
        if line is None:
            return None
        pieces.append(line)
        if link.__traceback__ is not None:
            frames = _frames(link.__traceback__)
            if frames is None:
                return None
            pieces.append(frames)
        before, joint = link.__cause__, _CAUSE
        if before is None and not link.__suppress_context__:
            before, joint = link.__context__, _CONTEXT
        if before is None:
            return "".join(reversed(pieces))
        pieces.append(joint)
        link = before
    return None


def _line(error: BaseException, said: Callable[[BaseException], str]) -> str | None:
    """What is said of one exception below its frames."""
    known = exception_class.of(error)
    if known.brief and getattr(error, "__notes__", None) is None:
        text = said(error)
        return f"{known.heading}: {text}\n" if text else f"{known.heading}\n"
    if not known.single or not exception_class.is_plain(error):
        return None
    # Without frames this is cheap but for a suggestion, which the library looks for among names each time.
    told = traceback.TracebackException(type(error), error, error.__traceback__, limit=0, compact=True)
    return "".join(told.format_exception_only())


def _frames(entry: TracebackType | None) -> str | None:
    pieces = [_HEADER]
    last, repeats = None, 0
    while entry is not None:
        code, place = entry.tb_frame.f_code, entry.tb_lasti
        known = _known.get((id(code), place))
        if known is None:
            known = _written(entry, code, place)
        pieces.append(known[0])
        if known[1] != last:
            last, repeats = known[1], 1
        elif repeats == _REPEATS:
            return None
        else:
            repeats += 1
        if len(pieces) > _FRAMES:
            return None
        entry = entry.tb_next
    return "".join(pieces)


def _written(entry: TracebackType, code: CodeType, place: int) -> tuple[str, tuple[str, int | None, str], CodeType]:
    """What the library writes of one frame; kept, unless it is not of the code alone, or too long."""
    summary = traceback.extract_tb(entry, 1)
    text = "".join(summary.format())
    written = text, (code.co_filename, summary[0].lineno, code.co_name), code
    position = next(islice(code.co_positions(), place // 2, None), (None,))
    if position[0] is not None and len(text) <= _LONGEST:
        if len(_known) >= _MEMORY:
            _known.clear()
        _known[id(code), place] = written
    return written
