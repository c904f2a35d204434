"""One signal on its way to one destination: a thread that sends batch after batch, and never loses one silently.

A batch that may be taken later stays at the head of its outbox and is tried again: after the time
that the receiver asked for, else after a growing pause, and not while the destination's breaker
is open.  Meanwhile the outbox fills up to its bound.  A batch ends as delivered, as dropped with a reason,
as unconfirmed (the receiver may have it), or stays in the spool.
"""

from __future__ import annotations

import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from aumos_otel import guard
from aumos_otel.delivery import backoff
from aumos_otel.delivery.assembly import split
from aumos_otel.delivery.outbox import Batch
from aumos_otel.delivery.worker import Worker
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aumos_otel.delivery.breaker import Breaker
    from aumos_otel.delivery.ledger import Account
    from aumos_otel.delivery.outbox import MemoryOutbox, SpoolOutbox
    from aumos_otel.delivery.outcome import Outcome, Transport
    from aumos_otel.delivery.parcel import Parcel

#: Attempts that used up their time without an answer, until the batch is given up as unconfirmed: a receiver
#: that is slower than the time-out takes every one of them, and would get the same batch for ever.
#: With a spool it stays, because the receiver may as well be frozen, but lets others go first.
LATE_ATTEMPTS: Final = 5

#: Batches in hand, of which all but one are let alone while others go first.
_MOST_IN_HAND: Final = 8

#: Longest time for one attempt, in seconds, where the time-out is "as long as it takes".
LONGEST_ATTEMPT: Final = 600.0

#: Seconds by which an attempt may end before its time and still have used it up.
_PRECISION: Final = 0.05

