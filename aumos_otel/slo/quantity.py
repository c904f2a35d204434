"""Durations and ratios as people write them.

A duration is Prometheus' notation, with fractions: ``300ms``, ``1.28s``, ``5m``, ``1h30m``, ``30d``, ``4w``.
A ratio is ``99.9%`` or ``0.999``; a bare ``99.9`` is refused, because nobody can tell which of the two it is.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

_UNITS: Final = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
    "y": Decimal(31_536_000),
}
_PART: Final = re.compile(r"(\d{1,12}(?:\.\d{1,9})?)(ms|s|m|h|d|w|y)")
#: What `duration_text` writes: weeks and years would only be other words for days.
_WRITTEN: Final = ("d", "h", "m", "s", "ms")


def seconds(text: object) -> Decimal:
    """The seconds of a duration, more than 0.

    Raises:
        ValueError: it is none; the message says what would have been one.
    """
    parts = _PART.findall(text) if isinstance(text, str) else []
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise ValueError("a duration such as 300ms, 1.28s, 5m or 30d")
    total = sum((Decimal(number) * _UNITS[unit] for number, unit in parts), Decimal(0))
    if not total:
        raise ValueError("a duration of more than nothing")
    return total


def duration_text(duration: Decimal | float) -> str:
    """The shortest notation of so many seconds that Prometheus reads: ``5m``, ``1h30m``, ``1s280ms``."""
    left = duration if isinstance(duration, Decimal) else Decimal(repr(duration))
    written = ""
    for unit in _WRITTEN:
        count = int(left / _UNITS[unit])
        left -= count * _UNITS[unit]
        written += f"{count}{unit}" if count else ""
    return written or "0s"


def ratio(value: object) -> Decimal:
    """The ratio, over 0 and below 1.

    Raises:
        ValueError: it is none; the message says what would have been one.
    """
    percent = isinstance(value, str) and value.strip().endswith("%")
    text = str(value).strip().removesuffix("%").strip()
    try:
        number = Decimal(text)
    except InvalidOperation:
        raise ValueError("a share such as 99.9% or 0.999") from None
    if isinstance(value, bool) or not number.is_finite():
        raise ValueError("a share such as 99.9% or 0.999")
    if percent:
        number /= 100
    if not 0 < number < 1:
        advice = f"; write {text}% if percent is meant" if not percent and 1 < number < 100 else ""  # noqa: PLR2004 - percent
        raise ValueError(f"a share of more than 0 and less than 1{advice}")
    return number


def percent_text(share: Decimal) -> str:
    """``99.9%`` for Decimal("0.999")."""
    return f"{(share * 100).normalize():f}%"
