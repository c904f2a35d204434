"""Where finished records enter delivery: a bounded queue, emptied by a thread of ours.

The user's thread does no more than to append here; preparing, encoding and sending are done elsewhere.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Generic, TypeVar

from aumos_otel.delivery.queue import Entry, Queue
from aumos_otel.delivery.worker import Worker
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aumos_otel.delivery.ledger import Books

T = TypeVar("T")

#: Records and bytes that are prepared in one go.
_CHUNK_RECORDS: Final = 512
_CHUNK_BYTES: Final = 4 * 1024 * 1024
#: The part of the queue's bytes from which nobody waits for the delay.
_WAKING_SHARE: Final = 8


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
        self._much = limits.max_bytes // _WAKING_SHARE
        self._queue = self._new_queue()
        self._woken = False

    def put(self, item: T, size: int, *, valued: bool) -> None:
        """Take one record, or count why not; never waits for anything but the lock of the books."""
        books = self._books
        with books.lock:
            books.emitted += 1
            if self._refusal is not None:
                books.dropped[self._refusal] += 1
                return
            books.waiting += 1
            lost = self._queue.offer(Entry(item, 1, size, valued))
            if lost is not None:
                reason, count = lost
                books.dropped[reason] += count
                books.waiting -= count
            much = self._queue.records >= self._limits.batch or self._queue.bytes >= self._much
            wake = much and not self._woken
            if wake:
                self._woken = True
        self._worker.ensure()
        if wake:
            self._worker.wake()

    def refuse(self, reason: str) -> None:
        """Take no more; every further record is counted under ``reason``."""
        self._refusal = reason

    def sync(self, deadline: float) -> bool:
        """Prepare what waits now; False when ``deadline`` (monotonic) came first."""
        return self._worker.sync(deadline)

    def abandon(self) -> None:
        """Give up what still waits when the time to leave is over."""
        books = self._books
        with books.lock:
            left = self._queue.records
            self._queue = self._new_queue()
            books.waiting -= left
            books.dropped[attributes.AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE] += left
        self._worker.stop()

    def after_fork(self) -> None:
        """In a forked child: what waited is the parent's."""
        self._queue = self._new_queue()
        self._woken = False
        self._worker.after_fork()

    def _new_queue(self) -> Queue[T]:
        return Queue(self._limits.max_records, self._limits.max_bytes)

    def _drain(self) -> float:
        """Prepare everything that waits; returns the seconds until the next look."""
        began = time.monotonic()
        self._woken = False
        while True:
            with self._books.lock:
                entries = self._queue.take(_CHUNK_RECORDS, _CHUNK_BYTES)
            if not entries:
                return max(0.001, self._limits.delay - (time.monotonic() - began))
            self._prepare([entry.item for entry in entries])
