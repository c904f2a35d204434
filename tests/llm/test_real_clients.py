"""The real openai client against a loopback server: span tree, usage, finish reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from opentelemetry.trace import StatusCode
from servers.seen import adrain, chat_span, drain, measured, parent_of, use_block

import aumos_otel as aumos
from aumos_otel import llm
from aumos_otel.demo.model_server import BROKEN_STREAM, RATE_LIMIT, SERVER_ERROR, ModelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "gpt-5-mini"
CHAT_SPAN = f"chat {MODEL}"
ASKED = [
    {"role": "system", "content": "You are the assistant of a hardware shop. Answer in two sentences."},
    {"role": "user", "content": "Which drill bit for a wall plug?"},
]
TOOLS = [{"type": "function", "function": {"name": "find", "parameters": {"type": "object"}}}]
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


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


def chat_yielded(client: openai.OpenAI, **more: Any) -> Iterator[Any]:
    """A generator that passes the chunks on."""
    yield from client.chat.completions.create(model=MODEL, messages=ASKED, **WITH_USAGE, **more)


def chat_in_a_block(client: openai.OpenAI) -> Any:
    """The stream helper, which is a context manager."""
    return client.chat.completions.stream(model=MODEL, messages=ASKED, stream_options={"include_usage": True})


CHAT = {"model": MODEL, "messages": ASKED}
ITEMS = {"model": MODEL, "input": "Which drill bit?", "instructions": "Be brief and answer in two sentences."}
SYNC = {
    "chat": (lambda c: c.chat.completions.create(**CHAT), None, "chat_completions"),
    "chat raw": (lambda c: c.chat.completions.with_raw_response.create(**CHAT), None, "chat_completions"),
    "chat tuple": (lambda c: ({"parsed": 1}, c.chat.completions.create(**CHAT)), None, "chat_completions"),
    "chat dict": (lambda c: c.chat.completions.create(**CHAT).model_dump(), None, "chat_completions"),
    "chat stream": (lambda c: c.chat.completions.create(**CHAT, **WITH_USAGE), drain, "chat_completions"),
    "chat generator": (chat_yielded, drain, "chat_completions"),
    "chat helper": (chat_in_a_block, use_block, "chat_completions"),
    "responses": (lambda c: c.responses.create(**ITEMS), None, "responses"),
    "responses raw": (lambda c: c.responses.with_raw_response.create(**ITEMS), None, "responses"),
    "responses stream": (lambda c: c.responses.create(**ITEMS, stream=True), drain, "responses"),
    "responses helper": (lambda c: c.responses.stream(**ITEMS), use_block, "responses"),
}


@pytest.mark.parametrize("way", SYNC)
def test_openai_sync(capture, model, client, way) -> None:
    """Each way to ask gives one chat span with the server's tokens, model, id and reason."""
    ask, use, api = SYNC[way]
    decorated = llm.chat(provider="openai", model=MODEL)(ask)
    with measured(model, capture):
        result = decorated(client)
        if use is not None:
            use(result)
    span = chat_span(capture, CHAT_SPAN, reasons=("stop",))
    told = span.attributes
    assert told["gen_ai.provider.name"] == "openai"
    assert told["gen_ai.response.model"] == "gpt-5-mini-2025-08-07"
    assert told["gen_ai.response.id"].startswith(("chatcmpl-", "resp_"))
    assert told["openai.api.type"] == api
    assert told["gen_ai.usage.cache_read.input_tokens"] == 8
    assert told["gen_ai.usage.reasoning.output_tokens"] == 8
    given, answered = told["gen_ai.usage.input_tokens"], told["gen_ai.usage.output_tokens"]
    assert told["gen_ai.usage.cost"] == pytest.approx(((given - 8) * 0.25 + 8 * 0.025 + answered * 2) / 1e6)
    assert ("gen_ai.response.time_to_first_chunk" in told) == (use is not None)


