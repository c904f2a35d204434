"""What makes a span an event of an SLI, and what makes the event a good one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import condition, language, outlook, predicate
from aumos_otel.slo.problem import Problem

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.condition import Condition, Facts
    from aumos_otel.slo.problem import Path

_PARTS: Final = ("match", "good")
_KEYS: Final = ("name", *_PARTS, "description")


@dataclass(frozen=True, slots=True)
class Sli:
    """A service-level indicator over spans, and over log records that are events.

    Attributes:
        name: under which it is counted.
        match: what is an event of it.
        good: what of those is a good one.
        description: in words; no part of what it means.

    >>> from aumos_otel.slo import sli
    >>> tools = sli.from_data({
    ...     "name": "tool-success",
    ...     "match": {"gen_ai.operation.name": "execute_tool"},
    ...     "good": {"not": {"status": "error"}},
    ... })
    >>> tools.may_match("server", None, None, {"gen_ai.operation.name": "chat"})
    False
    """

    name: str
    match: Condition
    good: Condition
    description: str = field(default="", repr=False, compare=False)
    _matches: predicate.Predicate = field(init=False, repr=False, compare=False)
    _is_good: predicate.Predicate = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_matches", predicate.compiled(self.match))
        object.__setattr__(self, "_is_good", predicate.compiled(self.good))

    def __reduce__(self) -> tuple[type[Sli], tuple[str, Condition, Condition, str]]:
        return Sli, (self.name, self.match, self.good, self.description)

    def verdict(self, facts: Facts) -> bool | None:
        """None: not an event; True: a good one; False: a bad one."""
        return self._is_good(facts) if self._matches(facts) else None

    @property
    def discriminator(self) -> outlook.Discriminator:
        """What a span must have at least to be an event: what to index SLIs by."""
        return outlook.discriminator(self.match)

    def may_match(
        self, kind: str | None, name: str | None, scope: str | None, attributes: Mapping[str, Any] | None
    ) -> bool:
        """Whether a span that has only begun may become an event; False only if it surely will not.

        Args:
            kind: of the span; None: not known.
            name: of the span; None: not known, or it may change.
            scope: name of the instrumentation scope; None: not known.
            attributes: those that it has already; others may come, these are taken to stay.
        """
        known = outlook.Known(kind=kind, name=name, scope=scope, attributes=attributes or {})
        return outlook.outlook(self.match, known) is not False

    def to_data(self) -> dict[str, Any]:
        """The SLI as plain data, which `from_data` reads as the same one."""
        described = {"description": self.description} if self.description else {}
        parts = {"match": condition.to_data(self.match), "good": condition.to_data(self.good)}
        return {"name": self.name, **described, **parts}


def read(node: object, where: Path, problems: list[Problem], *, name: str | None = None) -> Sli | None:
    """The SLI that plain data describes; None if it cannot be read.

    Args:
        node: a mapping of ``match`` and ``good``, perhaps ``name`` and ``description``.
        where: its path.
        problems: takes all that is wrong.
        name: of the SLI, where the mapping itself has none.
    """
    known = len(problems)
    if not isinstance(node, dict):
        problems.append(Problem(where, node, "a mapping of match and good"))
        return None
    expected = "one of the keys " + ", ".join(_KEYS)
    problems += [Problem(where, key, expected) for key in node if key not in _KEYS]
    keys = sorted(map(str, node))
    problems += [Problem(where, keys, f"{part}: a mapping of conditions") for part in _PARTS if part not in node]
    texts = {"name": node.get("name", name), "description": node.get("description", "")}
    for key, text in texts.items():
        if not isinstance(text, str) or (key == "name" and not text.strip()):
            problems.append(Problem((*where, key) if key in node else where, text, "a text"))
    match, good = (language.parse(node.get(part, {}), (*where, part), problems) for part in _PARTS)
    return None if len(problems) > known else Sli(str(texts["name"]), match, good, str(texts["description"]))


def from_data(node: object) -> Sli:
    """The SLI that plain data describes.

    Raises:
        ObjectiveError: it cannot be read; it has all that is wrong.
    """
    problems: list[Problem] = []
    found = read(node, (), problems)
    if found is None:
        raise ObjectiveError("an SLI", problems)
    return found
