"""Decorated functions keep their types, whatever their kind.  Checked by `make typecheck`, never executed.

An unused `type: ignore` is an error under --strict: each one below is a mistake that the types catch.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from typing import assert_type

import aumos_otel as aumos
from aumos_otel import llm


@llm.chat
def bare(question: str, *, model: str = "m") -> int:
    """A plain function."""
    return len(question)


@llm.chat(provider="openai", model="gpt-5-mini")
async def with_arguments(question: str) -> str:
    """An async function."""
    return question


@llm.text_completion
def generator(prompt: str) -> Generator[str, int, bool]:
    """A generator function."""
    yield prompt
    return True


@llm.chat()
async def async_generator(prompt: str) -> AsyncGenerator[str, None]:
    """An async generator function."""
    yield prompt


@llm.retrieval("kb")
def search(query: str) -> list[str]:
    """A decorator with a name."""
    return [query]


@llm.tool
def tool(city: str) -> dict[str, int]:
    """A tool."""
    return {city: 1}


@llm.agent("planner")
@llm.workflow
@aumos.span("load", rows=3)
@aumos.span
def stacked(*numbers: float) -> float:
    """Several decorators, bare and not."""
    return sum(numbers)


class Bot:
    """Methods of every kind."""

    @llm.chat
    def ask(self, question: str) -> str:
        """A method."""
        return question

    @llm.tool("made")
    @classmethod
    def make(cls, name: str) -> Bot:
        """A class method, decorated from outside."""
        return cls()

    @staticmethod
    @llm.embeddings(model="m")
    def embed(texts: list[str]) -> list[float]:
        """A static method, decorated from inside."""
        return [float(len(text)) for text in texts]


assert_type(bare("?"), int)
assert_type(search("?"), list[str])
assert_type(tool(city="Bern"), dict[str, int])
assert_type(stacked(1.0, 2.0), float)
assert_type(generator("?"), Generator[str, int, bool])
assert_type(async_generator("?"), AsyncGenerator[str, None])
assert_type(Bot().ask("?"), str)
assert_type(Bot.make("b"), Bot)
assert_type(Bot.embed(["a"]), list[float])

bare(3)  # type: ignore[arg-type]  # parameters are checked
bare("?", temperature=1)  # type: ignore[call-arg]  # names too
later: Callable[[str], Awaitable[str]] = with_arguments


async def blocks() -> None:
    """Blocks yield a call, awaited functions their result."""
    assert_type(await with_arguments("?"), str)
    with llm.span("chat", provider="openai", model="m") as call:
        assert_type(call, llm.Call)
        call.set_usage(input_tokens=1)
        call.set_usage(3)  # type: ignore[call-arg]  # keyword-only
    async with llm.span("chat") as same:
        assert_type(same, llm.Call)
    with aumos.span("load") as span:
        span.set_attribute("rows", 3)
    assert_type(llm.current(), llm.Call)
    llm.record_evaluation(name="length", score=1)
