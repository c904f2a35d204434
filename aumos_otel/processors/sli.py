"""Counts the events of service-level indicators, of every span and whatever sampling makes of it.

The counter costs the thread that ends a span some look-ups and one addition for each SLI that the span is an
event of: `sli_index` knows which SLIs have to be asked, `sli_cells` holds the sums, `sli_series` what they add
up to, `sli_metrics` brings that to OpenTelemetry's metrics.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.sdk._logs import LogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.trace import SpanKind, TraceFlags

from aumos_otel import _compat, guard
from aumos_otel._internal import forking
from aumos_otel.processors.sli_cells import Cells, Trace
from aumos_otel.processors.sli_facts import EVENT, LogFacts, SpanFacts
from aumos_otel.processors.sli_index import SliIndex
from aumos_otel.processors.sli_series import SeriesTable
from aumos_otel.recording.span import Span
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry._logs import LogRecord
    from opentelemetry.sdk._logs import ReadWriteLogRecord

    from aumos_otel.processors.sli_cells import Row
    from aumos_otel.processors.sli_index import Candidate
    from aumos_otel.processors.sli_series import Key
    from aumos_otel.slo.sli import Sli

_SITE: Final = "processors.sli"
_TENANT: Final = attributes.AUMOS_TENANT_ID

#: The numbers of the kinds, by the identity of the kind: the hash of an enumeration's member is slow.
_KINDS: Final = {id(kind): kind.value for kind in SpanKind}


class Counted(NamedTuple):
    """What has been counted since the process began.

    Attributes:
        number: grows from reading to reading.
        series: all events and the good ones, by the SLI (its place in `SliCounter.slis`) and the tenant, if any.
    """

    number: int
    series: dict[Key, tuple[int, int]]


class SliCounter:
    """The counts of a process.  A forked child starts at zero, with the SLIs of its parent.

    Args:
        slis: that are counted from the beginning; of two with one name the first.
        most_series: of one metric; see `SeriesTable`.
        exemplars: whether the traces behind events are remembered.

    Attributes:
        table: the series, with the traces behind their events.
    """

    def __init__(self, slis: Iterable[Sli] = (), *, most_series: int = 2000, exemplars: bool = True) -> None:
        self.exemplars = exemplars
        self._most_series = most_series
        self._index = SliIndex()
        #: Those that are counted; empty while there is nothing to do.
        self.busy: list[Sli] = []
        self._start_over()
        forking.in_child(self._start_over)
        self.add(*slis)

    def _start_over(self) -> None:
        """In a forked child: what has been counted so far is the parent's."""
        self._lock = threading.RLock()  # reading may collect garbage, which may end a span that declares an SLI
        self._cells = Cells()
        self.table = SeriesTable(self._most_series)

    def add(self, *slis: Sli) -> None:
        """Count more SLIs from now on; one that is counted already changes nothing."""
        with self._lock:
            known = {sli.name: sli for sli in self._index.slis}
            new = []
            for sli in slis:
                first = known.get(sli.name)
                if first is None:
                    known[sli.name] = sli
                    new.append(sli)
                elif (first.match, first.good) != (sli.match, sli.good):
                    guard.notice(
                        f"{_SITE}.{sli.name}",
                        f"SLI {sli.name!r} is defined twice: {first!r} is counted, {sli!r} is not; rename one of them",
                    )
            if new:
                self._index = SliIndex(new, self._index)
                self.busy += new

    def find(self, name: str) -> Sli | None:
        """The SLI of that name."""
        return next((sli for sli in self._index.slis if sli.name == name), None)

    @property
    def slis(self) -> tuple[Sli, ...]:
        """All SLIs in the order in which they came."""
        return self._index.slis

    def counts(self) -> dict[str, tuple[int, int]]:
        """All events and the good ones by SLI, since the process began."""
        slis = self._index.slis
        sums = [[0, 0] for _ in slis]
        for (number, _), (events, good) in self.read().series.items():
            if number < len(sums):
                sums[number][0] += events
                sums[number][1] += good
        return {sli.name: (events, good) for sli, (events, good) in zip(slis, sums, strict=True)}

    def read(self) -> Counted:
        """What has been counted so far."""
        with self._lock:
            series = self.table.update(self._cells.read(), len(self._index.slis))
            return Counted(self.table.readings, series)

    def count_span(self, span: ReadableSpan) -> None:
        """Count a span that has ended."""
        index = self._index
        if not index.slis:
            return
        if type(span) is Span:  # of our own tracer: its fields are public
            if span.deferred and index.reads(span.deferred):
                span.make()
            number, name, scope = _KINDS[id(span.kind)], span.name, span.instrumentation_scope.name
            known: Mapping[str, Any] = span.values
        else:
            number, name, scope, known = _compat.parts_of(span)
        kind, candidates = index.candidates(number, name, scope, known)
        if candidates:
            self._count(candidates, SpanFacts(span, kind, name, scope, known), _trace_of_span, span)

    def count_event(self, record: ReadWriteLogRecord) -> None:
        """Count a log record, if it is an event."""
        given = record.log_record
        name, index = given.event_name, self._index
        if not name or not index.slis:
            return
        known: Mapping[str, Any] = given.attributes or {}
        scope = record.instrumentation_scope
        scope_name = "" if scope is None else scope.name
        _, candidates = index.candidates(EVENT, name, scope_name, known)
        if candidates:
            self._count(candidates, LogFacts(record, name, scope_name, known), _trace_of_event, given)

    def _count(
        self,
        candidates: Sequence[Candidate],
        facts: SpanFacts | LogFacts,
        trace_of: Callable[[Any], Trace | None],
        source: object,
    ) -> None:
        row: Row | None = None
        for number, verdict in candidates:
            try:
                good = verdict(facts)
                if good is None:
                    continue
                if row is None:
                    row = self._cells.row(facts.attributes.get(_TENANT))
                row.counts[number + number + good] += 1
                if self.exemplars and (not good or number not in row.good):
                    trace = trace_of(source)
                    if trace is not None and good:
                        row.good[number] = trace
                    elif trace is not None:
                        row.remember_bad(number, trace)
            except Exception:  # noqa: BLE001 - it costs its own SLI this event, not the others
                self._swallow(number)

    def _swallow(self, number: int) -> None:
        """Count the exception that is being handled by the SLI whose predicate raised it."""
        with guard.swallow(f"{_SITE}.{self._index.slis[number].name}"):
            raise  # noqa: PLE0704 - there is one


