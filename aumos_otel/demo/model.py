"""The model behind the demo's model server: canned answers, and token counts that follow from the text."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from typing import Any, Final

_ANSWERS: Final = (
    "A 6 mm masonry bit fits that wall plug. Drill a little deeper than the plug is long.",
    "Use exterior wood screws of stainless steel. They cost more and do not stain the oak.",
    "Yes, the blade fits both saws. Unplug the saw before you change it.",
    "Two coats are enough on bare plaster. Let the first one dry for four hours.",
    "That hinge carries twelve kilograms. Take three of them for a door of this size.",
)
_TOKEN: Final = re.compile(r"\s*(?:\w+|[^\w\s])")
_PER_MESSAGE: Final = 4
_CACHE_STEP: Final = 8
_REASONING: Final = 8

#: Models and the release that answers for each, as a provider does it.
MODELS: Final = {
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "gpt-4o-mini": "gpt-4o-mini-2024-07-18",
    "text-embedding-3-small": "text-embedding-3-small",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One answer of the model.

    Attributes:
        pieces: the visible answer, a token each.
        call: name and JSON arguments of a tool to call instead.
        truncated: whether the limit cut the answer.
        input_tokens: of the prompt, cached ones included.
        cached_tokens: of the prompt, its instructions.
        reasoning_tokens: spent before the visible answer.
    """

    pieces: tuple[str, ...]
    call: tuple[str, str] | None
    truncated: bool
    input_tokens: int
    cached_tokens: int
    reasoning_tokens: int

    @property
    def output_tokens(self) -> int:
        """Reasoning and what is visible."""
        return self.reasoning_tokens + len(self.pieces)

    @property
    def text(self) -> str:
        """The whole visible answer; empty when a tool is called."""
        return "" if self.call else "".join(self.pieces)


def tokens(text: str) -> tuple[str, ...]:
    """``text`` cut into words and punctuation marks, spaces kept at their front.

    >>> from aumos_otel.demo.model import tokens
    >>> tokens("Drill deeper.")
    ('Drill', ' deeper', '.')
    """
    return tuple(_TOKEN.findall(text))


def text_of(content: Any) -> str:
    """The text in a message's content, a str or a list of parts."""
    if isinstance(content, str):
        return content
    return " ".join(str(part.get("text", "")) for part in content or [] if isinstance(part, dict))


def take_turn(
    messages: list[tuple[str, str]], *, model: str, limit: int | None, tool: str | None, as_json: bool
) -> Turn:
    """The answer to ``messages`` (role and text), the same each time.

    Args:
        messages: the conversation so far.
        model: what was asked for; the reasoning ones reason.
        limit: most output tokens, reasoning included.
        tool: a tool to call, until its result is among the messages.
        as_json: whether the answer has to be JSON.
    """
    question = next((text for role, text in reversed(messages) if role == "user"), "")
    given = sum(len(tokens(text)) + _PER_MESSAGE for _, text in messages)
    told = sum(len(tokens(text)) for role, text in messages if role in {"system", "developer"})
    answer = _ANSWERS[hashlib.sha256(question.encode()).digest()[0] % len(_ANSWERS)]
    call = None
    if tool is not None and all(role != "tool" for role, _ in messages):
        call = (tool, json.dumps({"query": question[:40]}))
        answer = "".join(call)
    elif as_json:
        answer = json.dumps({"answer": answer})
    reasoning = _REASONING if model.startswith(("gpt-5", "o")) else 0
    pieces = tokens(answer)
    room = len(pieces) if limit is None or call else max(0, limit - reasoning)
    return Turn(
        pieces=pieces[:room],
        call=call,
        truncated=room < len(pieces),
        input_tokens=given,
        cached_tokens=told // _CACHE_STEP * _CACHE_STEP,
        reasoning_tokens=reasoning,
    )
