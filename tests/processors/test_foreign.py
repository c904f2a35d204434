"""Processors that are not ours: whatever one of them does, the user's code and the others go on."""

from __future__ import annotations

import os
import signal
import statistics
import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry import baggage, context
from opentelemetry._logs import LogRecord
from opentelemetry.sdk._logs import LoggerProvider, LogRecordProcessor
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aumos_otel import guard
from aumos_otel._internal import deadline
from aumos_otel.processors import foreign
from aumos_otel.processors.foreign import LogRecordProcessors, SpanProcessors


class OutOfBandError(BaseException):
    """A BaseException that is nobody's control flow."""


def refuse(kind: type[BaseException]) -> Callable[..., Any]:
    """A method that always raises."""

    def method(*_arguments: object, **_named: object) -> None:
        raise kind

    return method


def failing(base: type, kind: type[BaseException]) -> Any:
    """A processor each of whose methods raises."""
    names = ("on_start", "on_end", "on_emit", "shutdown", "force_flush", "_on_ending")
    return type("Failing", (base,), {name: refuse(kind) for name in names if hasattr(base, name)})()


class Spans:
    """A provider with the processors between two in-memory exporters."""

    def __init__(self, *processors: SpanProcessor) -> None:
        self.first, self.last = InMemorySpanExporter(), InMemorySpanExporter()
        self.processors = SpanProcessors()
        self.provider = TracerProvider(
            resource=Resource({}), shutdown_on_exit=False, active_span_processor=self.processors
        )
        for processor in (SimpleSpanProcessor(self.first), *processors, SimpleSpanProcessor(self.last)):
            self.provider.add_span_processor(processor)
        self.tracer = self.provider.get_tracer("tests")

    def work(self) -> float:
        """One span; how long the user was kept, in seconds."""
        began = time.perf_counter()
        self.tracer.start_span("work").end()
        return time.perf_counter() - began


@pytest.mark.parametrize("kind", [ValueError, OutOfBandError])
def test_a_span_processor_that_always_raises(kind: type[BaseException]) -> None:
    """The user's code goes on, the others get everything, and all are shut down."""
    spans = Spans(failing(SpanProcessor, kind))

    for _ in range(3):
        spans.work()

    assert spans.provider.force_flush(2000) is False
    assert len(spans.first.get_finished_spans()) == len(spans.last.get_finished_spans()) == 3
    spans.provider.shutdown()
    assert spans.first._stopped
    assert spans.last._stopped
    assert guard.swallowed()["processors.foreign.Failing"] >= 8


@pytest.mark.parametrize("kind", [ValueError, OutOfBandError])
def test_a_log_record_processor_that_always_raises(kind: type[BaseException]) -> None:
    """The same for log records."""
    memory = InMemoryLogRecordExporter()
    provider = LoggerProvider(shutdown_on_exit=False, multi_log_record_processor=LogRecordProcessors())
    for processor in (failing(LogRecordProcessor, kind), SimpleLogRecordProcessor(memory)):
        provider.add_log_record_processor(processor)

    provider.get_logger("tests").emit(LogRecord(body="hello"))
    provider.get_logger("tests").emit(LogRecord(body="again"))

    assert [record.log_record.body for record in memory.get_finished_logs()] == ["hello", "again"]
    assert provider.force_flush(2000) is False
    provider.shutdown()
    assert memory._stopped


def test_an_interrupt_reaches_the_user() -> None:
    """Ctrl-C while a processor runs on the user's thread is the user's."""

    class Interrupted(SpanProcessor):
        calls = 0

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            self.calls += 1
            if self.calls > 1:  # the first call is on a helper thread
                raise KeyboardInterrupt

    spans = Spans(Interrupted())
    spans.work()
    with pytest.raises(KeyboardInterrupt):
        spans.work()
    spans.provider.shutdown()


class Hanging(SpanProcessor):
    """Hangs in the methods that are named, until it is let go."""

    def __init__(self, *where: str) -> None:
        self.where = where
        self.let_go = threading.Event()
        self.calls = 0

    def _hang(self, name: str) -> None:
        if name in self.where:
            self.calls += 1
            self.let_go.wait(30)

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Start."""
        self._hang("on_start")

    def on_end(self, span: Any) -> None:
        """End."""
        self._hang("on_end")

    def shutdown(self) -> None:
        """Shut down."""
        self._hang("shutdown")

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush."""
        self._hang("force_flush")
        return True


def test_a_start_that_hangs() -> None:
    """It keeps the user for a moment once; from then on it is left out, and counted."""
    hanging = Hanging("on_start")
    spans = Spans(hanging)

    first, *others = [spans.work() for _ in range(50)]
    hanging.let_go.set()

    assert deadline.PATIENCE <= first < 2
    assert max(others) < deadline.PATIENCE
    assert hanging.calls == 1
    assert guard.swallowed()["processors.foreign.Hanging.left_out"] >= 49
    assert len(spans.last.get_finished_spans()) == 50
    spans.provider.shutdown()


