"""What one call costs whoever makes it, beside a bare SDK span: ``python tests/bench/table.py --only span``.

Each scene is measured in a process of its own, as a process has one pipeline.  Both sides have their delivery on:
the SDK its batch processor with an exporter that does nothing, ours everything up to a transport that does nothing.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from rounds import Contestant, Costs, Figure, Job, compared, interleave, nothing, ratio

import aumos_otel as aumos
from aumos_otel import workshop
from aumos_otel.delivery.outcome import Outcome

CALLS = 400

#: What an OpenAI-like client returns, as plain data.
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-mini-2025-08-07",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
    "usage": {"prompt_tokens": 142, "completion_tokens": 67, "total_tokens": 209},
}

#: Three SLIs of which each span here is an event.
OBJECTIVES = """
version: aumos/v1
service: bench
owner: bench
slos:
  - {name: available, target: 99.9%, sli: {name: available, match: {name: work}, good: {not: {status: error}}}}
  - {name: fast, target: 99%, sli: {name: fast, match: {name: work}, good: {duration: {below: 300ms}}}}
  - name: both
    target: 99%
    sli: {name: both, match: {kind: internal}, good: {not: {status: error}, duration: {below: 1s}}}
"""


class Null(SpanExporter):
    """Takes everything and does nothing."""

    def export(self, spans: object) -> SpanExportResult:
        """Nothing."""
        return SpanExportResult.SUCCESS


class NullTransport:
    """The same for our delivery."""

    def send(self, _body: bytes, _deadline: float) -> Outcome:
        """Take it."""
        return Outcome("accepted")

    def close(self) -> None:
        """Nothing."""


class Counts(SpanProcessor):
    """What somebody writes who counts spans and their time with the SDK's instruments."""

    def __init__(self, meter: metrics.Meter) -> None:
        self._events = meter.create_counter("events")
        self._durations = meter.create_histogram("duration", "s")

    def on_end(self, span: ReadableSpan) -> None:
        """Count it."""
        labels = {"name": span.name, "status": span.status.status_code.name}
        self._events.add(1, labels)
        self._durations.record((span.end_time - span.start_time) / 1e9, labels)


def bare(tracer: trace.Tracer) -> Job:
    """A function that opens a span by hand."""

    def call() -> None:
        with tracer.start_as_current_span("work"):
            pass

    return call


def failing(call: Callable[[], object]) -> Job:
    """The caller of a function that raises."""

    def caught() -> None:
        try:  # noqa: SIM105 - suppress() would cost more than what is measured
            call()
        except ValueError:
            pass

    return caught


def fail() -> NoReturn:
    """Raise."""
    raise ValueError("it broke")


def failing_in_span(tracer: trace.Tracer) -> Job:
    """The same within a span by hand."""

    def call() -> None:
        with tracer.start_as_current_span("work"):
            fail()

    return failing(call)


def by_hand(tracer: trace.Tracer, meter: metrics.Meter) -> Job:
    """What `@llm.chat` does with a response, written out with the SDK alone: nine attributes, three measurements."""
    duration = meter.create_histogram("gen_ai.client.operation.duration", "s")
    tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}")
    labels = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"}

    def call() -> None:
        started = time.perf_counter()
        with tracer.start_as_current_span("chat gpt-5-mini", kind=trace.SpanKind.CLIENT, attributes=labels) as span:
            usage = RESPONSE["usage"]
            span.set_attributes(
                {
                    "gen_ai.response.id": RESPONSE["id"],
                    "gen_ai.response.model": RESPONSE["model"],
                    "gen_ai.response.finish_reasons": ["stop"],
                    "gen_ai.usage.input_tokens": usage["prompt_tokens"],
                    "gen_ai.usage.output_tokens": usage["completion_tokens"],
                    "gen_ai.usage.cost": 0.0001695,
                }
            )
        answered = labels | {"gen_ai.response.model": RESPONSE["model"]}
        duration.record(time.perf_counter() - started, answered)
        tokens.record(usage["prompt_tokens"], answered | {"gen_ai.token.type": "input"})
        tokens.record(usage["completion_tokens"], answered | {"gen_ai.token.type": "output"})

    return call


def configure(*, sampled: bool = True, instrumentations: bool = False, **options: Any) -> aumos.Telemetry:
    """Our pipeline: the delivery of the product, up to a transport that does nothing."""
    workshop.build_transport = lambda _target: NullTransport()
    return aumos.configure(
        service_name="bench",
        destinations=[aumos.OTLP(signals=["traces"])],
        handle_signals=False,
        metrics=aumos.MetricsOptions(readers=[InMemoryMetricReader()]),
        sampling=None if sampled else aumos.SamplingOptions(ratio=0.0),
        instrumentations=instrumentations,
        **options,
    )


def flush() -> None:
    """Let our pipeline finish its spans."""
    trace.get_tracer_provider().force_flush()


