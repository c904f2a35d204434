"""How logfire is measured: ``table.py --peer tests/bench/peers/logfire.py``; taken by itself where it is installed."""

from __future__ import annotations

from typing import Any

import logfire
from opentelemetry import trace
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

NAME = "logfire"

#: What a service writes to begin.
START = """
import logfire
logfire.configure(send_to_logfire=False, console=False, inspect_arguments=False)
"""


def configure(exporter: SpanExporter, *, sampled: bool) -> None:
    """Its pipeline, with ``exporter`` behind a batch processor."""
    logfire.configure(
        send_to_logfire=False,
        console=False,
        inspect_arguments=False,
        metrics=False,
        sampling=logfire.SamplingOptions(head=1.0 if sampled else 0.0),
        additional_span_processors=[BatchSpanProcessor(exporter)],
    )


def decorate(name: str) -> Any:
    """Its decorator."""
    return logfire.instrument(name, extract_args=False)


def span(name: str) -> Any:
    """Its block."""
    return logfire.span(name)


def flush() -> None:
    """Let its workers finish."""
    trace.get_tracer_provider().force_flush()
