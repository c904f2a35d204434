"""Regular expressions that mean the same in Python and in Go, matched in time that grows with the text alone.

The syntax is the part of RE2's that needs no flags: literals, ``.``, sets, groups, ``|`` and repetition.
A pattern is matched whole, as Prometheus matches labels; ``.`` is any character, a line break too.  It runs as
an automaton whose states are made when a text needs them (Glushkov's places, subset by subset): nothing goes
back in the text, so no pattern is slow on any text.  `aumos_otel.slo.pattern_syntax` reads the text of a pattern.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from aumos_otel.slo import pattern_syntax as syntax

if TYPE_CHECKING:
    from aumos_otel.slo.pattern_syntax import Node, Range

#: Steps from state to state that are remembered; then the automaton begins anew, so that its memory is bounded.
_MOST_STEPS: Final = 5000


class _Part(NamedTuple):
    """A part of the pattern: whether nothing is enough for it, and the places where it begins and ends."""

    nullable: bool
    first: frozenset[int]
    last: frozenset[int]


_NOTHING: Final = _Part(nullable=True, first=frozenset(), last=frozenset())


class Pattern:
    """A pattern that is ready to match; a place is one character that it wants.

    Raises:
        ValueError: it is none; the message says what would have been one.

    >>> from aumos_otel.slo.pattern import Pattern
    >>> Pattern("/v[12]/chat(/.*)?").matches("/v2/chat/stream")
    True
    """

    __slots__ = ("_follow", "_sets", "_start", "_states", "_steps", "_whole", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._sets: list[tuple[Range, ...]] = []
        self._follow: list[frozenset[int]] = []
        self._whole = self._lay(syntax.parse(text))
        self._start_over()

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is what the pattern describes."""
        state = self._start
        for character in text:
            state = state[character]
            if not state.ahead:
                return state.accepts and character is text[-1] and len(text) == 1
        return state.accepts
