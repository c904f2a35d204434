"""Sampling at the end: a trace is kept for what happened in it.

The finished spans of a trace wait until its local root has ended, i.e. the last span here whose
parent is elsewhere.  Then the trace is decided: kept when a span met a condition, else kept
by chance, and every kept span says how many it stands for, so that counts and rates stay right.

A span that ends costs the user's thread a look at it and a place in a list; kept spans are rebuilt
and handed on by a thread of ours.  What may wait is bounded: when too much does, the oldest
trace is decided by what it has, and who brings one span too many hands some on.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import OrderedDict, deque
from enum import Enum
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel.delivery.appraisal import appraise_span
from aumos_otel.delivery.worker import Worker
from aumos_otel.processors.verdict import Conditions, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.context import Context
    from opentelemetry.trace import SpanContext

    from aumos_otel.config import TailSampling

#: Decisions that are remembered for spans that end after their trace was decided.
REMEMBERED: Final = 16_384

#: Spans that are handed on in one go.
_CHUNK: Final = 64

#: Seconds between two looks for decided traces, as long as there are any.
_PACE: Final = 0.2

#: Seconds that shutdown waits for what the thread has in hand.
_PATIENCE: Final = 2.0


class Verdict(Enum):
    """What was decided about a trace."""

    MERIT = "a condition was met"
    CHANCE = "one of the share"
    NONE = "not kept"


class _Trace:
    """A trace that is not decided yet, or whose kept spans have not been handed on."""

    __slots__ = ("merit", "open", "since", "size", "spans", "verdict")

    def __init__(self, *, merit: bool = False) -> None:
        self.merit = merit
        self.open = 0
        self.since = 0.0
        self.size = 0
        self.spans: deque[ReadableSpan] = deque()
        self.verdict = Verdict.NONE


class _Turn:
    """A lock that tells when its own thread comes again, from a finalizer or a signal handler."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._depth = 0

    def __enter__(self) -> bool:
        self._lock.acquire()
        self._depth += 1
        return self._depth == 1

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        self._lock.release()


