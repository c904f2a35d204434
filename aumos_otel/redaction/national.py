"""National identity numbers, each with its check digits; looked for only on request."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

from .checksums import luhn, mod11_10, verhoeff, weighted
from .detector import DIGIT, Detector, whole

if TYPE_CHECKING:
    from collections.abc import Callable

_DNI_LETTERS: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_FISCALE_CHARACTERS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_FISCALE_DIGITS: Final = (1, 0, 5, 7, 9, 13, 15, 17, 19, 21)
_FISCALE_LETTERS: Final = (2, 4, 18, 20, 11, 3, 6, 8, 12, 14, 16, 10, 22, 25, 24, 23)
_FISCALE_ODD: Final = dict(
    zip(_FISCALE_CHARACTERS, (*_FISCALE_DIGITS, *_FISCALE_DIGITS, *_FISCALE_LETTERS), strict=True)
)
_FISCALE_EVEN: Final = dict(zip(_FISCALE_CHARACTERS, (*range(10), *range(26)), strict=True))


def _digits(text: str) -> str:
    return "".join(character for character in text if character.isdigit())


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        date(year, month, day)
    except ValueError:
        return False
    return True


def _steuer_id(text: str) -> bool:
    """German tax id: among the first ten digits exactly one occurs twice or three times."""
    digits = _digits(text)
    repeated = [digits[:10].count(digit) for digit in set(digits[:10]) if digits[:10].count(digit) > 1]
    return len(repeated) == 1 and repeated[0] in (2, 3) and mod11_10(digits)


def _nir(text: str) -> bool:
    """French social security number: two check digits modulo 97; Corsica counts as 19 and 18."""
    code = text.replace(" ", "").replace("2A", "19").replace("2B", "18")
    return int(code[:13]) % 97 + int(code[13:]) == 97  # noqa: PLR2004 - the modulus


def _dni(text: str) -> bool:
    """Spanish DNI or NIE: the letter is the number modulo 23."""
    code = text.replace("-", "").replace(" ", "").replace(".", "")
    number = code[:-1].replace("X", "0").replace("Y", "1").replace("Z", "2")
    return _DNI_LETTERS[int(number) % 23] == code[-1]


def _codice_fiscale(text: str) -> bool:
    """Italian fiscal code: the last letter sums the others, by odd and even place."""
    total = sum(_FISCALE_ODD[character] for character in text[:15:2])
    total += sum(_FISCALE_EVEN[character] for character in text[1:15:2])
    return chr(ord("A") + total % 26) == text[15]


def _bsn(text: str) -> bool:
    """Dutch citizen number: the eleven-test, the last digit counts negatively."""
    digits = _digits(text)
    return int(digits) > 0 and weighted(digits, (9, 8, 7, 6, 5, 4, 3, 2, -1)) % 11 == 0


def _pesel(text: str) -> bool:
    """Polish PESEL: a date whose month tells the century, and a check digit."""
    century, month = divmod(int(text[2:4]), 20)
    year = (1900, 2000, 2100, 2200, 1800)[century] + int(text[:2])
    valid = _is_date(year, month, int(text[4:6]))
    return valid and weighted(text, (1, 3, 7, 9, 1, 3, 7, 9, 1, 3, 1)) % 10 == 0


def _cpf(text: str) -> bool:
    """Brazilian CPF: two check digits modulo 11."""
    digits = _digits(text)
    if len(set(digits)) == 1:
        return False
    first = weighted(digits, tuple(range(10, 1, -1))) * 10 % 11 % 10
    second = weighted(digits, tuple(range(11, 1, -1))) * 10 % 11 % 10
    return digits[9:] == f"{first}{second}"


def _aadhaar(text: str) -> bool:
    """Indian Aadhaar: Verhoeff's check digit."""
    return verhoeff(_digits(text))


def _personnummer(text: str) -> bool:
    """Swedish personal number: a date (the day plus 60 for a coordination number), and Luhn over ten digits."""
    digits = _digits(text)[-10:]
    day = int(digits[4:6])
    return _is_date(2000 + int(digits[:2]), int(digits[2:4]), day - 60 if day > 60 else day) and luhn(digits)  # noqa: PLR2004 - see above


def _national(name: str, pattern: str, confirm: Callable[[str], bool] | None = None) -> Detector:
    return Detector(name, "national_id", (), pattern, confirm and whole(confirm), needs=DIGIT)


_END = r"(?![\w-]|\.\d)"


def _begins(characters: str) -> str:
    """The first character, not within a word or number; it stands first because the engine skips to it."""
    return rf"{characters}(?<![\w.,+-]{characters})"


DETECTORS: Final = (
    _national("us_ssn", rf"{_begins('[0-8]')}\d\d(?<!000)(?<!666)(?:-(?!00)\d\d-| (?!00)\d\d )(?!0000)\d{{4}}{_END}"),
    _national(
        "uk_nino",
        rf"{_begins('[A-CEGHJ-PR-TW-Z]')}[A-CEGHJ-NPR-TW-Z](?<!BG|GB|KN|NK|NT|TN|ZZ) ?\d\d ?\d\d ?\d\d ?[A-D]{_END}",
    ),
    _national("de_steuer_id", rf"{_begins('[1-9]')}\d ?\d{{3}} ?\d{{3}} ?\d{{3}}{_END}", _steuer_id),
    _national(
        "fr_nir",
        rf"{_begins('[12]')} ?\d\d ?(?:0[1-9]|1[0-2]|[2-9]\d) ?(?:\d\d|2[AB]) ?\d{{3}} ?\d{{3}} ?\d\d{_END}",
        _nir,
    ),
    _national(
        "es_dni",
        rf"{_begins('[XYZ0-9]')}(?:(?<=[XYZ])[ -]?\d{{7}}|(?<=\d)(?:\d{{7}}|\d\.\d{{3}}\.\d{{3}}))[ -]?[A-HJ-NP-TV-Z]{_END}",
        _dni,
    ),
    _national(
        "it_codice_fiscale",
        rf"{_begins('[A-Z]')}[A-Z]{{5}}[0-9L-NP-V]{{2}}[A-EHLMPR-T][0-9L-NP-V]{{2}}[A-Z][0-9L-NP-V]{{3}}[A-Z]{_END}",
        _codice_fiscale,
    ),
    _national("nl_bsn", rf"{_begins('[0-9]')}(?:\d{{8}}|\d{{3}}\.\d{{2}}\.\d{{3}}|\d\d \d{{3}} \d{{3}}){_END}", _bsn),
    _national("pl_pesel", rf"{_begins('[0-9]')}\d{{10}}{_END}", _pesel),
    _national("br_cpf", rf"{_begins('[0-9]')}\d\d\.?\d{{3}}\.?\d{{3}}-?\d\d{_END}", _cpf),
    _national("in_aadhaar", rf"{_begins('[2-9]')}\d{{3}}[ -]?\d{{4}}[ -]?\d{{4}}{_END}", _aadhaar),
    _national("se_personnummer", rf"{_begins('[0-9]')}\d(?:\d\d)?[01]\d[0-9]\d[-+]?\d{{4}}{_END}", _personnummer),
)
