"""Documents of other formats: read field by field, and written so that reading them again proves nothing is lost.

What a document says beyond the model stays in ``Objective.foreign`` and ``Definitions.foreign``: the document itself.
A document is written by trying the original, then the original with what changed, then one made anew; the first that
reads as the objectives is right.  So no format can lose in silence what it has no word for.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import quantity
from aumos_otel.slo.objective import Definitions, Objective
from aumos_otel.slo.problem import Path, Problem

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence


_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_FIELDS: Final = tuple(item.name for item in fields(Objective) if item.name not in {"line", "foreign"})
_NOT_IN_NAMES: Final = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Remark:
    """Something in a foreign document that is kept and written back, but means nothing, or something else, here."""

    path: Path
    text: str


@dataclass(slots=True)
class Findings:
    """What comes to light while documents are read, each once: problems refuse the file, remarks do not.

    Attributes:
        line_of: the line of a path, for documents that come from a file.
    """

    problems: list[Problem] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    line_of: Callable[[Path], int] | None = None

    def problem(self, path: Path, seen: object, expected: str) -> None:
        """Note what makes the file unusable."""
        problem = Problem(path, seen, expected)
        if problem not in self.problems:
            self.problems.append(problem)

    def remark(self, path: Path, text: str) -> None:
        """Note what the reader of the file should know."""
        remark = Remark(path, text)
        if remark not in self.remarks:
            self.remarks.append(remark)


class Node:
    """A mapping in a foreign document.  Each getter notes a value of the wrong type, and returns as if it were missing.

    Args:
        value: the mapping; anything else is noted, and that it has none of its keys is not noted any more.
        path: where it stands.
        findings: where problems and remarks go.
    """

    def __init__(self, value: object, path: Path, findings: Findings) -> None:
        self.path = path
        self.findings = findings
        self._taken: set[str] = set()
        if isinstance(value, Mapping):
            self.value: Mapping[str, Any] = value
        else:
            self.value = {}
            findings.problem(path, value, "a mapping")
            self.findings = Findings()

    def __contains__(self, key: str) -> bool:
        return self.value.get(key) is not None

    @property
    def line(self) -> int:
        """Where it stands in the file; 0 when in none."""
        return self.findings.line_of(self.path) if self.findings.line_of else 0

    def get(self, key: str) -> Any:
        """What stands there, of whatever type; None if nothing does."""
        self._taken.add(key)
        return self.value.get(key)

    def problem(self, key: str, expected: str) -> None:
        """Note that what stands at ``key`` is not what it should be."""
        self.findings.problem((*self.path, key), self.value.get(key), expected)

    def remark(self, key: str, text: str) -> None:
        """Note what the reader should know about ``key``."""
        self.findings.remark((*self.path, key), text)

    def text(self, key: str, *, required: bool = False) -> str:
        """A string; empty if there is none."""
        value = self.get(key)
        if isinstance(value, str) and (value.strip() or not required):
            return value
        if value is not None or required:
            self.problem(key, "a string" if not isinstance(value, str) else "a string that is not empty")
        return ""

    def choice(self, key: str, words: Iterable[str], default: str) -> str:
        """One of ``words``."""
        value = self.get(key)
        if value is None:
            return default
        if isinstance(value, str) and value in (known := tuple(words)):
            return value
        self.problem(key, "one of " + ", ".join(known if isinstance(value, str) else words))
        return default

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.get(key)
        if isinstance(value, bool):
            return value
        if value is not None:
            self.problem(key, "true or false")
        return default

    def number(self, key: str) -> Decimal | None:
        """A finite number, exactly as it is written."""
        value = self.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = Decimal(repr(value))
            if number.is_finite():
                return number
        if value is not None:
            self.problem(key, "a number")
        return None

    def duration(self, key: str, *, required: bool = False) -> Decimal | None:
        """The seconds of a duration in Prometheus' notation."""
        value = self.get(key)
        if value is None and not required:
            return None
        try:
            return quantity.seconds(value)
        except ValueError as error:
            self.problem(key, str(error))
            return None

    def texts(self, key: str, *, scalars: bool = False) -> dict[str, str]:
        """A mapping of strings to strings; with ``scalars`` also of what Kubernetes' readers take for strings."""
        value = self.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.problem(key, "a mapping of strings")
            return {}
        found = {}
        for name, inside in value.items():
            text = scalar_text(inside) if scalars else inside
            if isinstance(text, str):
                found[str(name)] = text
            else:
                self.findings.problem((*self.path, key, str(name)), inside, f'a string; write "{inside}" in quotes')
        return found

    def labels(self, key: str, *, scalars: bool = False) -> dict[str, str]:
        """A mapping of strings whose names Prometheus takes for labels."""
        found = self.texts(key, scalars=scalars)
        for name in found:
            if not is_label(name):
                self.findings.problem((*self.path, key, name), name, "a label of letters, digits and _")
        return found

    def node(self, key: str, *, required: bool = False) -> Node | None:
        """A mapping inside."""
        value = self.get(key)
        if value is None:
            if required:
                self.problem(key, "a mapping")
            return None
        return Node(value, (*self.path, key), self.findings)

    def nodes(self, key: str, *, required: bool = False) -> list[Node]:
        """A list of mappings inside; one at least if it is required."""
        value = self.get(key)
        if isinstance(value, list) and (value or not required):
            return [Node(item, (*self.path, key, index), self.findings) for index, item in enumerate(value)]
        if value is not None or required:
            self.problem(key, "a list with at least one mapping" if required else "a list of mappings")
        return []

    def close(self, *known: str) -> None:
        """Remark on each key that nobody asked for and that is not among those ``known`` to mean nothing here."""
        names = self._taken.union(known)
        for key in self.value:
            if key not in names:
                near = difflib.get_close_matches(str(key), names, 1)
                advice = f"; is {near[0]} meant?" if near else ""
                self.remark(str(key), f"this field is not part of the format; it is kept, but means nothing{advice}")


