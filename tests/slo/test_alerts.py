from __future__ import annotations

import math
import re
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import alerts, burn_rate, policy
from aumos_otel.slo.history import Counts
from aumos_otel.slo.indicator import Counted, Query, Ratio
from aumos_otel.slo.objective import Alerting, Definitions, Gate, Notice, Objective, Prometheus
from aumos_otel.slo.rules import Recorder

BASE = Objective(
    name="buy", service="shop", target=Decimal("0.999"), indicator=Ratio(Query("hits"), bad=Query("fails"))
)


def recorder(prometheus=Prometheus(), **more):  # noqa: B008 - frozen
    """The recorder of an objective like `BASE`."""
    changed = replace(BASE, **more)
    return Recorder(changed, Definitions(objectives=(changed,), prometheus=prometheus))


def expression(rule):
    """Without the labels of the selectors, and on one line."""
    return re.sub(r"\s+", " ", re.sub(r"\{aumos_slo_service=[^}]*\}", "", rule["expr"]))


def test_a_severity_is_one_alert_with_its_tiers_joined_by_or():
    """All limits of a tier must be reached; the thresholds are exact decimals of the error ratio."""
    page, ticket = alerts.burning(recorder(), {})
    assert expression(page) == (
        "max without (aumos_slo_version) ("
        " ( aumos_slo:errors:ratio5m >= 0.0144 and aumos_slo:errors:ratio1h >= 0.0144 )"
        " or ( aumos_slo:errors:ratio30m >= 0.006 and aumos_slo:errors:ratio6h >= 0.006 ) ) / 0.001"
    )
    assert page["labels"]["severity"] == "page"
    assert ticket["labels"]["severity"] == "ticket"
    assert page["alert"] == ticket["alert"] == "SLOErrorBudgetBurn"


def test_no_burn_alert_waits():
    """A missed evaluation would begin the wait anew; gaps are bridged instead."""
    for rule in alerts.burning(recorder(Prometheus(interval=30)), {}):
        assert "for" not in rule
        assert rule["keep_firing_for"] == "2m30s"


def test_a_gate_asks_for_bad_events_in_the_longest_window_of_each_tier():
    """And for Wilson's lower bound when there is a confidence."""
    page, ticket = (expression(rule) for rule in alerts.burning(recorder(gate=Gate(3)), {}))
    assert "and clamp_min(aumos_slo:total:increase1h - aumos_slo:good:increase1h, 0) >= 3 )" in page
    assert "and clamp_min(aumos_slo:total:increase6h - aumos_slo:good:increase6h, 0) >= 3 )" in page
    assert "and clamp_min(aumos_slo:total:increase3d - aumos_slo:good:increase3d, 0) >= 3 )" in ticket
    assert "sqrt" not in page
    page, _ = (expression(rule) for rule in alerts.burning(recorder(gate=Gate(3, Decimal("0.95"))), {}))
    assert page.count("sqrt") == 2


