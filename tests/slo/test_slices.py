from __future__ import annotations

from decimal import Decimal

import pytest

from aumos_otel.slo.history import Counts, History
from aumos_otel.slo.slices import verdict, weighed
from aumos_otel.slo.window import OCCURRENCES, RatioTimeslices, Timeslices

FIVE = Timeslices(300, Decimal("0.95"))


def minutes(*counts, step=60.0):
    """A history of (good, total) of each step."""
    return History.of(((step * position, *each) for position, each in enumerate(counts, 1)), step=step)


def test_where_each_event_counts_alike_nothing_is_weighed():
    """Occurrences are the events themselves."""
    events = minutes((1, 2), (3, 4))
    assert weighed(events, OCCURRENCES) is events
    assert verdict(events, OCCURRENCES, 120) == Counts(3, 4)


def test_a_slice_that_reaches_the_target_is_good_whatever_the_last_bit_says():
    """19 of 20 reach 95 percent, and a little less does not."""
    assert verdict(minutes((19, 20)), FIVE, 60) == Counts(1, 1)
    assert verdict(minutes((1.9 * 3, 6.0)), FIVE, 60) == Counts(1, 1)
    assert verdict(minutes((94, 99)), FIVE, 60) == Counts(0, 1)


def test_a_slice_looks_back_as_long_as_it_is():
    """An outage of one minute spoils each slice that it is in, and no other."""
    events = minutes(*[(100, 100)] * 5, (0, 100), *[(100, 100)] * 6)
    assert [sample.good for sample in weighed(events, FIVE)] == [1, 1, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1]


def test_a_slice_without_events_weighs_nothing_and_still_is_data():
    """No traffic is not the same as no data."""
    history = weighed(minutes((10, 10), *[(0, 0)] * 6), FIVE)
    assert [sample.total for sample in history] == [1, 1, 1, 1, 1, 0, 0]
    assert history.coverage(420, 420) == 1


@pytest.mark.parametrize("budgeting", [FIVE, RatioTimeslices(300)])
def test_an_hour_weighs_sixty_whatever_the_step(budgeting):
    """Slices are counted in minutes."""
    history = weighed(minutes(*[(9, 9)] * 360, step=10.0), budgeting)
    assert history.counts(3_600, 3_600).total == pytest.approx(60)


def test_a_ratio_slice_is_as_good_as_its_events_were():
    """Each minute counts with the share of the events of its slice that were good."""
    assert verdict(minutes((9, 10), (1, 10)), RatioTimeslices(120), 120) == Counts(0.5, 1)
    assert verdict(minutes((11, 10)), RatioTimeslices(60), 60) == Counts(1, 1)
