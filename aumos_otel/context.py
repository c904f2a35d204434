"""Who a request is for: tenant, session and user, carried by the OpenTelemetry context.

`bind` puts an identity on the context, so that it follows async tasks, and threads that were
started with `propagate`.  It is stamped on spans and logs by `aumos_otel.processors`, and
(tenant only, bounded) on our metrics.  It is never an access decision.
"""

from __future__ import annotations

import functools
import threading
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

from opentelemetry import context as otel_context
from opentelemetry import trace

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

P = ParamSpec("P")
R = TypeVar("R")

#: Tenants that get a value of their own on metrics; later ones share ``_other``.
METRIC_TENANT_LIMIT: Final = 200

#: Longest identity value kept, in characters.
VALUE_LIMIT: Final = 200

#: Under which a context holds its `Identity`.
IDENTITY_KEY: Final = otel_context.create_key("aumos-identity")
_LOCAL_ROOT: Final = "aumos_local_root"


@dataclass(frozen=True, slots=True)
class Identity:
    """Tenant, session and user of the current request; each may be unknown."""

    tenant_id: str | None = None
    session_id: str | None = None
    user_id: str | None = None

    def attributes(self) -> dict[str, str]:
        """The known parts as span and log attributes."""
        named = (
            (attributes.AUMOS_TENANT_ID, self.tenant_id),
            (attributes.SESSION_ID, self.session_id),
            (attributes.USER_ID, self.user_id),
        )
        return {name: value for name, value in named if value is not None}


_NOBODY = Identity()
_metric_tenants: set[str] = set()
_lock = threading.Lock()


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked child needs another lock under the same name
    _lock = threading.Lock()


forking.in_child(_renew_lock)


def current(context: otel_context.Context | None = None) -> Identity:
    """The identity bound to ``context`` (default: the current one)."""
    found = otel_context.get_value(IDENTITY_KEY, context)
    return found if isinstance(found, Identity) else _NOBODY


@contextmanager
def bind(
    *, tenant_id: str | None = None, session_id: str | None = None, user_id: str | None = None
) -> Iterator[Identity]:
    """Bind tenant, session and user for the block; parts left out are inherited.

    The open span and the server span above it get the attributes at once, spans and logs
    started inside get them as they start.  Values become strings of at most 200 characters.

    >>> import aumos_otel as aumos
    >>> with aumos.bind(tenant_id="acme", user_id="u-1") as identity:
    ...     identity.tenant_id
    'acme'
    """
    given = {"tenant_id": _as_text(tenant_id), "session_id": _as_text(session_id), "user_id": _as_text(user_id)}
    identity = replace(current(), **{name: value for name, value in given.items() if value is not None})
    token = otel_context.attach(otel_context.set_value(IDENTITY_KEY, identity))
    try:
        with guard.swallow("context.bind"):
            _stamp_open_spans(identity.attributes())
        yield identity
    finally:
        otel_context.detach(token)


def propagate(function: Callable[P, R]) -> Callable[P, R]:
    """Carry the current context into another thread: wrap what you hand to an executor.

    >>> from concurrent.futures import ThreadPoolExecutor
    >>> import aumos_otel as aumos
    >>> with aumos.bind(tenant_id="acme"), ThreadPoolExecutor(1) as pool:
    ...     pool.submit(aumos.propagate(lambda: aumos.current_identity().tenant_id)).result()
    'acme'
    """
    captured = otel_context.get_current()

    @functools.wraps(function)
    def carried(*args: P.args, **kwargs: P.kwargs) -> R:
        token = otel_context.attach(captured)
        try:
            return function(*args, **kwargs)
        finally:
            otel_context.detach(token)

    return carried


def metric_tenant() -> str | None:
    """The tenant as a metric attribute: bounded, or None when no tenant is bound."""
    tenant = current().tenant_id
    return None if tenant is None else bounded_tenant(tenant)


def bounded_tenant(tenant: str) -> str:
    """``tenant`` as a metric attribute: itself while there is room for one more, else the one for the rest."""
    tenant = tenant[:VALUE_LIMIT]
    if tenant not in _metric_tenants and len(_metric_tenants) < METRIC_TENANT_LIMIT:
        with _lock:
            if len(_metric_tenants) < METRIC_TENANT_LIMIT:
                _metric_tenants.add(tenant)
    return tenant if tenant in _metric_tenants else attributes.AUMOS_TENANT_ID_OTHER


def mark_local_root(span: trace.Span, parent_context: otel_context.Context | None) -> None:
    """Remember on ``span`` the first span of this process in its trace (usually the server span).

    The local root itself is left unmarked: a reference to itself would be a cycle.
    """
    parent = trace.get_current_span(parent_context)
    if parent.is_recording():
        setattr(span, _LOCAL_ROOT, getattr(parent, _LOCAL_ROOT, None) or parent)


def _stamp_open_spans(values: Mapping[str, str]) -> None:
    span = trace.get_current_span()
    root = getattr(span, _LOCAL_ROOT, None) or span
    for target in (span,) if root is span else (span, root):
        if target.is_recording():
            target.set_attributes(dict(values))


def _as_text(value: object) -> str | None:
    if value is None:
        return None
    with guard.swallow("context.bind"):
        return str(value)[:VALUE_LIMIT]
    return None


def reset_metric_tenants() -> None:
    """Forget which tenants have a metric value of their own; for tests."""
    with _lock:
        _metric_tenants.clear()
