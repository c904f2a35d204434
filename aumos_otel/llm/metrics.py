"""The metrics of LLM work, by profile; instruments and attributes are what semconv/registry.yaml declares."""

from __future__ import annotations

import functools
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
    from collections.abc import Callable, Iterable

    from opentelemetry.context import Context
    from opentelemetry.util.types import AttributeValue

    from aumos_otel.llm.settings import LLMSettings
    from aumos_otel.llm.usage import Usage
    from aumos_otel.semconv.metrics import Metric

    #: Takes an amount, its attributes (which it may know already) and the context.
    Write = Callable[[float, dict[str, "AttributeValue"], Context | None], object]

Bag = dict[str, "AttributeValue"]

#: Sets of attributes whose instruments are kept ready; what comes after is looked up each time.
SERIES_LIMIT: Final = 2_000

#: The duration metric of an operation by names of 1.37 and of genai-0.1.
_DURATIONS: Final = {
    operations.EXECUTE_TOOL: (names.GEN_AI_EXECUTE_TOOL_DURATION, names.GEN_AI_EXECUTE_TOOL_DURATION),
    operations.INVOKE_AGENT: (names.GEN_AI_INVOKE_AGENT_DURATION, names.GEN_AI_INVOKE_AGENT_DURATION),
    operations.INVOKE_WORKFLOW: (names.GEN_AI_INVOKE_WORKFLOW_DURATION, names.GEN_AI_INVOKE_AGENT_DURATION),
    operations.EMBEDDINGS: (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_CLIENT_OPERATION_DURATION),
    operations.RETRIEVAL: (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_CLIENT_OPERATION_DURATION),
}
_INFERENCE_DURATIONS: Final = (names.GEN_AI_CLIENT_OPERATION_DURATION, names.GEN_AI_CLIENT_INFERENCE_DURATION)

# What is measured: each is written to the metrics that the profile has for it.
DURATION, FIRST_CHUNK, PER_CHUNK = "duration", "first_chunk", "per_chunk"
#: What is only counted.
CALLS = "calls"

COST, PRICE_MISSING, USAGE_MISSING = "cost", "price_missing", "usage_missing"
INPUT, OUTPUT, CACHE_READ, CACHE_WRITE, REASONING = "input", "output", "cache_read", "cache_write", "reasoning"

_OLD: Final = {
    FIRST_CHUNK: names.GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK,
    PER_CHUNK: names.GEN_AI_CLIENT_OPERATION_TIME_PER_OUTPUT_CHUNK,
    INPUT: names.GEN_AI_CLIENT_TOKEN_USAGE,
    OUTPUT: names.GEN_AI_CLIENT_TOKEN_USAGE,
}
_NEW: Final = {
    FIRST_CHUNK: (names.GEN_AI_CLIENT_INFERENCE_TIME_TO_FIRST_CHUNK,),
    PER_CHUNK: (names.GEN_AI_CLIENT_INFERENCE_TIME_PER_OUTPUT_CHUNK,),
    INPUT: (
        names.GEN_AI_CLIENT_INFERENCE_USAGE_INPUT_TOKENS,
        names.GEN_AI_CLIENT_INFERENCE_OPERATION_INPUT_TOKENS,
    ),
    OUTPUT: (
        names.GEN_AI_CLIENT_INFERENCE_USAGE_OUTPUT_TOKENS,
        names.GEN_AI_CLIENT_INFERENCE_OPERATION_OUTPUT_TOKENS,
    ),
    CACHE_READ: (names.GEN_AI_CLIENT_INFERENCE_USAGE_CACHE_READ_INPUT_TOKENS,),
    CACHE_WRITE: (names.GEN_AI_CLIENT_INFERENCE_USAGE_CACHE_WRITE_INPUT_TOKENS,),
    REASONING: (names.GEN_AI_CLIENT_INFERENCE_USAGE_REASONING_OUTPUT_TOKENS,),
}
_ALWAYS: Final = {
    COST: names.AUMOS_LLM_COST,
    PRICE_MISSING: names.AUMOS_LLM_PRICE_MISSING,
    USAGE_MISSING: names.AUMOS_LLM_USAGE_MISSING,
}
_TOKEN_TYPES: Final = {INPUT: attr.GEN_AI_TOKEN_TYPE_INPUT, OUTPUT: attr.GEN_AI_TOKEN_TYPE_OUTPUT}

_instruments: PerProvider[dict[str, Any]] = PerProvider(metrics.get_meter_provider, dict)
_counts: PerProvider[Counter[str]] = PerProvider(metrics.get_meter_provider, Counter)
_lock = threading.RLock()  # a signal handler may come by while its thread counts


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
        return Totals(counts[CALLS], counts[USAGE_MISSING], counts[PRICE_MISSING])


