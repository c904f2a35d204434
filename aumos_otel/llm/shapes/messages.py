"""Messages of every client library, brought to the message format of the semantic conventions.

A message is ``{"role": ..., "parts": [...]}``; a part has a ``type``.  What has no part type
of its own becomes ``{"type": <the library's type>, "value": <as it is>}``.  Nothing is copied
deeply and nothing is serialised here; `aumos_otel.llm.content` does that, under a policy.

Source: the JSON schemas beside the ``gen_ai`` conventions (input and output messages).
"""

from __future__ import annotations

from typing import TypeGuard

from .fields import first, get, is_mapping, items, label, parsed, text

Message = dict[str, object]
Part = dict[str, object]

_TEXT = ("text", "input_text", "output_text", "summary_text", "reasoning_text")
_MODALITIES = ("image", "audio", "video")
_TOOL_CALLS = ("function_call", "custom_tool_call")
_TOOL_OUTPUTS = ("function_call_output", "custom_tool_call_output")
#: Items of OpenAI's responses that are a part without a message around it.
_BARE_ROLES = dict.fromkeys(_TOOL_OUTPUTS, "tool") | dict.fromkeys((*_TOOL_CALLS, "reasoning"), "assistant")
#: Other words for a role.
_ROLES = {"model": "assistant", "function": "tool"}
#: What a message of text alone has.
_SIMPLE = {"role", "content"}
_LANGCHAIN_ROLES = {"human": "user", "ai": "assistant", "system": "system", "tool": "tool"}


def to_messages(source: object, default_role: str = "user") -> list[Message]:
    """The messages in a prompt: a str, one message, one part, or a list of any of them.

    An iterator is left alone: reading it would take it away from the client.
    """
    messages: list[Message] = []
    for entry in items(source) or [source]:
        message = to_message(entry, default_role)
        if message is None:
            continue
        bare = text(get(entry, "role")) is None
        if messages and bare and messages[-1]["role"] == message["role"]:
            _extend(messages[-1], message)  # one turn that the library hands out in pieces
        else:
            messages.append(message)
    return messages


def _extend(message: Message, more: Message) -> None:
    message["parts"] = [*items(message["parts"]), *items(more["parts"])]


def to_message(source: object, default_role: str) -> Message | None:
    """One message, from a message object, a bare part or a str; None if there is nothing in it."""
    if type(source) is dict and len(source) == len(_SIMPLE) and source.keys() == _SIMPLE:
        role, content = label(source["role"]), source["content"]
        if role is not None and type(content) is str and content:  # nearly every message
            return {"role": _ROLES.get(role, role), "parts": [{"type": "text", "content": content}]}
    if _is_native(source):
        return dict(source)
    kind = text(get(source, "type")) or ""
    if kind in _BARE_ROLES:
        return {"role": _BARE_ROLES[kind], "parts": to_parts(source)}
    role = label(get(source, "role")) or _LANGCHAIN_ROLES.get(kind)
    if role is None and items(get(source, "parts")):
        role = default_role
    if role is None:
        parts = to_parts(source)
        return {"role": default_role, "parts": parts} if parts else None
    role = _ROLES.get(role, role)
    message: Message = {"role": role, "parts": _message_parts(source, role)}
    name = label(get(source, "name"))
    if name is not None and role != "tool":
        message["name"] = name
    return message


def _is_native(source: object) -> TypeGuard[Message]:
    """Whether ``source`` is in the conventions' format already: every part has a type."""
    parts = items(get(source, "parts")) if is_mapping(source) and text(get(source, "role")) else []
    return bool(parts) and all(is_mapping(part) and text(get(part, "type")) is not None for part in parts)


def _message_parts(source: object, role: str) -> list[Part]:
    call_id = label(get(source, "tool_call_id"))
    content = first(source, "content", "parts")
    if role == "tool" and call_id is not None:
        return [{"type": "tool_call_response", "id": call_id, "response": content}]
    parts: list[Part] = []
    thought = text(first(source, "reasoning_content", "reasoning"))
    if thought:
        parts.append({"type": "reasoning", "content": thought})
    parts += to_parts(content)
    refusal = text(get(source, "refusal"))
    if refusal:
        parts.append({"type": "refusal", "content": refusal})
    for call in items(get(source, "tool_calls")):
        parts.append(tool_call(call))
    legacy = get(source, "function_call")
    if text(get(legacy, "name")):
        parts.append(tool_call({"function": legacy}))
    return parts


def to_parts(content: object) -> list[Part]:
    """The parts of a message's content: a str, one block or a list of blocks."""
    return [part for block in (items(content) or [content]) if (part := to_part(block)) is not None]


