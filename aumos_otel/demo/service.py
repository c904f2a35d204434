"""The service of the demo: a small chat API, instrumented as a user would do it.

It asks whatever speaks the OpenAI protocol at OPENAI_BASE_URL, and sends its telemetry where
AUMOS_OTEL_ENDPOINT says, else to a running ``aumos-otel ui``.  To run it on its own::

    OPENAI_API_KEY=... python -m uvicorn aumos_otel.demo.service:app
"""

from __future__ import annotations

import json
import logging
import os
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import httpx
import openai
from fastapi import FastAPI, HTTPException, Response
from fastapi.responses import JSONResponse, PlainTextResponse, StreamingResponse
from pydantic import BaseModel

import aumos_otel as aumos
from aumos_otel import llm
from aumos_otel.demo import STATUS_VARIABLE

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from fastapi import Request
    from openai.types.chat import ChatCompletion, ChatCompletionChunk, ChatCompletionMessageParam

MODEL: Final = "gpt-5-mini"
_INSTRUCTIONS: Final = "You are the assistant of a hardware shop. Answer in two sentences."

telemetry = aumos.configure(
    service_name="chat-api",
    service_version="1.4.0",
    environment="demo",
    product="assistant",
    identity=aumos.from_headers(tenant_id="X-Tenant-ID"),
    llm=aumos.LLMOptions(content="full"),  # every question here is made up; the default keeps content out
    slos=Path(__file__).with_name("slo.yaml"),
)
logger = logging.getLogger("chat_api")
logger.setLevel(logging.INFO)
model = openai.AsyncOpenAI(max_retries=0)
catalog = httpx.AsyncClient(base_url=str(model.base_url), headers=model.auth_headers)


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    """Close the clients at the end, and tell the demo what was sent."""
    async with model, catalog:
        yield
    tell_demo()


def tell_demo() -> None:
    """Write the last status where the demo asks for it."""
    if STATUS_VARIABLE in os.environ:
        Path(os.environ[STATUS_VARIABLE]).write_text(json.dumps(telemetry.status().to_dict()), encoding="utf-8")


app = FastAPI(title="chat-api", lifespan=lifespan)


class Question(BaseModel):
    """What a customer asks."""

    text: str
    stream: bool = False


@app.post("/chat")
async def chat(question: Question) -> Response:
    """Answer a question, in one piece or as it is made."""
    logger.info("question of %d characters", len(question.text), extra={"chat.stream": question.stream})
    if not question.stream:
        completion = await complete(_messages(question))
        return PlainTextResponse(completion.choices[0].message.content)
    chunks = stream(_messages(question))
    first = await anext(chunks)  # a refusal surfaces here, while the status can still say so
    return StreamingResponse(_text_of(first, chunks), media_type="text/plain")


@app.get("/models/{name}")
async def describe_model(name: str) -> dict[str, Any]:
    """What the provider says about a model, asked over plain HTTP."""
    answer = await catalog.get(f"models/{name}")
    logger.info("the provider answered %d for model %s", answer.status_code, name)
    if answer.is_error:
        raise HTTPException(answer.status_code, f"no model {name!r}")
    return dict(answer.json())


@app.get("/health")
async def health() -> dict[str, str]:
    """Whether the service is up, and which process answers; not traced."""
    return {"status": "ok", "instance": telemetry.status().instance}


@app.exception_handler(openai.APIStatusError)
async def refuse(_request: Request, error: openai.APIStatusError) -> Response:
    """Pass a rate limit on; the provider's own failures are a bad gateway."""
    logger.warning("the model refused: %s", error.message)
    busy = error.status_code == httpx.codes.TOO_MANY_REQUESTS
    return JSONResponse({"detail": error.message}, error.status_code if busy else httpx.codes.BAD_GATEWAY)


@llm.chat(provider="openai", model=MODEL)
async def complete(messages: list[ChatCompletionMessageParam]) -> ChatCompletion:
    """One answer in one piece."""
    completion = await model.chat.completions.create(model=MODEL, messages=messages)
    logger.info("answered: %s", completion.choices[0].finish_reason)
    return completion


@llm.chat(provider="openai", model=MODEL)
async def stream(messages: list[ChatCompletionMessageParam]) -> AsyncIterator[ChatCompletionChunk]:
    """One answer in chunks; the last one carries the usage."""
    chunks = await model.chat.completions.create(
        model=MODEL, messages=messages, stream=True, stream_options={"include_usage": True}
    )
    async for chunk in chunks:
        yield chunk
    logger.info("answered: stream ended")


async def _text_of(first: ChatCompletionChunk, rest: AsyncIterator[ChatCompletionChunk]) -> AsyncIterator[str]:
    yield _piece(first)
    try:
        async for chunk in rest:
            yield _piece(chunk)
    except Exception:
        logger.exception("the answer broke off")
        raise


def _piece(chunk: ChatCompletionChunk) -> str:
    return (chunk.choices[0].delta.content or "") if chunk.choices else ""


def _messages(question: Question) -> list[ChatCompletionMessageParam]:
    return [{"role": "system", "content": _INSTRUCTIONS}, {"role": "user", "content": question.text}]
