"""The series of one instrument for one reader: made at their first amount, added up when the reader collects.

A table stands where the SDK keeps one aggregation a series behind a lock.  A thread finds its cell through the
index that all tables of an instrument share (`Index`), so that an amount costs a look-up and an addition; the lock
is for new cells and for collecting.

A reader of deltas begins anew with each collection.  A thread that was about to write to a cell of the time
before may still do so: such a cell is looked at again until its thread is gone or has been seen in a later time.
"""

from __future__ import annotations

import threading
from operator import itemgetter
from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint, NumberDataPoint
from opentelemetry.trace import INVALID_SPAN, get_current_span

from aumos_otel import _compat, guard
from aumos_otel.providers.metric_cells import NOTHING, HistogramCell, LastCell, SumCell
from aumos_otel.providers.metric_identity import identify

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from opentelemetry.context import Context

    from aumos_otel.providers.metric_cells import Cell, Sample, State
    from aumos_otel.providers.metric_identity import Identity

    Point = NumberDataPoint | HistogramDataPoint

#: So many ended threads, and their cells are put together.
_ENDED_THREADS: Final = 32

#: More ways to find a cell than twice the cells: threads that name attributes in another order, series over the limit.
_SPARE: Final = 4096

_OVERFLOW: Final = identify({"otel.metric.overflow": True})
_SITE: Final = "providers.instruments"


class Index:
    """Where the threads find their cells.

    Attributes:
        cells: by the thread and its attributes, as `aumos_otel.providers.metric_recorder` makes the key.
        lock: for what changes cells, tables or the index; a signal handler may come by while its thread has it.
        version: rises when the index is emptied; what was looked up before must not be put in any more.
    """

    __slots__ = ("cells", "lock", "version")

    def __init__(self) -> None:
        self.cells: dict[Any, Any] = {}
        self.lock = threading.RLock()
        self.version = 0

    def empty(self) -> None:
        """Let every thread look up its cells anew."""
        with self.lock:
            self.version += 1
            self.cells.clear()

    def renew(self) -> None:
        """In a forked child: the lock may have been another thread's."""
        self.lock = threading.RLock()
        self.empty()

    def put(self, key: Any, entry: Any, version: int, size: int) -> None:
        """Remember where a cell is; the caller has the lock."""
        if version == self.version:
            if len(self.cells) >= 2 * size + _SPARE:
                self.cells.clear()
            self.cells[key] = entry


class Series:
    """One series.

    Attributes:
        attributes: not to be changed.
        start: Unix nanoseconds.
        cells: by thread.
        ended: what threads that are gone have counted.
        text: what an exporter has made of the attributes.
    """

    __slots__ = ("attributes", "cells", "ended", "start", "text")

    def __init__(self, attributes: dict[str, Any], start: int) -> None:
        self.attributes = attributes
        self.start = start
        self.cells: dict[int, Cell] = {}
        self.ended: Cell | None = None
        self.text: Any = None


#: A series, its state, and samples by bucket.
Row = tuple[Series, "State", "dict[int, Sample]"]


class _Left:
    """A cell of an earlier time, and what has been told of it."""

    __slots__ = ("cell", "identity", "series", "thread", "told")

    def __init__(self, identity: Identity, series: Series, thread: int, cell: Cell, told: State) -> None:
        self.identity = identity
        self.series = series
        self.thread = thread
        self.cell = cell
        self.told = told


_Parts = dict["Identity", tuple[Series, list[tuple["State", dict[int, "Sample"]]]]]


class Rows:
    """What one collection has found of a table, in the place of data points; to be read once.

    Attributes:
        rows: they are made as they are read.
        time: Unix nanoseconds.
        bounds: of a histogram.
    """

    __slots__ = ("bounds", "rows", "time")

    def __init__(self, rows: Iterator[Row], collected: int, bounds: tuple[float, ...]) -> None:
        self.rows = rows
        self.time = collected
        self.bounds = bounds


