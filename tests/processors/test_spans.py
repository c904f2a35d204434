"""How ended spans are handed to delivery."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, Sampler, SamplingResult
from opentelemetry.trace import StatusCode

from aumos_otel import guard
from aumos_otel.delivery.appraisal import LARGE
from aumos_otel.delivery.dispatch import Dispatch
from aumos_otel.delivery.intake import IntakeLimits
from aumos_otel.delivery.ledger import Ledger
from aumos_otel.delivery.record import SpanRecord
from aumos_otel.processors.spans import ExportProcessor
from aumos_otel.providers.tracer import AumosTracerProvider
from aumos_otel.recording.span import Span

PATIENCE = 20.0


class Unsampled(Sampler):
    """Records every span and samples none."""

    def should_sample(self, *_: Any, **__: Any) -> SamplingResult:
        """Record it."""
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        """Its name."""
        return "Unsampled"


class Kept:
    """A preparation that keeps what it gets."""

    def __init__(self) -> None:
        self.books = Ledger().open("traces")
        self.account = self.books.open("otlp", "x")
        self.items: list[Any] = []

    def __call__(self, items: Sequence[Any]) -> None:
        """Keep them, and book them as delivered."""
        with self.books.lock:
            self.books.waiting -= len(items)
            self.account.delivered += len(items)
        self.items += items

    def close(self) -> None:
        """Nothing to close."""


class Post:
    """A provider whose spans go through the processor."""

    def __init__(self, kind: type[TracerProvider], sampler: Sampler, max_records: int) -> None:
        self.kept = Kept()
        limits = IntakeLimits(max_records=max_records, max_bytes=100_000_000, batch=max_records + 1, delay=3600.0)
        self.dispatch: Dispatch[Any] = Dispatch(self.kept.books, (), self.kept, limits, 1.0)
        self.processor = ExportProcessor(self.dispatch)
        self.provider = kind(sampler=sampler, shutdown_on_exit=False)
        self.provider.add_span_processor(self.processor)
        self.tracer = self.provider.get_tracer("tests")

    def book(self) -> dict[str, Any]:
        """The account; it must add up."""
        found = self.kept.account.snapshot()
        assert found["emitted"] == found["delivered"] + sum(found["dropped"].values()) + found["queued"]
        return found

    def prepared(self) -> list[Any]:
        """What has come out."""
        assert self.dispatch.intake.sync(time.monotonic() + PATIENCE)
        return self.kept.items


@pytest.fixture
def post() -> Iterator[Callable[..., Post]]:
    """Makes them, and ends their threads."""
    made: list[Post] = []

    def make(kind: type[TracerProvider] = AumosTracerProvider, sampler: Sampler = ALWAYS_ON, room: int = 100) -> Post:
        made.append(Post(kind, sampler, room))
        return made[-1]

    yield make
    for each in made:
        each.processor.shutdown()


BOTH = pytest.mark.parametrize("kind", [AumosTracerProvider, TracerProvider])


@BOTH
def test_a_sampled_span(post: Callable[..., Post], kind: type[TracerProvider]) -> None:
    """An ended span is handed over as it is, whoever's tracer made it."""
    one = post(kind)

    with one.tracer.start_as_current_span("work"):
        pass

    (span,) = one.prepared()
    assert (span.name, type(span) is Span) == ("work", kind is AumosTracerProvider)
    assert (one.book()["emitted"], one.book()["dropped"]) == (1, {})


@BOTH
def test_an_unsampled_span(post: Callable[..., Post], kind: type[TracerProvider]) -> None:
    """A span that is recorded and not sampled is counted as such, and goes nowhere."""
    one = post(kind, Unsampled())

    for _ in range(3):
        one.tracer.start_span("work").end()

    assert one.prepared() == []
    assert (one.book()["emitted"], one.book()["dropped"]) == (3, {"sampled": 3})


@BOTH
def test_what_is_dropped_last(post: Callable[..., Post], kind: type[TracerProvider]) -> None:
    """Where there is no room, errors and LLM calls stay."""
    one = post(kind, room=2)
    one.tracer.start_span("llm", attributes={"gen_ai.operation.name": "chat"}).end()
    failed = one.tracer.start_span("failed")
    failed.set_status(StatusCode.ERROR)
    failed.end()

    for _ in range(3):
        one.tracer.start_span("ordinary").end()

    assert one.book()["dropped"] == {"queue_full": 3}
    assert [span.name for span in one.prepared()] == ["llm", "failed"]


@BOTH
def test_a_large_span(post: Callable[..., Post], kind: type[TracerProvider]) -> None:
    """A span that would fill the queue is shortened before it waits."""
    one = post(kind)

    one.tracer.start_span("large", attributes={"text": "x" * 2 * LARGE}).end()

    (record,) = one.prepared()
    assert isinstance(record, SpanRecord)
    assert len(record.attributes["text"]) < LARGE


def test_a_span_that_cannot_be_handed_over(post: Callable[..., Post]) -> None:
    """What fails here does not reach the user's code, and the span is counted as lost."""
    one = post()
    span: Any = one.tracer.start_span("work")
    span.values = None

    one.processor.on_end(span)

    assert one.book()["dropped"] == {"encode_error": 1}
    strict = guard.set_strict(True)
    try:
        with pytest.raises(TypeError):
            one.processor.on_end(span)
    finally:
        guard.set_strict(strict)


def test_after_the_end(post: Callable[..., Post]) -> None:
    """A span that ends after shutdown is counted as such."""
    one = post()
    span = one.tracer.start_span("late")
    one.processor.shutdown()

    span.end()

    assert one.book()["dropped"] == {"already_shutdown": 1}
