"""The SLIs that are built in, as data: what is an event of each, what of it is good, and which threshold it needs."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import events
from aumos_otel.slo import condition, language, operand
from aumos_otel.slo.problem import Problem
from aumos_otel.slo.sli import Sli

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from decimal import Decimal

    from aumos_otel.slo.problem import Path

Data = dict[str, Any]

_RPC_SYSTEM: Final = (attr.RPC_SYSTEM_NAME, attr.RPC_SYSTEM)
#: What a server is to blame for, by the semantic conventions for gRPC; names and numbers of the codes.
_GRPC_FAULTS: Final = {
    "UNKNOWN": 2,
    "DEADLINE_EXCEEDED": 4,
    "UNIMPLEMENTED": 12,
    "INTERNAL": 13,
    "UNAVAILABLE": 14,
    "DATA_LOSS": 15,
}
#: How the providers say that they did not answer, or not wholly, because of what it would have been about.
_GOOGLE_REFUSALS: Final = ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY")
_REFUSALS: Final = (
    *("content_filter", "refusal", "content_filtered", "guardrail_intervened"),
    *_GOOGLE_REFUSALS,
    *map(str.lower, _GOOGLE_REFUSALS),
)
_INFERENCE: Final = (
    attr.GEN_AI_OPERATION_NAME_CHAT,
    attr.GEN_AI_OPERATION_NAME_GENERATE_CONTENT,
    attr.GEN_AI_OPERATION_NAME_TEXT_COMPLETION,
)


@dataclass(frozen=True, slots=True)
class Need:
    """The threshold of a built-in SLI.

    Attributes:
        word: ``below``: at most it is good; ``above``: at least it.
        unit: ``duration``, ``USD``, ``tokens`` or ``score``.
    """

    word: Literal["below", "above"]
    unit: str


@dataclass(frozen=True, slots=True)
class BuiltIn:
    """An SLI that is built in.

    Attributes:
        description: in words, for people.
        match: what is an event, as data.
        good: what of it is good, by the threshold, as data.
    """

    description: str
    match: Data
    good: Callable[[Any], Data]
    need: Need | None = None


def _both(*conditions: Data) -> Data:
    return {"all": list(conditions)}


def _missing(*keys: str) -> Data:
    return {key: {"exists": False} for key in keys}


def _without_threshold(good: Data) -> Callable[[Any], Data]:
    return lambda _threshold: good


def _number(key: str, word: str) -> Callable[[Any], Data]:
    return lambda threshold: {key: {word: threshold}}


def _fast(threshold: Decimal) -> Data:
    return {"duration": {"lte": f"{threshold:f}s"}}


_DURATION: Final = Need("below", "duration")
_NO_ERROR: Final = {"not": {"status": "error"}}

_HTTP: Final = {
    "kind": "server",
    "any": [{attr.HTTP_REQUEST_METHOD: {"exists": True}}, {attr.HTTP_METHOD: {"exists": True}}],
}
_HTTP_WELL: Final = {
    "not": {
        "any": [
            {attr.HTTP_RESPONSE_STATUS_CODE: {"gte": 500}},
            {attr.HTTP_STATUS_CODE: {"gte": 500}},
            {"status": "error", **_missing(attr.HTTP_RESPONSE_STATUS_CODE, attr.HTTP_STATUS_CODE)},
        ]
    }
}
_GRPC: Final = {"kind": "server", "any": [{key: "grpc"} for key in _RPC_SYSTEM]}
_GRPC_WELL: Final = {
    "not": {
        "any": [
            {attr.RPC_RESPONSE_STATUS_CODE: {"in": list(_GRPC_FAULTS)}},
            {attr.RPC_GRPC_STATUS_CODE: {"in": list(_GRPC_FAULTS.values())}},
            {"status": "error", **_missing(attr.RPC_RESPONSE_STATUS_CODE, attr.RPC_GRPC_STATUS_CODE)},
        ]
    }
}
_LLM: Final = {attr.GEN_AI_OPERATION_NAME: {"in": [*_INFERENCE, attr.GEN_AI_OPERATION_NAME_EMBEDDINGS]}}
_GENERATION: Final = {attr.GEN_AI_OPERATION_NAME: {"in": list(_INFERENCE)}}
_TOKENS: Final = (attr.GEN_AI_USAGE_INPUT_TOKENS, attr.GEN_AI_USAGE_OUTPUT_TOKENS)

BUILT_IN: Final[Mapping[str, BuiltIn]] = {
    "http.availability": BuiltIn(
        "HTTP requests that the server answered without a fault of its own: 5xx is one, 4xx is none, "
        "and an error without a status code is one.",
        _HTTP,
        _without_threshold(_HTTP_WELL),
    ),
    "http.latency": BuiltIn(
        "HTTP requests answered in time; those that failed by http.availability are no events.",
        _both(_HTTP, _HTTP_WELL),
        _fast,
        _DURATION,
    ),
    "grpc.availability": BuiltIn(
        "gRPC calls that the server answered without a fault of its own: UNKNOWN, DEADLINE_EXCEEDED, UNIMPLEMENTED, "
        "INTERNAL, UNAVAILABLE, DATA_LOSS, and an error without a code.",
        _GRPC,
        _without_threshold(_GRPC_WELL),
    ),
    "grpc.latency": BuiltIn(
        "gRPC calls answered in time; those that failed by grpc.availability are no events.",
        _both(_GRPC, _GRPC_WELL),
        _fast,
        _DURATION,
    ),
    "llm.availability": BuiltIn("LLM calls, embeddings too, without an error.", _LLM, _without_threshold(_NO_ERROR)),
    "llm.latency": BuiltIn(
        "LLM calls, embeddings too, that ended in time; those with an error are no events.",
        {**_LLM, **_NO_ERROR},
        _fast,
        _DURATION,
    ),
    "llm.time_to_first_chunk": BuiltIn(
        "Streamed answers whose first chunk came in time.",
        {**_GENERATION, attr.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: {"exists": True}},
        lambda threshold: {attr.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: {"lte": float(threshold)}},
        _DURATION,
    ),
    "llm.time_per_output_chunk": BuiltIn(
        "Streamed answers whose chunks after the first came, on average, in time.",
        {**_GENERATION, attr.AUMOS_LLM_TIME_PER_OUTPUT_CHUNK: {"exists": True}},
        lambda threshold: {attr.AUMOS_LLM_TIME_PER_OUTPUT_CHUNK: {"lte": float(threshold)}},
        _DURATION,
    ),
    "llm.tool_success": BuiltIn(
        "Tools that an agent called and that gave no error.",
        {attr.GEN_AI_OPERATION_NAME: attr.GEN_AI_OPERATION_NAME_EXECUTE_TOOL},
        _without_threshold(_NO_ERROR),
    ),
    "llm.evaluation_score": BuiltIn(
        "Evaluations with a score that is high enough; name one by where: {gen_ai.evaluation.name: …}.",
        {
            "kind": "event",
            "name": events.GEN_AI_EVALUATION_RESULT,
            attr.GEN_AI_EVALUATION_SCORE_VALUE: {"exists": True},
        },
        _number(attr.GEN_AI_EVALUATION_SCORE_VALUE, "gte"),
        Need("above", "score"),
    ),
    "llm.refusal": BuiltIn(
        "Answers that neither the model refused nor a content filter stopped.",
        {**_GENERATION, attr.GEN_AI_RESPONSE_FINISH_REASONS: {"exists": True}},
        _without_threshold({"not": {attr.GEN_AI_RESPONSE_FINISH_REASONS: {"in": list(_REFUSALS)}}}),
    ),
    "llm.cost": BuiltIn(
        "LLM calls with a known price that cost no more than this.",
        {**_LLM, attr.GEN_AI_USAGE_COST: {"exists": True}},
        _number(attr.GEN_AI_USAGE_COST, "lte"),
        Need("below", "USD"),
    ),
    "llm.tokens": BuiltIn(
        "LLM calls with known usage that took no more tokens than this, input and output together.",
        {**_LLM, "any": [{key: {"exists": True}} for key in _TOKENS]},
        lambda threshold: {"sum": {"of": list(_TOKENS), "lte": threshold}},
        Need("below", "tokens"),
    ),
}
NAMES: Final = frozenset(BUILT_IN)
#: From this likeness on, a name is taken for a slip.
_ALIKE: Final = 0.75


def build(
    name: object,
    *,
    sli_name: str,
    path: Path,
    problems: list[Problem],
    where: object = None,
    below: object = None,
    above: object = None,
) -> Sli | None:
    """A built-in SLI, narrowed and with its threshold; None if it cannot be built.

    Args:
        name: one of `NAMES`.
        sli_name: under which it is counted.
        path: of the mapping that has ``sli``, ``where``, ``below`` and ``above``.
        problems: takes all that is wrong.
        where: a condition that its events meet as well, as data.
        below: what is good at most: a duration, US dollars or tokens.
        above: what is good at least: a score.

    >>> from aumos_otel.slo import library
    >>> problems = []
    >>> fast = library.build("http.latency", sli_name="fast", path=(), problems=problems, below="300ms")
    >>> fast.to_data()["good"]
    {'duration': {'lte': '0.3s'}}
    """
    known = len(problems)
    chosen = BUILT_IN.get(name) if isinstance(name, str) else None
    if chosen is None:
        near = difflib.get_close_matches(str(name), BUILT_IN, 1, _ALIKE)
        expected = f"{near[0]!r}" if near else "one of " + ", ".join(BUILT_IN)
        problems.append(Problem((*path, "sli"), name, f"the name of an SLI: {expected}"))
        return None
    threshold = _threshold(chosen.need, {"below": below, "above": above}, path, problems)
    narrowed = None if where is None else language.parse(where, (*path, "where"), problems)
    if len(problems) > known:
        return None
    match, good = (language.parse(data, path, problems) for data in (chosen.match, chosen.good(threshold)))
    return Sli(sli_name, match if narrowed is None else condition.All((match, narrowed)), good, chosen.description)


def _threshold(need: Need | None, given: Mapping[str, object], path: Path, problems: list[Problem]) -> Any:
    threshold = None
    for word, value in given.items():
        if need is None or word != need.word:
            if value is not None:
                problems.append(Problem((*path, word), value, "nothing: this SLI has no such threshold"))
        elif value is None:
            problems.append(Problem(path, None, f"{word}: {_UNITS[need.unit][1]}"))
        else:
            read, expected = _UNITS[need.unit]
            try:
                threshold = read(value)
            except ValueError:
                problems.append(Problem((*path, word), value, expected))
    return threshold


def _positive(value: object) -> int | float:
    number = operand.number(value)
    if not number > 0:
        raise ValueError("a number above 0")
    return number


def _whole(value: object) -> int:
    number = _positive(value)
    if not isinstance(number, int):
        raise ValueError("a whole number above 0")  # noqa: TRY004 - as for every other threshold
    return number


_UNITS: Final[Mapping[str, tuple[Callable[[object], Any], str]]] = {
    "duration": (operand.seconds, "a duration such as 300ms or 1.28s, of whole nanoseconds and at most 30d"),
    "USD": (_positive, "US dollars a call, more than 0, e.g. 0.05"),
    "tokens": (_whole, "a whole number of tokens a call, e.g. 4000"),
    "score": (operand.number, "a score, e.g. 0.8"),
}
