"""A bounded queue that knows what is worth keeping: errors and LLM calls are dropped last."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Generic, TypeVar

from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Iterator

T = TypeVar("T")

#: What had to go: the reason, and how many records.
Lost = tuple[str, int]


class Line(deque[tuple[T, int, int]]):
    """What waits of one class, as (item, records, bytes).

    Attributes:
        counted: entries, from the first, that the sums of the queue have in them.
        room: the length from which on nobody may append without the lock.
    """

    __slots__ = ("counted", "room")

    def __init__(self) -> None:
        super().__init__()
        self.counted = self.room = 0


class Queue(Generic[T]):
    """First in, first out, in two classes of value; bounded in records and in bytes.

    When it is full the oldest entry of the lower class makes room; a new entry that is worth
    less than everything in a full queue is itself refused.  It has no lock: the lock
    of the signal's books guards it, all but appending to a line, which anybody may who knows that there is room;
    `admit` counts what came like that.

    Attributes:
        ordinary: the lower class.
        valued: the higher class.
        records: records that are counted, of both classes.
        bytes: what they take.
    """

    def __init__(self, max_records: int, max_bytes: int) -> None:
        self._max_records = max_records
        self._max_bytes = max_bytes
        self.ordinary: Line[T] = Line()
        self.valued: Line[T] = Line()
        self.records = self.bytes = 0

    def offer(self, item: T, records: int, size: int, *, valued: bool) -> Lost | None:
        """Take an item that stands for ``records`` and takes ``size`` bytes, and count what came before it.

        Returns:
            None when all is well; when something had to go, the reason and how many records:
            older ones, or those of the item itself.
        """
        if size > self._max_bytes or records > self._max_records:
            return self._reason(records), records
        (self.valued if valued else self.ordinary).append((item, records, size))
        return self.admit()

    def admit(self) -> Lost | None:
        """Count what came without the lock, and keep to the bounds; returns what had to go."""
        for line in (self.valued, self.ordinary):
            end, records, size = len(line), 0, 0
            for at in range(line.counted, end):  # an iterator would not stand what is appended meanwhile
                _, more, length = line[at]
                records += more
                size += length
            line.counted = end
            self.records += records
            self.bytes += size
        return self._make_room()

    def refuse_new(self) -> int:
        """Take out what came without the lock and is not counted yet; returns how many entries."""
        late = 0
        for line in (self.valued, self.ordinary):
            for _ in range(len(line) - line.counted):
                line.pop()
                late += 1
        return late

    def take(self, max_records: int, max_bytes: int) -> list[T]:
        """Remove and return the items of one batch, valued ones first; at least one if any is counted."""
        taken: list[T] = []
        for line in (self.valued, self.ordinary):
            fitting = records = size = 0
            while fitting < line.counted:
                _, more, length = line[fitting]
                if (taken or fitting) and (records + more > max_records or size + length > max_bytes):
                    return taken + self._remove(line, fitting, records, size)
                fitting, records, size = fitting + 1, records + more, size + length
            taken += self._remove(line, fitting, records, size)
            max_records -= records
            max_bytes -= size
        return taken

    def clear(self) -> int:
        """Give up what is counted; returns how many records that was."""
        left = self.records
        for line in (self.valued, self.ordinary):
            self._remove(line, line.counted, 0, 0)
        self.records = self.bytes = 0
        return left

    def _make_room(self) -> Lost | None:
        """Drop the oldest until the bounds hold: ordinary ones, and valued ones when there are no others."""
        over, heavy = self.records - self._max_records, self.bytes - self._max_bytes
        if over <= 0 and heavy <= 0:
            return None
        reason, before = self._reason(0), self.records
        for line in (self.ordinary, self.valued):
            gone = records = size = 0
            while gone < line.counted and (over > records or heavy > size):
                _, more, length = line[gone]
                gone, records, size = gone + 1, records + more, size + length
            self._remove(line, gone, records, size)
            over -= records
            heavy -= size
        return reason, before - self.records

    def _remove(self, line: Line[T], count: int, records: int, size: int) -> list[T]:
        """Take out the first ``count`` entries, which have so many records and bytes."""
        line.counted -= count
        self.records -= records
        self.bytes -= size
        return [line.popleft()[0] for _ in range(count)]

    def _reason(self, records: int) -> str:
        full = self.records + records > self._max_records
        return attributes.AUMOS_OTEL_REASON_QUEUE_FULL if full else attributes.AUMOS_OTEL_REASON_QUEUE_BYTES

    def __len__(self) -> int:
        return len(self.valued) + len(self.ordinary)

    def __iter__(self) -> Iterator[T]:
        for line in (self.valued, self.ordinary):
            yield from [entry[0] for entry in line]
