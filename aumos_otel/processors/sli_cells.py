"""Where events are counted: in cells of each thread's own, added up when somebody asks.

No thread waits for another one to count, and no increment is lost: only its owner writes to a cell.
An event is one addition to one cell, of the good or of the bad, so whenever they are read there are no
more good events than events.  What an ended thread has counted is taken over.
"""

from __future__ import annotations

import threading
import weakref
from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

from aumos_otel import context

if TYPE_CHECKING:
    from collections.abc import Callable

#: Bad events of one SLI, each of another trace, that a row remembers between two readings.
REMEMBERED: Final = 5

#: So many shards more than were left the last time, and ended threads are looked for.
_LOOK_AFTER: Final = 64


class Trace(NamedTuple):
    """The span behind an event, and when that happened, in Unix nanoseconds."""

    trace_id: int
    span_id: int
    time: int


class Row:
    """The cells of one thread for one tenant.

    Attributes:
        counts: events by twice the index of the SLI, plus one for good ones.
        bad: traces behind bad events, by the index of the SLI and the trace id.
        good: the trace behind the first good event since the last reading, by the index of the SLI.
    """

    __slots__ = ("bad", "counts", "good")

    def __init__(self) -> None:
        self.counts: defaultdict[int, int] = defaultdict(int)
        self.bad: dict[int, dict[int, Trace]] = {}
        self.good: dict[int, Trace] = {}

    def remember_bad(self, index: int, trace: Trace) -> None:
        """Keep the trace of a bad event; the oldest makes room."""
        traces = self.bad.setdefault(index, {})  # what reads takes it away whole: it is this thread's until then
        if trace.trace_id not in traces:
            if len(traces) >= REMEMBERED:
                traces.pop(next(iter(traces)))
            traces[trace.trace_id] = trace


#: By tenant; None is for what has none.
Rows = dict[str | None, Row]


class Reading:
    """What the cells hold, added up.

    Attributes:
        counts: bad and good events by the index of the SLI and the tenant.
        bad: traces behind bad events since the last reading, likewise.
        good: one trace behind a good event since then, likewise.
    """

    __slots__ = ("bad", "counts", "good")

    def __init__(self) -> None:
        self.counts: dict[tuple[int, str | None], list[int]] = {}
        self.bad: dict[tuple[int, str | None], list[Trace]] = {}
        self.good: dict[tuple[int, str | None], Trace] = {}

    def add(self, rows: Rows) -> None:
        """Add rows, whose owner may go on counting meanwhile; their traces are taken away."""
        for tenant, row in list(rows.items()):
            for cell, count in list(row.counts.items()):
                self.counts.setdefault((cell >> 1, tenant), [0, 0])[cell & 1] += count
            for index in list(row.bad):
                self.bad.setdefault((index, tenant), []).extend(list(row.bad.pop(index).values()))
            for index in list(row.good):
                self.good[index, tenant] = row.good.pop(index)


class _Shard:
    """The rows of one thread; it dies with its thread, while the rows are the table's as well."""

    __slots__ = ("__weakref__", "rows")

    def __init__(self) -> None:
        self.rows: Rows = {}


class _Own(threading.local):
    shard: _Shard | None = None


class Cells:
    """The cells of all threads."""

    def __init__(self) -> None:
        self._own = _Own()
        self._lock = threading.RLock()  # the collector of garbage may end a span while its thread is in here
        self._shards: list[tuple[Callable[[], _Shard | None], Rows]] = []
        self._ended: Rows = {}
        self._look_at = _LOOK_AFTER

    def row(self, tenant: object) -> Row:
        """The row of this thread for a tenant as a span names it; what is no text is no tenant."""
        shard = self._own.shard or self._begin_shard()
        name = tenant if tenant and isinstance(tenant, str) else None
        found = shard.rows.get(name)
        if found is None:
            found = shard.rows.setdefault(name if name is None else context.bounded_tenant(name), Row())
        return found

    def read(self) -> Reading:
        """Everything that has been counted so far, and the traces of what came since the last reading."""
        reading = Reading()
        with self._lock:
            self._take_over()
            reading.add(self._ended)
            for _, rows in list(self._shards):
                reading.add(rows)
        return reading

    def _begin_shard(self) -> _Shard:
        shard = _Shard()
        with self._lock:
            self._shards.append((weakref.ref(shard), shard.rows))
            if len(self._shards) >= self._look_at:
                self._take_over()
                self._look_at = 2 * len(self._shards) + _LOOK_AFTER
        self._own.shard = shard
        return shard

    def _take_over(self) -> None:
        """Fold the rows of ended threads into one set."""
        known = list(self._shards)
        living = [entry for entry in known if entry[0]() is not None]
        if len(living) == len(known):
            return
        left = {id(rows) for _, rows in living}
        self._shards[: len(known)] = living
        for _, rows in known:
            if id(rows) not in left:
                self._fold(rows)

    def _fold(self, rows: Rows) -> None:
        for tenant, row in rows.items():
            kept = self._ended.setdefault(tenant, Row())
            for cell, count in row.counts.items():
                kept.counts[cell] += count
            for index, traces in row.bad.items():
                for trace in traces.values():
                    kept.remember_bad(index, trace)
            kept.good.update(row.good)