#: Seconds between two attempts when the time to leave runs.
_CLOSING_PAUSE: Final = 0.2


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a lane tries.

    Attributes:
        attempt: seconds for one attempt.
        batch: seconds for one batch with all its attempts; None: until its place in the outbox is needed.
            What is on disk has the spool's own bounds instead.
    """

    attempt: float
    batch: float | None = None


class Lane:
    """Sends what its outbox holds.

    Args:
        account: the destination's account for the signal.
        transport: the way to the receiver.
        outbox: where prepared records wait.
        breaker: shared by the lanes of the destination.
        patience: how long to try.
        paused: whether telemetry is switched off; what waits is then dropped and counted.
    """

    def __init__(
        self,
        account: Account,
        transport: Transport,
        outbox: MemoryOutbox | SpoolOutbox,
        *,
        breaker: Breaker,
        patience: Patience,
        paused: Callable[[], bool],
    ) -> None:
        self.account = account
        self._transport = transport
        self._outbox = outbox
        self._breaker = breaker
        self._patience = patience
        self._paused = paused
        self._worker = Worker(f"aumos-otel-{account.destination}-{account.books.signal}", self._work)
        self._start_over()

    def _start_over(self) -> None:
        self._hand: deque[Batch] = deque()
        self._closing: float | None = None
        self._not_before = 0.0
        self._tell_at = 0.0
        self._tried_closing = False
        self._hopeless = False
        self._abandoned = False

    def after_fork(self) -> None:
        """In a forked child: connection, thread and what was underway are the parent's; a closed lane stays closed."""
        self._transport.close()
        self._breaker.after_fork()
        self._outbox.after_fork()
        self._worker.after_fork()
        closed = self._abandoned
        self._start_over()
        self._abandoned = closed

    def admit(self, parcels: Sequence[Parcel]) -> None:
        """Book parcels as ours; called under the lock of the books, followed by `store`."""
        if self._abandoned:
            count = sum(parcel.count for parcel in parcels)
            self.account.dropped[attributes.AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE] += count
        else:
            self._outbox.admit(parcels)

    def store(self, parcels: Sequence[Parcel]) -> None:
        """Keep admitted parcels safe, and begin to send them."""
        if self._abandoned:
            self._outbox.forsake(parcels)
            return
        self._outbox.store(parcels)
        self._worker.ensure()
        self._worker.wake()

    def start(self) -> None:
        """Begin with what an ended process left in the spool, if there is one."""
        if self._outbox.interval is not None:
            self._worker.ensure()
            self._worker.wake()

    def flush(self, deadline: float) -> bool:
        """Wait until what is here by now is settled; False when ``deadline`` (monotonic seconds) came first."""
        if not self._worker.running:  # no thread was to be had
            self._worker.step(deadline)
        return self.account.wait(deadline)

    def hurry(self, deadline: float) -> None:
        """The time to leave runs until ``deadline`` (monotonic seconds): send what waits now."""
        self._outbox.save()
        self._closing = deadline
        self._worker.ensure()
        self._worker.wake()

    def close(self, deadline: float) -> bool:
        """Wait until all is sent or ``deadline`` has come, then stop; what is left is written down.

        Returns:
            True when nothing was left.
        """
        account, books = self.account, self.account.books
        if not self._worker.running:  # no thread was to be had
            self._worker.step(deadline)
        with books.lock:
            books.moved.wait_for(
                lambda: self._hopeless or not account.queued + account.spooled, max(0.0, deadline - time.monotonic())
            )
            self._abandoned = True
            all_sent = not account.queued + account.spooled
            left, self._hand = self._hand, deque()
        for batch in left:
            self._leave_behind(batch)
        self._outbox.close()
        self._worker.stop()
        self._transport.close()
        return all_sent

    def _work(self) -> float | None:
        """Send until the outbox is empty, or a pause is due; returns its seconds."""
        while not self._abandoned and not self._hopeless:
            if self._outbox.erased():
                self._hand = deque(batch for batch in self._hand if not batch.spooled)
            if not self._next():
                return self._outbox.interval
            pause = self._pause()
            if pause > 0:
                return pause
            with self.account.books.lock:
                batch = self._hand[0] if self._hand else None
            if batch is not None:  # none when the lane was closed meanwhile
                self._attempt(batch)
        return None

    def _next(self) -> bool:
        """Have in front what is tried next: a new batch before those that were tried in vain too often."""
        if self._hand and (self._hand[0].late < LATE_ATTEMPTS or len(self._hand) >= _MOST_IN_HAND):
            return True
        return self._take() or bool(self._hand)

    def _take(self) -> bool:
        """Have another batch in hand; one that was taken while the lane was closed is left behind as well."""
        batch = self._outbox.take()
        if batch is None:
            return False
        with self.account.books.lock:
            if not self._abandoned:
                self._hand.appendleft(batch)
                return True
        self._leave_behind(batch)
        return False

    def _leave_behind(self, batch: Batch) -> None:
        """The end has come: what is not on disk goes there, else it is given up; what was on its way may have arrived."""
        if not batch.spooled and not self._outbox.keep(batch):
            reason = None if batch.ambiguous or batch.underway else attributes.AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE
            self.account.give_up(batch.count, reason)

    def _pause(self) -> float:
        """Seconds until the next attempt may be made."""
        pause = self._not_before - time.monotonic()
        if pause > 0 and (self._closing is None or self._tried_closing):
            return pause
        return 0.0 if self._closing is not None else self._breaker.wait_seconds()

    def _attempt(self, batch: Batch) -> None:
        if self._paused():
            with self.account.books.lock:
                if not self._abandoned:
                    self._drop(batch, attributes.AUMOS_OTEL_REASON_PAUSED)
        else:
            self._send(batch)
        if batch.settled:
            self._outbox.finish(batch)

    def _send(self, batch: Batch) -> None:
        now, closing = time.monotonic(), self._closing
        if batch.deadline is None and self._patience.batch is not None and not batch.spooled:
            batch.deadline = now + self._patience.batch
        end = now + min(self._patience.attempt, LONGEST_ATTEMPT)
        with self.account.books.lock:
            if self._abandoned:
                return
            batch.underway = True
        outcome = self._transport.send(batch.body, end if closing is None else min(end, closing))
        batch.late += outcome.ambiguous and time.monotonic() >= end - _PRECISION
        self._breaker.report(outcome)
        with self.account.books.lock:
            batch.underway = False
            if not self._abandoned:
                self._judge(batch, outcome)
        with guard.contain("delivery.diagnostic"):
            self._tell(outcome)

    def _tell(self, outcome: Outcome) -> None:
        """What goes wrong, as one line a minute; not under the lock, because a log handler may do anything."""
        now = time.monotonic()
        if outcome.message and now >= self._tell_at:
            self._tell_at = now + guard.LOG_INTERVAL
            guard.logger.warning("%s to %s: %s", self.account.books.signal, self.account.destination, outcome.message)

    def _judge(self, batch: Batch, outcome: Outcome) -> None:
        """Write down what became of an attempt; called under the lock of the books."""
        batch.ambiguous += outcome.ambiguous
        if outcome.kind == "accepted":
            self._settle(batch)
            self.account.settle(batch.count, outcome, spooled=batch.spooled)
        elif outcome.kind == "too_large":
            self._split(batch, outcome)
        elif outcome.kind == "rejected":
            self._drop(batch, attributes.AUMOS_OTEL_REASON_EXPORT_FAILED, outcome.message)
        elif self._is_enough(batch):
            expired, failed = attributes.AUMOS_OTEL_REASON_SPOOL_EXPIRED, attributes.AUMOS_OTEL_REASON_EXPORT_FAILED
            self._drop(batch, expired if batch.spooled else failed, outcome.message)
        else:
            self._again(batch, outcome)

    def _is_enough(self, batch: Batch) -> bool:
        overdue = batch.deadline is not None and time.monotonic() >= batch.deadline
        return overdue or (batch.late >= LATE_ATTEMPTS and not self._outbox.lasting)

    def _again(self, batch: Batch, outcome: Outcome) -> None:
        """Try later; on the way out that makes sense only where the receiver was there before."""
        self.account.retry(outcome.message)
        batch.attempts += 1
        part = batch.spooled and batch.frame is None  # it has to keep its place
        if batch.late >= LATE_ATTEMPTS and not part:
            self._hand.rotate(-1)
        now = time.monotonic()
        if self._closing is None:
            self._not_before = now + backoff.delay(batch.attempts, outcome.retry_after)
            return
        self._not_before, self._tried_closing = now + _CLOSING_PAUSE, True
        never = self.account.last_success is None and not outcome.ambiguous and not outcome.answered
        safe = batch.spooled and not self.account.queued
        if safe or never or self._not_before >= self._closing:
            self._hopeless = True
            self.account.books.moved.notify_all()

    def _split(self, batch: Batch, outcome: Outcome) -> None:
        """Halve a batch that is too large for the receiver; a single record is given up."""
        parts = split(self.account.books.signal, batch.body)
        if not parts:
            self._drop(batch, attributes.AUMOS_OTEL_REASON_TOO_LARGE, outcome.message)
            return
        pieces = [
            Batch(body, count, batch.spooled, ambiguous=batch.ambiguous, deadline=batch.deadline)
            for body, count in parts
        ]
        pieces[-1].frame = batch.frame  # it is done with when its last part is
        self._hand.popleft()
        self._hand.extendleft(reversed(pieces))

    def _drop(self, batch: Batch, reason: str, message: str = "") -> None:
        """Give ``batch`` up; one that the receiver may have is unconfirmed, whatever else there is to say."""
        self._settle(batch)
        self.account.retrying = False
        self.account.give_up(batch.count, None if batch.ambiguous else reason, message, spooled=batch.spooled)

    def _settle(self, batch: Batch) -> None:
        self._hand.popleft()
        self._not_before = 0.0
        batch.settled = True
