"""Parameters of URLs: the values of secret names go, the rest stays as it was sent."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import unquote_plus

if TYPE_CHECKING:
    from collections.abc import Callable

_PARAMETER = re.compile(r"(?P<before>^|[?&;#])(?P<name>[^=&;?#]{1,256})=(?P<value>[^&;#]++)")


def rewritten(url: str, hidden: Callable[[str, str], str | None]) -> str:
    """A URL or query with some values replaced.

    Args:
        url: a URL, its path and query, or its query.
        hidden: takes a parameter's decoded name and value; what stands in its place, or None to keep it.
    """

    def rewrite(parameter: re.Match[str]) -> str:
        name, value = parameter["name"], parameter["value"]
        instead = hidden(unquote_plus(name), unquote_plus(value))
        return parameter[0] if instead is None else f"{parameter['before']}{name}={instead}"

    return _PARAMETER.sub(rewrite, url) if "=" in url else url
