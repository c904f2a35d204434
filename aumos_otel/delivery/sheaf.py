"""Encoded records of one chunk, gathered by who speaks and what they are worth, and cut into parcels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aumos_otel.delivery.parcel import Parcel

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.delivery.parcel import Group

#: Records and bytes of one parcel: so many are booked, kept and given up together.
_RECORDS: Final = 32
_BYTES: Final = 64 * 1024

#: A parcel is never more than this part of what one queue may hold: little is lost with it.
_SHARE: Final = 64


@dataclass(frozen=True, slots=True)
class Grain:
    """How large a parcel may become by joining records; a record that is larger by itself is one.

    Attributes:
        records: as many.
        bytes: as many.
    """

    records: int = _RECORDS
    bytes: int = _BYTES

    @classmethod
    def of(cls, request: int, queue: int, queue_bytes: int) -> Grain:
        """For a request of at most so many records, and a queue of so many records and bytes."""
        return cls(max(1, min(_RECORDS, request, queue // _SHARE)), min(_BYTES, queue_bytes // _SHARE))


class Written(NamedTuple):
    """What a writer made of a chunk.

    Attributes:
        parcels: what is written.
        rest: what has to go the general way.
        refused: how many could not be redacted under a profile that fails closed.
    """

    parcels: list[Parcel]
    rest: list[Any]
    refused: int


class Sheaf:
    """Piles of framed records.

    Args:
        grain: the size of a parcel.
    """

    def __init__(self, grain: Grain) -> None:
        self._grain = grain
        self._piles: dict[tuple[Group, bool], list[bytes]] = {}

    def pile(self, group: Group, *, valued: bool) -> list[bytes]:
        """Where to append a record: its frame (see `wire.frame`), then its message."""
        return self._piles.setdefault((group, valued), [])

    def parcels(self) -> list[Parcel]:
        """All of it."""
        return [
            Parcel(data, count, group, valued)
            for (group, valued), pile in self._piles.items()
            for data, count in self._cut(pile)
        ]

    def _cut(self, pile: list[bytes]) -> Iterator[tuple[bytes, int]]:
        step = self._grain.records * 2
        for first in range(0, len(pile), step):
            yield from self._halved(pile[first : first + step])

    def _halved(self, pieces: list[bytes]) -> Iterator[tuple[bytes, int]]:
        count = len(pieces) // 2
        if count == 1 or sum(map(len, pieces)) <= self._grain.bytes:
            yield b"".join(pieces), count
        else:
            half = count // 2 * 2
            yield from self._halved(pieces[:half])
            yield from self._halved(pieces[half:])