ENDS = {
    "tool": ({"tools": TOOLS}, ("tool_calls",)),
    "length": ({"max_completion_tokens": 12}, ("length",)),
    "choices": ({"n": 2}, ("stop", "stop")),
}


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_openai_finish_reasons(capture, model, client, end, stream) -> None:
    """A tool call, a limit and several choices, in one piece and as a stream."""
    more, reasons = ENDS[end]

    @llm.chat(provider="openai")
    def ask(model: str, **options: Any) -> Any:
        return client.chat.completions.create(model=model, messages=ASKED, **options)

    with measured(model, capture):
        result = ask(MODEL, **more, **(WITH_USAGE if stream else {}))
        if stream:
            drain(result)
    span = chat_span(capture, CHAT_SPAN, reasons=reasons)
    assert span.attributes.get("gen_ai.request.max_tokens") == more.get("max_completion_tokens")
    assert span.attributes.get("gen_ai.request.choice.count") == more.get("n")


def test_openai_response_finish_reasons(capture, model, client) -> None:
    """The responses API has a status: a function call and a limit are told from it."""

    @llm.chat(provider="openai", model=MODEL)
    def ask(**options: Any) -> Any:
        return client.responses.create(**ITEMS, **options)

    with measured(model, capture):
        ask(tools=[{"type": "function", "name": "find", "parameters": {}}])
        ask(max_output_tokens=12)
    reasons = [span.attributes["gen_ai.response.finish_reasons"] for span in capture.spans if span.parent]
    assert reasons == [("tool_call",), ("length",)]


def test_openai_embeddings(capture, model, client) -> None:
    """Embeddings have input tokens, dimensions and a cost."""

    @llm.embeddings(provider="openai", model="text-embedding-3-small")
    def embed(texts: list[str]) -> Any:
        return client.embeddings.create(model="text-embedding-3-small", input=texts)

    with measured(model, capture):
        embed(["one two", "three"])
    told = capture.span("embeddings text-embedding-3-small").attributes
    assert told["gen_ai.usage.input_tokens"] == 3
    assert told["gen_ai.embeddings.dimension.count"] == 16
    assert told["gen_ai.usage.cost"] == pytest.approx(3 * 0.02 / 1e6)
    assert "gen_ai.usage.output_tokens" not in told


def test_openai_stream_without_usage(capture, model, client) -> None:
    """A stream that nobody asked to count has no tokens and no cost, and is counted as missing them."""

    @llm.chat(provider="openai", model=MODEL)
    def ask() -> Any:
        return client.chat.completions.create(model=MODEL, messages=ASKED, stream=True)

    with measured(model, capture):
        drain(ask())
    span = chat_span(capture, CHAT_SPAN, reasons=("stop",))
    assert not [name for name in span.attributes if name.startswith("gen_ai.usage")]
    assert sum(point.value for point in capture.metrics["aumos.llm.usage_missing"]) == 1


REFUSALS = {RATE_LIMIT: openai.RateLimitError, SERVER_ERROR: openai.InternalServerError}


