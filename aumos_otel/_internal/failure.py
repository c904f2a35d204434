"""How an exception is told on a span."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.trace import Status, StatusCode

from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from opentelemetry.trace import Span

#: asyncio's and trio's; compared by name, so that neither needs to be imported.
_CANCELLATIONS = {"CancelledError", "Cancelled"}


def is_interruption(error: BaseException) -> bool:
    """Whether the caller lost interest (cancelled or closed), which is no failure of the work."""
    return isinstance(error, GeneratorExit) or is_cancellation(error)


def is_cancellation(error: BaseException) -> bool:
    """Whether a task was cancelled; all event loops' cancellations are no `Exception`."""
    return not isinstance(error, Exception) and type(error).__name__ in _CANCELLATIONS


def error_type(error: BaseException) -> str:
    """Value of ``error.type``: the class with its module, which builtins go without."""
    kind = type(error)
    return kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"


def record(span: Span, error: BaseException) -> None:
    """Put ``error`` on ``span``: type, exception event, status."""
    if not span.is_recording():
        return
    span.set_attribute(attributes.ERROR_TYPE, error_type(error))
    try:
        description = f"{type(error).__name__}: {error}"
    except Exception:  # noqa: BLE001 - the __str__ of a user's exception may raise anything
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
        return
    span.record_exception(error)
    span.set_status(Status(StatusCode.ERROR, description))