class SliProcessor(SpanProcessor):
    """Counts every span that ends, also those that are not exported; it is to come after what stamps attributes."""

    def __init__(self, counter: SliCounter) -> None:
        self._counter = counter
        #: See `aumos_otel.processors.foreign.SpanProcessors`.
        self.wakes_while = counter.busy

    def on_end(self, span: ReadableSpan) -> None:
        """Count ``span``."""
        try:
            self._counter.count_span(span)
        except Exception:
            with guard.swallow(_SITE):
                raise


class SliLogProcessor(LogRecordProcessor):
    """Counts every log record that is an event."""

    def __init__(self, counter: SliCounter) -> None:
        self._counter = counter

    def on_emit(self, log_record: ReadWriteLogRecord) -> None:
        """Count ``log_record``."""
        with guard.swallow(_SITE):
            self._counter.count_event(log_record)

    def shutdown(self) -> None:
        """Nothing to shut down."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:  # noqa: ARG002 - the SDK's signature
        """Nothing to flush."""
        return True


def _trace_of_span(span: ReadableSpan) -> Trace | None:
    """The trace of a span, if it is kept."""
    context = span.context
    if context is None or not context.trace_flags & TraceFlags.SAMPLED:
        return None
    return Trace(context.trace_id, context.span_id, span.end_time or 0)


def _trace_of_event(record: LogRecord) -> Trace | None:
    """The trace that an event belongs to, if there is one and it is kept."""
    if not record.trace_id or not record.span_id or not (record.trace_flags or 0) & TraceFlags.SAMPLED:
        return None
    return Trace(record.trace_id, record.span_id, record.timestamp or record.observed_timestamp or 0)
