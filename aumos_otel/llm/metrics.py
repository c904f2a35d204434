"""The metrics of LLM work, by profile; instruments and attributes are what semconv/registry.yaml declares."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import metrics

from aumos_otel._internal import forking
from aumos_otel._internal.per_provider import PerProvider
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import metrics as names
from aumos_otel.semconv import spans as operations

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from aumos_otel.llm.settings import LLMSettings
    from aumos_otel.llm.usage import Usage
    from aumos_otel.semconv.metrics import Metric

Bag = dict[str, "AttributeValue"]

#: The duration metric of an operation by names of 1.37 and of genai-0.1.
_DURATIONS: Final = {
    operations.EXECUTE_TOOL: (names.GEN_AI_EXECUTE_TOOL_DURATION, names.GEN_AI_EXECUTE_TOOL_DURATION),
    operations.INVOKE_AGENT: (names.GEN_AI_INVOKE_AGENT_DURATION, names.GEN_AI_INVOKE_AGENT_DURATION),
    operations.INVOKE_WORKFLOW: (names.GEN_AI_INVOKE_WORKFLOW_DURATION, names.GEN_AI_INVOKE_AGENT_DURATION),
    operations.EMBEDDINGS: (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_CLIENT_OPERATION_DURATION),
    operations.RETRIEVAL: (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_CLIENT_OPERATION_DURATION),
}
_INFERENCE_DURATIONS: Final = (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_CLIENT_INFERENCE_DURATION)
_FIRST_CHUNK: Final = (
    names.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
    names.GEN_AI_CLIENT_INFERENCE_TIME_TO_FIRST_CHUNK,
)
_PER_CHUNK: Final = (
    names.GEN_AI_CLIENT_OPERATION_TIME_PER_OUTPUT_CHUNK,
    names.GEN_AI_CLIENT_INFERENCE_TIME_PER_OUTPUT_CHUNK,
)

_instruments: PerProvider[dict[str, Any]] = PerProvider(metrics.get_meter_provider, dict)
_counts: PerProvider[Counter[str]] = PerProvider(metrics.get_meter_provider, Counter)
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Totals:
    """LLM calls since the meter provider was installed: all, without usage, without a price."""

    calls: int
    usage_missing: int
    price_missing: int


def totals() -> Totals:
    """What `Telemetry.status` shows of LLM calls."""
    counts = _counts.get()
    with _lock:
        return Totals(counts["calls"], counts["usage_missing"], counts["price_missing"])


def count_call() -> None:
    """One more client call has ended."""
    _count("calls", 1)


def duration(operation: str, seconds: float, bag: Bag, settings: LLMSettings, context: Context) -> None:
    """Duration of an operation."""
    for metric in _by_profile(_DURATIONS.get(operation, _INFERENCE_DURATIONS), settings):
        _record(metric, seconds, bag, context)


def first_chunk(seconds: float, bag: Bag, settings: LLMSettings, context: Context) -> None:
    """Time to the first chunk of a stream."""
    for metric in _by_profile(_FIRST_CHUNK, settings):
        _record(metric, seconds, bag, context)


def chunks(gaps: Iterable[float], bag: Bag, settings: LLMSettings, context: Context) -> None:
    """Times between the chunks of a stream, in seconds."""
    for metric in _by_profile(_PER_CHUNK, settings):
        for gap in gaps:
            _record(metric, gap, bag, context)


def tokens(usage: Usage, bag: Bag, settings: LLMSettings, context: Context) -> None:
    """Token counts of one response."""
    if settings.legacy_names:
        for kind, count in (
            (attr.GEN_AI_TOKEN_TYPE_INPUT, usage.input_tokens),
            (attr.GEN_AI_TOKEN_TYPE_OUTPUT, usage.output_tokens),
        ):
            if count is not None:
                _record(names.GEN_AI_CLIENT_TOKEN_USAGE, count, {**bag, attr.GEN_AI_TOKEN_TYPE: kind}, context)
    if settings.new_names:
        for metric, count in (
            (names.GEN_AI_CLIENT_INFERENCE_USAGE_INPUT_TOKENS, usage.input_tokens),
            (names.GEN_AI_CLIENT_INFERENCE_USAGE_OUTPUT_TOKENS, usage.output_tokens),
            (names.GEN_AI_CLIENT_INFERENCE_USAGE_CACHE_READ_INPUT_TOKENS, usage.cache_read_tokens),
            (names.GEN_AI_CLIENT_INFERENCE_USAGE_CACHE_WRITE_INPUT_TOKENS, usage.cache_write_tokens),
            (names.GEN_AI_CLIENT_INFERENCE_USAGE_REASONING_OUTPUT_TOKENS, usage.reasoning_tokens),
            (names.GEN_AI_CLIENT_INFERENCE_OPERATION_INPUT_TOKENS, usage.input_tokens),
            (names.GEN_AI_CLIENT_INFERENCE_OPERATION_OUTPUT_TOKENS, usage.output_tokens),
        ):
            if count is not None:
                _record(metric, count, bag, context)


def cost(dollars: float, bag: Bag, context: Context) -> None:
    """Cost of one response."""
    _record(names.AUMOS_LLM_COST, dollars, bag, context)


def price_missing(bag: Bag, context: Context) -> None:
    """A response whose model has no price."""
    _count("price_missing", 1)
    _record(names.AUMOS_LLM_PRICE_MISSING, 1, bag, context)


def usage_missing(calls: int, bag: Bag, context: Context) -> None:
    """Calls that ended well and did not say what they used."""
    _count("usage_missing", calls)
    _record(names.AUMOS_LLM_USAGE_MISSING, calls, bag, context)


def evaluation(score: float, bag: Bag) -> None:
    """The score of an evaluation."""
    _record(names.GEN_AI_EVALUATION_SCORE, score, bag, None)


def _by_profile(pair: tuple[Metric, Metric], settings: LLMSettings) -> list[Metric]:
    chosen = [
        metric for metric, wanted in zip(pair, (settings.legacy_names, settings.new_names), strict=True) if wanted
    ]
    return chosen[:1] if pair[0] is pair[1] else chosen


def _record(metric: Metric, value: float, bag: Mapping[str, AttributeValue], context: Context | None) -> None:
    made = _instruments.get()
    write = made.get(metric.name)
    if write is None:
        write = made[metric.name] = _create(metric)
    write(value, {name: bag[name] for name in metric.attributes if name in bag}, context)


def _create(metric: Metric) -> Any:
    meter = metrics.get_meter(operations.SCOPE_AUMOS_OTEL_LLM, version("aumos-otel"))
    if metric.instrument == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.description).add
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    ).record


def _start_over() -> None:
    """In a forked child: the calls so far were the parent's."""
    global _lock  # noqa: PLW0603 - a forked child needs another lock under the same name
    _lock = threading.Lock()
    _counts.get().clear()


forking.in_child(_start_over)


def _count(what: str, by: int) -> None:
    counts = _counts.get()
    with _lock:
        counts[what] += by
