"""CPU of LLM operations beside the bare SDK doing the same, in one process: `python llm.py MODE` prints JSON.

MODE is sampled, unsampled or disabled.  Rounds alternate between the contestants, so that whatever else the
machine does hits all alike; a figure is the median over the rounds of (ours / bare) in the same round.
Streams are told in nanoseconds a chunk above plain iteration.
"""

from __future__ import annotations

import asyncio
import gc
import json
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from calls import RESPONSE, NullTransport, bare, bare_sdk, by_hand
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

import aumos_otel as aumos
from aumos_otel import llm, workshop

ROUNDS = 40
CALLS = 200
CHUNKS = 20_000

PROMPT = [
    {"role": "system", "content": "You answer in short words. " * 40},
    {"role": "user", "content": "What is the weather like in the mountains today? " * 60},
]
ANSWER = "The weather in the mountains is fine. " * 27

#: Twelve of the twenty attributes of the call; the others are its operation, models, provider, content and usage.
ATTRIBUTES = {
    "gen_ai.request.temperature": 0.2,
    "gen_ai.request.top_p": 0.9,
    "gen_ai.request.max_tokens": 1000,
    "gen_ai.request.seed": 7,
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.model": "gpt-5-mini-2025-08-07",
    "gen_ai.conversation.id": "c-1",
    "openai.api.type": "chat_completions",
    "server.address": "api.openai.com",
    "server.port": 443,
    "gen_ai.output.type": "text",
    "app.feature": "weather",
}

Contestants = dict[str, tuple[Callable[[], object], Callable[[], object]]]


def as_json(text_or_messages: object) -> str:
    """What every instrumentation does with messages."""
    return json.dumps(text_or_messages, ensure_ascii=False)


def whole_by_hand(tracer: trace.Tracer, meter: metrics.Meter) -> Callable[[], object]:
    """The call of the issue with the SDK alone: 20 attributes, prompt and answer as JSON, three measurements."""
    duration = meter.create_histogram("gen_ai.client.operation.duration", "s")
    tokens = meter.create_histogram("gen_ai.client.token.usage", "{token}")
    known = {"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-5-mini"}

    def call() -> None:
        started = time.perf_counter()
        with tracer.start_as_current_span("chat gpt-5-mini", kind=trace.SpanKind.CLIENT, attributes=known) as span:
            span.set_attributes(ATTRIBUTES)
            span.set_attribute("gen_ai.input.messages", as_json(PROMPT))
            span.set_attribute("gen_ai.output.messages", as_json([{"role": "assistant", "content": ANSWER}]))
            span.set_attributes(
                {"gen_ai.usage.input_tokens": 1000, "gen_ai.usage.output_tokens": 250, "gen_ai.usage.cost": 0.00075}
            )
        answered = known | {"gen_ai.response.model": ATTRIBUTES["gen_ai.response.model"], "server.port": 443}
        duration.record(time.perf_counter() - started, answered)
        tokens.record(1000, answered | {"gen_ai.token.type": "input"})
        tokens.record(250, answered | {"gen_ai.token.type": "output"})

    return call


def whole() -> None:
    """The same with ours."""
    with llm.span("chat", provider="openai", model="gpt-5-mini") as call:
        call.set_attributes(ATTRIBUTES)
        call.set_input(PROMPT)
        call.set_output(ANSWER)
        call.set_usage(input_tokens=1000, output_tokens=250)


@llm.chat(provider="openai", model="gpt-5-mini")
def no_op() -> None:
    """Nothing."""


@llm.chat(provider="openai", model="gpt-5-mini")
def responding() -> object:
    """A response."""
    return RESPONSE


@llm.chat(provider="openai")
def asked(messages: object, model: str, temperature: float = 0.2) -> object:
    """A function as users write it."""
    return RESPONSE


@llm.tool
def tool(city: str) -> str:
    """A tool."""
    return city


@aumos.span("work")
def work() -> None:
    """Nothing."""


