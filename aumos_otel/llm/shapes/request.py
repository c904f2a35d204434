"""What was asked: the request's parameters and messages, read from keyword arguments.

The arguments are those of a client's method, or of a user's function that takes parameters
of the same names; whatever has another type than such a parameter is left out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from aumos_otel.semconv import attributes as attr

from .fields import count, first, get, items, label, number, text
from .messages import Part, to_parts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    _Parameter = tuple[str, str, Callable[[object], "AttributeValue | None"]]

AttributeValue = str | bool | int | float | tuple[str, ...]

#: Words that mean "whatever is the default" and are therefore not worth an attribute.
_DEFAULT_TIERS = ("auto", "standard_only")
_STOPS_LIMIT = 16

#: Arguments that hold parameters: Google's and Bedrock's.
_NESTS = ("config", "inferenceConfig", "generation_config")


def _choices(value: object) -> int | None:
    """More than one choice; one is the default."""
    found = count(value)
    return found if found not in (0, 1) else None


def _flag(value: object) -> bool | None:
    return value if type(value) is bool else None


def _seed(value: object) -> int | None:
    """A seed is any 64-bit whole number, negative ones included."""
    return value if type(value) is int and -(2**63) <= value < 2**63 else None


def _labels(value: object) -> tuple[str, ...] | None:
    single = label(value)
    several = tuple(found for entry in items(value)[:_STOPS_LIMIT] if (found := label(entry)))
    return (single,) if single else several or None


def _tier(value: object) -> str | None:
    found = label(value)
    return found if found not in _DEFAULT_TIERS else None


def _mime_type(value: object) -> str | None:
    found = label(value)
    if found is None:
        return None
    return attr.GEN_AI_OUTPUT_TYPE_JSON if found.endswith("json") else attr.GEN_AI_OUTPUT_TYPE_TEXT


def _modalities(value: object) -> str | None:
    return attr.GEN_AI_OUTPUT_TYPE_SPEECH if "audio" in map(text, items(value)) else None


def _format(value: object) -> str | None:
    """A format of OpenAI's or Anthropic's, or a pydantic class, which the client turns into one."""
    kind = text(get(value, "type"))
    is_model = issubclass(type(value), type) and get(value, "model_json_schema") is not None
    if is_model or kind in ("json_object", "json_schema"):
        return attr.GEN_AI_OUTPUT_TYPE_JSON
    return attr.GEN_AI_OUTPUT_TYPE_TEXT if kind == "text" else None


def _nested_format(value: object) -> str | None:
    return _format(get(value, "format"))


#: What clients call a parameter, its attribute, and how it is read; of two names for one the first wins.
_PARAMETERS: tuple[_Parameter, ...] = (
    ("model", attr.GEN_AI_REQUEST_MODEL, label),
    ("modelId", attr.GEN_AI_REQUEST_MODEL, label),
    ("temperature", attr.GEN_AI_REQUEST_TEMPERATURE, number),
    ("top_p", attr.GEN_AI_REQUEST_TOP_P, number),
    ("topP", attr.GEN_AI_REQUEST_TOP_P, number),
    ("top_k", attr.GEN_AI_REQUEST_TOP_K, count),
    ("topK", attr.GEN_AI_REQUEST_TOP_K, count),
    ("max_completion_tokens", attr.GEN_AI_REQUEST_MAX_TOKENS, count),
    ("max_output_tokens", attr.GEN_AI_REQUEST_MAX_TOKENS, count),
    ("max_tokens", attr.GEN_AI_REQUEST_MAX_TOKENS, count),
    ("maxOutputTokens", attr.GEN_AI_REQUEST_MAX_TOKENS, count),
    ("maxTokens", attr.GEN_AI_REQUEST_MAX_TOKENS, count),
    ("frequency_penalty", attr.GEN_AI_REQUEST_FREQUENCY_PENALTY, number),
    ("frequencyPenalty", attr.GEN_AI_REQUEST_FREQUENCY_PENALTY, number),
    ("presence_penalty", attr.GEN_AI_REQUEST_PRESENCE_PENALTY, number),
    ("presencePenalty", attr.GEN_AI_REQUEST_PRESENCE_PENALTY, number),
    ("seed", attr.GEN_AI_REQUEST_SEED, _seed),
    ("n", attr.GEN_AI_REQUEST_CHOICE_COUNT, _choices),
    ("candidate_count", attr.GEN_AI_REQUEST_CHOICE_COUNT, _choices),
    ("candidateCount", attr.GEN_AI_REQUEST_CHOICE_COUNT, _choices),
    ("stop", attr.GEN_AI_REQUEST_STOP_SEQUENCES, _labels),
    ("stop_sequences", attr.GEN_AI_REQUEST_STOP_SEQUENCES, _labels),
    ("stopSequences", attr.GEN_AI_REQUEST_STOP_SEQUENCES, _labels),
    ("stream", attr.GEN_AI_REQUEST_STREAM, _flag),
    ("service_tier", attr.OPENAI_REQUEST_SERVICE_TIER, _tier),
    ("encoding_format", attr.GEN_AI_REQUEST_ENCODING_FORMATS, _labels),
    ("dimensions", attr.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, count),
    ("output_dimensionality", attr.GEN_AI_EMBEDDINGS_DIMENSION_COUNT, count),
    ("response_mime_type", attr.GEN_AI_OUTPUT_TYPE, _mime_type),
    ("responseMimeType", attr.GEN_AI_OUTPUT_TYPE, _mime_type),
    ("modalities", attr.GEN_AI_OUTPUT_TYPE, _modalities),
    ("response_format", attr.GEN_AI_OUTPUT_TYPE, _format),
    ("output_format", attr.GEN_AI_OUTPUT_TYPE, _format),
    ("text_format", attr.GEN_AI_OUTPUT_TYPE, _format),
    ("text", attr.GEN_AI_OUTPUT_TYPE, _nested_format),
    ("output_config", attr.GEN_AI_OUTPUT_TYPE, _nested_format),
)

_RANKS = {key: rank for rank, (key, _, _) in enumerate(_PARAMETERS)}


def read_request(kwargs: Mapping[str, object]) -> dict[str, AttributeValue]:
    """The ``gen_ai.request.*`` (and related) attributes for the arguments of a call.

    >>> from aumos_otel.llm.usage import read_request
    >>> read_request({"model": "gpt-5-mini", "temperature": 0.2})
    {'gen_ai.request.model': 'gpt-5-mini', 'gen_ai.request.temperature': 0.2}
    """
    found: dict[str, AttributeValue] = {}
    for source in (kwargs, *(kwargs[name] for name in _NESTS if kwargs.get(name) is not None)):
        for key, name, read in _parameters_of(source):
            value = get(source, key) if name not in found else None
            shown = read(value) if value is not None else None
            if shown is not None:
                found[name] = shown
    return found


def _parameters_of(source: object) -> Sequence[_Parameter]:
    """The parameters that ``source`` may have, in their order."""
    if type(source) is not dict:
        return _PARAMETERS
    ranks = [_RANKS[key] for key in source if key in _RANKS]
    return [_PARAMETERS[rank] for rank in (sorted(ranks) if len(ranks) > 1 else ranks)]


def request_content(kwargs: Mapping[str, object]) -> tuple[object, object, object]:
    """What holds the messages, the system instructions and the tools among a call's arguments; None where nothing does."""
    config = get(kwargs, "config")
    asked = first(kwargs, "messages", "input", "contents", "prompt")
    told = first(kwargs, "system", "instructions", "system_instruction")
    if told is None and config is not None:
        told = first(config, "system_instruction", "systemInstruction")
    tools = get(kwargs, "tools")
    return asked, told, get(config, "tools") if tools is None else tools


def to_instructions(told: object) -> list[Part]:
    """The system instructions in the format of the semantic conventions, unrendered (see `aumos_otel.llm.content`)."""
    return to_parts(first(told, "parts") if items(get(told, "parts")) else told)


def to_definitions(tools: object) -> list[dict[str, object]]:
    """The tool definitions, likewise."""
    return [definition for tool in items(tools) for definition in _definitions(tool)]


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
