"""Responses as clients return them, as plain dicts."""

from __future__ import annotations

import itertools
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

from aumos_otel.llm.shapes.messages import to_messages
from aumos_otel.llm.shapes.request import request_content, to_definitions, to_instructions
from aumos_otel.testing import captured

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ids = itertools.count(1)


@pytest.fixture
def answer() -> Callable[..., dict[str, Any]]:
    """Makes a chat completion; each has an id of its own unless given one."""

    def make(*, prompt: int = 9, completion: int = 2, **fields: Any) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{next(_ids)}",
            "object": "chat.completion",
            "model": "gpt-5-mini-2025-08-07",
            "choices": [
                {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "Hello"}},
            ],
            "usage": {"prompt_tokens": prompt, "completion_tokens": completion},
            **fields,
        }

    return make


@pytest.fixture
def chunks() -> Callable[..., list[dict[str, Any]]]:
    """Makes the chunks of a streamed chat completion; the last has the usage unless it is left out."""

    def make(*, usage: bool = True) -> list[dict[str, Any]]:
        common = {"id": f"chatcmpl-{next(_ids)}", "object": "chat.completion.chunk", "model": "gpt-5-mini-2025-08-07"}
        said: list[dict[str, Any]] = [
            {**common, "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Hel"}}]},
            {**common, "choices": [{"index": 0, "delta": {"content": "lo"}, "finish_reason": "stop"}]},
        ]
        counted = {**common, "choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}
        return [*said, counted] if usage else said

    return make


@pytest.fixture(scope="session")
def request_messages() -> Callable[[dict[str, Any]], tuple[Any, Any, Any]]:
    """Reads messages, instructions and tool definitions from the arguments of a call; None for what is not there."""

    def read(kwargs: dict[str, Any]) -> tuple[Any, Any, Any]:
        asked, told, tools = request_content(kwargs)
        messages = None if asked is None else to_messages(asked)
        instructions = None if told is None else to_instructions(told)
        return messages or None, instructions or None, to_definitions(tools) or None

    return read


@pytest.fixture
def configured() -> Iterator[Callable[..., Any]]:
    """Configures telemetry into memory with options of the test's choice."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(captured(**options))


@pytest.fixture
def total() -> Callable[[Any, str], float]:
    """Sum of a counter, or number of records of a histogram, over all its points."""

    def read(capture: Any, metric: str) -> float:
        points = capture.metrics.get(metric, [])
        return sum(point.count if hasattr(point, "count") else point.value for point in points)

    return read


@pytest.fixture
def tokens() -> Callable[[Any], tuple[float, float]]:
    """Input and output tokens of all calls, from the metric."""

    def read(capture: Any) -> tuple[float, float]:
        points = capture.metrics.get("gen_ai.client.token.usage", [])
        sums = {"input": 0.0, "output": 0.0}
        for point in points:
            sums[point.attributes["gen_ai.token.type"]] += point.sum
        return sums["input"], sums["output"]

    return read
