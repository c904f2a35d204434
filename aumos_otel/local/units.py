"""Numbers as people read them: durations, times, counts, costs.  Used by the page and by ``tail``."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

_NS_STEPS: Final = ((1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs"))
_DIGITS: Final = 3


def duration(nanoseconds: float) -> str:
    """Three significant digits and a unit, from nanoseconds.

    >>> [duration(n) for n in (0, 950, 12_340, 312_000_000, 1_843_000_000, 95_000_000_000, 7_260_000_000_000)]
    ['0', '950ns', '12.3µs', '312ms', '1.84s', '1m 35s', '2h 1m']
    """
    seconds = round(nanoseconds / 1e9)
    if seconds >= 3600:
        return f"{seconds // 3600}h {seconds % 3600 // 60}m"
    if seconds >= 60:
        return f"{seconds // 60}m {seconds % 60}s"
    for size, unit in _NS_STEPS:
        if nanoseconds >= size * 0.9995:
            return f"{_significant(nanoseconds / size)}{unit}"
    return f"{nanoseconds:.0f}ns" if nanoseconds else "0"


def clock(nanoseconds: int) -> str:
    """Local time of day with milliseconds, from nanoseconds since the epoch."""
    return _at(nanoseconds).strftime("%H:%M:%S.") + f"{nanoseconds // 1_000_000 % 1000:03d}"


def moment(nanoseconds: int) -> str:
    """Local date and time with the zone's offset, from nanoseconds since the epoch."""
    return _at(nanoseconds).isoformat(sep=" ", timespec="milliseconds")


def iso(nanoseconds: int) -> str:
    """UTC in ISO 8601, from nanoseconds since the epoch: for ``<time datetime>``."""
    return _at(nanoseconds).astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def count(number: float) -> str:
    """Digits in groups of three, parted by a narrow space that does not break.

    >>> count(8412).replace(chr(0x202F), " ")
    '8 412'
    """
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def cost(dollars: float) -> str:
    """Dollars with as many digits as a model call needs.

    >>> [cost(c) for c in (0, 0.00021, 0.0123, 1.5, 1234.5)]
    ['$0', '$0.00021', '$0.0123', '$1.50', '$1,234.50']
    """
    if not dollars:
        return "$0"
    if abs(dollars) >= 1:
        return f"${dollars:,.2f}"
    return f"${float(f'{dollars:.3g}'):.10f}".rstrip("0")


def value(number: float | None) -> str:
    """A metric's value: whole numbers in groups, others with four significant digits.

    >>> [value(v) for v in (None, 3, 3.0, 0.123456, 1e-9)]
    ['–', '3', '3', '0.1235', '1e-09']
    """
    if number is None:
        return "–"
    return count(number) if float(number).is_integer() else f"{number:.4g}"


def _at(nanoseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)  # a sender's nonsense time must not break the page


def _significant(number: float) -> str:
    whole = len(str(int(number)))
    return f"{number:.{max(_DIGITS - whole, 0)}f}"
