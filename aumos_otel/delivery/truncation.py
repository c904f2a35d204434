"""How long a text may be, and what tells of the rest: ``… (len 40000, sha256 9f86…)``."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from aumos_otel.delivery.cleaning import text
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.redaction.plain import Plain

#: Attributes that hold content of LLM calls.
CONTENT_KEYS: Final = frozenset(
    {
        attributes.GEN_AI_INPUT_MESSAGES,
        attributes.GEN_AI_OUTPUT_MESSAGES,
        attributes.GEN_AI_SYSTEM_INSTRUCTIONS,
        attributes.GEN_AI_TOOL_DEFINITIONS,
        attributes.GEN_AI_TOOL_CALL_ARGUMENTS,
        attributes.GEN_AI_TOOL_CALL_RESULT,
        attributes.GEN_AI_RETRIEVAL_DOCUMENTS,
    }
)

#: What stands where a text was cut: at its end, or before `` …`` and its tail.  One that is there
#: already tells about the whole text, and is kept.
_MARKER: Final = re.compile(r"… \(len \d+, sha256 [0-9a-f]{64}\)(?=\Z| …)")

#: Characters of a mark, and those that a value costs beside its text.
_MARK: Final = 100
_NODE: Final = 8

#: Longest JSON that is taken apart to be shortened; it costs some 20 ms.
_MAX_JSON: Final = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """Longest texts, in characters; of a value with structure all its texts together.

    Attributes:
        attribute: an attribute's value, and bytes in bytes.
        content: an attribute that holds content of LLM calls.
        body: the body of a log record.
        name: the name of a span, event or metric.
        message: a status message.
        stack_trace: a stack trace; its head and its tail stay.
        content_keys: the attributes that hold content of LLM calls.
    """

    attribute: int = 32 * 1024
    content: int = 256 * 1024
    body: int = 256 * 1024
    name: int = 1024
    message: int = 8 * 1024
    stack_trace: int = 64 * 1024
    content_keys: frozenset[str] = CONTENT_KEYS

    def divided(self, by: int) -> Limits:
        """The same, each by this factor smaller; for a record that is too large for a receiver as a whole."""
        return replace(
            self,
            attribute=self.attribute // by,
            content=self.content // by,
            body=self.body // by,
            stack_trace=self.stack_trace // by,
        )

    def of(self, key: str) -> int:
        """The limit of the attribute ``key``, unless it is a stack trace, which is cut differently."""
        return self.content if key in self.content_keys else self.attribute


#: The limits that hold when nobody says otherwise.
DEFAULT: Final = Limits()


def shorten(words: str, limit: int) -> str:
    """The first ``limit`` characters of a longer text, and a mark with length and fingerprint of the whole.

    >>> from aumos_otel.delivery.truncation import shorten
    >>> shorten("abcdef", 3)
    'abc… (len 6, sha256 bef57ec7f53a6d40beb640a780a639c83bc29ac8a9816f1fc6c5c6dcd93c4721)'
    """
    if len(words) <= limit:
        return words
    found = _mark_in(words)
    return words[:limit] + _mark(words) if found is None else words[: min(limit, found.start())] + found.group()


def shorten_middle(words: str, limit: int) -> str:
    """The same for a text whose end matters as much as its beginning: half of the characters from each."""
    if len(words) <= limit:
        return words
    found = _mark_in(words)
    head, tail = words[: limit // 2], words[len(words) - (limit - limit // 2) :]
    if found is not None:
        head, tail = words[: min(limit // 2, found.start())], words[max(len(words) - len(tail), found.end()) :]
    return f"{head}{_mark(words) if found is None else found.group()} … {tail}"


def shorten_json(words: str, limit: int) -> str:
    """The same for a text that may be JSON, such as messages: it stays JSON, its longest texts are shortened."""
    if not limit < len(words) <= _MAX_JSON:
        return shorten(words, limit)
    try:
        value = json.loads(words)
    except (ValueError, RecursionError):
        return shorten(words, limit)
    longest = limit // 2
    while longest > _MARK and _weight(value, longest) > limit:
        longest //= 2
    value = _Room(limit).value(_cut(value, longest))
    return text(json.dumps(value, ensure_ascii=False, separators=(",", ":")))


def _weight(value: Plain, longest: int) -> int:
    """Characters of ``value`` as JSON, about, when each of its texts has at most ``longest`` and a mark."""
    if isinstance(value, str):
        return _NODE + (len(value) if len(value) <= longest else longest + _MARK)
    if isinstance(value, list):
        return _NODE + sum(_weight(each, longest) for each in value)
    if isinstance(value, dict):
        return _NODE + sum(_NODE + len(key) + _weight(each, longest) for key, each in value.items())
    return _NODE


def _cut(value: Plain, longest: int) -> Plain:
    """``value`` with each of its texts shortened."""
    if isinstance(value, str):
        return shorten(value, longest)
    if isinstance(value, list):
        return [_cut(each, longest) for each in value]
    if isinstance(value, dict):
        return {key: _cut(each, longest) for key, each in value.items()}
    return value


def shorten_attributes(given: dict[str, Plain], limits: Limits) -> dict[str, Plain]:
    """Attributes whose values are within ``limits``; the same dict when all are."""
    longest = limits.attribute
    for value in given.values():
        kind = type(value)
        if kind is str or kind is bytes:
            if len(value) > longest:  # type: ignore[arg-type]  # its type has just been compared
                break
        elif kind is list or kind is dict:
            break
    else:
        return given
    return {key: shorten_value(key, value, limits) for key, value in given.items()}


def shorten_value(key: str, value: Plain, limits: Limits) -> Plain:
    """The value of the attribute ``key`` within ``limits``."""
    if isinstance(value, str):
        if key == attributes.EXCEPTION_STACKTRACE:
            return shorten_middle(value, limits.stack_trace)
        if key in limits.content_keys:
            return shorten_json(value, limits.content)
    return shorten_plain(value, limits.of(key))


def shorten_plain(value: Plain, limit: int) -> Plain:
    """A value whose texts have at most ``limit`` characters, all together."""
    if isinstance(value, str):
        return shorten(value, limit)
    if isinstance(value, bytes):
        return value if len(value) <= limit else _bytes_mark(value)
    if isinstance(value, list | dict):
        return _Room(limit).value(value)
    return value


class _Room:
    """What is left for the texts of one value."""

    def __init__(self, characters: int) -> None:
        self._left = characters

    def value(self, value: Plain) -> Plain:
        self._left -= _NODE
        if isinstance(value, str | bytes):
            room = max(0, self._left)
            self._left -= min(len(value), room)
            return shorten_plain(value, room)
        if isinstance(value, list):
            return self._list(value)
        return self._dict(value) if isinstance(value, dict) else value

    def _list(self, values: list[Plain]) -> list[Plain]:
        taken: list[Plain] = []
        for value in values:
            if self._left <= 0:
                taken.append(f"… ({len(values) - len(taken)} more)")
                break
            taken.append(self.value(value))
        return taken

    def _dict(self, given: Mapping[str, Plain]) -> dict[str, Plain]:
        taken: dict[str, Plain] = {}
        for key, value in given.items():
            if self._left <= 0:
                taken["…"] = f"{len(given) - len(taken)} more"
                break
            self._left -= len(key)
            taken[key] = self.value(value)
        return taken


def _mark_in(words: str) -> re.Match[str] | None:
    return None if words.isascii() else _MARKER.search(words)


def _mark(words: str) -> str:
    data = words.encode("utf-8", "replace")
    return f"… (len {len(words)}, sha256 {hashlib.sha256(data).hexdigest()})"


def _bytes_mark(data: bytes) -> str:
    return f"<{len(data)} bytes, sha256 {hashlib.sha256(data).hexdigest()}>"
