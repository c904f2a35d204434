"""Personal data: e-mail addresses, phone numbers and bank accounts."""

from __future__ import annotations

import re
from typing import Final

from .checksums import mod97
from .detector import ACCOUNT, PHONE, Detector, whole

_LEAST_DIGITS, _MOST_DIGITS = 8, 15
_LONGEST_LOCAL = 256

#: Length of an IBAN by country; ISO 13616.
_IBAN_LENGTHS: Final = {
    country: length
    for length, countries in {
        15: "NO",
        16: "BE",
        18: "DK FI FO GL NL SD",
        19: "MK SI",
        20: "AT BA EE KZ LT LU MN XK",
        21: "CH HR LI LV",
        22: "BG BH CR DE GB GE IE ME RS VA",
        23: "AE GI IL IQ OM SO TL",
        24: "AD CZ ES MD PK RO SA SE SK TN VG",
        25: "LY PT ST",
        26: "IS TR",
        27: "BI DJ FR GR IT MC MR SM",
        28: "AL AZ BY CY DO GT HU LB NI PL SV",
        29: "BR EG PS QA UA",
        30: "JO KW MU YE",
        31: "MT SC",
        32: "LC",
        33: "RU",
    }.items()
    for country in countries.split()
}


def _iban(text: str) -> int:
    """The account at the start of ``text``; words in capitals may follow it."""
    wanted = _IBAN_LENGTHS.get(text[:2])
    if wanted is None:
        return 0
    places = [place for place, character in enumerate(text, start=1) if character not in " -"]
    if len(places) < wanted:
        return 0
    end = places[wanted - 1]
    return end if mod97(text[:end].replace(" ", "").replace("-", "")) else 0


def _is_email(text: str) -> bool:
    """Whether the domain ends in letters; the local part is neither empty nor endless."""
    local, _, domain = text.rpartition("@")
    last = domain.rpartition(".")[2]
    return len(local) <= _LONGEST_LOCAL and len(last) > 1 and (last.isalpha() or last.startswith("xn--"))


#: The country codes of one and two digits; all others have three.
_COUNTRY = re.compile(
    r"1|7|2[07]|3[0-469]|4[013-9]|5[1-8]|6[0-6]|8[1246]|9[0-58]|2\d\d|3[578]\d|42\d|5\d\d|6[789]\d|8\d\d|9[679]\d"
)


def _is_international(text: str) -> bool:
    """Whether ``+`` is followed by a country code and as many digits as a number has; E.164."""
    digits = "".join(character for character in text if character.isdigit())
    return _LEAST_DIGITS <= len(digits) <= _MOST_DIGITS and _COUNTRY.match(digits) is not None


_GAP = r"[ .\u00a0-]"

DETECTORS: Final = (
    Detector(
        "email",
        "personal",
        ("@",),
        r"(?u:(?<![\w.+%'-])[\w.+%'-]++@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8})",
        whole(_is_email),
    ),
    Detector(
        "iban",
        "personal",
        (),
        r"[A-Z](?<![A-Z]{2})[A-Z]\d{2}(?:[ -]?[A-Z0-9]{4}){2,7}(?:[ -]?[A-Z0-9]{1,3})?",
        _iban,
        needs=ACCOUNT,
    ),
    Detector(
        "phone",
        "personal",
        ("+",),
        # Not within a word; what is escaped before it (%20, \n, \u001f) is none.
        rf"\+(?:(?<![\w+]\+)|(?<=%[0-9A-Fa-f]{{2}}\+)|(?<=\\[nrtbf]\+)|(?<=\\u[0-9A-Fa-f]{{4}}\+))[1-9]\d{{0,3}}(?:(?:{_GAP}|/|{_GAP}?\(0?)?\d{{1,5}}\)?){{2,6}}(?![\w+])",
        whole(_is_international),
    ),
    Detector(
        "phone",
        "personal",
        (),
        # North America: area code and exchange begin with 2 to 9.
        rf"[(1-9](?<![\w.+-][(1-9])(?:(?<=1){_GAP}\(?[2-9]\d\d\)?{_GAP}?|(?<=\()[2-9]\d\d\){_GAP}?|(?<=[2-9])\d\d{_GAP})"
        rf"[2-9]\d\d{_GAP}\d{{4}}(?![\w-])",
        needs=PHONE,
    ),
    Detector(
        "phone",
        "personal",
        (),
        # Europe: a leading zero, then pairs (France), or area code and number in groups (UK, Germany, …).
        r"0(?<![\w.+:/-]0)(?:[1-9](?:[ .\u00a0]\d\d){4}|[1-9]\d{1,4}[ /\u00a0-]\d{3,4}[ \u00a0-]\d{3,5}|[1-9]\d{2,4}[ /]\d{6,8}|7\d{9})(?![\w.:/-])",
        needs=PHONE,
    ),
)
