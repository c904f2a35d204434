from __future__ import annotations

import gc
import threading
import weakref
from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits
from opentelemetry.sdk.trace import Span as SdkSpan
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Span as ApiSpan
from opentelemetry.trace import SpanContext, StatusCode, Tracer

from aumos_otel.providers.tracer import AumosTracerProvider
from aumos_otel.recording.span import SPAN, Span


class Later:
    """A text that is made when somebody asks; counts how often."""

    def __init__(self, words: str) -> None:
        self.size = len(words)
        self.made = 0
        self._words = words

    def text(self) -> str:
        """The words."""
        self.made += 1
        return self._words


def tracer_with(limits: SpanLimits | None = None, *exporters: InMemorySpanExporter) -> Tracer:
    """A tracer of ours."""
    provider = AumosTracerProvider(shutdown_on_exit=False, span_limits=limits)
    for exporter in exporters:
        provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider.get_tracer("tests")


def started(limits: SpanLimits | None = None) -> Any:
    """A span of ours."""
    return tracer_with(limits).start_span("work")


def test_it_stands_for_the_sdks() -> None:
    """What asks for the API's or the SDK's span takes ours."""
    span = started()

    assert type(span) is Span
    assert isinstance(span, ApiSpan)
    assert isinstance(span, SdkSpan)
    assert isinstance(span, ReadableSpan)


def test_a_deferred_text() -> None:
    """It is made when the attributes are read, once, and is simple until then."""
    span, later = started(), Later("words")

    span.defer("said", later)

    assert (later.made, span.simple, span.deferred) == (0, True, ("said",))
    assert span.size > SPAN + len("words")
    assert dict(span.attributes) == {"said": "words"}
    assert span.attributes["said"] == "words"
    assert (later.made, span.deferred) == (1, ())


def test_a_deferred_text_that_is_overwritten() -> None:
    """The later value stands."""
    span, later = started(), Later("words")

    span.defer("said", later)
    span.set_attribute("said", "other")

    assert dict(span.attributes) == {"said": "other"}
    assert later.made == 0


def test_a_deferred_text_under_a_limit() -> None:
    """Where texts are shortened it is made at once."""
    span = started(SpanLimits(max_span_attribute_length=3))

    span.defer("said", Later("words"))

    assert span.values == {"said": "wor"}


def test_a_deferred_text_after_the_end() -> None:
    """It changes nothing."""
    span = started()
    span.end()

    span.defer("said", Later("words"))

    assert dict(span.attributes) == {}


def test_ends_once_among_threads() -> None:
    """Of many threads that end a span one does."""
    exporter = InMemorySpanExporter()
    span = tracer_with(None, exporter).start_span("work")
    gate = threading.Barrier(8)

    def end() -> None:
        gate.wait()
        span.end()

    threads = [threading.Thread(target=end) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(exporter.get_finished_spans()) == 1


def test_an_exception_keeps_nothing_alive() -> None:
    """The exception, its frames and what they hold are gone while the span is kept."""

    class Held:
        pass

    span, watched = started(), []

    def fail() -> None:
        held = Held()
        watched.append(weakref.ref(held))
        raise ValueError("told")

    with pytest.raises(ValueError, match="told"), span:
        fail()
    gc.collect()

    assert watched[0]() is None
    assert span.events[0].attributes["exception.message"] == "told"
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "ValueError: told")


@pytest.mark.parametrize(
    ("value", "weight"),
    [("x" * 100, 100), (b"x" * 100, 100), (("x" * 50, "y" * 50), 100), (7, 0), ({"k": "x" * 99}, 100)],
)
def test_its_size_grows_with_what_it_is_given(value: Any, weight: int) -> None:
    """The estimate counts texts wherever they are, and something for each attribute."""
    span = started()
    before = span.size

    span.set_attribute("a", value)

    assert span.size >= before + weight + 40


def test_what_the_caller_changes_later() -> None:
    """A list, and the attributes of an event or link, are as they were."""
    span, numbers, about = started(), [1, 2], {"x": "y"}

    span.set_attribute("numbers", numbers)
    span.add_event("happened", about)
    span.add_link(SpanContext(1, 2, is_remote=False), about)
    numbers.append(3)
    about["x"] = "z"

    assert span.attributes["numbers"] == (1, 2)
    assert span.events[0].attributes["x"] == "y"
    assert span.links[0].attributes["x"] == "y"


def test_events_are_the_same_objects_each_time() -> None:
    """Who keeps one finds it again."""
    span = started()
    span.add_event("happened")

    assert span.events[0] is span.events[0]


def test_a_mapping_of_foreign_make() -> None:
    """Attributes in any mapping are taken, with keys of any kind made texts."""
    span = started()

    span.set_attributes({1: "one", "": "none"})

    assert dict(span.attributes) == {"1": "one"}
    assert span.dropped_attributes == 1
