"""The series that the cells add up to: a bounded number, whatever tenants there are, and the traces behind them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aumos_otel import guard
from aumos_otel.processors.sli_cells import REMEMBERED
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aumos_otel.processors.sli_cells import Reading, Trace

#: The index of an SLI, and a tenant or none.
Key = tuple[int, str | None]

_OTHER: Final = attributes.AUMOS_TENANT_ID_OTHER


@dataclass(slots=True)
class Traces:
    """The traces behind the events of one series.

    Attributes:
        bad: the newest ones behind bad events, each with the number of the reading that brought it.
        good: the newest one behind a good event, likewise.
    """

    bad: list[tuple[int, Trace]] = field(default_factory=list)
    good: tuple[int, Trace] | None = None

    def remember_bad(self, reading: int, traces: Iterable[Trace]) -> None:
        """Keep the traces of bad events; the oldest make room."""
        for trace in traces:
            others = [kept for kept in self.bad if kept[1].trace_id != trace.trace_id]
            self.bad = [*others[-(REMEMBERED - 1) :], (reading, trace)]


class SeriesTable:
    """All series, by the index of the SLI and the tenant.

    Args:
        most: series.  Tenants for whose there is no room left are counted as ``_other``, for good; of those that
            come together the larger ones have the room.

    Attributes:
        traces: those behind the events of each series.
        readings: taken in so far.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.traces: dict[Key, Traces] = {}
        self.readings = 0

    def update(self, reading: Reading, slis: int) -> dict[Key, tuple[int, int]]:
        """Take in a reading of so many SLIs, each of which has a series without a tenant; all and good events."""
        self.readings += 1
        for index in range(slis):
            self.traces.setdefault((index, None), Traces())
        sums: dict[Key, list[int]] = {key: [0, 0] for key in self.traces}
        for key, (bad, good) in sorted(reading.counts.items(), key=lambda item: -sum(item[1])):
            place = self._place(key, slis)
            before = sums.get(place, (0, 0))
            sums[place] = [before[0] + bad, before[1] + good]
        for key, traces in reading.bad.items():
            self.traces[self._place(key, slis)].remember_bad(self.readings, traces)
        for key, trace in reading.good.items():
            self.traces[self._place(key, slis)].good = (self.readings, trace)
        return {key: (bad + good, good) for key, (bad, good) in sums.items()}

    def _place(self, key: Key, slis: int) -> Key:
        """The series that counts for ``key``; each SLI has room for its rest."""
        if key in self.traces:
            return key
        index, tenant = key
        if tenant not in {None, _OTHER} and len(self.traces) >= self._most - slis:
            key = index, _OTHER
        if key not in self.traces and key[1] == _OTHER:
            guard.notice(
                "processors.sli.tenants",
                f"SLIs have more tenants than there is room for: the rest is counted as {_OTHER}",
            )
        self.traces.setdefault(key, Traces())
        return key