class Bare:
    """The yardstick: the SDK's own tracer, batch processor and meter, and an exporter that does nothing."""

    def __init__(self, *, sampled: bool = True, counting: bool = False) -> None:
        self._provider = TracerProvider(sampler=ALWAYS_ON if sampled else ALWAYS_OFF, shutdown_on_exit=False)
        self.meter = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False).get_meter("bench")
        if counting:
            self._provider.add_span_processor(Counts(self.meter))
        self._provider.add_span_processor(BatchSpanProcessor(Null()))
        self.tracer = self._provider.get_tracer("bench")
        self.flush = self._provider.force_flush


@aumos.span("work")
def work() -> None:
    """Nothing."""


@aumos.span("work")
def broken() -> None:
    """Raises."""
    fail()


def measured(jobs: Mapping[str, tuple[Job, Job]], rounds: int, calls: int = CALLS) -> Costs:
    """Costs by contestant, from jobs and flushes."""
    contestants = {name: Contestant(job, calls, flush=flush) for name, (job, flush) in jobs.items()}
    return interleave(lambda _: contestants, rounds)


def line(what: str, costs: Costs, name: str, goal: float | None, note: str = "") -> Figure:
    """The figure of one contestant, with what its delivery makes of the ratio."""
    if name in ("with", "@aumos.span"):
        note = f"{note}; " * bool(note) + f"with delivery {ratio(costs[name], costs['bare'], 'process'):.2f}"
    return compared(what, costs[name], costs["bare"], goal, note=note)


def spans(rounds: int) -> list[Figure]:
    """A decorated call and a block, sampled, with the processors that are the default."""
    sdk = Bare()
    configure()
    own = bare(trace.get_tracer("bench"))
    jobs = {"bare": (bare(sdk.tracer), sdk.flush), "with": (own, flush), "@aumos.span": (work, flush)}
    costs = measured(jobs, rounds)
    return [
        line("a block: with start_as_current_span", costs, "with", 0.2),
        line("a decorated call: @aumos.span", costs, "@aumos.span", 0.2),
    ]


def spans_with_slis(rounds: int) -> list[Figure]:
    """The same with three SLIs counted; the yardstick counts nothing."""
    return _counted(rounds, sampled=True, goal=0.25, what="with 3 SLIs counted")


def unsampled(rounds: int) -> list[Figure]:
    """Spans that are not kept, and are counted all the same; the yardstick is a sampled span."""
    return _counted(rounds, sampled=False, goal=0.2, what="unsampled, 3 SLIs counted")


def _counted(rounds: int, *, sampled: bool, goal: float, what: str) -> list[Figure]:
    sdk, plain, counting = Bare(), Bare(sampled=sampled), Bare(counting=True)
    with tempfile.TemporaryDirectory() as directory:
        file = Path(directory, "slo.yaml")
        file.write_text(OBJECTIVES)
        configure(sampled=sampled, slos=file)
    jobs = {
        "bare": (bare(sdk.tracer), sdk.flush),
        "counting": (bare(counting.tracer), counting.flush),
        "with": (bare(trace.get_tracer("bench")), flush),
        "@aumos.span": (work, flush),
    }
    if not sampled:
        jobs["unsampled"] = (bare(plain.tracer), plain.flush)
    costs = measured(jobs, rounds)
    note = f"the SDK with a counter and a histogram {ratio(costs['counting'], costs['bare']):.2f}"
    if not sampled:
        note += f", unsampled and uncounted {ratio(costs['unsampled'], costs['bare']):.2f}"
    return [
        line(f"a block, {what}", costs, "with", goal, note),
        line(f"a decorated call, {what}", costs, "@aumos.span", goal),
    ]


def raising(rounds: int) -> list[Figure]:
    """A call that raises, at a site that has raised before."""
    sdk = Bare()
    configure()
    jobs = {
        "bare": (failing_in_span(sdk.tracer), sdk.flush),
        "with": (failing_in_span(trace.get_tracer("bench")), flush),
        "@aumos.span": (failing(broken), flush),
    }
    costs = measured(jobs, rounds, CALLS // 4)
    return [
        line("a block that raises", costs, "with", 0.06),
        line("a decorated call that raises", costs, "@aumos.span", 0.06),
    ]


def disabled(rounds: int) -> list[Figure]:
    """Our decorator where telemetry is off; the yardstick is a sampled span of the SDK."""
    from llm import no_op

    sdk = Bare()
    aumos.configure(enabled=False)
    jobs = {
        "bare": (bare(sdk.tracer), sdk.flush),
        "@aumos.span, off": (work, nothing),
        "@llm.chat, off": (no_op, nothing),
        "plain": (work.__wrapped__, nothing),
    }
    costs = measured(jobs, rounds)
    note = f"a call without decorator {ratio(costs['plain'], costs['bare']):.4f}"
    return [
        line("disabled: @aumos.span", costs, "@aumos.span, off", 0.01, note),
        line("disabled: @llm.chat", costs, "@llm.chat, off", 0.01),
    ]
