r"""What a pattern may be made of, and how its text is read: the part of RE2's syntax that everybody reads alike.

pattern     branch ("|" branch)*
branch      (atom quantifier?)*
quantifier  ``*``  ``+``  ``?``  ``{2}``  ``{2,}``  ``{2,4}``
atom        a character, ``.``, ``(pattern)``, ``(?:pattern)``, a set ``[a-z_]`` or ``[^/]``, a class ``\d \w \s``
            ``\D \W \S`` (of ASCII), ``\t \n \r``, or a punctuation mark after a backslash
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: Characters of a pattern, groups inside each other, and characters once its repetitions are written out.
_LONGEST: Final = 1000
_DEEPEST: Final = 50
_LARGEST: Final = 250

Range = tuple[str, str]

_LAST: Final = "\U0010ffff"
_CLASSES: Final[dict[str, tuple[Range, ...]]] = {
    "d": (("0", "9"),),
    "w": (("0", "9"), ("A", "Z"), ("_", "_"), ("a", "z")),
    "s": (("\t", "\n"), ("\f", "\r"), (" ", " ")),
}
_CONTROLS: Final = {"t": "\t", "n": "\n", "r": "\r"}
_PUNCTUATION: Final = frozenset("!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~")
_SPECIAL: Final = frozenset("*+?{}])^$")
_QUANTIFIER: Final = re.compile(r"\{(0|[1-9][0-9]{0,3})(,(0|[1-9][0-9]{0,3})?)?\}|[*+?]")


@dataclass(frozen=True, slots=True)
class Place:
    """One character out of a set."""

    ranges: tuple[Range, ...]
    size: int = 1


@dataclass(frozen=True, slots=True)
class Sequence:
    """Parts, one after the other."""

    parts: tuple[Node, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the branches."""

    branches: tuple[Node, ...]
    size: int


@dataclass(frozen=True, slots=True)
class Repeat:
    """A part, so many times; ``most`` is None without a bound."""

    part: Node
    least: int
    most: int | None
    size: int


Node = Place | Sequence | Choice | Repeat


def parse(text: str) -> Node:
    """The pattern as a tree.

    Raises:
        ValueError: it is none; the message says what would have been one.
    """
    if not text or len(text) > _LONGEST:
        raise ValueError(f"a pattern of 1 to {_LONGEST} characters")
    reader = _Reader(text)
    node = reader.choice(0)
    if reader.at < len(text):
        raise reader.fault("no ')' without its '('")
    return node


