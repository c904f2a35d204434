"""Secrets that show by the name before them: ``password=…``, ``"api_key": "…"``, ``Authorization: …``."""

from __future__ import annotations

import math
import re
from collections import Counter
from typing import Final

from .detector import ASSIGNED, Detector, whole

_SHORT: Final = 8
_UNBROKEN: Final = 16
_RANDOM_BITS: Final = 3.3

#: From the name to the value: the rest of the name, a closing quote or bracket, a separator.
_TO_VALUE = r"""(?:[_-][\w-]{0,24})?[\\"'\]]{0,5}\s{0,3}(?:=>|:=|={1,3}|:)\s{0,3}(?:(?:bearer|basic|token|apikey|digest|negotiate)\s{1,3})?"""

#: The value: quoted (inside escaped JSON too), in an ODBC driver's braces, or up to what ends it.
_VALUE = (
    r"""(?:\\{1,3}["'](?P<escaped>(?:[^"'\\]++|\\(?!\\{0,2}["']))++)"""
    r"""|"(?P<double>(?:[^"\\]++|\\.)++)"""
    r"""|'(?P<single>(?:[^'\\]++|\\.)++)"""
    r"""|(?P<plain>(?:[^\s"'&;,<>\\]++|,(?!\s)|\\(?!["']))++))"""
)

#: Words and forms in the place of a value that are none: types, constants, placeholders, code.
_NO_VALUES = frozenset(
    [
        "none",
        "null",
        "nil",
        "true",
        "false",
        "str",
        "string",
        "bytes",
        "int",
        "bool",
        "any",
        "undefined",
        "required",
        "optional",
        "empty",
        "missing",
        "invalid",
        "wrong",
        "expired",
        "set",
        "unset",
        "hidden",
        "redacted",
        "masked",
        "changed",
        "incorrect",
        "reset",
    ]
)
_CODE = re.compile(
    r"\$\{?[A-Za-z_][A-Za-z0-9_]{0,64}\}?$|\{\{?\s{0,2}[A-Za-z_.]{0,64}\s{0,2}\}?\}?$|%\(?[a-z_]{1,32}\)?s?$|[*•xX.]{3,}$"
    r"|(?:self|cls|os|config|settings|env|environ|request|args|kwargs|options|this|process)\."
    r"|[),\]](?:[\s:,;)\]]|$)"
    r"|(?:[A-Za-z_]\w{0,63}\.){0,8}[A-Za-z_]\w{0,63}[(\[](?!REDACTED:|HASH:)"
)


def _is_value(text: str) -> bool:
    """Whether what stands in the place of a password is one."""
    bare = _bare(text).lower()
    return bool(bare) and bare not in _NO_VALUES and _CODE.match(text) is None


def _bare(text: str) -> str:
    """``text`` without the punctuation that may follow it."""
    return text.strip().rstrip(".,:!?)]}")


def _is_random(text: str) -> bool:
    """Whether what stands in the place of a token may be one: no word, no number, no code."""
    if len(text) < _SHORT or _bare(text).isdigit() or not _is_value(text):
        return False
    return any(character.isdigit() for character in text) or (len(text) >= _UNBROKEN and _entropy(text) >= _RANDOM_BITS)


def _entropy(text: str) -> float:
    """Bits per character, by the frequencies of the characters."""
    sample = text[:256]
    return -sum(n / len(sample) * math.log2(n / len(sample)) for n in Counter(sample).values())


def _named(name: str, guard: tuple[str, ...], words: str, *, random: bool = False) -> Detector:
    check = whole(_is_random if random else _is_value)
    return Detector(name, "secret", guard, words + _TO_VALUE + _VALUE, check, needs=ASSIGNED, lowered=True)


#: What may stand between the words of a name.
_GAPS: Final = ("", "-", "_", " ")
#: The keys that are secrets.
_KINDS: Final = ("access", "account", "private", "signing", "encryption", "master", "subscription", "function")
#: Parameters of URLs whose values are.
_PARAMETERS: Final = ("key", "auth", "code", "jwt", "sid", "session_id", "sessionid")

DETECTORS: Final = (
    _named("password", ("password", "passwd"), r"passw(?:or)?d"),
    _named("password", ("passphrase",), r"passphrase"),
    _named("password", ("pwd",), r"pwd"),
    Detector(
        "password",
        "secret",
        ("--",),
        r"""--(?:[a-z0-9]{1,16}-){0,2}(?:password|passwd|secret|token|api-key)\s{1,3}["']?(?P<word>[^\s"'-][^\s"']*+)""",
        whole(_is_value),
        lowered=True,
    ),
    _named(
        "secret",
        ("secret", "secretaccess", "secretkey", "secretaccesskey"),
        r"secret(?:access)?(?:key)?(?!s)",
        random=True,
    ),
    _named("api_key", tuple(f"api{gap}key" for gap in _GAPS), r"api[-_ ]?key"),
    _named(
        "access_key",
        tuple(f"{kind}{gap}key" for kind in _KINDS for gap in _GAPS),
        rf"(?:{'|'.join(_KINDS)})[-_ ]?key",
        random=True,
    ),
    _named("token", ("token",), r"token(?!s)", random=True),
    _named("credential", ("credential",), r"credential", random=True),
    _named("authorization", ("authorization",), r"authorization", random=True),
    Detector(
        "cookie",
        "secret",
        ("cookie",),
        r"""cookie["']?\s{0,3}[:=]\s{0,3}["']?(?P<pairs>[^\r\n"'=]{1,128}=[^\r\n"']{4,}+)""",
        needs=ASSIGNED,
        lowered=True,
    ),
    Detector(
        "signature",
        "secret",
        ("sig", "signature"),
        r"""sig(?:nature)?=(?P<signature>[^\s&#"'<>]{16,}+)""",
        whole(_is_random),
        needs=ASSIGNED,
        lowered=True,
    ),
    Detector(
        "url_parameter",
        "secret",
        tuple(f"{before}{name}" for before in "?&" for name in _PARAMETERS),
        rf"""[?&](?:{"|".join(_PARAMETERS)})=(?P<value>[^\s&#"'<>]{{8,}}+)""",
        whole(_is_random),
        needs=ASSIGNED,
        lowered=True,
    ),
)
