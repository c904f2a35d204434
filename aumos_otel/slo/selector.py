"""PromQL's simplest expression, a selector of series: enough of it to read what other formats demand to be one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

#: Each alternative begins with a character of its own: the cost grows with the text.
#: A string of PromQL in any of its quotes.
STRING: Final = r"\"(?:[^\"\\\n]|\\.)*\"|'(?:[^'\\\n]|\\.)*'|`[^`]*`"
_MATCHER: Final = re.compile(rf"\s*([a-zA-Z_][a-zA-Z0-9_]*)\s*(=~|!~|!=|=)\s*({STRING})\s*")
_NAME: Final = re.compile(r"\s*([a-zA-Z_:][a-zA-Z0-9_:]*)?\s*")
_ESCAPED: Final = re.compile(r"\\(.)")
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", '"': '"', "'": "'"}


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; ``operator`` is ``=``, ``!=``, ``=~`` or ``!~``."""

    label: str
    operator: str
    value: str

    def __str__(self) -> str:
        value = self.value.replace("\\", "\\\\").replace('"', '\\"')
        for character, escape in (("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
            value = value.replace(character, escape)
        return f'{self.label}{self.operator}"{value}"'


@dataclass(frozen=True, slots=True)
class Selector:
    """``name{label="value"}``; the name may be empty when a matcher picks it."""

    name: str
    matchers: tuple[Matcher, ...] = ()

    def __str__(self) -> str:
        return self.name + (f"{{{','.join(map(str, self.matchers))}}}" if self.matchers else "")


def parse(text: str) -> Selector | None:
    """The selector that the text is; None if it is none, or has a range, an offset or an escape that is not common."""
    found = _NAME.match(text)
    position = found.end() if found else 0
    name = (found[1] if found else None) or ""
    matchers: list[Matcher] = []
    if position < len(text):
        if text[position] != "{" or not text.rstrip().endswith("}"):
            return None
        position, end = position + 1, len(text.rstrip()) - 1
        while position < end:
            matcher = _MATCHER.match(text, position, end)
            value = _unquoted(matcher[3]) if matcher else None
            if matcher is None or value is None:
                return None if text[position:end].strip() else Selector(name, tuple(matchers))
            matchers.append(Matcher(matcher[1], matcher[2], value))
            position = matcher.end()
            if position < end and text[position] != ",":
                return None
            position += 1
    return Selector(name, tuple(matchers)) if name or matchers else None


def _unquoted(literal: str) -> str | None:
    """What a string literal stands for; None if it has an escape that is not common."""
    inside = literal[1:-1]
    if literal[0] == "`":
        return inside
    if any(escape not in _ESCAPES for escape in _ESCAPED.findall(inside)):
        return None
    return _ESCAPED.sub(lambda found: _ESCAPES[found[1]], inside)
