"""What a text must have in it for a detector to find anything there, looked for all at once.

A search with each pattern costs more than all else that becomes of a text, and nearly always
finds nothing.  So a text is first *folded*, to bytes: letters in lower case, digits as ``0``, the
characters that secrets are told by as one of ``: - _ &``.  Then it is *turned* round: what stands
before a separator comes after it, and the engine skips from separator to separator.

Folding only makes texts more alike, and no clue asks for anything around it.  So what no detector
has a clue in holds no finding, and no part of it does.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from .detector import ACCOUNT, ASSIGNED, CARD, DIGIT, PHONE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .detector import Detector

    #: A byte that each hit has, what finds hits, and whose clues they are, as places among the detectors.
    _Test: TypeAlias = tuple[bytes, Callable[[bytes], Any], Callable[[Any], set[int]]]

_FOLD: Final = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ123456789./?=", b"abcdefghijklmnopqrstuvwxyz000000000__&:")

#: The one character beyond ASCII whose lower case is in it.
_KELVIN: Final = "\u212a".encode()

#: Turned: from the sign of an assignment over spaces and quotes, and from there over the rest of a name.
_BEFORE_VALUE: Final = rb"""[\s"'\\\]]{0,8}+"""
_BEFORE_REST: Final = rb"[a-z0]{0,24}+[_-](?:[a-z0]{0,24}+[_-]){0,25}?"

_GAP: Final = rb"(?:[ _-]|\xa0\xc2)"
_NUMBERS: Final = {
    DIGIT: rb"0",
    CARD: rb"0000(?:0{9}|%(gap)b0000(?:%(gap)b0000%(gap)b0000|00%(gap)b0000))" % {b"gap": _GAP},
    PHONE: rb"00(?:0(?:000|%(gap)b000)|%(gap)b00%(gap)b00)" % {b"gap": _GAP},
    ACCOUNT: rb"00[a-z]{2}",
}

_SHORT: Final = 64
#: Characters that texts seldom have.
_RARE: Final = b"~@+QJK"


class Clues:
    """Tells which detectors have to look at a text.

    Args:
        detectors: the more telling first.
    """

    def __init__(self, detectors: Sequence[Detector]) -> None:
        self._detectors = detectors
        self._always = {place for place, detector in enumerate(detectors) if not detector.guard and not detector.needs}
        turned, lowered, written = _Words(), _Words(), _Words()
        numbers: dict[str, set[int]] = {}
        for place, detector in enumerate(detectors):
            if detector.needs in _NUMBERS:
                numbers.setdefault(detector.needs, set()).add(place)
                continue
            for guard in detector.guard:
                word = _folded(guard)
                end = max(word.rfind(b"-"), word.rfind(b"_")) + 1
                if detector.needs == ASSIGNED:
                    turned.add(b":" + word[::-1], place)
                elif end:
                    turned.add(word[:end][::-1], place)
                elif guard == guard.lower():
                    lowered.add(word, place)
                else:
                    written.add(guard.encode(), place)
        self._turned, self._lowered, self._written = turned.tests(), lowered.tests(), written.tests()
        self._turned += [(b"0", re.compile(_NUMBERS[need]).search, _all_of(places)) for need, places in numbers.items()]

    @property
    def complete(self) -> bool:
        """Whether each detector has a clue; one that has none looks at each text as a whole."""
        return not self._always

    def candidates(self, text: str) -> list[Detector]:
        """The detectors that may find something in ``text``, in their order."""
        if text.isascii():
            written = text.encode()
            lowered = written.translate(_FOLD)
        else:
            written = text.encode("utf-8", "surrogatepass")
            lowered = written.translate(_FOLD).replace(_KELVIN, b"k")
        turned = lowered[::-1]
        forms = (self._turned, turned), (self._lowered, lowered), (self._written, written)
        places = self._always
        # Without a capital nothing is found that is written with one; of a long text it costs less to look.
        for tests, searched in forms[:2] if len(text) <= _SHORT and text.islower() else forms:
            for gate, hits, owners in tests:
                if gate in searched and (found := hits(searched)):
                    places = places | owners(found)
        return [self._detectors[place] for place in sorted(places)] if places else []


class _Words:
    """Words of detectors, to be searched for together with all that begin with the same character."""

    def __init__(self) -> None:
        self._rests: dict[bytes, list[tuple[bytes, int]]] = {}

    def add(self, word: bytes, place: int) -> None:
        """``word`` is a clue of the detector at ``place``."""
        self._rests.setdefault(word[:1], []).append((word[1:], place))

    def tests(self) -> list[_Test]:
        """One for each first character."""
        return [_test(first, rests) for first, rests in self._rests.items()]


def _test(first: bytes, rests: list[tuple[bytes, int]]) -> _Test:
    owners: dict[bytes, set[int]] = {}
    for rest, place in sorted(rests, key=lambda pair: len(pair[0])):
        # Of two words that begin alike only the shorter is looked for; its hit stands for both.
        key = next((known for known in owners if rest.startswith(known)), rest)
        owners.setdefault(key, set()).add(place)
    gate = next((byte for byte in _RARE if byte in first or all(byte in rest for rest in owners)), first[0])
    ends = _alternatives(sorted(owners))
    if first == b":":
        pattern = b":%b(?:(%b)|%b(%b))" % (_BEFORE_VALUE, ends, _BEFORE_REST, ends)
    else:
        # Looked at without being consumed: one word may begin within another.
        pattern = b"%b(?=(%b))" % (re.escape(first), ends)
    return bytes([gate]), re.compile(pattern).findall, _owners(owners)


def _owners(owners: dict[bytes, set[int]]) -> Callable[[list[Any]], set[int]]:
    """From hits, each a word or a pair of which one is empty, to whose they are."""
    return lambda found: set().union(*(owners[hit if type(hit) is bytes else hit[0] or hit[1]] for hit in set(found)))


def _all_of(places: set[int]) -> Callable[[object], set[int]]:
    return lambda _found: places


def _folded(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass").translate(_FOLD).replace(_KELVIN, b"k")


def _alternatives(words: Sequence[bytes]) -> bytes:
    """A pattern of ``words``, of which none begins with another: what they begin with is tried once."""
    if len(words) == 1:
        return re.escape(words[0])
    rests: dict[bytes, list[bytes]] = {}
    for word in words:
        rests.setdefault(word[:1], []).append(word[1:])
    patterns = [re.escape(first) + _alternatives(rest) for first, rest in rests.items()]
    return patterns[0] if len(patterns) == 1 else b"(?:" + b"|".join(patterns) + b")"