class TailSampler(SpanProcessor):
    """Decides traces when they have ended, in front of the processors that export.

    Spans that were not sampled as they started pass by.

    Args:
        options: the conditions, the share and the bounds.
        downstream: get the kept spans.
        dropped: is told how many spans were not kept.
    """

    def __init__(
        self, options: TailSampling, downstream: Sequence[SpanProcessor], dropped: Callable[[int], object]
    ) -> None:
        self._options = options.resolve({}, {}, {})
        self._conditions = Conditions(self._options)
        self._share = Share(self._options.ratio)
        self._downstream = tuple(downstream)
        self._dropped = dropped
        self._worker = Worker("aumos-otel-tail", self._work)
        self._idle = True
        self._forget()
        forking.in_child(self._after_fork)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember a root, whose end decides its trace."""
        for processor in self._downstream:
            with guard.shield("processors.tail.downstream"):
                processor.on_start(span, parent_context)
        with guard.swallow("processors.tail"):
            if span.context is not None and span.context.trace_flags.sampled and _is_local_root(span):
                self._open(span.context.trace_id)

    def on_end(self, span: ReadableSpan) -> None:
        """Let ``span`` wait, or follow what was decided about its trace."""
        with guard.swallow("processors.tail"):
            if self._take(span):
                self._take_aside()

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Hand on what is decided, and flush; nothing is decided before its time."""
        deadline = time.monotonic() + timeout_millis / 1000
        done = self._closed or self._worker.sync(deadline)
        for processor in self._downstream:
            left = max(0, int((deadline - time.monotonic()) * 1000))
            done = processor.force_flush(left) is not False and done
        return done

    def shutdown(self) -> None:
        """Decide what waits by what it has, hand it on, and shut down what is behind."""
        if not self._closed:
            self._decide_all()
            self._worker.sync(time.monotonic() + _PATIENCE)
            self._worker.stop()
        for processor in self._downstream:
            with guard.shield("processors.tail.shutdown"):
                processor.shutdown()

    def _decide_all(self) -> None:
        lost = 0
        with self._turn:
            self._closed = True
            self._waiting.clear()
            while self._held:
                lost += self._decide_oldest()
        self._report(lost)

    def _open(self, trace_id: int) -> None:
        with self._turn as alone:
            if not alone or self._closed:
                return
            trace = self._held.get(trace_id) or self._waiting.get(trace_id)
            if trace is None:  # also when an earlier request of the same trace was decided: this one is looked at anew
                verdict = self._decisions.pop(trace_id, None)
                trace = self._waiting[trace_id] = _Trace(merit=verdict is Verdict.MERIT)
            trace.open += 1
            crowded = self._is_crowded()
        if crowded:
            self._relieve()

    def _take(self, span: ReadableSpan) -> bool:
        """Take a span that ended; False when its thread is in here already, then it is taken later."""
        context = span.context
        if context is None or not context.trace_flags.sampled:
            self._pass_on(span)
            return True
        merit, size = self._conditions.met(span), appraise_span(span)[0]
        with self._turn as alone:
            if not alone:
                self._aside.append(span)
                return False
            closed = self._closed
            verdict = None if closed else self._decisions.get(context.trace_id)
            lost = 0 if closed or verdict else self._hold(span, context, size, merit=merit)
            crowded = self._is_crowded()
            wake = self._idle and bool(self._ready)
            self._idle = self._idle and not wake
            self._worker.ensure()  # with the lock: one thread is enough
        if closed:
            self._pass_on(span)
        elif verdict is not None:
            self._follow(span, verdict)
        self._report(lost)
        if wake:
            self._worker.wake()
        if crowded:
            self._relieve()
        return True

    def _take_aside(self) -> None:
        """Take the spans that ended while their own thread was in here."""
        while self._aside:
            with contextlib.suppress(IndexError):  # another thread was quicker
                if not self._take(self._aside.popleft()):
                    return

    def _hold(self, span: ReadableSpan, context: SpanContext, size: int, *, merit: bool) -> int:
        """Let a span wait; returns how many spans are not kept because of it."""
        trace = self._held.get(context.trace_id)
        if trace is None:
            known = context.trace_id in self._waiting
            trace = self._held[context.trace_id] = self._waiting.pop(context.trace_id) if known else _Trace()
            trace.since = time.monotonic()
        trace.spans.append(span)
        trace.size += size
        trace.merit = trace.merit or merit
        self._spans += 1
        self._bytes += size
        if _is_local_root(span):
            trace.open -= 1
            if trace.open <= 0:
                del self._held[context.trace_id]
                return self._decide(context.trace_id, trace)
        return 0

    def _decide(self, trace_id: int, trace: _Trace) -> int:
        """Decide a trace that is no longer held; returns how many spans are not kept."""
        context = trace.spans[0].context
        if trace.merit:
            trace.verdict = Verdict.MERIT
        elif context is not None and self._share.takes(context):
            trace.verdict = Verdict.CHANCE
        self._decisions[trace_id] = trace.verdict
        if len(self._decisions) > REMEMBERED:
            self._decisions.popitem(last=False)
        if trace.verdict is not Verdict.NONE:
            self._ready.append(trace)
            return 0
        self._spans -= len(trace.spans)
        self._bytes -= trace.size
        return len(trace.spans)

    def _decide_oldest(self) -> int:
        return self._decide(*self._held.popitem(last=False))

    def _is_crowded(self) -> bool:
        return self._is_full() or len(self._held) + len(self._waiting) > self._options.max_traces

    def _is_full(self) -> bool:
        return self._spans > self._options.max_spans or self._bytes > self._options.max_bytes

    def _relieve(self) -> None:
        """Make room: hand on what is decided, else decide the oldest trace."""
        while True:
            lost, chunk, verdict = 0, list[ReadableSpan](), Verdict.NONE
            with self._turn as alone:
                if not alone or not self._is_crowded():
                    return
                if self._held and not (self._ready and self._is_full()):
                    lost = self._decide_oldest()
                elif self._ready:
                    chunk, verdict = self._take_chunk()
                else:
                    self._waiting.popitem(last=False)  # its root is taken for one of a trace without others
            self._report(lost)
            for span in chunk:
                self._follow(span, verdict)

    def _take_chunk(self) -> tuple[list[ReadableSpan], Verdict]:
        """Some kept spans of one trace, to be handed on by the caller without the lock."""
        if not self._ready:
            return [], Verdict.NONE
        trace = self._ready[0]
        chunk = [trace.spans.popleft() for _ in range(min(_CHUNK, len(trace.spans)))]
        size = trace.size * len(chunk) // (len(chunk) + len(trace.spans))
        trace.size -= size
        self._spans -= len(chunk)
        self._bytes -= size
        if not trace.spans:
            self._ready.popleft()
        return chunk, trace.verdict

    def _work(self) -> float:
        """Decide what has waited too long, hand on what is kept; returns the seconds until the next look."""
        self._take_aside()
        while True:
            lost = 0
            with self._turn:
                due = time.monotonic() - self._options.max_wait
                while self._held and next(iter(self._held.values())).since <= due:
                    lost += self._decide_oldest()
                chunk, verdict = self._take_chunk()
                self._idle = not chunk and not self._held
            self._report(lost)
            if not chunk:
                return self._options.max_wait if self._idle else min(_PACE, self._options.max_wait)
            for span in chunk:
                self._follow(span, verdict)

    def _follow(self, span: ReadableSpan, verdict: Verdict) -> None:
        if verdict is Verdict.NONE:
            self._report(1)
        else:
            self._pass_on(self._share.weighted(span, by_chance=verdict is Verdict.CHANCE))

    def _pass_on(self, span: ReadableSpan) -> None:
        for processor in self._downstream:
            with guard.shield("processors.tail.downstream"):
                processor.on_end(span)

    def _report(self, lost: int) -> None:
        if lost:
            with guard.swallow("processors.tail.dropped"):
                self._dropped(lost)

    def _after_fork(self) -> None:
        closed = self._closed
        self._forget()
        self._closed = closed
        self._worker.after_fork()

    def _forget(self) -> None:
        self._turn = _Turn()
        self._waiting: OrderedDict[int, _Trace] = OrderedDict()  # a root is open, no span has ended
        self._held: OrderedDict[int, _Trace] = OrderedDict()  # in the order of their first ended span
        self._ready: deque[_Trace] = deque()
        self._decisions: OrderedDict[int, Verdict] = OrderedDict()
        self._aside: deque[ReadableSpan] = deque()
        self._spans = self._bytes = 0
        self._idle = True
        self._closed = False


def _is_local_root(span: ReadableSpan) -> bool:
    return span.parent is None or span.parent.is_remote
