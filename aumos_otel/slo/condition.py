"""Conditions over what is known of a span or an event: closed data, which Python and the Go collector read alike.

`aumos_otel.slo.language` reads them from a file, `aumos_otel.slo.predicate` makes them fast, and
`aumos_otel.slo.outlook` asks them before a span has ended.  docs/reference/sli.md tells what each means.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from aumos_otel.slo.indicator import Operator

Scalar = str | int | float | bool

#: A span's kinds; ``event`` is a log record that has an event name, which then is its name.
KINDS: Final[tuple[str, ...]] = ("server", "client", "internal", "producer", "consumer", "event")
STATUSES: Final[tuple[str, ...]] = ("unset", "ok", "error")


class Facts(Protocol):
    """What a condition may ask about."""

    @property
    def kind(self) -> str:
        """One of `KINDS`."""

    @property
    def name(self) -> str:
        """Of the span, or of the event."""

    @property
    def status(self) -> str:
        """One of `STATUSES`; ``unset`` for an event."""

    @property
    def scope(self) -> str:
        """Name of the instrumentation scope; empty when there is none."""

    @property
    def duration(self) -> float:
        """Seconds from start to end, nanoseconds / 1e9; 0 for an event."""

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Of the span or the event."""

    @property
    def resource(self) -> Mapping[str, Any]:
        """Attributes of the resource."""

    @property
    def events(self) -> Sequence[tuple[str, Mapping[str, Any] | None]]:
        """Name and attributes of each event of the span."""


@dataclass(frozen=True, slots=True)
class Values:
    """Values by type, since none equals a value of another type; numbers are one type, and whole ones are ints."""

    texts: tuple[str, ...] = ()
    numbers: tuple[int | float, ...] = ()
    flags: tuple[bool, ...] = ()

    @property
    def all(self) -> tuple[Scalar, ...]:
        """Every one of them."""
        return (*self.texts, *self.numbers, *self.flags)


@dataclass(frozen=True, slots=True)
class OneOf:
    """The value is one of these."""

    values: Values


@dataclass(frozen=True, slots=True)
class NoneOf:
    """The value is none of these, or missing."""

    values: Values


@dataclass(frozen=True, slots=True)
class Prefix:
    """The text begins with this."""

    text: str


@dataclass(frozen=True, slots=True)
class Matches:
    """The whole text is what a `aumos_otel.slo.pattern.Pattern` describes."""

    pattern: str


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value, or there is none."""

    present: bool


@dataclass(frozen=True, slots=True)
class Compare:
    """The number lies on the named side of the bound; a bound in seconds is a Decimal."""

    operator: Operator
    bound: int | float | Decimal


Check = OneOf | NoneOf | Prefix | Matches | Exists | Compare


@dataclass(frozen=True, slots=True)
class Field:
    """All checks hold for a field that every span has."""

    field: Literal["kind", "name", "status", "scope"]
    checks: tuple[Check, ...]


@dataclass(frozen=True, slots=True)
class Attribute:
    """All checks hold for the value of an attribute, of the span or of its resource."""

    key: str
    checks: tuple[Check, ...]
    source: Literal["attributes", "resource"] = "attributes"


@dataclass(frozen=True, slots=True)
class Duration:
    """The duration keeps within all limits."""

    limits: tuple[Compare, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """The sum of numeric attributes, of which at least one is there, keeps within all limits."""

    keys: tuple[str, ...]
    limits: tuple[Compare, ...]


@dataclass(frozen=True, slots=True)
class Happened:
    """The span has an event of which all of this is true."""

    name: tuple[Check, ...] = ()
    attributes: tuple[Attribute, ...] = ()


@dataclass(frozen=True, slots=True)
class All:
    """Every part is true; without parts, true."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Either:
    """At least one part is true; without parts, false."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part is false."""

    part: Condition


Condition = Field | Attribute | Duration | Sum | Happened | All | Either | Not


def to_data(condition: Condition) -> dict[str, Any]:  # noqa: PLR0911 - one return a kind of condition
    """The condition as plain data, which `aumos_otel.slo.language.parse` reads as the same one."""
    match condition:
        case Field(field, checks):
            return {field: _checks_data(checks)}
        case Attribute(key, checks, source):
            written = {key: _checks_data(checks)}
            return written if source == "attributes" and "." in key else {source: written}
        case Duration(limits):
            return {"duration": {limit.operator: f"{limit.bound:f}s" for limit in limits}}
        case Sum(keys, limits):
            return {"sum": {"of": list(keys), **_checks_data(limits)}}
        case Happened(name, attributes):
            named = {"name": _checks_data(name)} if name else {}
            described = {"attributes": {each.key: _checks_data(each.checks) for each in attributes}}
            return {"event": named | (described if attributes else {})}
        case All(parts):
            return _all_data([to_data(part) for part in parts])
        case Either(parts):
            return {"any": [to_data(part) for part in parts]}
        case Not(part):
            return {"not": to_data(part)}


def _all_data(parts: list[dict[str, Any]]) -> dict[str, Any]:
    """One mapping of all entries, where that is the same."""
    keys = [key for part in parts for key in part]
    if 1 < len(parts) == len(keys) == len(set(keys)):
        return {key: value for part in parts for key, value in part.items()}
    return {"all": parts}


def _checks_data(checks: Iterable[Check]) -> Any:
    """One value by itself stands for its equality."""
    words: dict[str, Any] = {}
    for check in checks:
        match check:
            case OneOf(values):
                words |= {"eq": values.all[0]} if len(values.all) == 1 else {"in": list(values.all)}
            case NoneOf(values):
                words["ne"] = values.all[0]
            case Prefix(text):
                words["prefix"] = text
            case Matches(pattern):
                words["regex"] = pattern
            case Exists(present):
                words["exists"] = present
            case Compare(operator, bound):
                words[operator] = bound
    return words["eq"] if list(words) == ["eq"] else words