def to_part(block: object) -> Part | None:  # noqa: PLR0911 - one return a vocabulary
    """One part from a str or a block of any library; None for what is no content."""
    plain = text(block)
    if plain is not None:
        return {"type": "text", "content": plain} if plain else None
    kind = label(get(block, "type"))
    if kind is None:
        return _untyped_part(block)
    if kind in _TEXT:
        return {"type": "text", "content": text(get(block, "text")) or ""}
    if kind in ("thinking", "reasoning", "redacted_thinking"):
        return _reasoning(block)
    if kind in ("tool_use", *_TOOL_CALLS):
        return tool_call(block)
    if kind in ("tool_result", *_TOOL_OUTPUTS):
        return {
            "type": "tool_call_response",
            "id": label(first(block, "tool_use_id", "call_id")),
            "response": first(block, "content", "output"),
        }
    if kind == "server_tool_use":
        tool = label(get(block, "name"))
        call = {"type": tool, "input": get(block, "input")}
        return {"type": "server_tool_call", "id": label(get(block, "id")), "name": tool, "server_tool_call": call}
    if kind.endswith("_tool_result"):
        result = {"type": kind.removesuffix("_tool_result"), "content": get(block, "content")}
        return {
            "type": "server_tool_call_response",
            "id": label(get(block, "tool_use_id")),
            "server_tool_call_response": result,
        }
    return _media(block, kind) or {"type": kind, "value": block}


def _reasoning(block: object) -> Part:
    thought = text(first(block, "thinking", "reasoning"))
    if thought is None:
        summary = [text(get(piece, "text")) for piece in items(first(block, "content", "summary"))]
        thought = "\n".join(piece for piece in summary if piece)
    return {"type": "reasoning", "content": thought}


def tool_call(block: object) -> Part:
    """A part for a tool call of OpenAI's chat or responses, Anthropic, Google or Bedrock."""
    function = get(block, "function")
    source = block if function is None else function
    return {
        "type": "tool_call",
        "id": label(first(block, "call_id", "id", "toolUseId")),
        "name": label(get(source, "name")),
        "arguments": parsed(first(source, "arguments", "input", "args")),
    }


def _media(block: object, kind: str) -> Part | None:
    """Images, audio and files of OpenAI and Anthropic."""
    modality = next((name for name in _MODALITIES if name in kind), "document")
    if kind in ("image_url", "input_image"):
        url = text(first(get(block, "image_url"), "url")) or text(get(block, "image_url"))
        return _located(url, modality, None) if url else _file(first(block, "file_id"), modality)
    if kind == "input_audio":
        sound = get(block, "input_audio")
        form = label(get(sound, "format"))
        return _blob(get(sound, "data"), "audio", f"audio/{form}" if form else None)
    if kind in ("file", "input_file"):
        source = first(block, "file") if kind == "file" else block
        url = text(first(source, "file_data", "file_url"))
        return _located(url, modality, None) if url else _file(get(source, "file_id"), modality)
    if kind in ("image", "document"):
        source = get(block, "source")
        mime_type, url = label(get(source, "media_type")), text(get(source, "url"))
        if url:
            return _located(url, modality, mime_type)
        data = get(source, "data")
        return _file(get(source, "file_id"), modality) if data is None else _blob(data, modality, mime_type)
    return None


def _located(url: str, modality: str, mime_type: str | None) -> Part:
    head, comma, data = url.partition(";base64,")
    if comma and head.startswith("data:"):
        return _blob(data, modality, head.removeprefix("data:"))
    return {"type": "uri", "modality": modality, "mime_type": mime_type, "uri": url}


def _blob(data: object, modality: str, mime_type: str | None) -> Part:
    return {"type": "blob", "modality": modality, "mime_type": mime_type, "content": data}


def _file(file_id: object, modality: str) -> Part | None:
    found = label(file_id)
    return None if found is None else {"type": "file", "modality": modality, "file_id": found}


def _untyped_part(block: object) -> Part | None:  # noqa: PLR0911 - one return a vocabulary
    """Parts that are told by the field that is set: Google's and Bedrock's."""
    words = text(get(block, "text"))
    if words is not None:
        return {"type": "reasoning" if get(block, "thought") is True else "text", "content": words}
    call = first(block, "function_call", "functionCall", "toolUse")
    if call is not None:
        return tool_call(call) if label(get(call, "name")) else None
    result = first(block, "function_response", "functionResponse", "toolResult")
    if result is not None:
        return {
            "type": "tool_call_response",
            "id": label(first(result, "id", "toolUseId", "name")),
            "response": first(result, "response", "content"),
        }
    thought = text(get(block, "reasoningContent", "reasoningText", "text"))
    if thought is not None:
        return {"type": "reasoning", "content": thought}
    blob = first(block, "inline_data", "inlineData")
    if blob is not None:
        mime_type = label(first(blob, "mime_type", "mimeType"))
        return _blob(get(blob, "data"), _modality(mime_type), mime_type)
    located = first(block, "file_data", "fileData")
    uri = text(first(located, "file_uri", "fileUri"))
    if uri:
        mime_type = label(first(located, "mime_type", "mimeType"))
        return _located(uri, _modality(mime_type), mime_type)
    nested = first(block, "parts", "content")
    return {"type": "unknown", "value": block} if is_mapping(block) and nested is None else None


def _modality(mime_type: str | None) -> str:
    family = (mime_type or "").partition("/")[0]
    return family if family in _MODALITIES else "document"
