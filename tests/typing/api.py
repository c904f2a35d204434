"""The public surface as a type checker sees it.  Checked by `make typecheck`, never executed.

An unused `type: ignore` is an error under --strict: each one below is a mistake that the types catch.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import assert_type

from opentelemetry.trace import Span

import aumos_otel as aumos
from aumos_otel import llm

telemetry = aumos.configure(
    service_name="chat-api",
    environment="prod",
    destinations=[
        aumos.OTLP(endpoint="http://localhost:4318", compression="gzip", select=aumos.Selector(tenants=["acme"])),
        aumos.OTLPFile(path="telemetry.jsonl"),
    ],
    sampling=aumos.SamplingOptions(ratio=0.1, tail=aumos.TailSampling(ratio=0.5)),
    redaction=aumos.RedactionOptions(personal="mask"),
    spool=aumos.SpoolOptions(enabled=True),
    propagation=aumos.PropagationOptions(edge=True),
    llm=aumos.LLMOptions(content="none", profile="dup"),
    metrics=False,
    logs=aumos.LogsOptions(),
    console=True,
)
assert_type(telemetry, aumos.Telemetry)
assert_type(telemetry.status(), aumos.Status)

aumos.configure("chat-api")  # type: ignore[call-arg]  # options are keyword-only
aumos.configure(service_name=3)  # type: ignore[arg-type]  # a name is text
aumos.configure(servicename="chat-api")  # type: ignore[arg-type]  # no such option
aumos.LLMOptions(content="some")  # type: ignore[arg-type]  # none, hash, redacted or full


@aumos.span
def bare(rows: int) -> str:
    """A decorated function keeps its type."""
    return str(rows)


@aumos.span("load", rows=3)
async def named(rows: int) -> str:
    """So does a coroutine function, with a name and attributes given."""
    return str(rows)


@llm.chat
def answer(question: str) -> str:
    """A bare decorator."""
    return question


@llm.chat(provider="openai", model="gpt-5-mini")
async def stream(question: str) -> AsyncIterator[str]:
    """An async generator."""
    yield question


@llm.tool
def look_up(key: str) -> Iterator[int]:
    """A generator."""
    yield len(key)


assert_type(bare(3), str)
assert_type(answer("why"), str)
assert_type(stream("why"), AsyncIterator[str])
assert_type(look_up("key"), Iterator[int])
bare("three")  # type: ignore[arg-type]  # the parameter's type is kept
answer(question=3)  # type: ignore[arg-type]  # likewise


async def use() -> None:
    """Context managers and helpers."""
    assert_type(await named(3), str)
    with aumos.span("parse") as span:
        assert_type(span, Span)
    with aumos.bind(tenant_id="acme") as identity:
        assert_type(identity, aumos.Identity)
    with llm.span("chat", provider="anthropic", model="claude") as call:
        call.set_usage(input_tokens=12, output_tokens=40)
    assert_type(aumos.propagate(bare)(3), str)
    aumos.bind("acme")  # type: ignore[call-arg]  # identity is given by name
