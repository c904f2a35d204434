"""Captured messages of a model call, from the shapes in which they arrive, for the chat view.  Pure."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.semconv import attributes as names
from aumos_otel.semconv.events import GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aumos_otel.local.queries import Log, Span

_CONTENT_KEYS: Final = ("content", "text", "arguments", "response", "result")


@dataclass(frozen=True, slots=True)
class Part:
    """A piece of a message: ``kind`` is text, reasoning, tool_call, tool_call_response and so on."""

    kind: str
    title: str
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """One message of the conversation, with why the model stopped where it tells."""

    role: str
    parts: tuple[Part, ...]
    finish_reason: str


def of_call(span: Span, logs: Iterable[Log]) -> list[Message]:
    """The conversation of a model call: from the span, or from its event where content is captured as one."""
    sources = [span.attributes]
    sources += [
        log.attributes
        for log in logs
        if log.span_id == span.span_id and log.event_name == GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS
    ]
    for source in sources:
        instructions = _decoded(source.get(names.GEN_AI_SYSTEM_INSTRUCTIONS))
        found = [Message("system", _parts(instructions), "")] if instructions else []
        for key in (names.GEN_AI_INPUT_MESSAGES, names.GEN_AI_OUTPUT_MESSAGES):
            found += [_message(item) for item in _list(_decoded(source.get(key)))]
        if found:
            return found
    return []


def _message(item: Any) -> Message:
    if not isinstance(item, dict):
        return Message("", _parts(item), "")
    body = item.get("parts", item.get("content"))
    reason = item.get("finish_reason")
    return Message(str(item.get("role") or ""), _parts(body), str(reason) if reason else "")


def _parts(body: Any) -> tuple[Part, ...]:
    return tuple(_part(item) for item in _list(body))


def _part(item: Any) -> Part:
    if not isinstance(item, dict):
        return Part("text", "", _text(item))
    kind = str(item.get("type") or "text")
    content = next((item[key] for key in _CONTENT_KEYS if item.get(key) is not None), None)
    if content is None:  # a shape not known here is shown whole
        content = item
    return Part(kind, str(item.get("name") or ""), _text(content))


def _decoded(value: Any) -> Any:
    """Messages come structured, or as one JSON text."""
    if isinstance(value, str):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=2)
