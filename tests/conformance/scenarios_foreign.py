"""Scenarios about other packages' code: processors that see and change spans, and what is done to span objects."""

from __future__ import annotations

import copy
import gc
import pickle
import threading
import weakref
from typing import TYPE_CHECKING, Any

from opentelemetry import trace
from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.sdk.trace import Event, ReadableSpan, SpanProcessor
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conformance.stage import Stage

#: What the processors of the scenario at hand have seen.
_seen: list[Any] = []


def _told(span: Any) -> Any:
    return (
        (span.name, span.kind, span.context, span.get_span_context() == span.context, span.parent),
        (span.start_time, span.end_time, dict(span.attributes), span.events, span.links, span.status),
        (span.dropped_attributes, span.dropped_events, span.dropped_links),
        (span.resource.attributes, span.instrumentation_scope, isinstance(span, ReadableSpan)),
    )


class Witness(SpanProcessor):
    """Sees everything, changes what may be changed."""

    def __init__(self, name: str) -> None:
        self.name = name

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Add to a span that starts."""
        parent = trace.get_current_span(parent_context).get_span_context()
        _seen.append(("start", self.name, _told(span), span.is_recording(), parent))
        span.set_attribute(f"{self.name}.start", len(span.attributes))
        span.add_event(f"{self.name} saw it start")

    def _on_ending(self, span: Any) -> None:
        _seen.append(("ending", self.name, _told(span), span.is_recording()))
        span.set_attribute(f"{self.name}.ending", 1)

    def on_end(self, span: Any) -> None:
        """See a span that has ended."""
        _seen.append(("end", self.name, _told(span)))

    def shutdown(self) -> None:
        """See the end of all."""
        _seen.append(("shutdown", self.name))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """See a flush."""
        _seen.append(("flush", self.name))
        return True


class Writer(SpanProcessor):
    """Writes the private fields of spans, as processors that redact do."""

    def __init__(self, write: Callable[[Any], object], *, ending: bool = False) -> None:
        self.write = write
        self.ending = ending

    def _on_ending(self, span: Any) -> None:
        if self.ending:
            self.write(span)

    def on_end(self, span: Any) -> None:
        """Change what is exported."""
        if not self.ending:
            self.write(span)


def _replace_attributes(span: Any) -> None:
    span._attributes = dict.fromkeys(span._attributes, "***")


def _write_into_attributes(span: Any) -> None:
    span._attributes._dict["secret"] = "***"
    span._attributes._dict["added"] = [1, "x"]
    del span._attributes._dict["number"]


def _write_name(span: Any) -> None:
    span._name = "renamed"


def _write_events(span: Any) -> None:
    span._events = [Event("other", {"a": 1}, 5), *list(span._events)[1:]]


def _drop_events(span: Any) -> None:
    span._events = ()


def _write_links(span: Any) -> None:
    span._links = (Link(SpanContext(7, 8, is_remote=False), {"own": 1}),)


def _write_status(span: Any) -> None:
    span._status = Status(StatusCode.ERROR, "written")


def _write_times(span: Any) -> None:
    span._start_time = 5
    span._end_time = 6


def _write_parent(span: Any) -> None:
    span._parent = SpanContext(9, 10, is_remote=True)


def _write_kind(span: Any) -> None:
    span._kind = trace.SpanKind.SERVER


WRITES = (
    _replace_attributes,
    _write_into_attributes,
    _write_name,
    _write_events,
    _drop_events,
    _write_links,
    _write_status,
    _write_times,
    _write_parent,
    _write_kind,
)


def witnesses() -> Sequence[SpanProcessor]:
    """Two processors that see each other's changes."""
    _seen.clear()
    return [Witness("first"), Witness("second")]


