"""What LLM operations cost beside the bare SDK doing the same: ``python tests/bench/table.py --only llm streams``.

Streams are told in nanoseconds a chunk above plain iteration.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any

from calls import RESPONSE, Bare, bare, by_hand, configure, flush, measured
from opentelemetry import metrics, trace
from rounds import Contestant, Figure, Job, above, compared, interleave, ratio

import aumos_otel as aumos
from aumos_otel import llm

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


def as_json(text_or_messages: object) -> str:
    """What every instrumentation does with messages."""
    return json.dumps(text_or_messages, ensure_ascii=False)


def whole_by_hand(tracer: trace.Tracer, meter: metrics.Meter) -> Job:
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


def operations(rounds: int) -> list[Figure]:
    """Calls that are sampled."""
    return _operations(rounds, sampled=True)


def operations_unsampled(rounds: int) -> list[Figure]:
    """Calls that are not, beside those of the SDK that are not."""
    return _operations(rounds, sampled=False)


def _operations(rounds: int, *, sampled: bool) -> list[Figure]:
    sdk = Bare(sampled=sampled)
    configure(sampled=sampled, llm=aumos.LLMOptions(content="full"))
    jobs = {
        "whole": whole,
        "no-op": no_op,
        "responding": responding,
        "asked": lambda: asked(PROMPT, "gpt-5-mini"),
        "tool": lambda: tool("Bern"),
    }
    bares = {
        "bare": bare(sdk.tracer),
        "whole, by hand": whole_by_hand(sdk.tracer, sdk.meter),
        "response, by hand": by_hand(sdk.tracer, sdk.meter),
    }
    contestants = {name: (job, flush) for name, job in jobs.items()}
    contestants |= {name: (job, sdk.flush) for name, job in bares.items()}
    costs = measured(contestants, rounds, CALLS)

    def line(what: str, name: str, to: str, goal: float | None = None) -> Figure:
        note = f"with delivery {ratio(costs[name], costs[to], 'process'):.2f}"
        return compared(what if sampled else f"{what}, unsampled", costs[name], costs[to], goal, note=note)

    return [
        line("LLM call: 20 attributes, 5 KB, metrics", "whole", "whole, by hand", 0.2 if sampled else None),
        line("@llm.chat around a response", "responding", "response, by hand"),
        line("the same, arguments read", "asked", "response, by hand"),
        line("@llm.chat around nothing, to a bare span", "no-op", "bare"),
        line("@llm.tool, to a bare span", "tool", "bare"),
    ]


def words() -> Iterator[str]:
    """A stream of words."""
    for _ in range(CHUNKS):
        yield "word"


async def words_later() -> AsyncIterator[str]:
    """The same, async."""
    for _ in range(CHUNKS):
        yield "word"


def read(stream: Any) -> None:
    """Read a stream to its end."""
    for _ in stream:
        pass


def read_later(stream: Any) -> None:
    """The same, async."""

    async def main() -> None:
        async for _ in stream:
            pass

    asyncio.run(main())


def leaking(make: Any, kind: str) -> bool:
    """Whether somebody who reads a stream finds its span to be his own."""

    async def main() -> bool:
        if kind == "async":
            async for _ in make():
                return trace.get_current_span() is not trace.INVALID_SPAN
        return next((trace.get_current_span() is not trace.INVALID_SPAN for _ in make()), True)

    return asyncio.run(main())


def streams(rounds: int) -> list[Figure]:
    """Nanoseconds that following a stream adds to each chunk."""
    configure()
    kinds = {"sync": (read, words, 150.0), "async": (read_later, words_later, 700.0)}
    figures = []
    for kind, (reader, plain, goal) in kinds.items():
        streams = {"plain": plain, "@aumos.span": aumos.span("s")(plain), "@llm.chat": llm.chat(plain)}
        contestants = {
            name: Contestant(lambda make=make, reader=reader: reader(make()), units=CHUNKS, flush=flush)
            for name, make in streams.items()
        }
        costs = interleave(lambda _, contestants=contestants: contestants, max(2, rounds // 3))
        for name in ("@aumos.span", "@llm.chat"):
            added = [cost.thread * 1e9 for cost in above(costs[name], costs["plain"])]
            figures.append(
                Figure(
                    what=f"stream, {kind}, added a chunk: {name}",
                    value=statistics.median(added),
                    least=min(added),
                    goal=goal,
                    unit="ns",
                    bare=f"{min(cost.thread for cost in costs['plain']) * 1e9:.0f} ns",
                    ours=f"{statistics.median(cost.thread for cost in costs[name]) * 1e9:.0f} ns",
                    kept=not leaking(streams[name], kind),
                    note="the span is not the caller's between chunks",
                )
            )
    return figures
