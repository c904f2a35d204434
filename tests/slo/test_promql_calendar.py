from __future__ import annotations

import math
import re
from calendar import monthrange
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import promql_calendar
from aumos_otel.slo.window import Calendar

UNITS = ("day", "week", "month", "quarter", "year")
ZONES = ("UTC", "Asia/Kathmandu", "Etc/GMT+11", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
FIRST, LAST = (datetime(year, 2, 1, tzinfo=UTC).timestamp() for year in (2025, 2037))


def value(expression: str, at: float) -> float:
    """What PromQL would make of it: its arithmetic is Python's, but for the word bool."""

    def date(seconds: float) -> datetime:
        return datetime.fromtimestamp(seconds, UTC)

    functions = {
        "time": lambda: at,
        "vector": lambda number: number,
        "scalar": lambda number: number,
        "ceil": math.ceil,
        "year": lambda number: date(number).year,
        "month": lambda number: date(number).month,
        "day_of_month": lambda number: date(number).day,
        "day_of_year": lambda number: date(number).timetuple().tm_yday,
        "days_in_month": lambda number: monthrange(date(number).year, date(number).month)[1],
    }
    return float(eval(re.sub(r"\bbool ", "", expression), functions))  # our own text


#: To the millisecond, as Prometheus has them: a datetime rounds what is finer, over midnight if need be.
MOMENTS = st.integers(int(FIRST) * 1000, int(LAST) * 1000).map(lambda milliseconds: milliseconds / 1000)


@given(st.sampled_from(UNITS), st.sampled_from(ZONES), MOMENTS)
def test_expressions_agree_with_the_calendar(unit, zone, at):
    """Elapsed time and length are the calendar's, up to the hour of a changed clock; exactly in UTC."""
    window = Calendar(unit, zone)
    period = promql_calendar.period(window, 60)
    start, end = window.start(at), window.end(at)
    shift = 0 if zone in ("UTC", "Asia/Kathmandu", "Etc/GMT+11") else 3600
    assert abs(value(period.elapsed, at) - (at - start)) <= shift + 1e-3
    assert abs(value(period.length, at) - (end - start)) <= shift + 1e-3
    assert 0 <= value(period.elapsed, at) < value(period.length, at)


@given(st.sampled_from(UNITS), st.sampled_from(ZONES), MOMENTS)
def test_a_period_is_told_from_its_neighbours(unit, zone, at):
    """From its first to its last second it has one number, and the periods beside it have others."""
    window = Calendar(unit, zone)
    current = promql_calendar.period(window, 60).current
    start, end = window.start(at), window.end(at)
    assert value(current, start) == value(current, at) == value(current, end - 1)
    assert value(current, start - 1) != value(current, at) != value(current, end)


def test_a_minute_belongs_to_the_period_that_it_was_in():
    """What is recorded at midnight is of the day before; a minute later it is of the new one."""
    midnight = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
    before = promql_calendar.period(Calendar("month"), 60).before
    assert value(before, midnight) == 202610
    assert value(before, midnight + 60) == 202611


@pytest.mark.parametrize(
    ("unit", "number"), [("day", 20261125), ("week", 20261123), ("month", 202611), ("quarter", 20264), ("year", 2026)]
)
def test_numbers_of_periods_can_be_read(unit, number):
    """A week is called by its Monday."""
    at = datetime(2026, 11, 25, 12, tzinfo=UTC).timestamp()
    assert value(promql_calendar.period(Calendar(unit), 60).current, at) == number


def test_zones_without_changes_are_one_addition():
    """In UTC there is not even that."""
    assert promql_calendar.period(Calendar("day"), 60).elapsed == "(time() % 86400)"
    assert promql_calendar.period(Calendar("day", "Asia/Tokyo"), 60).elapsed == "((time() + 32400) % 86400)"


def test_changes_of_the_clock_are_those_of_the_zone():
    """Berlin changes its clocks twice a year, at the second at which everybody there does."""
    offset, changes = promql_calendar._clock("Europe/Berlin")
    assert offset == 3600
    assert len(changes) == 26
    for at, step in changes:
        before, after = (
            datetime.fromtimestamp(moment, ZoneInfo("Europe/Berlin")).utcoffset().total_seconds()
            for moment in (at - 1, at)
        )
        assert after - before == step
