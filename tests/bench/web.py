"""CPU that instrumentation adds to a request: contrib's on the bare SDK beside ours, ``python tests/bench/web.py``.

Neither side has a network: the ASGI applications are called directly, httpx has a pool that answers at once.  A figure
is (instrumented - plain), a ratio that of ours to contrib's in the same round.  Contrib is measured as it comes (with
a span for each message that is sent) and with these left out.

The CPU of the thread is what the request pays.  That of the process has delivery in it.  It is not like for like: ours
redacts and encodes, the exporter of the bare SDK does nothing (``--encode`` lets it encode).
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Any

import httpcore
import httpx
from calls import Null, configure, flush
from fastapi import FastAPI
from opentelemetry import propagate
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.instrumentation.asgi import OpenTelemetryMiddleware
from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from rich.console import Console
from rich.table import Table
from rounds import Contestant, Costs, Figure, Job, above, compared, interleave, median, nothing, ratio

ROUNDS = 30
CALLS = 150

TRACEPARENT = (b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")
HEADERS = (
    (b"host", b"service.example:8000"),
    (b"user-agent", b"python-httpx/0.28.1"),
    (b"accept", b"*/*"),
    (b"accept-encoding", b"gzip, deflate"),
    (b"connection", b"keep-alive"),
)
URL = "http://service.example:8000/items/7?page=2"

App = Callable[..., Awaitable[None]]
Call = Callable[[], Awaitable[object]]

#: The classes as they are without anybody's instrumentation.
_FASTAPI_CALL = FastAPI.__call__
_HANDLE, _HANDLE_ASYNC = httpx.HTTPTransport.handle_request, httpx.AsyncHTTPTransport.handle_async_request


class Encoding(Null):
    """Encodes, and does nothing more."""

    def export(self, spans: Any) -> Any:
        """Encode."""
        encode_spans(spans).SerializeToString()
        return super().export(spans)


class Untouched(FastAPI):
    """FastAPI that our patch of the class does not reach."""

    __call__ = _FASTAPI_CALL


class UntouchedTransport(httpx.HTTPTransport):
    """The same for httpx."""

    handle_request = _HANDLE


class UntouchedAsyncTransport(httpx.AsyncHTTPTransport):
    """The same for asynchronous httpx."""

    handle_async_request = _HANDLE_ASYNC


class Stream:
    """A body of nothing, in both ways of reading."""

    def __iter__(self) -> Any:
        return iter(())

    async def __aiter__(self) -> Any:
        return
        yield


class Pool:
    """Answers at once."""

    def handle_request(self, _request: object) -> httpcore.Response:
        """Answer."""
        return httpcore.Response(
            200, headers=[(b"content-length", b"0")], content=Stream(), extensions={"http_version": b"HTTP/1.1"}
        )

    async def handle_async_request(self, request: object) -> httpcore.Response:
        """Answer."""
        return self.handle_request(request)


def asgi(app: App, *headers: tuple[bytes, bytes]) -> Call:
    """One GET of an application."""
    base = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "GET",
        "scheme": "http",
        "path": "/items/7",
        "raw_path": b"/items/7",
        "root_path": "",
        "query_string": b"page=2",
        "server": ("127.0.0.1", 8000),
        "client": ("127.0.0.1", 50000),
        "fastapi.telemetry": None,  # FastAPI's own telemetry stands aside for everybody
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(_message: object) -> None:
        pass

    return lambda: app({**base, "headers": [*HEADERS, *headers]}, receive, send)


async def bare_app(scope: Any, _receive: Any, send: Any) -> None:
    """An application that answers and does nothing else."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"{}"})


def routed(kind: type[FastAPI]) -> FastAPI:
    """A FastAPI application with a route."""
    app = kind()

    @app.get("/items/{item_id}")
    async def item(item_id: str, page: int = 1) -> dict[str, Any]:
        return {"item": item_id, "page": page}

    return app


def synchronous(transport: httpx.HTTPTransport) -> tuple[httpx.Client, Call]:
    """A client, and one GET by it."""
    transport._pool = Pool()
    client = httpx.Client(transport=transport, trust_env=False)

    async def call() -> None:
        client.get(URL)  # noqa: ASYNC212 - nothing waits: the pool answers at once

    return client, call


def asynchronous(transport: httpx.AsyncHTTPTransport) -> tuple[httpx.AsyncClient, Call]:
    """A client, and one GET by it."""
    transport._pool = Pool()
    client = httpx.AsyncClient(transport=transport, trust_env=False)
    return client, lambda: client.get(URL)


