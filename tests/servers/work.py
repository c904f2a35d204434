"""What a service of a test does: configure, and one piece of telemetry of each signal."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.otlp import PATIENCE

import aumos_otel as aumos
from aumos_otel.pipeline import Telemetry


def configure(**options: object) -> Telemetry:
    """``configure()`` with nothing instrumented: for tests that are about the pipeline."""
    return aumos.configure(**{"instrumentations": False, **options})


def emit(name: str = "work") -> None:
    """One span, one log record inside it, one counter."""
    with trace.get_tracer("tests").start_as_current_span(name):
        logging.getLogger("tests").warning("hello")
    metrics.get_meter("tests").create_counter("work.done").add(1)


def emit_and_flush(**options: object) -> Telemetry:
    """Configure, emit one of each signal, and see that all of it was delivered."""
    telemetry = configure(**options)
    emit()
    assert telemetry.force_flush(10.0), telemetry.status()
    return telemetry


def eventually(holds: Callable[[], object]) -> None:
    """Wait until ``holds()`` is true, for what has no event to wait on."""
    deadline = time.monotonic() + PATIENCE
    never = threading.Event()
    while not holds():
        assert time.monotonic() < deadline, "it did not come true"
        never.wait(0.01)


def in_memory(spans: InMemorySpanExporter, **options: object) -> Telemetry:
    """A pipeline that keeps its finished spans here and sends nothing."""
    return configure(destinations=[], span_processors=[SimpleSpanProcessor(spans)], **options)


def only(spans: InMemorySpanExporter) -> ReadableSpan:
    """The one finished span."""
    (span,) = spans.get_finished_spans()
    return span
