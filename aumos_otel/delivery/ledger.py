"""What became of every record: emitted = delivered + dropped + queued, by destination and signal."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from aumos_otel.semconv import attributes, metrics

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from opentelemetry.metrics import CallbackOptions, MeterProvider, Observation

    from aumos_otel.config import Signal


@dataclass(slots=True)
class Account:
    """The book of one signal of one destination.

    ``emitted`` counts records handed over for export; what is neither delivered, dropped nor
    in flight is in the queue, as ``queue_length`` tells, or was pushed out of a full queue.
    """

    destination: str
    signal: Signal
    endpoint: str
    emitted: int = 0
    delivered: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    in_flight: int = 0
    last_success: str | None = None
    last_error: str | None = None
    queue_length: Callable[[], int] = field(default=lambda: 0)
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def emit(self, count: int = 1) -> None:
        """Records were handed over for export."""
        with self._lock:
            self.emitted += count

    def begin(self, count: int) -> None:
        """A batch left the queue."""
        with self._lock:
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
        """Records were dropped before they reached the transport."""
        with self._lock:
            self.dropped[reason] += count

    def snapshot(self) -> dict[str, Any]:
        """The book as plain data; the sum holds at the moment of the call."""
        with self._lock:
            queued = self.queue_length() + self.in_flight
            dropped = Counter(self.dropped)
            missing = self.emitted - self.delivered - dropped.total() - queued
            if missing > 0:  # the stock queue drops its oldest record without telling anyone
                dropped["queue_full"] += missing
            return {
                "name": self.destination,
                "signal": self.signal,
                "endpoint": self.endpoint,
                "state": self._state(dropped),
                "emitted": self.emitted,
                "delivered": self.delivered,
                "dropped": dict(dropped),
                "queued": queued,
                "last_success": self.last_success,
                "last_error": self.last_error,
            }

    def _state(self, dropped: Counter[str]) -> str:
        if not dropped.total() - dropped["paused"]:
            return "ok"
        return "degraded" if self.delivered else "failing"

    def reset_after_fork(self) -> None:
        """Start over in a forked child: what was queued belongs to the parent."""
        self._lock = threading.Lock()
        self.emitted = self.delivered = self.in_flight = 0
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
