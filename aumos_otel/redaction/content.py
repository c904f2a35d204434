"""The content policy of LLM messages: nothing, fingerprints, without secrets and personal data, or all.

What was captured under one policy is cut down to a stricter one for a destination that wants less.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, cast

from aumos_otel.semconv import attributes as attr

from .plain import DROP, Drop, Plain

if TYPE_CHECKING:
    from .policy import Redactor

#: The policy that shows nothing; the others have names in the registry.
NONE: Final = "none"

#: From the strictest to the most open.
POLICIES: Final = (
    NONE,
    attr.AUMOS_LLM_CONTENT_POLICY_HASH,
    attr.AUMOS_LLM_CONTENT_POLICY_REDACTED,
    attr.AUMOS_LLM_CONTENT_POLICY_FULL,
)

#: The attributes that hold content.
CONTENT: Final = frozenset(
    {
        attr.GEN_AI_INPUT_MESSAGES,
        attr.GEN_AI_OUTPUT_MESSAGES,
        attr.GEN_AI_SYSTEM_INSTRUCTIONS,
        attr.GEN_AI_TOOL_DEFINITIONS,
        attr.GEN_AI_TOOL_CALL_ARGUMENTS,
        attr.GEN_AI_TOOL_CALL_RESULT,
        attr.GEN_AI_RETRIEVAL_QUERY_TEXT,
        attr.GEN_AI_RETRIEVAL_DOCUMENTS,
    }
)

#: Of these one fingerprint is left; the others are lists of messages, parts or definitions.
_WHOLE: Final = frozenset(
    {
        attr.GEN_AI_TOOL_CALL_ARGUMENTS,
        attr.GEN_AI_TOOL_CALL_RESULT,
        attr.GEN_AI_RETRIEVAL_QUERY_TEXT,
        attr.GEN_AI_RETRIEVAL_DOCUMENTS,
    }
)

_LABEL_LIMIT = 128

#: The keys that "hash" keeps: they say what a message or part is, not what is in it.
_MESSAGE_KEYS = ("role", "finish_reason")
_PART_KEYS = ("type", "id", "name", "modality", "mime_type")


def cut(key: str, value: Plain, captured: str, wanted: str, redactor: Redactor) -> Plain | Drop:
    """An attribute with content as a destination wants it.

    Args:
        key: name of the attribute; one that holds no content stays as it is.
        value: JSON text on a span, structure on an event.
        captured: the policy under which it was captured.
        wanted: the destination's policy.
        redactor: what ``redacted`` means there: it masks secrets and personal data.

    Returns:
        The value no more open than ``wanted``; DROP if that is nothing.

    Raises:
        ValueError: a policy of another name; never shown by mistake.
        RedactionFailed: as `Redactor.value`.
    """
    if key not in CONTENT:
        return value
    had, want = _rank(captured), _rank(wanted)
    if NONE in (captured, wanted):
        return DROP
    if want >= had:
        return value
    if wanted == attr.AUMOS_LLM_CONTENT_POLICY_REDACTED:
        return redactor.value(key, value)
    return digest(value) if key in _WHOLE else _all_hashed(value)


def _all_hashed(value: Plain) -> Plain:
    """Messages, parts or definitions, as JSON text or as structure, each with its contents digested."""
    if not isinstance(value, str):
        return cast("Plain", [hashed(entry) for entry in (value if isinstance(value, list) else [value])])
    entries = _entries(value)
    return digest(value) if entries is None else dumps([hashed(entry) for entry in entries])


def hashed(entry: object) -> object:
    """One message, part or tool definition with everything but its structure digested."""
    if not isinstance(entry, dict):
        return digest(entry)
    kept = _MESSAGE_KEYS if "role" in entry else _PART_KEYS
    shown: dict[str, object] = {}
    for key, value in entry.items():
        if key == "parts" and isinstance(value, list):
            shown[key] = [hashed(part) for part in value]
        elif value is None or (key in kept and isinstance(value, str) and len(value) <= _LABEL_LIMIT):
            shown[key] = value
        else:
            shown[key] = digest(value)
    return shown


def digest(value: object) -> str:
    """``sha256:<hex>,<characters>`` of a text, or of the JSON of anything else."""
    words = value if isinstance(value, str) else dumps(value)
    return f"sha256:{sha256(words)},{len(words)}"


def sha256(words: str) -> str:
    """The digest of a text in hexadecimal."""
    return hashlib.sha256(words.encode("utf-8", "surrogatepass")).hexdigest()


def dumps(value: object) -> str:
    """Compact JSON."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def _rank(policy: str) -> int:
    if policy not in POLICIES:
        raise ValueError(f"content policy: got {policy!r}, expected {', '.join(POLICIES)}; pass one of them")
    return POLICIES.index(policy)


def _entries(text: str) -> list[object] | None:
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, list) else [parsed]