def test_a_start_that_is_slow() -> None:
    """After a few slow calls it is left out for good."""
    calls = []

    class Slow(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            calls.append(span)
            threading.Event().wait(deadline.PATIENCE * 1.3)

    spans = Spans(Slow())
    until = time.monotonic() + 20
    while len(calls) < foreign.STRIKES and time.monotonic() < until:
        spans.work()

    assert max(spans.work() for _ in range(20)) < deadline.PATIENCE
    assert len(calls) == foreign.STRIKES
    spans.provider.shutdown()


def test_a_start_may_set_attributes() -> None:
    """A prompt processor sees the context and adds to the span, the first time as well as later."""

    class Enriching(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            span.set_attribute("plan", str(baggage.get_baggage("plan")))

    spans = Spans(Enriching())
    token = context.attach(baggage.set_baggage("plan", "gold"))
    for _ in range(3):
        spans.work()
    context.detach(token)

    assert [dict(span.attributes) for span in spans.last.get_finished_spans()] == [{"plan": "gold"}] * 3
    spans.provider.shutdown()


def test_an_end_that_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    """It never reaches the user; what finds no room is left out and counted; a flush keeps its time."""
    monkeypatch.setattr(foreign, "ROOM", 10)
    hanging = Hanging("on_end")
    spans = Spans(hanging)

    assert statistics.median(spans.work() for _ in range(50)) < deadline.PATIENCE
    began = time.monotonic()
    assert spans.provider.force_flush(100) is False
    assert time.monotonic() - began < 2

    hanging.let_go.set()
    assert spans.provider.force_flush(10_000) is True
    assert 10 <= hanging.calls <= 12
    assert guard.swallowed()["processors.foreign.Hanging.left_out"] >= 38
    assert len(spans.last.get_finished_spans()) == 50
    spans.provider.shutdown()


@pytest.mark.parametrize("where", ["shutdown", "force_flush"])
def test_others_are_flushed_and_shut_down_while_one_hangs(where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at the same time."""
    monkeypatch.setattr(foreign, "SHUTDOWN_PATIENCE", 0.2)
    hanging, prompt = Hanging(where), Hanging()
    done = []
    monkeypatch.setattr(prompt, "shutdown", lambda: done.append("shutdown"))
    monkeypatch.setattr(prompt, "force_flush", lambda _millis: done.append("force_flush"))
    spans = Spans(hanging, prompt)

    assert spans.provider.force_flush(200) is (where != "force_flush")
    spans.provider.shutdown()
    hanging.let_go.set()

    assert done == ["force_flush", "shutdown"]
    assert spans.last._stopped


def test_the_end_sees_the_context_of_the_user() -> None:
    """On the thread of its own a processor finds the context in which the span ended."""
    seen = []

    class Witness(SpanProcessor):
        def on_end(self, span: Any) -> None:
            seen.append((baggage.get_baggage("plan"), threading.current_thread() is threading.main_thread()))

    spans = Spans(Witness())
    token = context.attach(baggage.set_baggage("plan", "gold"))
    spans.work()
    context.detach(token)
    spans.provider.shutdown()

    assert seen == [("gold", False)]


def test_a_log_record_processor_may_change_the_record() -> None:
    """What it changes, the processors after it see."""
    memory = InMemoryLogRecordExporter()

    class Masking(LogRecordProcessor):
        def on_emit(self, log_record: Any) -> None:
            log_record.log_record.body = "masked"

        def shutdown(self) -> None:
            pass

        def force_flush(self, timeout_millis: int = 30_000) -> bool:
            return True

    provider = LoggerProvider(shutdown_on_exit=False, multi_log_record_processor=LogRecordProcessors())
    for processor in (Masking(), SimpleLogRecordProcessor(memory)):
        provider.add_log_record_processor(processor)
    for _ in range(3):
        provider.get_logger("tests").emit(LogRecord(body="secret"))
    provider.shutdown()

    assert [record.log_record.body for record in memory.get_finished_logs()] == ["masked"] * 3


def test_an_exporter_behind_a_processor_of_the_sdk() -> None:
    """A simple processor with a slow exporter does not keep the user; a batch processor is called as it is."""
    let_go = threading.Event()

    class Slow(SpanExporter):
        def export(self, spans: Any) -> Any:
            let_go.wait(30)
            return SpanExportResult.SUCCESS

    memory = InMemorySpanExporter()
    spans = Spans(SimpleSpanProcessor(Slow()), BatchSpanProcessor(memory))

    assert max(spans.work() for _ in range(20)) < deadline.PATIENCE
    let_go.set()
    assert spans.provider.force_flush(10_000)
    assert len(memory.get_finished_spans()) == 20
    spans.provider.shutdown()


def test_without_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no thread can be started a foreign processor gets nothing, and the user's code goes on."""

    def refuse_to_start(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse_to_start)
    spans = Spans(Hanging())

    spans.work()

    assert len(spans.last.get_finished_spans()) == 1
    assert spans.provider.force_flush(100) is False
    spans.provider.shutdown()


def test_under_the_fixtures_everything_is_raised() -> None:
    """Where a test asked for it, a processor's failure is the test's."""
    spans = Spans(failing(SpanProcessor, ValueError))
    was = guard.set_strict(True)
    try:
        with pytest.raises(ValueError):
            spans.work()
    finally:
        guard.set_strict(was)
    spans.provider.shutdown()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_forked_child() -> None:
    """It has a thread of its own, and none of its parent's records, also when its parent's hangs."""
    seen: list[str] = []
    let_go = threading.Event()

    class Witness(SpanProcessor):
        def on_end(self, span: Any) -> None:
            seen.append(span.name)
            if span.name == "work":
                let_go.wait(30)

    spans = Spans(Witness())
    spans.work()
    spans.work()
    child = os.fork()
    if child == 0:
        signal.alarm(10)
        seen.clear()
        spans.tracer.start_span("in the child").end()
        spans.provider.force_flush(5000)
        os._exit(0 if seen == ["in the child"] else 1)

    assert os.waitpid(child, 0)[1] == 0
    let_go.set()
    spans.provider.shutdown()
    assert seen == ["work", "work"]
