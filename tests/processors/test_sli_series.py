"""A bounded number of series."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel import guard
from aumos_otel.processors.sli_cells import Reading, Trace
from aumos_otel.processors.sli_series import SeriesTable

KEYS = st.tuples(st.integers(0, 2), st.sampled_from([None, "_other", "a", "b", "c", "d", "e"]))


def reading(counts: dict[tuple[int, str | None], list[int]]) -> Reading:
    """A reading of these counts, bad and good."""
    made = Reading()
    made.counts = counts
    return made


def test_an_sli_without_events() -> None:
    """It has a series of zeros, without a tenant."""
    series = SeriesTable(10).update(reading({}), 2)

    assert series == {(0, None): (0, 0), (1, None): (0, 0)}


def test_the_larger_tenants_have_the_room(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those without room are counted as the rest, for good, and the log says so once."""
    monkeypatch.setattr(guard, "_last_logged", {})
    before = guard.swallowed().get("processors.sli.tenants", 0)
    table = SeriesTable(4)
    table.update(reading({(0, "small"): [1, 0], (0, "large"): [0, 9], (0, "middle"): [0, 5]}), 1)
    series = table.update(reading({(0, "small"): [100, 0], (0, "large"): [0, 9], (0, "middle"): [0, 5]}), 1)

    assert {key: events for key, (events, _) in series.items()} == {
        (0, None): 0,
        (0, "large"): 9,
        (0, "middle"): 5,
        (0, "_other"): 100,
    }
    assert "more tenants than there is room for" in caplog.text
    assert guard.swallowed()["processors.sli.tenants"] == before + 1


def test_traces_go_with_their_events() -> None:
    """The traces of a tenant without room are those of the rest."""
    table = SeriesTable(2)
    came = reading({(0, "acme"): [1, 1]})
    came.bad, came.good = {(0, "acme"): [Trace(1, 2, 3)]}, {(0, "acme"): Trace(4, 5, 6)}

    table.update(came, 1)

    assert table.traces[0, "_other"].bad == [(1, Trace(1, 2, 3))]
    assert table.traces[0, "_other"].good == (1, Trace(4, 5, 6))


def test_the_newest_traces() -> None:
    """Five are kept, a trace that comes again as what it was last."""
    table = SeriesTable(10)
    for number in (1, 2, 3, 4, 5, 1, 6):
        came = reading({(0, None): [number, 0]})
        came.bad = {(0, None): [Trace(number, number, number)]}
        table.update(came, 1)

    assert [(mark, trace.trace_id) for mark, trace in table.traces[0, None].bad] == [
        (3, 3),
        (4, 4),
        (5, 5),
        (6, 1),
        (7, 6),
    ]


@given(st.lists(st.dictionaries(KEYS, st.tuples(st.integers(0, 9), st.integers(0, 9)))), st.integers(6, 30))
def test_nothing_is_lost_and_nothing_goes_back(
    added: list[dict[tuple[int, str | None], tuple[int, int]]], most: int
) -> None:
    """Whatever comes: the sum by SLI is that of the cells, each series only grows, and there are not too many."""
    table, sums, before = SeriesTable(most), {}, {}
    for each in added:
        for key, (bad, good) in each.items():
            old = sums.get(key, [0, 0])
            sums[key] = [old[0] + bad, old[1] + good]
        now = table.update(reading(dict(sums)), 3)

        for sli in range(3):
            wanted = [counts for (index, _), counts in sums.items() if index == sli]
            found = [counts for (index, _), counts in now.items() if index == sli]
            assert sum(events for events, _ in found) == sum(bad + good for bad, good in wanted)
            assert sum(good for _, good in found) == sum(good for _, good in wanted)
        assert all(now[key] >= counts and now[key][1] >= counts[1] for key, counts in before.items())
        assert all(good <= events for events, good in now.values())
        assert len(now) <= most
        before = now
