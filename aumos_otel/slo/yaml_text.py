"""YAML as plain data with the line of each node, read as every reader of YAML would read it.

What YAML 1.1 and 1.2 read differently (``no``, ``010``, ``1:30``, ``1_000``) is a problem: somebody's other tool would
take it for something else.  Dates are text, as in 1.2; merge keys and aliases work, within limits.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

from aumos_otel.slo.json_text import DEEPEST, HALF_CHARACTER, Parsed
from aumos_otel.slo.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: Nodes of a file once its aliases are written out: what an alias of aliases of aliases may become.
MOST_NODES: Final = 500_000

_PLAIN: Final = "plain"
_TEXT: Final = "tag:yaml.org,2002:str"
_LIST: Final = "tag:yaml.org,2002:seq"
_MAPPING: Final = "tag:yaml.org,2002:map"
_MERGE: Final = "<<"

_CONSTANTS: Final = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    word: word.lower() == "true" for word in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INTEGER: Final = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_HEXADECIMAL: Final = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT: Final = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
#: What breaks a line for some readers.
_BREAK: Final = re.compile("[\r\x85\u2028\u2029]")
#: What readers differ about.
_AMBIGUOUS: Final = (
    (re.compile(r"(?i:yes|no|on|off)"), 'true or false, or the word in quotes: "{}"'),
    (re.compile(r"[-+]?0[0-9_]+(\.[0-9_]*)?|0o[0-7]+|0b[01_]+"), 'a number without leading 0, or text in quotes: "{}"'),
    (re.compile(r"[-+]?[0-9][0-9_]*(:[0-5]?[0-9])+(\.[0-9_]*)?"), 'text in quotes: "{}"'),
    (re.compile(r"[-+]?(0x)?[0-9a-fA-F]*[0-9][0-9.]*_[0-9_.]*"), 'a number without _, or text in quotes: "{}"'),
    (re.compile(r"[-+]?\.(?i:inf|nan)|="), 'a finite number, or text in quotes: "{}"'),
)


class _Loader(yaml.SafeLoader):
    """Composes nodes; what a plain scalar means is not its business."""

    _depth = 0

    def resolve(self, kind: type[yaml.Node], _value: Any, implicit: Any) -> str:
        if kind is yaml.ScalarNode:
            return _PLAIN if implicit[0] else _TEXT
        return _LIST if kind is yaml.SequenceNode else _MAPPING

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self._depth > DEEPEST:
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call] # the stubs leave it out
            raise yaml.MarkedYAMLError(problem=f"more than {DEEPEST} levels", problem_mark=mark)
        self._depth += 1
        try:
            return super().compose_node(parent, index)
        finally:
            self._depth -= 1


def parse(text: str) -> Parsed:
    """The documents of a YAML text; what is wrong with it is among its problems."""
    reader = _Reader()
    parsed = reader.parsed
    try:
        for node in yaml.compose_all(text, _Loader):
            if not (isinstance(node, yaml.ScalarNode) and node.tag == _PLAIN and node.value in _CONSTANTS):
                parsed.documents.append(reader.value(node, (len(parsed.documents),)))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 0
        seen = "".join(text.splitlines()[line - 1 : line]).strip() or "the end"
        parsed.stop((len(parsed.documents),), line, seen, _advice(error))
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        parsed.stop((len(parsed.documents),), line, chr(error.character), "no control characters")
    except _TooMuchError as error:
        parsed.stop((len(parsed.documents),), error.line, f"more than {MOST_NODES} nodes", "fewer aliases of aliases")
    return parsed


def write(documents: Sequence[Any]) -> str:
    """The YAML text that `parse`, and every other reader, reads as these plain data."""
    return yaml.dump_all(documents, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Writes each value out, wherever else it stands."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_text(self, text: str) -> yaml.ScalarNode:
        """In quotes what would be read as something else, line by line what has lines."""
        quoted = _BREAK.search(text) or not is_text(text)
        style = '"' if quoted else "|" if "\n" in text else None
        return self.represent_scalar(_TEXT, text, style=style)


_Dumper.add_representer(str, _Dumper.represent_text)


def is_text(plain: str) -> bool:
    """Whether so many characters without quotes are text to every reader of YAML."""
    known = (_INTEGER, _HEXADECIMAL, _FLOAT, *(pattern for pattern, _ in _AMBIGUOUS))
    return plain not in _CONSTANTS and not any(pattern.fullmatch(plain) for pattern in known)


def _advice(error: yaml.MarkedYAMLError) -> str:
    if "'\\t'" in (error.problem or ""):
        return "spaces: YAML is not indented by tabs"
    return f"YAML ({error.problem or error.context})"


class _TooMuchError(Exception):
    def __init__(self, line: int) -> None:
        self.line = line


class _Reader:
    def __init__(self) -> None:
        self.parsed = Parsed()
        self._nodes = 0
        self._around: list[yaml.Node] = []

    def value(self, node: yaml.Node, path: Path) -> Any:
        """The plain data of a node; its line and problems are noted."""
        line: int = node.start_mark.line + 1
        self.parsed.lines.setdefault(path, line)
        self._nodes += 1
        if self._nodes > MOST_NODES:
            raise _TooMuchError(line)
        if any(node is outer for outer in self._around):
            self._problem(path, "an alias", "no alias of what it stands in")
            return None
        self._around.append(node)
        try:
            return self._content(node, path)
        finally:
            self._around.pop()

    def _content(self, node: yaml.Node, path: Path) -> Any:
        if node.tag not in (_PLAIN, _TEXT, _LIST, _MAPPING):
            self._problem(path, node.tag, "no tags but !!str, !!seq and !!map")
            return None
        if isinstance(node, yaml.SequenceNode):
            return [self.value(item, (*path, index)) for index, item in enumerate(node.value)]
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        return self._scalar(node, path)

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: list[tuple[yaml.Node, yaml.Node]] = []
        for key, value in node.value:
            if key.tag == _PLAIN and key.value == _MERGE:
                merged.extend(self._merged(value, path))
                continue
            name = self._key(key, path)
            if name in found:
                self._problem((*path, name), name, "each key once")
            self.parsed.lines[*path, name] = key.start_mark.line + 1
            found[name] = self.value(value, (*path, name))
        for key, value in merged:
            name = self._key(key, path)
            if name not in found:
                found[name] = self.value(value, (*path, name))
        return found

    def _key(self, key: yaml.Node, path: Path) -> str:
        if isinstance(key, yaml.ScalarNode):
            name = str(key.value)
            self.parsed.lines.setdefault((*path, name), key.start_mark.line + 1)
            if not isinstance(self._scalar(key, (*path, name)), str):
                self._problem((*path, name), name, f'a key that is text; write "{name}" in quotes')
            return name
        self._problem(path, "a mapping or list", "keys that are text")
        return ""

    def _merged(self, node: yaml.Node, path: Path) -> Iterator[tuple[yaml.Node, yaml.Node]]:
        """The entries of the mappings that a merge key names; earlier ones go before later ones."""
        for source in node.value if isinstance(node, yaml.SequenceNode) else [node]:
            if not isinstance(source, yaml.MappingNode):
                self._problem((*path, _MERGE), source.value, "an alias of a mapping, or a list of such")
                continue
            self._nodes += len(source.value)
            yield from ((key, value) for key, value in source.value if key.value != _MERGE)
            for key, value in source.value:
                if key.value == _MERGE and not any(value is outer for outer in self._around):
                    self._around.append(value)
                    yield from self._merged(value, path)
                    self._around.pop()

    def _scalar(self, node: yaml.Node, path: Path) -> Any:
        text: str = node.value
        if HALF_CHARACTER.search(text):
            self._problem(path, text, "whole characters; an escape such as \\ud83d is half of one")
        if node.tag == _TEXT:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        for pattern, advice in _AMBIGUOUS:
            if pattern.fullmatch(text):
                self._problem(path, text, advice.format(text))
                return text
        if _HEXADECIMAL.fullmatch(text):
            return int(text, 16)
        if _INTEGER.fullmatch(text) or _FLOAT.fullmatch(text):
            return self._number(text, path)
        return text

    def _number(self, text: str, path: Path) -> Any:
        try:
            number = int(text) if _INTEGER.fullmatch(text) else float(text)
        except ValueError:
            number = math.inf
        if not math.isfinite(number):
            self._problem(path, text, "a finite number of less than 4000 digits")
        return number

    def _problem(self, path: Path, seen: object, expected: str) -> None:
        self.parsed.problems.append(Problem(path, seen, expected))
