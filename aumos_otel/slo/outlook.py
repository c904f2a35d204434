"""What a condition says before everything is known, and what a span needs at least to meet it."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import reduce
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aumos_otel.slo import condition as model
from aumos_otel.slo import predicate

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aumos_otel.slo.condition import Check, Condition, Scalar

_T = TypeVar("_T")


@dataclass(frozen=True, kw_only=True, slots=True)
class Known:
    """What is known of a span so far; None is unknown, and so is an attribute that is not there yet."""

    kind: str | None = None
    name: str | None = None
    scope: str | None = None
    attributes: Mapping[str, Any] = field(default_factory=dict)


def outlook(condition: Condition, known: Known) -> bool | None:
    """Whether the condition will be true; None while that depends on what is not known."""
    match condition:
        case model.Field(name, checks):
            value = None if name == "status" else getattr(known, name)
            return None if value is None else predicate.value_test(checks)(value)
        case model.Attribute(key, _, "attributes") if known.attributes.get(key) is not None:
            return predicate.holds(condition, known.attributes)
        case model.All(parts):
            seen = {outlook(part, known) for part in parts}
            return False if False in seen else None if None in seen else True
        case model.Either(parts):
            seen = {outlook(part, known) for part in parts}
            return True if True in seen else None if None in seen else False
        case model.Not(part):
            inner = outlook(part, known)
            return None if inner is None else not inner
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Discriminator:
    """What a span must have to be an event of an SLI: an index by it spares evaluating most SLIs.

    It never rules out an event; what it admits may still be none, so that `Sli.verdict` has the last word.
    None stands for "any".  Values are compared with ``==`` and hashed as Python does, by which 1, 1.0 and True
    are one: an index may look them up alike, because that only admits more.

    Attributes:
        kinds: the span has one of these kinds.
        names: it has one of these names; None also where names are asked for by prefix or pattern.
        scopes: it comes from one of these instrumentation scopes.
        attributes: it has each of these attributes, and its value, or an element of it if it is an array, is one
            of the values; None: with any value.
    """

    kinds: frozenset[str] | None = None
    names: frozenset[str] | None = None
    scopes: frozenset[str] | None = None
    attributes: Mapping[str, frozenset[Scalar] | None] = field(default_factory=dict)


_ANYTHING: Final = Discriminator()
_NOTHING: Final = Discriminator(frozenset(), frozenset(), frozenset())


def discriminator(condition: Condition) -> Discriminator:
    """What the condition needs at least."""
    return _needs(condition, wanted=True)


def _needs(condition: Condition, *, wanted: bool) -> Discriminator:
    """What makes the condition true, or false where that is ``wanted``."""
    match condition:
        case model.Field(name, checks):
            return _needs_field(name, checks, wanted=wanted)
        case model.Attribute(key, checks, "attributes"):
            return _needs_attribute(key, checks, wanted=wanted)
        case model.All(parts) | model.Either(parts):
            needed = [_needs(part, wanted=wanted) for part in parts]
            joined = isinstance(condition, model.All) == wanted
            return reduce(_both, needed, _ANYTHING) if joined else _one_of(needed)
        case model.Not(part):
            return _needs(part, wanted=not wanted)
        case _:
            return _ANYTHING


def _needs_field(name: str, checks: tuple[Check, ...], *, wanted: bool) -> Discriminator:
    if name == "kind":
        test = predicate.value_test(checks)
        return Discriminator(kinds=frozenset(kind for kind in model.KINDS if test(kind) is wanted))
    texts = _values(checks, wanted=wanted)
    if texts is None or name == "status":
        return _ANYTHING
    only = frozenset(str(text) for text in texts)
    return Discriminator(names=only) if name == "name" else Discriminator(scopes=only)


def _needs_attribute(key: str, checks: tuple[Check, ...], *, wanted: bool) -> Discriminator:
    if predicate.without_value(checks) is wanted:
        return _ANYTHING
    return Discriminator(attributes={key: _values(checks, wanted=wanted)})


def _values(checks: tuple[Check, ...], *, wanted: bool) -> frozenset[Scalar] | None:
    """The values of which one is needed; None: any may do."""
    if wanted:
        found = next((check for check in checks if isinstance(check, model.OneOf)), None)
        return None if found is None else frozenset(found.values.all)
    only = checks[0] if len(checks) == 1 else None
    return frozenset(only.values.all) if isinstance(only, model.NoneOf) else None


def _both(one: Discriminator, other: Discriminator) -> Discriminator:
    """What is needed where both are."""
    attributes = dict(one.attributes)
    for key, values in other.attributes.items():
        # Not the values that both have: of an array, each may find an element of its own.
        attributes[key] = attributes[key] if attributes.get(key) is not None else values
    return Discriminator(
        _common(one.kinds, other.kinds), _common(one.names, other.names), _common(one.scopes, other.scopes), attributes
    )


def _common(one: frozenset[str] | None, other: frozenset[str] | None) -> frozenset[str] | None:
    return other if one is None else one if other is None else one & other


def _one_of(needed: Iterable[Discriminator]) -> Discriminator:
    """What is needed where one of them is."""
    branches = list(needed)
    if not branches:
        return _NOTHING
    keys = set[str](branches[0].attributes).intersection(*(branch.attributes for branch in branches))
    return Discriminator(
        _joined(branch.kinds for branch in branches),
        _joined(branch.names for branch in branches),
        _joined(branch.scopes for branch in branches),
        {key: _joined(branch.attributes[key] for branch in branches) for key in sorted(keys)},
    )


def _joined(sets: Iterable[frozenset[_T] | None]) -> frozenset[_T] | None:
    every = list(sets)
    known = [each for each in every if each is not None]
    return frozenset[_T]().union(*known) if len(known) == len(every) else None
