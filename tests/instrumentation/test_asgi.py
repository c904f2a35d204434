"""Websockets, lifespans, odd requests, and applications that are instrumented one by one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI, Request, WebSocket
from opentelemetry.trace import SpanKind, StatusCode
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from aumos_otel import guard, instrumentation
from aumos_otel.semconv import attributes as names
from aumos_otel.testing import Capture

Get = Callable[..., httpx.Response]


def empty() -> dict:
    """An endpoint with nothing to say."""
    return {}


@pytest.fixture
def app() -> FastAPI:
    """A small application."""
    app = FastAPI()
    app.get("/items/{item_id}")(lambda item_id: {"item": item_id})
    return app


def test_a_query_that_is_no_text_is_harmless(telemetry: Capture, app: FastAPI) -> None:
    """Bytes that no encoding explains reach the application, and the span."""
    sent: list[dict] = []
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/items/1",
        "raw_path": b"/items/1",
        "root_path": "",
        "query_string": b"q=\xff\xfe",
        "headers": [(b"host", b"[bad"), (b"user-agent", b"\xff")],
        "server": None,
        "client": None,
    }

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    assert sent[0]["status"] == 200
    assert telemetry.spans[0].attributes[names.URL_QUERY] == "q=ÿþ"


def test_a_websocket_is_one_span(telemetry: Capture, websocket: Callable) -> None:
    """Ten messages make one span with the route, and no request duration."""
    app = FastAPI()

    @app.websocket("/chat/{room}")
    async def chat(socket: WebSocket, room: str) -> None:
        await socket.accept()
        for _ in range(10):
            await socket.send_text(await socket.receive_text())
        await socket.close()

    sent = websocket(app, "/chat/7", *[{"type": "websocket.receive", "text": str(n)} for n in range(10)])
    assert len(sent) == 12
    (span,) = telemetry.spans
    assert (span.name, span.kind) == ("WS /chat/{room}", SpanKind.SERVER)
    assert span.attributes[names.NETWORK_PROTOCOL_NAME] == "websocket"
    assert span.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 101
    assert "http.server.request.duration" not in telemetry.metrics


def test_a_websocket_client_that_leaves_is_no_error(telemetry: Capture, websocket: Callable) -> None:
    """WebSocketDisconnect reaches the server as raised, the span has no error."""
    app = FastAPI()

    @app.websocket("/chat")
    async def chat(socket: WebSocket) -> None:
        await socket.accept()
        await socket.receive_text()

    with pytest.raises(Exception, match=r"1006|^$"):
        websocket(app, "/chat", {"type": "websocket.disconnect", "code": 1006})
    assert telemetry.spans[0].status.status_code is StatusCode.UNSET


def test_a_websocket_that_is_refused_or_fails_says_so(telemetry: Capture, websocket: Callable) -> None:
    """Closing before accepting is a 403, an exception is an error."""
    app = FastAPI()

    @app.websocket("/closed")
    async def closed(socket: WebSocket) -> None:
        await socket.close()

    @app.websocket("/broken")
    async def broken(socket: WebSocket) -> None:
        await socket.accept()
        raise ZeroDivisionError

    websocket(app, "/closed")
    with pytest.raises(ZeroDivisionError):
        websocket(app, "/broken")
    refused, failed = telemetry.spans
    assert refused.attributes[names.HTTP_RESPONSE_STATUS_CODE] == 403
    assert failed.attributes[names.ERROR_TYPE] == "ZeroDivisionError"


def test_a_cancelled_request_ends_its_span_and_passes_on_the_cancellation(telemetry: Capture) -> None:
    """CancelledError goes through untouched; no status is invented."""
    app = FastAPI()

    @app.get("/wait")
    async def wait() -> None:
        await asyncio.Event().wait()

    async def run() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://x") as client:
            task = asyncio.ensure_future(client.get("/wait"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task

    asyncio.run(run())
    span = telemetry.span("GET /wait")
    assert span.attributes[names.ERROR_TYPE].endswith("CancelledError")
    assert names.HTTP_RESPONSE_STATUS_CODE not in span.attributes


@pytest.mark.parametrize("started", [False, True])
def test_a_starlette_application_is_instrumented_in_place(telemetry: Capture, get: Get, started: bool) -> None:
    """instrument() returns the application; twice is like once, before and after it was started."""

    async def item(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.path_params["item_id"])

    routes = [Route("/items/{item_id}", item), Mount("/sub", Starlette(routes=[Route("/x/{y}", lambda r: None)]))]
    app = Starlette(routes=routes)
    if started:
        get(app, "/items/0")
    for _ in range(2):
        assert telemetry.telemetry.instrument(app) is app
    get(app, "/items/1")
    get(app, "/sub/x/1")
    assert [span.name for span in telemetry.spans] == ["GET /items/{item_id}", "GET /sub/x/{y}"]
    assert telemetry.spans[1].attributes[names.HTTP_RESPONSE_STATUS_CODE] == 500


def test_any_asgi_application_is_wrapped(telemetry: Capture, get: Get) -> None:
    """A bare callable is returned wrapped; wrapping it again changes nothing."""

    async def plain(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["path"] == "/silent":
            return
        if scope["path"] == "/broken":
            raise RuntimeError
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    app = telemetry.telemetry.instrument(plain)
    assert telemetry.telemetry.instrument(app) is app
    assert get(app, "/x").status_code == 204
    get(app, "/broken")
    with pytest.raises(AssertionError):
        get(app, "/silent")
    assert [
        (span.name, span.attributes[names.HTTP_RESPONSE_STATUS_CODE], span.attributes.get(names.ERROR_TYPE))
        for span in telemetry.spans
    ] == [("GET", 204, None), ("GET", 500, "RuntimeError"), ("GET", 500, "500")]


def test_the_series_is_that_of_the_request_as_it_came(telemetry: Capture, get: Get) -> None:
    """An application that rewrites its scope, as behind a proxy, changes no series half way."""

    async def rewriting(scope: dict, receive: Callable, send: Callable) -> None:
        scope |= {"scheme": "https", "method": "PUT", "http_version": "9"}
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    get(telemetry.telemetry.instrument(rewriting), "/x")
    (point,) = telemetry.metrics["http.server.request.duration"]
    assert point.attributes[names.URL_SCHEME] == "http"
    assert point.attributes[names.HTTP_REQUEST_METHOD] == "GET"
    assert point.attributes[names.NETWORK_PROTOCOL_VERSION] == "1.1"
    assert [point.value for point in telemetry.metrics["http.server.active_requests"]] == [0]


@pytest.mark.parametrize("broken", ["tracer", "active", "server_duration"])
def test_what_fails_in_here_is_counted_and_the_request_goes_on(
    telemetry: Capture, get: Get, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracer or an instrument that is broken costs its own part: the answer arrives, the span ends if there is one."""
    guard.set_strict(False)

    async def plain(scope: dict, receive: Callable, send: Callable) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    app = telemetry.telemetry.instrument(plain)
    get(app, "/x")
    monkeypatch.setattr(app.server.instruments, broken, None)
    before = guard.swallowed().get("instrumentation.asgi", 0)
    assert get(app, "/x").status_code == 204
    assert guard.swallowed()["instrumentation.asgi"] > before
    assert len(telemetry.spans) == (2 if broken == "server_duration" else 1)
    assert [point.value for point in telemetry.metrics["http.server.active_requests"]] == [0]


