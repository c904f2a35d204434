"""What was asked: the request's parameters and messages, read from keyword arguments.

The arguments are those of a client's method, or of a user's function that takes parameters
of the same names; whatever has another type than such a parameter is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aumos_otel.semconv import attributes as attr

from .fields import count, first, get, items, label, number, text
from .messages import Message, Part, to_messages, to_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

AttributeValue = str | bool | int | float | tuple[str, ...]

#: Request attributes by the names that clients give the parameter; OpenAI and Anthropic take it
#: as an argument, Google within ``config``, Bedrock within ``inferenceConfig``.
_NUMBERS = {
    attr.GEN_AI_REQUEST_TEMPERATURE: ("temperature",),
    attr.GEN_AI_REQUEST_TOP_P: ("top_p", "topP"),
    attr.GEN_AI_REQUEST_FREQUENCY_PENALTY: ("frequency_penalty", "frequencyPenalty"),
    attr.GEN_AI_REQUEST_PRESENCE_PENALTY: ("presence_penalty", "presencePenalty"),
}
_COUNTS = {
    attr.GEN_AI_REQUEST_MAX_TOKENS: (
        "max_completion_tokens",
        "max_output_tokens",
        "max_tokens",
        "maxOutputTokens",
        "maxTokens",
    ),
    attr.GEN_AI_REQUEST_TOP_K: ("top_k", "topK"),
    attr.GEN_AI_EMBEDDINGS_DIMENSION_COUNT: ("dimensions", "output_dimensionality", "outputDimensionality"),
}
_STOPS = ("stop", "stop_sequences", "stopSequences")

#: Words that mean "whatever is the default" and are therefore not worth an attribute.
_DEFAULT_TIERS = ("auto", "standard_only")
_STOPS_LIMIT = 16


def _sources(kwargs: Mapping[str, object]) -> list[object]:
    nested = (get(kwargs, "config"), get(kwargs, "inferenceConfig"), get(kwargs, "generation_config"))
    return [kwargs, *(source for source in nested if source is not None)]


def read_request(kwargs: Mapping[str, object]) -> dict[str, AttributeValue]:
    """The ``gen_ai.request.*`` (and related) attributes for the arguments of a call.

    >>> from aumos_otel.llm.usage import read_request
    >>> read_request({"model": "gpt-5-mini", "temperature": 0.2})
    {'gen_ai.request.model': 'gpt-5-mini', 'gen_ai.request.temperature': 0.2}
    """
    found: dict[str, AttributeValue | None] = {}
    for source in _sources(kwargs):
        for name, value in _parameters(source).items():
            found.setdefault(name, value)
    return {name: value for name, value in found.items() if value is not None}


def _parameters(source: object) -> dict[str, AttributeValue | None]:
    read: dict[str, AttributeValue | None] = {
        attr.GEN_AI_REQUEST_MODEL: label(get(source, "model")) or label(first(source, "modelId")),
    }
    for name, keys in _NUMBERS.items():
        read[name] = next((value for key in keys if (value := number(get(source, key))) is not None), None)
    for name, keys in _COUNTS.items():
        read[name] = next((value for key in keys if (value := count(get(source, key))) is not None), None)
    read[attr.GEN_AI_REQUEST_SEED] = _seed(get(source, "seed"))
    choices = count(first(source, "n", "candidate_count", "candidateCount"))
    read[attr.GEN_AI_REQUEST_CHOICE_COUNT] = choices if choices not in (0, 1) else None
    stream = get(source, "stream")
    read[attr.GEN_AI_REQUEST_STREAM] = stream if type(stream) is bool else None
    read[attr.GEN_AI_REQUEST_STOP_SEQUENCES] = _labels(first(source, *_STOPS))
    read[attr.GEN_AI_REQUEST_ENCODING_FORMATS] = _labels(get(source, "encoding_format"))
    tier = label(get(source, "service_tier"))
    read[attr.OPENAI_REQUEST_SERVICE_TIER] = tier if tier not in _DEFAULT_TIERS else None
    read[attr.GEN_AI_OUTPUT_TYPE] = _output_type(source)
    return {name: value for name, value in read.items() if value is not None}


def _seed(value: object) -> int | None:
    """A seed is any 64-bit whole number, negative ones included."""
    if type(value) is not int or not -(2**63) <= value < 2**63:
        return None
    return value


def _labels(value: object) -> tuple[str, ...] | None:
    single = label(value)
    several = tuple(found for entry in items(value)[:_STOPS_LIMIT] if (found := label(entry)))
    return (single,) if single else several or None


def _output_type(source: object) -> str | None:
    """What was asked for: OpenAI's and Anthropic's formats, Google's MIME type, OpenAI's modalities."""
    mime_type = label(first(source, "response_mime_type", "responseMimeType"))
    if mime_type is not None:
        return attr.GEN_AI_OUTPUT_TYPE_JSON if mime_type.endswith("json") else attr.GEN_AI_OUTPUT_TYPE_TEXT
    if any(text(entry) == "audio" for entry in items(get(source, "modalities"))):
        return attr.GEN_AI_OUTPUT_TYPE_SPEECH
    form = first(source, "response_format", "output_format", "text_format", "response_schema")
    for name in ("text", "output_config"):
        form = get(source, name, "format") if form is None else form
    kind = text(get(form, "type"))
    if issubclass(type(form), type) and get(form, "model_json_schema") is not None:
        kind = "json_schema"  # a pydantic class, which the client turns into one
    if kind in ("json_object", "json_schema"):
        return attr.GEN_AI_OUTPUT_TYPE_JSON
    return attr.GEN_AI_OUTPUT_TYPE_TEXT if kind == "text" else None


def request_messages(
    kwargs: Mapping[str, object],
) -> tuple[list[Message] | None, list[Part] | None, list[dict[str, object]] | None]:
    """The input messages, the system instructions and the tool definitions of a call's arguments.

    Each is in the format of the semantic conventions, unrendered (see `aumos_otel.llm.content`),
    or None if the arguments have none.
    """
    config = get(kwargs, "config")
    asked = first(kwargs, "messages", "input", "contents", "prompt")
    told = first(kwargs, "system", "instructions", "system_instruction")
    if told is None:
        told = first(config, "system_instruction", "systemInstruction")
    tools = get(kwargs, "tools")
    tools = get(config, "tools") if tools is None else tools
    messages = to_messages(asked) if asked is not None else []
    instructions = to_parts(first(told, "parts") if items(get(told, "parts")) else told) if told is not None else []
    definitions = [definition for tool in items(tools) for definition in _definitions(tool)]
    return messages or None, instructions or None, definitions or None


def _definitions(tool: object) -> list[dict[str, object]]:
    declared = items(first(tool, "function_declarations", "functionDeclarations"))
    if declared:
        return [definition for entry in declared for definition in _definitions(entry)]
    called = label(get(tool, "__name__")) if callable(tool) else None
    if called is not None:  # google-genai and others take Python functions
        return [{"type": attr.GEN_AI_TOOL_TYPE_FUNCTION, "name": called, "description": text(get(tool, "__doc__"))}]
    function = get(tool, "function")
    source = tool if function is None else function
    kind, name = label(get(tool, "type")) or attr.GEN_AI_TOOL_TYPE_FUNCTION, label(get(source, "name"))
    if name is None:
        return [] if get(tool, "type") is None else [{"type": kind, "name": kind}]
    parameters = first(source, "parameters", "input_schema", "parameters_json_schema", "inputSchema")
    definition = {"type": kind, "name": name, "description": get(source, "description"), "parameters": parameters}
    return [{key: value for key, value in definition.items() if value is not None}]