def is_label(value: object) -> bool:
    """Whether it is a name for a label that Prometheus leaves to its users."""
    return isinstance(value, str) and _LABEL.fullmatch(value) is not None and not value.startswith("__")


def scalar_text(value: object) -> object:
    """The text that a boolean or number is written as; anything else as it is."""
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, int | float) else value


def name_of(text: str) -> str:
    """The name of an objective made of any text: lower-case letters, digits and dashes."""
    return _NOT_IN_NAMES.sub("-", text.lower()).strip("-")


class Names:
    """Names of objectives, given out once a service."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._given: dict[tuple[str, str], str] = {}

    def copy(self, findings: Findings) -> Names:
        """The same names given, to try what comes next."""
        names = Names(findings)
        names._given |= self._given
        return names

    def give(self, path: Path, service: str, text: str) -> str:
        """The name for an objective that its document calls ``text``; the same text twice is a problem."""
        base = name_of(text)
        if not base:
            self._findings.problem(path, text, "a name with letters or digits")
            return "unnamed"
        name, count = base, 1
        while (taken := self._given.get((service, name))) is not None:
            if taken == text:
                self._findings.problem(path, text, f"a name that no other SLO of the service {service!r} has")
                return name
            count += 1
            name = f"{base}-{count}"
        self._given[service, name] = text
        return name


def merged(before: Any, changes: Any) -> Any:
    """``before`` with everything that ``changes`` says; lists of the same length place by place."""
    if isinstance(before, Mapping) and isinstance(changes, Mapping):
        return {
            **before,
            **{key: merged(before[key], value) if key in before else value for key, value in changes.items()},
        }
    if isinstance(before, list) and isinstance(changes, list) and len(before) == len(changes):
        return [merged(old, new) for old, new in zip(before, changes, strict=True)]
    return changes


def differences(wanted: Sequence[Objective], read: Sequence[Objective]) -> list[tuple[Objective, str]]:
    """Objectives and their fields that ``read`` does not have as they are wanted; where they were read from is none."""
    if len(wanted) != len(read):
        return [(objective, "name") for objective in wanted]
    return [
        (objective, name)
        for objective, other in zip(wanted, read, strict=True)
        for name in _FIELDS
        if getattr(objective, name) != getattr(other, name)
    ]


def written(
    before: Any,
    objectives: Sequence[Objective],
    wanted: Sequence[Objective],
    anew: Any,
    read: Callable[[Any, Findings], Sequence[Objective]],
) -> tuple[Any, list[tuple[Objective, str]]]:
    """The document for objectives, and what of them it cannot say.

    Args:
        before: the document that they were read from; None if they were not.
        objectives: as they are, one at least.
        wanted: as near to that as the format comes in other words.
        anew: a document that says of them what the format has words for.
        read: the objectives of a document.
    """
    tries = [(anew, wanted)]
    if before is not None:
        tries = [(before, objectives), (merged(before, anew), wanted), *tries]
    missing: list[tuple[Objective, str]] = []
    for document, expected in tries:
        findings = Findings()
        missing = differences(expected, read(document, findings))
        if not missing and not findings.problems:
            return document, []
    return anew, missing or [(wanted[0], "name")]


def refusals(missing: Iterable[tuple[Objective, str]], remedies: Mapping[str, str], words: str) -> list[str]:
    """What to say about fields that a format cannot say: ``remedies`` tells by field what it can, ``words`` whose it is."""
    return [
        f"{objective.service}/{objective.name}: "
        f"{Problem((name,), _shown(objective, name), remedies.get(name, f'what {words} has a word for'))}"
        for objective, name in missing
    ]


def _shown(objective: Objective, name: str) -> object:
    value = getattr(objective, name)
    if name == "policy":
        return objective.policy.name
    return type(value).__name__ if name in {"indicator", "budgeting"} else value


def runs(objectives: Sequence[Objective], format_name: str) -> Iterator[tuple[Any, list[Objective]]]:
    """Objectives of one service that were read from one document, with that document; None if they were not read."""
    for (document, _), run in groupby(objectives, lambda one: (original(one, format_name), one.service)):
        yield document, list(run)


def original(objective: Objective, format_name: str) -> Mapping[str, Any] | None:
    """The document of a format that the objective was read from; None if it was not, or says something else there."""
    found = objective.foreign.get(format_name)
    return found if isinstance(found, Mapping) else None


def kept(definitions: Definitions, format_name: str) -> list[Mapping[str, Any]]:
    """What of a format defines no objective; nothing if something else than a list of mappings is there."""
    found = definitions.foreign.get(format_name)
    return found if isinstance(found, list) and all(isinstance(one, Mapping) for one in found) else []
