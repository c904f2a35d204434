"""FastAPI through the real application; passes with the oldest FastAPI that is supported as well."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import APIRouter, BackgroundTasks, FastAPI, HTTPException, Request
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.staticfiles import StaticFiles

import aumos_otel as aumos
from aumos_otel import guard, instrumentation
from aumos_otel.semconv import attributes as names
from aumos_otel.testing import Capture

Get = Callable[..., httpx.Response]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def empty() -> dict:
    """An endpoint with nothing to say."""
    return {}


@pytest.fixture
def app(tmp_path: Path) -> FastAPI:
    """Routes of every kind."""
    app = FastAPI()

    @app.get("/items/{item_id}")
    async def item(item_id: str) -> dict:
        return {"item": item_id}

    @app.get("/sync/{item_id}")
    def sync_item(item_id: str) -> dict:
        with aumos.span("inside"):
            return {"item": item_id}

    @app.get("/fails")
    async def fails() -> None:
        raise ValueError("as written")

    @app.get("/refuses")
    async def refuses() -> None:
        raise HTTPException(418, "no")

    inner, outer = APIRouter(prefix="/inner"), APIRouter(prefix="/outer")

    @inner.get("/{name}")
    async def nested(name: str) -> dict:
        return {"name": name}

    outer.include_router(inner)
    app.include_router(outer, prefix="/v1")

    mounted = FastAPI()

    @mounted.get("/orders/{order_id}")
    async def order(order_id: str) -> dict:
        return {"order": order_id}

    app.mount("/tenants/{tenant}", mounted)
    app.mount("/files", StaticFiles(directory=tmp_path))
    for probe in ("/live", "/ready", "/health", "/healthz", "/metrics", "/healthy-users", "/health/deep"):
        app.get(probe)(empty)
    return app


@pytest.mark.parametrize(
    ("method", "path", "name", "status"),
    [
        ("GET", "/items/7", "GET /items/{item_id}", 200),
        ("GET", "/sync/7", "GET /sync/{item_id}", 200),
        ("GET", "/v1/outer/inner/x", "GET /v1/outer/inner/{name}", 200),
        ("GET", "/tenants/acme/orders/9", "GET /tenants/{tenant}/orders/{order_id}", 200),
        ("GET", "/tenants/acme/nowhere", "GET /tenants/{tenant}/{path}", 404),
        ("GET", "/files/nothing.txt", "GET /files/{path}", 404),
        ("GET", "/docs", "GET /docs", 200),
        ("GET", "/nowhere/1234", "GET", 404),
        ("POST", "/nowhere/1234", "POST", 404),
        ("DELETE", "/items/7", "DELETE /items/{item_id}", 405),
        ("PURGE", "/items/7", "HTTP /items/{item_id}", 405),
    ],
)
def test_a_request_has_one_server_span_named_by_its_route(  # noqa: PLR0917 - pytest passes them by name
    telemetry: Capture, app: FastAPI, get: Get, method: str, path: str, name: str, status: int
) -> None:
    """Exactly one server span, no send or receive spans, the template as name, the bare method without one."""
    assert get(app, path, method).status_code == status
    servers = [span for span in telemetry.spans if span.kind is SpanKind.SERVER]
    assert [span.name for span in servers] == [name]
    assert {span.name for span in telemetry.spans} <= {name, "inside"}
    route = name.partition(" ")[2] or None
    assert servers[0].attributes.get(names.HTTP_ROUTE) == route
    assert servers[0].attributes[names.HTTP_RESPONSE_STATUS_CODE] == status
    assert servers[0].status.status_code is StatusCode.UNSET


def test_the_server_span_is_current_in_the_endpoint(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """Spans of an endpoint on a worker thread are children of the server span."""
    get(app, "/sync/1")
    inside, server = telemetry.spans
    assert inside.parent.span_id == server.context.span_id


def test_the_span_says_what_was_asked(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """Stable names of the semantic conventions, with credentials of the query replaced."""
    get(app, "/items/1?page=2&api_key=hunter2", headers={"user-agent": "tester"})
    found = dict(telemetry.spans[0].attributes)
    assert "hunter2" not in str(found)
    assert found == {
        names.HTTP_REQUEST_METHOD: "GET",
        names.HTTP_ROUTE: "/items/{item_id}",
        names.HTTP_RESPONSE_STATUS_CODE: 200,
        names.URL_SCHEME: "http",
        names.URL_PATH: "/items/1",
        names.URL_QUERY: "page=2&api_key=REDACTED",
        names.SERVER_ADDRESS: "service.example",
        names.SERVER_PORT: 8000,
        names.CLIENT_ADDRESS: "127.0.0.1",
        names.USER_AGENT_ORIGINAL: "tester",
        names.NETWORK_PROTOCOL_VERSION: "1.1",
    }


def test_the_callers_trace_is_continued(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """A traceparent header makes the server span a child of the remote one."""
    get(app, "/items/1", headers={"traceparent": TRACEPARENT})
    span = telemetry.spans[0]
    assert f"{span.context.trace_id:032x}" == TRACEPARENT.split("-")[1]
    assert span.parent.is_remote


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/healthz", "/metrics"])
def test_probes_have_no_span(telemetry: Capture, app: FastAPI, get: Get, path: str) -> None:
    """Probes and scrapes are answered without telemetry."""
    assert get(app, path).status_code == 200
    assert telemetry.spans == []
    assert "http.server.request.duration" not in telemetry.metrics


@pytest.mark.parametrize("path", ["/healthy-users", "/health/deep", "/items/health"])
def test_only_exactly_the_probes_are_excluded(telemetry: Capture, app: FastAPI, get: Get, path: str) -> None:
    """A path that begins or ends like a probe is an ordinary one."""
    assert get(app, path).status_code == 200
    assert len(telemetry.spans) == 1


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "OTEL_PYTHON_EXCLUDED_URLS"])
def test_the_users_exclusion_replaces_ours(
    monkeypatch: pytest.MonkeyPatch, instrumented: Callable[..., Capture], app: FastAPI, get: Get, variable: str
) -> None:
    """The variables of contrib hold comma-separated regular expressions for the URL."""
    monkeypatch.setenv(variable, "service.example:8000/items/.*,sync")
    telemetry = instrumented()
    for path in ("/items/1", "/sync/1", "/health"):
        assert get(app, path).status_code == 200
    assert [span.name for span in telemetry.spans if span.kind is SpanKind.SERVER] == ["GET /health"]


def test_a_wrong_exclusion_fails_at_configure(monkeypatch: pytest.MonkeyPatch) -> None:
    """A word that is no regular expression is named, with its variable."""
    monkeypatch.setenv("OTEL_PYTHON_FASTAPI_EXCLUDED_URLS", "fine,(")
    with pytest.raises(aumos.ConfigError, match=r"OTEL_PYTHON_FASTAPI_EXCLUDED_URLS: got '\('"):
        instrumentation.enable(True)


def test_an_unhandled_exception_is_an_error_and_stays_the_users(telemetry: Capture, app: FastAPI) -> None:
    """The exception itself arrives at the server; the span has status 500, its type and its text."""
    raised: list[BaseException] = []

    async def run() -> None:
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            try:
                await client.get("/fails")
            except ValueError as error:
                raised.append(error)

    asyncio.run(run())
    assert str(raised[0]) == "as written"
    span = telemetry.span("GET /fails")
    assert span.status.status_code is StatusCode.ERROR
    assert span.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 500
    assert span.attributes[names.ERROR_TYPE] == "ValueError"
    assert [event.name for event in span.events] == ["exception"]
    (point,) = telemetry.metrics["http.server.request.duration"]
    assert point.attributes[names.ERROR_TYPE] == "ValueError"


def test_the_users_exception_handlers_decide(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """Handlers answer as written, under the span; what they answer is what counts."""

    @app.exception_handler(Exception)
    async def last(request: Request, error: Exception) -> JSONResponse:
        return JSONResponse({"span": trace.get_current_span().is_recording()}, 503)

    @app.exception_handler(HTTPException)
    async def refused(request: Request, error: HTTPException) -> PlainTextResponse:
        return PlainTextResponse("mine", error.status_code)

    answer = get(app, "/fails")
    assert (answer.status_code, answer.json()) == (503, {"span": True})
    assert get(app, "/refuses").text == "mine"
    failed, refusing = telemetry.spans
    assert (failed.attributes[names.HTTP_RESPONSE_STATUS_CODE], failed.attributes[names.ERROR_TYPE]) == (
        503,
        "ValueError",
    )
    assert refusing.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 418
    assert names.ERROR_TYPE not in refusing.attributes


def test_a_returned_500_is_an_error_by_its_number(telemetry: Capture, get: Get) -> None:
    """Without an exception error.type is the status."""
    app = FastAPI()
    app.get("/down")(lambda: JSONResponse({}, 503))
    get(app, "/down")
    span = telemetry.spans[0]
    assert (span.attributes[names.ERROR_TYPE], span.status.status_code) == ("503", StatusCode.ERROR)


def test_a_stream_is_one_span_that_covers_the_body(telemetry: Capture, get: Get) -> None:
    """Twenty chunks make one span, open until the last of them."""
    app = FastAPI()
    seen: list[int] = []

    async def chunks() -> AsyncIterator[bytes]:
        for number in range(20):
            seen.append(len(telemetry.spans))
            yield f"{number}\n".encode()
            await asyncio.sleep(0)

    app.get("/stream")(lambda: StreamingResponse(chunks()))
    assert len(get(app, "/stream").text.split()) == 20
    assert seen == [0] * 20
    assert [span.name for span in telemetry.spans] == ["GET /stream"]


def test_a_stream_that_breaks_is_an_error(telemetry: Capture, get: Get) -> None:
    """An exception after the status has been sent leaves the status and sets the error."""
    app = FastAPI()

    def chunks() -> Iterator[bytes]:
        yield b"first"
        raise KeyError("second")

    app.get("/stream")(lambda: StreamingResponse(chunks()))
    get(app, "/stream")
    span = telemetry.spans[0]
    assert span.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 200
    assert span.attributes[names.ERROR_TYPE] == "KeyError"


def test_a_client_that_leaves_a_stream_is_no_error_of_the_server(telemetry: Capture, serve: Callable) -> None:
    """The span ends when the client is gone, without an error."""
    app = FastAPI()
    gone = threading.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            while True:
                yield b"x" * 65536
                await asyncio.sleep(0.001)
        finally:
            gone.set()

    app.get("/endless")(lambda: StreamingResponse(chunks()))
    with httpx.stream("GET", serve(app) + "/endless") as response:
        next(response.iter_bytes())
    assert gone.wait(10)
    wait_for(lambda: any(span.name == "GET /endless" for span in telemetry.spans))
    span = telemetry.span("GET /endless")
    assert names.ERROR_TYPE not in span.attributes
    assert span.status.status_code is StatusCode.UNSET


def test_background_tasks_are_in_the_trace_and_not_in_the_duration(telemetry: Capture, get: Get) -> None:
    """The span has ended when a background task starts; spans of the task are its children."""
    app = FastAPI()
    ended: list[int] = []

    def work() -> None:
        ended.append(len(telemetry.spans))
        with aumos.span("work"):
            pass

    @app.get("/later")
    async def later(tasks: BackgroundTasks) -> dict:
        tasks.add_task(work)
        return {}

    get(app, "/later")
    server, task = telemetry.spans
    assert ended == [1]
    assert (server.name, task.name) == ("GET /later", "work")
    assert task.parent.span_id == server.context.span_id


def test_the_duration_is_in_seconds_and_bounded(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """Forged hosts, methods and paths make no new series; the buckets are the specified ones."""
    for number in range(10):
        get(app, f"/items/{number}", headers={"host": f"forged-{number}"})
        get(app, f"/nowhere/{number}", f"M{number}")
    points = telemetry.metrics["http.server.request.duration"]
    assert {point.attributes.get(names.HTTP_ROUTE): point.count for point in points} == {
        "/items/{item_id}": 10,
        None: 10,
    }
    assert len(points) == 2
    assert points[0].explicit_bounds[:3] == (0.005, 0.01, 0.025)
    assert all(point.sum < 10 for point in points)
    assert {point.value for point in telemetry.metrics["http.server.active_requests"]} == {0}


def test_the_root_path_belongs_to_the_template(telemetry: Capture, get: Get) -> None:
    """Behind a proxy that keeps the prefix, the template has it and probes are still found."""
    app, mounted = FastAPI(), FastAPI()
    app.get("/items/{item_id}")(lambda item_id: item_id)
    app.get("/health")(empty)
    mounted.get("/orders")(empty)
    app.mount("/sub", mounted)
    for path in ("/api/items/1", "/api/health", "/api/sub/orders", "/api/nowhere"):
        get(app, path, root_path="/api")
    names_seen = [span.name for span in telemetry.spans]
    assert names_seen == ["GET /api/items/{item_id}", "GET /api/sub/orders", "GET"]


def test_middleware_of_the_user_changes_nothing(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """Under BaseHTTPMiddleware, which runs the endpoint in another task, there is one span and its route."""

    class Adding(BaseHTTPMiddleware):
        async def dispatch(self, request: Request, call_next: Callable) -> object:
            response = await call_next(request)
            response.headers["x-added"] = "yes"
            return response

    app.add_middleware(Adding)
    assert get(app, "/items/1").headers["x-added"] == "yes"
    assert [span.name for span in telemetry.spans] == ["GET /items/{item_id}"]


def test_identity_is_bound_for_the_request(instrumented: Callable[..., Capture], app: FastAPI, get: Get) -> None:
    """The server span and everything below carry the tenant; the next request does not."""
    telemetry = instrumented(identity=aumos.from_headers(tenant_id="X-Tenant-ID", user_id="X-User"))
    get(app, "/sync/1", headers={"x-tenant-id": "acme", "X-USER": "u-1"})
    get(app, "/sync/1")
    mine, others = telemetry.spans[:2], telemetry.spans[2:]
    for span in mine:
        assert (span.attributes[names.AUMOS_TENANT_ID], span.attributes[names.USER_ID]) == ("acme", "u-1")
    assert not any(names.AUMOS_TENANT_ID in span.attributes for span in others)
    assert aumos.current_identity().tenant_id is None


def test_an_identity_that_raises_is_counted_and_the_request_goes_on(
    instrumented: Callable[..., Capture], app: FastAPI, get: Get
) -> None:
    """A defect of the user's own function costs the identity, not the request."""

    def broken(scope: object) -> dict:
        raise LookupError

    telemetry = instrumented(identity=broken)
    guard.set_strict(False)
    before = guard.swallowed().get("instrumentation.identity", 0)
    assert get(app, "/items/1").status_code == 200
    assert len(telemetry.spans) == 1
    assert guard.swallowed()["instrumentation.identity"] == before + 1


