"""Whether a pattern of the user is safe to search with: its cost has to grow with the text, not faster.

The parsed pattern is looked at first, since the worst shapes (a quantifier inside a quantifier)
cannot be tried: a search cannot be stopped.  What remains is tried on texts made from the pattern.
"""

from __future__ import annotations

import importlib
import re
import time
from functools import lru_cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterator

# CPython's own parser knows each construct that its engine runs; a grammar of our own would know fewer.
_parser: Any = importlib.import_module("re._parser")
_constants: Any = importlib.import_module("re._constants")

#: Processor seconds that a search of `_LONGEST` characters may take: ten times what the slowest linear pattern does.
_TRIAL_SECONDS: Final = 0.006
_LONGEST: Final = 16 * 1024
#: From here on a quantifier counts as one without a bound.
_MANY: Final = 256
#: Ways in which nested quantifiers may share one run of characters.
_WAYS: Final = 1024

_REMEDY = "bound its quantifiers ({1,64}), nest none, begin it with a literal, or use possessive ones (a++)"


def check(subject: str, pattern: object) -> None:
    """Refuse a pattern that is none, or whose cost grows faster than the text.

    Args:
        subject: the option, for the error.
        pattern: a regular expression.

    Raises:
        ConfigError: it names the pattern, what is wrong with it and the remedy.
    """
    if not isinstance(pattern, str) or not pattern:
        raise ConfigError(subject, seen=pattern, expected="a regular expression as str", remedy="correct it")
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise ConfigError(
            subject, seen=pattern, expected="a regular expression", remedy=f"correct it: {error}"
        ) from None
    fault = _shape_fault(pattern) or _trial_fault(compiled)
    if fault:
        raise ConfigError(subject, seen=pattern, expected=f"a pattern of linear cost, but {fault}", remedy=_REMEDY)


@lru_cache(maxsize=256)
def _shape_fault(pattern: str) -> str | None:
    """What in the parsed pattern makes it super-linear, in words; None if nothing does."""
    return _fault(_parser.parse(pattern), 1)


def _fault(sequence: Any, ways: int) -> str | None:
    """The fault in a sequence that is tried in ``ways`` ways at one place."""
    for operator, argument in sequence:
        fault = None
        if operator in (_constants.MAX_REPEAT, _constants.MIN_REPEAT):
            fault = _repeat_fault(argument, ways)
        elif operator in (_constants.GROUPREF, _constants.GROUPREF_EXISTS):
            fault = "it refers back to a group"
        else:
            for inner in _inner(operator, argument):
                # A possessive quantifier or an atomic group never tries its inside a second time.
                once = operator in (_constants.POSSESSIVE_REPEAT, _constants.ATOMIC_GROUP)
                fault = fault or _fault(inner, 1 if once else ways)
        if fault:
            return fault
    return None


def _repeat_fault(argument: tuple[int, Any, Any], ways: int) -> str | None:
    least, most, inner = argument
    varies = most != least
    count = min(int(most), _WAYS + 1) if varies else 1
    if ways > 1 and ways * count > _WAYS:
        return "a quantifier is inside another"
    return _fault(inner, max(ways * count, ways))


def _inner(operator: Any, argument: Any) -> Iterator[Any]:
    """The sequences inside one element of a parsed pattern."""
    if operator is _constants.BRANCH:
        yield from argument[1]
    elif operator is _constants.SUBPATTERN:
        yield argument[-1]
    elif operator in (_constants.ASSERT, _constants.ASSERT_NOT):
        yield argument[1]
    elif operator is _constants.ATOMIC_GROUP:
        yield argument
    elif operator is _constants.POSSESSIVE_REPEAT:
        yield argument[2]


def _trial_fault(compiled: re.Pattern[str]) -> str | None:
    """On which text the pattern took too long, in words."""
    for unit, ending in adversaries(compiled.pattern):
        size = 8
        while size <= _LONGEST:
            text = (unit * (size // len(unit) + 1))[:size] + ending
            if _seconds(compiled, text) > _TRIAL_SECONDS:
                return f"a search of {size} characters {unit[:16]!r} takes longer than {_TRIAL_SECONDS * 1000:.0f} ms"
            size = size + 4 if size < 48 else size * 2  # noqa: PLR2004 - exponential growth shows, and ends, in small steps
    return None


def _seconds(compiled: re.Pattern[str], text: str) -> float:
    """Processor seconds of one search; the better of two, if the first is slow."""
    took = []
    for _ in range(2):
        begun = time.thread_time()
        for _ in compiled.finditer(text):
            pass
        took.append(time.thread_time() - begun)
        if took[0] <= _TRIAL_SECONDS:
            break
    return min(took)


def adversaries(pattern: str) -> Iterator[tuple[str, str]]:
    """Units to repeat and endings: each character the pattern wants, neighbours together, and all but a match."""
    wanted = list(dict.fromkeys(witnesses(pattern)))[:24]
    example = "".join(wanted)
    units = [*wanted, *(first + second for first, second in pairwise(wanted)), example]
    for unit in dict.fromkeys(unit for unit in units if unit):
        yield unit, "\x00"
        yield unit, example[:-1] + "\x00"


def witnesses(pattern: str) -> list[str]:
    """One character for each place of the pattern: often a text that matches, always one that nearly does."""
    return list(_witnesses(_parser.parse(pattern)))


def _witnesses(sequence: Any) -> Iterator[str]:
    """One character for each place of the pattern."""
    for operator, argument in sequence:
        if operator is _constants.LITERAL:
            yield chr(argument)
        elif operator is _constants.NOT_LITERAL:
            yield "a" if argument != ord("a") else "b"
        elif operator is _constants.ANY:
            yield "a"
        elif operator is _constants.IN:
            yield _member(argument)
        elif operator in (_constants.MAX_REPEAT, _constants.MIN_REPEAT, _constants.POSSESSIVE_REPEAT):
            yield from _witnesses(argument[2])
        else:
            for inner in _inner(operator, argument):
                yield from _witnesses(inner)


def _member(charset: Any) -> str:
    """A character that a set takes: the first likely one that the engine itself says it takes."""
    for operator, argument in charset:
        if operator is _constants.LITERAL:
            return chr(argument)
        if operator is _constants.RANGE:
            return chr(argument[0])
        if operator is _constants.CATEGORY:
            return {
                _constants.CATEGORY_DIGIT: "1",
                _constants.CATEGORY_SPACE: " ",
                _constants.CATEGORY_NOT_WORD: "-",
            }.get(argument, "a")
    return "a"
