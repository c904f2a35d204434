"""httpx and httpx2 against a real server on loopback."""

from __future__ import annotations

import asyncio
import importlib
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pytest
from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.instrumentation.utils import suppress_http_instrumentation, suppress_instrumentation
from opentelemetry.trace import SpanKind, StatusCode

from aumos_otel import guard, instrumentation
from aumos_otel.instrumentation.conventions import redact_query, redact_url
from aumos_otel.semconv import attributes as names
from aumos_otel.testing import Capture

#: (library, whether its asynchronous client is used)
CLIENTS = [("httpx", False), ("httpx", True), ("httpx2", False), ("httpx2", True)]


class Answering(BaseHTTPRequestHandler):
    """Answers with the status that the path names and the propagation headers that it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer."""
        status = int(self.path.strip("/").partition("?")[0] or 200)
        body = ",".join(f"{name}={self.headers[name]}" for name in ("traceparent", "baggage")).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Answer", "42")
        self.end_headers()
        self.wfile.write(body)

    do_PURGE = do_GET  # noqa: N815 - the name that the base class looks for

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    """The base URL of a server."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture(params=CLIENTS, ids=lambda client: f"{client[0]}-{'async' if client[1] else 'sync'}")
def request_(request: pytest.FixtureRequest) -> Callable[..., httpx.Response]:
    """Send a request with one of the four clients."""
    library, asynchronous = request.param
    module = importlib.import_module(library)

    async def send(method: str, url: str, **options: object) -> httpx.Response:
        async with module.AsyncClient(trust_env=False) as client:
            return await client.request(method, url, **options)

    def send_sync(method: str, url: str, **options: object) -> httpx.Response:
        with module.Client(trust_env=False) as client:
            return client.request(method, url, **options)

    return (lambda *args, **options: asyncio.run(send(*args, **options))) if asynchronous else send_sync


Request = Callable[..., httpx.Response]


def test_a_request_has_one_client_span_and_carries_the_trace(
    telemetry: Capture, server: str, request_: Request
) -> None:
    """Stable names, the method as name, traceparent of this very span."""
    answer = request_("GET", f"{server}/200?page=2")
    (span,) = telemetry.spans
    port = int(server.rpartition(":")[2])
    assert (span.name, span.kind) == ("GET", SpanKind.CLIENT)
    assert dict(span.attributes) == {
        names.HTTP_REQUEST_METHOD: "GET",
        names.URL_FULL: f"{server}/200?page=2",
        names.SERVER_ADDRESS: "127.0.0.1",
        names.SERVER_PORT: port,
        names.HTTP_RESPONSE_STATUS_CODE: 200,
        names.NETWORK_PROTOCOL_VERSION: "1.1",
    }
    assert f"-{span.context.span_id:016x}-" in answer.text
    (point,) = telemetry.metrics["http.client.request.duration"]
    assert dict(point.attributes) == {
        names.HTTP_REQUEST_METHOD: "GET",
        names.SERVER_ADDRESS: "127.0.0.1",
        names.SERVER_PORT: port,
        names.HTTP_RESPONSE_STATUS_CODE: 200,
    }
    assert point.count == 1
    assert point.sum < 10


@pytest.mark.parametrize("status", [404, 503])
def test_an_error_status_is_an_error_of_the_call(
    telemetry: Capture, server: str, request_: Request, status: int
) -> None:
    """For a client, what the server refuses is an error as well."""
    request_("GET", f"{server}/{status}")
    (span,) = telemetry.spans
    assert span.attributes[names.ERROR_TYPE] == str(status)
    assert span.status.status_code is StatusCode.ERROR
    (point,) = telemetry.metrics["http.client.request.duration"]
    assert point.attributes[names.ERROR_TYPE] == str(status)


def test_a_failed_connection_has_a_span_and_a_duration(telemetry: Capture, request_: Request) -> None:
    """The exception is the client's own; its type is on span and metric."""
    with pytest.raises(Exception, match="onnect") as raised:
        request_("GET", "http://127.0.0.1:9/")
    (span,) = telemetry.spans
    kind = f"{type(raised.value).__module__}.{type(raised.value).__qualname__}"
    assert kind.endswith("ConnectError")
    assert span.attributes[names.ERROR_TYPE] == kind
    (point,) = telemetry.metrics["http.client.request.duration"]
    assert point.attributes[names.ERROR_TYPE] == kind


