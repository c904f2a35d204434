"""Payment cards: known prefixes and lengths, and the check digit."""

from __future__ import annotations

import re
from typing import Final

from .checksums import luhn
from .detector import CARD, Detector

_SEPARATORS: Final = str.maketrans("", "", " -.\u00a0")
_GROUP = r"[ .\u00a0-]\d{4}"

#: Prefix of the digits and the lengths that its scheme issues.
_SCHEMES: Final = (
    (re.compile(r"4"), (13, 16, 19)),
    (re.compile(r"5[1-5]|222[1-9]|22[3-9]|2[3-6]|27[01]|2720"), (16,)),
    (re.compile(r"3[47]"), (15,)),
    (re.compile(r"30[0-5]|3[689]"), (14, 16)),
    (re.compile(r"6011|64[4-9]|65|62|60|81|352[89]|35[3-8]"), (16, 17, 18, 19)),
    (re.compile(r"5[0678]|6[0-9]"), (13, 15, 16, 17, 18, 19)),
)


def is_card(digits: str) -> bool:
    """Whether ``digits`` have the prefix, length and check digit of a payment card.

    >>> from aumos_otel.redaction.cards import is_card
    >>> is_card("5555555555554444"), is_card("1111111111111117")
    (True, False)
    """
    known = any(len(digits) in lengths and prefix.match(digits) for prefix, lengths in _SCHEMES)
    return known and luhn(digits) and len(set(digits)) > 1


def _card(text: str) -> int:
    """The card at the start of ``text``, with or without a last group that is not part of it."""
    if is_card(text.translate(_SEPARATORS)):
        return len(text)
    shorter = re.match(rf"\d{{4}}(?:{_GROUP}){{3}}(?=[ .\u00a0-])", text)
    return shorter.end() if shorter and is_card(shorter[0].translate(_SEPARATORS)) else 0


DETECTORS: Final = (
    Detector(
        "payment_card",
        "secret",
        (),
        # Not within a number or a hash; what is escaped before it (%20, \u001f) is neither.
        rf"[2-68](?:(?<![0-9A-Fa-f][2-68])|(?<=%[0-9A-Fa-f]{{2}}[2-68])|(?<=\\u[0-9A-Fa-f]{{4}}[2-68]))(?<!%[2-68])(?<!%[0-9A-Fa-f][2-68])(?<!\d\.[2-68])"
        rf"(?:\d{{12,18}}|\d{{3}}(?:{_GROUP}){{3}}(?:[ .\u00a0-]\d{{1,3}})?|\d{{3}}[ .\u00a0-]\d{{6}}[ .\u00a0-]\d{{4,5}})(?![0-9A-Fa-f])",
        _card,
        needs=CARD,
    ),
)