class _Reader:
    """Goes through the text of a pattern once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.at = 0

    def fault(self, expected: str) -> ValueError:
        """What to raise here."""
        return ValueError(f"{expected} (at character {self.at + 1} of the pattern)")

    def choice(self, depth: int) -> Node:
        """Branches, up to the end or a closing parenthesis."""
        if depth > _DEEPEST:
            raise self.fault(f"no more than {_DEEPEST} groups inside each other")
        branches = [self._branch(depth)]
        while self._takes("|"):
            branches.append(self._branch(depth))
        return branches[0] if len(branches) == 1 else Choice(tuple(branches), self._sum(branches))

    def _branch(self, depth: int) -> Node:
        parts = []
        while self.at < len(self._text) and self._text[self.at] not in "|)":
            parts.append(self._quantified(self._atom(depth)))
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts), self._sum(parts))

    def _atom(self, depth: int) -> Node:
        character = self._next()
        if character == "(":
            if self._takes("?") and not self._takes(":"):
                raise self.fault("groups of the forms (…) and (?:…) only")
            inner = self.choice(depth + 1)
            if not self._takes(")"):
                raise self.fault("a ')' for each '('")
            return inner
        if character == "[":
            return self._set()
        if character == ".":
            return Place((("\0", _LAST),))
        if character == "\\":
            return Place(self._escaped())
        if character in _SPECIAL:
            self.at -= 1
            raise self.fault(_reason(character))
        return Place(((character, character),))

    def _quantified(self, node: Node) -> Node:
        found = _QUANTIFIER.match(self._text, self.at)
        if found is None:
            return node
        self.at = found.end()
        if found[1] is not None:
            least = int(found[1])
            most = least if found[2] is None else None if found[3] is None else int(found[3])
        else:
            least, most = {"*": (0, None), "+": (1, None), "?": (0, 1)}[found[0]]
        if most is not None and most < least:
            raise self.fault("a repetition whose second number is not below the first")
        if _QUANTIFIER.match(self._text, self.at):
            raise self.fault("one quantifier at a time (matched whole, lazy and possessive ones change nothing)")
        return Repeat(node, least, most, self._bounded(node.size * max(1, least if most is None else most)))

    def _escaped(self) -> tuple[Range, ...]:
        character = self._next("a character after the backslash")
        if character in _PUNCTUATION:
            return ((character, character),)
        if character in _CONTROLS:
            return ((_CONTROLS[character], _CONTROLS[character]),)
        if character in _CLASSES:
            return _CLASSES[character]
        if character.lower() in _CLASSES:
            return _others(_CLASSES[character.lower()])
        raise self.fault(r"one of \d \D \w \W \s \S \t \n \r or a punctuation mark after the backslash")

    def _set(self) -> Place:
        negated = self._takes("^")
        ranges: list[Range] = []
        first = True
        while first or not self._takes("]"):
            ranges += self._member(first=first)
            first = False
        return Place(_others(ranges) if negated else tuple(ranges))

    def _member(self, *, first: bool) -> tuple[Range, ...]:
        start = self._single(first=first)
        if len(start) != 1 or start[0][0] != start[0][1] or self._text[self.at : self.at + 1] != "-":
            return start
        if self._text[self.at + 1 : self.at + 2] == "]":
            return start
        self.at += 1
        end = self._single(first=False, after_dash=True)
        if len(end) != 1 or end[0][0] != end[0][1] or end[0][0] < start[0][0]:
            raise self.fault("a range from one character up to another")
        return ((start[0][0], end[0][0]),)

    def _single(self, *, first: bool, after_dash: bool = False) -> tuple[Range, ...]:
        character = self._next("a ']' for each '['")
        if character == "\\":
            return self._escaped()
        if character in "[]^" and not (character == "^" and not first):
            raise self.fault(f"a backslash before {character!r} in a set")
        if character == "-" and not first and (after_dash or self._text[self.at : self.at + 1] != "]"):
            raise self.fault("a '-' at either end of a set, or after a backslash")
        return ((character, character),)

    def _next(self, expected: str = "more") -> str:
        if self.at >= len(self._text):
            raise self.fault(expected)
        self.at += 1
        return self._text[self.at - 1]

    def _takes(self, character: str) -> bool:
        found = self._text[self.at : self.at + 1] == character
        self.at += found
        return found

    def _sum(self, nodes: list[Node]) -> int:
        return self._bounded(sum(node.size for node in nodes))

    def _bounded(self, size: int) -> int:
        if size > _LARGEST:
            raise self.fault(f"no more than {_LARGEST} characters once its repetitions are written out")
        return max(1, size)


def _reason(character: str) -> str:
    if character in "^$":
        return f"no {character!r}, since a pattern is matched whole; \\{character} is the character itself"
    if character in "{}]":
        return f"a backslash before {character!r}: \\{character}"
    return f"something before {character!r} that it repeats, or a backslash: \\{character}"


def _others(ranges: tuple[Range, ...] | list[Range]) -> tuple[Range, ...]:
    """All characters outside of ``ranges``."""
    outside = []
    begin = 0
    for first, last in sorted(ranges):
        if begin < ord(first):
            outside.append((chr(begin), chr(ord(first) - 1)))
        begin = max(begin, ord(last) + 1)
    if begin <= ord(_LAST):
        outside.append((chr(begin), _LAST))
    return tuple(outside)
