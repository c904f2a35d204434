"""Sampling at the end of a trace: what is kept, what it stands for, and that nothing is lost between."""

from __future__ import annotations

import gc
import os
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator, RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import NonRecordingSpan, SpanContext, Status, StatusCode, TraceFlags

from aumos_otel import guard
from aumos_otel._internal import probability
from aumos_otel.config import TailSampling
from aumos_otel.processors import tail
from aumos_otel.processors.tail import TailSampler
from aumos_otel.providers.roots import ConsistentRatio
from aumos_otel.semconv import attributes as names

RESOURCE = Resource({})


class EvenIds(IdGenerator):
    """Trace ids whose random values lie evenly, so that shares are exact."""

    def __init__(self, count: int) -> None:
        self._spans = RandomIdGenerator()
        self._ids = iter(
            [(1 << 100) | ((2 * number + 1) * probability.NEVER // (2 * count)) for number in range(count)]
        )

    def generate_trace_id(self) -> int:
        """The next."""
        return next(self._ids)

    def generate_span_id(self) -> int:
        """A random one."""
        return self._spans.generate_span_id()


class Line:
    """A tracer behind a tail sampler, what passed it and how many did not."""

    def __init__(self, *, sampler: Sampler = ALWAYS_ON, ids: IdGenerator | None = None, **options: Any) -> None:
        self.exported = InMemorySpanExporter()
        self.drops: list[int] = []
        self.tail = TailSampler(TailSampling(**options), [SimpleSpanProcessor(self.exported)], self.drops.append)
        self.provider = TracerProvider(sampler=sampler, id_generator=ids, shutdown_on_exit=False)
        self.provider.add_span_processor(self.tail)
        self.tracer = self.provider.get_tracer("tests")

    @property
    def dropped(self) -> int:
        """Spans that were not kept."""
        return sum(self.drops)

    def kept(self) -> list[ReadableSpan]:
        """What was handed on, after a flush."""
        assert self.tail.force_flush(5000)
        return list(self.exported.get_finished_spans())

    def names(self) -> Counter[str]:
        """The same, by name."""
        return Counter(span.name for span in self.kept())

    def trace(self, children: int = 1, **known: Any) -> None:
        """A whole trace: a root, and children with these attributes."""
        with self.tracer.start_as_current_span("root"):
            for _ in range(children):
                self.tracer.start_span("child", attributes={getattr(names, key): v for key, v in known.items()}).end()


@pytest.fixture
def line() -> Iterator[Callable[..., Line]]:
    """Lines that are shut down at the end."""
    made: list[Line] = []

    def make(**options: Any) -> Line:
        made.append(Line(**options))
        return made[-1]

    yield make
    for one in made:
        one.provider.shutdown()


def counts(spans: list[ReadableSpan]) -> Counter[float]:
    """How often each adjusted count appears."""
    return Counter(round(span.attributes[names.AUMOS_SAMPLING_ADJUSTED_COUNT], 6) for span in spans)


def test_a_trace_with_an_error_is_kept_whole(line: Callable[..., Line]) -> None:
    """One failed span keeps the whole trace, which stands for itself; a trace without reason is not kept."""
    one = line(ratio=0)
    with one.tracer.start_as_current_span("root"):
        one.tracer.start_span("before").end()
        one.tracer.start_span("failed").set_status(StatusCode.ERROR)
        failed = one.tracer.start_span("failed")
        failed.set_status(StatusCode.ERROR)
        failed.end()
        one.tracer.start_span("after").end()
    one.trace(children=3)

    assert one.names() == {"before": 1, "failed": 1, "after": 1, "root": 1}
    assert counts(one.kept()) == {1.0: 4}
    assert one.dropped == 4


def test_what_a_service_of_llms_keeps(line: Callable[..., Line]) -> None:
    """Slow first chunks, dear calls and chosen tenants are kept, cheap and fast ones of others are not."""
    one = line(ratio=0, first_chunk_above=2.0, cost_above=0.5, tenants=["acme"])
    one.trace(GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK=2.5)
    one.trace(GEN_AI_USAGE_COST=0.75)
    one.trace(AUMOS_TENANT_ID="acme")
    one.trace(GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK=0.5, GEN_AI_USAGE_COST=0.01, AUMOS_TENANT_ID="other")

    assert one.names() == {"root": 3, "child": 3}
    assert one.dropped == 2


def test_rates_stay_right(line: Callable[..., Line]) -> None:
    """Behind a sampler that keeps a half, a quarter by chance and all errors: the counts add up to what there was."""
    one = line(sampler=ParentBased(ConsistentRatio(0.5)), ids=EvenIds(1600), ratio=0.25)
    for number in range(1600):
        with one.tracer.start_as_current_span("root") as root:
            if number % 16 == 0:
                root.set_status(StatusCode.ERROR)

    kept = one.kept()
    assert counts(kept) == {2.0: 50, 8.0: 188}
    assert one.dropped + len(kept) == 800
    errors = [span for span in kept if span.status.status_code is StatusCode.ERROR]
    assert sum(span.attributes[names.AUMOS_SAMPLING_ADJUSTED_COUNT] for span in errors) == 100
    total = sum(span.attributes[names.AUMOS_SAMPLING_ADJUSTED_COUNT] for span in kept)
    assert total == pytest.approx(1600, abs=8)  # one trace more or less by chance


def test_rates_without_a_sampler_in_front(line: Callable[..., Line]) -> None:
    """The same for ids that nobody has sampled by: 1000 traces, a tenth by chance, to the last few."""
    one = line(ids=EvenIds(1000), ratio=0.1)
    for _ in range(1000):
        one.trace()

    kept = one.kept()
    assert set(counts(kept)) == {10.0}
    assert len(kept) + one.dropped == 2000
    assert abs(len(kept) * 10 - 2000) <= 200


def test_a_span_that_comes_late(line: Callable[..., Line]) -> None:
    """A span that ends after its trace was decided follows the decision, with the same count."""
    one = line(ratio=0)
    late = {}
    for name in ("kept", "dropped"):
        with one.tracer.start_as_current_span(name) as root:
            late[name] = one.tracer.start_span(f"late {name}")
            if name == "kept":
                root.set_status(StatusCode.ERROR)
    for span in late.values():
        span.end()

    assert one.names() == {"kept": 1, "late kept": 1}
    assert one.dropped == 2


def test_two_requests_of_one_trace(line: Callable[..., Line]) -> None:
    """Requests of one caller overlap: the trace is decided when the last has ended, by all of them."""
    one = line(ratio=0)
    remote = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(remote), Context())
    first, second = one.tracer.start_span("first", context), one.tracer.start_span("second", context)
    first.end()
    assert one.names() == {}
    second.set_status(StatusCode.ERROR)
    second.end()
    assert one.names() == {"first": 1, "second": 1}

    third = one.tracer.start_span("third", context)
    third.end()
    assert one.names()["third"] == 1, "after a request that was kept for its merit the trace stays kept"


def test_a_later_request_is_looked_at_anew(line: Callable[..., Line]) -> None:
    """An error in the second request of a caller is kept, although the first was dropped and is over."""
    one = line(ratio=0)
    remote = SpanContext(7, 8, is_remote=True, trace_flags=TraceFlags(1))
    context = trace.set_span_in_context(NonRecordingSpan(remote), Context())
    one.tracer.start_span("first", context).end()
    second = one.tracer.start_span("second", context)
    second.set_status(StatusCode.ERROR)
    second.end()

    assert one.names() == {"second": 1}
    assert one.dropped == 1


class RecordOnly(Sampler):
    """Records, and samples nothing."""

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        """Decide."""
        return SamplingResult(Decision.RECORD_ONLY)

    def get_description(self) -> str:
        """Name."""
        return "RecordOnly"


class Collected(SpanProcessor):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []
        self.flushes: list[int] = []
        self.closed = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Keep."""
        self.ended.append(span)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Count."""
        self.flushes.append(timeout_millis)
        return True

    def shutdown(self) -> None:
        """Count."""
        self.closed += 1


def test_what_was_not_sampled_passes_by() -> None:
    """A span that was recorded and not sampled is somebody else's to count; it is handed on as it is, at once."""
    behind, drops = Collected(), []
    provider = TracerProvider(sampler=RecordOnly(), shutdown_on_exit=False)
    provider.add_span_processor(TailSampler(TailSampling(ratio=0), [behind], drops.append))
    provider.get_tracer("tests").start_span("work").end()

    assert [(span.name, dict(span.attributes)) for span in behind.ended] == [("work", {})]
    assert drops == []
    provider.shutdown()


def test_flush_and_shutdown() -> None:
    """A flush decides nothing before its time and keeps its timeout; shutdown decides what waits, then takes no more."""
    behind, drops = Collected(), []
    sampler = TailSampler(TailSampling(ratio=0), [behind], drops.append)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sampler)
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("kept"):
        failed = tracer.start_span("failed")
        failed.set_status(StatusCode.ERROR)
        failed.end()
        with tracer.start_as_current_span("dropped", Context()):
            tracer.start_span("child").end()
            assert sampler.force_flush(3000)
            assert (behind.ended, drops, len(behind.flushes)) == ([], [], 1)
            assert 0 < behind.flushes[0] <= 3000
            sampler.shutdown()
            assert [span.name for span in behind.ended] == ["failed"]
            assert (drops, behind.closed) == ([1], 1)

    assert [span.name for span in behind.ended] == ["failed", "dropped", "kept"], "who exports has to count them"
    assert sum(drops) == 1


