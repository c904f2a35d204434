"""Where the lines of the burn chart go."""

from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.local import burn_chart
from aumos_otel.slo import policy
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.window import Calendar, Rolling

OBJECTIVE = Objective(
    name="available", service="chat", target=Decimal("0.999"), indicator=Counted("x"), policy=policy.DEMO
)
TIER = policy.DEMO.first
AT = 1_800_000_000.0


def history(bad, seconds=60, step=1.0, each=10):
    """Ten events each step until `AT`, so many bad at the steps given."""
    return History.of(((AT + at * step, each - bad.get(at, 0), each) for at in range(1 - seconds, 1)), step=step)


def draw(of, **changes):
    """The chart at `AT`."""
    return burn_chart.draw(replace(OBJECTIVE, **changes), TIER, of, AT)


def test_nothing_is_no_chart():
    """Without data there is nothing to draw."""
    assert draw(History(1, 100)) is None


def test_a_line_a_window_and_a_limit_each():
    """The chart has both windows of the tier, their limits, and where the tier burns."""
    chart = draw(history({-20: 1}))
    assert [(line.name, line.last) for line in chart.burns] == [("3s", 0.0), ("15s", 0.0)]
    assert [(mark.label, mark.line) for mark in chart.thresholds] == [("14.4x", 0), ("6x", 1)]
    assert chart.thresholds[0].at < chart.thresholds[1].at
    ((left, width),) = chart.burning
    span = chart.end - chart.start
    assert left == pytest.approx(100 * (AT - 20 - chart.start) / span, abs=0.01)
    assert width == pytest.approx(100 * 3 / span, abs=0.02)


def test_windows_with_one_limit_share_its_line():
    """The workbook's first tier has the same factor twice: one line is enough."""
    tier = policy.SRE_WORKBOOK.first
    chart = burn_chart.draw(OBJECTIVE, tier, history({}, 600, 60), AT)
    assert [mark.label for mark in chart.thresholds] == ["14.4x"]


def test_a_window_may_have_two_limits():
    """A tier that names a window twice has one line for it."""
    tier = policy.parse("page: 3s>=1 & 3s>=2 & 15s>=1").first
    chart = burn_chart.draw(OBJECTIVE, tier, history({}), AT)
    assert [line.name for line in chart.burns] == ["3s", "15s"]
    assert [(mark.label, mark.line) for mark in chart.thresholds] == [("1x", 0), ("2x", 0)]


def test_where_nothing_is_known_the_line_breaks():
    """A gap longer than the window is a gap of the line, and a lonely moment is a dot."""
    of = History.of(((AT + at, 10, 10) for at in (-40, -30, -29, -28, 0)), step=1)
    short = draw(of).burns[0].path
    assert short.count("M") == 3
    path = draw(History.of([(AT, 10, 10)], step=60.0)).burns[0].path
    assert path.endswith("h.01")


def test_an_overdrawn_budget_is_cut():
    """The budget line goes from full to at most as much below zero, and says when it is lower."""
    chart = draw(history({-20: 5}))
    assert chart.cut
    assert [mark.label for mark in chart.budget_grid] == ["100%", "50%", "0%", "\N{MINUS SIGN}100%"]
    assert chart.budget.last == pytest.approx(1 - 5 / 600 / 0.001)
    whole = draw(history({}))
    assert (whole.cut, [mark.label for mark in whole.budget_grid]) == (False, ["100%", "50%", "0%"])


def test_silence_keeps_the_past_in_the_picture():
    """A service that has ended is drawn until its last window has passed, whenever one looks."""
    of = history({})
    assert burn_chart.draw(OBJECTIVE, TIER, of, AT + 86_400).end == AT + 15


@pytest.mark.parametrize("period", [Rolling(2_592_000), Rolling(10**15), Calendar("month"), Calendar("day")])
def test_the_budget_of_any_period_is_drawn(period):
    """Rolling and calendar periods, however long."""
    assert draw(history({-5: 1}), window=period).budget.path.startswith("M")


@pytest.mark.parametrize("at", [0.0, 253_402_300_800.0, 9.2e9])
def test_any_time_can_be_drawn(at):
    """Also the first second, and years without four digits."""
    of = History.of([(at + second, 1, 1) for second in range(20)], step=1)
    assert burn_chart.draw(OBJECTIVE, TIER, of, at + 20) is not None


@given(
    st.dictionaries(st.integers(-59, 0), st.integers(0, 10), max_size=20),
    st.sampled_from(["0.5", "0.9", "0.999", "0.99999"]),
    st.sampled_from([0.1, 0.5, 1.0, 7.0, 60.0, 3600.0]),
)
def test_everything_lies_in_the_picture(bad, target, step):
    """Whatever happened, all places are between 0 and 100, and there are some times on the axis."""
    chart = draw(history(bad, step=step), target=Decimal(target))
    numbers = [float(each) for line in (*chart.burns, chart.budget) for pair in re.findall(r"[ML]([\d.-]+) ([\d.-]+)", line.path) for each in pair]  # fmt: skip
    places = [mark.at for mark in (*chart.thresholds, *chart.grid, *chart.budget_grid, *chart.times)]
    edges = [edge for left, width in chart.burning for edge in (left, left + width)]
    assert all(-0.01 <= each <= 100.01 for each in (*numbers, *places, *edges))
    assert 1 <= len(chart.times) <= 7
