"""Edge mode and third parties over real connections: uvicorn, httpx and two names of one host."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, DEFAULT_ON, ParentBased, Sampler
from opentelemetry.trace import SpanKind, TraceFlags

from aumos_otel.config import PropagationOptions
from aumos_otel.instrumentation.asgi import Server
from aumos_otel.instrumentation.httpx import Client
from aumos_otel.processors.border import Border, BorderProcessor
from aumos_otel.providers import propagator
from aumos_otel.providers.sampler import PausableSampler

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


class Exported(InMemorySpanExporter):
    """Keeps what is exported, and lets one wait for it: a server ends its span after the client has the answer."""

    def __init__(self) -> None:
        super().__init__()
        self.news = threading.Condition()

    def export(self, spans: Any) -> Any:
        """Keep, and tell."""
        with self.news:
            self.news.notify_all()
            return super().export(spans)

    def wait(self, count: int) -> tuple[ReadableSpan, ...]:
        """The finished spans, as soon as there are so many."""
        with self.news:
            assert self.news.wait_for(lambda: len(self.get_finished_spans()) >= count, 5)
            return self.get_finished_spans()


@pytest.fixture
def configure() -> Iterator[Callable[..., Exported]]:
    """Global tracing with these options of propagation; returns what is exported."""
    before = propagate.get_global_textmap()

    def start(sampler: Sampler = DEFAULT_ON, **options: Any) -> Exported:
        resolved = PropagationOptions(**options).resolve({}, {}, {})
        exported, provider = Exported(), TracerProvider(sampler=sampler, shutdown_on_exit=False)
        provider.add_span_processor(BorderProcessor(Border.of(resolved, ())))
        provider.add_span_processor(SimpleSpanProcessor(exported))
        trace.set_tracer_provider(provider)
        propagator.install(("tracecontext", "baggage"), (), resolved)
        return exported

    yield start
    propagate.set_global_textmap(before)


async def answer(scope: dict, receive: Callable, send: Callable) -> None:
    """Answer 200."""
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})


def instrumented(app: Callable) -> Callable:
    """The application behind our server instrumentation."""
    server = Server({})

    async def traced(scope: dict, receive: Callable, send: Callable) -> None:
        await server(app, scope, receive, send)

    return traced


def plain_get(url: str, **headers: str) -> None:
    """A request of a client without telemetry."""
    with httpx.Client(trust_env=False) as client:
        assert client.get(url, headers=headers).status_code == 200


@pytest.mark.parametrize("flag", ["00", "01"])
def test_a_client_cannot_switch_us_off(configure: Callable, serve: Callable[[object], str], flag: str) -> None:
    """At the edge a request with flag 00 is recorded like any other: a new root, linked to the client's span."""
    exported = configure(edge=True)

    plain_get(serve(instrumented(answer)) + "/chat", traceparent=f"00-{TRACE}-{SPAN}-{flag}")

    (span,) = exported.wait(1)
    (link,) = span.links
    assert (span.kind, span.parent) == (SpanKind.SERVER, None)
    assert f"{span.context.trace_id:032x}" != TRACE
    assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (TRACE, SPAN)
    assert link.context.is_remote


def test_inside_a_client_decides(configure: Callable, serve: Callable[[object], str]) -> None:
    """Without edge mode the caller is one of us: its trace goes on, and its flag is respected."""
    exported, url = configure(), serve(instrumented(answer))

    plain_get(url + "/chat", traceparent=f"00-{TRACE}-{SPAN}-00")
    plain_get(url + "/chat", traceparent=f"00-{TRACE}-{SPAN}-01")

    (span,) = exported.wait(1)
    assert (f"{span.parent.trace_id:032x}", span.links) == (TRACE, ())


def test_the_edge_decides_afresh(configure: Callable, serve: Callable[[object], str]) -> None:
    """A client's flag 01 does not switch us on either: our sampler decides."""
    dropped = threading.Event()
    exported = configure(PausableSampler(ParentBased(ALWAYS_OFF), lambda: False, dropped.set), edge=True)

    plain_get(serve(instrumented(answer)) + "/chat", traceparent=f"00-{TRACE}-{SPAN}-01")

    assert dropped.is_set()
    assert exported.get_finished_spans() == ()


def test_one_server_span_behind_anothers(configure: Callable, serve: Callable[[object], str]) -> None:
    """Where another instrumentation has made the linked server span, ours makes none."""
    exported = configure(edge=True)
    inner = instrumented(answer)

    async def outer(scope: dict, receive: Callable, send: Callable) -> None:
        if scope["type"] != "http":
            return
        headers = {name.decode(): value.decode() for name, value in scope["headers"]}
        parent = propagate.extract(headers, otel_context.Context())
        with trace.get_tracer("other").start_as_current_span("GET", parent, kind=SpanKind.SERVER):
            await inner(scope, receive, send)

    plain_get(serve(outer) + "/chat", traceparent=f"00-{TRACE}-{SPAN}-00")

    (span,) = exported.wait(1)
    assert (span.instrumentation_scope.name, len(span.links)) == ("other", 1)


class Headers(BaseHTTPRequestHandler):
    """Remembers the headers of each request."""

    seen: list[tuple[str, dict[str, str]]]

    def do_GET(self) -> None:
        """Remember and answer."""
        self.seen.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def server() -> Iterator[tuple[int, list]]:
    """A server on loopback: its port, and the requests that it got."""
    handler = type("Seen", (Headers,), {"seen": []})
    http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield http.server_port, handler.seen
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def calls() -> Iterator[Callable[[str], None]]:
    """Send a request with an instrumented client, under baggage."""
    client = Client({})
    client.apply(httpx)

    def call(url: str) -> None:
        token = otel_context.attach(baggage.set_baggage("tenant", "acme"))
        with httpx.Client(trust_env=False) as http:
            http.get(url)
        otel_context.detach(token)

    yield call
    client.remove()


@pytest.mark.parametrize("sampled", [True, False])
def test_two_names_of_one_host(configure: Callable, server: tuple, calls: Callable, sampled: bool) -> None:
    """The same server under a listed name and another: the one gets all, the other nothing, sampled or not."""
    port, seen = server
    exported = configure(
        DEFAULT_ON if sampled else ALWAYS_OFF, traceparent_hosts=["localhost"], baggage_hosts=["localhost"]
    )

    calls(f"http://localhost:{port}/in?q=inside&page=1")
    calls(f"http://127.0.0.1:{port}/out?q=outside&page=1")

    (_, inside), (path, outside) = seen
    assert inside["baggage"] == "tenant=acme"
    assert bool(int(inside["traceparent"][-2:], 16) & TraceFlags.SAMPLED) is sampled
    assert not {"traceparent", "tracestate", "baggage"} & set(outside)
    assert path == "/out?q=outside&page=1"
    urls = [span.attributes["url.full"] for span in exported.wait(2 if sampled else 0)]
    expected = [f"http://localhost:{port}/in?q=inside&page=1", f"http://127.0.0.1:{port}/out?q=REDACTED&page=REDACTED"]
    assert urls == (expected if sampled else [])


def test_the_default(configure: Callable, server: tuple, calls: Callable) -> None:
    """By default everybody gets the trace and nobody outside the list the baggage."""
    port, seen = server
    configure(baggage_hosts=["localhost"])

    calls(f"http://localhost:{port}/")
    calls(f"http://127.0.0.1:{port}/")

    assert [("traceparent" in headers, "baggage" in headers) for _, headers in seen] == [(True, True), (True, False)]
