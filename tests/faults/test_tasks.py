"""Tasks that are cancelled, generators that are closed or left (row 36)."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
from collections.abc import AsyncIterator

import pytest
from opentelemetry import trace
from servers.work import configure

import aumos_otel as aumos
from aumos_otel import OTLP
from aumos_otel.testing import OTLPSink

from .accounts import agree, book


@aumos.span("stream")
async def stream() -> AsyncIterator[int]:
    """Numbers without end."""
    number = 0
    while True:
        yield number
        number += 1
        await asyncio.sleep(0)


async def cancelled() -> None:
    """Cancelled in the middle of its stream."""

    async def consume() -> None:
        async for _ in stream():
            await asyncio.sleep(0)

    task = asyncio.create_task(consume())
    for _ in range(10):
        await asyncio.sleep(0)
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def closed_elsewhere() -> None:
    """Begun in one task, closed in another."""
    numbers = stream()
    await asyncio.create_task(anext(numbers))
    await asyncio.create_task(numbers.aclose())


async def abandoned() -> None:
    """Left, and never closed."""
    numbers = stream()
    await anext(numbers)
    del numbers
    gc.collect()
    await asyncio.sleep(0)


async def thrown_into() -> None:
    """Ended by an exception of its consumer."""
    numbers = stream()
    await anext(numbers)
    with contextlib.suppress(KeyError):
        await numbers.athrow(KeyError("no"))


@pytest.mark.parametrize("end", [cancelled, closed_elsewhere, abandoned, thrown_into], ids=lambda end: end.__name__)
async def test_a_stream(end: object, sink: OTLPSink, caplog: pytest.LogCaptureFixture) -> None:
    """Its span arrives once, below its parent, which stays the current one; no context fails to be detached."""
    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    with caplog.at_level(logging.WARNING):
        with trace.get_tracer("tests").start_as_current_span("parent") as parent:
            await end()
            gc.collect()
            assert trace.get_current_span() is parent
        flushed = await asyncio.to_thread(telemetry.force_flush, 20)

    assert flushed
    assert [record for record in caplog.records if "detach" in record.getMessage()] == []
    spans = {span.name: span for span in sink.spans()}
    assert sorted(span.name for span in sink.spans()) == ["parent", "stream"]
    assert spans["stream"].parent_span_id == spans["parent"].span_id
    assert (spans["stream"].status.code == spans["stream"].status.STATUS_CODE_ERROR) == (end is thrown_into)
    agree(book(telemetry), sink)
