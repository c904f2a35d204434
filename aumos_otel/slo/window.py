"""The period over which an objective holds, and how time is weighed in it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

if TYPE_CHECKING:
    from decimal import Decimal

Unit = Literal["day", "week", "month", "quarter", "year"]

#: Seconds of each calendar unit, the longest there is: what a query has to look back at most.
LONGEST: Final[dict[Unit, int]] = {
    "day": 90_000,  # 25 hours, when the clocks go back
    "week": 608_400,
    "month": 2_682_000,
    "quarter": 7_952_400,
    "year": 31_626_000,
}
_MONTHS: Final = {"month": 1, "quarter": 3, "year": 12}


def known(time_zone: str) -> bool:
    """Whether there is a time zone of this name."""
    try:
        ZoneInfo(time_zone)
    # A name that is a path, or a folder of zones such as "America".
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last so many seconds.

    >>> from aumos_otel.slo.window import Rolling
    >>> Rolling(2_592_000).start(2_600_000.0)
    8000.0
    """

    seconds: int

    def start(self, at: float) -> float:
        """When the period began that ends at ``at``; Unix seconds."""
        return at - self.seconds

    def end(self, at: float) -> float:
        """When it ends: now."""
        return at


@dataclass(frozen=True, slots=True)
class Calendar:
    """A day, week (from Monday), month, quarter or year of a time zone; the budget begins anew with each."""

    unit: Unit
    time_zone: str = "UTC"

    @property
    def seconds(self) -> int:
        """The longest that such a period lasts."""
        return LONGEST[self.unit]

    def start(self, at: float) -> float:
        """When the period began in which ``at`` lies; Unix seconds."""
        return self._first(at).astimezone(UTC).timestamp()

    def end(self, at: float) -> float:
        """When the next one begins."""
        first = self._first(at)
        if self.unit in _MONTHS:
            months = first.year * 12 + first.month - 1 + _MONTHS[self.unit]
            following = first.replace(year=months // 12, month=months % 12 + 1)
        else:
            following = first + timedelta(days=1 if self.unit == "day" else 7)
        return following.astimezone(UTC).timestamp()

    def _first(self, at: float) -> datetime:
        moment = datetime.fromtimestamp(at, ZoneInfo(self.time_zone))
        day = moment.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
        if self.unit == "week":
            return day - timedelta(days=day.weekday())
        if self.unit == "day":
            return day
        months = _MONTHS[self.unit]
        return day.replace(month=(day.month - 1) // months * months + 1, day=1)


Window = Rolling | Calendar

#: What an objective is over when nobody says otherwise.
THIRTY_DAYS: Final = Rolling(2_592_000)


@dataclass(frozen=True, slots=True)
class Occurrences:
    """Each event counts alike."""


@dataclass(frozen=True, slots=True)
class Timeslices:
    """Each slice of time with events counts alike: good when at least ``target`` of its events were.

    A slice ends at each minute, so that slices longer than one minute overlap: no edge can hide an outage.
    """

    seconds: int
    target: Decimal


@dataclass(frozen=True, slots=True)
class RatioTimeslices:
    """Each slice of time with events counts alike, with the share of its events that were good."""

    seconds: int


Budgeting = Occurrences | Timeslices | RatioTimeslices

OCCURRENCES: Final = Occurrences()
