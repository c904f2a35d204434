"""From a text to the findings in it: which detectors have to look at all, what they found, in one list."""

from __future__ import annotations

import time
from bisect import bisect_right
from typing import TYPE_CHECKING, Final, NamedTuple

from .clues import Clues

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable, Sequence

    from .detector import Detector


#: Matches of one detector in one text; more of them are no text that anybody reads.
MOST_MATCHES: Final = 10_000

_UPPER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


class OverBudgetError(Exception):
    """A text takes too long, or has too many matches, to be told clean."""


class Budget:
    """Seconds that some work may take.

    They count as used when as much time has passed, and this thread has had the processor for as
    long: a busy machine, or the interpreter's lock, costs a text nothing.  For one thread.

    Args:
        seconds: as many.
    """

    __slots__ = ("_end", "_processor_end")

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds
        self._processor_end = time.thread_time() + seconds

    def check(self) -> None:
        """Raise OverBudgetError if they are used up."""
        if time.monotonic() > self._end and time.thread_time() > self._processor_end:
            raise OverBudgetError


class Finding(NamedTuple):
    """A stretch of a text, and the most telling detector that found it."""

    start: int
    end: int
    detector: Detector


class Scanner:
    """Searches texts with a set of detectors.

    Args:
        detectors: the more telling first.
        marked: matches of earlier redaction's markers, which are not searched again.
    """

    def __init__(self, detectors: Sequence[Detector], marked: re.Pattern[str]) -> None:
        self._order = {detector: place for place, detector in enumerate(detectors)}
        self._marked = marked
        clues = Clues(detectors)
        self.complete = clues.complete
        self.candidates = clues.candidates

    def findings(self, text: str, candidates: Iterable[Detector], budget: Budget) -> list[Finding]:
        """What is in ``text``, in its order, without overlaps.

        Args:
            text: any text.
            candidates: the detectors that may find something in it, by `candidates`.
            budget: of the record.

        Raises:
            OverBudgetError: ``budget`` is used up, or one detector matches all over the place.
        """
        found: list[Finding] = []
        lowered: str | None = None
        for detector in candidates:
            searched = text
            if detector.lowered:
                searched = lowered = _lower(text) if lowered is None else lowered
            _search(detector, text, searched, found)
            budget.check()
        return self._merged(text, found) if found else found

    def _merged(self, text: str, found: list[Finding]) -> list[Finding]:
        marked = [match.span() for match in self._marked.finditer(text)]
        found.sort(key=lambda finding: finding.start)
        merged: list[Finding] = []
        for finding in found:
            if marked and any(start <= finding.start and finding.end <= end for start, end in _near(marked, finding)):
                continue
            last = merged[-1] if merged else None
            if last is None or finding.start >= last.end:
                merged.append(finding)
                continue
            detector = min(last.detector, finding.detector, key=lambda detector: self._order[detector])
            merged[-1] = Finding(last.start, max(last.end, finding.end), detector)
        return merged


def replaced(text: str, findings: Iterable[Finding], marker: Callable[[Detector, str], str]) -> str:
    """``text`` with ``marker(detector, found)`` in the place of each finding."""
    pieces: list[str] = []
    position = 0
    for start, end, detector in findings:
        pieces += (text[position:start], marker(detector, text[start:end]))
        position = end
    pieces.append(text[position:])
    return "".join(pieces)


def _search(detector: Detector, text: str, searched: str, found: list[Finding]) -> None:
    """Append what ``detector`` finds; ``searched`` is ``text``, perhaps in lower case."""
    for matches, match in enumerate(detector.compiled.finditer(searched)):
        if matches >= MOST_MATCHES:
            raise OverBudgetError
        start, end = match.span(match.lastgroup or 0)
        if detector.check is not None:
            end = start + detector.check(text[start:end])
        if end > start:
            found.append(Finding(start, end, detector))


def _lower(text: str) -> str:
    """``text`` in lower case, character by character."""
    lowered = text.lower()
    return lowered if len(lowered) == len(text) else text.translate(_UPPER)


def _near(marked: list[tuple[int, int]], finding: Finding) -> list[tuple[int, int]]:
    """The marker that may contain ``finding``."""
    place = bisect_right(marked, finding.start, key=lambda span: span[0])
    return marked[place - 1 : place] if place else []
