"""FastAPI: one server span a request, whichever of `import fastapi` and ``configure()`` came first.

The class's ``__call__`` is wrapped in place, as soon as FastAPI is imported.  It is the outermost
point of the application and is looked up at every request, so it does not matter who imported the
class earlier, nor whether the middleware stack was built before (``configure()`` may be called in
the lifespan function).
"""

from __future__ import annotations

import functools
import sys
from types import MethodType
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from aumos_otel import _compat, guard

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

    from aumos_otel.instrumentation.asgi import App, Receive, Scope, Send, Server

#: The module whose import makes the patch due.
MODULE: Final = "fastapi.applications"

#: FastAPI's own telemetry leaves a request alone when its scope has this key.
_NATIVE: Final = "fastapi.telemetry"


class Instrumented:
    """Any ASGI application under our server span."""

    def __init__(self, app: App, server: Server) -> None:
        self.app, self.server = app, server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the application."""
        await self.server(self.app, scope, receive, send)


class Patch:
    """The wrapped ``FastAPI.__call__`` and the applications that it is for.

    Args:
        server: makes the spans.
        everywhere: all FastAPI applications, or only those passed to `instrument`.
        refused: is told that FastAPI's own exporters were kept from being added.
    """

    def __init__(self, server: Server, *, everywhere: bool, refused: Callable[[], object]) -> None:
        self.server = server
        self._everywhere, self._refused = everywhere, refused
        self._chosen: WeakSet[Any] = WeakSet()
        self._undo: list[Callable[[], None]] = []

    def apply(self, module: ModuleType) -> None:
        """Wrap the class of ``fastapi.applications``; once."""
        if self._undo:
            return
        kind, original = module.FastAPI, module.FastAPI.__call__

        @functools.wraps(original)
        async def call(app: Any, scope: Scope, receive: Receive, send: Send) -> None:
            if self._is_ours(app, scope):
                await self.server(MethodType(original, app), scope, receive, send)
            else:
                await original(app, scope, receive, send)

        def undo() -> None:
            if kind.__call__ is call:
                kind.__call__ = original

        kind.__call__ = call
        self._undo.append(undo)

    def instrument(self, app: Any) -> Any:
        """Instrument one application and return what is to be served; twice is like once."""
        fastapi, starlette = sys.modules.get(MODULE), sys.modules.get("starlette.applications")
        if isinstance(app, Instrumented):
            app.server = self.server
            return app
        if fastapi is not None and isinstance(app, fastapi.FastAPI):
            self.apply(fastapi)
            self._chosen.add(app)
        elif starlette is not None and isinstance(app, starlette.Starlette):
            self._wrap_stack(app)
        else:
            return Instrumented(app, self.server)
        return app

    def remove(self) -> None:
        """Put the class back as it was; applications that are wrapped one by one are let through."""
        self.server.active = False
        while self._undo:
            self._undo.pop()()

    def _wrap_stack(self, app: Any) -> None:
        """Go around the middleware stack of a Starlette application, built already or not."""
        build = app.build_middleware_stack
        if not isinstance(build, _Stack):
            app.build_middleware_stack = _Stack(build, self.server)
        elif build.server is self.server:
            return
        else:  # telemetry was shut down and configured anew
            build.server = self.server
        if isinstance(app.middleware_stack, Instrumented):
            app.middleware_stack.server = self.server
        elif app.middleware_stack is not None:
            app.middleware_stack = Instrumented(app.middleware_stack, self.server)

    def _is_ours(self, app: Any, scope: Scope) -> bool:
        """Whether this request gets our span; if it does, FastAPI's native telemetry stands aside."""
        with guard.swallow("instrumentation.fastapi"):
            if not self.server.active or not (self._everywhere or app in self._chosen):
                return False
            if scope["type"] == "lifespan":
                self._refuse_exporters(app)
            elif _compat.instrumented_by_contrib(app):
                return False  # contrib's FastAPIInstrumentor.instrument_app() was here
            else:
                scope.setdefault(_NATIVE, None)
            return True
        return False

    def _refuse_exporters(self, app: Any) -> None:
        """FastAPI(auto_configure) would add exporters of its own to our providers: everything twice."""
        native = _compat.native_telemetry(app)
        if native.get("auto_configure"):
            native["auto_configure"] = False
            self._refused()


class _Stack:
    """Builds a Starlette middleware stack and goes around it."""

    def __init__(self, build: Callable[[], App], server: Server) -> None:
        self._build, self.server = build, server

    def __call__(self) -> Instrumented:
        """The stack under our span."""
        return Instrumented(self._build(), self.server)
