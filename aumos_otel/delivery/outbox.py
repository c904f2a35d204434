"""What is prepared and waits to be sent: in memory, or first on disk.

In memory the records of one destination wait as parcels, bounded in number and bytes.  With a spool
every batch is on disk before it is sent, and waits there; what the disk does not take waits in memory.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.queue import Queue
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from aumos_otel.delivery.ledger import Account
    from aumos_otel.delivery.parcel import Parcel
    from aumos_otel.spool.spool import Frame, Spool

logger = logging.getLogger("aumos_otel")

#: Seconds between two looks for what ended processes left.
SPOOL_INTERVAL: Final = 30.0


@dataclass(slots=True)
class Batch:
    """One request underway.

    Attributes:
        body: the serialized request.
        count: records in it.
        spooled: whether its records are booked as spooled, not as queued.
        frame: where it lies in the spool; of a split frame the last part has it.
        attempts: how often it was tried in vain.
        ambiguous: attempts after which the receiver may have the request.
        late: those of them that used up their time.
        underway: whether it is being sent now.
        settled: whether it is done with.
        deadline: `time.monotonic` seconds at which it is given up; set by the first attempt, or by the spool.
    """

    body: bytes
    count: int
    spooled: bool = False
    frame: Frame | None = None
    attempts: int = 0
    ambiguous: int = 0
    late: int = 0
    underway: bool = False
    settled: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class BatchLimits:
    """Records and bytes that one request may have."""

    records: int
    bytes: int


class MemoryOutbox:
    """Parcels in a bounded queue; see `Queue` for what is dropped when it is full."""

    #: Seconds until the next look when there is nothing to send; None: when woken.
    interval: float | None = None
    #: Whether a batch is kept however often the receiver may have taken it.
    lasting = False
    #: The reason to count when it overflows, where it is not the queue's own.
    overflow: str | None = None

    def __init__(self, account: Account, bounds: tuple[int, int], limits: BatchLimits) -> None:
        self._account = account
        self._bounds = bounds
        self._limits = limits
        self.after_fork()

    def after_fork(self) -> None:
        """In a forked child: what waits is the parent's."""
        self._queue: Queue[Parcel] = Queue(*self._bounds)

    def admit(self, parcels: Sequence[Parcel]) -> None:
        """Book ``parcels`` and take them; called under the lock of the books."""
        account = self._account
        for parcel in parcels:
            account.queued += parcel.count
            lost = self._queue.offer(parcel, parcel.count, len(parcel.data), valued=parcel.valued)
            if lost is not None:
                reason, count = lost
                account.give_up(count, self.overflow or reason)
        account.queue_bytes = self._queue.bytes

    def store(self, parcels: Sequence[Parcel]) -> None:
        """Nothing more to do with what was admitted."""

    def forsake(self, parcels: Sequence[Parcel]) -> None:
        """The end came after they were admitted: they were given up with the queue."""

    def take(self) -> Batch | None:
        """The next batch, or None."""
        with self._account.books.lock:
            parcels = self._queue.take(self._limits.records, self._limits.bytes)
            self._account.queue_bytes = self._queue.bytes
        if not parcels:
            return None
        return Batch(assemble(parcels), sum(parcel.count for parcel in parcels))

    def withdraw(self) -> list[Parcel]:
        """The parcels of the next batch, which are booked as spooled from now on; called under the lock of the books."""
        parcels = self._queue.take(self._limits.records, self._limits.bytes)
        count = sum(parcel.count for parcel in parcels)
        self._account.queued -= count
        self._account.spooled += count
        self._account.queue_bytes = self._queue.bytes
        return parcels

    def finish(self, batch: Batch) -> None:
        """Nothing to clean up after a batch."""

    def save(self) -> None:
        """There is no disk."""

    def keep(self, batch: Batch) -> bool:  # noqa: ARG002 - the outbox with a spool needs it
        """There is no disk that would take a batch."""
        return False

    def erased(self) -> bool:
        """Nothing is erased from memory."""
        return False

    def close(self) -> None:
        """Give up what still waits: there is no time left."""
        with self._account.books.lock:
            left = self._queue.records
            self.after_fork()
            self._account.queue_bytes = 0
            if left:
                self._account.give_up(left, attributes.AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE)