def test_credentials_do_not_get_into_the_url(telemetry: Capture, server: str, request_: Request) -> None:
    """User, password and secret parameters are gone from url.full; the server gets them all."""
    request_("GET", server.replace("//", "//user:hunter2@") + "/200?api_key=hunter2&sig=hunter2&page=2")
    url = telemetry.spans[0].attributes[names.URL_FULL]
    assert url == f"{server}/200?api_key=REDACTED&sig=REDACTED&page=2"


def test_an_unknown_method_is_kept_beside(telemetry: Capture, server: str, request_: Request) -> None:
    """A method of one's own does not make span names or series of its own."""
    request_("PURGE", f"{server}/200")
    (span,) = telemetry.spans
    assert span.name == "HTTP"
    assert span.attributes[names.HTTP_REQUEST_METHOD] == "_OTHER"
    assert span.attributes[names.HTTP_REQUEST_METHOD_ORIGINAL] == "PURGE"


@pytest.mark.parametrize(("hosts", "sent"), [(["127.0.0.1"], "tenant=acme"), (["*.svc"], "None")])
def test_baggage_goes_to_allowed_hosts_only(
    instrumented: Callable[..., Capture], server: str, request_: Request, hosts: list[str], sent: str
) -> None:
    """The trace goes everywhere; baggage only where the propagator is told to send it."""
    instrumented(baggage_hosts=hosts)
    token = otel_context.attach(baggage.set_baggage("tenant", "acme"))
    answer = request_("GET", f"{server}/200")
    otel_context.detach(token)
    assert answer.text.endswith(f"baggage={sent}")
    assert "traceparent=00-" in answer.text


@pytest.mark.parametrize("suppress", [suppress_instrumentation, suppress_http_instrumentation])
def test_suppressed_calls_have_no_span(telemetry: Capture, server: str, request_: Request, suppress: Callable) -> None:
    """What exporters send is not traced, and is not given our headers."""
    with suppress():
        assert "traceparent=None" in request_("GET", f"{server}/200").text
    assert telemetry.spans == []


def test_excluded_urls_have_no_span(
    monkeypatch: pytest.MonkeyPatch, instrumented: Callable[..., Capture], server: str, request_: Request
) -> None:
    """OTEL_PYTHON_HTTPX_EXCLUDED_URLS is for httpx2 as well."""
    monkeypatch.setenv("OTEL_PYTHON_HTTPX_EXCLUDED_URLS", "/204")
    telemetry = instrumented()
    request_("GET", f"{server}/204")
    request_("GET", f"{server}/200")
    assert [span.attributes[names.HTTP_RESPONSE_STATUS_CODE] for span in telemetry.spans] == [200]


def test_headers_are_captured_on_demand(
    monkeypatch: pytest.MonkeyPatch, instrumented: Callable[..., Capture], server: str, request_: Request
) -> None:
    """The client's variables choose the headers; credentials are replaced."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_REQUEST", "authorization")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_CLIENT_RESPONSE", "x-answer")
    telemetry = instrumented()
    request_("GET", f"{server}/200", headers={"authorization": "Bearer hunter2"})
    found = telemetry.spans[0].attributes
    assert found["http.response.header.x_answer"] == ("42",)
    assert found["http.request.header.authorization"] == ("[REDACTED]",)


def test_a_client_that_contrib_has_instrumented_has_one_span(instrumented: Callable[..., Capture], server: str) -> None:
    """Before or after configure(), contrib's span stays the only one."""
    for first in ("contrib", "ours"):
        if first == "contrib":
            HTTPXClientInstrumentor().instrument()
        telemetry = instrumented()
        if first == "ours":
            HTTPXClientInstrumentor().instrument()
        httpx.get(f"{server}/200", trust_env=False)
        HTTPXClientInstrumentor().uninstrument()
        assert [span.instrumentation_scope.name for span in telemetry.spans] == ["opentelemetry.instrumentation.httpx"]
        (report,) = [report for report in instrumentation.reports() if report.name == "httpx"]
        assert ("left alone" in report.reason) == (first == "contrib")


