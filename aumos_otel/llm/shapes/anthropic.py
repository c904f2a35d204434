"""Anthropic's messages API: the message and the events of its stream."""

from __future__ import annotations

from aumos_otel.semconv import attributes as attr

from .fields import count, first, get, label, text
from .messages import Message, Part, to_parts
from .reading import Reading, Usage
from .tokens import read_tokens


def read(response: object, *, content: bool) -> Reading | None:
    """A message; None if ``response`` is none."""
    if text(get(response, "type")) != "message" or text(get(response, "role")) != "assistant":
        return None
    reason = label(get(response, "stop_reason"))
    usage = get(response, "usage")
    return Reading(
        provider=attr.GEN_AI_PROVIDER_NAME_ANTHROPIC,
        response_id=label(get(response, "id")),
        model=label(get(response, "model")),
        finish_reasons=() if reason is None else (reason,),
        usage=read_tokens(usage),
        output=[_message(to_parts(get(response, "content")), reason)] if content else None,
        service_tier=_service_tier(usage),
    )


def _service_tier(usage: object) -> str | None:
    """The processing tier; the fast mode is one, since it has prices of its own."""
    speed = label(get(usage, "speed"))
    return speed if speed == "fast" else label(get(usage, "service_tier"))


def _message(parts: list[Part], reason: str | None) -> Message:
    message: Message = {"role": "assistant", "parts": parts}
    return message if reason is None else {**message, "finish_reason": reason}


class Stream:
    """Collects the events of one streamed message, raw or of the ``messages.stream()`` helper."""

    def __init__(self, *, content: bool) -> None:
        self._content = content
        self._start: object = None
        self._counts: dict[str, object] = {}
        self._reason: str | None = None
        self._blocks: dict[int, _Block] = {}

    def feed(self, event: object) -> bool:
        """Take in one event; False if it is not one of this API."""
        kind = text(get(event, "type"))
        if kind == "message_start":
            self._start = get(event, "message")
            self._count(get(self._start, "usage"))
            self._counts.pop("output_tokens", None)  # a placeholder until the first message_delta
        elif kind == "message_delta":
            self._reason = label(get(event, "delta", "stop_reason")) or self._reason
            self._count(get(event, "usage"))
        elif kind in ("content_block_start", "content_block_delta"):
            if self._content:
                index = count(get(event, "index")) or 0
                self._blocks.setdefault(index, _Block()).feed(first(event, "content_block", "delta"))
        else:
            return kind in ("content_block_stop", "message_stop")
        return True

    def _count(self, usage: object) -> None:
        """Take over the counters of ``usage``: they are sums so far, and absent where unchanged."""
        for name in (
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_creation",
            "output_tokens_details",
            "service_tier",
            "speed",
        ):
            found = get(usage, name)
            if found is not None:
                self._counts[name] = found

    def begins_another(self, event: object) -> bool:
        """Whether ``event`` opens another message."""
        return self._start is not None and text(get(event, "type")) == "message_start"

    def result(self) -> Reading | None:
        """What the events so far say; output tokens only once the provider has counted them."""
        if self._start is None:
            return None
        parts = [part for index in sorted(self._blocks) for part in self._blocks[index].parts()]
        usage: Usage | None = read_tokens(self._counts)
        return Reading(
            provider=attr.GEN_AI_PROVIDER_NAME_ANTHROPIC,
            response_id=label(get(self._start, "id")),
            model=label(get(self._start, "model")),
            finish_reasons=() if self._reason is None else (self._reason,),
            usage=usage,
            output=[_message(parts, self._reason)] if self._content else None,
            service_tier=_service_tier(self._counts),
        )


class _Block:
    """One content block of a stream, put together from its start and its deltas."""

    def __init__(self) -> None:
        self._block: object = None
        self._pieces: list[str] = []

    def feed(self, piece: object) -> None:
        kind = text(get(piece, "type")) or ""
        if not kind.endswith("_delta"):
            self._block = piece
            return
        found = text(first(piece, "text", "thinking", "partial_json"))
        if found:
            self._pieces.append(found)

    def parts(self) -> list[Part]:
        kind, whole = text(get(self._block, "type")), "".join(self._pieces)
        if not whole:
            return to_parts(self._block)
        field = {"text": "text", "thinking": "thinking"}.get(kind or "", "input")
        names = ("type", "id", "name")
        start = {name: get(self._block, name) for name in names}
        return to_parts({**start, field: whole} if field != "input" else {**start, "arguments": whole})