def test_a_trace_that_never_ends(line: Callable[..., Line]) -> None:
    """After the longest wait a trace is decided by what it has, without any further span."""
    one = line(ratio=0, max_wait=0.05)
    news = threading.Event()
    one.tail._downstream = (*one.tail._downstream, Signalling(news))
    root = one.tracer.start_span("root")
    failed = one.tracer.start_span("failed", trace.set_span_in_context(root))
    failed.set_status(StatusCode.ERROR)
    failed.end()

    assert news.wait(5)
    assert one.names() == {"failed": 1}
    root.end()
    assert one.names() == {"failed": 1, "root": 1}


class Signalling(SpanProcessor):
    """Tells that a span came."""

    def __init__(self, news: threading.Event) -> None:
        self._news = news

    def on_end(self, span: ReadableSpan) -> None:
        """Tell."""
        self._news.set()


def test_a_kept_trace_is_handed_on_without_a_flush(line: Callable[..., Line]) -> None:
    """The thread hands on what is kept by itself."""
    one = line(ratio=1)
    news = threading.Event()
    one.tail._downstream = (Signalling(news),)
    one.trace()

    assert news.wait(5)


def finished(name: str, trace_id: int, parent: int | None, *, error: bool = False) -> ReadableSpan:
    """A finished span, without the cost of making one with a tracer."""
    above = None if parent is None else SpanContext(trace_id, parent, False, TraceFlags(1))
    context = SpanContext(trace_id, 1 if parent is None else 2, False, TraceFlags(1))
    return ReadableSpan(name, context, above, RESOURCE, status=Status(StatusCode.ERROR if error else StatusCode.UNSET))


