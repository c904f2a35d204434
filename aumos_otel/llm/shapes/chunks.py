"""Streams whose every chunk is a small response of its own: Google's and LangChain's."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import TYPE_CHECKING, Protocol

from .fields import items, text
from .reading import Reading

if TYPE_CHECKING:
    from .messages import Message, Part


class _Read(Protocol):
    def __call__(self, response: object, *, content: bool) -> Reading | None: ...


class ChunkStream:
    """Folds the readings of the chunks into one.

    Args:
        read: reads one chunk.
        additive: whether the usages of the chunks add up; else each is the sum so far.
        content: whether to keep the output.
    """

    def __init__(self, read: _Read, *, additive: bool, content: bool) -> None:
        self._read = read
        self._additive = additive
        self._content = content
        self._reading: Reading | None = None

    def feed(self, chunk: object) -> bool:
        """Take in one chunk; False if it is not one of this shape."""
        more = self._read(chunk, content=self._content)
        if more is None:
            return False
        self._reading = more if self._reading is None else self._fold(self._reading, more)
        return True

    def begins_another(self, chunk: object) -> bool:
        """Whether ``chunk`` opens another response after this one has ended."""
        so_far, more = self._reading, self._read(chunk, content=False)
        if self._additive or so_far is None or more is None or not so_far.finish_reasons:
            return False
        return more.response_id not in (None, so_far.response_id)

    def _fold(self, so_far: Reading, more: Reading) -> Reading:
        newest = {field.name: getattr(more, field.name) or getattr(so_far, field.name) for field in fields(Reading)}
        if self._additive and so_far.usage and more.usage:
            newest["usage"] = so_far.usage.plus(more.usage)
        newest["output"] = _merged(so_far.output, more.output) if self._content else None
        return replace(so_far, **newest)

    def result(self) -> Reading | None:
        """What the chunks so far say; None before the first."""
        return self._reading


def _merged(messages: list[Message] | None, more: list[Message] | None) -> list[Message]:
    merged = list(messages or [])
    for index, message in enumerate(more or []):
        if index == len(merged):
            merged.append(message)
        else:
            merged[index] = {**merged[index], **message, "parts": _joined(merged[index], message)}
    return merged


def _joined(message: Message, more: Message) -> list[Part]:
    """The parts of both; adjoining text (or reasoning) becomes one part."""
    parts: list[Part] = []
    for part in (*items(message["parts"]), *items(more["parts"])):
        if not isinstance(part, dict):
            continue
        last, words = parts[-1] if parts else {}, text(part.get("content"))
        if words is not None and part["type"] in ("text", "reasoning") and last.get("type") == part["type"]:
            parts[-1] = {**last, "content": f"{last['content']}{words}"}
        else:
            parts.append(part)
    return parts
