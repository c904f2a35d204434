from __future__ import annotations

import json
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import policy
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Gate, Objective
from aumos_otel.slo.status import evaluate

OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))
SEED = replace(OBJECTIVE, policy=policy.AUMOS_SEED)
AT = 4_320 * 60.0


def history(*stretches):
    """Three days; each stretch is (first minute, last minute, events, share that goes wrong) of a day like others."""
    counts = dict.fromkeys(range(1, 4_321), (1000.0, 0.0))
    for first, last, total, share in stretches:
        counts |= dict.fromkeys(range(4_320 + first, 4_320 + last + 1), (total, share))
    return History.of(((60.0 * at, total * (1 - bad), total) for at, (total, bad) in counts.items()), step=60)


@pytest.mark.parametrize(
    ("objective", "stretches", "state"),
    [
        (SEED, [], "ok"),
        (SEED, [(-9, 0, 1000, 0.1)], "critical"),  # both windows: 100 over 5 minutes, 16 over the hour
        (SEED, [(-4, 0, 1000, 0.05)], "warning"),  # the short one only: 50 and 4
        (SEED, [(-30, -6, 1000, 0.05)], "warning"),  # the long one only: it is over
        (SEED, [(-60, 0, 1000, 0.01)], "warning"),  # burn 10 for an hour: the blind band reaches one limit of two
        (SEED, [(-4_000, 0, 1000, 0.005)], "ok"),  # burn 5 for days: blind
        (OBJECTIVE, [(-4_000, 0, 1000, 0.005)], "warning"),  # the ticket tier sees it
        (OBJECTIVE, [(-4_000, 0, 1000, 0.01)], "critical"),  # the second page tier sees 10
        (SEED, [(-4, 0, 0, 0)], "unknown"),
        (SEED, [(-30, -6, 1000, 0.5), (-5, 0, 0, 0)], "unknown"),  # was bad, and nothing is known of now
        (OBJECTIVE, [(-4, 0, 0, 0)], "ok"),  # half an hour tells
        (OBJECTIVE, [(-29, 0, 0, 0)], "unknown"),
    ],
)
def test_the_state_is_what_the_windows_say(objective, stretches, state):
    """Critical when a page tier burns, warning when it nearly does or a ticket tier does, unknown without events."""
    assert evaluate(objective, history(*stretches), AT).state == state


def test_no_data_is_never_healthy():
    """An empty history is unknown, and burns nothing."""
    found = evaluate(OBJECTIVE, History(60, AT), AT)
    assert found.state == "unknown"
    assert found.burning == ()
    assert set(found.burns.values()) == {None}
    assert found.is_fast_burning is found.is_slow_burning is False


def test_a_gate_makes_a_warning_of_what_would_page():
    """A single failure among few events reaches both limits, and calls nobody."""
    quiet = history((-4_319, 0, 0, 0), (-2, -2, 10, 0.1))
    assert evaluate(SEED, quiet, AT).state == "critical"
    assert evaluate(replace(SEED, gate=Gate(bad_events=2)), quiet, AT).state == "warning"


def test_fast_and_slow_are_the_windows_of_the_first_page_tier():
    """The fields of the REST interface come from the shortest and the longest window of what pages first."""
    found = evaluate(SEED, history((-4, 0, 1000, 0.05)), AT)
    assert found.fast_burn_rate == pytest.approx(50)
    assert found.slow_burn_rate == pytest.approx(50 / 12)
    assert (found.is_fast_burning, found.is_slow_burning) == (True, False)


def test_a_policy_without_pages_is_judged_by_its_tickets():
    """With ticket tiers alone there is no critical state, and no data is still unknown."""
    objective = replace(OBJECTIVE, policy=policy.parse("ticket: 30m>=3 & 6h>=3"))
    assert evaluate(objective, history((-360, 0, 1000, 0.01)), AT).state == "warning"
    assert evaluate(objective, history((-40, 0, 0, 0)), AT).state == "unknown"
    assert evaluate(objective, history(), AT).fast_burn_rate == 0


def test_it_can_be_written_as_json():
    """All of the answer is plain data, windows are written as Prometheus does."""
    found = json.loads(json.dumps(evaluate(OBJECTIVE, history((-59, 0, 1000, 0.1)), AT).to_dict()))
    assert found["state"] == "critical"
    assert found["burns"].keys() == {"5m", "30m", "1h", "6h", "3d"}
    assert found["burning"] == ["page 5m/1h", "page 30m/6h", "ticket 6h/3d"]
    assert found["budget"]["total_minutes"] == pytest.approx(43.2)
    assert found["forecast"]["rate"] > 1


@given(st.lists(st.tuples(st.floats(0, 100), st.floats(0, 200)), max_size=60), st.sampled_from(sorted(policy.BUILT_IN)))
def test_any_history_has_a_state(samples, name):
    """Whatever was counted, the state fits the tiers that burn."""
    counted = History.of(((60.0 * at, *each) for at, each in enumerate(samples, 1)), step=60)
    found = evaluate(replace(OBJECTIVE, policy=policy.BUILT_IN[name]), counted, 60.0 * len(samples))
    assert (found.state == "critical") == any(tier.severity == "page" for tier in found.burning)
    json.dumps(found.to_dict(), allow_nan=False)
