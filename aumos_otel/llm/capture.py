"""Prompts and answers of one call, shaped by the content policy and put where they are wanted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from opentelemetry._logs import SeverityNumber

from aumos_otel.llm import content, events, usage
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import spans as operations
from aumos_otel.semconv.events import GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AnyValue, AttributeValue

    from aumos_otel.llm.settings import LLMSettings

#: Parameters that are no part of what is asked, whatever the function.
_ASIDE: Final = ("self", "cls", "model")
#: Operations whose result is content but no message.
_RESULTS: Final = {
    operations.EXECUTE_TOOL: attr.GEN_AI_TOOL_CALL_RESULT,
    operations.RETRIEVAL: attr.GEN_AI_RETRIEVAL_DOCUMENTS,
}


class Capture:
    """The content of one call.

    It is shaped when it is given, so what the caller changes later is not seen.
    """

    __slots__ = ("_settings", "_shaped", "_verb")

    def __init__(self, verb: str, settings: LLMSettings) -> None:
        self._verb = verb
        self._settings = settings
        self._shaped: dict[str, object] = {}

    @property
    def wanted(self) -> bool:
        """Whether there is any point in collecting content."""
        return self._settings.captures

    def asked(self, arguments: Mapping[str, object]) -> None:
        """What a decorated function was called with."""
        asked = {name: value for name, value in arguments.items() if name not in _ASIDE}
        if self._verb == operations.EXECUTE_TOOL:
            self._value(attr.GEN_AI_TOOL_CALL_ARGUMENTS, asked)
        elif self._verb == operations.RETRIEVAL:
            self._value(attr.GEN_AI_RETRIEVAL_QUERY_TEXT, next(iter(asked.values()), None))
        elif self._verb != operations.EMBEDDINGS:
            messages, instructions, tools = usage.request_messages(asked)
            if messages is None:
                messages = content.input_from(next(iter(asked.values()), None))
            self._messages(attr.GEN_AI_INPUT_MESSAGES, messages)
            self._messages(attr.GEN_AI_SYSTEM_INSTRUCTIONS, instructions)
            self._messages(attr.GEN_AI_TOOL_DEFINITIONS, tools)

    def prompt(self, messages: object) -> None:
        """The prompt, given by hand."""
        self._messages(attr.GEN_AI_INPUT_MESSAGES, content.input_from(messages))

    def answer(self, messages: object) -> None:
        """The answer, given by hand."""
        self._messages(attr.GEN_AI_OUTPUT_MESSAGES, content.output_from(messages))

    def answered(self, value: object) -> None:
        """The function's result, or what its stream said; does not replace an answer given by hand."""
        if self._verb in _RESULTS:
            self._value(_RESULTS[self._verb], value)
        elif self._verb != operations.EMBEDDINGS and attr.GEN_AI_OUTPUT_MESSAGES not in self._shaped:
            self.answer(value)

    def put(self, span: Span, attributes: Mapping[str, AttributeValue], context: Context, *, event: bool) -> None:
        """Put it on the span, into an event beside ``attributes``, or both, as the settings say."""
        if not self._shaped or not span.is_recording():
            return
        span.set_attribute(attr.AUMOS_LLM_CONTENT_POLICY, self._settings.content)
        if self._settings.on_span:
            span.set_attributes({name: _text(value) for name, value in self._shaped.items()})
        if self._settings.on_event and event:
            details: dict[str, AnyValue] = {**attributes, **self._shaped}  # type: ignore[dict-item] # plain JSON values
            events.emit(GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS, details, SeverityNumber.DEBUG, context)

    def _messages(self, name: str, entries: object) -> None:
        shaped = content.plain(entries, self._settings.content) if entries else None
        if shaped:
            self._shaped[name] = shaped

    def _value(self, name: str, value: object) -> None:
        """Any value; in a list of its own, of which ``hash`` leaves one fingerprint and no name."""
        shaped = content.plain([[value]], self._settings.content) if value is not None else None
        if shaped:
            self._shaped[name] = shaped[0][0] if isinstance(shaped[0], list) else shaped[0]


def _text(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
