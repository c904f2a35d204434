"""From finished records to parcels: select, redact, shorten, encode; once for all destinations of one policy.

One bad record costs itself alone: whatever happens to it is counted, its batch goes on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

from aumos_otel import guard
from aumos_otel.redaction.policy import RedactionFailed
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from aumos_otel.delivery.lane import Lane
    from aumos_otel.delivery.ledger import Books
    from aumos_otel.delivery.parcel import Parcel
    from aumos_otel.delivery.policy import Policy
    from aumos_otel.delivery.record import MetricRecord, Record
    from aumos_otel.delivery.selection import Selection

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Exit:
    """One destination of a signal: which records it wants, under which policy, and the lane that takes them."""

    selection: Selection
    policy: Policy
    lane: Lane


class _Tally:
    """What is to be booked for a chunk once all of it is prepared."""

    def __init__(self) -> None:
        self.parcels: defaultdict[Lane, list[Parcel]] = defaultdict(list)
        self.dropped: defaultdict[Lane, Counter[str]] = defaultdict(Counter)

    def drop(self, exits: Iterable[Exit], count: int, reason: str) -> None:
        """``count`` records will not reach the destinations of ``exits``."""
        if count:
            for way in exits:
                self.dropped[way.lane][reason] += count


class Preparation(Generic[T]):
    """Prepares the records of one signal.

    Args:
        books: of the signal.
        exits: its destinations.
        read: makes a record from what the SDK hands over; may raise on a bad one.
        encode: makes parcels from a record.
        paused: whether telemetry is switched off.
    """

    def __init__(
        self,
        books: Books,
        exits: Sequence[Exit],
        read: Callable[[T], Record],
        encode: Callable[[Record], Sequence[Parcel]],
        paused: Callable[[], bool],
    ) -> None:
        self._books = books
        self._exits = exits
        self._read = read
        self._encode = encode
        self._paused = paused
        grouped: defaultdict[Policy, list[Exit]] = defaultdict(list)
        for way in exits:
            grouped[way.policy].append(way)
        self._groups = list(grouped.items())

    def __call__(self, items: Sequence[T]) -> None:
        """Prepare ``items``, each of which is booked as one waiting record, and hand them to the lanes."""
        tally = _Tally()
        for item in items:
            try:
                record = self._read(item)
            except BaseException as error:  # noqa: BLE001 - it is counted, and the others go on
                guard.record("delivery.read", error)
                tally.drop(self._exits, 1, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
            else:
                self._prepare(record, tally)
        self._hand_over(tally, len(items))

    def take(self, records: Sequence[MetricRecord], broken: int) -> None:
        """Prepare metrics, which do not wait; ``broken`` further points could not be read."""
        tally = _Tally()
        count = broken + sum(record.count for record in records)
        with self._books.lock:
            self._books.emitted += count
            self._books.waiting += count
        tally.drop(self._exits, broken, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
        for record in records:
            self._prepare(record, tally)
        self._hand_over(tally, count)

    def close(self) -> None:
        """Nothing to close."""

    def _prepare(self, record: Record, tally: _Tally) -> None:
        if self._paused():
            tally.drop(self._exits, record.count, attributes.AUMOS_OTEL_REASON_PAUSED)
            return
        for policy, exits in self._groups:
            for part, takers in _shares(record, exits, tally):
                try:
                    parcels = self._encode(policy.applied(part))
                except RedactionFailed:
                    tally.drop(takers, part.count, attributes.AUMOS_OTEL_REASON_REDACTION_FAILED)
                except BaseException as error:  # noqa: BLE001 - it is counted, and the others go on
                    guard.record("delivery.encode", error)
                    tally.drop(takers, part.count, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
                else:
                    left_out = part.count - sum(parcel.count for parcel in parcels)
                    tally.drop(takers, left_out, attributes.AUMOS_OTEL_REASON_TOO_LARGE)
                    for way in takers:
                        tally.parcels[way.lane] += parcels

    def _hand_over(self, tally: _Tally, count: int) -> None:
        """Move ``count`` waiting records to the lanes, at one moment for all of them."""
        books = self._books
        with books.lock:
            books.waiting -= count
            for lane, dropped in tally.dropped.items():
                lane.account.dropped.update(dropped)
            for lane, parcels in tally.parcels.items():
                lane.admit(parcels)
            books.moved.notify_all()
        for lane, parcels in tally.parcels.items():
            lane.store(parcels)


def _shares(record: Record, exits: Sequence[Exit], tally: _Tally) -> list[tuple[Record, list[Exit]]]:
    """Who gets what of ``record``: mostly all the same; of a metric each may get other data points."""
    takers, shares = [], []
    for way in exits:
        part, dropped = way.selection.share(record)
        tally.dropped[way.lane].update(dropped)
        if part is record:
            takers.append(way)
        elif part is not None:
            shares.append((part, [way]))
    return [(record, takers), *shares] if takers else shares
