"""How an exception is told on a span, whatever its own ``__str__`` does."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import Status, StatusCode

from aumos_otel import guard
from aumos_otel._internal import exception_class, plain, stack_text
from aumos_otel.semconv import attributes, events

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.trace import Span

#: asyncio's and trio's; compared by name, so that neither needs to be imported.
_CANCELLATIONS = {"CancelledError", "Cancelled"}

#: Exceptions of one chain that are looked at.
_CHAIN: Final = 64


#: Whether the text of an exception comes from builtins alone.
is_plain = exception_class.is_plain


def is_interruption(error: BaseException) -> bool:
    """Whether the caller lost interest (cancelled or closed), which is no failure of the work."""
    return isinstance(error, GeneratorExit) or is_cancellation(error)


def is_cancellation(error: BaseException) -> bool:
    """Whether a task was cancelled; all event loops' cancellations are no `Exception`."""
    return not isinstance(error, Exception) and type(error).__name__ in _CANCELLATIONS


def error_type(error: BaseException) -> str:
    """Value of ``error.type``: the class with its module, which builtins go without."""
    return exception_class.of(error).error_type


def message(error: BaseException) -> str:
    """``str(error)``, or a few words where that raises or takes too long."""
    return str(error) if is_plain(error) else plain.text(error)


def stacktrace(error: BaseException) -> str:
    """The traceback with its causes; without their messages where those take too long."""
    try:
        text = stack_text.rendered(error, _said)
    except BaseException as problem:
        if guard.is_control_flow(type(problem)):
            raise
        text = None
    return _formatted(error) if text is None else text


def _said(error: BaseException) -> str:
    """``str(error)``; raises where that does, or takes too long."""
    return str(error) if is_plain(error) else str.__str__(plain.ask(lambda: str(error), error))


def _formatted(error: BaseException) -> str:
    """The traceback as the library writes it, each time anew."""
    suspects = [link for link in _chain(error) if not is_plain(link)]
    if not suspects:
        return "".join(traceback.format_exception(error))
    try:
        return "".join(plain.ask(lambda: traceback.format_exception(error), *suspects))
    except BaseException as problem:
        if guard.is_control_flow(type(problem)):
            raise
    return "".join([*traceback.format_tb(error.__traceback__), f"{error_type(error)}: {message(error)}\n"])


def description(error: BaseException) -> str:
    """What the status of a span says."""
    return f"{type(error).__name__}: {message(error)}"


def described(error: BaseException, told: Mapping[str, Any]) -> str:
    """The same, where `event` has told it."""
    return f"{type(error).__name__}: {told[attributes.EXCEPTION_MESSAGE]}"


def attributes_of(error: BaseException) -> dict[str, Any]:
    """What a record says of ``error``: type, message, stack trace."""
    return {
        attributes.EXCEPTION_TYPE: error_type(error),
        attributes.EXCEPTION_MESSAGE: message(error),
        attributes.EXCEPTION_STACKTRACE: stacktrace(error),
    }


def event(error: BaseException, *, escaped: bool = False) -> dict[str, Any]:
    """Attributes of the event of a span that tells of ``error``."""
    told = attributes_of(error)
    told[attributes.EXCEPTION_ESCAPED] = "True" if escaped else "False"
    return told


def record(span: Span, error: BaseException) -> None:
    """Put ``error`` on ``span``: type, exception event, status."""
    if not span.is_recording():
        return
    span.set_attribute(attributes.ERROR_TYPE, error_type(error))
    fail = getattr(span, "fail", None)  # a span of ours does both at once
    if fail is not None:
        fail(error, record=True, status=True)
        return
    span.add_event(events.EXCEPTION, event(error))
    span.set_status(Status(StatusCode.ERROR, description(error)))


def _chain(error: BaseException) -> Iterator[BaseException]:
    """``error`` and what a traceback prints before it, each once."""
    waiting, seen = [error], set[int]()
    while waiting and len(seen) < _CHAIN:
        link = waiting.pop()
        if id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
        waiting += [before for before in (link.__cause__, link.__context__) if before is not None]