class SpoolOutbox:
    """Batches on disk, written before they are sent; and a `MemoryOutbox` for what the disk does not take."""

    lasting = True

    def __init__(self, account: Account, spool: Spool, memory: MemoryOutbox, limits: BatchLimits) -> None:
        self._account = account
        self._spool = spool
        self._memory = memory
        self._limits = limits
        self._look_at = 0.0
        memory.overflow = attributes.AUMOS_OTEL_REASON_SPOOL_FULL

    @property
    def interval(self) -> float | None:
        """Seconds until the next look: while a backlog is drained slowly, or for what other processes left."""
        return self._spool.wait_seconds() or SPOOL_INTERVAL

    def after_fork(self) -> None:
        """In a forked child: the parent's files are not ours."""
        self._spool.after_fork()
        self._memory.after_fork()
        self._look_at = 0.0

    def admit(self, parcels: Sequence[Parcel]) -> None:
        """Book ``parcels`` as spooled; called under the lock of the books."""
        self._account.spooled += sum(parcel.count for parcel in parcels)

    def store(self, parcels: Sequence[Parcel]) -> None:
        """Write admitted parcels down; what the disk does not take waits in memory until it does."""
        written = [self._write(batch) for batch in _batches(parcels, self._limits)]
        if all(written):
            self.save()

    def forsake(self, parcels: Sequence[Parcel]) -> None:
        """The end came after they were admitted and before they were written."""
        count = sum(parcel.count for parcel in parcels)
        self._account.give_up(count, attributes.AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE, spooled=True)

    def save(self) -> None:
        """Write down what waits in memory, as far as the disk takes it now."""
        written = True
        while written:
            with self._account.books.lock:
                parcels = self._memory.withdraw()
            written = bool(parcels) and self._write(parcels)

    def keep(self, batch: Batch) -> bool:
        """Leave a batch from memory to the next process; False when the disk does not take it."""
        kept = self._spool.append(batch.body, batch.count)
        if kept:
            with self._account.books.lock:
                self._account.queued -= batch.count
                self._account.spooled += batch.count
        return kept

    def _write(self, parcels: Sequence[Parcel]) -> bool:
        count = sum(parcel.count for parcel in parcels)
        if self._spool.append(assemble(parcels), count):
            return True
        with self._account.books.lock:
            self._account.spooled -= count
            self._account.last_error = f"spool: {self._spool.trouble}"
            self._memory.admit(parcels)
        logger.warning("the spool takes nothing, memory is used instead: %s", self._spool.trouble)
        return False

    def take(self) -> Batch | None:
        """The next batch: the oldest of the spool, else one from memory; or None."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + SPOOL_INTERVAL
            adopted = self._spool.adopt()
            with self._account.books.lock:
                self._account.adopted += adopted
                self._account.spooled += adopted
            self._spool.expire()
        frame = self._spool.next()
        if frame is None:
            return self._memory.take()
        # Whether an ended process had sent it nobody knows.
        ambiguous, deadline = int(frame.adopted), now + self._spool.seconds_left(frame)
        return Batch(frame.body, frame.count, spooled=True, frame=frame, ambiguous=ambiguous, deadline=deadline)

    def finish(self, batch: Batch) -> None:
        """Forget a batch that is done with."""
        if batch.frame is not None:
            self._spool.done(batch.frame)

    def erased(self) -> bool:
        """Do what ``aumos-otel erase`` asked for; True when every batch taken from the spool is void."""
        return self._spool.poll_requests()

    def close(self) -> None:
        """Leave what is on disk to the next process; give up what is in memory and does not find room there."""
        self.save()
        self._memory.close()
        self._spool.close()


def _batches(parcels: Sequence[Parcel], limits: BatchLimits) -> Iterator[list[Parcel]]:
    batch: list[Parcel] = []
    records = size = 0
    for parcel in parcels:
        records += parcel.count
        size += len(parcel.data)
        if batch and (records > limits.records or size > limits.bytes):
            yield batch
            batch, records, size = [], parcel.count, len(parcel.data)
        batch.append(parcel)
    if batch:
        yield batch
