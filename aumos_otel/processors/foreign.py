"""Processors that are not ours: whatever one of them does, the user's code and the others go on.

* The end of a span, and a log record for an exporter, are handed over on a thread of the
  processor's own, through a bounded queue: neither a hang nor slowness there reaches the user.
* The start of a span, and a log record for a processor that may change it, cannot wait.  They
  are called on the user's thread, by way of `Courtesy`.
* Flush and shutdown run side by side, each on the thread of its processor.

Under the fixtures of `aumos_otel.testing` everything stays on the test's thread and is raised.
"""

from __future__ import annotations

import contextvars
import threading
import time
from collections import deque
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from opentelemetry.sdk._logs import LogRecordProcessor, SynchronousMultiLogRecordProcessor
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import SpanProcessor, SynchronousMultiSpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind

from aumos_otel import _compat, guard
from aumos_otel._internal import deadline, forking

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan, Span

P = TypeVar("P", SpanProcessor, LogRecordProcessor)

#: Records that wait for one foreign processor; further ones are left out and counted.
ROOM: Final = 2048

#: Slow calls after which a method of a processor is no longer called on the user's thread.
STRIKES: Final = 3

#: Seconds that a processor has for its `shutdown`, where nobody says how long.
SHUTDOWN_PATIENCE: Final = 30.0

#: The SDK's own, which only put the record on a queue.
_QUEUEING: Final = (BatchSpanProcessor, BatchLogRecordProcessor)
_IN_MEMORY: Final = (InMemorySpanExporter, InMemoryLogRecordExporter)


class Receipt:
    """What became of a job that runs elsewhere."""

    def __init__(self, job: Callable[[], object]) -> None:
        self._job = job
        self._done = threading.Event()
        self._well = False

    def run(self) -> None:
        """Do the job."""
        try:
            self._well = self._job() is not False
        finally:
            self._done.set()

    def refuse(self) -> None:
        """It will not be done."""
        self._done.set()

    def wait(self, seconds: float) -> bool:
        """Whether it has been done within ``seconds``, raised nothing and returned no False."""
        return self._done.wait(max(0.0, seconds)) and self._well


class Hop:
    """A thread that works off jobs in their order; the one who brings a job never waits.

    Args:
        site: where swallowed failures are counted.
    """

    def __init__(self, site: str) -> None:
        self._site = site
        self._closing = False
        self._start_over()
        forking.in_child(self._start_over)

    def _start_over(self) -> None:
        """The queue of a forked child is empty: what waits is the parent's."""
        self._jobs: deque[Callable[[], object]] = deque()
        self._ready = threading.Condition()
        self._running = False
        if self._closing:
            return
        with guard.swallow(f"{self._site}.thread"):
            threading.Thread(target=self._work, args=(self._ready,), name="aumos-otel-foreign", daemon=True).start()
            self._running = True

    def bring(self, job: Callable[[], object]) -> bool:
        """Queue ``job``, which runs in a copy of the current context; False when there is no room."""
        context = contextvars.copy_context()
        with self._ready:
            if len(self._jobs) >= ROOM or self._closing or not self._running:
                return False
            self._jobs.append(lambda: context.run(job))
            self._ready.notify()
            return True

    def post(self, job: Callable[[], object], *, last: bool = False) -> Receipt:
        """Run ``job`` after all that waits, whatever the room; with ``last`` the thread ends after it."""
        receipt = Receipt(job)
        with self._ready:
            if self._closing or not self._running:
                receipt.refuse()
            else:
                self._closing = last
                self._jobs.append(receipt.run)
                self._ready.notify()
        return receipt

    def _work(self, ready: threading.Condition) -> None:
        while True:
            with ready:
                while not self._jobs:
                    if self._closing:
                        return
                    ready.wait()
                job = self._jobs.popleft()
            with guard.contain(self._site):
                job()
            del job


class Courtesy:
    """Calls into somebody else's code on the user's thread, as long as they are prompt.

    The first call, and the one after a call that took longer than `deadline.PATIENCE`, run on a
    helper thread that is waited for no longer than that.  While one of them has not come back,
    and after `STRIKES` slow ones, calls are left out.  A processor that always hangs costs the
    user one `deadline.PATIENCE`; one that answered before and then hangs cannot be helped.

    Args:
        site: where swallowed failures are counted.
        name: of the method, for the log.
    """

    def __init__(self, site: str, name: str) -> None:
        self._site = site
        self._name = name
        self._strikes = 0
        self._prompt = False
        self._start_over()
        forking.in_child(self._start_over)

    def _start_over(self) -> None:
        """The call that is out is the parent's."""
        self._out = False

    def call(self, job: Callable[[], object]) -> None:
        """Run ``job``, or leave it out."""
        if self._prompt or guard.strict():
            began = time.perf_counter()
            with guard.shield(self._site):
                job()
            if time.perf_counter() - began > deadline.PATIENCE:
                self._slow()
        elif self._out or self._strikes >= STRIKES:
            guard.notice(f"{self._site}.left_out", f"{self._name}() hangs or is too slow: it is left out")
        else:
            self._call_elsewhere(job)

    def _call_elsewhere(self, job: Callable[[], object]) -> None:
        def run() -> None:
            self._out = True
            with guard.contain(self._site):
                job()
            self._out = False

        with guard.swallow(self._site):
            try:
                deadline.within(deadline.PATIENCE, run)
                self._prompt = True
            except TimeoutError:
                self._slow()

    def _slow(self) -> None:
        self._prompt = False
        self._strikes += 1


