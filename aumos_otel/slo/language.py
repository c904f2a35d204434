"""How a condition is written down, and what is wrong with one that cannot be read.

A mapping means all of its entries.  The words of the language ask about the span as such, ``all``, ``any`` and
``not`` join conditions, and any other key is an attribute.  docs/reference/sli.md is the reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, cast

from aumos_otel.slo import condition as model
from aumos_otel.slo import operand
from aumos_otel.slo.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.slo.condition import Check, Condition
    from aumos_otel.slo.problem import Path

#: Conditions inside each other, and in all; more are no SLI but an accident, or an attack.
_DEEPEST: Final = 16
_MOST: Final = 1000
#: Least letters of a word for which a key that is one slip away from it is taken to mean it.
_TELLING: Final = 4

_FIELDS: Final = ("kind", "status", "name", "scope")
_SOURCES: Final = ("attributes", "resource")
#: Keys that are no attributes.
WORDS: Final = ("all", "any", "not", *_FIELDS, "duration", "event", "sum", *_SOURCES)
_LISTED: Final = {"kind": model.KINDS, "status": model.STATUSES}
_CONDITION: Final = "a mapping of conditions, e.g. {kind: server, http.route: /chat}"
_SUM: Final = "the attributes to add and a limit, e.g. {of: [a.in, a.out], below: 4000}"


def parse(node: object, where: Path, problems: list[Problem]) -> Condition:
    """The condition that plain data describes.

    Args:
        node: a mapping, as YAML or JSON give it.
        where: its path.
        problems: takes all that is wrong; that is left out of the condition.
    """
    return _Reader(problems).condition(node, where, 0)


class _Reader:
    """Reads one condition with all that is inside it."""

    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems
        self._count = 0
        self._readers: dict[str, Callable[[Any, Path, int], Condition | None]] = {
            "all": self._all,
            "any": self._any,
            "not": self._not,
            "duration": self._duration,
            "event": self._event,
            "sum": self._sum,
            **dict.fromkeys(_FIELDS, self._field),
            **dict.fromkeys(_SOURCES, self._attributes),
        }

    def condition(self, node: object, where: Path, depth: int) -> Condition:
        """All entries of a mapping; a single one is itself."""
        if not isinstance(node, dict):
            self._wrong(where, node, _CONDITION)
            return model.All(())
        if depth > _DEEPEST:
            self._wrong(where, "more", f"no more than {_DEEPEST} conditions inside each other")
            return model.All(())
        parts = []
        for key, value in node.items():
            if self._is_full(where):
                break
            name = self._key(key, where)
            part = None if name is None else self._entry(name, value, (*where, name), depth)
            if part is not None:
                parts.append(part)
        return parts[0] if len(parts) == 1 else model.All(tuple(parts))

    def _is_full(self, where: Path) -> bool:
        """Count one more condition; whether it is one too many, which is told once."""
        self._count += 1
        if self._count == _MOST + 1:
            self._wrong(where, "more", f"no more than {_MOST} conditions")
        return self._count > _MOST

    def _entry(self, name: str, value: object, where: Path, depth: int) -> Condition | None:
        reader = self._readers.get(name)
        if reader is not None:
            return reader(value, where, depth)
        meant = next((word for word in WORDS if len(word) >= _TELLING and is_slip(name, word)), None)
        if meant is not None and "." not in name:
            self._wrong(where, name, f"{meant!r}; an attribute of that name stands under 'attributes'")
            return None
        return self._attribute(name, value, where, "attributes")

    def _key(self, key: object, where: Path) -> str | None:
        if isinstance(key, str) and key and operand.is_unicode(key):
            return key
        self._wrong(where, key, "a word of the language or the name of an attribute as key, in quotes if need be")
        return None

    def _all(self, node: object, where: Path, depth: int) -> Condition:
        return model.All(self._list(node, where, depth))

    def _any(self, node: object, where: Path, depth: int) -> Condition:
        return model.Either(self._list(node, where, depth))

    def _list(self, node: object, where: Path, depth: int) -> tuple[Condition, ...]:
        if not isinstance(node, list):
            self._wrong(where, node, "a list of conditions")
            return ()
        parts = []
        for index, part in enumerate(node):
            if self._is_full(where):
                break
            parts.append(self.condition(part, (*where, index), depth + 1))
        return tuple(parts)

    def _not(self, node: object, where: Path, depth: int) -> Condition:
        return model.Not(self.condition(node, where, depth + 1))

    def _field(self, node: object, where: Path, _depth: int) -> Condition | None:
        field = cast("Literal['kind', 'name', 'status', 'scope']", where[-1])
        words = _LISTED.get(field, ())
        checks = self._checks(node, where, operand.WORD_CHECKS if words else operand.TEXT_CHECKS, words)
        return model.Field(field, checks) if checks else None

    def _attributes(self, node: object, where: Path, _depth: int) -> Condition | None:
        parts = self._mapped(node, where, cast("Literal['attributes', 'resource']", where[-1]))
        return parts[0] if len(parts) == 1 else model.All(parts)

    def _mapped(
        self, node: object, where: Path, source: Literal["attributes", "resource"]
    ) -> tuple[model.Attribute, ...]:
        if not isinstance(node, dict):
            self._wrong(where, node, "a mapping of attributes, e.g. {http.route: /chat}")
            return ()
        parts = []
        for key, value in node.items():
            name = self._key(key, where)
            part = None if name is None else self._attribute(name, value, (*where, name), source)
            if part is not None:
                parts.append(part)
        return tuple(parts)

    def _attribute(
        self, key: str, value: object, where: Path, source: Literal["attributes", "resource"]
    ) -> model.Attribute | None:
        checks = self._checks(value, where, operand.VALUE_CHECKS)
        return model.Attribute(key, checks, source) if checks else None

    def _duration(self, node: object, where: Path, _depth: int) -> Condition | None:
        limits = self._limits(node, where, operand.seconds, "a mapping of limits, e.g. {below: 300ms}")
        return model.Duration(limits) if limits else None

    def _sum(self, node: object, where: Path, _depth: int) -> Condition | None:
        if not isinstance(node, dict) or not isinstance(node.get("of"), list) or not node["of"]:
            self._wrong(where, node, _SUM)
            return None
        found = [self._key(key, (*where, "of", index)) for index, key in enumerate(node["of"])]
        keys = tuple(key for key in found if key is not None)
        if len(set(keys)) < len(keys):
            self._wrong((*where, "of"), node["of"], "each attribute once")
        rest = {key: value for key, value in node.items() if key != "of"}
        limits = self._limits(rest, where, operand.number, _SUM)
        return model.Sum(keys, limits) if limits else None

    def _event(self, node: object, where: Path, _depth: int) -> Condition | None:
        if isinstance(node, str):
            return model.Happened(self._checks(node, where, operand.TEXT_CHECKS))
        if not isinstance(node, dict) or not node.keys() <= {"name", "attributes"}:
            self._wrong(where, node, "an event's name, or a mapping of name and attributes")
            return None
        name = self._checks(node["name"], (*where, "name"), operand.TEXT_CHECKS) if "name" in node else ()
        described = self._mapped(node.get("attributes", {}), (*where, "attributes"), "attributes")
        return model.Happened(name, described)

    def _limits(self, node: object, where: Path, read: operand.Read, expected: str) -> tuple[model.Compare, ...]:
        if not isinstance(node, dict) or not node:
            self._wrong(where, node, expected)
            return ()
        limits = []
        for word, value in node.items():
            if word not in operand.COMPARISONS:
                self._wrong(where, word, "one of " + ", ".join(operand.COMPARISON_WORDS))
                continue
            try:
                limits.append(model.Compare(operand.COMPARISONS[word], read(value)))
            except ValueError as error:
                self._wrong((*where, word), value, str(error))
        self._once(node, where)
        return tuple(limits)

    def _checks(
        self, node: object, where: Path, allowed: tuple[str, ...], words: tuple[str, ...] = ()
    ) -> tuple[Check, ...]:
        """The checks of a value: of a bare one equality, of a list equality to one of its items."""
        if not isinstance(node, dict):
            return self._check("in" if isinstance(node, list) else "eq", node, where, allowed, words)
        if not node:
            self._wrong(where, node, "a value, or a mapping with one of " + ", ".join(allowed))
        checks: list[Check] = []
        for word, value in node.items():
            if word in allowed:
                checks += self._check(word, value, (*where, word), allowed, words)
            else:
                self._wrong(where, word, "a value, or one of " + ", ".join(allowed))
        self._once(node, where)
        return tuple(checks)

    def _check(
        self, word: str, value: object, where: Path, allowed: tuple[str, ...], words: tuple[str, ...]
    ) -> tuple[Check, ...]:
        try:
            return (operand.check(word, value, texts_only="exists" not in allowed, words=words),)
        except ValueError as error:
            self._wrong(where, value, str(error))
            return ()

    def _once(self, node: dict[Any, Any], where: Path) -> None:
        """Two words for the same check would be one too many."""
        operators = [operand.COMPARISONS.get(word, "eq" if word == "in" else word) for word in node]
        if len(set(operators)) < len(operators):
            self._wrong(where, node, "one of eq and in, of below and lte, of above and gte: they say the same")

    def _wrong(self, where: Path, seen: object, expected: str) -> None:
        self._problems.append(Problem(where, seen, expected))


def is_slip(written: str, meant: str) -> bool:
    """Whether one letter was added, left out, changed, or swapped with its neighbour."""
    if written == meant or abs(len(written) - len(meant)) > 1:
        return False
    at = next((index for index, (one, two) in enumerate(zip(written, meant, strict=False)) if one != two), None)
    if at is None:
        return True
    rest, other = written[at:], meant[at:]
    return rest[1:] in (other, other[1:]) or rest == other[1:] or rest[1::-1] + rest[2:] == other
