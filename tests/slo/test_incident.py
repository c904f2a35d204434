from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from slo import months

from aumos_otel.slo.history import History
from aumos_otel.slo.incident import find, period_allowance
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective

OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))


def test_each_planted_incident_is_found_where_it_is():
    """Outage, spike, constant burn and slow leak are found, to five minutes, and nothing else is."""
    found = find(OBJECTIVE, months.history())
    assert len(found) == len(months.PLANTED)
    for one, planted in zip(found, months.incidents(), strict=True):
        assert one.start == pytest.approx(planted.start, abs=300)
        assert one.end == pytest.approx(planted.end, abs=300)


def test_a_month_as_usual_has_no_incident():
    """Errors at half of what is allowed are no incident, however they are strewn."""
    rng = random.Random(1)
    history = History.of(((60.0 * at, 200.0 - (rng.random() < 0.1), 200.0) for at in range(1, 30 * 1440 + 1)), step=60)
    assert find(OBJECTIVE, history) == ()


def test_what_uses_less_than_a_hundredth_of_the_budget_is_none():
    """An outage of 20 seconds' worth of events is none; of half a minute's it is one."""
    for bad, count in ((333.0, 0), (500.0, 1)):
        history = History.of(
            ((60.0 * at, 1000.0 - (bad if at == 9_000 else 0), 1000.0) for at in range(1, 30 * 1440 + 1)), step=60
        )
        assert len(find(OBJECTIVE, history)) == count


def test_an_incident_that_goes_on_ends_with_the_history():
    """One that is not over is found up to the last sample."""
    history = History.of(((60.0 * at, 500.0 if at > 990 else 1000.0, 1000.0) for at in range(1, 1_001)), step=60)
    (found,) = find(OBJECTIVE, history)
    assert (found.start, found.end) == (990 * 60, 1_000 * 60)


def test_a_history_of_nothing_has_none():
    """Neither without samples nor without events."""
    assert find(OBJECTIVE, History(60, 3_600)) == ()
    assert find(OBJECTIVE, History.of([(60.0, 0, 0), (120.0, 0, 0)], step=60)) == ()


def test_the_allowance_is_that_of_a_whole_period():
    """Three days of 1000 events a minute allow in thirty what thirty days of them do."""
    history = History.of(((60.0 * at, 1000.0, 1000.0) for at in range(1, 3 * 1440 + 1)), step=60)
    assert period_allowance(OBJECTIVE, history) == pytest.approx(43_200)
    assert period_allowance(replace(OBJECTIVE, target=Decimal("0.99")), history) == pytest.approx(432_000)


@given(st.lists(st.tuples(st.integers(1, 400), st.floats(0, 50), st.floats(0, 50)), max_size=60))
def test_incidents_lie_in_the_history_and_apart(samples):
    """Whatever was counted, incidents are in order, do not overlap and lie within the samples."""
    history = History.of(((60.0 * at, good, total) for at, good, total in samples), step=60)
    found = find(OBJECTIVE, history)
    edges = [edge for one in found for edge in (one.start, one.end)]
    assert edges == sorted(edges)
    assert all(history.first - 60 <= edge <= history.last for edge in edges)
    assert all(one.start < one.end for one in found)
