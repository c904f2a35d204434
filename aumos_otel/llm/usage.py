"""Reads what a language-model client was asked and what it returned, by shape.

`read` takes one response, `StreamReading` the chunks of a stream; both know OpenAI (chat,
completions, responses, embeddings) and its imitators, Anthropic, Google, litellm, Bedrock and
LangChain, as objects and as plain dicts.  No client library is imported.  Nothing here raises,
and nothing is made up: a count that the provider did not state is None, never 0.
"""

from __future__ import annotations

import functools
from dataclasses import replace
from typing import Protocol

from .shapes import anthropic, bedrock, google, langchain, openai, responses
from .shapes.fields import first, get, is_mapping, items, label, parsed
from .shapes.reading import Reading, Usage
from .shapes.request import read_request
from .shapes.tokens import read_tokens

__all__ = ["Reading", "StreamReading", "Usage", "read", "read_request"]

_READERS = (
    openai.read,
    responses.read,
    anthropic.read,
    google.read,
    langchain.read,
    bedrock.read,
    openai.read_embeddings,
    google.read_embeddings,
)

#: Values that are never a response; most functions return one of these.
_PLAIN = (str, bytes, int, float, bool, type(None))

#: Largest undecoded body that is worth decoding a second time.
_BODY_LIMIT = 4 * 2**20


def read(response: object, *, content: bool = True) -> Reading | None:
    """What ``response`` says about the call; None if it is nothing we know.

    A tuple such as ``(parsed, completion)`` is read if exactly one element is a response;
    an OpenAI or Anthropic raw response is read from its body, if the client has it already.

    Args:
        response: anything that the user's function returned.
        content: whether to bring the output messages along.

    >>> from aumos_otel.llm.usage import read
    >>> answer = {"model": "gpt-5-mini", "usage": {"prompt_tokens": 12, "completion_tokens": 3}}
    >>> read(answer).usage.input_tokens
    12
    """
    if type(response) in _PLAIN:
        return None
    if issubclass(type(response), tuple):
        found = [reading for element in _elements(response) if (reading := _read_one(element, content=content))]
        counted = [reading for reading in found if reading.usage is not None]
        sure = counted or found
        return sure[0] if len(sure) == 1 else None
    return _read_one(response, content=content)


def _elements(response: object) -> list[object]:
    return items(response)[:8]  # a longer tuple is data, not (parsed, completion)


def _read_one(response: object, *, content: bool) -> Reading | None:
    if type(response) in _PLAIN:
        return None
    found = _read_shape(response, content=content)
    if found is None:
        wrapped = first(response, "_raw_response", "raw")  # instructor, llama-index
        found = _read_shape(wrapped, content=content)
    return found or _read_shape(_body(response), content=content) or _read_plain(response)


def _read_shape(response: object, *, content: bool) -> Reading | None:
    if type(response) in _PLAIN:
        return None
    readings = (reader(response, content=content) for reader in _READERS)
    return next((reading for reading in readings if reading is not None), None)


def _body(response: object) -> object:
    """The decoded JSON body of a raw response that was received whole; None otherwise.

    ``parse()`` of a raw response would do, but it reads a body that the user may be streaming.
    """
    wrapped = get(response, "http_response")
    http_response = response if wrapped is None else wrapped
    if get(http_response, "is_closed") is not True:
        return None
    body = get(http_response, "content")
    if type(body) is not bytes or len(body) > _BODY_LIMIT:
        return None
    decoded = parsed(body.decode("utf-8", "replace"))
    return decoded if is_mapping(decoded) else None


def _read_plain(response: object) -> Reading | None:
    """Something with a ``usage`` in a known vocabulary and no other mark."""
    usage = read_tokens(get(response, "usage"))
    if usage is None:
        return None
    reason = label(first(response, "finish_reason", "stop_reason"))
    return Reading(
        response_id=label(get(response, "id")),
        model=label(get(response, "model")),
        finish_reasons=() if reason is None else (reason,),
        usage=usage,
    )


class _Stream(Protocol):
    def feed(self, chunk: object) -> bool: ...

    def begins_another(self, chunk: object) -> bool: ...

    def result(self) -> Reading | None: ...


class StreamReading:
    """Collects what the chunks of one stream say.

    The first chunk of a known shape decides which shape the stream has; chunks of no known
    shape, such as the str that a user's generator yields, are ignored.  A generator that
    passes on the streams of several calls, as an agent does, has the sum of their usages.

    >>> from aumos_otel.llm.usage import StreamReading
    >>> stream = StreamReading()
    >>> stream.feed({"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]})
    >>> stream.feed({"id": "c1", "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 1},
    ...              "object": "chat.completion.chunk"})
    >>> stream.result().usage.input_tokens
    9
    """

    def __init__(self, *, content: bool = True) -> None:
        self._content = content
        self._candidates = self._streams()
        self._stream: _Stream | None = None
        self._ended: list[Reading] = []

    def _streams(self) -> tuple[_Stream, ...]:
        return (
            openai.Stream(content=self._content),
            responses.Stream(content=self._content),
            anthropic.Stream(content=self._content),
            google.stream(content=self._content),
            langchain.stream(content=self._content),
            bedrock.Stream(content=self._content),
        )

    def feed(self, chunk: object) -> None:
        """Take in one chunk."""
        if type(chunk) in _PLAIN:
            return
        if self._stream is not None and self._stream.begins_another(chunk):
            ended = self._stream.result()
            self._ended += [] if ended is None else [ended]
            self._stream, self._candidates = None, self._streams()
        if self._stream is not None:
            self._stream.feed(chunk)
        else:
            self._stream = next((candidate for candidate in self._candidates if candidate.feed(chunk)), None)

    def result(self) -> Reading | None:
        """What the chunks so far say; None if none was of a known shape."""
        newest = None if self._stream is None else self._stream.result()
        readings = [*self._ended, *([] if newest is None else [newest])]
        if len(readings) <= 1:
            return readings[0] if readings else None
        usages = [reading.usage for reading in readings]
        known = [usage for usage in usages if usage is not None]
        messages = [message for reading in readings for message in reading.output or []]
        return replace(
            readings[-1],
            usage=functools.reduce(Usage.plus, known) if len(known) == len(usages) else None,
            output=messages if self._content else None,
        )
