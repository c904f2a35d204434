"""What crosses the border of the service: links to clients, queries of third parties."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from aumos_otel.config import PropagationOptions
from aumos_otel.processors.border import Border, BorderProcessor
from aumos_otel.providers import propagator

INTERNAL = ("localhost", "*.svc", "10.0.0.0/8")
CLIENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"


def border(**options: Any) -> Border:
    """The border that these options draw."""
    return Border.of(PropagationOptions(**options).resolve({}, {}, {}), INTERNAL)


@pytest.fixture
def spans() -> InMemorySpanExporter:
    """What was exported."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(spans: InMemorySpanExporter) -> trace.Tracer:
    """A tracer whose spans pass the border of an edge."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BorderProcessor(border(edge=True)))
    provider.add_span_processor(SimpleSpanProcessor(spans))
    return provider.get_tracer("tests")


@pytest.fixture
def edge() -> Iterator[None]:
    """The propagators of an edge, as the global ones."""
    before = propagate.get_global_textmap()
    propagator.install(("tracecontext", "baggage"), INTERNAL, PropagationOptions(edge=True).resolve({}, {}, {}))
    yield
    propagate.set_global_textmap(before)


def test_a_client_is_linked(tracer: trace.Tracer, spans: InMemorySpanExporter, edge: None) -> None:
    """A client's flag 00 does not switch us off: its span is a link of a new root, and of nothing below."""
    token = otel_context.attach(propagate.extract({"traceparent": CLIENT}, Context()))
    with tracer.start_as_current_span("GET", kind=SpanKind.SERVER), tracer.start_as_current_span("work"):
        pass
    otel_context.detach(token)

    work, root = spans.get_finished_spans()
    (link,) = root.links
    assert (link.context.trace_id, link.context.span_id) == (0x4BF92F3577B34DA6A3CE929D0E0E4736, 0x00F067AA0BA902B7)
    assert root.parent is None
    assert root.context.trace_id != link.context.trace_id
    assert (work.context.trace_id, work.links) == (root.context.trace_id, ())


def test_another_trace_is_not_linked(tracer: trace.Tracer, spans: InMemorySpanExporter, edge: None) -> None:
    """A root that has nothing to do with the request has no link."""
    propagate.extract({"traceparent": CLIENT}, Context())
    tracer.start_span("job", Context()).end()

    assert spans.get_finished_spans()[0].links == ()


@pytest.mark.parametrize(
    ("url", "recorded"),
    [
        ("http://api.example/v1?q=secret&page=2", "http://api.example/v1?q=REDACTED&page=2"),
        ("http://localhost/v1?q=secret&page=2", "http://localhost/v1?q=secret&page=2"),
        ("http://10.1.2.3:80/v1?q=secret", "http://10.1.2.3:80/v1?q=secret"),
        ("http://api.example/v1", "http://api.example/v1"),
        ("http://api.example/?sk-123", "http://api.example/?REDACTED"),
        ("http://api.example/?page=1;q=secret#at", "http://api.example/?page=1;q=REDACTED#REDACTED"),
        ("http://[/?q=secret", "http://[/?q=REDACTED"),
        ("http://api.example/?p%61ge=2&=x&&q=", "http://api.example/?p%61ge=2&=REDACTED&&q=REDACTED"),
    ],
)
def test_queries_of_third_parties(url: str, recorded: str) -> None:
    """Of a query to a third party the values of listed parameters are recorded; inside all of it is."""
    provider, exported = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(BorderProcessor(border(query_keys=["page"])))
    provider.add_span_processor(SimpleSpanProcessor(exported))

    provider.get_tracer("tests").start_span("GET", kind=SpanKind.CLIENT, attributes={"url.full": url}).end()

    assert exported.get_finished_spans()[0].attributes["url.full"] == recorded


def test_all_keys() -> None:
    """``*`` records every query."""
    assert border(query_keys=["*"]).trim("http://api.example/?q=1") == "http://api.example/?q=1"


@given(st.text(st.characters(blacklist_characters="&;#?", blacklist_categories=("Cs",)), min_size=1), st.text("&;=#?q"))
def test_a_secret_never_stays(secret: str, noise: str) -> None:
    """Whatever stands around it, the value of a parameter that is not listed is not recorded."""
    marked = f"SECRET{secret}"

    assert "SECRET" not in border(query_keys=["page"]).trim(f"https://api.example/a?{noise}&q={marked}&{noise}")
