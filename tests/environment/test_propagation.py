"""AUMOS_OTEL_* variables of propagation: what of a trace crosses the border of the service."""

from __future__ import annotations

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from servers.work import in_memory

CLIENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", "baggage": "team=red,role=admin"}


def call(url: str) -> dict[str, str]:
    """The headers of a call to this URL, under two entries of baggage."""
    context = baggage.set_baggage("role", "admin", baggage.set_baggage("team", "red", Context()))
    tracer, carrier = trace.get_tracer("tests"), dict[str, str]()
    with tracer.start_as_current_span("GET", context, SpanKind.CLIENT, {"url.full": url}) as span:
        propagate.inject(carrier, trace.set_span_in_context(span, context))
    return carrier


def test_traceparent_hosts(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The trace context goes to these hosts and to no others."""
    monkeypatch.setenv("AUMOS_OTEL_TRACEPARENT_HOSTS", "*.svc, 10.0.0.0/8")
    in_memory(spans)

    assert "traceparent" in call("http://orders.svc/")
    assert "traceparent" in call("http://10.1.2.3/")
    assert "traceparent" not in call("http://api.example/")


def test_baggage_keys(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Baggage with these keys is sent, and no other."""
    monkeypatch.setenv("AUMOS_OTEL_BAGGAGE_KEYS", "team")
    in_memory(spans)

    assert call("http://localhost/")["baggage"] == "team=red"


@pytest.mark.parametrize(("keys", "taken"), [("team", {"team": "red"}), ("*", {"team": "red", "role": "admin"})])
def test_inbound_baggage_keys(
    keys: str, taken: dict[str, str], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Baggage with these keys is taken, and no other."""
    monkeypatch.setenv("AUMOS_OTEL_INBOUND_BAGGAGE_KEYS", keys)
    in_memory(spans)

    assert dict(baggage.get_all(propagate.extract(CLIENT, Context()))) == taken


def test_edge(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client's trace is linked and not continued, and its flag 00 drops nothing."""
    monkeypatch.setenv("AUMOS_OTEL_EDGE", "true")
    in_memory(spans)

    trace.get_tracer("tests").start_span("GET", propagate.extract(CLIENT, Context()), SpanKind.SERVER).end()

    (span,) = spans.get_finished_spans()
    assert span.parent is None
    assert [link.context.span_id for link in span.links] == [0x00F067AA0BA902B7]


def test_query_keys(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the queries of third parties the values of these parameters are recorded, inside all."""
    monkeypatch.setenv("AUMOS_OTEL_QUERY_KEYS", "page")
    in_memory(spans)
    call("http://api.example/?page=2&q=secret")
    call("http://localhost/?page=2&q=open")

    assert [span.attributes["url.full"] for span in spans.get_finished_spans()] == [
        "http://api.example/?page=2&q=REDACTED",
        "http://localhost/?page=2&q=open",
    ]
