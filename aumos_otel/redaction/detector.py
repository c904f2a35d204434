"""What one detector is: a cheap guard, a linear pattern and a check."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Final, Literal, TypeAlias

Kind = Literal["secret", "personal", "national_id"]

Need: TypeAlias = Literal["", "assigned", "digit", "card", "phone", "account"]
#: What has to be in a text beside a guard, or instead of one: a value assigned to the guard, digits in some groups.
ASSIGNED: Final = "assigned"
DIGIT: Final = "digit"
CARD: Final = "card"
PHONE: Final = "phone"
ACCOUNT: Final = "account"

#: How many leading characters of a match are the finding; 0 means that it is none.
Check: TypeAlias = Callable[[str], int]


@dataclass(frozen=True)
class Detector:
    """Finds one kind of thing in a text.

    The pattern is searched only where its clue occurs: one of the guards, and what it needs.  What is
    found is its last named group that took part, else the whole match.  A pattern must be linear on any text: quantifiers
    are bounded, or what follows them is optional, so that a run is read once.

    Attributes:
        name: in markers and counters, e.g. ``jwt``.
        kind: which option decides what becomes of a finding.
        guard: texts of which one has to occur; empty, and nothing needed: always searched.
        pattern: regular expression.
        check: confirms a match, on the text as written.
        needs: ``assigned``: after a guard come the rest of a name, quotes, spaces, and ``=`` or ``:``; otherwise
            how digits have to stand together.
        lowered: guard and pattern look at the text in lower case.
        flags: of the pattern; ours take digits, words and spaces to be ASCII.
    """

    name: str
    kind: Kind
    guard: tuple[str, ...]
    pattern: str
    check: Check | None = None
    needs: Need = ""
    lowered: bool = False
    flags: re.RegexFlag = re.ASCII | re.DOTALL

    @cached_property
    def compiled(self) -> re.Pattern[str]:
        """The pattern, compiled when it is first needed."""
        return re.compile(self.pattern, self.flags)


def whole(confirm: Callable[[str], bool]) -> Check:
    """A check that takes the match as a whole or not at all."""
    return lambda text: len(text) if confirm(text) else 0