@given(st.floats(1, 1e6), st.floats(0, 1), st.sampled_from(["0.8", "0.95", "0.999"]))
def test_wilsons_bound_is_the_engines(total, share, confidence):
    """PromQL's arithmetic is Python's: the same numbers give the same bound."""
    bound = eval(alerts._wilson("share", "total", Decimal(confidence)), {"sqrt": math.sqrt}, locals())
    detector = burn_rate.Detector.of(replace(BASE, gate=Gate(1, Decimal(confidence))), policy.AUMOS_SEED.tiers[0])
    counts = Counts(total * (1 - share), total)
    assert bound == pytest.approx(burn_rate.wilson_lower(counts, detector.z), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(
    ("burn_policy", "target", "seconds"),
    [
        (policy.SRE_WORKBOOK, "0.999", 120),  # 52 s, but one missing evaluation is no absence
        (policy.SRE_WORKBOOK, "0.99", 540),  # 14.4 % of an hour, in whole minutes
        (policy.SRE_WORKBOOK, "0.9", 3600),  # 144 % cannot be: the whole hour; tier 2 needs 60 % of six
        (policy.AUMOS_SEED, "0.99", 240),
        (policy.parse("ticket: 6h>=1"), "0.99", 240),
    ],
)
def test_absence_is_told_when_the_worst_tier_would_have_burnt(burn_policy, target, seconds):
    """From a clean start, had everything been bad."""
    assert alerts.absent_after(recorder(policy=burn_policy, target=Decimal(target))) == seconds


def test_switched_off_severities_have_no_alert():
    """Without any, nothing else of the objective calls anybody either."""
    only_page = Alerting(notices={"ticket": Notice(enabled=False)})
    assert [rule["labels"]["severity"] for rule in alerts.burning(recorder(alerting=only_page), {})] == ["page"]
    silent = recorder(alerting=Alerting(notices={"ticket": Notice(enabled=False), "page": Notice(enabled=False)}))
    assert [*alerts.burning(silent, {}), *alerts.broken(silent), *alerts.stale(silent)] == []
    ticket_only = recorder(alerting=Alerting(notices={"page": Notice(enabled=False)}))
    assert {rule["labels"]["severity"] for rule in alerts.broken(ticket_only)} == {"ticket"}


def test_absence_can_be_left_to_others():
    """Then only good above total is told of what is broken."""
    names = [rule["alert"] for rule in alerts.broken(recorder(alerting=Alerting(absent=False)))]
    assert names == ["SLOGoodExceedsTotal"]
    names = [rule["alert"] for rule in alerts.broken(recorder())]
    assert names == ["SLOMetricAbsent", "SLOGoodExceedsTotal"]


def test_labels_of_the_user_win_but_for_the_owner():
    """From the objective to the alert to the severity; whose rule it is nobody can change."""
    written = recorder(
        owner="team",
        labels={"severity": "a", "tier": "1", "aumos_owner": "thief"},
        alerting=Alerting(
            name="Burning", labels={"severity": "b"}, notices={"page": Notice(labels={"severity": "critical"})}
        ),
    )
    page, ticket = alerts.burning(written, {"page": {"more": "x"}})
    assert page["alert"] == "Burning"
    assert page["labels"] == {
        "severity": "critical",
        "service": "shop",
        "slo": "buy",
        "owner": "team",
        "tier": "1",
        "more": "x",
        "aumos_owner": "aumos-otel",
    }
    assert ticket["labels"]["severity"] == "b"


def test_text_of_the_definition_is_no_template():
    """Braces in a description are shown; annotations of the user are templates as Prometheus has them."""
    written = recorder(
        description="Uses {{ braces }}.",
        display_name="{{x",
        annotations={"note": "{{ $labels.slo }}"},
        alerting=Alerting(annotations={"a.b": "1"}),
    )
    annotations = alerts.burning(written, {})[0]["annotations"]
    assert annotations["description"].startswith('Uses {{ "{{" }} braces }}. 99.9% of')
    assert annotations["summary"].startswith('shop: {{ "{{" }}x burns')
    assert annotations["note"] == "{{ $labels.slo }}"
    assert annotations["a_b"] == "1"


def test_numbers_of_an_alert_are_those_of_its_group():
    """The values of the labels that it is grouped by are put into its queries, whatever stands in the other labels."""
    written = recorder(group_by=("route", "http.code"), service="100%")
    text = alerts.burning(written, {})[0]["annotations"]["description"]
    assert 'aumos_slo_service="100%%"' in text
    assert '",route=%q,"http.code"=%q}` (index $labels `route`) (index $labels `http.code`))' in text
    assert "route={{ index $labels `route` }}" in text
    plain = alerts.burning(recorder(service="100%"), {})[0]["annotations"]["description"]
    assert 'aumos_slo_service="100%",' in plain
    assert "printf `" not in plain


def test_backquotes_do_not_end_a_query():
    """A service of any name has an alert that can be read."""
    text = alerts.burning(recorder(service="a`b"), {})[0]["annotations"]["description"]
    assert r'query "aumos_slo:budget:remaining_ratio{aumos_slo_service=\"a`b\"' in text


def test_who_suffers_most_is_told_where_tenants_are_counted():
    """Of our own counters; not of a query of the user, and not where each tenant has an alert of its own."""
    told = "Most of them are of tenant"
    assert told in alerts.burning(recorder(indicator=Counted("x")), {})[0]["annotations"]["description"]
    assert told not in alerts.burning(recorder(), {})[0]["annotations"]["description"]
    grouped = recorder(indicator=Counted("x"), group_by=("aumos.tenant.id",))
    assert told not in alerts.burning(grouped, {})[0]["annotations"]["description"]


def test_the_dead_man_looks_from_the_other_group():
    """It asks for the series that the levels always write, over several evaluations."""
    (rule,) = alerts.stale(recorder())
    assert expression(rule) == "max without (aumos_slo_version) (absent_over_time(aumos_slo:target:ratio[5m]))"
    assert rule["for"] == "5m"


def test_good_above_total_is_told_with_room_for_extrapolation():
    """Over an hour, or the longest window that there is."""
    rule = alerts.broken(recorder())[-1]
    assert "(aumos_slo:good:increase1h > aumos_slo:total:increase1h * 1.01)" in expression(rule)
    rule = alerts.broken(recorder(policy=policy.DEMO))[-1]
    assert "increase15s" in expression(rule)
