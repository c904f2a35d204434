"""Regular expressions that mean the same in Python and in Go, matched in time that grows with the text alone.

A pattern is matched whole, as Prometheus matches labels; ``.`` is any character, a line break too.  It runs as
an automaton whose states are made when a text first needs them (Glushkov's places, subset by subset): nothing
ever goes back in the text, so that no pattern is slow on any text.  Its syntax: `aumos_otel.slo.pattern_syntax`.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple

from aumos_otel.slo import pattern_syntax as syntax

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Steps from state to state that are remembered; then the automaton begins anew, so that its memory is bounded.
_MOST_STEPS: Final = 5000


class _Part(NamedTuple):
    """A part of a pattern: whether it may be empty, and the places where it begins and ends."""

    empty: bool
    first: frozenset[int]
    last: frozenset[int]


class Pattern:
    """A pattern that is ready to match; its places are the characters that it wants.

    Raises:
        ValueError: it is none; the message says what would have been one.

    >>> from aumos_otel.slo.pattern import Pattern
    >>> Pattern("/v[12]/chat(/.*)?").matches("/v2/chat/stream")
    True
    """

    __slots__ = ("_follow", "_sets", "_start", "_states", "_steps", "_wanting", "_whole", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._sets: list[tuple[syntax.Range, ...]] = []
        self._follow: list[set[int]] = []
        self._whole = self._lay(syntax.parse(text))
        self._start_over()

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` is what the pattern describes."""
        state = self._start
        for character in text:
            state = state[character]
            if state.stuck:
                return False
        return state.accepts

    def step(self, ahead: frozenset[int], character: str) -> _State:
        """The state after ``character`` where the places ``ahead`` could come next."""
        if self._steps >= _MOST_STEPS:
            self._start_over()
        self._steps += 1
        wanting = self._wanting.get(character)
        if wanting is None:
            wanting = self._wanting[character] = self._places_of(character)
        reached = ahead & wanting
        known = self._states.get(reached)
        if known is None:
            following = frozenset[int]().union(*(self._follow[place] for place in reached))
            known = _State(self, following, accepts=not reached.isdisjoint(self._whole.last), stuck=not reached)
            self._states[reached] = known
        return known

    def _places_of(self, character: str) -> frozenset[int]:
        return frozenset(
            place
            for place, ranges in enumerate(self._sets)
            if any(first <= character <= last for first, last in ranges)
        )

    def _start_over(self) -> None:
        self._wanting: dict[str, frozenset[int]] = {}
        self._states: dict[frozenset[int], _State] = {}
        self._steps = 0
        self._start = _State(self, self._whole.first, accepts=self._whole.empty, stuck=False)

    def _lay(self, node: syntax.Node) -> _Part:
        """Give each character of a part its place, and learn which places may follow each."""
        if isinstance(node, syntax.Place):
            place = frozenset({len(self._sets)})
            self._sets.append(node.ranges)
            self._follow.append(set())
            return _Part(empty=False, first=place, last=place)
        if isinstance(node, syntax.Choice):
            branches = [self._lay(branch) for branch in node.branches]
            first = frozenset[int]().union(*(branch.first for branch in branches))
            last = frozenset[int]().union(*(branch.last for branch in branches))
            return _Part(any(branch.empty for branch in branches), first, last)
        if isinstance(node, syntax.Sequence):
            return self._join(self._lay(part) for part in node.parts)
        return self._repeat(node)

    def _repeat(self, node: syntax.Repeat) -> _Part:
        copies = [self._lay(node.part) for _ in range(max(1, node.least if node.most is None else node.most))]
        if node.most is None:
            self._connect(copies[-1].last, copies[-1].first)
        if node.most == 0:
            return _Part(empty=True, first=frozenset(), last=frozenset())
        return self._join(
            copy if number < node.least else copy._replace(empty=True) for number, copy in enumerate(copies)
        )

    def _join(self, parts: Iterable[_Part]) -> _Part:
        whole = _Part(empty=True, first=frozenset(), last=frozenset())
        for part in parts:
            self._connect(whole.last, part.first)
            whole = _Part(
                whole.empty and part.empty,
                whole.first | part.first if whole.empty else whole.first,
                whole.last | part.last if part.empty else part.last,
            )
        return whole

    def _connect(self, ends: frozenset[int], beginnings: frozenset[int]) -> None:
        for place in ends:
            self._follow[place] |= beginnings


class _State(dict[str, "_State"]):
    """Where a text may have got to, and by each character where it gets to next: found out when first asked for."""

    __slots__ = ("_ahead", "_pattern", "accepts", "stuck")

    def __init__(self, pattern: Pattern, ahead: frozenset[int], *, accepts: bool, stuck: bool) -> None:
        super().__init__()
        self._pattern = pattern
        self._ahead = ahead
        self.accepts = accepts
        self.stuck = stuck

    def __missing__(self, character: str) -> _State:
        following = self[character] = self._pattern.step(self._ahead, character)
        return following


@lru_cache(maxsize=512)
def compiled(text: str) -> Pattern:
    """`Pattern`, made once for all that use it."""
    return Pattern(text)