def test_a_cancelled_request_ends_its_span(telemetry: Capture) -> None:
    """The cancellation goes through, the span says what happened."""

    async def run() -> None:
        closed = asyncio.Event()

        async def never(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the client hangs up
            writer.close()
            await writer.wait_closed()
            closed.set()

        silent = await asyncio.start_server(never, "127.0.0.1", 0)
        port = silent.sockets[0].getsockname()[1]
        async with httpx.AsyncClient(trust_env=False) as client:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.get(f"http://127.0.0.1:{port}/")
        await asyncio.wait_for(closed.wait(), 10)
        silent.close()
        await silent.wait_closed()

    asyncio.run(run())
    (span,) = telemetry.spans
    assert span.attributes[names.ERROR_TYPE].endswith("CancelledError")
    assert not trace.get_current_span().is_recording()


@pytest.mark.parametrize("broken", ["tracer", "client_duration", "propagator"])
def test_what_fails_in_here_is_counted_and_the_call_goes_on(
    telemetry: Capture, server: str, request_: Request, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A tracer, an instrument or a propagator that is broken costs its own part and nothing of the call's."""
    guard.set_strict(False)
    request_("GET", f"{server}/200")
    if broken == "propagator":
        monkeypatch.setattr("opentelemetry.propagate.inject", None)
    else:
        monkeypatch.setattr(instrumentation._state.client.instruments, broken, None)
    before = guard.swallowed().get("instrumentation.httpx", 0)
    current = otel_context.get_current()
    assert request_("GET", f"{server}/200").status_code == 200
    assert guard.swallowed()["instrumentation.httpx"] > before
    assert len(telemetry.spans) == (1 if broken == "tracer" else 2)
    assert otel_context.get_current() == current


def test_the_transports_are_put_back() -> None:
    """After disable() the classes are as they were."""
    before = httpx.HTTPTransport.handle_request
    instrumentation.enable({"httpx2": False})
    assert httpx.HTTPTransport.handle_request.__wrapped__ is before
    instrumentation.disable()
    assert httpx.HTTPTransport.handle_request is before


LAZY = """
import sys
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import aumos_otel as aumos
spans = InMemorySpanExporter()
telemetry = aumos.configure(destinations=[], metrics=False, span_processors=[SimpleSpanProcessor(spans)])
loaded = {"httpx", "httpx2", "fastapi", "starlette"} & set(sys.modules)
assert not loaded, loaded
from httpx import HTTPTransport, Client
import httpx2
for kind in (Client, httpx2.Client):
    try:
        kind(trust_env=False).get("http://127.0.0.1:9/")
    except Exception:
        pass
assert len(spans.get_finished_spans()) == 2
"""


def test_nothing_is_imported_that_the_program_does_not_import() -> None:
    """configure() loads neither library; they are instrumented when the program imports them."""
    ran = subprocess.run([sys.executable, "-c", LAZY], capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("page=2&size=10", "page=2&size=10"),
        ("access_token=x&X-Amz-Signature=y&AWSAccessKeyId=z", "access_token=REDACTED&X-Amz-Signature=REDACTED&AWSAccessKeyId=REDACTED"),
        ("api%5Fkey=x", "api%5Fkey=REDACTED"),
        ("apikey=x&client-secret=y&code=z&passwd=p", "apikey=REDACTED&client-secret=REDACTED&code=REDACTED&passwd=REDACTED"),
        ("monkey=1&keyword=2&barcode=3&author=4", "monkey=1&keyword=2&barcode=3&author=4"),
        ("token", "token"),
        ("token=", "token="),
        ("a=b=c&&=x", "a=b=c&&=x"),
    ],
)  # fmt: skip
def test_secret_parameters_are_known_by_their_names(query: str, expected: str) -> None:
    """Well-known names are redacted, in any spelling, and innocent ones that contain them are not."""
    assert redact_query(query) == expected


def test_a_url_loses_its_fragment_and_user() -> None:
    """Tokens travel in fragments as well."""
    assert redact_url("https://u:p@h.example:8443/a?b=1#access_token=x") == "https://h.example:8443/a?b=1"
