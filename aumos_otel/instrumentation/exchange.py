"""One request or websocket connection: its span is current inside, and ends with the response."""

from __future__ import annotations

from time import perf_counter, time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind

from aumos_otel import guard
from aumos_otel._internal import ambient
from aumos_otel.instrumentation import conventions, routes
from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from types import TracebackType

    from opentelemetry.context import Context

    from aumos_otel.instrumentation.asgi import Message, Scope, Send, Server
    from aumos_otel.instrumentation.incoming import Headers

#: Where swallowed failures are counted.
SITE: Final = "instrumentation.asgi"

_SERVER_ERROR: Final = 500

#: Exceptions by which Starlette says that the client is gone: no error of the server.
_CLIENT_LEFT: Final = ("ClientDisconnect", "WebSocketDisconnect")


class Exchange:
    """A request under its span.

    Args:
        server: what is decided once a process.
        scope: of the application.
        forward: sends to the client.
        parent: the context that the client sent.
        headers: those that have been read.
    """

    __slots__ = (
        "_active",
        "_answered_at",
        "_context",
        "_ended",
        "_forward",
        "_method",
        "_scheme",
        "_scope",
        "_server",
        "_span",
        "_started",
        "_status",
        "_token",
        "_trailers",
        "_version",
        "_word",
    )

    _method: str | None

    def __init__(self, server: Server, scope: Scope, forward: Send, parent: Context, headers: Headers) -> None:
        self._started = perf_counter()
        self._server, self._scope, self._forward = server, scope, forward
        self._status: int | None = None
        self._trailers = self._ended = False
        self._answered_at: tuple[float, int] | None = None
        scheme = self._scheme = scope.get("scheme", "http")
        attributes: dict[str, Any] = {names.URL_SCHEME: scheme, names.URL_PATH: scope["path"]}
        if scope["type"] == "http":
            self._word, self._method = conventions.note_method(str(scope["method"]), server.methods, attributes)
            version = self._version = scope.get("http_version") or None
            if version is not None:
                attributes[names.NETWORK_PROTOCOL_VERSION] = version
            self._active = server.instruments.active[self._method, scheme]
        else:
            self._word, self._method = "WS", None  # without a method there are no metrics
            attributes[names.NETWORK_PROTOCOL_NAME] = names.NETWORK_PROTOCOL_NAME_WEBSOCKET
        address, port = server.reader.address(headers, scope)
        if address is not None:
            attributes[names.SERVER_ADDRESS] = address
        if port is not None:
            attributes[names.SERVER_PORT] = port
        query = scope.get("query_string")
        if query:
            attributes[names.URL_QUERY] = conventions.redact_query(bytes(query).decode("latin-1"))
        client = scope.get("client")
        if client:
            attributes[names.CLIENT_ADDRESS] = client[0]
        agent = headers.get(b"user-agent")
        if agent is not None:
            attributes[names.USER_AGENT_ORIGINAL] = agent.decode("latin-1")
        if server.capture.wants_request:
            attributes.update(server.capture.request(scope.get("headers") or ()))
        self._span = server.instruments.tracer.start_span(self._word, parent, SpanKind.SERVER, attributes)
        self._context = ambient.context_with_span(parent, self._span)

    def __enter__(self) -> None:
        if self._method is not None:
            try:
                self._active(1, context=self._context)
            except Exception as failure:  # noqa: BLE001 - it is counted
                guard.told(SITE, failure)
        self._token = ambient.attach_context(self._context)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        if not self._ended:
            self._end(error)
        if not isinstance(error, GeneratorExit):  # then this runs in the context of whoever collects garbage
            conventions.leave(self._token)

    async def send(self, message: Message) -> None:
        """Send to the client, and watch the response go by."""
        last = False
        try:
            kind = message["type"]
            if kind == "http.response.body":
                last = not (message.get("more_body") or self._trailers)
            else:
                last = self._note(kind, message)
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(SITE, failure)
        await self._forward(message)
        if last and not self._ended:
            self._answered()

    def _note(self, kind: str, message: Message) -> bool:
        """Remember what ``message`` says; whether it is the last one of the response."""
        if kind in ("http.response.start", "websocket.http.response.start"):
            self._status = int(message["status"])
            self._trailers = bool(message.get("trailers"))
            if self._server.capture.wants_response:
                self._span.set_attributes(self._server.capture.response(message.get("headers") or ()))
        elif kind == "websocket.accept":
            self._status = 101
        elif kind == "websocket.close" and self._status is None:
            self._status = 403  # what servers answer to a refused handshake
        return kind == "http.response.pathsend" or (
            kind == "http.response.trailers" and not message.get("more_trailers")
        )

    def _answered(self) -> None:
        """The response is complete; after a server error the exception is still on its way up to here."""
        if self._status is not None and self._status < _SERVER_ERROR:
            self._end(None)
        elif self._answered_at is None:
            self._answered_at = (perf_counter(), time_ns())

    def _end(self, error: BaseException | None) -> None:
        """End the span and record the duration, once; later failures belong to background tasks."""
        self._ended = True
        now, end_time = self._answered_at or (perf_counter(), None)
        try:
            try:
                self._tell(error, now)
            finally:
                try:
                    if self._method is not None:
                        self._active(-1, context=self._context)
                finally:
                    self._span.end(end_time)
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(SITE, failure)

    def _tell(self, error: BaseException | None, now: float) -> None:
        """Say on span and metric what became of the request."""
        status, kind = self._status, None
        if error is not None and type(error).__name__ in _CLIENT_LEFT:
            error = None
        elif status is None and self._method is not None and (error is None or isinstance(error, Exception)):
            status = _SERVER_ERROR  # what servers answer for an application that did not
        if error is not None:
            kind = conventions.error_type(error)
        elif status is not None and status >= _SERVER_ERROR:
            kind = str(status)
        result: dict[str, Any] = {}
        route = routes.template(self._scope)
        if route:
            result[names.HTTP_ROUTE] = route
            self._span.update_name(f"{self._word} {route}")
        if status is not None:
            result[names.HTTP_RESPONSE_STATUS_CODE] = status
        if kind is not None:
            result[names.ERROR_TYPE] = kind
        self._span.set_attributes(result)
        if kind is not None:
            conventions.record_error(self._span, error)
        if self._method is not None:
            series = self._method, route, status, self._scheme, self._version, kind
            self._server.instruments.server_duration[series](now - self._started, context=self._context)
