"""Message content under a policy: nothing, its fingerprints, without secrets, or all; always as safe JSON.

Messages hold whatever the user and the client put there: other classes' objects, cycles, lone
surrogates, images of many megabytes.  What comes out is compact JSON that every backend can
store: no NUL, no lone surrogate, no NaN, bounded in size.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import date, time
from decimal import Decimal
from pathlib import PurePath
from typing import TYPE_CHECKING, cast
from uuid import UUID

from aumos_otel.delivery.cleaning import text as clean_text
from aumos_otel.redaction.content import NONE, POLICIES, dumps, hashed, sha256
from aumos_otel.semconv import attributes as attr

from .shapes.fields import get, items, text
from .shapes.messages import Message, to_messages

if TYPE_CHECKING:
    from aumos_otel.redaction import Plain

#: Longest text that is kept whole, in characters.
TEXT_LIMIT = 256 * 1024

#: Characters that one attribute may hold in all; a collector refuses a request of 4 MiB.
TOTAL_LIMIT = 1024 * 1024

_DEPTH_LIMIT = 32
_NODE_COST = 8  # characters that a value costs beside its text, so that many small ones are bounded too

#: Values whose str is their content.
_SPELLED = (date, time, Decimal, PurePath, UUID)


def render(messages: object, policy: str) -> str | None:
    """The JSON for an attribute such as ``gen_ai.input.messages``; None if there is nothing to say.

    Args:
        messages: a list of messages, of parts or of tool definitions.
        policy: ``none``, ``hash`` (roles, types, ids and tool names stay, everything else
            becomes ``sha256:<hex>,<characters>``), ``redacted`` (secrets and personal data are
            masked inside the parts) or ``full``.

    Raises:
        ValueError: any other policy.

    >>> from aumos_otel.llm.content import render
    >>> render([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}], "full")
    '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
    """
    shown = plain(messages, policy)
    return None if shown is None else dumps(shown)


def render_small(messages: list[Message] | None, policy: str) -> str | None:
    """The same as `render`, faster: for messages of dicts, lists, texts and numbers alone, all below `TEXT_LIMIT`."""
    if policy == attr.AUMOS_LLM_CONTENT_POLICY_FULL and messages and not any(map(_has_call, messages)):
        written = _written(messages)
        if written is not None:
            return written
    return render(messages, policy)


def render_value(value: object, policy: str) -> str | None:
    """Any value that is content but no message: a text as it is, JSON of anything else.

    It goes into a list of its own, of which ``hash`` leaves one fingerprint and no name.
    """
    shaped = plain_value(value, policy)
    return shaped if shaped is None or isinstance(shaped, str) else dumps(shaped)


def render_small_value(value: object, policy: str) -> str | None:
    """The same as `render_value`, under the conditions of `render_small`."""
    if policy == attr.AUMOS_LLM_CONTENT_POLICY_FULL and type(value) is dict:
        written = _written(value)
        if written is not None:
            return written
    return render_value(value, policy)


def _written(value: object) -> str | None:
    """JSON that is clean as it stands; None where it is not."""
    try:
        written = dumps(value)
    except ValueError:  # a number that JSON does not have
        return None
    return written if "\\u0000" not in written and clean_text(written) is written else None


def _has_call(message: Message) -> bool:
    """Whether there is a tool call, whose arguments have been read from JSON and may be anything."""
    return any(get(part, "type") == "tool_call" for part in items(message.get("parts")))


def input_from(value: object) -> list[Message] | None:
    """Input messages from whatever was given as the prompt: a str, messages of any client, any object."""
    return _messages(value, "user")


def output_from(value: object) -> list[Message] | None:
    """Output messages from whatever was given as the answer."""
    return _messages(value, "assistant")


def _messages(value: object, role: str) -> list[Message] | None:
    if value is None or (isinstance(value, str | list | tuple) and not value):
        return None
    return to_messages(value, role) or [{"role": role, "parts": [{"type": "unknown", "value": value}]}]


def plain(messages: object, policy: str) -> list[object] | None:
    """The same as `render`, as plain dicts and lists; for an event, whose attributes have structure."""
    if policy not in POLICIES:
        raise ValueError(f"content policy: got {policy!r}, expected none, hash, redacted or full; pass one of them")
    if policy == NONE or messages is None:
        return None
    entries = messages if isinstance(messages, list | tuple) else [messages]
    if policy == attr.AUMOS_LLM_CONTENT_POLICY_HASH:
        entries = [hashed(entry) for entry in _Plain(None).sequence(entries)]
    elif policy == attr.AUMOS_LLM_CONTENT_POLICY_REDACTED:
        # Before anything is cut, or half a secret would stay at the cut and be told from a word no more.
        # The patterns are loaded by those who ask for them alone.
        from aumos_otel.redaction.policy import masking  # noqa: PLC0415 - see above

        redacted = masking().value(attr.GEN_AI_INPUT_MESSAGES, cast("Plain", _Plain(None).sequence(entries)))
        entries = redacted if isinstance(redacted, list) else [redacted]
    return _Plain(TEXT_LIMIT).sequence(entries) or None


def plain_value(value: object, policy: str) -> object:
    """The same as `render_value`, as plain values."""
    shaped = plain([[value]], policy) if value is not None else None
    if not shaped:
        return None
    return shaped[0][0] if isinstance(shaped[0], list) else shaped[0]


class _Plain:
    """Turns anything into JSON values, within a budget of characters.

    Args:
        text_limit: characters of one text; None keeps every text whole and free, to be digested.
    """

    def __init__(self, text_limit: int | None) -> None:
        self._text_limit = text_limit
        self._left = TOTAL_LIMIT
        self._path: list[int] = []

    def sequence(self, values: object) -> list[object]:
        """A list of plain values; what the budget does not cover is counted at its end."""
        taken: list[object] = []
        entries = list(values) if isinstance(values, list | tuple | set | frozenset) else []
        for entry in entries:
            if self._left <= 0:
                taken.append(f"… ({len(entries) - len(taken)} more left out)")
                break
            taken.append(self.value(entry))
        return taken

    def value(self, value: object) -> object:  # noqa: PLR0911 - one return a kind of value
        """One plain value."""
        self._left -= _NODE_COST
        if value is None or type(value) is bool:
            return value
        words = text(value)
        if words is not None:
            return self._text(words)
        kind = type(value)
        if issubclass(kind, int | float):
            return _number(value)
        if issubclass(kind, bytes | bytearray):
            return self._text(base64.b64encode(value).decode("ascii"))  # type: ignore[arg-type]  # checked by type()
        if isinstance(value, _SPELLED):
            return self._text(str(value))
        if id(value) in self._path or len(self._path) >= _DEPTH_LIMIT:
            return f"<{kind.__name__} {'within itself' if id(value) in self._path else 'nested too deeply'}>"
        self._path.append(id(value))
        try:
            return self._container(value)
        except Exception as error:  # noqa: BLE001 - the user's container may raise anything while it is read
            return f"<{kind.__name__} that raised {type(error).__name__}>"
        finally:
            self._path.pop()

    def _container(self, value: object) -> object:
        if isinstance(value, Mapping):
            return self._mapping(value)
        if isinstance(value, list | tuple | set | frozenset):
            return self.sequence(value)
        dump = get(value, "model_dump")
        if callable(dump) and not isinstance(value, type):
            return self.value(dump())
        if is_dataclass(value) and not isinstance(value, type):
            return self._mapping({field.name: get(value, field.name) for field in fields(value)})
        return f"<{type(value).__name__}>"  # its repr may be long, slow or secret

    def _mapping(self, mapping: Mapping[object, object]) -> dict[str, object]:
        taken: dict[str, object] = {}
        entries = list(mapping.items())
        for key, value in entries:
            if self._left <= 0:
                taken["…"] = f"{len(entries) - len(taken)} more left out"
                break
            words = text(key)
            name = self.value(key) if words is None else words
            taken[self._text(name if isinstance(name, str) else dumps(name))] = self.value(value)
        return taken

    def _text(self, words: str) -> str:
        if self._text_limit is None:
            return clean_text(words)
        room = max(0, min(self._text_limit, self._left))
        self._left -= min(len(words), room)
        if len(words) <= room:
            return clean_text(words)
        return f"{clean_text(words[:room])}… (len {len(words)}, sha256 {sha256(words)})"


def _number(value: object) -> object:
    """A number that JSON and every backend can hold, or its spelling."""
    if isinstance(value, int):
        whole = int(value)
        return whole if -(2**63) <= whole < 2**63 else f"<int of {whole.bit_length()} bits>"
    broken = float(value) if isinstance(value, float) else math.nan
    return broken if math.isfinite(broken) else str(broken)