class _Foreign(Generic[P]):
    """What a span processor and a log record processor have in common."""

    def __init__(self, inner: P) -> None:
        self.inner: P = inner
        self._site = f"processors.foreign.{type(inner).__name__}"
        self._hop = None if _holds(inner, _IN_MEMORY) else Hop(self._site)
        self._queued = self._hop is not None and not isinstance(inner, _QUEUEING)

    def _hand_over(self, job: Callable[[], object]) -> None:
        if not self._queued or self._hop is None or guard.strict():
            with guard.shield(self._site):
                job()
        elif not self._hop.bring(job):
            name = type(self.inner).__name__
            guard.notice(f"{self._site}.left_out", f"{name} takes no more (slow, or shut down): records are left out")

    def begin(self, job: Callable[[], object], *, last: bool = False) -> Receipt:
        """Do ``job`` after all that waits for the processor."""
        if self._hop is not None and not guard.strict():
            return self._hop.post(job, last=last)
        receipt = Receipt(job)
        with guard.shield(self._site):
            receipt.run()
        if self._hop is not None and last:
            self._hop.post(lambda: None, last=True)
        return receipt

    def begin_flush(self, timeout_millis: int) -> Receipt:
        """Flush the processor."""
        return self.begin(lambda: self.inner.force_flush(timeout_millis))

    def begin_shutdown(self) -> Receipt:
        """Shut the processor down."""
        return self.begin(self.inner.shutdown, last=True)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush the processor; False when that is not done in time."""
        return self.begin_flush(timeout_millis).wait(timeout_millis / 1000)

    def shutdown(self) -> None:
        """Shut the processor down."""
        self.begin_shutdown().wait(SHUTDOWN_PATIENCE)


class ForeignSpanProcessor(_Foreign[SpanProcessor], SpanProcessor):
    """A span processor that is not ours."""

    def __init__(self, inner: SpanProcessor) -> None:
        super().__init__(inner)
        kind, idle = type(inner), isinstance(inner, (BatchSpanProcessor, SimpleSpanProcessor))
        self._courtesy = Courtesy(self._site, f"{kind.__name__}.on_start")
        #: See `SpanProcessors`.
        self.wakes_on = (None,) if not idle and _overrides(inner, "on_start") else ()
        self.wakes_before_end = not idle and _compat.ending(kind) is not _compat.ending(SpanProcessor)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Let the processor see, and add to, a span that starts."""
        if self.wakes_on:
            self._courtesy.call(lambda: self.inner.on_start(span, parent_context=parent_context))

    def _on_ending(self, span: Span) -> None:
        if self.wakes_before_end:
            self._courtesy.call(lambda: _compat.ending(self.inner)(span))

    def on_end(self, span: ReadableSpan) -> None:
        """Hand an ended span over."""
        self._hand_over(lambda: self.inner.on_end(span))


