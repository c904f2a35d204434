"""`aumos_otel.span`: a span around any function or block.

It uses OpenTelemetry's API alone, so it costs next to nothing until an SDK is installed.
"""

from __future__ import annotations

import functools
import time
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final, overload

from opentelemetry import trace

from aumos_otel import guard
from aumos_otel._internal import ambient, failure, flow
from aumos_otel._internal.attachment import Attachment
from aumos_otel._internal.per_provider import PerProvider
from aumos_otel._internal.wrapping import F, underlying, wrap
from aumos_otel.semconv.spans import SCOPE_AUMOS_OTEL

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.trace import Span
    from opentelemetry.util.types import AttributeValue

_SITE: Final = "spans.span"
_KIND: Final = trace.SpanKind.INTERNAL


@overload
def span(function: F, /) -> F: ...


@overload
def span(name: str | None = None, /, **attributes: AttributeValue) -> SpanMaker: ...


def span(name: Any = None, /, **attributes: AttributeValue) -> Any:
    """A span around a function (decorator) or a block (context manager, sync or async).

    Functions may be plain, async, generators or async generators; the span of a generator
    lasts from its first item to its end and is current only while an item is made.  An
    exception is recorded and passes on as it is.  Make a new one for each block.

    Args:
        name: of the span; default is the function's qualified name.
        attributes: of the span; names with dots go in as ``**{"app.rows": 3}``.

    >>> import aumos_otel as aumos
    >>> @aumos.span("load", rows=3)
    ... def load() -> int:
    ...     with aumos.span("parse") as current:
    ...         current.set_attribute("rows", 3)
    ...     return 3
    >>> load()
    3
    """
    if name is None or isinstance(name, str):
        return SpanMaker(name, attributes)
    return SpanMaker(None, attributes)(name)


class SpanMaker:
    """What `span` returns: a decorator and a context manager that yields the OpenTelemetry span."""

    __slots__ = ("_attributes", "_name", "_open")

    def __init__(self, name: str | None, attributes: Mapping[str, AttributeValue]) -> None:
        self._name = name
        self._attributes = attributes
        self._open: list[tuple[Span, _OpenSpan | None, Attachment | None]] = []

    def __call__(self, function: F, /) -> F:
        """``function`` with a span around each call."""
        target = underlying(function)
        name = self._name or str(getattr(target, "__qualname__", type(target).__qualname__))
        return wrap(function, functools.partial(_begin, name, self._attributes))

    def __enter__(self) -> Span:
        operation = _begin(self._name or "span", self._attributes)
        if operation is None:
            self._open.append((trace.INVALID_SPAN, None, None))
        else:
            self._open.append((operation.span, operation, Attachment(operation.context)))
        return self._open[-1][0]

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        _, operation, attachment = self._open.pop()
        if attachment is not None:
            attachment.release()
        if operation is not None:
            operation.ended(error)

    async def __aenter__(self) -> Span:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, traceback)


class _OpenSpan:
    """A running span as a `flow.Operation`."""

    __slots__ = ("_open", "context", "span")

    def __init__(self, span: Span, context: Context) -> None:
        self.span = span
        self.context = context
        self._open = True

    def yielded(self, item: object) -> None:
        """Items are the user's own business."""

    def returned(self, value: object) -> None:
        """So are results."""

    def ended(self, error: BaseException | None = None, *, abandoned_at: int | None = None) -> None:
        """End the span; only the first call counts, also among threads."""
        try:
            del self._open
        except AttributeError:
            return
        if error is None and abandoned_at is None:
            try:
                self.span.end()
            except Exception as problem:  # noqa: BLE001 - it is counted
                guard.told(_SITE, problem)
        else:
            self._end_early(error, abandoned_at)

    def _end_early(self, error: BaseException | None, abandoned_at: int | None) -> None:
        with guard.swallow(_SITE):
            try:
                if error is not None and not failure.is_interruption(error):
                    failure.record(self.span, error)
            finally:
                late = 0 if abandoned_at is None else time.perf_counter_ns() - abandoned_at
                self.span.end(time.time_ns() - late if late else None)


def _make_starter() -> Callable[[str, Context, Any, Any], Span]:
    """What starts a span of ours in a context."""
    tracer = trace.get_tracer(SCOPE_AUMOS_OTEL, version("aumos-otel"))
    begin: Callable[[str, Context, Any, Any], Span] | None = getattr(tracer, "begin", None)
    if begin is not None:  # a tracer of ours, which need not look at what else the API lets one ask for
        return begin
    return tracer.start_span


_starter: PerProvider[Callable[[str, Context, Any, Any], Span]] = PerProvider(
    lambda: ambient.TRACERS[ambient.TRACER], _make_starter
)


def _begin(name: str, attributes: Mapping[str, AttributeValue] | None, *_call: object) -> _OpenSpan | None:
    """Start a span, or say that there is nobody to tell it to."""
    if flow.waiting:
        flow.end_abandoned()
    try:
        here = ambient.current_context()
        started = _starter.get()(name, here, _KIND, attributes)
        if started.get_span_context()[5]:  # it is valid
            return _OpenSpan(started, ambient.context_with_span(here, started))
    except Exception as problem:  # noqa: BLE001 - it is counted
        guard.told(_SITE, problem)
    return None
