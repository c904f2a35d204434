"""The text of a file as plain data, with the line of each node, so that what is wrong can be pointed at.

Plain data are dicts with text as keys, lists, str, int, finite float, bool and None; dates stay text.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import MissingExtraError, ObjectiveError
from aumos_otel.slo import json_text
from aumos_otel.slo.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from types import ModuleType

    from aumos_otel.slo.json_text import Parsed

#: Characters of a file; one of so many takes a quarter of a minute to read.
LONGEST: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Located:
    """A problem of a file.

    Attributes:
        line: counted from 1; 0: no line of its own.

    >>> from aumos_otel.slo.document import Located
    >>> from aumos_otel.slo.problem import Problem
    >>> print(Located("slo.yaml", 7, Problem(("slos", 0, "name"), "A", "lower-case letters")))
    slo.yaml:7: slos[0].name: got 'A', expected lower-case letters
    """

    source: str
    line: int
    problem: Problem

    def __str__(self) -> str:
        place = f"{self.source}:{self.line}" if self.line else self.source
        return f"{place}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Documents:
    """The documents of a file.

    Attributes:
        data: plain data of each document that is not empty.
        lines: of each node, by its path, which begins with the position of its document.
    """

    source: str
    data: tuple[Any, ...]
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of a node, or of the nearest one around it that there is; 0: none is known."""
        return next((self.lines[path[:end]] for end in range(len(path), 0, -1) if path[:end] in self.lines), 0)

    def locate(self, problem: Problem) -> Located:
        """The problem with its line; among several documents its path tells which."""
        shown = problem if len(self.data) > 1 else Problem(problem.path[1:], problem.seen, problem.expected)
        return Located(self.source, self.line(problem.path), shown)

    def error(self, problems: Iterable[Problem]) -> ObjectiveError:
        """The error that tells all problems, from the first line to the last."""
        located = sorted(map(self.locate, problems), key=lambda problem: problem.line)
        return ObjectiveError(self.source, located)


def load(text: str | bytes, source: str) -> Documents:
    """Read YAML or JSON.

    Args:
        text: of the file; bytes are UTF-8.
        source: its name, for messages; one that ends in ``.json`` is not tried as YAML.

    Raises:
        ObjectiveError: it is neither, or is read differently by different readers.
        MissingExtraError: it is not JSON, and the extra ``slo`` is not installed.
    """
    if isinstance(text, bytes):
        text = _decoded(text, source)
    if len(text) > LONGEST:
        raise ObjectiveError(
            source, [Located(source, 0, Problem((), f"{len(text)} characters", f"at most {LONGEST} characters"))]
        )
    found = _parsed(text.removeprefix("\ufeff"), source)
    documents = Documents(source, tuple(found.documents), found.lines)
    if found.problems:
        raise documents.error(found.problems)
    return documents


def _parsed(text: str, source: str) -> Parsed:
    if source.endswith(".json"):
        return json_text.parse(text)
    if text.lstrip()[:1] in ("{", "["):
        parsed = json_text.parse(text)
        # Braces open a mapping of YAML as well.
        if not parsed.malformed:
            return parsed
    of_yaml: Parsed = _yaml(source).parse(text)
    return of_yaml


def write(documents: Sequence[Any]) -> str:
    """The YAML text of plain data, which `load` reads as the same.

    Raises:
        MissingExtraError: the extra ``slo`` is not installed.
    """
    text: str = _yaml("YAML").write(documents)
    return text


def _yaml(subject: str) -> ModuleType:
    try:
        return importlib.import_module("aumos_otel.slo.yaml_text")
    except ModuleNotFoundError as error:
        raise MissingExtraError(subject, extra="slo", module=str(error.name)) from None


def _decoded(text: bytes, source: str) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        seen = text[error.start : error.start + 4]
        raise ObjectiveError(source, [Located(source, line, Problem((), seen, "text in UTF-8"))]) from None