def test_a_hundred_thousand_open_traces(line: Callable[..., Line]) -> None:
    """However many traces are open, no more than the bound is undecided, and every span is accounted for."""
    one = line(ratio=0, max_traces=1000, max_spans=1000)
    for number in range(1, 100_001):
        one.tail.on_start(finished("root", number, None))
        one.tail.on_end(finished("child", number, 1, error=number % 1000 == 0))
        assert len(one.tail._held) + len(one.tail._waiting) <= 1000
        assert one.tail._spans <= 1000
        assert len(one.tail._decisions) <= tail.REMEMBERED
    for number in range(1, 100_001):
        one.tail.on_end(finished("root", number, None))

    assert len(one.kept()) + one.dropped == 200_000
    assert one.names()["child"] == 100


def test_bytes_are_bounded(line: Callable[..., Line]) -> None:
    """Large spans fill the buffer sooner; an error among them is kept all the same."""
    one = line(ratio=0, max_bytes=1_000_000)
    with one.tracer.start_as_current_span("root"):
        for _ in range(40):
            child = one.tracer.start_span("child", attributes={"prompt": "x" * 100_000})
            child.set_status(StatusCode.ERROR)
            child.end()
            assert one.tail._bytes <= 1_000_000

    assert one.names() == {"child": 40, "root": 1}
    assert (one.tail._bytes, one.tail._spans) == (0, 0)


