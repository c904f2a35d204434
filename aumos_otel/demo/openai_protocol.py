"""What the demo's model server says, in the words of the OpenAI API."""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Protocol

from aumos_otel.demo.model import MODELS, Turn, take_turn, text_of

if TYPE_CHECKING:
    from collections.abc import Iterator

CREATED: Final = 1_780_000_000
_DIMENSIONS: Final = 16


@dataclass(frozen=True, slots=True)
class Told:
    """The token counts of one answer."""

    input_tokens: int
    cached_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0


@dataclass(frozen=True, slots=True)
class Event:
    """One server-sent event."""

    line: str
    is_piece: bool = False
    tells_usage: bool = False


class Answer(Protocol):
    """An answer in one of the two APIs."""

    told: Told

    def whole(self) -> dict[str, Any]:
        """The answer in one piece."""

    def events(self) -> Iterator[Event]:
        """The answer as a stream."""


def conversation(body: dict[str, Any]) -> list[tuple[str, str]]:
    """Role and text of each message of a request to any of the APIs."""
    asked = body.get("messages", body.get("input", []))
    entries = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
    told = [("system", body["instructions"])] if body.get("instructions") else []
    return told + [_role_and_text(entry) for entry in entries]


def _role_and_text(entry: Any) -> tuple[str, str]:
    if not isinstance(entry, dict):
        return "user", str(entry)
    if entry.get("type") == "function_call_output":
        return "tool", str(entry.get("output", ""))
    return str(entry.get("role", "assistant")), text_of(entry.get("content"))


def _turn(body: dict[str, Any]) -> Turn:
    tool = next((t.get("name") or t.get("function", {}).get("name") for t in body.get("tools") or []), None)
    form = body.get("response_format") or (body.get("text") or {}).get("format") or {}
    limits = (body.get(name) for name in ("max_completion_tokens", "max_output_tokens", "max_tokens"))
    return take_turn(
        conversation(body),
        model=body["model"],
        limit=next((limit for limit in limits if limit is not None), None),
        tool=tool,
        as_json=form.get("type") in {"json_object", "json_schema"},
    )


def _told(turn: Turn, choices: int = 1) -> Told:
    return Told(turn.input_tokens, turn.cached_tokens, turn.output_tokens * choices, turn.reasoning_tokens * choices)


class Chat:
    """An answer of the chat completions API."""

    def __init__(self, body: dict[str, Any], number: int) -> None:
        self._turn = _turn(body)
        self._choices = int(body.get("n") or 1)
        self._wants_usage = bool((body.get("stream_options") or {}).get("include_usage"))
        self._head = {
            "id": f"chatcmpl-{number:06d}",
            "created": CREATED,
            "model": MODELS.get(body["model"], body["model"]),
            "service_tier": "default",
            "system_fingerprint": "fp_demo",
        }
        self.told = _told(self._turn, self._choices)

    @property
    def _reason(self) -> str:
        if self._turn.call:
            return "tool_calls"
        return "length" if self._turn.truncated else "stop"

    def _usage(self) -> dict[str, Any]:
        told = self.told
        return {
            "prompt_tokens": told.input_tokens,
            "completion_tokens": told.output_tokens,
            "total_tokens": told.input_tokens + told.output_tokens,
            "prompt_tokens_details": {"cached_tokens": told.cached_tokens, "audio_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": told.reasoning_tokens, "audio_tokens": 0},
        }

    def _call(self) -> list[dict[str, Any]]:
        name, arguments = self._turn.call or ("", "")
        call = {"id": "call_demo", "type": "function", "function": {"name": name, "arguments": arguments}}
        return [call] if self._turn.call else []

    def whole(self) -> dict[str, Any]:
        """The answer in one piece."""
        message: dict[str, Any] = {"role": "assistant", "content": self._turn.text or None, "refusal": None}
        if self._turn.call:
            message["tool_calls"] = self._call()
        choices = [
            {"index": index, "message": message, "finish_reason": self._reason, "logprobs": None}
            for index in range(self._choices)
        ]
        return {**self._head, "object": "chat.completion", "choices": choices, "usage": self._usage()}

    def events(self) -> Iterator[Event]:
        """The answer as a stream; the usage only if it was asked for."""
        for index in range(self._choices):
            yield self._chunk(index, {"role": "assistant", "content": ""})
            if self._turn.call:
                yield self._chunk(index, {"tool_calls": [{"index": 0, **call} for call in self._call()]})
            else:
                for piece in self._turn.pieces:
                    yield self._chunk(index, {"content": piece}, is_piece=True)
            yield self._chunk(index, {}, reason=self._reason)
        if self._wants_usage:
            chunk = {**self._head, "object": "chat.completion.chunk", "choices": [], "usage": self._usage()}
            yield Event(_data(chunk), tells_usage=True)
        yield Event("data: [DONE]\n\n")

    def _chunk(self, index: int, delta: dict[str, Any], *, reason: str | None = None, is_piece: bool = False) -> Event:
        choice = {"index": index, "delta": delta, "finish_reason": reason, "logprobs": None}
        chunk: dict[str, Any] = {**self._head, "object": "chat.completion.chunk", "choices": [choice]}
        if self._wants_usage:
            chunk["usage"] = None
        return Event(_data(chunk), is_piece=is_piece)


