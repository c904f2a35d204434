"""Names whose value is a secret whatever it looks like: ``http.request.header.authorization``, ``dbPassword``.

A name is read as words, at dots, dashes, underscores and changes of case.  A telling word decides,
unless the last word says that the value only describes the secret: ``token.count``, ``secret_name``.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+", re.ASCII)

#: Words that tell by themselves.
_TELLING: Final = frozenset(
    [
        "password",
        "passwd",
        "passphrase",
        "passwords",
        "pwd",
        "pgpassword",
        "secret",
        "secrets",
        "authorization",
        "cookie",
        "cookies",
        "credential",
        "credentials",
        "token",
        "apikey",
        "apikeys",
        "cvv",
        "cvc",
        "jwt",
    ]
)
#: Words that tell when they follow one another.
_PAIRS: Final = frozenset(
    f"{kind} {what}"
    for what, kinds in {
        "key": "api access private signing encryption account master shared subscription function",
        "keys": "api access private",
        "tokens": "auth access refresh session api bearer id",
        "code": "authorization security",
    }.items()
    for kind in kinds.split()
)
#: Long words that tell inside another: PGPASSWORD, myapikey.
_INSIDE: Final = (
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "secretkey",
    "accesskey",
    "privatekey",
    "accesstoken",
    "authtoken",
)
#: Last words of names that describe a secret instead of holding it.
_DESCRIBING: Final = frozenset(
    [
        "count",
        "counts",
        "type",
        "types",
        "limit",
        "limits",
        "usage",
        "total",
        "name",
        "names",
        "length",
        "len",
        "size",
        "expiry",
        "expires",
        "expiration",
        "expired",
        "at",
        "enabled",
        "disabled",
        "policy",
        "required",
        "present",
        "valid",
        "kind",
        "ttl",
        "age",
        "url",
        "uri",
        "endpoint",
        "path",
        "file",
        "budget",
        "cost",
        "costs",
        "price",
        "rate",
        "index",
        "position",
        "provider",
        "status",
        "version",
        "hash",
        "id",
        "ids",
        "algorithm",
        "scope",
        "scopes",
        "used",
        "remaining",
        "max",
        "min",
        "field",
    ]
)
#: What else tells as the name of a URL's parameter.
_PARAMETERS: Final = frozenset(["key", "sig", "signature", "auth", "sid"])

#: Names remembered; there are few, unless somebody makes them up.
_MEMORY: Final = 4096


class SecretNames:
    """Tells names of secrets from others, and remembers.

    Args:
        extra: further names; each also tells as a part of a longer one.
        ours: whether the names that ship tell too.

    >>> from aumos_otel.redaction.keys import SecretNames
    >>> names = SecretNames(["badge_number"])
    >>> [names.tells(name) for name in ("dbPassword", "token.count", "max_tokens", "user.badgeNumber")]
    [True, False, False, True]
    """

    def __init__(self, extra: Iterable[str] = (), *, ours: bool = True) -> None:
        self._ours = ours
        self._extra = [f" {joined} " for name in extra if (joined := " ".join(_words(name)))]
        self._known: dict[str, bool] = {}

    def tells(self, name: str) -> bool:
        """Whether the value under ``name`` is a secret by its name."""
        known = self._known.get(name)
        if known is None:
            if len(self._known) >= _MEMORY:
                self._known.clear()
            known = self._known[name] = self._tells(_words(name[:256]))
        return known

    def tells_parameter(self, name: str) -> bool:
        """The same for a parameter of a URL, where ``key`` and ``sig`` tell too."""
        return self.tells(name) or (self._ours and name.lower() in _PARAMETERS)

    def _tells(self, words: list[str]) -> bool:
        spaced = f" {' '.join(words)} "
        if any(extra in spaced for extra in self._extra):
            return True
        if not words or not self._ours or (words[-1] in _DESCRIBING and words[-2:] != ["secret", "id"]):
            return False
        return (
            not _TELLING.isdisjoint(words)
            or any(f"{first} {second}" in _PAIRS for first, second in pairwise(words))
            or any(inside in word for word in words for inside in _INSIDE)
        )


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(name)]
