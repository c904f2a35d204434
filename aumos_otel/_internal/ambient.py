"""What is current in this process: the context and the providers, read without a detour.

What `aumos_otel._compat` is for the SDK, this is for the API, which is all that decorators need.  Each private
name of the API is checked here; where one is missing, the public function takes its place.
"""

from __future__ import annotations

import os
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import context as otel_context
from opentelemetry import metrics, trace
from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext
from opentelemetry.trace import propagation

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType

#: Private names of the API that this version does not have.
MISSING: list[str] = []

#: Tells whether we are still in the `contextvars.Context` that a token is of, by public means.
_home: ContextVar[None] = ContextVar("aumos_otel_ambient")


def _attach(context: otel_context.Context) -> Any:
    return _home.set(None), otel_context.attach(context)


def _detach(token: Any) -> None:
    _home.reset(token[0])
    otel_context.detach(token[1])


def _context_functions() -> tuple[Any, Any, Any]:
    runtime = getattr(otel_context, "_RUNTIME_CONTEXT", None)
    variable = getattr(runtime, "_current_context", None)
    if type(runtime) is ContextVarsRuntimeContext and isinstance(variable, ContextVar):
        return variable.get, variable.set, variable.reset
    MISSING.append("opentelemetry.context._RUNTIME_CONTEXT._current_context")
    return otel_context.get_current, _attach, _detach


#: The current context; makes another one current, for a token; gives back the one before it.  The last raises
#: ValueError in another thread or task than that of the token.
current_context, attach_context, detach_context = _context_functions()


def _span_key() -> str:
    key = getattr(propagation, "_SPAN_KEY", None)
    if isinstance(key, str):
        return key
    MISSING.append("opentelemetry.trace.propagation._SPAN_KEY")
    return next(iter(trace.set_span_in_context(trace.INVALID_SPAN, otel_context.Context())))


#: Under which a context holds its span.
SPAN_KEY: Final = _span_key()


def context_with_span(context: otel_context.Context, span: object) -> otel_context.Context:
    """``context`` with ``span`` as the current one."""
    return otel_context.Context({**context, SPAN_KEY: span})


#: Under which `TRACERS` and `METERS` hold the global provider.
TRACER: Final = "_TRACER_PROVIDER"
METER: Final = "_METER_PROVIDER"


class _Asked(dict[str, Any]):
    """In the place of the names of a module: has none, and asks the API for the provider each time."""

    def __init__(self, ask: Callable[[], object]) -> None:
        super().__init__()
        self._ask = ask

    def __missing__(self, _name: str) -> object:
        return self._ask()


def _holder(module: ModuleType, name: str, variable: str, ask: Callable[[], object]) -> dict[str, Any]:
    """The names of the module that holds a global; with the variable set, the API fills it when it is first asked."""
    names = vars(getattr(module, "_internal", module))
    if name in names:
        return _Asked(ask) if variable in os.environ else names
    MISSING.append(name)
    return _Asked(ask)


#: The global providers: ``TRACERS[TRACER]`` is None, or a stand-in, until somebody has installed one.
TRACERS: Final = _holder(trace, TRACER, "OTEL_PYTHON_TRACER_PROVIDER", trace.get_tracer_provider)
METERS: Final = _holder(metrics, METER, "OTEL_PYTHON_METER_PROVIDER", metrics.get_meter_provider)
