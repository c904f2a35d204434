from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo.history import Counts, Sample
from aumos_otel.sources.local import Point, history


def points(values, series="a", start=90.0, step=10.0):
    """Points of one counter, ``step`` apart from 100 on."""
    return [Point(series, 100 + step * position, start, value) for position, value in enumerate(values)]


def test_growth_is_what_happened():
    """A cumulative counter becomes the increments of each step."""
    found = history(points([2, 5, 5, 9]), points([1, 3, 3, 7]), step=10)
    assert list(found) == [Sample(100, 1, 2), Sample(110, 2, 3), Sample(120, 0, 0), Sample(130, 4, 4)]


def test_a_restart_adds_what_was_counted_since():
    """A counter that fell, or began anew, has lost nothing but its past."""
    fell = history(points([5, 8, 2, 4]), [], step=10)
    assert fell.counts(130, 100).total == 5 + 3 + 2 + 2
    anew = [Point("a", 100, 90, 5), Point("a", 110, 90, 8), Point("a", 120, 115, 9)]
    assert history(anew, [], step=10).counts(120, 100).total == 5 + 3 + 9


def test_instances_add_up():
    """Counters of several instances and tenants are summed, whenever each reports."""
    late = [point._replace(series="b", at=point.at + 3) for point in points([1, 2, 3])]
    found = history([*points([10, 20, 30]), *late], points([10, 20, 30]), step=10)
    assert found.counts(125, 100) == Counts(30, 33)
    assert found.coverage(125, 30) == 1


def test_what_was_counted_before_anybody_listened_did_not_happen_now():
    """The first point of an old counter is where counting begins; that of a young one counts."""
    old = points([1_000, 1_001], start=100 - 3_600)
    assert history(old, [], step=10).counts(110, 100).total == 1
    assert history(points([1_000, 1_001], start=70), [], step=10).counts(110, 100).total == 1_001
    assert history(points([1_000, 1_001], start=0), [], step=10).counts(110, 100).total == 1


def test_delta_points_are_increments():
    """Points that count since the one before are taken as they are."""
    delta = [point._replace(delta=True) for point in points([5, 3, 4])]
    assert history(delta, [], step=10).counts(120, 100).total == 12


def test_nothing_is_an_empty_history():
    """Without points there is no sample; without good ones nothing was good."""
    assert len(history([], [], step=10)) == 0
    assert history(points([3]), [], step=10).counts(100, 10) == Counts(0, 3)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40),
    st.randoms(use_true_random=False),
)
def test_the_order_of_arrival_does_not_matter(growth, rng):
    """Late points fall into their place, and the sum is what all counters grew by."""
    good, total, ordered, fine = 0, 0, [], []
    for position, (bad, well) in enumerate(growth):
        good, total = good + well, total + well + bad
        ordered.append(Point("a", 100 + position * 7, 95, total))
        fine.append(Point("a", 100 + position * 7, 95, good))
    shuffled = random.Random(rng.random()).sample(ordered, len(ordered))
    found = history(shuffled, fine, step=10)
    assert list(found) == list(history(ordered, fine, step=10))
    assert found.counts(100 + 7 * len(growth), 10_000) == pytest.approx(Counts(good, total))
