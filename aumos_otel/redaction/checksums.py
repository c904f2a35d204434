"""Check digits: what tells a number of some kind from any other digits."""

from __future__ import annotations

from typing import Final

_DOUBLED: Final = bytes.maketrans(b"0123456789", bytes([0, 2, 4, 6, 8, 1, 3, 5, 7, 9]))
_VALUES: Final = bytes.maketrans(b"0123456789", bytes(range(10)))
_LETTERS: Final = {ord(letter): str(value) for value, letter in enumerate("ABCDEFGHIJKLMNOPQRSTUVWXYZ", start=10)}

_VERHOEFF_TABLE: Final = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9),
    (1, 2, 3, 4, 0, 6, 7, 8, 9, 5),
    (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7),
    (4, 0, 1, 2, 3, 9, 5, 6, 7, 8),
    (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2),
    (7, 6, 5, 9, 8, 2, 1, 0, 4, 3),
    (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)
_VERHOEFF_ORDER: Final = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def _verhoeff_rows() -> tuple[tuple[int, ...], ...]:
    rows = [tuple(range(10)), _VERHOEFF_ORDER]
    while len(rows) < 8:  # noqa: PLR2004 - the permutation has period eight
        rows.append(tuple(_VERHOEFF_ORDER[digit] for digit in rows[-1]))
    return tuple(rows)


_VERHOEFF_ROWS: Final = _verhoeff_rows()


def luhn(digits: str) -> bool:
    """Whether ASCII ``digits`` end in the check digit of ISO/IEC 7812 (payment cards).

    >>> from aumos_otel.redaction.checksums import luhn
    >>> luhn("4111111111111111"), luhn("4111111111111112")
    (True, False)
    """
    raw = digits.encode("ascii")
    return (sum(raw[-1::-2].translate(_VALUES)) + sum(raw[-2::-2].translate(_DOUBLED))) % 10 == 0


def mod97(code: str) -> bool:
    """Whether an IBAN without spaces passes ISO 7064 mod 97-10."""
    return int((code[4:] + code[:4]).translate(_LETTERS)) % 97 == 1


def mod11_10(digits: str) -> bool:
    """Whether ``digits`` end in the check digit of ISO 7064 mod 11,10 (German Steuer-ID)."""
    product = 10
    for digit in digits[:-1]:
        product = ((int(digit) + product) % 10 or 10) * 2 % 11
    return (11 - product) % 10 == int(digits[-1])


def weighted(digits: str, weights: tuple[int, ...]) -> int:
    """The sum of ``digits`` times ``weights``, one by one."""
    return sum(int(digit) * weight for digit, weight in zip(digits, weights, strict=False))


def verhoeff(digits: str) -> bool:
    """Whether ``digits`` end in Verhoeff's check digit (Indian Aadhaar)."""
    check = 0
    for place, digit in enumerate(reversed(digits)):
        check = _VERHOEFF_TABLE[check][_VERHOEFF_ROWS[place % 8][int(digit)]]
    return check == 0
