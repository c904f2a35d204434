"""A mapping of our own format: every key is known, and each value is what it should be."""

from __future__ import annotations

import difflib
import re
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.slo import quantity
from aumos_otel.slo.foreign import Node

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Digits before and behind the point of a number: as many as decimal arithmetic keeps.
_DIGITS: Final = 28
_NUMBER: Final = re.compile(rf"-?\d{{1,{_DIGITS}}}(\.\d{{1,{_DIGITS}}})?([eE][-+]?\d{{1,2}})?")


class Entry(Node):
    """A mapping whose values are asked for one by one; `done` then notes each key that nobody asked for."""

    def done(self) -> None:
        """Note the keys that are not known, each with the known one that is nearest."""
        for key in self.value:
            if key not in self._taken:
                near = difflib.get_close_matches(key, self._taken, 1)
                self.findings.problem(
                    (*self.path, key), key, f"{near[0]!r}" if near else "one of " + ", ".join(sorted(self._taken))
                )

    def wrong(self, key: str, expected: str) -> None:
        """Note that what stands at ``key`` is not what it should be; when nothing does, at the place where it should."""
        if self.get(key) is None:
            self.findings.problem(self.path, sorted(self.value), f"{key}: {expected}")
        else:
            self.problem(key, expected)

    def entry(self, key: str) -> Entry | None:
        """A mapping inside."""
        value = self.get(key)
        return None if value is None else Entry(value, (*self.path, key), self.findings)

    def entries(self, key: str) -> list[Entry]:
        """A list of mappings inside."""
        value = self.get(key)
        if value is not None and not isinstance(value, list):
            self.problem(key, "a list of mappings")
        items = value if isinstance(value, list) else []
        return [Entry(item, (*self.path, key, index), self.findings) for index, item in enumerate(items)]

    def word(self, key: str, pattern: re.Pattern[str], expected: str) -> str:
        """A text that must be there and look so; a stand-in if it does not."""
        value = self.get(key)
        if isinstance(value, str) and pattern.fullmatch(value):
            return value
        self.wrong(key, expected)
        return "unnamed"

    def whole(self, key: str, least: int) -> int | None:
        """A whole number of at least ``least``."""
        value = self.get(key)
        if isinstance(value, int) and not isinstance(value, bool) and value >= least:
            return value
        if value is not None:
            self.problem(key, f"a whole number from {least}")
        return None

    def decimal(self, key: str) -> Decimal | None:
        """A number; one of more digits than a float keeps stands in quotes."""
        value = self.get(key)
        found = None if value is None else decimal(value)
        if value is not None and found is None:
            self.problem(key, "a number")
        return found

    def share(self, key: str, *, whole: bool = False) -> Decimal | None:
        """A share such as 99.9%; all of it only if ``whole`` says so."""
        value = self.get(key)
        if value is None:
            return None
        if whole and not isinstance(value, bool) and str(value).strip() in ("100%", "1", "1.0"):
            return Decimal(1)
        try:
            found = canonical(quantity.ratio(value))
        except ValueError as error:
            self.problem(key, str(error))
            return None
        if not 1 - found:
            self.problem(key, f"a share of at most {_DIGITS - 1} digits, which leaves something to be bad")
            return None
        return found

    def span(self, key: str) -> int | None:
        """A duration of whole seconds."""
        duration = self.duration(key)
        if duration is not None and duration != int(duration):
            self.problem(key, "a duration of whole seconds")
            return None
        return None if duration is None else int(duration)

    def matching(self, key: str, pattern: re.Pattern[str], expected: str) -> tuple[str, ...]:
        """A list of different texts that look so."""
        value = self.get(key)
        if value is None:
            return ()
        if not isinstance(value, list):
            self.problem(key, f"a list of {expected}")
            return ()
        for index, item in enumerate(value):
            if not isinstance(item, str) or not pattern.fullmatch(item):
                self.findings.problem((*self.path, key, index), item, expected)
            elif item in value[:index]:
                self.findings.problem((*self.path, key, index), item, "each one once")
        return tuple(item for item in value if isinstance(item, str))

    def one_of(self, keys: Iterable[str]) -> str | None:
        """The one of ``keys`` that is there; none, or several, is a problem."""
        known = tuple(keys)
        found = [key for key in known if self.get(key) is not None]
        if len(found) != 1:
            self.findings.problem(self.path, sorted(self.value), "one of " + ", ".join(known))
        return found[0] if len(found) == 1 else None


def decimal(value: object) -> Decimal | None:
    """The number that a value of a document is, exactly as it is written; None if it is none."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    text = value if isinstance(value, str) else repr(value)
    return canonical(Decimal(text)) if _NUMBER.fullmatch(text) else None


def canonical(number: Decimal) -> Decimal:
    """The number in the one notation that all of its spellings have in common: 5 for 5.0, 0.95 for 0.950."""
    try:
        whole = number.to_integral_value()
        return whole.quantize(Decimal(1)) if whole == number else number.normalize()
    except InvalidOperation:
        return number


def plain(number: Decimal) -> int | float | str:
    """What `decimal` reads as the number: one of a document if it keeps all digits, else text."""
    if number == number.to_integral_value() and number.adjusted() < _DIGITS:
        return int(number)
    return float(number) if Decimal(repr(float(number))) == number else f"{number:f}"


def data_of(**values: Any) -> dict[str, Any]:
    """A mapping of those values that say something."""
    return {key: value for key, value in values.items() if value not in (None, "", {}, [], ())}
