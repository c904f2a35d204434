"""Edges of histogram buckets as the label ``le`` spells them: Prometheus 3 writes ``1.0`` where 2 wrote ``1``."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Final

from aumos_otel.slo.selector import Matcher

#: From these powers of ten on, and below, Go prints an exponent.
_LARGE: Final = 6
_SMALL: Final = -4


def matcher(edge: str) -> Matcher:
    """A matcher of the bucket with this upper edge, however it is spelled; what is no number matches as it stands."""
    written = spellings(edge)
    if len(written) == 1:
        return Matcher("le", "=", edge)
    return Matcher("le", "=~", "|".join(re.sub(r"([.+])", r"\\\1", text) for text in written))


def spellings(edge: str) -> tuple[str, ...]:
    """Every way in which exporters and Prometheus write a number, sorted; the text alone if it is none."""
    try:
        value = Decimal(edge)
    except InvalidOperation:
        return (edge,)
    if not value.is_finite():
        return (edge,)
    plain = f"{value.normalize():f}"
    written = {edge, plain}
    if value == value.to_integral_value():
        written.add(f"{plain}.0")
    power = value.adjusted()
    if value and (power >= _LARGE or power < _SMALL):
        digits = f"{abs(value.normalize().scaleb(-power)):f}"
        written.add(f"{'-' if value < 0 else ''}{digits}e{'-' if power < 0 else '+'}{abs(power):02d}")
    return tuple(sorted(written))
