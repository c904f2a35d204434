"""Exporters of other packages: what they get, and what their answers are booked as."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

import aumos_otel as aumos
from aumos_otel import Telemetry, destinations, testing


class Spans(InMemorySpanExporter):
    """Keeps spans, answers as told."""

    answer: Any = SpanExportResult.SUCCESS
    closed = False

    def export(self, spans: Any) -> Any:
        """Keep and answer."""
        super().export(spans)
        if isinstance(self.answer, BaseException):
            raise self.answer
        return self.answer

    def shutdown(self) -> None:
        """Note it."""
        self.closed = True


@pytest.fixture
def spans() -> Spans:
    """The exporter of spans."""
    return Spans()


@pytest.fixture
def logs() -> InMemoryLogRecordExporter:
    """The exporter of log records."""
    return InMemoryLogRecordExporter()


@pytest.fixture
def start(spans: Spans, logs: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Telemetry]]:
    """Configures with both exporters, as OTEL_TRACES_EXPORTER and OTEL_LOGS_EXPORTER do."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "strange")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "strange")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    made = {"traces": spans, "logs": logs}
    monkeypatch.setattr(destinations, "_exporter", lambda route: made[route.signal])
    yield lambda **options: aumos.configure(service_name="foreign", instrumentations=False, **options)
    testing.reset()


def book(telemetry: Telemetry, signal: str) -> dict[str, Any]:
    """The account of a signal; it must add up."""
    (found,) = (book for book in telemetry.status().destinations if book["signal"] == signal)
    assert found["emitted"] == found["delivered"] + sum(found["dropped"].values()) + found["queued"]
    return dict(found)


def test_a_span_is_the_same_but_for_its_secrets(start: Callable[..., Telemetry], spans: Spans) -> None:
    """The exporter gets a span of the SDK's type with every field, redacted."""
    telemetry = start()
    remote = SpanContext(5, 6, True, TraceFlags(1), TraceState([("a", "b")]))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    span = trace.get_tracer("tests.foreign", "1.2").start_span(
        "work password=hunter2", parent, SpanKind.CLIENT, {"n": 1, "token": "abc"}, [Link(remote, {"why": "x"})]
    )
    span.add_event("happened", {"how": "password=hunter2"}, 17)
    span.set_status(Status(StatusCode.ERROR, "it said password=hunter2"))
    span.end()
    assert telemetry.force_flush(10.0)

    (got,) = spans.get_finished_spans()
    assert got.name == "work password=[REDACTED:password]"
    assert (got.context.trace_id, got.parent.span_id, got.parent.is_remote) == (5, 6, True)
    assert got.context.span_id == span.get_span_context().span_id
    assert (got.kind, got.instrumentation_scope.name) == (SpanKind.CLIENT, "tests.foreign")
    assert dict(got.attributes) == {"n": 1, "token": "[REDACTED:name]"}
    (event,) = got.events
    assert (event.name, event.timestamp, event.attributes["how"]) == ("happened", 17, "password=[REDACTED:password]")
    (link,) = got.links
    assert (link.context.span_id, link.context.trace_state["a"]) == (6, "b")
    assert (got.status.status_code, got.status.description) == (
        StatusCode.ERROR,
        "it said password=[REDACTED:password]",
    )
    assert got.resource.attributes["service.name"] == "foreign"
    assert "hunter2" not in got.to_json()


def test_a_log_record(start: Callable[..., Telemetry], logs: InMemoryLogRecordExporter) -> None:
    """The same for log records, in their trace."""
    telemetry = start()
    with aumos.span("work"):
        context = trace.get_current_span().get_span_context()
        logging.getLogger("tests.foreign").error("password=hunter2", extra={"n": 1})
    assert telemetry.force_flush(10.0)

    (got,) = logs.get_finished_logs()
    assert got.log_record.body == "password=[REDACTED:password]"
    assert got.log_record.attributes["n"] == 1
    assert (got.log_record.trace_id, got.log_record.span_id) == (context.trace_id, context.span_id)
    assert got.log_record.severity_number.value == 17


@pytest.mark.parametrize("answer", [SpanExportResult.FAILURE, None, RuntimeError("no"), SystemExit(3)])
def test_an_exporter_that_fails(start: Callable[..., Telemetry], spans: Spans, answer: Any) -> None:
    """Only what the exporter calls a success is delivered; whatever it raises ends there, and the next batch goes on."""
    telemetry = start()
    spans.answer = answer
    with aumos.span("lost"):
        pass
    assert telemetry.force_flush(10.0) is False
    spans.answer = SpanExportResult.SUCCESS
    with aumos.span("arrives"):
        pass
    assert telemetry.force_flush(10.0)

    found = book(telemetry, "traces")
    assert (found["delivered"], found["dropped"]) == (1, {"export_failed": 1})


def test_it_is_shut_down(start: Callable[..., Telemetry], spans: Spans) -> None:
    """The exporter gets what is left, then is shut down."""
    telemetry = start()
    with aumos.span("work"):
        pass

    telemetry.shutdown(5.0)

    assert (len(spans.get_finished_spans()), spans.closed) == (1, True)


def test_success_of_logs(start: Callable[..., Telemetry]) -> None:
    """Log records that were exported are delivered."""
    telemetry = start()
    logging.getLogger("tests.foreign").error("said")
    assert telemetry.force_flush(10.0)

    assert book(telemetry, "logs")["delivered"] == 1
    assert LogRecordExportResult.SUCCESS.name == "SUCCESS"
