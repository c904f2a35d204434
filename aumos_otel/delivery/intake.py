"""Where finished records enter delivery: a bounded queue, emptied by a thread of ours.

The user's thread does no more than to append here; preparing, encoding and sending are done elsewhere.
Most records come without the lock of the books, as long as there is known to be room.  They are counted
afterwards: by whoever has the lock next, and before anybody looks at the books.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aumos_otel.delivery.queue import Queue
from aumos_otel.delivery.worker import Worker
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aumos_otel.delivery.ledger import Books
    from aumos_otel.delivery.queue import Lost

T = TypeVar("T")

#: Records and bytes that are prepared in one go.
_CHUNK_RECORDS: Final = 512
_CHUNK_BYTES: Final = 4 * 1024 * 1024
#: The part of the queue's bytes from which nobody waits for the delay.
_WAKING_SHARE: Final = 8
#: Records that may come without the lock until they are counted.
_UNCOUNTED: Final = 1024
#: The part of the queue's bytes that each of them may take; a larger one counts for as many as it takes.
_SMALL_SHARE: Final = _WAKING_SHARE * _UNCOUNTED
#: The part of a full queue by which it may be over its bound until they are counted: the old ones that make
#: room go many at a time, so that to drop costs the user's thread no more than to keep.
_EXCESS_SHARE: Final = 64


@dataclass(frozen=True, slots=True)
class IntakeLimits:
    """How much may wait, and for how long.

    Attributes:
        max_records: records that may wait.
        max_bytes: bytes that they may take, as estimated.
        batch: from this many records on they are prepared without waiting for the delay.
        delay: seconds that a record waits at most.
    """

    max_records: int
    max_bytes: int
    batch: int
    delay: float


class Intake(Generic[T]):
    """The queue of one signal, and the thread that empties it into ``prepare``.

    ``prepare`` gets finished records in order, moves them on in the books (they count as waiting
    until it does) whatever happens to them, and does not raise.
    """

    def __init__(self, books: Books, prepare: Callable[[Sequence[T]], None], limits: IntakeLimits) -> None:
        self._books = books
        self._prepare = prepare
        self._limits = limits
        self._worker = Worker(f"aumos-otel-{books.signal}", self._drain, limits.delay)
        self._refusal: str | None = None
        self._abandoned = False
        self._much = limits.max_bytes // _WAKING_SHARE
        self._small = max(1, limits.max_bytes // _SMALL_SHARE)
        self._large = limits.max_bytes // _EXCESS_SHARE
        self._start_over()
        books.sources.append(self._count)

    def _start_over(self) -> None:
        self._queue: Queue[T] = Queue(self._limits.max_records, self._limits.max_bytes)
        self._ordinary, self._valued = self._queue.ordinary, self._queue.valued
        self._woken = False
        self._inside = False  # whether who has the lock is at the queue

    def put(self, item: T, size: int, *, valued: bool) -> None:
        """Take one record, or count why not; waits for nothing but the lock of the books, and seldom for that."""
        line = self._valued if valued else self._ordinary
        if len(line) >= line.room or size > self._large:
            self._put(item, size, valued=valued)
            return
        line.append((item, 1, size))
        if size > self._small:
            line.room -= size // self._small

    def _put(self, item: T, size: int, *, valued: bool) -> None:
        books, wake = self._books, False
        with books.lock:
            if self._inside:  # a signal handler or a finalizer has come between: what it interrupts goes on with it
                (self._valued if valued else self._ordinary).append((item, 1, size))
                return
            self._inside = True
            try:
                self._count_arrivals()
                if self._refusal is not None:
                    books.refuse(1, self._refusal)
                    return
                before = self._queue.records
                self._book(before, self._queue.offer(item, 1, size, valued=valued))
                much = self._queue.records >= self._limits.batch or self._queue.bytes >= self._much
                wake = much and not self._woken
                self._woken = self._woken or wake
                self._allow()
            finally:
                self._inside = False
        self._worker.ensure()
        if wake:
            self._worker.wake()

    def _book(self, before: int, lost: Lost | None) -> None:
        """Write down how the queue has changed since it had so many records."""
        books, gone = self._books, 0
        if lost is not None:
            reason, gone = lost
            books.dropped[reason] += gone
        more = self._queue.records - before
        books.waiting += more
        books.emitted += more + gone

    def _count(self) -> None:
        """Count what came without the lock; called under the lock of the books."""
        if not self._inside:
            self._inside = True
            try:
                self._count_arrivals()
            finally:
                self._inside = False

    def _count_arrivals(self) -> None:
        if self._refusal is not None:
            self._books.refuse(self._queue.refuse_new(), self._refusal)
        else:
            before = self._queue.records
            self._book(before, self._queue.admit())
        if self._abandoned:
            left = self._queue.clear()
            self._books.waiting -= left
            self._books.dropped[attributes.AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE] += left

    def _allow(self) -> None:
        """Say how many may come from now on without the lock."""
        queue, limits, more = self._queue, self._limits, 0
        if self._refusal is None and self._worker.started:
            free = min(limits.max_records - queue.records, (limits.max_bytes - queue.bytes) // self._small)
            more = max(limits.max_records // _EXCESS_SHARE, min(free, _UNCOUNTED))
            if not self._woken:
                more = min(more, limits.batch - 1 - queue.records)  # who completes a batch wakes the thread
        for line in (self._ordinary, self._valued):
            line.room = line.counted + more // 2

    def refuse(self, reason: str) -> None:
        """Take no more; every further record is counted under ``reason``."""
        with self._books.lock:
            self._count()
            self._refusal = reason
            self._allow()

    def sync(self, deadline: float) -> bool:
        """Prepare what waits now; False when ``deadline`` (monotonic) came first."""
        return self._worker.sync(deadline)

    def abandon(self) -> None:
        """Give up what still waits when the time to leave is over."""
        with self._books.lock:
            self._abandoned = True
            self._count()
        self._worker.stop()

    def after_fork(self) -> None:
        """In a forked child: what waited is the parent's."""
        self._start_over()
        self._worker.after_fork()

    def _drain(self) -> float:
        """Prepare everything that waits by now; returns the seconds until the next look."""
        began = time.monotonic()
        items, waiting = self._take(), self._queue.records
        while items:
            self._prepare(items)
            if waiting <= 0:
                return 0.0  # what has come meanwhile is next; who waits for this call does not wait for that
            items = self._take()
            waiting -= len(items)
        return max(0.001, self._limits.delay - (time.monotonic() - began))

    def _take(self) -> list[T]:
        with self._books.lock:
            if self._inside:
                return []
            self._inside = True
            try:
                self._count_arrivals()
                items = self._queue.take(_CHUNK_RECORDS, _CHUNK_BYTES)
                self._woken = bool(items)  # until nothing is left nobody needs to wake the thread
                self._allow()
            finally:
                self._inside = False
        return items