def test_messages_that_are_odd_pass_through(telemetry: Capture) -> None:
    """What no specification knows reaches the server as it is, and is counted."""
    guard.set_strict(False)
    odd: list[object] = [None, {}, {"type": "http.response.start", "status": "many"}, {"type": "x"}]
    sent: list[object] = []

    async def strange(scope: dict, receive: Callable, send: Callable) -> None:
        for message in odd:
            await send(message)

    async def send(message: object) -> None:
        sent.append(message)

    app = telemetry.telemetry.instrument(strange)
    before = guard.swallowed().get("instrumentation.asgi", 0)
    asyncio.run(app({"type": "http", "method": "GET", "path": "/"}, None, send))
    assert sent == odd
    assert guard.swallowed()["instrumentation.asgi"] == before + 3
    assert [span.name for span in telemetry.spans] == ["GET"]


def test_what_is_no_application_is_left_alone(telemetry: Capture, caplog: pytest.LogCaptureFixture) -> None:
    """A wrong argument to instrument() is said and returned."""
    assert telemetry.telemetry.instrument("app:app") == "app:app"
    assert "expected an ASGI application" in caplog.text


def test_switched_off_means_only_on_request(instrumented: Callable[..., Capture], app: FastAPI, get: Get) -> None:
    """With fastapi off no application is touched, except one that instrument() is called for."""
    telemetry = instrumented(instrumentations={"fastapi": False})
    app._telemetry = {**getattr(app, "_telemetry", {}), "tracing": False}
    chosen = FastAPI()
    chosen.get("/chosen")(empty)
    assert telemetry.telemetry.instrument(chosen) is chosen
    get(chosen, "/chosen")
    assert [span.name for span in telemetry.spans] == ["GET /chosen"]


def test_the_class_is_put_back(app: FastAPI) -> None:
    """After disable() FastAPI is as it was, and enabling twice wraps it once."""
    before = FastAPI.__call__
    instrumentation.enable(True)
    instrumentation.enable(True)
    assert FastAPI.__call__.__wrapped__ is before
    instrumentation.disable()
    assert FastAPI.__call__ is before


def lifespan(app: object) -> list[str]:
    """Run the lifespan of an application; the messages it sent."""
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def run() -> None:
        async def receive() -> dict:
            return next(incoming)

        async def send(message: dict) -> None:
            sent.append(message["type"])

        await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)

    asyncio.run(run())
    return sent


def test_the_end_of_the_lifespan_flushes_first(app: FastAPI) -> None:
    """The flush runs on a thread of its own, before the server hears that shutdown is complete."""
    flushed: list[str] = []
    instrumentation.enable(True, on_lifespan_shutdown=lambda: flushed.append(threading.current_thread().name))
    assert lifespan(app) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert flushed == ["aumos-otel-lifespan"]
    instrumentation.disable()


def test_a_flush_that_hangs_or_raises_does_not_hold_up_the_end(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wait is bounded and the loop stays free; an exception is counted."""
    from aumos_otel.instrumentation import asgi

    monkeypatch.setattr(asgi, "LIFESPAN_BUDGET", 0.2)
    release = threading.Event()
    instrumentation.enable(True, on_lifespan_shutdown=lambda: release.wait(30))
    assert lifespan(app)[-1] == "lifespan.shutdown.complete"
    release.set()
    instrumentation.enable(True, on_lifespan_shutdown=lambda: 1 / 0)
    before = guard.swallowed().get("instrumentation.lifespan", 0)
    assert lifespan(app)[-1] == "lifespan.shutdown.complete"
    assert guard.swallowed()["instrumentation.lifespan"] == before + 1
    instrumentation.disable()
