"""Which libraries are instrumented, by whom, and why not the others.

FastAPI, httpx and httpx2 are instrumented here, when and if the program imports them.  Every
other library is instrumented by the distribution that registers it in the entry-point group
``opentelemetry_instrumentor``, when the library is installed.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import wrapt

from aumos_otel import _compat, guard
from aumos_otel._internal import forking
from aumos_otel.instrumentation import registry
from aumos_otel.instrumentation.identity import HeaderIdentity, from_headers
from aumos_otel.instrumentation.registry import Report, Switches

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import ModuleType

    from aumos_otel.instrumentation.asgi import IdentityOf
    from aumos_otel.instrumentation.fastapi import Patch
    from aumos_otel.instrumentation.httpx import Client

__all__ = [
    "HeaderIdentity",
    "Report",
    "check",
    "disable",
    "enable",
    "from_headers",
    "instrument_app",
    "reports",
    "set_identity",
]

logger = logging.getLogger("aumos_otel")


@dataclass(slots=True)
class _State:
    """What is instrumented in this process."""

    environ: Mapping[str, str]
    identity: IdentityOf | None
    on_lifespan_shutdown: Callable[[], object] | None
    fastapi_everywhere: bool = False
    clients: set[str] = field(default_factory=set)
    reports: dict[str, Report] = field(default_factory=dict)
    patch: Patch | None = None
    client: Client | None = None
    instrumentors: list[Any] = field(default_factory=list)
    restore: Callable[[], None] | None = None


_lock = threading.RLock()
_state: _State | None = None
_hooked: set[str] = set()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked child needs another lock under the same name
    _lock = threading.RLock()


forking.in_child(_renew_lock)


def enable(
    enabled: Mapping[str, bool] | bool = True,  # noqa: FBT001, FBT002 - the public option is a bool or a mapping
    environ: Mapping[str, str] = os.environ,
    *,
    identity: IdentityOf | None = None,
    on_lifespan_shutdown: Callable[[], object] | None = None,
) -> list[Report]:
    """Instrument what is installed; call it once the global providers are set.

    Args:
        enabled: False for nothing; a mapping of entry-point or distribution names to bools
            switches single ones and beats OTEL_PYTHON_DISABLED_INSTRUMENTATIONS.
        environ: the environment variables.
        identity: tenant, session and user of a request, from its ASGI scope.
        on_lifespan_shutdown: flushes; run on a thread when an ASGI application has shut down.

    Returns:
        one report for each instrumentation; later news is in `reports`.

    Raises:
        ConfigError: a variable that holds no regular expression.
    """
    global _state  # noqa: PLW0603 - the libraries are patched once a process
    with _lock:
        disable()
        check(environ)
        switches = Switches(enabled, environ)
        state = _state = _State(environ, identity, on_lifespan_shutdown)
        state.restore = _compat.prefer_stable_http(environ)
        for library in registry.BUILT_IN:
            _enable_built_in(library, switches, state)
        others, state.instrumentors = registry.enable_others(switches)
        for report in others:
            _note(report)
            if report.state == "failed":
                logger.warning("instrumentation %s (%s): %s", report.name, report.distribution, report.reason)
        return reports()


def check(environ: Mapping[str, str]) -> None:
    """Find a wrong value in a variable now, not at the first import of a library.

    Raises:
        ConfigError: a word of OTEL_PYTHON_*_EXCLUDED_URLS or of
            OTEL_INSTRUMENTATION_HTTP_CAPTURE_HEADERS_* is no regular expression.
    """
    from aumos_otel.instrumentation import conventions  # noqa: PLC0415 - not needed to import the package

    for library in ("FASTAPI", "HTTPX"):
        conventions.excluded_urls(library, environ)
    for side in ("SERVER", "CLIENT"):
        conventions.HeaderCapture(side, environ)


def reports() -> list[Report]:
    """What became of each instrumentation, as of now."""
    return [] if _state is None else list(_state.reports.values())


def disable() -> None:
    """Take everything back that `enable` did."""
    global _state
    with _lock:
        state, _state = _state, None
        if state is None:
            return
        for part in (state.patch, state.client):
            if part is not None:
                part.remove()
        for instrumentor in state.instrumentors:
            with guard.swallow("instrumentation.disable"):
                instrumentor.uninstrument()
        if state.restore is not None:
            state.restore()


def set_identity(identity: IdentityOf) -> None:
    """Take identities of requests from ``identity`` from now on."""
    if _state is not None:
        _state.identity = identity
        if _state.patch is not None:
            _state.patch.server.identity = identity


def instrument_app(app: Any) -> Any:
    """Instrument one ASGI application and return what is to be served; twice is like once.

    FastAPI and Starlette applications are instrumented in place; any other is wrapped.
    """
    if _state is None:
        return app
    if not callable(app):
        logger.warning("instrument(): got %s, expected an ASGI application; it is left alone", type(app).__name__)
        return app
    return _server_patch(_state).instrument(app)


def _enable_built_in(library: str, switches: Switches, state: _State) -> None:
    off = switches.off(library)
    if off is not None:
        _note(Report(library, library, "disabled", off))
    elif library == "logging":
        _note(_logging_report())
    elif find_spec(library) is None:
        _note(Report(library, library, "skipped", f"{library} is not installed"))
    else:
        found = registry.installed(library) or library
        _note(Report(library, found, "enabled", "takes effect when the program imports it"))
        if library == "fastapi":
            state.fastapi_everywhere = True
            _when_imported("fastapi.applications", _fastapi_imported)
        else:
            state.clients.add(library)
            _when_imported(library, _httpx_imported)


def _logging_report() -> Report:
    """The standard library's records are the pipeline's own business."""
    contrib = sys.modules.get("opentelemetry.instrumentation.logging")
    instrumentor = getattr(contrib, "LoggingInstrumentor", None)
    if instrumentor is not None and instrumentor().is_instrumented_by_opentelemetry:
        reason = "opentelemetry-instrumentation-logging was enabled before; its handler sends each record a second time"
        return Report("logging", "logging", "enabled", reason)
    return Report("logging", "logging", "enabled", "handled by configure()")


def _when_imported(module: str, hook: Callable[[ModuleType], None]) -> None:
    """Call ``hook`` when ``module`` is imported, or now; hooks stay, so they ask for the current state."""
    if module in _hooked:
        loaded = sys.modules.get(module)
        if loaded is not None:
            hook(loaded)
        return
    _hooked.add(module)
    wrapt.register_post_import_hook(hook, module)


def _fastapi_imported(module: ModuleType) -> None:
    with guard.swallow("instrumentation.fastapi"):
        if _state is not None and _state.fastapi_everywhere:
            _server_patch(_state).apply(module)
            _imported("fastapi")


def _httpx_imported(module: ModuleType) -> None:
    with guard.swallow("instrumentation.httpx"):
        if _state is not None and module.__name__ in _state.clients:
            if _state.client is None:
                from aumos_otel.instrumentation.httpx import Client  # noqa: PLC0415 - only with httpx

                _state.client = Client(_state.environ)
            ours = _state.client.apply(module)
            _imported(module.__name__, "" if ours else "contrib's instrumentor was there before, left alone")


def _server_patch(state: _State) -> Patch:
    if state.patch is None:
        from aumos_otel.instrumentation.asgi import Server  # noqa: PLC0415 - only in services
        from aumos_otel.instrumentation.fastapi import Patch  # noqa: PLC0415 - same

        server = Server(state.environ, state.identity, state.on_lifespan_shutdown)
        state.patch = Patch(server, everywhere=state.fastapi_everywhere, refused=_exporters_refused)
    return state.patch


def _imported(library: str, news: str = "") -> None:
    if _state is not None:
        _note(replace(_state.reports[library], reason=news))


def _exporters_refused() -> None:
    reason = (
        "FastAPI's auto_configure (FASTAPI_OTEL_AUTO_CONFIGURE) was refused: "
        "its exporters would send everything a second time"
    )
    logger.warning("%s", reason)
    _imported("fastapi", reason)


def _note(report: Report) -> None:
    if _state is not None:
        key = report.name if report.distribution == registry.OURS else f"{report.name} {report.distribution}"
        _state.reports[key] = report