def test_headers_are_captured_on_demand_and_never_credentials(
    monkeypatch: pytest.MonkeyPatch, instrumented: Callable[..., Capture], app: FastAPI, get: Get
) -> None:
    """The variables of contrib choose the headers; authorization and cookies are replaced whatever they say."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_REQUEST", "x-.*,authorization,cookie")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_SERVER_RESPONSE", "content-type")
    telemetry = instrumented()
    get(app, "/items/1", headers={"x-a": "1", "authorization": "Bearer hunter2", "cookie": "s=hunter2"})
    found = telemetry.spans[0].attributes
    assert found["http.request.header.x_a"] == ("1",)
    assert found["http.response.header.content_type"] == ("application/json",)
    assert "hunter2" not in str(dict(found))


def test_configuring_in_the_lifespan_is_early_enough(instrumented: Callable[..., Capture], get: Get) -> None:
    """The middleware stack is built by then, which defeats instrumentation by middleware."""
    app = FastAPI()
    app.get("/items/{item_id}")(lambda item_id: item_id)
    app.middleware_stack = app.build_middleware_stack()
    telemetry = instrumented()
    get(app, "/items/1")
    assert [span.name for span in telemetry.spans] == ["GET /items/{item_id}"]


def test_a_call_in_process_has_a_server_span_of_its_own(telemetry: Capture, app: FastAPI, get: Get) -> None:
    """A service that calls another application without a network has two requests and two spans."""
    outer = FastAPI()

    @outer.get("/outer")
    async def calls() -> dict:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://inner") as client:
            return (await client.get("/items/1")).json()

    get(outer, "/outer")
    assert [span.name for span in telemetry.spans] == ["GET /items/{item_id}", "GET /outer"]


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until something that happens on another thread has happened."""
    done = threading.Event()
    for _ in range(500):
        if condition():
            return
        done.wait(0.01)
    pytest.fail("it did not happen in time")
