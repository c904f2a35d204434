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
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry.trace import SpanKind

from aumos_otel import _compat, context, guard
from aumos_otel._internal import ambient
from aumos_otel.instrumentation import conventions
from aumos_otel.instrumentation.exchange import SITE, Exchange
from aumos_otel.instrumentation.incoming import Reader
from aumos_otel.processors import border

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, MutableMapping
    from contextlib import AbstractContextManager

    from opentelemetry.context import Context

    from aumos_otel.instrumentation.incoming import Headers

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
_PARTS: Final = ("tenant_id", "session_id", "user_id")


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
        self.reader = Reader()
        self._on_lifespan_shutdown = on_lifespan_shutdown
        self._excluded_urls = conventions.excluded_urls("FASTAPI", environ)

    async def __call__(self, app: App, scope: Scope, receive: Receive, send: Send) -> None:
        """Run ``app``; what goes wrong in here never reaches it."""
        if _MARK in scope or not self.active:
            await app(scope, receive, send)
            return
        kind = scope["type"]
        if kind in ("http", "websocket"):
            exchange = self._open(scope, send)
            identity = self.identity
            if identity is not None:
                with exchange or nullcontext(), _bind(identity, scope):
                    await app(scope, receive, send if exchange is None else exchange.send)
            elif exchange is not None:
                with exchange:
                    await app(scope, receive, exchange.send)
            else:
                await app(scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(app, scope, receive, send)
        else:
            await app(scope, receive, send)

    def _open(self, scope: Scope, send: Send) -> Exchange | None:
        """The span for this request, not yet current; None when there is to be none of ours."""
        try:
            scope[_MARK] = True
            current = ambient.current_context()
            if current and _compat.http_suppressed(current):
                return None
            self.reader.refresh()
            headers = self.reader.read(scope)
            if self._excluded(scope, headers):
                return None
            parent = self.reader.parent(headers)
            if current and _is_traced(trace.get_current_span(current), parent):
                return None
            self.instruments.refresh()
            return Exchange(self, scope, send, parent, headers)
        except Exception as failure:  # noqa: BLE001 - it is counted
            guard.told(SITE, failure)
        return None

    def _excluded(self, scope: Scope, headers: Headers) -> bool:
        path = scope["path"]
        if self._excluded_urls is None:
            root = scope.get("root_path")
            return (path.removeprefix(root) if root and path.startswith(f"{root}/") else path) in PROBES
        host = headers.get(b"host", b"").decode("latin-1")
        return self._excluded_urls.url_disabled(f"{scope.get('scheme', 'http')}://{host}{path}")

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


def _bind(identity: IdentityOf, scope: Scope) -> AbstractContextManager[object]:
    """The request's identity, bound for as long as the application runs."""
    with guard.swallow("instrumentation.identity"):
        found = identity(scope) or {}
        known = {part: found[part] for part in _PARTS if found.get(part) is not None}
        if known:
            return context.bind(**known)
    return nullcontext()


def _is_traced(current: trace.Span, parent: Context) -> bool:
    """Whether another instrumentation, e.g. a middleware around the application, has made the server span."""
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