class Series(dict[str, "tuple[tuple[Write, Bag], ...]"]):
    """Where calls with the same attributes are counted: for each thing that is measured, what writes it, made on first use."""

    __slots__ = ("_bag", "_kept", "_settings", "_verb")

    def __init__(self, verb: str, bag: Bag, settings: LLMSettings, *, kept: bool) -> None:
        super().__init__()
        self._verb = verb
        self._bag = {name: bag[name] for name in _labels(verb) if name in bag}
        self._settings = settings
        self._kept = kept

    def write(self, what: str, amount: float, context: Context | None) -> None:
        """Write one amount."""
        for write, attributes in self[what]:
            write(amount, attributes, context)

    def write_all(self, what: str, amounts: Iterable[float], context: Context | None) -> None:
        """Write several amounts."""
        for write, attributes in self[what]:
            for amount in amounts:
                write(amount, attributes, context)

    def tokens(self, usage: Usage, context: Context | None) -> None:
        """Write the token counts of one response."""
        if usage.input_tokens is not None:
            self.write(INPUT, usage.input_tokens, context)
        if usage.output_tokens is not None:
            self.write(OUTPUT, usage.output_tokens, context)
        if usage.cache_read_tokens is not None:
            self.write(CACHE_READ, usage.cache_read_tokens, context)
        if usage.cache_write_tokens is not None:
            self.write(CACHE_WRITE, usage.cache_write_tokens, context)
        if usage.reasoning_tokens is not None:
            self.write(REASONING, usage.reasoning_tokens, context)

    def __missing__(self, what: str) -> tuple[tuple[Write, Bag], ...]:
        kind = _TOKEN_TYPES.get(what)
        bag = self._bag if kind is None else {**self._bag, attr.GEN_AI_TOKEN_TYPE: kind}
        made = self[what] = tuple(self._made(metric, bag) for metric in _metrics(what, self._verb, self._settings))
        return made

    def _made(self, metric: Metric, bag: Bag) -> tuple[Write, Bag]:
        instrument = _instrument(metric)
        attributes = {name: bag[name] for name in metric.attributes if name in bag}
        bound = getattr(instrument, "bound", None) if self._kept else None  # our provider's; see metric_recorder
        if bound is not None:
            return bound(attributes), attributes
        return (instrument.add if metric.instrument == "counter" else instrument.record), attributes


class SeriesTable:
    """The series of one meter provider under one set of settings."""

    __slots__ = ("_counts", "_settings", "_table")

    def __init__(self, settings: LLMSettings) -> None:
        self._counts = _counts.get()
        self._settings = settings
        self._table: dict[tuple[object, ...], Series] = {}

    def of(self, verb: str, bag: Bag) -> Series:
        """The series of an operation with these attributes."""
        key = (verb, *map(bag.get, _labels(verb)))
        try:
            found = self._table.get(key)
        except TypeError:  # a list among them
            return Series(verb, bag, self._settings, kept=False)
        if found is None:
            kept = len(self._table) < SERIES_LIMIT
            found = Series(verb, bag, self._settings, kept=kept)
            if kept:
                self._table[key] = found
        return found

    def count(self, what: str, by: int = 1) -> None:
        """So many more calls have ended, have no usage or no price; see `totals`."""
        with _lock:
            self._counts[what] += by


def evaluation(score: float, bag: Bag) -> None:
    """The score of an evaluation."""
    metric = names.GEN_AI_EVALUATION_SCORE
    _instrument(metric).record(score, {name: bag[name] for name in metric.attributes if name in bag})


def _metrics(what: str, verb: str, settings: LLMSettings) -> list[Metric]:
    """The metrics to which something is written."""
    if what in _ALWAYS:
        return [_ALWAYS[what]]
    if what == DURATION:
        old, new = _DURATIONS.get(verb, _INFERENCE_DURATIONS)
        found = [old] * settings.legacy_names + [new] * settings.new_names
        return found[:1] if old is new else found
    old_ones = [_OLD[what]] if settings.legacy_names and what in _OLD else []
    return old_ones + (list(_NEW[what]) if settings.new_names else [])


@functools.lru_cache(maxsize=64)  # a verb may be anything
def _labels(verb: str) -> tuple[str, ...]:
    """The attributes of all metrics of an operation, but for the type of its tokens."""
    durations = _DURATIONS.get(verb, _INFERENCE_DURATIONS)
    counted = (metric for several in _NEW.values() for metric in several)
    listed = (
        name for metric in (*durations, *_OLD.values(), *_ALWAYS.values(), *counted) for name in metric.attributes
    )
    return tuple(dict.fromkeys(name for name in listed if name != attr.GEN_AI_TOKEN_TYPE))


def _instrument(metric: Metric) -> Any:
    made = _instruments.get()
    found = made.get(metric.name)
    if found is None:
        found = made[metric.name] = _create(metric)
    return found


def _create(metric: Metric) -> Any:
    meter = metrics.get_meter(operations.SCOPE_AUMOS_OTEL_LLM, version("aumos-otel"))
    if metric.instrument == "counter":
        return meter.create_counter(metric.name, metric.unit, metric.description)
    return meter.create_histogram(
        metric.name, metric.unit, metric.description, explicit_bucket_boundaries_advisory=metric.buckets
    )


def _start_over() -> None:
    """In a forked child: the calls so far were the parent's."""
    global _lock  # noqa: PLW0603 - a forked child needs another lock under the same name
    _lock = threading.RLock()
    _counts.get().clear()


forking.in_child(_start_over)