def test_waiting_roots_are_bounded(line: Callable[..., Line]) -> None:
    """Roots that never end take no more room than the bound."""
    one = line(ratio=0, max_traces=100)
    roots = [one.tracer.start_span("root", Context()) for _ in range(1000)]

    assert len(one.tail._waiting) == 100
    for root in roots:
        root.end()
    assert one.kept() == []
    assert one.dropped == 1000


@pytest.mark.parametrize("bound", [3, 100_000])
def test_every_span_under_threads(line: Callable[..., Line], bound: int) -> None:
    """Eight threads, kept and dropped and late spans: what was kept and what was dropped is what ended."""
    one = line(ratio=0.5, max_spans=bound, max_traces=bound)
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for number in range(250):
            with one.tracer.start_as_current_span("root") as root:
                late = one.tracer.start_span("late")
                one.tracer.start_span("child").end()
                if number % 5 == 0:
                    root.set_status(StatusCode.ERROR)
            late.end()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = one.kept()
    assert len(kept) + one.dropped == 8 * 250 * 3
    assert len({span.context.span_id for span in kept}) == len(kept)
    if bound > 3:  # else traces were decided before their error was seen
        assert sum(span.status.status_code is StatusCode.ERROR for span in kept) == 8 * 50


def test_a_span_that_ends_in_a_finalizer(line: Callable[..., Line], monkeypatch: pytest.MonkeyPatch) -> None:
    """A finalizer that ends a span in the middle of another's end does not disturb it, and its span is not lost."""
    one = line(ratio=1)
    inner = one.tracer.start_span("finalized")
    hold = one.tail._hold

    def interrupted(*args: Any, **kwargs: Any) -> int:
        monkeypatch.setattr(one.tail, "_hold", hold)
        inner.end()
        return hold(*args, **kwargs)

    monkeypatch.setattr(one.tail, "_hold", interrupted)
    one.tracer.start_span("outer").end()
    gc.collect()

    assert one.names() == {"outer": 1, "finalized": 1}


class Broken(Collected):
    """Fails at everything."""

    def on_start(self, *args: Any, **kwargs: Any) -> None:
        """Fail."""
        raise RuntimeError("start")

    def on_end(self, span: ReadableSpan) -> None:
        """Fail."""
        raise RuntimeError("end")

    def shutdown(self) -> None:
        """Fail."""
        raise RuntimeError("shutdown")


def test_a_processor_that_fails() -> None:
    """What fails behind us is counted, and the processors beside it get everything."""
    strict = guard.set_strict(False)
    before = guard.swallowed().get("processors.tail.downstream", 0)
    behind = Collected()
    sampler = TailSampler(TailSampling(ratio=1), [Broken(), behind], lambda count: 1 / 0)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(sampler)
    provider.get_tracer("tests").start_span("work").end()
    sampler.force_flush()
    sampler.shutdown()
    guard.set_strict(strict)

    assert [span.name for span in behind.ended] == ["work"]
    assert behind.closed == 1
    assert guard.swallowed()["processors.tail.downstream"] == before + 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_forgets(line: Callable[..., Line]) -> None:
    """A child does not hand on what waited in its parent, and works, although the lock was held as it was forked."""
    one = line(ratio=1)
    root = one.tracer.start_span("root")
    one.tracer.start_span("child", trace.set_span_in_context(root)).end()
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with one.tail._turn:
            held.set()
            release.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    child = os.fork()
    if child == 0:
        one.tracer.start_span("own", Context()).end()
        os._exit(0 if one.names() == {"own": 1} else 1)
    release.set()
    thread.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    root.end()
    assert one.names() == {"child": 1, "root": 1}
