"""CPU of one decorated call beside a bare SDK span, in one process: `python calls.py MODE` prints JSON.

Rounds alternate between the contestants, so that whatever else the machine does hits all alike;
the figure is the median over the rounds of (contestant / bare) in the same round.
"""

from __future__ import annotations

import gc
import json
import statistics
import sys
import time
from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON

import aumos_otel as aumos
from aumos_otel import llm, workshop
from aumos_otel.delivery.outcome import Outcome

ROUNDS = 40
CALLS = 400

#: What an OpenAI-like client returns, as plain data.
RESPONSE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "model": "gpt-5-mini-2025-08-07",
    "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello."}}],
    "usage": {"prompt_tokens": 142, "completion_tokens": 67, "total_tokens": 209},
}

Contestants = dict[str, Callable[[], object]]


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


def bare(tracer: trace.Tracer) -> Callable[[], object]:
    """A function that opens a span by hand."""

    def call() -> None:
        with tracer.start_as_current_span("work"):
            pass

    return call


def by_hand(tracer: trace.Tracer, meter: metrics.Meter) -> Callable[[], object]:
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


def decorated() -> Contestants:
    """The same function with our decorators."""

    @aumos.span("work")
    def work() -> None:
        pass

    @llm.chat(provider="openai", model="gpt-5-mini")
    def chat() -> None:
        pass

    @llm.chat(provider="openai", model="gpt-5-mini")
    def chat_response() -> object:
        return RESPONSE

    return {"@aumos.span": work, "@llm.chat, no-op": chat, "@llm.chat, a response read": chat_response}


def configure(*, sampled: bool) -> None:
    """Our pipeline: the delivery of the product, up to a transport that does nothing."""
    workshop.build_transport = lambda _target: NullTransport()
    aumos.configure(
        service_name="bench",
        destinations=[aumos.OTLP(signals=["traces"])],
        instrumentations=False,
        handle_signals=False,
        metrics=aumos.MetricsOptions(readers=[InMemoryMetricReader()]),
        sampling=aumos.SamplingOptions(ratio=1.0 if sampled else 0.0),
    )


def ours(mode: str) -> Contestants:
    """Bare and decorated calls: sampled, unsampled, or with telemetry disabled."""
    if mode == "disabled":
        aumos.configure(enabled=False)
        return {"bare": bare(trace.get_tracer("bench")), **decorated()}
    configure(sampled=mode == "sampled")
    tracer, meter = bare_sdk(mode)
    return {"bare": bare(tracer), **decorated(), "bare, the same as with a response": by_hand(tracer, meter)}


def bare_sdk(mode: str) -> tuple[trace.Tracer, metrics.Meter]:
    """The yardstick: the SDK's own tracer, batch processor and the same exporter, and its own meter."""
    provider = TracerProvider(sampler=ALWAYS_ON if mode == "sampled" else ALWAYS_OFF, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Null()))
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    return provider.get_tracer("bench"), meters.get_meter("bench")


def logfire(mode: str) -> Contestants:
    """The same with logfire's decorator."""
    import logfire as peer

    peer.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        metrics=False,
        sampling=peer.SamplingOptions(head=1.0 if mode == "sampled" else 0.0),
        additional_span_processors=[BatchSpanProcessor(Null())],
    )

    @peer.instrument("work", extract_args=False)
    def work() -> None:
        pass

    return {"bare": bare(bare_sdk(mode)[0]), "@logfire.instrument": work}


def compare(contestants: Contestants) -> dict[str, dict[str, float]]:
    """CPU and wall microseconds a call, and the ratio to bare, for each contestant."""
    cpu: dict[str, list[float]] = {name: [] for name in contestants}
    wall: dict[str, list[float]] = {name: [] for name in contestants}
    for call in contestants.values():
        for _ in range(CALLS):
            call()
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for name, call in contestants.items():
            started, cpu_started = time.perf_counter(), time.process_time()
            for _ in range(CALLS):
                call()
            cpu[name].append((time.process_time() - cpu_started) / CALLS * 1e6)
            wall[name].append((time.perf_counter() - started) / CALLS * 1e6)
        gc.collect()
    return {
        name: {
            "cpu_us": statistics.median(cpu[name]),
            "wall_us": statistics.median(wall[name]),
            "cpu_ratio": statistics.median(a / b for a, b in zip(cpu[name], cpu["bare"], strict=True)),
            "wall_ratio": statistics.median(a / b for a, b in zip(wall[name], wall["bare"], strict=True)),
        }
        for name in contestants
    }


if __name__ == "__main__":
    who, mode = sys.argv[1:]
    print(json.dumps(compare({"ours": ours, "logfire": logfire}[who](mode))))
