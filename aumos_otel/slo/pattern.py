"""Regular expressions that mean the same in Python and in Go, matched in time that grows with the text alone.

The syntax is the part of RE2's that needs no flags: literals, ``.``, sets, groups, ``|`` and counted repetition.
A pattern is matched whole, as Prometheus matches labels; ``.`` is any character, a line break too.  It is run as
an automaton whose states are made as texts need them, so nothing ever goes back in the text.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

#: A pattern's characters, its nested groups, and the places that it has once its repetitions are written out.
_LONGEST: Final = 1000
_DEEPEST: Final = 50
_MOST_PLACES: Final = 500
#: Steps between states that are remembered; then the automaton starts over.
_MOST_STEPS: Final = 5000

_Range = tuple[str, str]
_ANY: Final[tuple[_Range, ...]] = (("\x00", "\U0010ffff"),)
_CLASSES: Final[dict[str, tuple[_Range, ...]]] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r"}
_PUNCTUATION: Final = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")


class Pattern:
    """A pattern that is ready to match.

    Raises:
        ValueError: it is none; the message says what would have been one.

    >>> from aumos_otel.slo.pattern import Pattern
    >>> Pattern("/v[12]/chat(/.*)?").matches("/v2/chat/stream")
    True
    """

    __slots__ = ("_places", "_start", "_states", "_steps", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._places = _Places()
        whole = _Parser(text).parse().lay(self._places)
        self._places.last = whole.last
        self._places.nullable = whole.nullable
        self._places.follow.append(whole.first)
        self._start_over()

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is what the pattern describes."""
        state = self._start
        for character in text:
            state = state[character]
            if not state.places:
                return False
        return state.accepts

    def _start_over(self) -> None:
        self._states: dict[frozenset[int], _State] = {}
        self._steps = 0
        origin = len(self._places.sets)
        self._start = _State(self, frozenset({origin}), accepts=self._places.nullable)

    def step(self, places: frozenset[int], character: str) -> _State:
        """The state after one more character."""
        if self._steps >= _MOST_STEPS:
            self._start_over()
        self._steps += 1
        sets, follow = self._places.sets, self._places.follow
        ahead = frozenset().union(*(follow[place] for place in places))
        reached = frozenset(
            place for place in ahead if any(first <= character <= last for first, last in sets[place])
        )
        state = self._states.get(reached)
        if state is None:
            state = self._states[reached] = _State(self, reached, accepts=not reached.isdisjoint(self._places.last))
        return state


class _State(dict[str, "_State"]):
    """Where a text may have got to, and where each next character leads: looked up, found out when first asked."""

    __slots__ = ("accepts", "places", "_pattern")

    def __init__(self, pattern: Pattern, places: frozenset[int], *, accepts: bool) -> None:
        super().__init__()
        self._pattern = pattern
        self.places = places
        self.accepts = accepts

    def __missing__(self, character: str) -> _State:
        following = self[character] = self._pattern.step(self.places, character)
        return following
