"""LangChain's AIMessage and the chunks of its streams."""

from __future__ import annotations

from .chunks import ChunkStream
from .fields import get, label, text
from .messages import Message, to_message
from .providers import provider_name
from .reading import Reading
from .tokens import read_tokens

_TYPES = ("ai", "AIMessageChunk")


def read(response: object, *, content: bool) -> Reading | None:
    """An AIMessage or one chunk of a stream; None if ``response`` is none."""
    if text(get(response, "type")) not in _TYPES:
        return None
    metadata = get(response, "response_metadata")
    reason = label(get(metadata, "finish_reason")) or label(get(metadata, "stop_reason"))
    named = label(get(metadata, "model_provider"))
    return Reading(
        provider=None if named is None else provider_name(named),
        response_id=label(get(response, "id")),
        model=label(get(metadata, "model_name")) or label(get(metadata, "model")),
        finish_reasons=() if reason is None else (reason,),
        usage=read_tokens(get(response, "usage_metadata")),
        output=_output(response, reason) if content else None,
        service_tier=label(get(metadata, "service_tier")),
        system_fingerprint=label(get(metadata, "system_fingerprint")),
    )


def _output(response: object, reason: str | None) -> list[Message]:
    fields = {name: get(response, name) for name in ("content", "tool_calls")}
    message = to_message({"role": "assistant", **fields}, "assistant") or {}
    return [message if reason is None else {**message, "finish_reason": reason}]


def stream(*, content: bool) -> ChunkStream:
    """A collector for the chunks of one LangChain stream, whose usages add up."""
    return ChunkStream(read, additive=True, content=content)
