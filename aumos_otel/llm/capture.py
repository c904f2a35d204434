"""Prompts and answers of one call, shaped by the content policy and put where they are wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry._logs import SeverityNumber

from aumos_otel.llm import content, events
from aumos_otel.llm.manuscript import Manuscript
from aumos_otel.llm.shapes import request
from aumos_otel.llm.shapes.messages import to_messages
from aumos_otel.redaction.content import dumps
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import spans as operations
from aumos_otel.semconv.events import GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AnyValue

    from aumos_otel.llm.manuscript import Read
    from aumos_otel.llm.metrics import Bag
    from aumos_otel.llm.settings import LLMSettings

#: Parameters that are no part of what is asked, whatever the function.
_ASIDE: Final = frozenset({"self", "cls", "model"})
#: Operations whose result is content but no message.
_RESULTS: Final = {
    operations.EXECUTE_TOOL: attr.GEN_AI_TOOL_CALL_RESULT,
    operations.RETRIEVAL: attr.GEN_AI_RETRIEVAL_DOCUMENTS,
}


class Capture:
    """The content of one call.

    It is copied when it is given, so what the caller changes later is not seen; on a span of ours it is shaped
    where the span is read.  An event has its structure, and gets it at once.
    """

    __slots__ = ("_settings", "_shaped", "_verb")

    def __init__(self, verb: str, settings: LLMSettings) -> None:
        self._verb = verb
        self._settings = settings
        self._shaped: dict[str, object] = {}

    def asked(self, arguments: Mapping[str, object]) -> None:
        """What a decorated function was called with."""
        asked = {name: value for name, value in arguments.items() if name not in _ASIDE}
        if self._verb == operations.EXECUTE_TOOL:
            self._value(attr.GEN_AI_TOOL_CALL_ARGUMENTS, asked)
        elif self._verb == operations.RETRIEVAL:
            self._value(attr.GEN_AI_RETRIEVAL_QUERY_TEXT, next(iter(asked.values()), None))
        elif self._verb != operations.EMBEDDINGS:
            messages, told, tools = request.request_content(asked)
            self._ask(attr.GEN_AI_INPUT_MESSAGES, messages, to_messages, "role")
            if attr.GEN_AI_INPUT_MESSAGES not in self._shaped:
                self.prompt(next(iter(asked.values()), None))
            self._ask(attr.GEN_AI_SYSTEM_INSTRUCTIONS, told, request.to_instructions, None)
            self._ask(attr.GEN_AI_TOOL_DEFINITIONS, tools, request.to_definitions, "name")

    def prompt(self, messages: object) -> None:
        """The prompt, given by hand."""
        self._give(attr.GEN_AI_INPUT_MESSAGES, messages, content.input_from)

    def answer(self, messages: object) -> None:
        """The answer, given by hand."""
        self._give(attr.GEN_AI_OUTPUT_MESSAGES, messages, content.output_from)

    def answered(self, value: object) -> None:
        """The function's result, or what its stream said; does not replace an answer given by hand."""
        if self._verb in _RESULTS:
            self._value(_RESULTS[self._verb], value)
        elif self._verb != operations.EMBEDDINGS and attr.GEN_AI_OUTPUT_MESSAGES not in self._shaped:
            self.answer(value)

    def put(self, span: Span, told: Bag) -> None:
        """Put it on the span, if that is where it is wanted; what else is said of it goes to ``told``."""
        if not self._shaped:
            return
        told[attr.AUMOS_LLM_CONTENT_POLICY] = self._settings.content
        if self._settings.on_span:
            defer = getattr(span, "defer", None)  # only ours can wait
            for name, shaped in self._shaped.items():
                if defer is not None and type(shaped) is Manuscript:
                    defer(name, shaped)
                else:
                    span.set_attribute(name, _text(shaped))

    def emit(self, known: Bag, learned: Bag, context: Context) -> None:
        """Put it into an event beside what is known of the call, if that is where it is wanted."""
        if self._shaped and self._settings.on_event:
            details: dict[str, AnyValue] = {**known, **learned, **self._shaped}  # type: ignore[dict-item] # plain JSON values
            events.emit(GEN_AI_CLIENT_INFERENCE_OPERATION_DETAILS, details, SeverityNumber.DEBUG, context)

    def _ask(self, name: str, given: object, read: Read, mark: str | None) -> None:
        """What an argument holds, which may be nothing: it can wait where each entry is a dict with the ``mark``."""
        if given is None:
            return
        if (type(given) is str and given) or (mark is not None and _all_have(given, mark)):
            self._give(name, given, read)
        else:
            self._messages(name, read(given))

    def _give(self, name: str, given: object, read: Read) -> None:
        """Messages in any form."""
        later = self._later(given, read)
        if later is not None:
            self._shaped[name] = later
        else:
            self._messages(name, read(given))

    def _messages(self, name: str, entries: object) -> None:
        shaped = content.plain(entries, self._settings.content) if entries else None
        if shaped:
            self._shaped[name] = shaped

    def _value(self, name: str, value: object) -> None:
        """Any value that is content but no message."""
        shaped = self._later(value, None) or content.plain_value(value, self._settings.content)
        if shaped is not None:
            self._shaped[name] = shaped

    def _later(self, given: object, read: Read | None) -> Manuscript | None:
        return None if self._settings.on_event else Manuscript.of(given, read, self._settings.content)


def _all_have(given: object, mark: str) -> bool:
    return type(given) is list and all(type(entry) is dict and type(_mark_of(entry, mark)) is str for entry in given)


def _mark_of(entry: dict[str, object], mark: str) -> object:
    function = entry.get("function")  # OpenAI's definition of a tool has its name in there
    return entry.get(mark) or (function.get(mark) if type(function) is dict else None)


def _text(value: object) -> str:
    if isinstance(value, Manuscript):
        return value.text()
    return value if isinstance(value, str) else dumps(value)
