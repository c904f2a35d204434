from __future__ import annotations

from fractions import Fraction
from math import inf, nan

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo.history import Counts, History, Sample

EVENTS = st.floats(0, 1e12, allow_subnormal=False)
SAMPLES = st.lists(st.tuples(st.integers(0, 500), EVENTS, EVENTS), max_size=60)


def exact(values):
    """The sum without any rounding."""
    return float(sum((Fraction(value) for value in values), Fraction(0)))


@given(SAMPLES, st.integers(-10, 510), st.integers(1, 600))
def test_counts_are_the_exact_sums_of_the_left_open_window(samples, at, window):
    """Counts are the sums of the samples later than the window's start and not later than its end."""
    history = History.of(((float(time), good, total) for time, good, total in samples), step=1)
    inside = [sample for sample in samples if at - window < sample[0] <= at]
    counts = history.counts(at, window)
    assert counts.good == pytest.approx(exact(good for _, good, _ in inside), rel=1e-9, abs=1e-12)
    assert counts.total == pytest.approx(exact(total for _, _, total in inside), rel=1e-9, abs=1e-12)


@given(SAMPLES, st.integers(1, 200))
def test_rolling_is_counts_at_each_instant(samples, window):
    """Rolling over instants yields what counts yields at each of them."""
    history = History.of(((float(time), good, total) for time, good, total in samples), step=1)
    instants = [float(at) for at in range(-5, 510, 7)]
    assert list(history.rolling(window, instants)) == [history.counts(at, window) for at in instants]


@given(SAMPLES)
def test_iterating_yields_the_samples(samples):
    """A history yields its samples in order of time, those of one time together."""
    history = History.of(((float(time), good, total) for time, good, total in samples), step=1)
    assert [sample.at for sample in history] == sorted({float(time) for time, _, _ in samples})
    for sample in history:
        same = [each for each in samples if each[0] == sample.at]
        assert sample.total == pytest.approx(exact(total for _, _, total in same), rel=1e-9, abs=1e-12)


@given(st.lists(st.integers(1, 90), min_size=1, max_size=300), st.integers(1, 200))
def test_forgetting_changes_no_window_that_may_be_asked_for(gaps, window):
    """A history with a bound answers like one without for each window up to the bound."""
    bounded, whole = History(1, longest=200), History(1, inf)
    at = 0.0
    for gap in gaps:
        at += gap
        for history in (bounded, whole):
            history.append(at, 1.0, 3.0)
        assert bounded.counts(at, window) == whole.counts(at, window)
        assert bounded.coverage(at, window) == whole.coverage(at, window)


def test_a_bounded_history_stays_small():
    """A history that goes on for ever keeps as much as its bound holds."""
    history = History(1, longest=60)
    for second in range(10_000):
        history.append(float(second), 1, 1)
    assert len(history) == 60
    assert len(history._at) < 200
    assert history.first == 9_940
    assert history.last == 9_999


def test_a_quiet_minute_after_a_billion_events_is_exact():
    """What a window counts does not depend on how much was counted before it."""
    history = History(60, inf)
    for minute in range(1, 2_001):
        history.append(minute * 60.0, 1e12 + 0.1, 1e12 + 0.3)
    history.append(2_001 * 60.0, 0.001, 0.003)
    counts = history.counts(2_001 * 60, 60)
    assert (counts.good, counts.total) == pytest.approx((0.001, 0.003), rel=1e-10)


def test_a_clock_that_is_set_back_loses_no_event():
    """A sample that is not later than the last one is counted with it."""
    history = History(10, inf)
    history.append(100, 1, 2)
    history.append(50, 3, 4)
    history.append(100, 5, 6)
    assert list(history) == [Sample(100, 9, 12)]


@pytest.mark.parametrize(
    "sample", [(0, nan, 1), (0, 1, nan), (0, -1, 1), (0, 1, -1), (0, 1, inf), (nan, 1, 1), (inf, 1, 1)]
)
def test_what_is_no_count_is_refused(sample):
    """A negative or infinite number and NaN are refused, and change nothing."""
    history = History(1, inf)
    with pytest.raises(ValueError, match="numbers of 0 or more"):
        history.append(*sample)
    assert len(history) == 0
    assert history.first is history.last is None


@pytest.mark.parametrize(("step", "longest"), [(0, 1), (-1, 1), (nan, 1), (inf, 1), (1, 0), (1, nan)])
def test_a_history_without_a_step_is_refused(step, longest):
    """Step and longest window must be more than nothing."""
    with pytest.raises(ValueError, match="more than 0"):
        History(step, longest)


def test_coverage_is_the_share_of_the_steps_that_have_a_sample():
    """Samples that are missing are missing from the coverage; samples that come too often do not exceed it."""
    history = History.of(((60.0 * minute, 0, 0) for minute in range(1, 61) if minute % 4), step=60)
    assert history.coverage(3_600, 3_600) == 0.75
    assert history.coverage(3_600, 7_200) == 0.375
    assert history.coverage(60, 60) == 1
    assert History.of(((float(at), 1, 1) for at in range(100)), step=10).coverage(99, 50) == 1


def test_nothing_is_not_the_same_as_good():
    """Without events there is no error ratio; with more good ones than there are, it is 0."""
    assert Counts(0, 0).error_ratio is None
    assert Counts(3, 2).error_ratio == 0
    assert Counts(1, 4).error_ratio == 0.75
