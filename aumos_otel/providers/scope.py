"""What `start_as_current_span` returns: a span for as long as a block, or a call of a function, lasts."""

from __future__ import annotations

import functools
import inspect
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, TypeVar

from opentelemetry import context as otel_context

from aumos_otel._internal import ambient
from aumos_otel.recording.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType

    from opentelemetry import trace

    from aumos_otel.providers.tracer import Tracer

F = TypeVar("F", bound="Callable[..., Any]")

_current_context = ambient.current_context
_attach = ambient.attach_context
_detach = ambient.detach_context
_with_span = ambient.context_with_span


class Scope(AbstractContextManager["trace.Span"]):
    """Starts a span when it is entered, ends it when it is left.  As a decorator, anew for each call."""

    __slots__ = ("_given", "_span", "_token", "_tracer")

    def __init__(self, tracer: Tracer, given: tuple[Any, ...]) -> None:
        self._tracer = tracer
        #: The arguments of `start_as_current_span`, in their order.
        self._given = given

    def __enter__(self) -> trace.Span:
        here, tracer = _current_context(), self._tracer
        name, context, kind, attributes, links, start_time, _, _, _ = self._given
        span: Any
        try:
            span = tracer.begin(name, here if context is None else context, kind, attributes, start_time, links)
        except BaseException as error:  # noqa: BLE001 - control flow of the user's passes through there
            span = tracer.instead(error, context)
        self._span = span
        self._token = _attach(_with_span(here, span))
        return span  # type: ignore[no-any-return]  # to a type checker ours is whatever it has to be

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            _detach(self._token)
        except Exception:  # noqa: BLE001 - it ends in another thread or task than it began: the API says so in its log
            otel_context.detach(self._token)
        span = self._span
        if error is not None and isinstance(error, Exception) and type(span) is Span and span.end_time is None:
            span.fail(error, record=self._given[6], status=self._given[7])
        if self._given[8]:
            span.end()

    def __call__(self, function: F) -> F:
        """``function`` with a span around each call."""
        if inspect.iscoroutinefunction(function):

            @functools.wraps(function)
            async def call_async(*args: Any, **kwargs: Any) -> Any:
                with self._again():
                    return await function(*args, **kwargs)

            return call_async  # type: ignore[return-value]  # the same signature

        @functools.wraps(function)
        def call(*args: Any, **kwargs: Any) -> Any:
            with self._again():
                return function(*args, **kwargs)

        return call  # type: ignore[return-value]  # the same signature

    def _again(self) -> Scope:
        return Scope(self._tracer, self._given)
