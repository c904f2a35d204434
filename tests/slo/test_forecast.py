from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo.budget import of_counts
from aumos_otel.slo.forecast import Forecast, forecast
from aumos_otel.slo.history import Counts
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.window import Calendar

DAY = 86_400.0
OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))
AT = 100 * DAY


def left(consumed, objective=OBJECTIVE):
    """The budget of which so much has gone."""
    return of_counts(objective, Counts(1e6 - 1e3 * consumed, 1e6), AT, coverage=1.0)


def test_a_whole_budget_at_burn_one_lasts_for_one_period():
    """Burning as fast as allowed, a budget is gone at the end of the period, and not before."""
    burns = dict.fromkeys((300, 3_600, 21_600, 259_200), 1.0)
    assert forecast(OBJECTIVE, burns, left(0), AT).exhausted_at == pytest.approx(AT + 30 * DAY)


def test_the_mean_of_an_hour_six_hours_and_three_days_goes_on():
    """The blend decides, the largest and the smallest rate say how early and how late; other windows do not count."""
    burns = {300: 999.0, 1_800: 999.0, 3_600: 10.0, 21_600: 4.0, 259_200: 1.0}
    found = forecast(OBJECTIVE, burns, left(0.5), AT)
    assert found.rate == 5
    assert found.exhausted_at == pytest.approx(AT + 3 * DAY)
    assert found.earliest == pytest.approx(AT + 1.5 * DAY)
    assert found.latest == pytest.approx(AT + 15 * DAY)


def test_a_rate_that_leaves_some_of_the_budget_has_no_date():
    """Not at this rate, and not at the least of them, is None; at the largest it may be."""
    burns = {3_600: 2.0, 21_600: 0.0, 259_200: 0.1}
    found = forecast(OBJECTIVE, burns, left(0), AT)
    assert found.exhausted_at is found.latest is None
    assert found.earliest == pytest.approx(AT + 15 * DAY)


def test_a_calendar_period_that_ends_before_is_safe():
    """A date after the end of the month is no date: the budget begins anew."""
    objective = replace(OBJECTIVE, window=Calendar("month"))
    budget = left(0, objective)
    ends = budget.end - AT
    rate = budget.remaining_ratio * budget.seconds / ends
    burns = dict.fromkeys((3_600, 21_600, 259_200), rate * 1.01)
    assert AT < forecast(objective, burns, budget, AT).exhausted_at < budget.end
    assert forecast(objective, dict.fromkeys(burns, rate * 0.99), budget, AT).exhausted_at is None


def test_a_budget_that_is_gone_is_gone_now():
    """Overdrawn, the date is the moment of asking, whatever the rates are."""
    for rate in (None, 0.0, 7.0):
        found = forecast(OBJECTIVE, dict.fromkeys((3_600, 259_200), rate), left(1.5), AT)
        assert found == Forecast(rate=rate, exhausted_at=AT, earliest=AT, latest=AT)


def test_an_hour_without_events_is_as_the_longer_window_was():
    """Where nothing happened the next longer window tells; where the longest is empty nothing is known."""
    assert forecast(OBJECTIVE, {3_600: None, 21_600: 4.0, 259_200: 1.0}, left(0), AT).rate == 3
    assert forecast(OBJECTIVE, {3_600: 9.0, 21_600: 4.0, 259_200: None}, left(0), AT) == Forecast()


def test_a_policy_without_those_windows_is_blended_from_its_own():
    """A policy of seconds still has a forecast."""
    assert forecast(OBJECTIVE, {3: 20.0, 15: 10.0}, left(0), AT).rate == 15


def test_nothing_known_is_no_forecast():
    """Without a budget there is none, and to_dict says so."""
    budget = of_counts(OBJECTIVE, Counts(0, 0), AT, coverage=0.0)
    assert set(forecast(OBJECTIVE, {3_600: 1.0}, budget, AT).to_dict().values()) == {None}


@given(st.dictionaries(st.sampled_from([3_600, 21_600, 259_200]), st.floats(0, 1000), min_size=1), st.floats(0, 3))
def test_early_comes_before_late(burns, consumed):
    """The interval holds the date, and all of it lies within the period."""
    found = forecast(OBJECTIVE, burns, left(consumed), AT)
    dates = [each for each in (found.earliest, found.exhausted_at, found.latest) if each is not None]
    assert dates == pytest.approx(sorted(dates))
    assert all(AT <= each <= AT + 30 * DAY for each in dates)