def configure(*, sampled: bool) -> None:
    """Our pipeline: the delivery of the product, up to a transport that does nothing."""
    workshop.build_transport = lambda _target: NullTransport()
    aumos.configure(
        service_name="bench",
        destinations=[aumos.OTLP(signals=["traces"])],
        instrumentations=False,
        handle_signals=False,
        llm=aumos.LLMOptions(content="full"),
        metrics=aumos.MetricsOptions(readers=[InMemoryMetricReader()]),
        sampling=aumos.SamplingOptions(ratio=1.0 if sampled else 0.0),
    )


def contestants(mode: str) -> Contestants:
    """Ours and bare, by name."""
    if mode == "disabled":
        plain = bare(bare_sdk("sampled")[0])
        aumos.configure(enabled=False)
        return {f"disabled: {each.__name__}": (each, plain) for each in (no_op, responding, work)}
    configure(sampled=mode == "sampled")
    tracer, meter = bare_sdk(mode)
    plain, by_response = bare(tracer), by_hand(tracer, meter)
    return {
        "llm.span, the whole call": (whole, whole_by_hand(tracer, meter)),
        "@llm.chat, no-op, to a bare span": (no_op, plain),
        "@llm.chat, a response read": (responding, by_response),
        "@llm.chat, arguments and a response read": (lambda: asked(PROMPT, "gpt-5-mini"), by_response),
        "@llm.tool, to a bare span": (lambda: tool("Bern"), plain),
    }


def compare(pair: tuple[Callable[[], object], Callable[[], object]]) -> dict[str, float]:
    """Microseconds a call on the caller's thread, and the ratio; the ratio of the whole process beside it."""
    for call in pair:
        for _ in range(CALLS):
            call()
    thread: list[list[float]] = [[], []]
    process: list[list[float]] = [[], []]
    gc.collect()
    gc.disable()
    for _ in range(ROUNDS):
        for which, call in enumerate(pair):
            in_thread, in_process = time.thread_time(), time.process_time()
            for _ in range(CALLS):
                call()
            thread[which].append((time.thread_time() - in_thread) / CALLS * 1e6)
            process[which].append((time.process_time() - in_process) / CALLS * 1e6)
        gc.collect()
    gc.enable()
    return {
        "us": statistics.median(thread[0]),
        "bare_us": statistics.median(thread[1]),
        "ratio": statistics.median(a / b for a, b in zip(*thread, strict=True)),
        "ratio_process": statistics.median(a / b for a, b in zip(*process, strict=True)),
    }


def words() -> Iterator[str]:
    """A stream of words."""
    for _ in range(CHUNKS):
        yield "word"


async def words_later() -> AsyncIterator[str]:
    """The same, async."""
    for _ in range(CHUNKS):
        yield "word"


def read(stream: Any) -> float:
    """Seconds to read a stream."""
    started = time.thread_time()
    for _ in stream:
        pass
    return time.thread_time() - started


def read_later(stream: Any) -> float:
    """The same, async."""

    async def main() -> float:
        started = time.thread_time()
        async for _ in stream:
            pass
        return time.thread_time() - started

    return asyncio.run(main())


def streams() -> dict[str, dict[str, float]]:
    """Nanoseconds a chunk above plain iteration, the smallest and the median of the rounds."""
    kinds: dict[str, tuple[Callable[[Any], float], Any, Any]] = {
        "@aumos.span, sync": (read, words, aumos.span("s")(words)),
        "@llm.chat, sync": (read, words, llm.chat(words)),
        "@aumos.span, async": (read_later, words_later, aumos.span("s")(words_later)),
        "@llm.chat, async": (read_later, words_later, llm.chat(words_later)),
    }
    found = {}
    for name, (reader, plain, followed) in kinds.items():
        added = [(reader(followed()) - reader(plain())) / CHUNKS * 1e9 for _ in range(9)]
        found[f"stream {name}"] = {"ns_min": min(added), "ns": statistics.median(added)}
    return found


if __name__ == "__main__":
    chosen = sys.argv[1]
    results = {name: compare(pair) for name, pair in contestants(chosen).items()}
    if chosen == "sampled":
        results |= streams()
    for name, result in results.items():
        print(json.dumps({"what": name, **{key: round(value, 4) for key, value in result.items()}}))
