"""What a value is checked against, as it is written down: values, bounds, patterns."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING, Final

from aumos_otel.slo import condition as model
from aumos_otel.slo import pattern, quantity

if TYPE_CHECKING:
    from aumos_otel.slo.condition import Check
    from aumos_otel.slo.indicator import Operator

#: Reads a bound; ValueError says what would have been one.
Read = Callable[[object], int | float | Decimal]

COMPARISONS: Final[dict[object, Operator]] = {
    "lt": "lt",
    "lte": "lte",
    "gt": "gt",
    "gte": "gte",
    "below": "lte",
    "above": "gte",
}
WORD_CHECKS: Final = ("eq", "in", "ne")
TEXT_CHECKS: Final = (*WORD_CHECKS, "prefix", "regex")
COMPARISON_WORDS: Final = tuple(map(str, COMPARISONS))
VALUE_CHECKS: Final = (*TEXT_CHECKS, "exists", *COMPARISON_WORDS)

#: Up to here every whole number is a float64 too, so that nobody reads it as another one.
_LARGEST: Final = 2**53
_NANOSECOND: Final = Decimal("1e-9")
#: In seconds; up to here a float64 tells all nanoseconds apart.
_LONGEST: Final = 30 * 86_400


def check(word: str, value: object, *, texts_only: bool, words: tuple[str, ...]) -> Check:  # noqa: PLR0911 - one a word
    """The check that a word and its value are.

    Args:
        word: one of `VALUE_CHECKS`.
        value: as it is written down.
        texts_only: whether only texts can be compared with.
        words: if any, those that there are.

    Raises:
        ValueError: it is none; the message says what would have been one.
    """
    match word:
        case "eq":
            return model.OneOf(_values([value], texts_only=texts_only, words=words))
        case "ne":
            return model.NoneOf(_values([value], texts_only=texts_only, words=words))
        case "in":
            if not isinstance(value, list) or not value:
                raise ValueError("a list of at least one value")
            return model.OneOf(_values(value, texts_only=texts_only, words=words))
        case "prefix":
            return model.Prefix(_text(value, "the text that it begins with"))
        case "regex":
            return model.Matches(pattern.compiled(_text(value, "a regular expression")).text)
        case "exists":
            if not isinstance(value, bool):
                raise ValueError("true or false")  # noqa: TRY004 - as for every other operand
            return model.Exists(value)
        case _:
            return model.Compare(COMPARISONS[word], number(value))


def number(value: object) -> int | float:
    """A number in its one notation: a whole one as int.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise ValueError("a number, of at most 2^53")
    return int(value) if value == int(value) else value


def seconds(value: object) -> Decimal:
    """The seconds of a duration, in their one notation.

    Raises:
        ValueError: it is none.
    """
    duration = quantity.seconds(value)
    if duration > _LONGEST or duration % _NANOSECOND:
        raise ValueError("a duration of whole nanoseconds, of at most 30d")
    return duration.normalize()


def is_unicode(text: str) -> bool:
    """Whether it can be encoded: half a surrogate pair, which JSON can spell, cannot."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _text(value: object, expected: str) -> str:
    if not isinstance(value, str) or not value or not is_unicode(value):
        raise ValueError(expected)
    return value


def _values(found: list[object], *, texts_only: bool, words: tuple[str, ...]) -> model.Values:
    texts: list[str] = []
    numbers: list[int | float] = []
    flags: list[bool] = []
    for value in found:
        if words and value not in words:
            raise ValueError("one of " + ", ".join(words))
        if isinstance(value, str) and is_unicode(value):
            texts.append(value)
        elif texts_only:
            raise ValueError("a text")
        elif isinstance(value, bool):
            flags.append(value)
        elif isinstance(value, int | float):
            numbers.append(number(value))
        else:
            raise ValueError("a text, true, false or a number; a date stands in quotes, no value is {exists: false}")
    return model.Values(tuple(dict.fromkeys(texts)), tuple(dict.fromkeys(numbers)), tuple(dict.fromkeys(flags)))
