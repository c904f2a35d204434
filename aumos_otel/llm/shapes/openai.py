"""OpenAI's chat completions, completions and embeddings, and whoever speaks their protocol.

Azure, DeepSeek, Groq, Mistral, vLLM and litellm answer in this shape, with marks of their own.
"""

from __future__ import annotations

from aumos_otel.semconv import attributes as attr

from .fields import count, first, get, items, label, text
from .messages import Message, Part, to_message, tool_call
from .providers import provider_of
from .reading import Reading, Usage
from .tokens import read_tokens

_LABELS = ("id", "model", "service_tier", "system_fingerprint")
_OBJECTS = ("chat.completion", "text_completion")


def _is_choice(choice: object) -> bool:
    return any(first(choice, name) is not None for name in ("message", "delta", "text", "finish_reason"))


def _has_choices(response: object) -> bool:
    kind = text(get(response, "object")) or ""
    choices = get(response, "choices")
    if not issubclass(type(choices), list | tuple):
        return False
    return kind.startswith(_OBJECTS) or any(_is_choice(choice) for choice in items(choices))


def read(response: object, *, content: bool) -> Reading | None:
    """A completed chat completion or completion; None if ``response`` is none of these."""
    if not _has_choices(response):
        return None
    choices = items(get(response, "choices"))
    reasons = [label(get(choice, "finish_reason")) for choice in choices]
    return Reading(
        provider=provider_of(response),
        response_id=label(get(response, "id")),
        model=label(get(response, "model")),
        finish_reasons=tuple(reason for reason in reasons if reason),
        usage=read_tokens(get(response, "usage")),
        output=[_output(choice) for choice in choices] if content else None,
        service_tier=label(get(response, "service_tier")),
        system_fingerprint=label(get(response, "system_fingerprint")),
        api_type=attr.OPENAI_API_TYPE_CHAT_COMPLETIONS,
    )


def _output(choice: object) -> Message:
    message = get(choice, "message")
    source = get(choice, "text") if message is None else message
    found = to_message(source, "assistant") or {"role": "assistant", "parts": []}
    reason = label(get(choice, "finish_reason"))
    return found if reason is None else {**found, "finish_reason": reason}


def read_embeddings(response: object, *, content: bool) -> Reading | None:  # noqa: ARG001 - vectors are no content
    """An embeddings response; None if ``response`` is none."""
    data = items(get(response, "data"))
    if not data or first(data[0], "embedding") is None:
        return None
    return Reading(
        provider=provider_of(response),
        model=label(get(response, "model")),
        usage=read_tokens(get(response, "usage")),
        dimensions=_dimensions(get(data[0], "embedding")),
    )


def _dimensions(vector: object) -> int | None:
    encoded = text(vector)
    if encoded is None:
        return len(items(vector)) or None
    return len(encoded.rstrip("=")) * 3 // 4 // 4 or None  # base64 of 32-bit floats


class Stream:
    """Collects the chunks of one streamed chat completion or completion."""

    def __init__(self, *, content: bool) -> None:
        self._content = content
        self._chunk: object = None
        self._labels: dict[str, str] = {}
        self._usage: Usage | None = None
        self._choices: dict[int, _Choice] = {}

    def feed(self, chunk: object) -> bool:
        """Take in one chunk; False if it is not one of this shape."""
        if not _has_choices(chunk):
            # An event of ``chat.completions.stream()`` has its chunk inside.
            chunk = get(chunk, "chunk") if text(get(chunk, "type")) == "chunk" else None
            if not _has_choices(chunk):
                return False
        self._chunk = chunk
        self._count(chunk)
        for name in _LABELS:
            found = label(get(chunk, name)) if name not in self._labels else None
            if found is not None:
                self._labels[name] = found
        for position, choice in enumerate(items(get(chunk, "choices"))):
            index = count(get(choice, "index"))
            state = self._choices.setdefault(position if index is None else index, _Choice())
            state.feed(choice, content=self._content)
        return True

    def _count(self, chunk: object) -> None:
        """Take over a usage; where every chunk has one, it is the sum so far.  Groq has it at the end, beside."""
        usage = get(chunk, "usage")
        if usage is None and any(get(choice, "finish_reason") is not None for choice in items(get(chunk, "choices"))):
            usage = get(chunk, "x_groq", "usage")
        counted = None if usage is None else read_tokens(usage)
        if counted is not None:
            self._usage = counted

    def begins_another(self, chunk: object) -> bool:
        """Whether ``chunk`` opens another response; an id alone tells nothing, some servers change it all the time."""
        ended = any(choice.reason for choice in self._choices.values())
        return (
            ended
            and bool(items(get(chunk, "choices")))
            and label(get(chunk, "id")) not in (None, self._labels.get("id"))
        )

    def result(self) -> Reading | None:
        """What the chunks so far say; None before the first."""
        if self._chunk is None:
            return None
        choices = [self._choices[index] for index in sorted(self._choices)]
        return Reading(
            provider=provider_of(self._chunk),
            response_id=self._labels.get("id"),
            model=self._labels.get("model"),
            finish_reasons=tuple(choice.reason for choice in choices if choice.reason),
            usage=self._usage,
            output=[choice.message() for choice in choices] if self._content else None,
            service_tier=self._labels.get("service_tier"),
            system_fingerprint=self._labels.get("system_fingerprint"),
            api_type=attr.OPENAI_API_TYPE_CHAT_COMPLETIONS,
        )


class _Choice:
    """One choice of a stream, put together from its deltas."""

    def __init__(self) -> None:
        self.reason: str | None = None
        self._role = "assistant"
        self._texts: dict[str, list[str]] = {"reasoning": [], "text": [], "refusal": []}
        self._calls: dict[int, dict[str, str]] = {}

    def feed(self, choice: object, *, content: bool) -> None:
        self.reason = label(get(choice, "finish_reason")) or self.reason
        if not content:
            return
        delta = get(choice, "delta")
        self._role = label(get(delta, "role")) or self._role
        self._append("text", first(delta, "content") if delta is not None else get(choice, "text"))
        self._append("reasoning", first(delta, "reasoning_content", "reasoning"))
        self._append("refusal", get(delta, "refusal"))
        for position, call in enumerate(items(get(delta, "tool_calls"))):
            index = count(get(call, "index"))
            state = self._calls.setdefault(position if index is None else index, {"arguments": ""})
            state["id"] = label(get(call, "id")) or state.get("id", "")
            state["name"] = label(get(call, "function", "name")) or state.get("name", "")
            state["arguments"] += text(get(call, "function", "arguments")) or ""

    def _append(self, kind: str, piece: object) -> None:
        found = text(piece)
        if found:
            self._texts[kind].append(found)

    def message(self) -> Message:
        parts: list[Part] = [
            {"type": kind, "content": "".join(pieces)} for kind, pieces in self._texts.items() if pieces
        ]
        parts += [tool_call(self._calls[index]) for index in sorted(self._calls)]
        message: Message = {"role": self._role, "parts": parts}
        return message if self.reason is None else {**message, "finish_reason": self.reason}
