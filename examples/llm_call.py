"""LLM calls of every kind, with a stand-in for the model so that it runs offline.

    pip install aumos-otel
    python llm_call.py

Each call becomes a line on the console: model, tokens, cost, time to the first chunk.  Put the
call of your own client (openai, anthropic, litellm, google-genai, ...) where `model` is called.
"""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING, Any

import aumos_otel as aumos
from aumos_otel import llm

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

WORDS = ("Traces ", "join ", "what ", "happened.")
ids = itertools.count(1)


def model(question: str) -> dict[str, Any]:
    """Answers like OpenAI's API; stands for ``client.chat.completions.create(...)``."""
    return {
        "id": f"chatcmpl-{next(ids)}",
        "object": "chat.completion",
        "model": "gpt-5-mini-2025-08-07",
        "choices": [
            {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "".join(WORDS)}},
        ],
        "usage": {"prompt_tokens": len(question), "completion_tokens": len(WORDS)},
    }


def model_stream(question: str) -> Iterator[dict[str, Any]]:
    """The same as a stream; stands for ``create(..., stream=True, stream_options={"include_usage": True})``."""
    chunk = {"id": f"chatcmpl-{next(ids)}", "object": "chat.completion.chunk", "model": "gpt-5-mini-2025-08-07"}
    for word in WORDS:
        yield {**chunk, "choices": [{"index": 0, "delta": {"content": word}}]}
    yield {**chunk, "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}
    yield {**chunk, "choices": [], "usage": {"prompt_tokens": len(question), "completion_tokens": len(WORDS)}}


@llm.chat(provider="openai", model="gpt-5-mini")
def answer(question: str) -> dict[str, Any]:
    """The client's response is returned: everything is read from it."""
    return model(question)


@llm.chat(provider="openai", model="gpt-5-mini")
async def words(question: str) -> AsyncIterator[str]:
    """Words are yielded: the chunks they come from are handed over."""
    for chunk in model_stream(question):
        llm.current().record_chunk(chunk)
        await asyncio.sleep(0.01)
        for choice in chunk["choices"]:
            yield choice["delta"].get("content", "")


@llm.chat(provider="openai", model="gpt-5-mini")
def stream(question: str) -> Iterator[dict[str, Any]]:
    """The client's stream is returned: the span lasts until it is used up."""
    return model_stream(question)


@llm.embeddings(provider="openai", model="text-embedding-3-small")
def embed(text: str) -> list[float]:
    """Something else is returned: the response is handed over."""
    llm.current().record({"model": "text-embedding-3-small", "usage": {"prompt_tokens": len(text)}})
    return [float(len(text))]


async def main() -> None:
    """One call of each kind."""
    print(answer("What is a trace?")["choices"][0]["message"]["content"])
    print("".join([word async for word in words("What is a span?")]))
    print(sum(1 for _ in stream("What is a metric?")), "chunks")
    print(embed("a trace"), "is its embedding")

    with llm.span("chat", provider="anthropic", model="claude-opus-4-7") as call:  # no function to decorate
        call.set_usage(input_tokens=12, output_tokens=40, cache_read_tokens=8)
        llm.record_evaluation(name="brevity", score=0.9, label="pass")

    async for _ in words("What if nobody reads on?"):  # abandoned: the span ends and says so
        break


if __name__ == "__main__":
    telemetry = aumos.configure(service_name="llm-call", console=True, destinations=[])
    asyncio.run(main())
    telemetry.shutdown()
