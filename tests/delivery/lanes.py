"""What the tests of the lanes share: a receiver that misbehaves on command, and parcels."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from aumos_otel.delivery.breaker import Breaker
from aumos_otel.delivery.lane import Lane, Patience
from aumos_otel.delivery.ledger import Account, Ledger
from aumos_otel.delivery.outbox import BatchLimits, MemoryOutbox
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.delivery.parcel import Group, Parcel
from aumos_otel.delivery.wire import frame

PATIENCE = 20.0
ACCEPTED = Outcome("accepted")
REFUSED = Outcome("retry", message="connection refused")
LATE = Outcome("retry", message="time-out", ambiguous=True)
REJECTED = Outcome("rejected", message="HTTP 400")
TOO_LARGE = Outcome("too_large", message="HTTP 413")


class Receiver:
    """A transport that answers from a script, then accepts; it keeps what it took.

    An ambiguous outcome keeps the request when ``keeps_late``.
    """

    def __init__(self, script: Iterable[Outcome] = (), *, keeps_late: bool = True) -> None:
        self._script = list(script)
        self._keeps_late = keeps_late
        self.taken: list[str] = []
        self.attempts = 0
        self.answering = threading.Event()
        self.answering.set()
        self.arrived = threading.Semaphore(0)

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Answer from the script; an attempt that is not answered by the deadline is late."""
        self.attempts += 1
        self.arrived.release()
        if not self.answering.wait(max(0.0, deadline - time.monotonic())):
            return LATE
        outcome = self._script.pop(0) if self._script else ACCEPTED
        if outcome.kind == "accepted" or (outcome.ambiguous and self._keeps_late):
            self.taken += names(body)
        return outcome

    def close(self) -> None:
        """Nothing to close."""


def names(body: bytes) -> list[str]:
    """Names of the spans of a request."""
    request = ExportTraceServiceRequest.FromString(body)
    return [span.name for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]


def parcel(name: str, *, valued: bool = False) -> Parcel:
    """A span of that name."""
    data = b"\x2a" + bytes([len(name)]) + name.encode()
    return Parcel(frame(len(data)) + data, 1, Group(b"", "", b"", ""), valued)


class Bench:
    """A lane with its books, a receiver, and no pauses."""

    def __init__(self, receiver: Receiver, *, records: int = 100, batch: int = 10, **patience: Any) -> None:
        self.books = Ledger().open("traces")
        self.account: Account = self.books.open("otlp", "http://receiver")
        self.receiver = receiver
        limits = BatchLimits(batch, 1_000_000)
        self.outbox = MemoryOutbox(self.account, (records, 1_000_000), limits)
        self.paused = False
        breaker = Breaker(pause=lambda _failures, _asked: 0.0)
        patience = {"attempt": PATIENCE} | patience
        self.lane = Lane(
            self.account,
            receiver,
            self.outbox,
            breaker=breaker,
            patience=Patience(**patience),
            paused=lambda: self.paused,
        )

    def emit(self, parcels: Sequence[Parcel], store: Callable[[Sequence[Parcel]], object] | None = None) -> None:
        """Hand prepared records over, as `Preparation` does."""
        with self.books.lock:
            self.books.emitted += len(parcels)
            self.lane.admit(parcels)
        (store or self.lane.store)(parcels)

    def settled(self) -> dict[str, Any]:
        """The account once all is settled."""
        assert self.account.wait(time.monotonic() + PATIENCE), self.account.snapshot()
        return self.balance()

    def balance(self) -> dict[str, Any]:
        """The account; the sum must hold."""
        book = self.account.snapshot()
        settled = book["delivered"] + sum(book["dropped"].values()) + book["unconfirmed"]
        assert book["emitted"] == settled + book["spooled"] + book["queued"]
        return book

    def close(self, seconds: float = PATIENCE) -> bool:
        """Leave."""
        deadline = time.monotonic() + seconds
        self.lane.hurry(deadline)
        try:
            return self.lane.close(deadline)
        finally:
            self.receiver.answering.set()
