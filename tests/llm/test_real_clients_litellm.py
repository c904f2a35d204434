"""The real litellm against a loopback server of the OpenAI protocol: span tree, usage, finish reasons."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # else its import asks the Internet for prices

import litellm
import openai
import pytest
from litellm.litellm_core_utils.thread_pool_executor import executor
from servers.seen import adrain, chat_span, drain, measured

from aumos_otel import llm
from aumos_otel.demo.model_server import ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of litellm's own models and their use of pydantic.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Item '.*' on TypedDict class"),
    pytest.mark.filterwarnings("ignore:Accessing the 'model_.*' attribute on the instance"),
]

MODEL = "gpt-5-mini"
ASKED = [
    {"role": "system", "content": "You are the assistant of a hardware shop. Answer in two sentences."},
    {"role": "user", "content": "Which drill bit for a wall plug?"},
]
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}
LITELLM = {"model": f"openai/{MODEL}", "messages": ASKED}
LITELLM_WAYS = {"whole": ({}, None), "stream": (WITH_USAGE, drain)}


@pytest.fixture(autouse=True, scope="module")
def _one_logging_thread() -> None:
    """Litellm logs from a pool of threads that outlives a test; let it have started its only one before."""
    executor._max_workers = 1
    executor.submit(int).result()


@pytest.fixture(scope="module")
def model() -> Iterator[ModelServer]:
    """A server of the OpenAI protocol."""
    with ModelServer() as server:
        yield server


@pytest.fixture
def client(model) -> Iterator[openai.OpenAI]:
    """A client of it."""
    with openai.OpenAI(base_url=model.base_url, api_key="none", max_retries=0) as connected:
        yield connected


@pytest.fixture
async def async_client(model) -> Any:
    """An async client of it."""
    async with openai.AsyncOpenAI(base_url=model.base_url, api_key="none", max_retries=0) as connected:
        yield connected


@pytest.mark.parametrize(("more", "use"), LITELLM_WAYS.values(), ids=LITELLM_WAYS)
def test_litellm_sync(capture, model, client, more, use) -> None:
    """`completion` over a server of the OpenAI protocol."""

    @llm.chat
    def ask(model: str, messages: list[Any]) -> Any:
        return litellm.completion(model=model, messages=messages, client=client, **more)

    with measured(model, capture):
        result = ask(**LITELLM)
        if use is not None:
            use(result)
    span = chat_span(capture, f"chat openai/{MODEL}", reasons=("stop",))
    assert span.attributes["gen_ai.provider.name"] == "openai"
    assert span.attributes["gen_ai.usage.cost"] > 0


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_litellm_async(capture, model, async_client, streams) -> None:
    """`acompletion` over a server of the OpenAI protocol."""

    @llm.chat
    async def ask(model: str, messages: list[Any]) -> Any:
        more = WITH_USAGE if streams else {}
        return await litellm.acompletion(model=model, messages=messages, client=async_client, **more)

    with measured(model, capture):
        result = await ask(**LITELLM)
        if streams:
            await adrain(result)
    chat_span(capture, f"chat openai/{MODEL}", reasons=("stop",))
