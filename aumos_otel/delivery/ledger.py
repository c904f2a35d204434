"""What became of every record: emitted = delivered + dropped + queued, by destination and signal."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aumos_otel.semconv import attributes, metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from aumos_otel.config import Signal


#: Reasons to drop that somebody asked for.
_HARMLESS = ("paused", "shut_down")


@dataclass(slots=True)
class Account:
    """The book of one signal of one destination: emitted = delivered + dropped + waiting + in flight, always.

    The lock is reentrant: a signal handler may ask for the state while its thread is writing.
    """

    destination: str
    signal: Signal
    endpoint: str
    emitted: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    waiting: int = 0
    in_flight: int = 0
    last_success: str | None = None
    last_error: str | None = None
    _refusal: str | None = field(default=None, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    def emit(self, count: int) -> None:
        """Records were handed over for export."""
        with self._lock:
            self.emitted += count
            self.waiting += count

    def admit(self, room: int) -> bool:
        """Whether one more record may wait beside at most ``room`` others; one that may not is dropped and counted.

        What is on its way from the queue to the exporter still counts as waiting, so the queue of
        the SDK never overflows, which it would not tell.
        """
        with self._lock:
            self.emitted += 1
            reason = self._refusal or ("queue_full" if self.waiting >= room else None)
            if reason is None:
                self.waiting += 1
            else:
                self.dropped[reason] += 1
            return reason is None

    def refuse(self, reason: str) -> None:
        """Admit no more records."""
        self._refusal = reason

    def begin(self, count: int) -> None:
        """A batch left the queue."""
        with self._lock:
            self.waiting -= count
            self.in_flight += count

    def settle(self, count: int, error: str | None) -> None:
        """A batch was delivered (``error`` is None) or given up."""
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._lock:
            self.in_flight -= count
            if error is None:
                self.delivered += count
                self.last_success = now
            else:
                self.dropped["export_failed"] += count
                self.last_error = error

    def drop(self, count: int, reason: str) -> None:
        """Records that waited were dropped before they reached the transport."""
        with self._lock:
            self.waiting -= count
            self.dropped[reason] += count

    def snapshot(self) -> dict[str, Any]:
        """The book as plain data; the sum holds at the moment of the call."""
        with self._lock:
            return {
                "name": self.destination,
                "signal": self.signal,
                "endpoint": self.endpoint,
                "state": self._state(),
                "emitted": self.emitted,
                "delivered": self.delivered,
                "dropped": dict(self.dropped),
                "queued": self.waiting + self.in_flight,
                "last_success": self.last_success,
                "last_error": self.last_error,
            }

    def _state(self) -> str:
        if not sum(count for reason, count in self.dropped.items() if reason not in _HARMLESS):
            return "ok"
        return "degraded" if self.delivered else "failing"

    def reset_after_fork(self) -> None:
        """Start over in a forked child: what was queued belongs to the parent."""
        self._lock = threading.RLock()
        self.emitted = self.delivered = self.waiting = self.in_flight = 0
        self.dropped.clear()
        self.last_success = self.last_error = None


class Ledger:
    """All accounts of the process."""

    def __init__(self) -> None:
        self.accounts: list[Account] = []

    def open(self, destination: str, signal: Signal, endpoint: str) -> Account:
        """A new account."""
        account = Account(destination, signal, endpoint)
        self.accounts.append(account)
        return account

    def snapshot(self) -> list[dict[str, Any]]:
        """Every account as plain data."""
        return [account.snapshot() for account in self.accounts]

    def observe(self, provider: MeterProvider) -> None:
        """Export the books as ``aumos.otel.records``."""
        from opentelemetry.metrics import Observation  # noqa: PLC0415 - metrics may be switched off

        metric = metrics.AUMOS_OTEL_RECORDS

        def read(_options: CallbackOptions) -> Iterable[Observation]:
            for book in self.snapshot():
                labels = {
                    attributes.AUMOS_OTEL_SIGNAL: book["signal"],
                    attributes.AUMOS_OTEL_DESTINATION: book["name"],
                }
                outcomes = {attributes.AUMOS_OTEL_OUTCOME_DELIVERED: book["delivered"]}
                outcomes[attributes.AUMOS_OTEL_OUTCOME_DROPPED] = sum(book["dropped"].values())
                for outcome, count in outcomes.items():
                    yield Observation(count, labels | {attributes.AUMOS_OTEL_OUTCOME: outcome})

        meter = provider.get_meter("aumos_otel.self")
        meter.create_observable_counter(metric.name, [read], metric.unit, metric.description)
