"""From finished records to parcels: select, redact, shorten, encode; once for all destinations of one policy.

Records of ours go through a writer, which makes parcels of them at once; those of other classes, and what the writer
leaves, are read, redacted and encoded one by one.  One bad record costs itself alone: whatever happens to it is
counted, its batch goes on.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

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
    from aumos_otel.delivery.sheaf import Written

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

    def add(self, exits: Iterable[Exit], parcels: Sequence[Parcel]) -> None:
        """The destinations of ``exits`` get ``parcels``."""
        for way in exits:
            self.parcels[way.lane] += parcels

    def drop(self, exits: Iterable[Exit], count: int, reason: str) -> None:
        """``count`` records will not reach the destinations of ``exits``."""
        if count:
            for way in exits:
                self.dropped[way.lane][reason] += count


class Writer(Protocol):
    """Makes parcels of records of ours under one policy."""

    @property
    def kind(self) -> type:
        """The class of what it writes."""

    def write(self, items: Sequence[Any]) -> Written:
        """Write ``items``; whatever goes wrong with one, its place is in the result."""

    def refusal(self, selection: Selection, item: Any) -> str | None:
        """The reason for which ``item`` does not go where ``selection`` stands; None if it does."""


class Preparation(Generic[T]):
    """Prepares the records of one signal.

    Args:
        books: of the signal.
        exits: its destinations.
        read: makes a record from what the SDK hands over; may raise on a bad one.
        encode: makes parcels from a record.
        paused: whether telemetry is switched off.
        writer: makes the writer for a policy, where there is one for the signal.
    """

    def __init__(
        self,
        books: Books,
        exits: Sequence[Exit],
        read: Callable[[T], Record],
        encode: Callable[[Record], Sequence[Parcel]],
        paused: Callable[[], bool],
        *,
        writer: Callable[[Policy], Writer] | None = None,
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
        self._writers = [] if writer is None else [writer(policy) for policy in grouped]
        self._kind = self._writers[0].kind if self._writers else None

    def __call__(self, items: Sequence[T]) -> None:
        """Prepare ``items``, each of which is booked as one waiting record, and hand them to the lanes."""
        tally = _Tally()
        kind = self._kind
        ours = [item for item in items if type(item) is kind]
        if ours:
            self._write(ours, tally)
        if len(ours) < len(items):
            for item in items:
                if type(item) is not kind:
                    record = self._record(item, self._exits, tally)
                    if record is not None:
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

    def _write(self, items: Sequence[T], tally: _Tally) -> None:
        """Prepare records of ours."""
        if self._paused():
            tally.drop(self._exits, len(items), attributes.AUMOS_OTEL_REASON_PAUSED)
            return
        for (policy, exits), writer in zip(self._groups, self._writers, strict=True):
            for takers, wanted in _divided(items, exits, writer, tally):
                parcels, rest, refused = writer.write(wanted)
                tally.add(takers, parcels)
                tally.drop(takers, refused, attributes.AUMOS_OTEL_REASON_REDACTION_FAILED)
                for item in rest:
                    record = self._record(item, takers, tally)
                    if record is not None:
                        self._pack(record, policy, takers, tally)

    def _record(self, item: T, exits: Sequence[Exit], tally: _Tally) -> Record | None:
        """What ``item`` is as a record; None, and lost to ``exits``, when it cannot be read."""
        try:
            return self._read(item)
        except BaseException as error:  # noqa: BLE001 - it is counted, and the others go on
            guard.record("delivery.read", error)
            tally.drop(exits, 1, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
            return None

    def _prepare(self, record: Record, tally: _Tally) -> None:
        if self._paused():
            tally.drop(self._exits, record.count, attributes.AUMOS_OTEL_REASON_PAUSED)
            return
        for policy, exits in self._groups:
            for part, takers in _shares(record, exits, tally):
                self._pack(part, policy, takers, tally)

    def _pack(self, record: Record, policy: Policy, takers: Sequence[Exit], tally: _Tally) -> None:
        try:
            parcels = self._encode(policy.applied(record))
        except RedactionFailed:
            tally.drop(takers, record.count, attributes.AUMOS_OTEL_REASON_REDACTION_FAILED)
        except BaseException as error:  # noqa: BLE001 - it is counted, and the others go on
            guard.record("delivery.encode", error)
            tally.drop(takers, record.count, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
        else:
            left_out = record.count - sum(parcel.count for parcel in parcels)
            tally.drop(takers, left_out, attributes.AUMOS_OTEL_REASON_TOO_LARGE)
            tally.add(takers, parcels)

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


def _divided(
    items: Sequence[Any], exits: Sequence[Exit], writer: Writer, tally: _Tally
) -> list[tuple[Sequence[Exit], Sequence[Any]]]:
    """Who gets which of ``items``: those that go to the same destinations together."""
    choosing = [way for way in exits if not way.selection.everything]
    if not choosing:
        return [(exits, items)]
    others = [way for way in exits if way.selection.everything]
    divided: defaultdict[tuple[bool, ...], list[Any]] = defaultdict(list)
    for item in items:
        wanted = []
        for way in choosing:
            try:
                reason = writer.refusal(way.selection, item)
            except BaseException as error:  # noqa: BLE001 - it is counted, and the others go on
                guard.record("delivery.read", error)
                reason = attributes.AUMOS_OTEL_REASON_ENCODE_ERROR
            wanted.append(reason is None)
            if reason is not None:
                tally.drop((way,), 1, reason)
        divided[tuple(wanted)].append(item)
    takers = (
        (others + [way for way, is_wanted in zip(choosing, wanted, strict=True) if is_wanted], chosen)
        for wanted, chosen in divided.items()
    )
    return [(exits, chosen) for exits, chosen in takers if exits]
