"""One server span for each request or websocket connection of an ASGI application.

Ours and not contrib's `OpenTelemetryMiddleware`, because service level indicators are read from
it: contrib's duration includes background tasks, a mounted application's route is cut at the
mount, and a query string that is not UTF-8 makes it answer 500 in the application's place.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import nullcontext
from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.instrumentation.utils import is_http_instrumentation_enabled
from opentelemetry.propagators.textmap import Getter
from opentelemetry.trace import SpanKind

from aumos_otel import context, guard
from aumos_otel.instrumentation import conventions, routes
from aumos_otel.processors import border
from aumos_otel.semconv import attributes as names
from aumos_otel.semconv import metrics as metric_names

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from contextlib import AbstractContextManager
    from types import TracebackType

    Scope = MutableMapping[str, Any]
    Message = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[Message]]
    Send = Callable[[Message], Awaitable[None]]
    App = Callable[[Scope, Receive, Send], Awaitable[None]]
    IdentityOf = Callable[[Mapping[str, Any]], Mapping[str, str | None]]

#: Paths without a span by default: probes and scrapes.  Exactly these, not what begins with them.
PROBES: Final = frozenset({"/live", "/ready", "/health", "/healthz", "/metrics"})

#: Seconds that the end of the lifespan waits for the flush.
LIFESPAN_BUDGET: Final = 5.0

#: A request that carries it in its scope is taken care of further out.
_MARK: Final = "aumos_otel"

_LIFESPAN_ENDS: Final = frozenset({"lifespan.shutdown.complete", "lifespan.shutdown.failed", "lifespan.startup.failed"})
_SERVER_ERROR: Final = 500

#: Exceptions by which Starlette says that the client is gone: no error of the server.
_CLIENT_LEFT: Final = ("ClientDisconnect", "WebSocketDisconnect")
_PARTS: Final = ("tenant_id", "session_id", "user_id")


class _ScopeGetter(Getter["Scope"]):
    """Reads propagation headers from an ASGI scope; repeated ones are joined, as for a list header."""

    def get(self, carrier: Scope, key: str) -> list[str] | None:
        wanted = key.lower().encode("latin-1")
        values = [
            bytes(value).decode("latin-1")
            for name, value in carrier.get("headers") or ()
            if bytes(name).lower() == wanted
        ]
        return [",".join(values)] if values else None

    def keys(self, carrier: Scope) -> list[str]:
        return [bytes(name).decode("latin-1") for name, _ in carrier.get("headers") or ()]


_GETTER: Final = _ScopeGetter()


class Server:
    """What is decided once a process; calling it runs an application under a span."""

    def __init__(
        self,
        environ: Mapping[str, str],
        identity: IdentityOf | None = None,
        on_lifespan_shutdown: Callable[[], object] | None = None,
    ) -> None:
        self.active = True
        self.identity = identity
        self.methods = conventions.known_methods(environ)
        self.capture = conventions.HeaderCapture("SERVER", environ)
        self.instruments = conventions.Instruments()
        self._on_lifespan_shutdown = on_lifespan_shutdown
        self._excluded_urls = conventions.excluded_urls("FASTAPI", environ)

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Run ``app``; what goes wrong in here never reaches it."""
        if _MARK in scope or not self.active:
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._lifespan(app, scope, receive, send)
        elif scope["type"] in ("http", "websocket"):
            exchange = self._open(scope)
            with exchange or nullcontext(), self._bind(scope):
                await app(scope, receive, exchange.sender(send) if exchange else send)
        else:
            await app(scope, receive, send)

    def _open(self, scope: Scope) -> Exchange | None:
        """The span for this request, not yet current; None when there is to be none of ours."""
        with guard.swallow("instrumentation.asgi"):
            scope[_MARK] = True
            if not is_http_instrumentation_enabled() or self._excluded(scope):
                return None
            # On an empty context: what was current when the server was started is no parent of requests.
            parent = propagate.extract(scope, otel_context.Context(), _GETTER)
            if _is_traced(parent):
                return None
            self.instruments.refresh()
            return Exchange(self, scope, parent)
        return None

    def _excluded(self, scope: Scope) -> bool:
        root, path = scope.get("root_path") or "", scope["path"]
        if self._excluded_urls is None:
            inner = path.removeprefix(root) if path.startswith(f"{root}/") else path
            return inner in PROBES
        host = _GETTER.get(scope, "host")
        return self._excluded_urls.url_disabled(f"{scope.get('scheme', 'http')}://{host[0] if host else ''}{path}")

    def _bind(self, scope: Scope) -> AbstractContextManager[object]:
        """The request's identity, bound for as long as the application runs."""
        if self.identity is not None:
            with guard.swallow("instrumentation.identity"):
                found = self.identity(scope) or {}
                known = {part: found[part] for part in _PARTS if found.get(part) is not None}
                if known:
                    return context.bind(**known)
        return nullcontext()

    async def _lifespan(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Flush before the server hears that shutdown is complete: uvicorn may then kill the process."""
        flush = self._on_lifespan_shutdown
        if flush is None:
            await app(scope, receive, send)
            return
        scope[_MARK] = True

        async def flushing(message: Message) -> None:
            if message["type"] in _LIFESPAN_ENDS:
                await _run_bounded(flush, LIFESPAN_BUDGET)
            await send(message)

        await app(scope, receive, flushing)


class Exchange:
    """One request or connection: its span is current inside, and ends with the response."""

    __slots__ = (
        "_answered_at",
        "_attributes",
        "_context",
        "_ended",
        "_method",
        "_scope",
        "_server",
        "_span",
        "_started",
        "_status",
        "_token",
        "_trailers",
    )

    def __init__(self, server: Server, scope: Scope, parent: otel_context.Context) -> None:
        self._server, self._scope = server, scope
        self._status: int | None = None
        self._trailers = self._ended = False
        self._answered_at: tuple[float, int] | None = None
        self._started = perf_counter()
        self._attributes, details = _request_attributes(scope, server)
        method = self._attributes.get(names.HTTP_REQUEST_METHOD, "WS")
        self._method = "HTTP" if method == conventions.OTHER_METHOD else method
        self._span = server.instruments.tracer.start_span(
            self._method, parent, SpanKind.SERVER, self._attributes | details
        )
        self._context = trace.set_span_in_context(self._span, parent)

    def __enter__(self) -> None:
        with guard.swallow("instrumentation.asgi"):
            self._count(1)
        self._token = otel_context.attach(self._context)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        self._end(error)
        if not isinstance(error, GeneratorExit):  # then this runs in the context of whoever collects garbage
            otel_context.detach(self._token)

    def sender(self, send: Send) -> Send:
        """``send`` that watches the response go by."""

        async def watching(message: Message) -> None:
            with guard.swallow("instrumentation.asgi"):
                self._note(message)
            await send(message)
            if self._is_last(message):
                self._answered()

        return watching

    def _answered(self) -> None:
        """The response is complete; after a server error the exception is still on its way up to here."""
        if self._answered_at is None:
            self._answered_at = (perf_counter(), time_ns())
        if self._status is not None and self._status < _SERVER_ERROR:
            self._end(None)

    def _note(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._status = int(message["status"])
            self._trailers = bool(message.get("trailers"))
            self._span.set_attributes(self._server.capture.response(message.get("headers") or ()))
        elif kind == "websocket.accept":
            self._status = 101
        elif kind == "websocket.close" and self._status is None:
            self._status = 403  # what servers answer to a refused handshake

    def _is_last(self, message: Message) -> bool:
        kind = message.get("type")
        if kind == "http.response.body":
            return not message.get("more_body") and not self._trailers
        return kind == "http.response.pathsend" or (
            kind == "http.response.trailers" and not message.get("more_trailers")
        )

    def _end(self, error: BaseException | None) -> None:
        """End the span and record the duration, once; later failures belong to background tasks."""
        if self._ended:
            return
        self._ended = True
        now, end_time = self._answered_at or (perf_counter(), None)
        with guard.swallow("instrumentation.asgi"):
            http = self._scope["type"] == "http"
            if type(error).__name__ in _CLIENT_LEFT:
                error = None
            elif http and self._status is None and (error is None or isinstance(error, Exception)):
                self._status = _SERVER_ERROR  # what servers answer for an application that did not
            self._describe_result(error)
            if http:
                metric = metric_names.HTTP_SERVER_REQUEST_DURATION
                values = conventions.subset(self._attributes, metric)
                self._server.instruments.server_duration.record(now - self._started, values, self._context)
        with guard.swallow("instrumentation.asgi"):
            self._count(-1)
        with guard.swallow("instrumentation.asgi"):
            self._span.end(end_time)

    def _describe_result(self, error: BaseException | None) -> None:
        result: dict[str, Any] = {}
        route = routes.template(self._scope)
        if route:
            result[names.HTTP_ROUTE] = route
            self._span.update_name(f"{self._method} {route}")
        if self._status is not None:
            result[names.HTTP_RESPONSE_STATUS_CODE] = self._status
        if error is not None:
            result[names.ERROR_TYPE] = conventions.error_type(error)
        elif self._status is not None and self._status >= _SERVER_ERROR:
            result[names.ERROR_TYPE] = str(self._status)
        self._attributes |= result
        self._span.set_attributes(result)
        if names.ERROR_TYPE in result:
            conventions.record_error(self._span, error)

    def _count(self, change: int) -> None:
        """Requests in flight; a websocket is none."""
        if self._scope["type"] == "http":
            metric = metric_names.HTTP_SERVER_ACTIVE_REQUESTS
            self._server.instruments.active.add(change, conventions.subset(self._attributes, metric), self._context)


def _request_attributes(scope: Scope, server: Server) -> tuple[dict[str, Any], dict[str, Any]]:
    """What is known at the start: for metrics and span, and for the span alone."""
    shared: dict[str, Any] = {names.URL_SCHEME: scope.get("scheme", "http")}
    if scope["type"] == "http":
        shared |= conventions.method_attributes(str(scope["method"]), server.methods)
        if scope.get("http_version"):
            shared[names.NETWORK_PROTOCOL_VERSION] = scope["http_version"]
    else:
        shared[names.NETWORK_PROTOCOL_NAME] = names.NETWORK_PROTOCOL_NAME_WEBSOCKET
    headers = scope.get("headers") or ()
    details: dict[str, Any] = {names.URL_PATH: scope["path"], **_address(scope), **server.capture.request(headers)}
    if scope.get("query_string"):
        details[names.URL_QUERY] = conventions.redact_query(bytes(scope["query_string"]).decode("latin-1"))
    if scope.get("client"):
        details[names.CLIENT_ADDRESS] = scope["client"][0]
    agent = _GETTER.get(scope, "user-agent")
    if agent:
        details[names.USER_AGENT_ORIGINAL] = agent[0]
    return shared, details


def _address(scope: Scope) -> dict[str, Any]:
    """The server as the client named it; on the span only, since anyone can send any Host."""
    host = _GETTER.get(scope, "host")
    address, port = scope.get("server") or (None, None)
    if host:
        try:
            parts = urlsplit(f"//{host[0]}")
            address, port = parts.hostname, parts.port
        except ValueError:
            address = port = None
    known = {names.SERVER_ADDRESS: address, names.SERVER_PORT: port}
    return {name: value for name, value in known.items() if value is not None}


def _is_traced(parent: otel_context.Context) -> bool:
    """Whether another instrumentation, e.g. a middleware around the application, has made the server span."""
    current = trace.get_current_span()
    if not conventions.is_foreign(current, SpanKind.SERVER):
        return False
    remote = border.stranger(parent) or trace.get_current_span(parent).get_span_context()
    above = [getattr(current, "parent", None), *(link.context for link in getattr(current, "links", ()))]
    return not remote.is_valid or any(span is not None and span.span_id == remote.span_id for span in above)


async def _run_bounded(job: Callable[[], object], seconds: float) -> None:
    """Run ``job`` on a daemon thread and wait at most ``seconds``, leaving the event loop free."""
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:  # trio
        loop = None
    done = asyncio.Event()

    def work() -> None:
        with guard.swallow("instrumentation.lifespan"):
            job()
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

    with guard.swallow("instrumentation.lifespan"):
        thread = threading.Thread(target=work, name="aumos-otel-lifespan", daemon=True)
        thread.start()
        if loop is None:
            thread.join(seconds)  # nothing else runs at this point of a shutdown
        else:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(done.wait(), seconds)
