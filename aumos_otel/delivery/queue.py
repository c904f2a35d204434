"""A bounded queue that knows what is worth keeping: errors and LLM calls are dropped last."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")


class Entry(NamedTuple, Generic[T]):
    """One item of a queue.

    Attributes:
        item: what is queued.
        records: how many records it stands for.
        size: bytes that it takes.
        valued: whether it is dropped last.
    """

    item: T
    records: int
    size: int
    valued: bool


class Queue(Generic[T]):
    """First in, first out, in two classes of value; bounded in records and in bytes.

    When it is full the oldest entry of the lower class makes room; a new entry that is worth
    less than everything in a full queue is itself refused.  It has no lock: the lock
    of the signal's books guards it.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self._ordinary: deque[Entry[T]] = deque()
        self._valued: deque[Entry[T]] = deque()
        self.records = 0
        self.bytes = 0

    def offer(self, entry: Entry[T]) -> tuple[str, int] | None:
        """Take ``entry``.

        Returns:
            None when all is well; when something had to go, the reason and how many records:
            older ones, or those of ``entry`` itself.
        """
        if self.records + entry.records <= self._max_records and self.bytes + entry.size <= self._max_bytes:
            self._append(entry)
            return None
        return self._make_room(entry)

    def _make_room(self, entry: Entry[T]) -> tuple[str, int]:
        full = self.records + entry.records > self._max_records
        reason = attributes.AUMOS_OTEL_REASON_QUEUE_FULL if full else attributes.AUMOS_OTEL_REASON_QUEUE_BYTES
        if entry.size > self._max_bytes or entry.records > self._max_records:
            return reason, entry.records
        dropped = 0
        while self.records + entry.records > self._max_records or self.bytes + entry.size > self._max_bytes:
            if self._ordinary:
                dropped += self._pop(self._ordinary).records
            elif entry.valued:
                dropped += self._pop(self._valued).records
            else:
                return reason, dropped + entry.records
        self._append(entry)
        return reason, dropped

    def _append(self, entry: Entry[T]) -> None:
        (self._valued if entry.valued else self._ordinary).append(entry)
        self.records += entry.records
        self.bytes += entry.size

    def _pop(self, entries: deque[Entry[T]]) -> Entry[T]:
        entry = entries.popleft()
        self.records -= entry.records
        self.bytes -= entry.size
        return entry

    def take(self, max_records: int, max_bytes: int) -> list[Entry[T]]:
        """Remove and return the entries for one batch, valued ones first; at least one if there is any."""
        taken: list[Entry[T]] = []
        records = size = 0
        for entries in (self._valued, self._ordinary):
            while entries:
                records += entries[0].records
                size += entries[0].size
                if taken and (records > max_records or size > max_bytes):
                    return taken
                taken.append(self._pop(entries))
        return taken

    def __len__(self) -> int:
        return len(self._ordinary) + len(self._valued)

    def __iter__(self) -> Iterator[Entry[T]]:
        yield from self._valued
        yield from self._ordinary
