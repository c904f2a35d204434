"""Bedrock's Converse API as boto3 returns it: plain dicts."""

from __future__ import annotations

from aumos_otel.semconv import attributes as attr

from .fields import count, first, get, is_mapping, items, label, text
from .messages import Message, to_parts
from .reading import Reading, Usage
from .tokens import read_bedrock_tokens


def read(response: object, *, content: bool) -> Reading | None:
    """A ``converse`` response; None if ``response`` is none."""
    if not is_mapping(response):
        return None
    message, reason = get(response, "output", "message"), label(get(response, "stopReason"))
    usage = read_bedrock_tokens(get(response, "usage"))
    if message is None and usage is None:
        return None
    return Reading(
        provider=attr.GEN_AI_PROVIDER_NAME_AWS_BEDROCK,
        finish_reasons=() if reason is None else (reason,),
        usage=usage,
        output=[_message(items(get(message, "content")), reason)] if content else None,
        service_tier=label(get(response, "serviceTier", "type")),
    )


def _message(blocks: list[object], reason: str | None) -> Message:
    message: Message = {"role": "assistant", "parts": to_parts(blocks)}
    return message if reason is None else {**message, "finish_reason": reason}


class Stream:
    """Collects the events of one ``converse_stream``."""

    def __init__(self, *, content: bool) -> None:
        self._content = content
        self._started = False
        self._reason: str | None = None
        self._usage: Usage | None = None
        self._tier: str | None = None
        self._texts: dict[int, list[str]] = {}
        self._calls: dict[int, dict[str, object]] = {}

    def feed(self, event: object) -> bool:
        """Take in one event; False if it is not one of this API."""
        metadata = get(event, "metadata", "usage")
        block = first(event, "contentBlockStart", "contentBlockDelta")
        stop = get(event, "messageStop")
        if metadata is None and block is None and stop is None:
            return first(event, "messageStart", "contentBlockStop") is not None
        self._started = True
        if stop is not None:
            self._reason = label(get(stop, "stopReason"))
        if metadata is not None:
            self._usage = read_bedrock_tokens(metadata)
            self._tier = label(get(event, "metadata", "serviceTier", "type"))
        if block is not None and self._content:
            self._feed_block(block)
        return True

    def _feed_block(self, block: object) -> None:
        index = count(get(block, "contentBlockIndex")) or 0
        start = get(block, "start", "toolUse")
        if start is not None:
            self._calls[index] = {"id": get(start, "toolUseId"), "name": get(start, "name")}
        piece = text(get(block, "delta", "text")) or text(get(block, "delta", "toolUse", "input"))
        if piece:
            self._texts.setdefault(index, []).append(piece)

    def begins_another(self, event: object) -> bool:
        """Whether ``event`` opens another message."""
        return self._reason is not None and get(event, "messageStart") is not None

    def result(self) -> Reading | None:
        """What the events so far say; None before the first."""
        if not self._started:
            return None
        blocks: list[object] = []
        for index in sorted({*self._texts, *self._calls}):
            whole = "".join(self._texts.get(index, []))
            call = self._calls.get(index)
            blocks.append(whole if call is None else {"type": "tool_use", **call, "arguments": whole})
        return Reading(
            provider=attr.GEN_AI_PROVIDER_NAME_AWS_BEDROCK,
            finish_reasons=() if self._reason is None else (self._reason,),
            usage=self._usage,
            output=[_message(blocks, self._reason)] if self._content else None,
            service_tier=self._tier,
        )
