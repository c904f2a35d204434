"""Beside somebody else's providers: joined, not fought, and told what that costs."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.otlp import HTTPSink
from servers.work import configure, emit, emit_and_flush

from aumos_otel import testing

TESTS = Path(__file__).resolve().parent


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPSink]:
    """A collector that everything goes to."""
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink
        testing.reset()


def run(code: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )


def test_a_tracer_provider_that_was_there(collector: HTTPSink) -> None:
    """A provider of the SDK is joined: it keeps its own exporters, we get everything, describe() tells what is lost."""
    theirs = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "theirs"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    trace.set_tracer_provider(provider)

    telemetry = emit_and_flush(service_name="ours")

    assert trace.get_tracer_provider() is provider
    assert [span.name for span in theirs.get_finished_spans()] == ["work"]
    assert [span.name for span in collector.spans()] == ["work"]
    assert collector.resource()["service.name"] == "theirs"
    assert collector.resource("logs")["service.name"] == "ours"
    told = telemetry.describe()["providers"]
    assert told["traces"].startswith("joined opentelemetry.sdk.trace.TracerProvider: ")
    assert "sampler" in told["traces"]
    assert told["metrics"] == told["logs"] == "ours"


def test_shutdown_leaves_their_provider_running(collector: HTTPSink) -> None:
    """Shutting us down delivers what is ours and leaves their provider alone."""
    theirs = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    trace.set_tracer_provider(provider)
    telemetry = configure()
    emit()

    assert telemetry.shutdown()
    emit()

    assert len(collector.spans()) == 1
    assert len(theirs.get_finished_spans()) == 2


def test_meter_and_logger_providers_that_were_there(collector: HTTPSink) -> None:
    """The same holds for metrics and logs."""
    reader, memory = InMemoryMetricReader(), InMemoryLogRecordExporter()
    meter_provider = MeterProvider([reader], shutdown_on_exit=False)
    logger_provider = LoggerProvider(shutdown_on_exit=False)
    logger_provider.add_log_record_processor(SimpleLogRecordProcessor(memory))
    metrics.set_meter_provider(meter_provider)
    _logs.set_logger_provider(logger_provider)

    telemetry = emit_and_flush()

    assert "work.done" in collector.metrics()
    assert len(collector.logs()) == len(memory.get_finished_logs()) == 1
    told = telemetry.describe()["providers"]
    assert told["metrics"].startswith("joined ")
    assert told["logs"].startswith("joined ")


def test_a_provider_that_nothing_can_be_added_to(collector: HTTPSink) -> None:
    """A provider that is none of the SDK's stays; describe() says that it is in the way."""

    class Foreign(trace.TracerProvider):
        def get_tracer(self, *_arguments: object, **_options: object) -> trace.Tracer:
            return trace.NoOpTracer()

    trace.set_tracer_provider(Foreign())

    telemetry = configure()
    emit()

    assert "is in the way" in telemetry.describe()["providers"]["traces"]
    assert telemetry.force_flush(10.0)
    assert len(collector.logs()) == 1
    assert collector.spans() == []


LANGFUSE = """
import json
from langfuse import Langfuse
langfuse = Langfuse(public_key="pk-lf-1", secret_key="sk-lf-1", host="http://127.0.0.1:1", flush_at=1000, timeout=1)
from servers.work import configure, emit
telemetry = configure(shutdown_timeout=3)
with langfuse.start_as_current_observation(name="theirs"):
    emit("ours")
print(telemetry.force_flush(10.0))
print(json.dumps(telemetry.describe()["providers"]), flush=True)
import os
os._exit(0)
"""


def test_langfuse_was_there(collector: HTTPSink) -> None:
    """Langfuse has set up a provider before: it is joined, and its spans arrive beside ours."""
    done = run(LANGFUSE)

    assert done.stdout.splitlines()[0] == "True", done.stderr
    assert "joined opentelemetry.sdk.trace.TracerProvider" in done.stdout
    assert {"theirs", "ours"} <= {span.name for span in collector.spans()}


def test_langfuse_comes_later(collector: HTTPSink) -> None:
    """Langfuse after configure() joins ours; nothing of it is lost here."""
    lines = LANGFUSE.split("\n")
    swapped = lines[:2] + lines[4:6] + lines[2:4] + lines[6:]
    done = run("\n".join(swapped))

    assert done.stdout.splitlines()[0] == "True", done.stderr
    assert {"theirs", "ours"} <= {span.name for span in collector.spans()}