class Table(_compat.ViewInstrumentMatch):  # type: ignore[misc]  # the SDK's, or object where it has none
    """What one reader has of one instrument, in the place of the SDK's `_ViewInstrumentMatch`; made by `adopt`."""

    index: Index
    stream: _compat.Stream
    make: type[Cell]
    as_rows: bool

    def open(self, index: Index, stream: _compat.Stream, *, as_rows: bool) -> None:
        """Begin without a series."""
        self.index = index
        self.stream = stream
        self.make = _CELLS[stream.kind]
        self.as_rows = as_rows
        self.series: dict[Identity, Series] = {}
        self.size = 0
        self._threads: set[int] = set()
        self._left: list[_Left] = []
        self._collected: int | None = None
        self._overflows = False

    def cell(self, thread: int, identity: Identity, attributes: dict[str, Any]) -> Cell:
        """The cell of a thread for a series, which may be the one for all over the limit; the caller has the lock."""
        series = self.series.get(identity)
        if series is None:
            if len(self.series) >= self.stream.limit:
                identity, attributes = _OVERFLOW
                self._overflows |= identity not in self.series
            start = (self.stream.delta and self._collected) or time_ns()
            series = self.series.setdefault(identity, Series(attributes, start))
        cell = series.cells.get(thread)
        if cell is None:
            cell = series.cells.setdefault(thread, self.make(self.stream.bounds))
            self.size += 1
            self._threads.add(thread)
        return cell

    def tell(self) -> None:
        """Say once that there are series over the limit; not with the lock, because what logs may record as well."""
        if self._overflows:
            self._overflows = False
            name = f"{_SITE}.overflow"
            limit = self.stream.limit
            guard.notice(
                name, f"a metric has more than {limit} series; the others are added up as otel.metric.overflow"
            )

    def consume_measurement(self, measurement: Any, should_sample_exemplar: bool = True) -> None:  # noqa: FBT001, FBT002 - the SDK's signature
        """Take an amount that came the SDK's way."""
        identity, attributes = identify(measurement.attributes or {})
        value, sample = plain(measurement.value), None
        if should_sample_exemplar:
            sample = value, measurement.time_unix_nano, span_of(measurement.context)
        with self.index.lock:
            self.cell(threading.get_ident(), identity, attributes).take(value, sample)
        self.tell()

    def collect(self, temporality: AggregationTemporality, collected: int) -> Any:
        """The points of all series, None where there is none; `Rows` for a reader of ours.

        Args:
            temporality: that of the reader for this instrument.
            collected: Unix nanoseconds.
        """
        del temporality  # the stream tells
        rows = self._begin_anew(collected) if self.stream.delta else self._so_far()
        if self.as_rows:
            return Rows(rows, collected, self.stream.bounds)
        point = self._histogram_point if self.make is HistogramCell else self._number_point
        return [point(*row, collected) for row in rows] or None

    def _so_far(self) -> Iterator[Row]:
        with self.index.lock:
            self._put_ended_together()
            known = list(self.series.values())
        for series in known:
            try:
                (cell,) = series.cells.values()
            except (ValueError, RuntimeError):  # several, or one more just now
                cell = None
            if cell is not None and series.ended is None:
                if type(cell) is SumCell:  # nearly always; calls for each of ten thousand are felt
                    yield series, cell.value, cell.samples() if cell.sample is not None else NOTHING
                elif self._is_begun(state := cell.state()):
                    yield series, state, cell.samples()
                continue
            cells = [cell for cell in (series.ended, *list(series.cells.values())) if cell is not None]
            row = self._joined(series, [(cell.state(), cell.samples()) for cell in cells])
            if row is not None:
                yield row

    def _begin_anew(self, collected: int) -> Iterator[Row]:
        with self.index.lock:
            ended, self.series = self.series, {}
            seen, self._threads = self._threads, set()
            self.size = 0
            before, self._collected = self._collected, collected
            self.index.empty()
        parts: _Parts = {}
        for left in self._left:
            self._catch_up(left, before, parts)
        waiting = [left for left in self._left if left.thread not in seen]
        for identity, series in ended.items():
            told = parts.setdefault(identity, (series, []))[1]
            for thread, cell in series.cells.items():
                left = _Left(identity, series, thread, cell, cell.state())
                told.append((left.told, cell.samples()))
                waiting.append(left)
        living = _compat.running_threads()
        self._left = [left for left in waiting if left.thread in living]
        for left in waiting:
            if left.thread not in living:
                self._catch_up(left, before, parts)
        return filter(None, (self._joined(series, states) for series, states in parts.values()))

    @staticmethod
    def _catch_up(left: _Left, before: int | None, parts: _Parts) -> None:
        """Add what came to a cell of an earlier time after it was read."""
        state = left.cell.state()
        late = left.cell.since(state, left.told)
        if late is None:
            return
        left.told = state
        if left.identity not in parts:
            parts[left.identity] = (Series(left.series.attributes, before or left.series.start), [])
        parts[left.identity][1].append((late, left.cell.samples()))

    def _joined(self, series: Series, parts: list[tuple[State, dict[int, Sample]]]) -> Row | None:
        states = [state for state, _ in parts if self._is_begun(state)]
        if not states:
            return None
        state = states[0]
        for other in states[1:]:
            state = self.make.joined(state, other)
        samples: dict[int, Sample] = {}
        for _, found in parts:
            for index, sample in found.items():
                known = samples.setdefault(index, sample)
                if known[1] < sample[1]:
                    samples[index] = sample
        return series, state, samples

    def _is_begun(self, state: State) -> bool:
        if self.make is SumCell:
            return True
        return any(state[0]) if self.make is HistogramCell else state[0] is not None

    def _put_ended_together(self) -> None:
        """Keep one cell of all threads that are gone; the caller has the lock, so that nobody finds their cells anew."""
        if len(self._threads) <= _ENDED_THREADS:
            return
        ended = self._threads - _compat.running_threads()
        if len(ended) <= _ENDED_THREADS:
            return
        cells = self.index.cells
        for key in [key for key in list(cells) if (key if type(key) is int else key[0]) in ended]:
            cells.pop(key, None)
        # A new thread may have the number of an old one, and be on its way to the cell.
        ended -= _compat.running_threads()
        for series in self.series.values():
            for thread in ended & series.cells.keys():
                series.ended = series.ended or self.make(self.stream.bounds)
                cell = series.cells.pop(thread)
                self.size -= 1
                series.ended.absorb(cell.state())
        self._threads -= ended

    def _number_point(self, series: Series, state: State, samples: dict[int, Sample], collected: int) -> Point:
        last = self.make is LastCell
        return NumberDataPoint(
            attributes=series.attributes,
            start_time_unix_nano=None if last else series.start,  # type: ignore[arg-type]  # as the SDK has it
            time_unix_nano=collected,
            value=state[0] if last else state,
            exemplars=exemplars(samples, series.attributes),
        )

    def _histogram_point(self, series: Series, state: State, samples: dict[int, Sample], collected: int) -> Point:
        counts, value, low, high = state
        return HistogramDataPoint(
            attributes=series.attributes,
            start_time_unix_nano=series.start,
            time_unix_nano=collected,
            count=sum(counts),
            sum=value,
            bucket_counts=tuple(counts),
            explicit_bounds=self.stream.bounds,
            min=low if self.stream.min_max else float("inf"),
            max=high if self.stream.min_max else float("-inf"),
            exemplars=exemplars(samples, series.attributes),
        )


_CELLS: Final[Mapping[str, type[Cell]]] = {"sum": SumCell, "last": LastCell, "histogram": HistogramCell}


def exemplars(samples: dict[int, Sample], attributes: Mapping[str, Any]) -> list[Exemplar]:
    """Samples as the SDK has them, in the order of their buckets."""
    if not samples:
        return []
    made = []
    for _, (value, moment, span) in sorted(samples.items(), key=itemgetter(0)):
        ids = (None, None) if span is None else (span.span_id, span.trace_id)
        made.append(Exemplar({} if attributes else None, value, moment, *ids))
    return made


def span_of(context: Context | None) -> Any:
    """The identity of the current span of a context; None where there is none."""
    span = get_current_span(context)
    return None if span is INVALID_SPAN else span.get_span_context()


def plain(value: Any) -> int | float:
    """An amount as int or float, whatever kind of number it is."""
    if type(value) is int or type(value) is float:
        return value
    return int(value) if isinstance(value, int) else float(value)