def contestants(spans: TracerProvider) -> dict[str, dict[str, Call]]:
    """What is measured: the calls of each scene, by contestant; contrib's spans go to ``spans``."""
    meters = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False)
    bare: dict[str, Any] = {"tracer_provider": spans, "meter_provider": meters}
    lean: dict[str, Any] = {**bare, "exclude_spans": ["send", "receive"]}
    contrib, contrib_lean = routed(Untouched), routed(Untouched)
    FastAPIInstrumentor.instrument_app(contrib, **bare)
    FastAPIInstrumentor.instrument_app(contrib_lean, **lean)
    plain, plain_async = synchronous(UntouchedTransport())[1], asynchronous(UntouchedAsyncTransport())[1]
    client, contrib_sync = synchronous(UntouchedTransport())
    async_client, contrib_async = asynchronous(UntouchedAsyncTransport())
    for instrumented in (client, async_client):
        HTTPXClientInstrumentor.instrument_client(instrumented, **bare)
    asgi_contrib, asgi_lean = OpenTelemetryMiddleware(bare_app, **bare), OpenTelemetryMiddleware(bare_app, **lean)

    telemetry = configure(instrumentations=True)
    ours, untouched, asgi_ours = routed(FastAPI), routed(Untouched), telemetry.instrument(bare_app)

    def served(*headers: tuple[bytes, bytes]) -> dict[str, Call]:
        apps = {"plain": untouched, "contrib": contrib, "contrib, one span": contrib_lean, "ours": ours}
        return {name: asgi(app, *headers) for name, app in apps.items()}

    return {
        "ASGI": {
            "plain": asgi(bare_app),
            "contrib": asgi(asgi_contrib),
            "contrib, one span": asgi(asgi_lean),
            "ours": asgi(asgi_ours),
        },
        "FastAPI": served(),
        "FastAPI, in a trace": served(TRACEPARENT),
        "httpx": {"plain": plain, "contrib": contrib_sync, "ours": synchronous(httpx.HTTPTransport())[1]},
        "httpx, async": {
            "plain": plain_async,
            "contrib": contrib_async,
            "ours": asynchronous(httpx.AsyncHTTPTransport())[1],
        },
    }


def measure(scene: dict[str, Call], propagators: dict[str, Any], flushes: dict[str, Job], rounds: int) -> Costs:
    """What each contestant takes, with its own propagator."""

    async def many(call: Call) -> None:
        for _ in range(CALLS):
            await call()

    def job(call: Call, side: str) -> None:
        propagate.set_global_textmap(propagators.get(side, propagators["contrib"]))
        runner.run(many(call))

    def contestant(name: str) -> Contestant:
        side = name.partition(",")[0]
        return Contestant(lambda: job(scene[name], side), units=CALLS, flush=flushes.get(side, nothing))

    with asyncio.Runner() as runner:
        contestants = {name: contestant(name) for name in scene}
        return interleave(lambda _: contestants, rounds)


def measured(exporter: SpanExporter, rounds: int) -> dict[str, Costs]:
    """What each contestant adds, scene by scene."""
    stock = propagate.get_global_textmap()
    bare = TracerProvider(shutdown_on_exit=False)
    bare.add_span_processor(BatchSpanProcessor(exporter))
    scenes = contestants(bare)
    flushes = {"contrib": bare.force_flush, "ours": flush}
    propagators = {"contrib": stock, "ours": propagate.get_global_textmap()}
    found = {}
    for scene, calls in scenes.items():
        costs = measure(calls, propagators, flushes, rounds)
        plain = costs.pop("plain")
        found[scene] = {name: above(each, plain) for name, each in costs.items()}
    return found


def lines(rounds: int) -> list[Figure]:
    """The lines of the table."""
    figures = []
    for scene, added in measured(Null(), rounds).items():
        ours, contrib = added["ours"], added["contrib"]
        note = f"with delivery {ratio(ours, contrib, 'process'):.2f}"
        if "contrib, one span" in added:
            note += f"; to contrib without spans of messages {ratio(ours, added['contrib, one span']):.2f}"
        figures.append(compared(f"added to a request: {scene}", ours, contrib, 0.4, note=note))
    return figures


def main() -> None:
    """Print the table."""
    table = Table("scene", "who", "thread us added", "with delivery", "x contrib (thread)", "x contrib (delivery)")
    for scene, added in measured(Encoding() if "--encode" in sys.argv else Null(), ROUNDS).items():
        table.add_section()
        for name, costs in added.items():
            clocks = ("thread", "process")
            table.add_row(
                scene,
                name,
                *(f"{median(costs, clock) * 1e6:.1f}" for clock in clocks),
                *(f"{ratio(costs, added['contrib'], clock):.3f}" for clock in clocks),
            )
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
