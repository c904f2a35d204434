from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo.budget import budget
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.slices import weighed
from aumos_otel.slo.window import Calendar, Rolling, Timeslices

DAY = 86_400.0
OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))
NOVEMBER = datetime(2026, 11, 1, tzinfo=UTC).timestamp()


def every_hour(days, bad=lambda hour: 0.0, begun=0.0, total=1000.0):
    """So many days of hourly samples."""
    return History.of(
        ((begun + hour * 3_600.0, total - bad(hour), total) for hour in range(1, round(days * 24) + 1)), step=3_600
    )


def test_a_budget_sums_counts_and_never_averages_ratios():
    """Ten failures among ten events of the night weigh as ten of the 719,010 of the month."""
    history = History.of(
        ((3_600.0 * hour, 0.0 if hour == 300 else 1000.0, 10.0 if hour == 300 else 1000.0) for hour in range(1, 721)),
        step=3_600,
    )
    left = budget(OBJECTIVE, history, 30 * DAY)
    assert left.bad_events == 10
    assert left.total_events == 719_010
    assert left.remaining_events == pytest.approx(719.01 - 10)
    assert left.remaining_ratio == pytest.approx(1 - 10 / 719.01)


def test_minutes_are_those_of_full_outage():
    """99.9 percent of 30 days allow 43.2 minutes; half the budget gone leaves half of them."""
    left = budget(OBJECTIVE, every_hour(30, lambda hour: 360.0 if hour == 500 else 0.0), 30 * DAY)
    assert left.total_minutes == pytest.approx(43.2)
    assert left.remaining_minutes == pytest.approx(21.6)
    assert left.consumed_percentage == pytest.approx(50)


def test_an_overdrawn_budget_is_negative():
    """More bad events than allowed leave less than nothing, in every unit."""
    left = budget(OBJECTIVE, every_hour(30, lambda hour: 2.0), 30 * DAY)
    assert left.remaining_ratio == pytest.approx(-1)
    assert left.remaining_minutes == pytest.approx(-43.2)
    assert left.remaining_events == pytest.approx(-720)
    assert left.consumed_percentage == pytest.approx(200)


def test_without_events_the_budget_is_unknown():
    """Nothing happened: what is left is not known, in no unit."""
    left = budget(OBJECTIVE, History(60, DAY), DAY)
    assert left.remaining_ratio is left.remaining_events is left.remaining_minutes is left.consumed_percentage is None
    assert left.coverage == 0
    assert left.total_minutes == pytest.approx(43.2)


def test_coverage_tells_that_the_objective_is_younger_than_its_window():
    """With ten days of data, a third of the window is covered."""
    assert budget(OBJECTIVE, every_hour(10), 10 * DAY).coverage == pytest.approx(1 / 3)


def test_what_leaves_a_rolling_window_gives_its_budget_back():
    """An outage of 31 days ago costs nothing any more."""
    history = every_hour(40, lambda hour: 1000.0 if hour == 24 else 0.0)
    assert budget(OBJECTIVE, history, 30 * DAY).remaining_ratio < 0
    assert budget(OBJECTIVE, history, 31 * DAY).remaining_ratio == 1


@pytest.mark.parametrize("day", [3, 15, 30])
def test_an_outage_costs_the_same_share_of_a_calendar_month_on_each_day(day):
    """With even traffic, 6 minutes of outage are 6 of the 43.2 of November, asked early or late."""
    objective = replace(OBJECTIVE, window=Calendar("month"))
    history = every_hour(30, lambda hour: 100.0 if hour == 30 else 0.0, begun=NOVEMBER)
    left = budget(objective, history, NOVEMBER + day * DAY - 60)
    assert left.consumed_percentage == pytest.approx(100 * 6 / 43.2, rel=0.02)
    assert (left.start, left.end) == (NOVEMBER, NOVEMBER + 30 * DAY)


def test_a_calendar_budget_begins_anew():
    """What October overdrew is not November's; at its first moment nothing is known."""
    objective = replace(OBJECTIVE, window=Calendar("month"))
    history = every_hour(40, lambda hour: 5.0 if hour <= 240 else 0.0, begun=NOVEMBER - 10 * DAY)
    assert budget(objective, history, NOVEMBER - 60).remaining_ratio < 0
    assert budget(objective, history, NOVEMBER).remaining_ratio is None
    assert budget(objective, history, NOVEMBER).coverage == 0
    assert budget(objective, history, NOVEMBER + DAY).remaining_ratio == 1


def test_bad_events_of_time_slices_are_minutes():
    """One minute of outage spoils five slices of five minutes."""
    objective = replace(OBJECTIVE, budgeting=Timeslices(300, Decimal("0.9")), window=Rolling(86_400))
    events = History.of(((60.0 * at, 0.0 if at == 700 else 9.0, 9.0) for at in range(1, 1_441)), step=60)
    left = budget(objective, weighed(events, objective.budgeting), DAY)
    assert (left.bad_events, left.total_events) == (5, 1_440)
    assert left.remaining_minutes == pytest.approx(1.44 - 5)


@given(
    st.lists(st.tuples(st.floats(0, 1), st.floats(0.01, 1e6)), min_size=1, max_size=50),
    st.sampled_from(["0.5", "0.9", "0.999"]),
    st.sampled_from([Rolling(3_600), Rolling(2_592_000), Calendar("day"), Calendar("month", "Asia/Tokyo")]),
)
def test_the_units_agree(shares, target, window):
    """Events, minutes, ratio and percentage tell the same."""
    history = History.of(
        ((NOVEMBER + 60.0 * at, share * total, total) for at, (share, total) in enumerate(shares, 1)), step=60
    )
    at = NOVEMBER + 60.0 * len(shares)
    left = budget(replace(OBJECTIVE, target=Decimal(target), window=window), history, at)
    assert left.remaining_events == pytest.approx(left.allowed_events - left.bad_events, abs=1e-6, rel=1e-9)
    assert left.remaining_minutes == pytest.approx(left.remaining_ratio * left.total_minutes)
    assert left.consumed_percentage == pytest.approx(100 - 100 * left.remaining_ratio, abs=1e-9)
    assert left.to_dict()["remaining_ratio"] == left.remaining_ratio