@pytest.mark.parametrize("fault", REFUSALS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
def test_openai_refusals(capture, model, client, fault, stream) -> None:
    """The client's own exception reaches the caller; the span has its type and no tokens."""
    error = REFUSALS[fault]

    @llm.chat(provider="openai", model=MODEL)
    def ask() -> Any:
        return client.chat.completions.create(**CHAT, **(WITH_USAGE if stream else {}))

    model.fail_next(fault)
    with measured(model, capture), pytest.raises(error):
        ask()
    span = capture.span(CHAT_SPAN)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["error.type"] == error.__name__ or span.attributes["error.type"].endswith(error.__name__)


@pytest.mark.parametrize("way", ["chat stream", "chat generator", "responses stream"])
def test_openai_broken_stream(capture, model, client, way) -> None:
    """A stream that breaks off raises as it does without us; what was learned before stays."""
    ask, consume, _ = SYNC[way]
    model.fail_next(BROKEN_STREAM)
    with measured(model, capture), pytest.raises((httpx.RemoteProtocolError, openai.APIConnectionError)):
        consume(llm.chat(provider="openai", model=MODEL)(ask)(client))
    span = capture.span(CHAT_SPAN)
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes["gen_ai.response.model"] == "gpt-5-mini-2025-08-07"
    assert "gen_ai.usage.input_tokens" not in span.attributes


def test_openai_stream_that_is_left_early(capture, model, client) -> None:
    """Leaving the loop ends the span once, without an error and without a made-up usage."""

    @llm.chat(provider="openai", model=MODEL)
    def ask() -> Any:
        return client.chat.completions.create(**CHAT, **WITH_USAGE)

    with aumos.span("request"), ask() as stream:
        next(stream)
    span = chat_span(capture, CHAT_SPAN, reasons=None)
    assert span.attributes["gen_ai.response.model"] == "gpt-5-mini-2025-08-07"
    assert "gen_ai.usage.input_tokens" not in span.attributes


def test_an_agent_of_two_calls_is_a_tree(capture, model, client) -> None:
    """A workflow with an agent, two calls and a tool between them nests as it is called; tokens are counted once."""

    @llm.chat(provider="openai", model=MODEL)
    def ask(**options: Any) -> Any:
        return client.chat.completions.create(**CHAT, **options)

    @llm.tool
    def find(query: str) -> str:
        return f"about {query}"

    @llm.agent("advisor")
    def advise() -> str:
        call = ask(tools=TOOLS).choices[0].message.tool_calls[0]
        find(call.function.arguments)
        return ask().choices[0].message.content

    with measured(model, capture):
        llm.workflow("shop")(advise)()
    tree = [(span.name, parent_of(capture, span)) for span in capture.spans if span.parent]
    assert tree == [
        (CHAT_SPAN, "invoke_agent advisor"),
        ("execute_tool find", "invoke_agent advisor"),
        (CHAT_SPAN, "invoke_agent advisor"),
        ("invoke_agent advisor", "invoke_workflow shop"),
        ("invoke_workflow shop", "request"),
    ]


def test_a_function_that_returns_text_records_the_response(capture, model, client) -> None:
    """Where the function returns something else, the response is handed over."""

    @llm.chat
    def answer(question: str) -> str:
        completion = client.chat.completions.create(model=MODEL, messages=[{"role": "user", "content": question}])
        llm.current().record(completion)
        return completion.choices[0].message.content

    with measured(model, capture):
        answer("Which drill bit?")
    span = chat_span(capture, "chat", reasons=("stop",))
    assert span.attributes["gen_ai.provider.name"] == "openai"


async def achat_yielded(client: openai.AsyncOpenAI) -> Any:
    """An async generator that passes the chunks on."""
    async for chunk in await client.chat.completions.create(**CHAT, **WITH_USAGE):
        yield chunk


async def awhole(client: openai.AsyncOpenAI) -> Any:
    """One answer in one piece."""
    return await client.chat.completions.create(**CHAT)


async def astream(client: openai.AsyncOpenAI) -> Any:
    """The client's own stream."""
    return await client.chat.completions.create(**CHAT, **WITH_USAGE)


async def aresponse(client: openai.AsyncOpenAI) -> Any:
    """One response in one piece."""
    return await client.responses.create(**ITEMS)


async def aresponse_stream(client: openai.AsyncOpenAI) -> Any:
    """The client's own stream of events."""
    return await client.responses.create(**ITEMS, stream=True)


@pytest.mark.parametrize(
    ("ask", "streams"),
    [(awhole, False), (astream, True), (achat_yielded, True), (aresponse, False), (aresponse_stream, True)],
)
async def test_openai_async(capture, model, async_client, ask, streams) -> None:
    """The async client, its streams and an async generator around one."""
    decorated = llm.chat(provider="openai", model=MODEL)(ask)
    with measured(model, capture):
        result = decorated(async_client)
        if ask is not achat_yielded:
            result = await result
        if streams:
            await adrain(result)
    chat_span(capture, CHAT_SPAN, reasons=("stop",))
