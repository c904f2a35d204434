"""JSON as plain data with the line of each node: the standard library's reader tells no lines."""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NoReturn

from aumos_otel.slo.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Mappings and lists inside each other.
DEEPEST: Final = 64

#: One of the two halves in which UTF-16 writes a character; alone it is none.
HALF_CHARACTER: Final = re.compile("[\ud800-\udfff]")

_SPACE: Final = re.compile(r"[ \t\r\n]*")


@dataclass(slots=True)
class Parsed:
    """What a text says.

    Attributes:
        documents: plain data.
        lines: of each node, by its path, which begins with the position of its document.
        malformed: a problem ended the reading.
    """

    documents: list[Any] = field(default_factory=list)
    lines: dict[Path, int] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    malformed: bool = False

    def stop(self, path: Path, line: int, seen: object, expected: str) -> None:
        """Note the problem that ends the reading."""
        self.lines[path] = line
        self.problems.append(Problem(path, seen, expected))
        self.malformed = True


def parse(text: str) -> Parsed:
    """The one document of a JSON text; what is wrong with it is among its problems."""
    reader = _Reader(text)
    try:
        reader.parsed.documents.append(reader.value((0,), 0))
        reader.end()
    except _Stop as stop:
        reader.parsed.stop((0,), reader.line(stop.at), text[stop.at : stop.at + 20], stop.expected)
    return reader.parsed


class _Stop(Exception):  # noqa: N818 - it carries a problem, and never leaves this module
    def __init__(self, at: int, expected: str) -> None:
        self.at = at
        self.expected = expected


class _Reader:
    def __init__(self, text: str) -> None:
        self.parsed = Parsed()
        self._text = text
        self._breaks = [found.start() for found in re.finditer("\n", text)]
        self._at = 0
        self._scalars = json.JSONDecoder(parse_constant=self._constant, parse_float=self._float)

    def line(self, at: int) -> int:
        return bisect_right(self._breaks, at - 1) + 1

    def end(self) -> None:
        if self._next():
            raise _Stop(self._at, "nothing behind the value")

    def value(self, path: Path, depth: int) -> Any:
        character = self._next()
        self.parsed.lines.setdefault(path, self.line(self._at))
        if character not in ("{", "["):
            return self._scalar()
        if depth >= DEEPEST:
            raise _Stop(self._at, f"at most {DEEPEST} levels")
        self._at += 1
        return self._mapping(path, depth) if character == "{" else self._list(path, depth)

    def _mapping(self, path: Path, depth: int) -> Mapping[str, Any]:
        found: dict[str, Any] = {}
        while self._next() != "}":
            if self._next() != '"':
                raise _Stop(self._at, 'a key in "quotes"')
            at = self._at
            key = self._scalar()
            if key in found:
                self.parsed.problems.append(Problem((*path, key), key, "each key once"))
            self.parsed.lines[*path, key] = self.line(at)
            self._take(":")
            found[key] = self.value((*path, key), depth + 1)
            if not self._more("}"):
                break
        self._take("}")
        return found

    def _list(self, path: Path, depth: int) -> list[Any]:
        found: list[Any] = []
        while self._next() != "]":
            found.append(self.value((*path, len(found)), depth + 1))
            if not self._more("]"):
                break
        self._take("]")
        return found

    def _more(self, closing: str) -> bool:
        """Whether a comma and something behind it follow."""
        if self._next() != ",":
            return False
        self._at += 1
        if self._next() == closing:
            raise _Stop(self._at, "something behind the comma")
        return True

    def _scalar(self) -> Any:
        try:
            value, self._at = self._scalars.raw_decode(self._text, self._at)
        except json.JSONDecodeError as error:
            raise _Stop(error.pos, f"JSON ({error.msg})") from None
        except ValueError:
            raise _Stop(self._at, "a finite number of less than 4000 digits") from None
        if isinstance(value, str) and HALF_CHARACTER.search(value):
            raise _Stop(self._at, "whole characters; an escape such as \\ud83d is half of one")
        return value

    def _constant(self, word: str) -> NoReturn:
        raise ValueError(word)

    def _float(self, text: str) -> float:
        number = float(text)
        if not math.isfinite(number):
            raise ValueError(text)
        return number

    def _take(self, character: str) -> None:
        if self._next() != character:
            raise _Stop(self._at, f"{character!r}")
        self._at += 1

    def _next(self) -> str:
        """The next character that is no white space; empty at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() if found else self._at
        return self._text[self._at : self._at + 1]