class ForeignLogRecordProcessor(_Foreign[LogRecordProcessor], LogRecordProcessor):
    """A log record processor that is not ours."""

    def __init__(self, inner: LogRecordProcessor) -> None:
        super().__init__(inner)
        self._exports = isinstance(inner, (BatchLogRecordProcessor, SimpleLogRecordProcessor))
        self._courtesy = Courtesy(self._site, f"{type(inner).__name__}.on_emit")

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Hand a log record over; to a processor that may change it, at once."""
        if self._exports:
            self._hand_over(lambda: self.inner.on_emit(log_record))
        else:
            self._courtesy.call(lambda: self.inner.on_emit(log_record))

    def enabled(self, **about: Any) -> bool:
        """What the processor says; True when it cannot tell."""
        with guard.shield(self._site):
            return bool(self.inner.enabled(**about))
        return True


class SpanProcessors(SynchronousMultiSpanProcessor):
    """All span processors of a provider of ours; what is added later is guarded as well.

    Who has nothing to do at the start or end of a span is not called then.  A processor of ours may tell, in
    ``wakes_on``, the keys of the context and the kinds of spans without which it has nothing to do at a start,
    and in ``wakes_while`` what has to hold something for it to have something to do at an end.

    Attributes:
        always_starts: whether anybody wants to see each span that starts.
        kinds_start: whether anybody wants to see those of a kind that is not internal.
        endings: called with a span that is about to end.
        ends: called with a span that has ended, and while what is not empty; None: always.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # the SDK left it untyped
        self._plan()

    def add_span_processor(self, span_processor: SpanProcessor) -> None:
        """Add a processor; one that is not ours is wrapped."""
        super().add_span_processor(guarded_span_processor(span_processor))
        self._plan()

    def _plan(self) -> None:
        members = self._span_processors
        self._starts = tuple(
            (key, member.on_start)
            for member in members
            if _overrides(member, "on_start")
            for key in getattr(member, "wakes_on", (None,))
        )
        self.ends = tuple(
            (member.on_end, getattr(member, "wakes_while", None)) for member in members if _overrides(member, "on_end")
        )
        self.endings = tuple(
            ending
            for member in members
            if _compat.ending(type(member)) is not _compat.ending(SpanProcessor)
            and getattr(member, "wakes_before_end", True)
            and (ending := _compat.ending(member)) is not None
        )
        self.always_starts = any(key is None for key, _ in self._starts)
        self.kinds_start = any(isinstance(key, SpanKind) for key, _ in self._starts)

    def started(self, span: Any, context: Context) -> None:
        """``span`` has started in ``context``."""
        kind = span.kind
        for key, on_start in self._starts:
            if key is None or key is kind or (type(key) is str and key in context):
                on_start(span, context)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all of them side by side; False when one is not done in time."""
        return _flush(self._span_processors, timeout_millis)

    def shutdown(self) -> None:
        """Shut all of them down."""
        _shut_down(self._span_processors)


class LogRecordProcessors(SynchronousMultiLogRecordProcessor):
    """The same for log records."""

    def add_log_record_processor(self, log_record_processor: LogRecordProcessor) -> None:
        """Add a processor; one that is not ours is wrapped."""
        super().add_log_record_processor(guarded_log_record_processor(log_record_processor))

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Flush all of them side by side; False when one is not done in time."""
        return _flush(self._log_record_processors, timeout_millis)

    def shutdown(self) -> None:
        """Shut all of them down."""
        _shut_down(self._log_record_processors)


def guarded_span_processor(processor: SpanProcessor) -> SpanProcessor:
    """``processor``, wrapped unless it is ours and guards itself."""
    return processor if _is_ours(processor) else ForeignSpanProcessor(processor)


def guarded_log_record_processor(processor: LogRecordProcessor) -> LogRecordProcessor:
    """``processor``, wrapped unless it is ours and guards itself."""
    return processor if _is_ours(processor) else ForeignLogRecordProcessor(processor)


def _overrides(processor: SpanProcessor, method: str) -> bool:
    return getattr(type(processor), method, None) is not getattr(SpanProcessor, method)


def _is_ours(processor: object) -> bool:
    """Whether it is this distribution's, or one of the SDK's that writes to an exporter of ours."""
    if isinstance(processor, (SimpleSpanProcessor, SimpleLogRecordProcessor)):
        return any(type(held).__module__.startswith("aumos_otel.") for held in vars(processor).values())
    return type(processor).__module__.startswith("aumos_otel.")


def _holds(processor: object, exporters: tuple[type, ...]) -> bool:
    """Whether it is a simple processor of the SDK that writes to one of these: tests read from them at once."""
    simple = type(processor) in (SimpleSpanProcessor, SimpleLogRecordProcessor)
    return simple and any(isinstance(held, exporters) for held in vars(processor).values())


def _flush(members: Sequence[Any], timeout_millis: int) -> bool:
    until = time.monotonic() + timeout_millis / 1000
    receipts = [member.begin_flush(timeout_millis) for member in members if isinstance(member, _Foreign)]
    well = True
    for member in members:
        if not isinstance(member, _Foreign):
            left = max(0, int((until - time.monotonic()) * 1000))
            with guard.shield("processors.flush"):
                well = member.force_flush(left) is not False and well
    for receipt in receipts:
        well = receipt.wait(until - time.monotonic()) and well
    return well


def _shut_down(members: Sequence[Any]) -> None:
    until = time.monotonic() + SHUTDOWN_PATIENCE
    receipts = [member.begin_shutdown() for member in members if isinstance(member, _Foreign)]
    for member in members:
        if not isinstance(member, _Foreign):
            with guard.shield("processors.shutdown"):
                member.shutdown()
    for receipt in receipts:
        receipt.wait(until - time.monotonic())
