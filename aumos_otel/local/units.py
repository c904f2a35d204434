"""Numbers as people read them on the page; durations, clocks and money read as in the terminal's lines."""

from __future__ import annotations

from datetime import UTC, datetime

from aumos_otel._internal import lines


def duration(nanoseconds: float) -> str:
    """A duration in nanoseconds, at three digits' precision.

    >>> [duration(n) for n in (0, 950, 12_340, 312_000_000, 1_843_000_000, 95_000_000_000)]
    ['0', '1us', '12us', '312ms', '1.84s', '1m35s']
    """
    return lines.duration(nanoseconds / 1e9) if nanoseconds else "0"


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


def value(number: float | None) -> str:
    """A metric's value: whole numbers in groups, others with four significant digits.

    >>> [value(v) for v in (None, 3, 3.0, 0.123456, 1e-9)]
    ['–', '3', '3', '0.1235', '1e-09']
    """
    if number is None:
        return "–"
    return count(number) if float(number).is_integer() else f"{number:.4g}"


def percent(ratio: float | None) -> str:
    """A share in percent, at most one digit behind the point, and a true minus.

    >>> [percent(r) for r in (None, 1.0, 0.9987, -0.25)]
    ['–', '100%', '99.9%', '−25%']
    """
    if ratio is None:
        return "–"
    text = f"{abs(ratio) * 100:.1f}".removesuffix(".0")
    whole, _, rest = text.partition(".")
    grouped = count(int(whole)) + (f".{rest}" if rest else "")
    return f"{'−' if ratio < 0 and text != '0' else ''}{grouped}%"


def times(rate: float | None) -> str:
    """A burn rate.

    >>> [times(r) for r in (None, 0.0, 1.04, 52.63)]
    ['–', '0.0x', '1.0x', '52.6x']
    """
    return "–" if rate is None else f"{rate:.1f}x"


def _at(nanoseconds: int) -> datetime:
    try:
        return datetime.fromtimestamp(nanoseconds // 1_000_000 / 1000, UTC).astimezone()
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)  # a sender's nonsense time must not break the page
