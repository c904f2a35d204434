"""The names of all objects in a JSON text, told without reading the text."""

from __future__ import annotations

import re

#: Turned round: a colon, the quote before it unless it is escaped, the name, the quote that opens it.  Nothing but the
#: colon is consumed: what looks like a name may be a value that ends where a name begins.
_NAME = re.compile(r':(?=[ \t\r\n]*"(?!\\[^\\])([^"]*)"(\\?))')
#: Escapes that may stand for a part of a word, a separator or a digit; the others stand for quotes and white space.
_HIDING = re.compile(r"\\[u/]")


def names(text: str) -> set[str] | None:
    r"""All names, and perhaps some that are none; None where only reading can tell what an escape stands for.

    Args:
        text: JSON, or not.

    >>> from aumos_otel.redaction.names import names
    >>> sorted(names('[{"role": "user", "content": "he said: \\"yes\\": fine"}]'))
    ['content', 'role']
    """
    if _HIDING.search(text):
        return None
    found = set(_NAME.findall(text[::-1]))
    if any(escape or "\\" in name for name, escape in found):
        return None
    return {name[::-1] for name, _ in found}
