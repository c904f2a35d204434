"""FastAPI's own telemetry, and contrib's instrumentors, beside ours: one server span a request."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import trace
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.trace import SpanKind

import aumos_otel as aumos
from aumos_otel import instrumentation
from aumos_otel.semconv import attributes as names
from aumos_otel.testing import Capture

Get = Callable[..., httpx.Response]


def new_app() -> FastAPI:
    """A small application."""
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: str) -> dict:
        return {"tenant": aumos.current_identity().tenant_id}

    return app


def servers(telemetry: Capture) -> list[tuple[str, str]]:
    """Scope and name of the server spans."""
    return [(s.instrumentation_scope.name, s.name) for s in telemetry.spans if s.kind is SpanKind.SERVER]


@pytest.fixture
def contrib() -> Iterator[None]:
    """Take contrib's patches back after the test."""
    yield
    if FastAPIInstrumentor().is_instrumented_by_opentelemetry:
        FastAPIInstrumentor().uninstrument()


def test_native_telemetry_is_there_without_ours_and_stands_aside_for_it(
    instrumented: Callable[..., Capture], get: Get
) -> None:
    """The native spans that this FastAPI makes by itself are gone, with its metrics, once ours are on."""
    native = instrumented(instrumentations=False)
    get(new_app(), "/items/1")
    assert ("fastapi", "GET /items/{item_id}") in servers(native)
    ours = instrumented()
    get(new_app(), "/items/1")
    assert [(span.instrumentation_scope.name, span.name) for span in ours.spans] == [
        ("aumos_otel.http", "GET /items/{item_id}")
    ]
    assert len(ours.metrics["http.server.request.duration"]) == 1


def test_exporters_that_fastapi_would_add_are_refused_and_reported(
    telemetry: Capture, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """FASTAPI_OTEL_AUTO_CONFIGURE adds nothing to our providers, and describe() says so."""
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")
    app = new_app()
    processors = trace.get_tracer_provider()._active_span_processor._span_processors
    messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

    async def receive() -> dict:
        return next(messages)

    async def send(message: dict) -> None:
        pass

    asyncio.run(app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send))
    assert trace.get_tracer_provider()._active_span_processor._span_processors == processors
    (report,) = [report for report in instrumentation.reports() if report.name == "fastapi"]
    assert "refused" in report.reason
    assert "refused" in caplog.text


def test_an_application_that_contrib_has_instrumented_is_left_to_it(
    telemetry: Capture, contrib: None, get: Get
) -> None:
    """FastAPIInstrumentor.instrument_app() was the user's choice."""
    app = new_app()
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["send", "receive"])
    get(app, "/items/1")
    assert servers(telemetry) == [("opentelemetry.instrumentation.fastapi", "GET /items/{item_id}")]
    assert names.HTTP_REQUEST_METHOD in telemetry.spans[0].attributes


@pytest.mark.parametrize("headers", [{}, {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}])
def test_a_contrib_middleware_around_the_application_makes_the_span(
    instrumented: Callable[..., Capture], get: Get, headers: dict
) -> None:
    """A server span of the same request is recognised, with and without a remote parent; identity is bound."""
    telemetry = instrumented(identity=aumos.from_headers(tenant_id="X-Tenant-ID"))
    app = OpenTelemetryMiddleware(new_app(), exclude_spans=["send", "receive"])
    assert get(app, "/items/1", headers={"x-tenant-id": "acme", **headers}).json() == {"tenant": "acme"}
    assert [scope for scope, _ in servers(telemetry)] == ["opentelemetry.instrumentation.asgi"]


@pytest.mark.parametrize("first", ["contrib", "ours"])
def test_contribs_class_swap_makes_no_second_span(
    instrumented: Callable[..., Capture], contrib: None, get: Get, first: str
) -> None:
    """FastAPIInstrumentor().instrument() before or after configure(): one server span."""
    import fastapi

    if first == "contrib":
        FastAPIInstrumentor().instrument(exclude_spans=["send", "receive"])
        telemetry = instrumented()
    else:
        telemetry = instrumented()
        FastAPIInstrumentor().instrument(exclude_spans=["send", "receive"])
    app = fastapi.FastAPI()
    app.get("/items/{item_id}")(lambda item_id: item_id)
    get(app, "/items/1")
    assert len(servers(telemetry)) == 1


SERVICE = """
import json, sys, threading, time, urllib.request
order, where = sys.argv[1:]
if order == "fastapi first":
    from fastapi import FastAPI
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import aumos_otel as aumos
spans = InMemorySpanExporter()
def configure():
    return aumos.configure(destinations=[], metrics=False, span_processors=[SimpleSpanProcessor(spans)])
if where == "at the top":
    telemetry = configure()
    assert (order == "fastapi first") == ("fastapi" in sys.modules), "configure() must not import fastapi"
from contextlib import asynccontextmanager
from fastapi import FastAPI
import uvicorn
@asynccontextmanager
async def lifespan(app):
    if where == "in the lifespan":
        configure()
    yield
app = FastAPI(lifespan=lifespan)
@app.get("/items/{item_id}")
async def item(item_id: str):
    return {}
server = uvicorn.Server(uvicorn.Config(app, port=0, log_config=None))
thread = threading.Thread(target=server.run)
thread.start()
while not server.started:
    assert thread.is_alive()
    time.sleep(0.01)
port = server.servers[0].sockets[0].getsockname()[1]
for path in ("/items/1", "/items/2", "/health"):
    try:
        urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").read()
    except OSError:
        pass
server.should_exit = True
thread.join()
print(json.dumps([[s.kind.name, s.name, s.attributes["http.route"]] for s in spans.get_finished_spans()]))
"""


@pytest.mark.parametrize("where", ["at the top", "in the lifespan"])
@pytest.mark.parametrize("order", ["fastapi first", "configure first"])
def test_the_import_order_does_not_matter(order: str, where: str) -> None:
    """A real uvicorn server: one server span a request, `from fastapi import FastAPI` before or after."""
    environ = {**os.environ, "AUMOS_OTEL_HANDLE_SIGNALS": "false"}
    ran = subprocess.run(
        [sys.executable, "-W", "error", "-c", SERVICE, order, where],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env=environ,
    )
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == [["SERVER", "GET /items/{item_id}", "/items/{item_id}"]] * 2
