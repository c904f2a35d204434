from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import policy
from aumos_otel.slo.burn_rate import Detector, blind_band, burn_rate, burn_rates, wilson_lower
from aumos_otel.slo.history import Counts, History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Gate, Objective
from aumos_otel.slo.window import Rolling

OBJECTIVE = Objective(name="available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))


def constant(ratio, minutes=4_400, total=1000.0):
    """Minutes that all fail alike."""
    return History.of(((60.0 * at, total * (1 - ratio), total) for at in range(1, minutes + 1)), step=60)


def tier(objective, number=0):
    """The detector of a tier by its place."""
    return Detector.of(objective, objective.burn_policy.tiers[number])


def test_every_window_ends_at_the_same_moment():
    """A minute of outage is in each window that ends with it, weighed by that window's events."""
    history = History.of(((60.0 * at, 0.0 if at == 360 else 100.0, 100.0) for at in range(1, 361)), step=60)
    assert burn_rates(OBJECTIVE, history, 21_600) == pytest.approx(
        {300: 200, 1_800: 1000 / 30, 3_600: 1000 / 60, 21_600: 1000 / 360, 259_200: 1000 / 360}
    )


def test_without_events_there_is_no_burn_rate():
    """A window in which nothing happened has no rate."""
    history = History.of([(60.0, 5, 5), *((60.0 * at, 0, 0) for at in range(2, 30))], step=60)
    rates = burn_rates(OBJECTIVE, history, 29 * 60.0)
    assert rates[300] is None
    assert rates[1_800] == 0


@given(st.floats(0, 1), st.floats(0.001, 1e9))
def test_burn_rate_is_error_ratio_over_budget(ratio, total):
    """The whole budget gone as fast as allowed is a burn rate of 1."""
    counts = Counts(total * (1 - ratio), total)
    assert burn_rate(counts, 0.001) == pytest.approx(ratio / 0.001, abs=1e-9)


@pytest.mark.parametrize(
    ("fast", "slow", "burns"), [(15, 15, True), (15, 14, False), (14, 15, False), (14.4, 14.4, True)]
)
def test_a_tier_burns_when_both_windows_do(fast, slow, burns):
    """Both limits must be reached; exactly reached is reached, in spite of floats."""
    counts = {300: Counts(10_000 - 10 * fast, 10_000), 3_600: Counts(10_000 - 10 * slow, 10_000)}
    assert tier(OBJECTIVE).burning(counts) is burns


@given(st.decimals("0.5", "0.99999", places=5), st.sampled_from(["14.4", "6", "1", "3"]))
def test_an_error_ratio_of_exactly_the_limit_reaches_it(target, factor):
    """The ratio that is written down as factor x budget reaches the limit, whatever floats make of the quotient."""
    ratio = Decimal(factor) * (1 - target)
    if ratio > 1:
        return
    whole = Decimal(10**9)
    objective = replace(OBJECTIVE, target=target, policy=policy.parse(f"page: 5m>={factor} & 1h>={factor}"))
    same = Counts(float(whole - whole * ratio), float(whole))
    assert tier(objective).burning({300: same, 3_600: same})


def test_few_bad_events_do_not_pass_the_gate():
    """One failure of little traffic does not page with a gate, and does without."""
    counts = dict.fromkeys((300, 3_600), Counts(9, 10))
    assert tier(OBJECTIVE).burning(counts)
    gated = replace(OBJECTIVE, gate=Gate(bad_events=2))
    assert not tier(gated).burning(counts)
    assert tier(gated).reached(counts) == (True, True)
    assert tier(gated).burning(dict.fromkeys((300, 3_600), Counts(8, 10)))


def test_a_gate_with_confidence_wants_the_lower_bound_to_reach_the_limit():
    """Two failures of ten may be chance for 10x of a percent; twenty of a hundred are none."""
    objective = replace(
        OBJECTIVE,
        target=Decimal("0.99"),
        policy=policy.parse("page: 5m>=10 & 1h>=10"),
        gate=Gate(bad_events=1, confidence=Decimal("0.95")),
    )
    assert not tier(objective).burning(dict.fromkeys((300, 3_600), Counts(8, 10)))
    assert tier(objective).burning(dict.fromkeys((300, 3_600), Counts(80, 100)))


@given(st.floats(0, 1), st.floats(1e-3, 1e9), st.floats(0.5, 0.9999))
def test_the_lower_bound_solves_wilsons_equation(ratio, total, confidence):
    """At the bound p, the observed ratio is z standard errors of p away."""
    z = NormalDist().inv_cdf(confidence)
    counts = Counts(total - ratio * total, total)
    bound = wilson_lower(counts, z)
    seen = counts.error_ratio
    assert -1e-12 <= bound <= seen + 1e-12
    assert (seen - bound) ** 2 == pytest.approx(z * z * max(bound, 0) * (1 - bound) / total, rel=1e-6, abs=1e-9)


def test_no_events_have_no_lower_bound():
    """Of nothing, and of nearly nothing, the bound is 0."""
    assert wilson_lower(Counts(0, 0), 1.6) == 0
    assert wilson_lower(Counts(0, 1e-300), 1.6) == pytest.approx(0)


@pytest.mark.parametrize(
    ("name", "band", "unpaged"),
    [
        ("aumos-seed", (1, 14.4), (1, 14.4)),
        ("sre-workbook", None, (1, 6)),
        ("sloth-30d", None, (1, 6)),
    ],
)
def test_the_blind_band_is_where_no_tier_fires(name, band, unpaged):
    """The seed pair never fires below its larger factor; the workbook's ticket tier sees everything."""
    objective = replace(OBJECTIVE, policy=policy.BUILT_IN[name])
    assert blind_band(objective) == band
    assert blind_band(objective, "page") == unpaged


@given(
    st.sampled_from(sorted(policy.BUILT_IN)),
    st.sampled_from(["0.9", "0.95", "0.99", "0.999"]),
    st.sampled_from([7, 28, 30, 90]),
    st.floats(1.01, 999),
)
def test_constant_burn_fires_exactly_outside_of_the_blind_band(name, target, days, rate):
    """What burns for ever at one rate fires some tier if and only if the rate is not in the band."""
    objective = replace(OBJECTIVE, target=Decimal(target), window=Rolling(days * 86_400), policy=policy.BUILT_IN[name])
    ratio = rate * float(objective.budget)
    if ratio > 1:
        return
    counts = dict.fromkeys(objective.burn_policy.windows, Counts(1 - ratio, 1.0))
    fires = any(Detector.of(objective, each).burning(counts) for each in objective.burn_policy.tiers)
    band = blind_band(objective)
    assert fires is not (band is not None and band[0] < rate < band[1])


def test_limits_that_cannot_be_reached_leave_everything_blind():
    """Below 93 percent, 14.4 is more than all events: the band ends with the largest burn rate there is."""
    objective = replace(OBJECTIVE, target=Decimal("0.9"), policy=policy.AUMOS_SEED)
    assert blind_band(objective) == pytest.approx((1, 10))


def test_constant_burn_of_ten_burns_the_workbooks_second_tier_only():
    """At 1 percent of 99.9 the 6-hour tier pages, the 1-hour tier does not."""
    history = constant(0.01)
    counts = {window: history.counts(4_400 * 60.0, window) for window in OBJECTIVE.burn_policy.windows}
    assert [tier(OBJECTIVE, number).burning(counts) for number in range(3)] == [False, True, True]
