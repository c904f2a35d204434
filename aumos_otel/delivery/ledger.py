"""What became of every record, by signal and destination.

At every moment ``emitted = delivered + sum(dropped by reason) + unconfirmed + spooled + queued``.

A `Books` belongs to one signal and holds the lock under which records move from one column to
another.  What happens before a record's destinations are known (it waits to be prepared, or is
refused at the door) is written once, for all `Account`s of the signal.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import count as counter
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.semconv import attributes, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from opentelemetry.metrics import CallbackOptions, Meter, MeterProvider, Observation

    from aumos_otel.config import Signal
    from aumos_otel.delivery.outcome import Outcome

#: Reasons to drop that somebody asked for: they are counted, and no loss.
INTENDED: Final = frozenset(
    {
        attributes.AUMOS_OTEL_REASON_SAMPLED,
        attributes.AUMOS_OTEL_REASON_FILTERED,
        attributes.AUMOS_OTEL_REASON_PAUSED,
    }
)
#: A record that comes after the end is nobody's fault either, but it is not wished for: it does not degrade the state.
_HARMLESS: Final = INTENDED | {attributes.AUMOS_OTEL_REASON_ALREADY_SHUTDOWN}


class Books:
    """The books of one signal.

    The lock is reentrant: a signal handler or a finalizer may emit while its thread is writing.

    Attributes:
        lock: held for every move; replaced in a forked child, so it is always taken as ``books.lock``.
        moved: the condition that records were settled, over the same lock.
        emitted: records handed over so far.
        waiting: records that wait to be prepared.
        dropped: records refused before anybody knew their destinations, by reason.
        sources: called under the lock before anybody looks: what was counted without it is written down.
        skip: counts one record that is not sampled; from any thread, at any time, without the lock.
    """

    _gathering: bool
    _calls: int

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        self.accounts: list[Account] = []
        self.sources: list[Callable[[], object]] = []
        self.reset_after_fork()

    def open(self, destination: str, endpoint: str) -> Account:
        """A new account for ``destination``."""
        account = Account(self, destination, endpoint)
        self.accounts.append(account)
        return account

    def refuse(self, count: int, reason: str) -> None:
        """Records were handed over and dropped at once."""
        with self.lock:
            self.emitted += count
            self.dropped[reason] += count

    def gather(self) -> None:
        """Write down what was counted without the lock; called under the lock."""
        if not self._gathering:  # else a signal handler or a finalizer looks, and has to be content with what there is
            self._gathering = True
            try:
                calls = self.skip()  # how often it was called before
                skipped, self._calls = calls - self._calls, calls + 1
                self.refuse(skipped, attributes.AUMOS_OTEL_REASON_SAMPLED)
                for source in self.sources:
                    source()
            finally:
                self._gathering = False

    def reset_after_fork(self) -> None:
        """Start over in a forked child: what was underway belongs to the parent."""
        self.lock = threading.RLock()
        self.moved = threading.Condition(self.lock)
        self.emitted = self.waiting = 0
        self.dropped: Counter[str] = Counter()
        self.skip: Callable[[], int] = counter().__next__
        self._calls = 0
        self._gathering = False
        for account in self.accounts:
            account.reset_after_fork()


class Account:
    """One destination in the books of a signal.  The fields are written under the lock of the books.

    Attributes:
        queued: records prepared and not yet settled; ``queue_bytes`` is what they take.
        spooled: records on disk, waiting.
        adopted: records taken over from the spool of a process that ended; they count as emitted.
        unconfirmed: records given up that the receiver may have taken.
    """

    def __init__(self, books: Books, destination: str, endpoint: str) -> None:
        self.books = books
        self.destination = destination
        self.endpoint = endpoint
        self.retrying = False
        self.reset_after_fork()

    def reset_after_fork(self) -> None:
        """Start over."""
        self.adopted = self.delivered = self.unconfirmed = self.spooled = self.queued = self.queue_bytes = 0
        self.retries = 0
        self.dropped: Counter[str] = Counter()
        self.last_success: str | None = None
        self.last_error: str | None = None

    def settle(self, count: int, outcome: Outcome, *, spooled: bool = False) -> None:
        """A request was accepted; what its ``partial_success`` refused is dropped."""
        with self.books.lock:
            refused = min(count, max(0, outcome.rejected))
            self._leave(count, spooled=spooled)
            self.delivered += count - refused
            if refused:
                self.dropped[attributes.AUMOS_OTEL_REASON_PARTIAL_REJECTED] += refused
                self.last_error = outcome.message or "the receiver refused a part of the request"
            self.last_success = _now()
            self.retrying = False

    def give_up(self, count: int, reason: str | None, message: str = "", *, spooled: bool = False) -> None:
        """Records are dropped for ``reason``; without one they are unconfirmed: the receiver may have them."""
        with self.books.lock:
            self._leave(count, spooled=spooled)
            if reason is None:
                self.unconfirmed += count
            else:
                self.dropped[reason] += count
            self.last_error = message or self.last_error

    def lose(self, reason: str, count: int) -> None:
        """Records are gone from the spool."""
        self.give_up(count, reason, f"spool: {reason}", spooled=True)

    def retry(self, message: str) -> None:
        """An attempt failed and there will be another."""
        with self.books.lock:
            self.retries += 1
            self.last_error = message
            self.retrying = True

    def _leave(self, count: int, *, spooled: bool) -> None:
        if spooled:
            self.spooled -= count
        else:
            self.queued -= count
        self.books.moved.notify_all()

    def settled(self) -> int:
        """Records that are not underway any more."""
        return self.delivered + self.unconfirmed + sum(self.dropped.values()) + sum(self.books.dropped.values())

    def wait(self, deadline: float) -> bool:
        """Wait until as many records are settled as were emitted by now; False when ``deadline`` (monotonic) came first."""
        with self.books.lock:
            self.books.gather()
            goal = self.books.emitted + self.adopted
            return self.books.moved.wait_for(lambda: self.settled() >= goal, max(0.0, deadline - time.monotonic()))

    def snapshot(self) -> dict[str, Any]:
        """The account as plain data; the sum holds at the moment of the call."""
        with self.books.lock:
            self.books.gather()
            dropped = self.books.dropped + self.dropped
            return {
                "name": self.destination,
                "signal": self.books.signal,
                "endpoint": self.endpoint,
                "state": self._state(dropped),
                "emitted": self.books.emitted + self.adopted,
                "adopted": self.adopted,
                "delivered": self.delivered,
                "dropped": dict(dropped),
                "unconfirmed": self.unconfirmed,
                "spooled": self.spooled,
                "queued": self.books.waiting + self.queued,
                "queue_bytes": self.queue_bytes,
                "retries": self.retries,
                "last_success": self.last_success,
                "last_error": self.last_error,
            }

    def _state(self, dropped: Mapping[str, int]) -> str:
        if self.retrying:
            return "retrying"
        lost = self.unconfirmed + sum(count for reason, count in dropped.items() if reason not in _HARMLESS)
        if not lost:
            return "ok"
        return "degraded" if self.delivered else "failing"


class Ledger:
    """All books of the process."""

    def __init__(self) -> None:
        self.books: list[Books] = []

    def open(self, signal: Signal) -> Books:
        """New books for a signal; a way out that is not ours (another package's exporter) has books of its own."""
        books = Books(signal)
        self.books.append(books)
        return books

    def snapshot(self) -> list[dict[str, Any]]:
        """Every account as plain data."""
        return [account.snapshot() for books in self.books for account in books.accounts]

    def lost(self) -> int:
        """Records that nobody wished to lose, and that did not arrive as far as we know."""
        return sum(
            account["unconfirmed"]
            + sum(count for reason, count in account["dropped"].items() if reason not in INTENDED)
            for account in self.snapshot()
        )

    def reset_after_fork(self) -> None:
        """Start all books over in a forked child."""
        for books in self.books:
            books.reset_after_fork()

    def observe(self, provider: MeterProvider) -> None:
        """Export the books as ``aumos.otel.records`` and the queues as gauges."""
        meter = provider.get_meter("aumos_otel.self")
        records = metrics.AUMOS_OTEL_RECORDS
        meter.create_observable_counter(records.name, [self._records], records.unit, records.description)
        for metric, column in (
            (metrics.AUMOS_OTEL_QUEUE_RECORDS, "queued"),
            (metrics.AUMOS_OTEL_QUEUE_BYTES, "queue_bytes"),
            (metrics.AUMOS_OTEL_SPOOL_RECORDS, "spooled"),
        ):
            _gauge(meter, metric, self._reader(column))

    def _records(self, _options: CallbackOptions) -> Iterator[Observation]:
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - metrics may be switched off

        for account in self.snapshot():
            labels = _labels(account)
            for outcome in (
                attributes.AUMOS_OTEL_OUTCOME_EMITTED,
                attributes.AUMOS_OTEL_OUTCOME_DELIVERED,
                attributes.AUMOS_OTEL_OUTCOME_UNCONFIRMED,
            ):
                yield Observation(account[outcome], labels | {attributes.AUMOS_OTEL_OUTCOME: outcome})
            for reason, count in account["dropped"].items():
                outcome = attributes.AUMOS_OTEL_OUTCOME_DROPPED
                more = {attributes.AUMOS_OTEL_OUTCOME: outcome, attributes.AUMOS_OTEL_REASON: reason}
                yield Observation(count, labels | more)

    def _reader(self, column: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def read(_options: CallbackOptions) -> Iterator[Observation]:
            from opentelemetry.metrics import Observation  # noqa: PLC0415 - metrics may be switched off

            for account in self.snapshot():
                yield Observation(account[column], _labels(account))

        return read


def _gauge(meter: Meter, metric: Any, read: Callable[[CallbackOptions], Iterable[Observation]]) -> None:
    meter.create_observable_gauge(metric.name, [read], metric.unit, metric.description)


def _labels(account: Mapping[str, Any]) -> dict[str, str]:
    return {
        attributes.AUMOS_OTEL_SIGNAL: account["signal"],
        attributes.AUMOS_OTEL_DESTINATION: account["name"],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
