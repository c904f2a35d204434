from __future__ import annotations

import re
from dataclasses import replace
from decimal import Decimal

import pytest

from aumos_otel.errors import ObjectiveError
from aumos_otel.slo import policy, sloth_names
from aumos_otel.slo.indicator import Composite, Counted, Histogram, Query, Ratio, RawRatio, Threshold
from aumos_otel.slo.objective import Definitions, Objective, Prometheus
from aumos_otel.slo.rules import Recorder
from aumos_otel.slo.window import Calendar, RatioTimeslices, Rolling

BASE = Objective(name="buy", service="shop", target=Decimal("0.999"), indicator=Counted("buys"))


def recorder(prometheus=Prometheus(), owner="aumos-otel", **more):  # noqa: B008 - frozen
    """The recorder of an objective like `BASE`."""
    changed = replace(BASE, **more)
    return Recorder(changed, Definitions(objectives=(changed,), prometheus=prometheus), owner)


def names(rules):
    """What they record, in order."""
    return [rule["record"] for rule in rules]


def expression(rules, name):
    """The expression that records ``name``, without the labels of the selectors."""
    (found,) = [rule["expr"] for rule in rules if rule["record"] == name]
    return re.sub(r"\{aumos_slo_service=[^}]*\}", "", found)


def test_levels_come_in_the_order_in_which_they_read_each_other():
    """A group is evaluated in order: each rule stands behind all whose series it reads."""
    for window in (Rolling(604_800), Calendar("month", "Europe/Berlin")):
        written = recorder(window=window)
        for rules in (written.levels(), [*written.levels(), *written.budget(), *sloth_names.rules(written)]):
            seen = set()
            for rule in rules:
                read = set(re.findall(r"\b(aumos_slo\w*:[\w:]+)\{", rule["expr"]))
                assert read <= seen, rule
                seen.add(rule["record"])


def test_all_windows_end_at_one_instant():
    """Level 0, windows, ratios and burn rates are one group, and nothing in it looks at another time."""
    rules = recorder().levels()
    assert names(rules)[:3] == ["aumos_slo:target:ratio", "aumos_slo:total:increase1m", "aumos_slo:good:increase1m"]
    assert len(rules) == 3 + 4 * len(policy.SRE_WORKBOOK.windows)
    assert not any("offset" in rule["expr"] or "@" in rule["expr"] for rule in rules)


def test_only_level_0_sees_the_series_of_the_user():
    """What the rules cost does not grow with windows times series."""
    written = recorder(indicator=Ratio(Query("hits"), bad=Query("fails")))
    seeing = [
        rule["record"] for rule in [*written.levels(), *written.budget()] if re.search("hits|fails", rule["expr"])
    ]
    assert seeing == ["aumos_slo:total:increase1m", "aumos_slo:good:increase1m"]


@pytest.mark.parametrize("burn_policy", policy.BUILT_IN.values(), ids=lambda found: found.name)
def test_an_objective_costs_few_rules(burn_policy):
    """Four a window and eleven more, whatever it is about."""
    for indicator in (Counted("x"), Histogram("h", Decimal(1)), RawRatio(Query("r", "gauge"), "success")):
        written = recorder(policy=burn_policy, indicator=indicator, group_by=("route",))
        assert len(written.levels()) + len(written.budget()) == 4 * len(burn_policy.windows) + 11


def test_each_series_carries_what_it_is_of():
    """Service, name, version and owner are on every rule, and in every selector of one."""
    written = recorder(owner="me")
    rules = [*written.levels(), *written.budget()]
    labels = {
        "aumos_slo_service": "shop",
        "aumos_slo_name": "buy",
        "aumos_slo_version": written.objective.version,
        "aumos_owner": "me",
    }
    matchers = ",".join(f'{key}="{value}"' for key, value in labels.items())
    for rule in rules:
        assert labels.items() <= rule["labels"].items()
        assert len(re.findall(r"aumos_slo:[\w:]+", rule["expr"])) == rule["expr"].count("{" + matchers + "}")


def test_sums_are_divided_at_the_end():
    """A ratio is bad over total of its window; without events there is none."""
    rules = recorder().levels()
    assert expression(rules, "aumos_slo:total:increase6h") == "sum_over_time(aumos_slo:total:increase1m[6h])"
    assert (
        expression(rules, "aumos_slo:errors:ratio6h")
        == "clamp_min(aumos_slo:total:increase6h - aumos_slo:good:increase6h, 0) / (aumos_slo:total:increase6h > 0)"
    )
    assert expression(rules, "aumos_slo:burn:rate6h") == "aumos_slo:errors:ratio6h / 0.001"
    assert not any("avg" in rule["expr"] for rule in rules)


def test_minutes_weigh_by_how_often_they_are_evaluated():
    """Twice a minute, each sample stands for half of one."""
    rules = recorder(Prometheus(interval=30)).levels()
    assert expression(rules, "aumos_slo:good:increase1h").endswith("[1h]) * 30 / 60")


def test_a_window_of_a_minute_is_level_0():
    """It is not recorded a second time under the same name."""
    rules = recorder(policy=policy.parse("page: 1m>=10 & 5m>=2")).levels()
    assert len(names(rules)) == len(set(names(rules)))
    assert "aumos_slo:burn:rate1m" in names(rules)


def test_every_subquery_has_its_step():
    """The server's default resolution is nobody's promise."""
    for indicator in (Threshold("depth", "lt", Decimal(1)), RawRatio(Query("r", "gauge"), "failure"), Counted("x")):
        for window in (Rolling(86_400), Calendar("year")):
            written = recorder(indicator=indicator, budgeting=RatioTimeslices(600), window=window)
            for rule in [*written.levels(), *written.budget(), *sloth_names.rules(written)]:
                assert not re.search(r"\[\w*:\s*\]", rule["expr"])


