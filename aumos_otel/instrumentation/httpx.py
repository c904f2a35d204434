"""httpx and httpx2: one client span for each request that goes to the network.

Ours and not contrib's instrumentor: that one has no duration for requests that fail, keeps
``api_key=…`` in `url.full`, and imports both libraries when either is used.
"""

from __future__ import annotations

import functools
import sys
from time import perf_counter
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import propagate, trace
from opentelemetry.trace import SpanKind

from aumos_otel import _compat, guard
from aumos_otel._internal import ambient
from aumos_otel.instrumentation import conventions
from aumos_otel.processors import border
from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType, TracebackType

    from opentelemetry.context import Context

#: The two libraries have the same classes; openai >= 3 sends through the second.
MODULES: Final = ("httpx", "httpx2")

_SITE: Final = "instrumentation.httpx"
_CONTRIB: Final = "opentelemetry.instrumentation.httpx"

_DEFAULT_PORTS: Final = {"http": 80, "https": 443}


class Client:
    """What is decided once a process, and the patched transports."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.methods = conventions.known_methods(environ)
        self.capture = conventions.HeaderCapture("CLIENT", environ)
        self.instruments = conventions.Instruments()
        self._excluded_urls = conventions.excluded_urls("HTTPX", environ)
        self._undo: dict[str, list[Callable[[], None]]] = {}

    def apply(self, module: ModuleType) -> bool:
        """Wrap the transports of ``httpx`` or ``httpx2``, once; False when contrib has done so before."""
        contrib = getattr(sys.modules.get(_CONTRIB), f"{module.__name__.upper()}ClientInstrumentor", None)
        if contrib is not None and contrib().is_instrumented_by_opentelemetry:
            return False
        if module.__name__ not in self._undo:
            self._undo[module.__name__] = [
                _replace(module.HTTPTransport, "handle_request", self._wrap),
                _replace(module.AsyncHTTPTransport, "handle_async_request", self._wrap_async),
            ]
        return True

    def remove(self) -> None:
        """Put the transports back as they were."""
        while self._undo:
            for undo in self._undo.popitem()[1]:
                undo()  # where somebody has wrapped ours, it stays and lets everything through

    def _wrap(self, original: Any) -> Any:
        @functools.wraps(original)
        def handle_request(transport: Any, request: Any) -> Any:
            call = self._open(request)
            if call is None:
                return original(transport, request)
            with call:
                response = original(transport, request)
                call.answered(response)
            return response

        return handle_request

    def _wrap_async(self, original: Any) -> Any:
        @functools.wraps(original)
        async def handle_async_request(transport: Any, request: Any) -> Any:
            call = self._open(request)
            if call is None:
                return await original(transport, request)
            with call:
                response = await original(transport, request)
                call.answered(response)
            return response

        return handle_async_request

    def _open(self, request: Any) -> Call | None:
        """The span for this request, not yet current; None when there is to be none of ours."""
        try:
            context = ambient.current_context()
            if not self._undo or (context and _compat.http_suppressed(context)):
                return None
            if self._excluded_urls is not None and self._excluded_urls.url_disabled(str(request.url)):
                return None
            if context:
                current = trace.get_current_span(context)
                if conventions.is_foreign(current, SpanKind.CLIENT) and _is_contrib(current):
                    return None
            self.instruments.refresh()
            return Call(self, request, context)
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(_SITE, failure)
        return None


class Call:
    """One request on the wire: its span is current inside, and ends with the response's headers."""

    __slots__ = ("_client", "_context", "_error", "_host", "_method", "_port", "_span", "_started", "_status", "_token")

    def __init__(self, client: Client, request: Any, context: Context) -> None:
        self._client = client
        self._status: int | None = None
        self._error: str | None = None
        url = request.url
        host = self._host = url.host
        port = self._port = url.port or _DEFAULT_PORTS.get(url.scheme)
        attributes: dict[str, Any] = {names.SERVER_ADDRESS: host, names.URL_FULL: conventions.redact_url(str(url))}
        if port is not None:
            attributes[names.SERVER_PORT] = port
        word, self._method = conventions.note_method(request.method, client.methods, attributes)
        if client.capture.wants_request:
            attributes.update(client.capture.request(request.headers.raw))
        self._span = client.instruments.tracer.start_span(word, context, SpanKind.CLIENT, attributes)
        self._context = ambient.context_with_span(context, self._span)
        try:
            propagate.inject(request.headers, border.towards(self._context, host))
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(_SITE, failure)
        self._started = perf_counter()

    def __enter__(self) -> None:
        self._token = ambient.attach_context(self._context)

    def __exit__(
        self, _kind: type[BaseException] | None, error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        seconds = perf_counter() - self._started
        try:
            try:
                if error is not None:
                    self._error = conventions.error_type(error)
                    self._span.set_attribute(names.ERROR_TYPE, self._error)
                    conventions.record_error(self._span, error)
                series = self._method, self._host, self._port, self._status, self._error
                self._client.instruments.client_duration[series](seconds, context=self._context)
            finally:
                self._span.end()
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(_SITE, failure)
        finally:
            if not isinstance(error, GeneratorExit):  # then this runs in the context of whoever collects garbage
                conventions.leave(self._token)

    def answered(self, response: Any) -> None:
        """Note what the server said; from 400 on it is an error of this call."""
        try:
            status = self._status = int(response.status_code)
            result: dict[str, Any] = {names.HTTP_RESPONSE_STATUS_CODE: status}
            version = str(response.http_version).removeprefix("HTTP/")
            if version:
                result[names.NETWORK_PROTOCOL_VERSION] = version
            if status >= 400:  # noqa: PLR2004 - client errors begin there
                self._error = result[names.ERROR_TYPE] = str(status)
                conventions.record_error(self._span, None)
            if self._client.capture.wants_response:
                result.update(self._client.capture.response(response.headers.raw))
            self._span.set_attributes(result)
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(_SITE, failure)


def _is_contrib(span: Any) -> bool:
    return str(span.instrumentation_scope.name).startswith(_CONTRIB)


def _replace(owner: Any, name: str, wrap: Callable[[Any], Any]) -> Callable[[], None]:
    """Wrap a method of a class; returns what undoes it, unless somebody has wrapped it again since."""
    original = getattr(owner, name)
    ours = wrap(original)

    def undo() -> None:
        if getattr(owner, name) is ours:
            setattr(owner, name, original)

    setattr(owner, name, ours)
    return undo
