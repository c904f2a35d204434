"""Scenarios about what an exception says on a span."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.stage import Stage


class SpokenError(Exception):
    """An exception with a text of its own."""

    def __str__(self) -> str:
        return "spoken"


class Outer:
    """Has a class inside."""

    class InnerError(ValueError):
        """Has a qualified name."""


def plain() -> None:
    """Nothing about it."""
    raise ValueError("plain")


def silent() -> None:
    """No text."""
    raise ValueError


def several() -> None:
    """Several arguments, no texts."""
    raise ValueError("a", 1, None, [2])


def lines() -> None:
    """Several lines, and what is no ASCII."""
    raise ValueError("one\ntwo\n\N{SNOWMAN}\x00")


def chained() -> None:
    """A cause."""
    try:
        plain()
    except ValueError as error:
        raise KeyError("chained") from error


def in_context() -> None:
    """A context."""
    try:
        plain()
    except ValueError:
        raise KeyError("in context")  # noqa: B904 - that is the point


def without_context() -> None:
    """A context that is not to be told."""
    try:
        plain()
    except ValueError:
        raise KeyError("without") from None


def noted() -> None:
    """Notes."""
    error = ValueError("noted")
    error.add_note("first note")
    error.add_note("second\nnote")
    raise error


def grouped() -> None:
    """A group, with groups in it."""
    found: list[Exception] = []
    for part in (plain, chained):
        try:
            part()
        except Exception as error:  # noqa: BLE001 - they are collected
            found.append(error)
    raise ExceptionGroup("grouped", [*found, ExceptionGroup("inner", [TypeError("t")])])


def syntax() -> None:
    """A place in a source that is none."""
    compile("x = = 1", "<given>", "exec")


def misspelt() -> None:
    """A name that is nearly one."""
    plain_text = 1
    plain_texts  # type: ignore[name-defined]  # noqa: B018, F821 - that is the point
    del plain_text


def attribute() -> None:
    """An attribute that is nearly one."""
    "".splti()  # type: ignore[attr-defined]  # that is the point


def missing() -> None:
    """A module that is none."""
    import no_such_module_at_all  # type: ignore[import-not-found]  # noqa: F401 - that is the point


def deep(depth: int = 1_200) -> int:
    """Recursion to its end."""
    return 1 + deep(depth + 1)


def marked() -> float:
    """Carets below a part of the line."""
    values = {"a": [1, 2, 0]}
    return values["a"][0] / values["a"][2] + values["a"][1]


def spoken() -> None:
    """A text of its own."""
    raise SpokenError("not this")


def qualified() -> None:
    """A class within a class."""
    raise Outer.InnerError("qualified")


def looped() -> None:
    """An exception that is its own cause, by way of another."""
    first, second = ValueError("first"), ValueError("second")
    first.__cause__, second.__cause__ = second, first
    raise first


RAISING: tuple[Callable[[], Any], ...] = (
    plain,
    silent,
    several,
    lines,
    chained,
    in_context,
    without_context,
    noted,
    grouped,
    syntax,
    misspelt,
    attribute,
    missing,
    deep,
    marked,
    spoken,
    qualified,
    looped,
)


def raised(stage: Stage) -> None:
    """Type, message, stack trace and status of each kind of exception, the first time and the next."""
    for _ in range(2):
        for raising in RAISING:
            with contextlib.suppress(Exception), stage.tracer.start_as_current_span(raising.__name__) as span:
                raising()
            stage.note(span.status, span.events)


def recorded(stage: Stage) -> None:
    """`record_exception` with attributes, times and flags, of exceptions that were raised and that were not."""
    with stage.tracer.start_as_current_span("recorded") as span:
        span.record_exception(ValueError("never raised"))
        try:
            chained()
        except KeyError as error:
            span.record_exception(error)
            span.record_exception(error, {"exception.message": "mine", "own": [1]})
            span.record_exception(error, timestamp=5)
            span.record_exception(error, {}, 0, True)
            span.record_exception(error, escaped=True)
        stage.attempt(lambda: span.record_exception(SystemExit(3)))
        stage.note(span.status, span.events)


def twice(stage: Stage) -> None:
    """An exception that leaves two spans is told by both, with the frames between them."""

    def inner() -> None:
        with stage.tracer.start_as_current_span("inner"):
            plain()

    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("outer"):
        inner()
    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("raised again"):
        try:
            inner()
        except ValueError:
            stage.tick()
            raise


def same_place(stage: Stage) -> None:
    """One place raises exceptions with different texts and from different callers."""

    def place(text: str) -> None:
        raise ValueError(text)

    def other_caller() -> None:
        place("other")

    for text in ("one", "two", "one"):
        with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("place"):
            place(text)
    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("place"):
        other_caller()


ALL = (raised, recorded, twice, same_place)
