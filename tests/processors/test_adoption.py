"""Exceptions and values of the user's on spans: their text is asked for safely, whoever puts them there."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aumos_otel._internal import deadline
from aumos_otel.processors.adoption import AdoptedSpan, AdoptionProcessor


@pytest.fixture
def memory() -> InMemorySpanExporter:
    """Where spans end up."""
    return InMemorySpanExporter()


@pytest.fixture
def tracer(memory: InMemorySpanExporter) -> trace.Tracer:
    """A tracer of a stock provider with our processor."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(AdoptionProcessor())
    provider.add_span_processor(SimpleSpanProcessor(memory))
    return provider.get_tracer("tests")


@pytest.fixture
def hanging() -> Iterator[type[Exception]]:
    """An exception whose text never comes, until the test is over."""
    let_go = threading.Event()

    class HangingError(Exception):
        def __str__(self) -> str:
            let_go.wait(30)
            return "late"

    yield HangingError
    let_go.set()


class BrokenError(Exception):
    """An exception that has no text."""

    def __str__(self) -> str:
        raise RuntimeError("no text")


class ReprError(Exception):
    """An exception whose argument has no text."""

    def __init__(self) -> None:
        super().__init__(Value())


class Value:
    """A value that has no text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


def as_current(tracer: trace.Tracer) -> Any:
    """The way of most code."""
    return tracer.start_as_current_span("work")


def as_itself(tracer: trace.Tracer) -> Any:
    """The span as its own context manager."""
    return tracer.start_span("work")


def used(tracer: trace.Tracer) -> Any:
    """The way of instrumentations."""
    return trace.use_span(tracer.start_span("work"), end_on_exit=True)


WAYS = [as_current, as_itself, used]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", [BrokenError, ReprError])
def test_the_users_exception_stays_the_users(
    kind: type[Exception], way: Callable[..., Any], tracer: trace.Tracer, memory: InMemorySpanExporter
) -> None:
    """One whose text raises is told by its class, once, and is what the user catches."""
    with pytest.raises(kind), way(tracer):
        raise kind

    (span,) = memory.get_finished_spans()
    (event,) = span.events
    said = f"<{kind.__name__}: str() failed>"
    assert span.status.description == f"{kind.__name__}: {said}"
    assert event.attributes["exception.message"] == said
    assert event.attributes["exception.type"].endswith(kind.__name__)
    assert "in test_the_users_exception_stays_the_users" in event.attributes["exception.stacktrace"]


@pytest.mark.parametrize("way", WAYS)
def test_a_text_that_hangs(
    way: Callable[..., Any], tracer: trace.Tracer, memory: InMemorySpanExporter, hanging: type[Exception]
) -> None:
    """It costs the user a moment, once."""
    took = []
    for _ in range(2):
        began = time.monotonic()
        with pytest.raises(hanging), way(tracer):
            raise hanging
        took.append(time.monotonic() - began)

    assert took[0] < 2
    assert took[1] < deadline.PATIENCE
    for span in memory.get_finished_spans():
        assert span.status.description == "HangingError: <HangingError: str() took too long>"
        assert "in test_a_text_that_hangs" in span.events[0].attributes["exception.stacktrace"]


def test_an_exception_that_hangs_in_the_chain(
    tracer: trace.Tracer, memory: InMemorySpanExporter, hanging: type[Exception]
) -> None:
    """Also a cause, or a member of a group, cannot hang the user."""
    began = time.monotonic()
    outer = ValueError("outer")
    outer.__cause__ = ExceptionGroup("group", [hanging()])
    with pytest.raises(ValueError, match="outer"), tracer.start_as_current_span("work"):
        raise outer

    assert time.monotonic() - began < 2
    (span,) = memory.get_finished_spans()
    assert span.events[0].attributes["exception.message"] == "outer"


def stock(error: Exception, **options: bool) -> ReadableSpan:
    """What the SDK makes of an exception."""
    memory = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    leave(provider.get_tracer("tests"), error, **options)
    return memory.get_finished_spans()[0]


def leave(tracer: trace.Tracer, error: Exception, **options: bool) -> None:
    """End a span with an exception."""
    with pytest.raises(type(error)), tracer.start_as_current_span("work", **options):
        raise error


@pytest.mark.parametrize(
    "options", [{}, {"record_exception": False}, {"set_status_on_exception": False}], ids=["all", "status", "event"]
)
@pytest.mark.parametrize("error", [ValueError("no"), KeyError("key"), ExceptionGroup("g", [ValueError(1)])], ids=repr)
def test_otherwise_as_the_sdk_does(
    error: Exception, options: dict[str, bool], tracer: trace.Tracer, memory: InMemorySpanExporter
) -> None:
    """Type, message, status and the wishes of the caller are as with the stock SDK."""
    leave(tracer, error, **options)
    theirs = stock(error, **options)

    (ours,) = memory.get_finished_spans()
    assert (ours.status.status_code, ours.status.description) == (theirs.status.status_code, theirs.status.description)
    assert len(ours.events) == len(theirs.events)
    for mine, other in zip(ours.events, theirs.events, strict=True):
        assert mine.name == other.name
        assert mine.attributes.keys() == other.attributes.keys()
        assert mine.attributes["exception.message"] == other.attributes["exception.message"]
        assert mine.attributes["exception.type"] == other.attributes["exception.type"]


def test_values_without_a_text(tracer: trace.Tracer, memory: InMemorySpanExporter) -> None:
    """On attributes, events and links the class stands in for them."""
    with tracer.start_as_current_span("work") as span:
        span.set_attribute("one", Value())
        span.set_attributes({"many": [Value(), 1], "plain": "x"})
        span.add_event("event", {"value": Value()})
        span.add_link(trace.SpanContext(1, 2, is_remote=True), {"value": Value()})

    (finished,) = memory.get_finished_spans()
    said = "<Value: str() failed>"
    assert dict(finished.attributes) == {"one": said, "many": (said, 1), "plain": "x"}
    assert finished.events[0].attributes["value"] == said
    assert finished.links[0].attributes["value"] == said


def test_is_recording_for_everybody_else(tracer: trace.Tracer) -> None:
    """Code that handles an exception and asks whether the span records gets the truth."""
    with tracer.start_as_current_span("work") as span:
        try:
            raise BrokenError  # noqa: TRY301 - it has to be in flight
        except BrokenError:
            assert span.is_recording()
            span.record_exception(BrokenError())
    assert not span.is_recording()


def test_spans_that_are_not_the_sdks_own_are_left_alone() -> None:
    """Another distribution's span class stays."""

    class Other(AdoptedSpan):
        pass

    span = Other.__new__(Other)
    AdoptionProcessor().on_start(span)

    assert type(span) is Other
