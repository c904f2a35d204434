"""Patterns over names and paths: ``/chat``, ``/admin/*``, ``/users/{id}``."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

_PART: Final = re.compile(r"(\*|\{[^{}/]*\})")


@lru_cache(maxsize=1024)
def compiled(pattern: str) -> re.Pattern[str]:
    """The regular expression of ``pattern``, for `re.Pattern.fullmatch`.

    ``*`` is anything, ``{name}`` one segment of a path, ``{name:path}`` the rest of it; so a route
    template of FastAPI is a pattern.  A template takes itself as well.

    >>> bool(compiled("/users/{id}").fullmatch("/users/17")), bool(compiled("/users/{id}").fullmatch("/users/17/x"))
    (True, False)
    """
    return re.compile("".join(_expression(part) for part in _PART.split(pattern)), re.DOTALL)


def _expression(part: str) -> str:
    if part == "*" or part.endswith(":path}"):
        return ".*"
    return "[^/]+" if _PART.fullmatch(part) else re.escape(part)
