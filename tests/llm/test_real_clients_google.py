"""The real google-genai client against a loopback server: span tree, usage, finish reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from google import genai
from google.genai import types as google
from servers import google_api
from servers.seen import adrain, chat_span, drain, tokens_in_metrics, tokens_on_spans

import aumos_otel as aumos
from aumos_otel import llm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.testing import Capture

GEMINI = {"model": google_api.MODEL, "contents": "Paint?"}


@pytest.fixture(scope="module")
def google_server() -> Any:
    """A server of Google's protocol."""
    with google_api.server() as server:
        yield server


@pytest.fixture
def gemini(google_server) -> Iterator[genai.Client]:
    """A client of it."""
    connected = genai.Client(api_key="none", http_options=google.HttpOptions(base_url=google_server.address))
    yield connected
    connected.close()


def check_gemini(capture: Capture) -> None:
    """Thoughts are output, the tools' results are input; the model's own word for the end."""
    span = chat_span(capture, f"chat {google_api.MODEL}", reasons=("STOP",))
    told = span.attributes
    assert told["gen_ai.provider.name"] == "gcp.gemini"
    assert told["gen_ai.response.id"] == "resp-1"
    assert told["gen_ai.usage.cache_read.input_tokens"] == google_api.CACHED_TOKENS
    assert told["gen_ai.usage.reasoning.output_tokens"] == google_api.REASONING_TOKENS
    assert tokens_on_spans(capture) == (google_api.INPUT_TOKENS, google_api.OUTPUT_TOKENS)
    assert tokens_in_metrics(capture) == (google_api.INPUT_TOKENS, google_api.OUTPUT_TOKENS)
    assert told["gen_ai.usage.cost"] > 0


@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
def test_google_sync(capture, gemini, streams) -> None:
    """`generate_content` and its stream."""

    @llm.chat
    def ask(model: str, contents: str) -> Any:
        method = gemini.models.generate_content_stream if streams else gemini.models.generate_content
        return method(model=model, contents=contents)

    with aumos.span("request"):
        result = ask(**GEMINI)
        if streams:
            drain(result)
    check_gemini(capture)


@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # google-genai's use of aiohttp
@pytest.mark.parametrize("streams", [False, True], ids=["whole", "stream"])
async def test_google_async(capture, gemini, streams) -> None:
    """The async methods of the same client."""

    @llm.chat
    async def ask(model: str, contents: str) -> Any:
        models = gemini.aio.models
        method = models.generate_content_stream if streams else models.generate_content
        return await method(model=model, contents=contents)

    with aumos.span("request"):
        result = await ask(**GEMINI)
        if streams:
            await adrain(result)
    await gemini.aio.aclose()
    check_gemini(capture)


def test_google_embeddings(capture, gemini) -> None:
    """Google tells no tokens for embeddings: the dimensions are there, the usage is missing."""

    @llm.embeddings(provider="gcp.gemini")
    def embed(model: str, contents: list[str]) -> Any:
        return gemini.models.embed_content(model=model, contents=contents)

    embed("gemini-embedding-001", ["one", "two"])
    told = capture.span("embeddings gemini-embedding-001").attributes
    assert told["gen_ai.embeddings.dimension.count"] == google_api.DIMENSIONS
    assert "gen_ai.usage.input_tokens" not in told
