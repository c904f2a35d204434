"""Configured more than once, by many threads, or beside somebody else's provider (row 35)."""

from __future__ import annotations

import importlib
import threading

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.errors import AlreadyConfiguredError
from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import OTLPSink

from .accounts import agree, book, work


def ours() -> int:
    """How many threads of ours there are."""
    return sum(thread.name.startswith("aumos-otel") for thread in threading.enumerate())


def test_eight_threads(sink: OTLPSink) -> None:
    """Eight threads configure and emit at once: one pipeline, one set of threads, every span once."""
    handles: list[Telemetry] = []
    together = threading.Barrier(8)

    def go() -> None:
        together.wait()
        handles.append(configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False))
        work(50)

    threads = [threading.Thread(target=go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(set(map(id, handles))) == 1
    assert handles[0].force_flush(20)
    count = ours()
    again = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    assert (again, ours()) == (handles[0], count)
    assert book(again)["delivered"] == 400
    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (400, 0)


def test_other_arguments(sink: OTLPSink) -> None:
    """A second call with other arguments is told so; the first pipeline goes on."""
    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    with pytest.raises(AlreadyConfiguredError):
        configure(service_name="other", metrics=False, logs=False)
    work(10)

    assert telemetry.force_flush(20)
    assert book(telemetry)["delivered"] == 10
    agree(book(telemetry), sink)


def test_beside_a_provider_that_was_there(sink: OTLPSink) -> None:
    """Both get every span, once."""
    theirs = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(theirs))
    trace.set_tracer_provider(provider)
    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    work(10)

    assert telemetry.force_flush(20)

    assert len(theirs.get_finished_spans()) == 10
    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (10, 0)
    agree(book(telemetry), sink)


def test_a_module_that_is_reloaded(sink: OTLPSink) -> None:
    """A reloader that imports the application's module again configures the same pipeline again."""
    import servers.work as application

    telemetry = configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    work(5)
    telemetry.force_flush(20)
    count = ours()

    again = importlib.reload(application).configure(destinations=[OTLP(endpoint=sink.url)], metrics=False, logs=False)
    work(5)

    assert again is telemetry
    assert telemetry.force_flush(20)
    assert ours() == count
    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (10, 0)
