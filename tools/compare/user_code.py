"""Rows 9, 12 and 13: what telemetry does to the code around it."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from typing import TYPE_CHECKING, Any

from lab import Finding, say
from opentelemetry import trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from lab import Lab
    from sides import Side


def broken_processor() -> Any:
    """A span processor that raises whenever it is called."""
    from opentelemetry.sdk.trace import SpanProcessor

    class Broken(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:  # noqa: ARG002 - the SDK's signature
            raise ValueError("on_start")

        def on_end(self, span: Any) -> None:  # noqa: ARG002 - same
            raise ValueError("on_end")

    return Broken()


class UnreadableError(Exception):
    """An error of the user's that cannot be shown."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


def work_with_a_broken_processor(side: Side) -> None:
    """Scenario: one span that works, one whose block raises an error that cannot be shown."""
    side.start(processors=[broken_processor()])
    tracer = trace.get_tracer("compare")
    seen = "nothing"
    try:
        with tracer.start_as_current_span("work"):
            pass
    except ValueError as error:
        seen = f"ValueError({error})"
    side.flush(5)
    say(seen=seen)


def unreadable_error(side: Side) -> None:
    """Scenario: the block of a span raises an error whose text cannot be had."""
    side.start()
    caught = "nothing"
    try:
        with trace.get_tracer("compare").start_as_current_span("work"):
            raise UnreadableError  # noqa: TRY301 - the span has to see it
    except Exception as error:  # noqa: BLE001 - which one it is is the question
        caught = type(error).__name__
    say(caught=caught)


def raising_processor(lab: Lab) -> Finding:
    """Row 9: what reaches the user's code, and whether the span is exported."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        seen = lab.run("user_code:work_with_a_broken_processor", sink.url).report["seen"]
        exported = any(span.name == "work" for span in sink.spans())
        caught = lab.run("user_code:unreadable_error", sink.url).report["caught"]
    whose = "the user's own error passes" if caught == "UnreadableError" else f"the user's own error becomes {caught}"
    text = f"user code gets {seen}, span {'exported' if exported else 'lost'}; {whose}"
    return Finding(text, seen == "nothing" and exported and caught == "UnreadableError")


def stream_across_tasks(side: Side) -> None:
    """Scenario: an async generator under a span, read here and closed in another task."""
    complaints: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            complaints.append(record.getMessage())

    async def chunks() -> AsyncGenerator[int, None]:
        yield 1
        yield 2

    async def read() -> bool:
        stream = side.traced_stream("stream", chunks)()
        await anext(stream)
        leaked = trace.get_current_span().get_span_context().is_valid
        await asyncio.create_task(stream.aclose())
        return leaked

    side.start()
    logging.getLogger("opentelemetry").addHandler(Listener(logging.ERROR))
    leaked = asyncio.run(read())
    side.flush(5)
    say(leaked=leaked, complaints=len(complaints))


def streaming(lab: Lab) -> Finding:
    """Row 12: whether the span leaks into the reader, and what is logged."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        report = lab.run("user_code:stream_across_tasks", sink.url).report
        ended = sum(span.name == "stream" for span in sink.spans())
    leak = "leaks into the reader" if report["leaked"] else "stays inside"
    text = f"the span {leak}, {report['complaints']} errors logged, ended {ended} time(s)"
    return Finding(text, not report["leaked"] and not report["complaints"] and ended == 1)


def one_line(side: Side) -> None:
    """Scenario: one log line, five seconds."""
    logging.basicConfig(level=logging.DEBUG, handlers=[logging.NullHandler()])
    side.start()
    logging.getLogger("shop").info("hello")
    time.sleep(5)
    say(done=True)
    os._exit(0)  # leaving is another row


def log_feedback(lab: Lab) -> Finding:
    """Row 13: requests for one log line."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        lab.run("user_code:one_line", sink.url, OTEL_BLRP_SCHEDULE_DELAY="100", OTEL_BSP_SCHEDULE_DELAY="100")
        requests = sum(request.signal != "metrics" for request in sink.requests)
        records = len(sink.logs()) + len(sink.spans())
    return Finding(f"{requests} requests and {records} records in 5 s", requests == records == 1)
