"""Processors and exporters of others that raise, whatever they raise (row 18)."""

from __future__ import annotations

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.testing import OTLPSink

from .accounts import agree, book, settled, work


class Odd(BaseException):
    """No `Exception`."""


class Broken(SpanProcessor):
    """Raises wherever it is called."""

    def __init__(self, error: BaseException) -> None:
        self._error = error

    def on_start(self, span: object, parent_context: object = None) -> None:
        """It is not ready."""
        raise self._error

    def on_end(self, span: object) -> None:
        """It does not take it."""
        raise self._error

    def shutdown(self) -> None:
        """It does not stop."""
        raise self._error

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """It does not flush."""
        raise self._error


class Watch(SpanProcessor):
    """Remembers what reached it."""

    def __init__(self) -> None:
        self.ended = self.shut_down = 0

    def on_end(self, span: object) -> None:
        """One more."""
        self.ended += 1

    def shutdown(self) -> None:
        """Once, one hopes."""
        self.shut_down += 1


class BrokenExporter(SpanExporter):
    """Does as it is told."""

    def __init__(self, behaviour: object) -> None:
        self._behaviour = behaviour

    def export(self, spans: object) -> SpanExportResult:
        """Raise or return as told."""
        if isinstance(self._behaviour, BaseException):
            raise self._behaviour
        return self._behaviour

    def shutdown(self) -> None:
        """Raise if told."""
        if isinstance(self._behaviour, BaseException):
            raise self._behaviour


@pytest.mark.parametrize("error", [ValueError("no"), Odd()], ids=lambda error: type(error).__name__)
def test_a_processor_that_raises(error: BaseException, sink: OTLPSink) -> None:
    """The user notices nothing, the others run, all are shut down, everything is delivered."""
    before, after = Watch(), Watch()
    telemetry = configure(
        destinations=[OTLP(endpoint=sink.url)],
        span_processors=[before, Broken(error), after],
        metrics=False,
        logs=False,
    )

    work(20)
    telemetry.force_flush(20)
    telemetry.shutdown(5)

    done = book(telemetry)
    assert (done["delivered"], before.shut_down, after.shut_down) == (20, 1, 1)
    assert before.ended == after.ended == 20
    assert sum(telemetry.status().guard.values()) >= 20
    agree(done, sink)


@pytest.mark.parametrize(
    "behaviour",
    [ValueError("no"), Odd(), SystemExit(3), None, SpanExportResult.FAILURE],
    ids=lambda behaviour: getattr(behaviour, "name", type(behaviour).__name__),
)
def test_an_exporter_that_raises(behaviour: object, sink: OTLPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter of another package has books of its own, with a loss in them; ours are as ever."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "otlp,theirs")
    monkeypatch.setattr("aumos_otel.destinations.load_entry_point", lambda *_: lambda: BrokenExporter(behaviour))
    telemetry = configure(metrics=False, logs=False)

    work(20)
    telemetry.force_flush(20)

    theirs = settled(telemetry, lambda now: not now["queued"], name="theirs")
    assert (theirs["emitted"], theirs["delivered"], theirs["dropped"]) == (20, 0, {"export_failed": 20})
    assert book(telemetry)["delivered"] == 20
    agree(book(telemetry), sink)


def test_an_exporter_behind_a_processor_of_the_sdk(sink: OTLPSink) -> None:
    """One that raises in the user's own thread does not reach the user, and the one beside it gets everything."""
    beside = InMemorySpanExporter()
    telemetry = configure(
        destinations=[OTLP(endpoint=sink.url)],
        span_processors=[SimpleSpanProcessor(BrokenExporter(Odd())), SimpleSpanProcessor(beside)],
        metrics=False,
        logs=False,
    )
    with trace.get_tracer("tests").start_as_current_span("outer"):
        work(19)

    assert telemetry.force_flush(20)

    spans: tuple[ReadableSpan, ...] = beside.get_finished_spans()
    assert len(spans) == book(telemetry)["delivered"] == 20
    agree(book(telemetry), sink)