class Responses:
    """An answer of the responses API."""

    def __init__(self, body: dict[str, Any], number: int) -> None:
        self._turn = _turn(body)
        self._id = f"resp_{number:06d}"
        self._model = MODELS.get(body["model"], body["model"])
        self._instructions = body.get("instructions")
        self.told = _told(self._turn)

    def _snapshot(self, status: str, output: list[dict[str, Any]], *, with_usage: bool) -> dict[str, Any]:
        told = self.told
        usage = {
            "input_tokens": told.input_tokens,
            "input_tokens_details": {"cached_tokens": told.cached_tokens, "cache_write_tokens": 0},
            "output_tokens": told.output_tokens,
            "output_tokens_details": {"reasoning_tokens": told.reasoning_tokens},
            "total_tokens": told.input_tokens + told.output_tokens,
        }
        return {
            "id": self._id,
            "object": "response",
            "created_at": CREATED,
            "status": status,
            "error": None,
            "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
            "instructions": self._instructions,
            "metadata": {},
            "model": self._model,
            "output": output,
            "parallel_tool_calls": True,
            "service_tier": "default",
            "temperature": 1.0,
            "tool_choice": "auto",
            "tools": [],
            "top_p": 1.0,
            "usage": usage if with_usage else None,
        }

    @property
    def _status(self) -> str:
        return "incomplete" if self._turn.truncated else "completed"

    def _item(self, status: str, text: str) -> dict[str, Any]:
        if self._turn.call:
            name, arguments = self._turn.call
            return {
                "type": "function_call",
                "id": "fc_demo",
                "call_id": "call_demo",
                "name": name,
                "arguments": arguments,
                "status": status,
            }
        content = [_part(text)] if text else []
        return {"type": "message", "id": "msg_demo", "role": "assistant", "status": status, "content": content}

    def whole(self) -> dict[str, Any]:
        """The answer in one piece."""
        return self._snapshot(self._status, [self._item(self._status, self._turn.text)], with_usage=True)

    def events(self) -> Iterator[Event]:
        """The answer as a stream of typed events."""
        for number, (kind, fields) in enumerate(self._typed()):
            data = {"type": kind, "sequence_number": number, **fields}
            ends = kind in {"response.completed", "response.incomplete"}
            yield Event(
                f"event: {kind}\n{_data(data)}", is_piece=kind == "response.output_text.delta", tells_usage=ends
            )

    def _typed(self) -> Iterator[tuple[str, dict[str, Any]]]:
        place: dict[str, Any] = {"item_id": "msg_demo", "output_index": 0, "content_index": 0}
        yield "response.created", {"response": self._snapshot("in_progress", [], with_usage=False)}
        yield "response.in_progress", {"response": self._snapshot("in_progress", [], with_usage=False)}
        yield "response.output_item.added", {"output_index": 0, "item": self._item("in_progress", "")}
        if not self._turn.call:
            yield "response.content_part.added", {**place, "part": _part("")}
            for piece in self._turn.pieces:
                yield "response.output_text.delta", {**place, "delta": piece, "logprobs": []}
            yield "response.output_text.done", {**place, "text": self._turn.text, "logprobs": []}
            yield "response.content_part.done", {**place, "part": _part(self._turn.text)}
        yield "response.output_item.done", {"output_index": 0, "item": self._item(self._status, self._turn.text)}
        yield f"response.{self._status}", {"response": self.whole()}


def embeddings(body: dict[str, Any], texts: list[str], told: Told) -> dict[str, Any]:
    """An answer of the embeddings API."""
    length = int(body.get("dimensions") or _DIMENSIONS)
    vectors = [_vector(text, length) for text in texts]
    encode = _base64 if body.get("encoding_format") == "base64" else list
    return {
        "object": "list",
        "data": [
            {"object": "embedding", "index": index, "embedding": encode(vector)} for index, vector in enumerate(vectors)
        ],
        "model": MODELS.get(body["model"], body["model"]),
        "usage": {"prompt_tokens": told.input_tokens, "total_tokens": told.input_tokens},
    }


def _vector(text: str, length: int) -> list[float]:
    digest = hashlib.sha256(text.encode()).digest()
    return [digest[position % len(digest)] / 255 for position in range(length)]


def _base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode("ascii")


def _part(text: str) -> dict[str, Any]:
    return {"type": "output_text", "text": text, "annotations": [], "logprobs": []}


def _data(document: dict[str, Any]) -> str:
    return f"data: {json.dumps(document)}\n\n"
