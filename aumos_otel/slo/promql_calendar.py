"""Calendar periods in PromQL, which knows dates in UTC only: the local time is reckoned in seconds.

Where clocks are changed, the changes of the years up to `_UNTIL` are written into the expression; elapsed time and
length are those of the local clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from aumos_otel.slo.window import Calendar

_DAY: Final = 86_400
_WEEK: Final = 604_800
#: 1970-01-05, the first Monday.
_MONDAY: Final = 345_600
#: Both fixed, so that the same objectives always compile to the same rules.
_FROM: Final = datetime(2025, 1, 1, tzinfo=UTC)
_UNTIL: Final = datetime(2038, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """A calendar period as expressions.

    Attributes:
        elapsed: scalar; seconds of it that have passed at the evaluation.
        length: scalar; all of its seconds.
        current: scalar; a number that tells it from others, e.g. 202611.
        before: same, for the period of what happened in the ``step`` seconds before the evaluation.
    """

    elapsed: str
    length: str
    current: str
    before: str


def period(window: Calendar, step: int) -> Period:
    """The expressions of the period in which an evaluation lies; counts come in steps of so many seconds."""
    now = _local(window, "time()")
    elapsed, length = _progress(window, now)
    return Period(elapsed, length, _identity(window, now), _identity(window, _local(window, f"(time() - {step // 2})")))


def _progress(window: Calendar, now: str) -> tuple[str, str]:
    """Elapsed seconds and length."""
    in_day = f"{now} % {_DAY}"
    if window.unit == "day":
        return f"({in_day})", str(_DAY)
    if window.unit == "week":
        return f"(({now} - {_MONDAY}) % {_WEEK})", str(_WEEK)
    if window.unit == "month":
        return f"((scalar(day_of_month(vector({now}))) - 1) * {_DAY} + {in_day})", (
            f"(scalar(days_in_month(vector({now}))) * {_DAY})"
        )
    year = f"scalar(year(vector({now})))"
    leap = f"({year} % 4 == bool 0) - ({year} % 100 == bool 0) + ({year} % 400 == bool 0)"
    day_of_year = f"scalar(day_of_year(vector({now}))) - 1"
    if window.unit == "year":
        return f"(({day_of_year}) * {_DAY} + {in_day})", f"((365 + {leap}) * {_DAY})"
    month = f"scalar(month(vector({now})))"
    second, third, fourth = (f"({month} > bool {last})" for last in (3, 6, 9))
    before = f"({second} * (90 + {leap}) + {third} * 91 + {fourth} * 92)"
    days = f"(90 + {leap} * (1 - {second}) + {second} + {third})".replace(f"{leap} *", f"({leap}) *")
    return f"(({day_of_year} - {before}) * {_DAY} + {in_day})", f"({days} * {_DAY})"


def _identity(window: Calendar, moment: str) -> str:
    if window.unit == "week":
        moment = f"({moment} - ({moment} - {_MONDAY}) % {_WEEK})"
    date = f"vector({moment})"
    if window.unit == "year":
        return f"year({date})"
    if window.unit == "quarter":
        return f"year({date}) * 10 + ceil(month({date}) / 3)"
    month = f"year({date}) * 100 + month({date})"
    return month if window.unit == "month" else f"({month}) * 100 + day_of_month({date})"


def _local(window: Calendar, moment: str) -> str:
    """What the clock of the zone shows, in seconds since 1970."""
    offset, changes = _clock(window.time_zone)
    if not offset and not changes:
        return moment
    moved = "".join(f" {'+' if step > 0 else '-'} {abs(step)} * ({moment} >= bool {at})" for at, step in changes)
    return f"({moment} {'+' if offset >= 0 else '-'} {abs(offset)}{moved})"


@lru_cache(maxsize=64)
def _clock(time_zone: str) -> tuple[int, tuple[tuple[int, int], ...]]:
    """The offset of the zone at first, and when it changes (Unix seconds) by how many seconds."""
    zone = ZoneInfo(time_zone)
    changes = []
    day = _FROM
    while day < _UNTIL:
        following = day + timedelta(days=1)
        step = _offset(zone, following) - _offset(zone, day)
        if step:
            early, late = day, following
            while late - early > timedelta(seconds=1):
                middle = early + timedelta(seconds=int((late - early).total_seconds()) // 2)
                early, late = (middle, late) if _offset(zone, middle) == _offset(zone, day) else (early, middle)
            changes.append((int(late.timestamp()), step))
        day = following
    return _offset(zone, _FROM), tuple(changes)


def _offset(zone: ZoneInfo, moment: datetime) -> int:
    shift = moment.astimezone(zone).utcoffset()
    return 0 if shift is None else int(shift.total_seconds())