def witnessed(stage: Stage) -> None:
    """What processors see, in which order, and what becomes of their changes."""
    with stage.tracer.start_as_current_span("outer", attributes={"a": [1]}) as outer:
        stage.tick()
        with stage.tracer.start_as_current_span("inner", links=[Link(outer.get_span_context())]) as inner:
            inner.add_event("between", {"b": 1})
            inner.set_status(StatusCode.ERROR, "bad")
        stage.tick()
    stage.note(stage.provider.force_flush())
    stage.provider.add_span_processor(Witness("third"))
    with stage.tracer.start_as_current_span("later"):
        stage.tick()
    stage.provider.shutdown()
    stage.note(_seen)


def written(stage: Stage) -> None:
    """A span with one of everything for the processors that write."""
    link = Link(SpanContext(1, 2, is_remote=False), {"l": 1})
    attributes = {"secret": "s3cret", "number": 5, "list": [1]}
    with stage.tracer.start_as_current_span("written", attributes=attributes, links=[link]) as span:
        span.add_event("first", {"e": 1})
        span.add_event("second")
        span.set_status(StatusCode.OK)
        stage.tick()
    stage.note(_told(stage.exported[-1]))


def private_reads(stage: Stage) -> None:
    """Private fields that processors of others read, while the span is open and after."""
    with stage.tracer.start_as_current_span("read", attributes={"a": 1, "b": [1]}) as span:
        span.add_event("e", {"k": 1})
        span.add_link(SpanContext(1, 2, is_remote=False))

        def read() -> None:
            stage.note(span._name, span._context, span._kind, span._parent, span._start_time, span._end_time)
            stage.note(
                dict(span._attributes), len(span._attributes), span._attributes.get("a"), span._attributes.dropped
            )
            stage.note(list(span._events), list(span._links), span._status, len(span._events))
            stage.note(span._resource.attributes, span._instrumentation_scope)

        read()
        span._attributes["written"] = "while open"
    read()
    stage.attempt(lambda: span._attributes.__setitem__("late", 1))


def identities(stage: Stage) -> None:
    """What a span is, and what objects can do."""
    with stage.tracer.start_as_current_span("identity") as span:
        stage.note(
            [isinstance(span, kind) for kind in (trace.Span, sdk_trace.Span, ReadableSpan, trace.NonRecordingSpan)]
        )
        stage.note(
            issubclass(type(span), sdk_trace.Span), isinstance(stage.tracer, sdk_trace.Tracer), hash(span) == hash(span)
        )
        stage.note(isinstance(stage.provider, sdk_trace.TracerProvider), span == span, span != object(), bool(span))  # noqa: PLR0124 - that is the question
        span.of_another = "kept"
        stage.note(span.of_another, vars(span)["of_another"], {span: 1}[span], weakref.ref(span)() is span)
        stage.note(
            trace.get_current_span() is span, stage.provider.get_tracer("stage") is stage.provider.get_tracer("stage")
        )
        stage.note(span.get_span_context() is span.context, repr(span).removeprefix("_"))
        stage.note(span.instrumentation_scope, span.resource.attributes)
        stage.attempt(pickle.dumps, span.get_span_context())
    shallow = stage.attempt(copy.copy, stage.exported[-1])
    stage.note(shallow and (shallow.name, shallow.attributes, shallow.end_time))
    gone = weakref.ref(stage.tracer.start_span("gone"))
    gc.collect()
    stage.note(gone() is None)


def crowd(stage: Stage) -> None:
    """Eight threads on one span: nothing is lost, whatever is dropped is counted."""
    span = stage.tracer.start_span("crowd")
    ready, done = threading.Barrier(8), threading.Barrier(8)

    def work(number: int) -> None:
        ready.wait()
        for each in range(250):
            span.set_attribute(f"{number}.{each % 10}", each)
            span.add_event("e", {"t": number})
            span.add_link(SpanContext(number + 1, each + 1, is_remote=False))
        done.wait()
        span.end()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (ended,) = stage.exported
    stage.note(len(ended.attributes), len(ended.events), len(ended.links), ended.end_time == stage.now)


ALL = (private_reads, identities, written)
