"""OpenAI's responses API: the response object and the events of its stream."""

from __future__ import annotations

from aumos_otel.semconv import attributes as attr

from .fields import first, get, items, label, text
from .messages import Message, to_messages
from .providers import provider_of
from .reading import Reading
from .tokens import read_tokens

_OBJECT = "response"
_TERMINAL = ("response.completed", "response.incomplete", "response.failed")


def read(response: object, *, content: bool) -> Reading | None:
    """A response of the responses API; None if ``response`` is none."""
    if text(get(response, "object")) != _OBJECT:
        return None
    reason = _finish_reason(response)
    return Reading(
        provider=provider_of(response),
        response_id=label(get(response, "id")),
        model=label(get(response, "model")),
        finish_reasons=() if reason is None else (reason,),
        usage=read_tokens(get(response, "usage")),
        output=_with_reason(to_messages(items(get(response, "output")), "assistant"), reason) if content else None,
        service_tier=label(get(response, "service_tier")),
        api_type=attr.OPENAI_API_TYPE_RESPONSES,
    )


def _finish_reason(response: object) -> str | None:
    """The conventions' word for the status: this API states no finish reason of its own."""
    status = label(get(response, "status"))
    if status == "completed":
        calls = (
            text(get(item, "type")) in ("function_call", "custom_tool_call") for item in items(get(response, "output"))
        )
        return "tool_call" if any(calls) else "stop"
    if status == "incomplete":
        reason = label(get(response, "incomplete_details", "reason"))
        return "length" if reason == "max_output_tokens" else reason or status
    return "error" if status in ("failed", "cancelled") else None


def _with_reason(messages: list[Message], reason: str | None) -> list[Message]:
    return messages if reason is None else [{**message, "finish_reason": reason} for message in messages]


class Stream:
    """Collects the events of one streamed response."""

    def __init__(self, *, content: bool) -> None:
        self._content = content
        self._snapshot: object = None
        self._ended = False
        self._texts: dict[str, list[str]] = {}

    def feed(self, event: object) -> bool:
        """Take in one event; False if it is not one of this API."""
        kind = text(get(event, "type")) or ""
        if not kind.startswith("response."):
            return False
        snapshot = get(event, "response")
        if text(get(snapshot, "object")) == _OBJECT:
            self._snapshot, self._ended = snapshot, kind in _TERMINAL
        elif self._content and kind == "response.output_text.delta":
            delta = text(get(event, "delta"))
            if delta:
                self._texts.setdefault(label(first(event, "item_id")) or "", []).append(delta)
        return True

    def begins_another(self, event: object) -> bool:
        """Whether ``event`` opens another response."""
        return self._ended and text(get(event, "type")) == "response.created"

    def result(self) -> Reading | None:
        """What the events so far say; of a stream that broke off, the text up to there and no usage."""
        found = read(self._snapshot, content=self._content)
        if found is None or self._ended or not self._content:
            return found
        partial = [
            {"role": "assistant", "parts": [{"type": "text", "content": "".join(t)}]} for t in self._texts.values()
        ]
        return Reading(
            provider=found.provider,
            response_id=found.response_id,
            model=found.model,
            output=[dict(message) for message in partial],
            service_tier=found.service_tier,
            api_type=found.api_type,
        )
