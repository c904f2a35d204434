"""Conditions made fast: functions over the facts of a span that has ended.

A value that is missing, or null, fails every check but ``ne`` and ``exists: false``.  Of an array any element
may pass; ``ne`` then means that no element is equal.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeGuard

from aumos_otel.slo import condition as model
from aumos_otel.slo import pattern

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from decimal import Decimal

    from aumos_otel.slo.condition import Check, Condition, Facts, Values

Predicate = Callable[["Facts"], bool]
#: Over a value that is there.
ValueTest = Callable[[Any], bool]

_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}
_ARRAYS: Final = (tuple, list)
_NUMBERS: Final = (int, float)
#: What OTLP cannot carry as a whole number, and a float64 perhaps cannot at all.
_NO_INT64: Final = 2**63


def compiled(condition: Condition) -> Predicate:  # noqa: PLR0911 - one return a kind of condition
    """The function that tells whether the condition is true."""
    match condition:
        case model.Field(field, checks):
            return _of_field(field, checks)
        case model.Attribute():
            return _of_attribute(condition)
        case model.Duration(limits):
            return _of_duration(value_test(tuple(_in_seconds(limit) for limit in limits)))
        case model.Sum(keys, limits):
            test = value_test(limits)
            return lambda facts: (total := total_of(keys, facts.attributes)) is not None and test(total)
        case model.Happened(name, attributes):
            return _of_events(name, attributes)
        case model.All(parts):
            return _all([compiled(part) for part in parts])
        case model.Either(parts):
            return _either([compiled(part) for part in parts])
        case model.Not(part):
            inner = compiled(part)
            return lambda facts: not inner(facts)


def holds(attribute: model.Attribute, values: Mapping[str, Any]) -> bool:
    """Whether the checks of an attribute hold among these, and no more."""
    value = values.get(attribute.key)
    return without_value(attribute.checks) if value is None else value_test(attribute.checks)(value)


def without_value(checks: Iterable[Check]) -> bool:
    """Whether the checks hold where there is no value."""
    return all(
        isinstance(check, model.NoneOf) or (isinstance(check, model.Exists) and not check.present) for check in checks
    )


def total_of(keys: Iterable[str], attributes: Mapping[str, Any]) -> float | None:
    """The sum of those attributes that are numbers, each as float64, one after the other; None without any."""
    total = None
    for key in keys:
        value = attributes.get(key)
        if _is_number(value) and (isinstance(value, float) or abs(value) < _NO_INT64):
            total = float(value) if total is None else total + float(value)
    return total


@lru_cache(maxsize=1024)
def value_test(checks: tuple[Check, ...]) -> ValueTest:
    """Whether all checks hold for a value."""
    tests = [_test(check) for check in checks]
    if len(tests) == 1:
        return tests[0]
    return lambda value: all(test(value) for test in tests)


def _test(check: Check) -> ValueTest:  # noqa: PLR0911 - one return a kind of check
    match check:
        case model.OneOf(model.Values(texts, (), ())):
            return _one_of_texts(frozenset(texts))
        case model.OneOf(values):
            return _any_element(_equality(values))
        case model.NoneOf(values):
            equal = _any_element(_equality(values))
            return lambda value: not equal(value)
        case model.Prefix(text):
            return _any_element(lambda value: isinstance(value, str) and value.startswith(text))
        case model.Matches(text):
            matches = pattern.compiled(text).matches
            return _any_element(lambda value: isinstance(value, str) and matches(value))
        case model.Exists(present):
            return lambda _value: present
        case model.Compare(word, bound):
            return _comparison(_OPERATORS[word], bound)


def _one_of_texts(texts: frozenset[str]) -> ValueTest:
    slow = _any_element(lambda value: isinstance(value, str) and value in texts)
    return lambda value: value in texts if value.__class__ is str else slow(value)


def _comparison(compare: Callable[[Any, Any], bool], bound: float | Decimal) -> ValueTest:
    slow = _any_element(lambda value: _is_number(value) and compare(value, bound))
    return lambda value: compare(value, bound) if value.__class__ in _NUMBERS else slow(value)


def _any_element(test: ValueTest) -> ValueTest:
    """Of an array any element, of anything else itself; an array in an array passes nothing."""

    def either_way(value: Any) -> bool:
        return any(map(test, value)) if isinstance(value, _ARRAYS) else test(value)

    return either_way


def _equality(values: Values) -> ValueTest:
    texts, numbers, flags = frozenset(values.texts), frozenset(values.numbers), frozenset(values.flags)

    def equal(value: Any) -> bool:
        if isinstance(value, str):
            return value in texts
        if isinstance(value, bool):
            return value in flags
        return isinstance(value, int | float) and value in numbers

    return equal


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _in_seconds(limit: model.Compare) -> model.Compare:
    return model.Compare(limit.operator, float(limit.bound))


def _of_field(field: str, checks: tuple[Check, ...]) -> Predicate:
    get, test, only = operator.attrgetter(field), value_test(checks), _only_text(checks)
    if only is not None and field == "kind":
        return lambda facts: facts.kind == only
    if only is not None and field == "status":
        return lambda facts: facts.status == only
    return lambda facts: test(get(facts))


def _of_attribute(attribute: model.Attribute) -> Predicate:
    key, test, without = attribute.key, value_test(attribute.checks), without_value(attribute.checks)
    only = _only_text(attribute.checks)
    if attribute.source == "resource":
        return lambda facts: without if (value := facts.resource.get(key)) is None else test(value)
    if only is not None:  # by far the most frequent
        return lambda facts: (
            (value := facts.attributes.get(key)) == only or (value.__class__ in _ARRAYS and only in value)
        )
    return lambda facts: without if (value := facts.attributes.get(key)) is None else test(value)


def _only_text(checks: tuple[Check, ...]) -> str | None:
    """The one text that is wanted; None if it is not as simple as that."""
    match checks:
        case (model.OneOf(model.Values((only,), (), ())),):
            return only
    return None


def _of_duration(test: ValueTest) -> Predicate:
    return lambda facts: test(facts.duration)


def _of_events(name: tuple[Check, ...], attributes: tuple[model.Attribute, ...]) -> Predicate:
    is_named = value_test(name)
    tests = [(each.key, value_test(each.checks), without_value(each.checks)) for each in attributes]

    def is_meant(described: Mapping[str, Any]) -> bool:
        return all(without if (value := described.get(key)) is None else test(value) for key, test, without in tests)

    return lambda facts: any(is_named(event) and is_meant(described or {}) for event, described in facts.events)


def _all(tests: Sequence[Predicate]) -> Predicate:
    if len(tests) == 2:  # noqa: PLR2004 - a pair needs no loop
        one, two = tests
        return lambda facts: one(facts) and two(facts)

    def all_of(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost as much as the tests
            if not test(facts):
                return False
        return True

    return all_of


def _either(tests: Sequence[Predicate]) -> Predicate:
    def any_of(facts: Facts) -> bool:
        for test in tests:  # noqa: SIM110 - a generator would cost as much as the tests
            if test(facts):
                return True
        return False

    return any_of
