"""Headers of requests: any spelling, any propagator, any host."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import httpx
import pytest
from fastapi import FastAPI
from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aumos_otel.config import PropagationOptions
from aumos_otel.instrumentation import incoming
from aumos_otel.instrumentation.incoming import Reader
from aumos_otel.providers import propagator
from aumos_otel.semconv import attributes as names
from aumos_otel.testing import Capture

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{SPAN}-01"


@pytest.fixture
def use() -> Iterator[Callable[[TextMapPropagator], Reader]]:
    """Make a propagator the global one; returns a reader that follows it."""
    before = propagate.get_global_textmap()

    def chosen(found: TextMapPropagator) -> Reader:
        propagate.set_global_textmap(found)
        reader = Reader()
        reader.refresh()
        return reader

    yield chosen
    propagate.set_global_textmap(before)


def ours(*words: str, **options: object) -> TextMapPropagator:
    """Our propagator of these names."""
    return propagator.build(words, (), PropagationOptions(**options).resolve({}, {}, {}))


def scope(*headers: tuple[object, object], **more: object) -> dict:
    """A scope with these headers."""
    return {"type": "http", "headers": headers, **more}


def test_headers_are_found_in_any_spelling(use: Callable) -> None:
    """Capital letters and buffers instead of bytes are understood; repeated headers are a list."""
    reader = use(ours("tracecontext", "baggage"))
    found = reader.read(
        scope(
            (b"HOST", b"a.example"),
            (bytearray(b"User-Agent"), memoryview(b"tester")),
            (b"baggage", b"a=1"),
            (b"x-other", b"x"),
            (b"Baggage", b"b=2"),
        )
    )
    assert found == {b"host": b"a.example", b"user-agent": b"tester", b"baggage": b"a=1,b=2"}


def test_without_a_header_of_the_propagator_there_is_nothing_to_extract(
    use: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our W3C propagator is not asked for a request that carries nothing, and is for one that does."""
    reader = use(ours("tracecontext", "baggage", inbound_baggage_keys=["*"]))
    asked: list[object] = []
    monkeypatch.setattr(propagate, "extract", lambda *arguments: asked.append(arguments))

    assert reader.parent(reader.read(scope((b"host", b"a")))) == {}
    assert asked == []
    reader.parent(reader.read(scope((b"host", b"a"), (b"baggage", b"a=1"))))
    assert len(asked) == 1


@pytest.mark.parametrize(
    "words", [("tracecontext", "baggage"), ("baggage", "tracecontext", "b3"), ("jaeger", "baggage")]
)
def test_each_propagator_finds_its_headers(use: Callable, words: tuple[str, ...]) -> None:
    """Trace and baggage arrive by whichever headers the chosen propagators use."""
    reader = use(ours(*words, inbound_baggage_keys=["*"]))
    carried = {"traceparent": TRACEPARENT, "baggage": "a=1"}
    if "jaeger" in words:
        carried = {"uber-trace-id": f"{TRACE}:{SPAN}:0:1", "uberctx-b": "2", "baggage": "a=1"}
    headers = [(name.encode(), value.encode()) for name, value in carried.items()]

    context = reader.parent(reader.read(scope(*headers)))

    sent = trace.get_current_span(context).get_span_context()
    assert (f"{sent.trace_id:032x}", f"{sent.span_id:016x}", sent.is_remote) == (TRACE, SPAN, True)
    assert baggage.get_all(context)["a"] == "1"
    assert ("b" in baggage.get_all(context)) is ("jaeger" in words)


class Sniffing(TextMapPropagator):
    """Takes a header that it does not name among its fields, found by going through all of them."""

    fields = frozenset[str]()

    def inject(self, *_arguments: object, **_named: object) -> None:
        """Nothing."""

    def extract(self, carrier: object, context: object = None, getter: object = None) -> object:
        """Put the tenant among the baggage."""
        for name in getter.keys(carrier):
            if name.startswith("x-tenant"):
                context = baggage.set_baggage("tenant", getter.get(carrier, name.upper())[0], context)
        return context


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_foreign_propagator_sees_all_headers(use: Callable, wrapped: bool) -> None:
    """One that reads other headers than it writes gets them, also beside the W3C ones."""
    inner = [TraceContextTextMapPropagator(), W3CBaggagePropagator(), Sniffing()]
    reader = use(CompositePropagator(inner) if wrapped else Sniffing())

    context = reader.parent(reader.read(scope((b"X-Tenant-Name", b"acme"))))

    assert baggage.get_all(context) == {"tenant": "acme"}


def test_another_propagator_is_followed(use: Callable) -> None:
    """What is installed after the first request is used from then on."""
    reader = use(ours("tracecontext"))
    assert reader.parent(reader.read(scope((b"x-tenant", b"acme")))) == {}
    propagate.set_global_textmap(Sniffing())
    reader.refresh()
    assert baggage.get_all(reader.parent(reader.read(scope((b"x-tenant", b"acme"))))) == {"tenant": "acme"}


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (b"a.example", ("a.example", None)),
        (b"A.example:8000", ("a.example", 8000)),
        (b"[::1]:80", ("::1", 80)),
        (b"", (None, None)),
        (b"[bad", (None, None)),
        (b"a:port", (None, None)),
        (b"\xff", ("\xff", None)),
        (b"a,b", ("a,b", None)),
    ],
)
def test_the_host_header_is_the_server(use: Callable, host: bytes, expected: tuple) -> None:
    """Host and port as the client named them, twice the same; nothing where it makes no sense."""
    reader = use(ours("tracecontext"))
    assert [reader.address({b"host": host}, scope()) for _ in range(2)] == [expected, expected]


@pytest.mark.parametrize(
    ("server", "expected"),
    [(("127.0.0.1", 80), ("127.0.0.1", 80)), (("/run/socket", None), ("/run/socket", None)), (None, (None, None))],
)
def test_without_a_host_header_the_socket_is_the_server(use: Callable, server: object, expected: tuple) -> None:
    """What the server says of itself stands in."""
    assert tuple(use(ours("tracecontext")).address({}, scope(server=server))) == expected


def test_hosts_that_are_remembered_are_bounded(use: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    """Forged hosts do not fill the memory: neither many nor long ones."""
    monkeypatch.setattr(incoming, "_HOSTS", 4)
    reader = use(ours("tracecontext"))
    for number in range(50):
        assert reader.address({b"host": b"h%d:1" % number}, scope()) == (f"h{number}", 1)
        assert reader.address({b"host": b"l" * 300 + b"%d" % number}, scope())[1] is None
        assert len(reader._addresses) <= 4
        assert max(map(len, reader._addresses)) < 256


def test_b3_goes_on_through_an_application(
    instrumented: Callable[..., Capture], get: Callable[..., httpx.Response], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another propagator by configuration the caller's trace is continued, end to end."""
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")
    telemetry, app = instrumented(), FastAPI()

    @app.get("/items")
    async def items() -> dict:
        return {}

    get(app, "/items", headers={"b3": f"{TRACE}-{SPAN}-1", "traceparent": "00-" + "1" * 32 + "-" + "2" * 16 + "-01"})
    (span,) = telemetry.spans
    assert (f"{span.context.trace_id:032x}", f"{span.parent.span_id:016x}") == (TRACE, SPAN)
    assert span.attributes[names.HTTP_ROUTE] == "/items"
