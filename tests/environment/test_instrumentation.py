"""The variables of HTTP instrumentation, which our FastAPI and httpx parts share with contrib's."""

from __future__ import annotations

import asyncio

import httpx
import pytest
from fastapi import FastAPI, Response
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from servers.otlp import HTTPSink
from servers.work import in_memory

HEADERS = {"X-Question": "why", "X-Odd": "hidden", "Authorization": "Bearer secret"}
KINDS = {"SERVER": SpanKind.SERVER, "CLIENT": SpanKind.CLIENT}


def serve(method: str = "GET") -> None:
    """One request to a FastAPI application, without a network."""
    app = FastAPI()

    @app.api_route("/items", methods=["GET", "BREW"])
    def items() -> Response:
        return Response("", headers={"Set-Cookie": "a=secret"})

    async def call() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://shop.example") as client:
            await client.request(method, "/items", headers=HEADERS)

    asyncio.run(call())


def ask() -> None:
    """One request of an httpx client to a server on loopback."""
    with HTTPSink() as server:
        httpx.post(f"{server.url}/v1/traces", headers=HEADERS)


EXCHANGES = {"SERVER": serve, "CLIENT": ask}


def of(spans: InMemorySpanExporter, side: str) -> list[ReadableSpan]:
    """The finished spans of a side."""
    return [span for span in spans.get_finished_spans() if span.kind is KINDS[side]]


@pytest.mark.parametrize(
    ("variable", "header", "value"),
    [
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "X-Question", "why"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE", "Content-Length", "0"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", "X-Question", "why"),
        ("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", "Content-Length", "0"),
    ],
)
def test_captured_headers(
    variable: str, header: str, value: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The named headers are on the span, credentials never readable."""
    side, direction = variable.split("_")[-2:]
    monkeypatch.setenv(variable, f"{header},Authorization,Set-Cookie")
    in_memory(spans, instrumentations=True)
    EXCHANGES[side]()

    (span,) = of(spans, side)
    found = {name.replace("-", "_"): found for name, found in span.attributes.items()}
    assert found[f"http.{direction.lower()}.header.{header.lower().replace('-', '_')}"] == (value,)
    assert "secret" not in repr(span.attributes)


@pytest.mark.parametrize("variable", ["OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SANITIZE_FIELDS"])
def test_sanitized_headers(variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Further headers may be hidden."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "X-Odd")
    monkeypatch.setenv(variable, "x-odd")
    in_memory(spans, instrumentations=True)
    serve()

    (span,) = of(spans, "SERVER")
    assert "odd" in repr(span.attributes)
    assert "hidden" not in repr(span.attributes)


@pytest.mark.parametrize("variable", ["OTEL_INSTRUMENTATION_HTTP_KNOWN_METHODS"])
@pytest.mark.parametrize(("value", "method"), [("", "_OTHER"), ("GET,BREW", "BREW")])
def test_known_methods(
    value: str, method: str, variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A method that is not known is recorded as _OTHER."""
    monkeypatch.setenv(variable, value)
    in_memory(spans, instrumentations=True)
    serve("BREW")

    (span,) = of(spans, "SERVER")
    assert span.attributes["http.request.method"] == method


@pytest.mark.parametrize(
    ("variable", "sides"),
    [
        ("OTEL_PYTHON_EXCLUDED_URLS", {"SERVER", "CLIENT"}),
        ("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", {"SERVER"}),
        ("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", {"CLIENT"}),
    ],
)
def test_excluded_urls(
    variable: str, sides: set[str], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """URLs that match have no span, on the side that is named."""
    monkeypatch.setenv(variable, "/items,/traces")
    in_memory(spans, instrumentations=True)
    serve()
    ask()

    assert {side for side in KINDS if not of(spans, side)} == sides