def test_a_budget_sums_level_0_over_the_period():
    """Good and total apart, and its minutes are those of a full outage."""
    rules = recorder().budget()
    assert expression(rules, "aumos_slo:period:good") == "sum_over_time(aumos_slo:good:increase1m[30d])"
    assert expression(rules, "aumos_slo:budget:remaining_minutes").endswith(" * 0.001 * 2592000 / 60")
    assert expression(rules, "aumos_slo:window:coverage_ratio") == (
        "clamp_max(count_over_time(aumos_slo:total:increase1m[30d]) * 60 / 2592000, 1)"
    )


def test_a_forecast_blends_the_hour_the_quarter_day_and_three_days():
    """As far as the policy has them; else all of its windows, the shorter ones falling back to the longer."""
    burn = "aumos_slo:burn:rate"
    blended = expression(recorder().budget(), "aumos_slo:budget:exhaustion_seconds")
    assert f"((({burn}1h or {burn}6h or {burn}3d) + ({burn}6h or {burn}3d) + ({burn}3d)) / 3)" in blended
    custom = policy.parse("page: 2m>=10 & 20m>=2")
    blended = expression(recorder(policy=custom).budget(), "aumos_slo:budget:exhaustion_seconds")
    assert f"((({burn}2m or {burn}20m) + ({burn}20m)) / 2)" in blended


def test_minutes_of_a_calendar_budget_are_marked_with_their_period():
    """At level 0, with their own time; the sum is that of the period which is now."""
    written = recorder(window=Calendar("month"))
    marked = expression(written.levels(), "aumos_slo_period:good:increase1m")
    assert marked.startswith(
        'aumos_slo:good:increase1m * on () group_left (aumos_slo_period) count_values("aumos_slo_period", '
    )
    assert "(time() - 30)" in marked
    total = expression(written.budget(), "aumos_slo:period:total")
    assert total.startswith("sum_over_time(aumos_slo_period:total:increase1m[31d1h]) and on (aumos_slo_period) ")


def test_an_unknown_time_zone_is_refused():
    """By name; there is no budget in it."""
    for zone in ("Mars/Olympus", "../etc/passwd", ""):
        with pytest.raises(ObjectiveError, match="a time zone of the IANA database"):
            recorder(window=Calendar("day", zone)).budget()


def test_info_tells_what_is_known():
    """Metadata is labels of one series; what is empty is left out, and the user's labels keep out of ours."""
    more = {"labels": {"team.name": "a", "__x": "b", "aumos_owner": "thief", "9": "c"}, "display_name": "Buy!"}
    (info,) = [rule for rule in recorder(**more).budget() if rule["record"] == "aumos_slo:info"]
    assert info["expr"] == "vector(1)"
    assert info["labels"]["aumos_owner"] == "aumos-otel"
    assert {key: value for key, value in info["labels"].items() if not key.startswith("aumos_slo_")} == {
        "aumos_owner": "aumos-otel",
        "budgeting": "occurrences",
        "display_name": "Buy!",
        "indicator": "counted",
        "label_9": "c",
        "label_x": "b",
        "target": "99.9%",
        "team_name": "a",
    }
    assert info["labels"]["aumos_slo_policy"] == "sre-workbook"
    custom = recorder(policy=replace(policy.SRE_WORKBOOK, tiers=policy.AUMOS_SEED.tiers))
    (info,) = [rule for rule in custom.budget() if rule["record"] == "aumos_slo:info"]
    assert info["labels"]["aumos_slo_policy"] == "page: 5m>=14.4 & 1h>=6"


def test_parts_of_a_composite_are_read_where_they_are_recorded():
    """With the owner and the version of each."""
    part = replace(BASE, name="part")
    whole = replace(BASE, indicator=Composite({"part": Decimal(1)}))
    rules = Recorder(whole, Definitions(objectives=(part, whole)), "me").levels()
    assert f'aumos_slo_name="part",aumos_slo_version="{part.version}",aumos_owner="me"' in rules[1]["expr"]
    assert "aumos_sli_events_total" not in rules[1]["expr"]


def test_sloth_names_cover_its_windows_and_metadata():
    """All of sloth's series are there whatever our policy has, with its labels instead of ours."""
    rules = sloth_names.rules(recorder(policy=policy.AUMOS_SEED, labels={"team": "a"}))
    windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
    assert names(rules) == [
        *(f"slo:sli_error:ratio_rate{window}" for window in windows),
        "slo:objective:ratio",
        "slo:error_budget:ratio",
        "slo:time_period:days",
        "slo:current_burn_rate:ratio",
        "slo:period_burn_rate:ratio",
        "slo:period_error_budget_remaining:ratio",
        "sloth_slo_info",
    ]
    identity = {
        "sloth_id": "shop-buy",
        "sloth_service": "shop",
        "sloth_slo": "buy",
        "team": "a",
        "aumos_owner": "aumos-otel",
    }
    for rule in rules:
        assert identity.items() <= rule["labels"].items()
    assert [rule["labels"].get("sloth_window") for rule in rules[:8]] == list(windows)
    month = sloth_names.rules(recorder(window=Calendar("month")))
    assert names(month)[7] == "slo:sli_error:ratio_rate31d"
    week = sloth_names.rules(recorder(window=Rolling(259_200)))
    assert len(names(week)) == len(set(names(week)))
