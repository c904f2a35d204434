"""Compiled rules in promtool: Prometheus' own engine over series that are written down here.

Facts of the trade that have broken rules of this kind before, and the test that each of them has here:

 1. rate first, then sum: `test_restart_of_one_instance_loses_nothing`
 2. sums of counts, never means of ratios: `test_ratio_of_a_window_weighs_by_traffic`
 3. an error series that is not there yet: `test_absent_error_series_is_no_error`
 4. no traffic is no ratio, and spoils none: `test_zero_traffic_is_unknown_and_spoils_no_later_ratio`
 5. more good than total: `test_more_good_events_than_events_are_an_alert_of_their_own`
 6. the first sample of a counter: `test_counter_that_begins_at_zero_is_counted_from_there`
 7. few scrapes in a range: `test_one_failed_scrape_is_no_gap`, `test_slow_scrapes_are_counted_exactly`
 8. spelling of ``le``: `test_bucket_edge_is_found_in_every_spelling`
 9. a window longer than the data: `test_budget_of_thirty_days` (coverage)
10. one instant for all windows: the levels are one group, `tests/slo/test_rules.py`
11. order in a group: `tests/slo/test_rules.py`
12. a threshold between two buckets: `test_native_histogram_is_split_at_any_value` (a classic one: lint)
13. an edited objective: `test_edited_objective_begins_anew_and_keeps_its_alert`
14. ``for`` on burn alerts: `test_missed_evaluations_do_not_end_an_alert`
15. factors and period: `test_factors_follow_the_period`
16. resolution of subqueries: `tests/slo/test_rules.py`
17. temporality: counters are cumulative, or nothing is counted; the SDK sees to it
18. minutes of budget of events: `test_budget_of_thirty_days` (events and minutes)
"""

from __future__ import annotations

import itertools
import json
from decimal import Decimal

import pytest
import yaml
from servers import backends
from servers.promtool import PAGE, RATIO, TICKET, Bench, objective, ramp, requests

from aumos_otel.slo import policy, rulefile, sli
from aumos_otel.slo.indicator import (
    Composite,
    Counted,
    Gauge,
    Histogram,
    Indicator,
    Query,
    Ratio,
    RawRatio,
    Spans,
    Threshold,
)
from aumos_otel.slo.objective import Definitions, Gate, Prometheus
from aumos_otel.slo.policy import AUMOS_SEED, SLOTH_30D, SRE_WORKBOOK
from aumos_otel.slo.window import OCCURRENCES, Calendar, RatioTimeslices, Rolling, Timeslices

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

INDICATORS: dict[str, Indicator] = {
    "spans": Spans(
        sli.from_data({"name": "buys", "match": {"http.route": "/buy"}, "good": {"not": {"status": "error"}}})
    ),
    "counted": Counted('odd "name" \\ here'),
    "bad": RATIO,
    "good": Ratio(total=Query("requests_total"), good=Query('requests_total{code="200"} # the good')),
    "template": Ratio(
        total=Query("sum(rate(requests_total[{{.window}}]))", "template"),
        bad=Query('sum(increase(requests_total{code=~"5.."}[{{ .window }}]))', "template"),
    ),
    "gauge-query": Ratio(total=Query("jobs_last_minute", "gauge"), good=Query("jobs_good_last_minute", "gauge")),
    "raw": RawRatio(Query("sum(rate(e[{{.window}}])) / sum(rate(t[{{.window}}]))", "template"), "failure"),
    "raw-gauge": RawRatio(Query("success_share", "gauge"), "success"),
    "threshold": Threshold("queue_depth", "lte", Decimal("1E+3")),
    "threshold-template": Threshold("avg_over_time(queue_depth[{{.window}}])", "gt", Decimal("-0.5")),
    "classic": Histogram('latency_seconds{job="shop"}', Decimal("0.30")),
    "native": Histogram("latency_seconds", Decimal(2), native=True),
    "gauge": Gauge('probe_success{job="x"}'),
}
WINDOWS = {
    "30d": Rolling(2_592_000),
    "7d": Rolling(604_800),
    **{unit: Calendar(unit) for unit in ("day", "week", "month", "quarter", "year")},
    "tokyo": Calendar("week", "Asia/Tokyo"),
    "berlin": Calendar("quarter", "Europe/Berlin"),
    "newfoundland": Calendar("month", "America/St_Johns"),
}
BUDGETINGS = {
    "events": OCCURRENCES,
    "slices": Timeslices(300, Decimal("0.95")),
    "ratio-slices": RatioTimeslices(60),
}
POLICIES = {**policy.BUILT_IN, "custom": policy.parse("page: 1m>=20 & 90s>=2.5; ticket: 3h>=1")}


def test_everything_that_can_be_said_compiles_to_valid_rules(bench: Bench) -> None:
    """Each indicator with each window, budgeting and policy, with and without groups and gates, passes check rules."""
    gates = itertools.cycle((None, Gate(), Gate(3, Decimal("0.95"))))
    groups = itertools.cycle(((), ("route",), ("http.route", "code")))
    every = [
        objective(
            INDICATORS[kind],
            name=f"{kind}-{window}-{weighing}-{burn}",
            window=WINDOWS[window],
            budgeting=BUDGETINGS[weighing],
            policy=POLICIES[burn],
            gate=next(gates),
            group_by=next(groups),
            description='{{ $x }} `tick` "quote" % \n two',
            runbook="https://r.example/{{x}}",
        )
        for kind, window, weighing, burn in itertools.product(INDICATORS, WINDOWS, BUDGETINGS, POLICIES)
    ]
    mixed = Composite({every[0].name: Decimal(1), every[1].name: Decimal("2.5")})
    every += [objective(mixed, name=f"mixed-{name}", budgeting=budgeting) for name, budgeting in BUDGETINGS.items()]
    rules = bench.directory / "rules.yml"
    # JSON is YAML as well, and so many rules are written in seconds.  Sloth's names come beside ours.
    rules.write_text(
        json.dumps({"groups": rulefile.groups(Definitions(objectives=tuple(every)), names="sloth")}), encoding="utf-8"
    )
    done = backends.promtool("check", "rules", str(rules))
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


def test_fast_burn_pages_and_stops(bench: Bench) -> None:
    """An outage of ten minutes pages within three; the page ends when the half hour is clean and the grace is over."""
    bench.compile(objective())
    bench.run(
        requests(ramp((25, 240), (0, 40), (25, 400)), ramp((0, 240), (25, 40), (0, 400))),
        {
            (PAGE, "60m"): None,
            (PAGE, "63m"): 1,
            ("aumos_slo:burn:rate5m", "65m"): 1000,
            (PAGE, "70m"): 1,
            (PAGE, "104m"): 1,
            (PAGE, "107m"): None,
            (TICKET, "120m"): 1,  # the long windows know of no time before the outage
        },
    )


def test_slow_burn_is_a_ticket_and_no_page(bench: Bench) -> None:
    """A burn rate of 2 is told as a ticket; nobody is woken."""
    bench.compile(objective(target="0.99"), prometheus=Prometheus(scrape_interval=60))
    bench.run(
        requests(ramp((98, 600)), ramp((2, 600))),
        {(PAGE, "10h"): None, (TICKET, "10h"): 1, ("aumos_slo:burn:rate6h", "10h"): 2},
        every="1m",
    )


@pytest.mark.parametrize(("burn_policy", "told"), [(AUMOS_SEED, None), (SRE_WORKBOOK, 1), (SLOTH_30D, 1)])
def test_blind_band_of_the_seed_policy(burn_policy: policy.Policy, told: float | None, bench: Bench) -> None:
    """A constant burn rate of 5.9 empties a budget in five days, and the seed's pair never says so."""
    bench.compile(objective(target="0.99", policy=burn_policy), prometheus=Prometheus(scrape_interval=60))
    bench.run(
        requests(ramp((941, 2900)), ramp((59, 2900))),
        {(PAGE, "48h"): None, (TICKET, "48h"): told, ("aumos_slo:burn:rate1h", "48h"): 5.9},
        every="1m",
    )


def test_seed_policy_needs_both_windows(bench: Bench) -> None:
    """Five minutes at 14.4 are not enough while the hour is below 6, and then they are; the limits themselves count."""
    bench.compile(objective(policy=AUMOS_SEED))
    bench.run(
        requests(ramp((10000, 240), (9856, 200)), ramp((0, 240), (144, 200))),
        {
            (PAGE, "65m"): None,
            ("aumos_slo:errors:ratio5m", "66m"): 0.0144,
            (PAGE, "84m"): None,
            (PAGE, "86m"): 1,
        },
    )


def test_restart_of_one_instance_loses_nothing(bench: Bench) -> None:
    """Of two instances one begins at zero again: the sum of the increments goes on."""
    bench.compile(objective())
    bench.run(
        {**requests("0+10x160", "0+1x160"), **requests("0+10x80 0+10x79", "0+1x80 0+1x79", "b")},
        {
            ("aumos_slo:total:increase1m", "19m"): 88,
            (
                "aumos_slo:total:increase1m",
                "21m",
            ): 77,  # what happened between the last scrape and the restart is not known
            ("aumos_slo:total:increase1m", "30m"): 88,
            ("aumos_slo:errors:ratio5m", "30m"): 1 / 11,
        },
    )


def test_ratio_of_a_window_weighs_by_traffic(bench: Bench) -> None:
    """Ten failures of ten requests at night beside none of a thousand by day are 1 %, not half."""
    bench.compile(objective())
    bench.run(
        requests(ramp((25, 40), (0, 100)), ramp((0, 40), (1, 10), (0, 90))),
        {("aumos_slo:errors:ratio1h", "30m"): 10 / 1010, ("aumos_slo:total:increase1h", "30m"): 1010},
    )


def test_increments_add_up_to_the_counter(bench: Bench) -> None:
    """No event falls between two evaluations: sums of minutes are whole numbers, and all of them."""
    bench.compile(objective())
    bench.run(
        requests("100+0x8 101x30 104x100", "7x20 8x100"),
        {("aumos_slo:total:increase30m", "20m"): 5, ("aumos_slo:good:increase30m", "20m"): 4},
    )


def test_slow_scrapes_are_counted_exactly(bench: Bench) -> None:
    """With a scrape a minute each event is counted in three evaluations, a third each."""
    bench.compile(objective(), prometheus=Prometheus(scrape_interval=60))
    bench.run(
        requests("100x10 103x60", "0x70"),
        {("aumos_slo:total:increase1h", "30m"): 3, ("aumos_slo:total:increase1m", "11m"): 1},
        every="1m",
    )


def test_other_intervals_weigh_their_minutes(bench: Bench) -> None:
    """Evaluated twice a minute, a minute still counts once."""
    bench.compile(objective(), prometheus=Prometheus(scrape_interval=15, interval=30))
    bench.run(
        requests(ramp((10, 200)), ramp((0, 200))),
        {("aumos_slo:total:increase30m", "45m"): 1200, ("aumos_slo:window:coverage_ratio", "45m"): 45 / 43200},
        evaluated="30s",
    )


def test_one_failed_scrape_is_no_gap(bench: Bench) -> None:
    """Where a scrape failed the rate comes from those beside it."""
    bench.compile(objective())
    bench.run(
        requests("100+10x21 _ 330+10x100", "0x123"),
        {("aumos_slo:total:increase1m", "6m"): 40, ("aumos_slo:total:increase5m", "8m"): 200},
    )


def test_absent_error_series_is_no_error(bench: Bench) -> None:
    """A service without any failure yet has an error ratio of 0, in each of its groups."""
    bench.compile(objective(group_by=("route",)))
    bench.run(
        {
            'requests_total{job="shop",code="200",route="/a"}': "0+10x100",
            'requests_total{job="shop",code="200",route="/b"}': "0+10x100",
            'requests_total{job="shop",code="500",route="/b"}': "0+10x100",
        },
        {
            ('aumos_slo:errors:ratio5m{route="/a"}', "20m"): 0,
            ('aumos_slo:errors:ratio5m{route="/b"}', "20m"): 0.5,
            ('aumos_slo:budget:remaining_ratio{route="/a"}', "20m"): 1,
            (f"count({PAGE})", "20m"): 1,
        },
    )


def test_absent_good_series_is_all_bad(bench: Bench) -> None:
    """When only the total is there everything is bad: a good series that is missing hides no outage."""
    bench.compile(objective(Ratio(total=Query("requests_total"), good=Query('requests_total{code="200"}'))))
    bench.run({'requests_total{code="500"}': "0+10x100"}, {("aumos_slo:errors:ratio5m", "20m"): 1, (PAGE, "20m"): 1})


def test_zero_traffic_is_unknown_and_spoils_no_later_ratio(bench: Bench) -> None:
    """Without events there is no ratio, no alert and no absence; when they come back so does the ratio."""
    bench.compile(objective())
    bench.run(
        requests(ramp((10, 40), (0, 120), (10, 100)), "0x262"),
        {
            ("aumos_slo:errors:ratio5m", "30m"): None,
            ("aumos_slo:total:increase5m", "30m"): 0,
            ('ALERTS{alertname="SLOMetricAbsent"}', "30m"): None,
            ("aumos_slo:errors:ratio1h", "30m"): 0,
            ("aumos_slo:errors:ratio5m", "50m"): 0,
            ("aumos_slo:errors:ratio1h", "55m"): 0,
            ("aumos_slo:budget:remaining_ratio", "55m"): 1,
        },
    )


def test_nan_of_a_users_own_ratio_spoils_nothing(bench: Bench) -> None:
    """0/0 in a query of the user is no event, whether it is a ratio or a count; an infinite ratio is the whole."""
    ratio = "sum(rate(errors_total[{{.window}}])) / sum(rate(all_total[{{.window}}]))"
    bench.compile(
        objective(RawRatio(Query(ratio, "template"), "failure")),
        objective(Ratio(Query("c_last", "gauge"), Query("c_good", "gauge")), name="gauges"),
        objective(Threshold("depth", "lt", Decimal(5)), name="depth"),
        objective(RawRatio(Query("1 - share", "gauge"), "success"), name="odd"),
        objective(Gauge("probe"), name="probe"),
    )
    nan = " ".join(["NaN"] * 20)
    bench.run(
        {
            "errors_total": "100x40 101+1x80",
            "all_total": "100x40 110+10x80",
            "c_last": f"10x40 {nan} 10x60",
            "c_good": f"5x40 {nan} 5x60",
            "depth": f"1x40 {nan} 9x60",
            "share": "0x40 +Inf +Inf +Inf +Inf +Inf -Inf -Inf -Inf -Inf 0.25x60",
            "probe": f"1x40 {nan} 0x60",
        },
        {
            ('aumos_slo:errors:ratio1h{aumos_slo_name="buy"}', "30m"): 0.1,
            ('aumos_slo:errors:ratio1h{aumos_slo_name="gauges"}', "30m"): 0.5,
            ('aumos_slo:total:increase1m{aumos_slo_name="gauges"}', "12m"): None,
            ('aumos_slo:total:increase1h{aumos_slo_name="depth"}', "30m"): 26,
            ('aumos_slo:good:increase1h{aumos_slo_name="depth"}', "30m"): 11,
            ('aumos_slo:good:increase1m{aumos_slo_name="odd"}', "11m"): 0,
            ('aumos_slo:good:increase1m{aumos_slo_name="odd"}', "12m"): 1,
            ('aumos_slo:good:increase1m{aumos_slo_name="odd"}', "20m"): 0.75,
            ('aumos_slo:total:increase1h{aumos_slo_name="odd"}', "20m"): 21,
            ('aumos_slo:good:increase1h{aumos_slo_name="probe"}', "25m"): 41,
            ('aumos_slo:total:increase1h{aumos_slo_name="probe"}', "25m"): 101,
        },
    )


@pytest.mark.parametrize(("gate", "paged"), [(None, 1), (Gate(), None), (Gate(1, Decimal("0.95")), None)])
def test_one_failure_of_little_traffic_pages_without_a_gate_only(
    gate: Gate | None, paged: float | None, bench: Bench
) -> None:
    """One failed request of 61 an hour is a burn rate of 16.4; with a gate it is one failed request."""
    bench.compile(objective(gate=gate))
    bench.run(
        requests(ramp((0.25, 250)), ramp((0, 220), (1, 1), (0, 20))),
        {("aumos_slo:burn:rate1h", "60m"): 1000 / 61, ("aumos_slo:burn:rate5m", "58m"): 1000 / 6, (PAGE, "58m"): paged},
    )


def test_gate_of_confidence_lets_an_outage_through(bench: Bench) -> None:
    """Thirty failures of sixty are no accident: the lower bound of Wilson's interval pages."""
    bench.compile(objective(gate=Gate(2, Decimal("0.95"))))
    bench.run(requests(ramp((0.25, 250)), ramp((0, 120), (0.25, 130))), {(PAGE, "60m"): 1})


def test_absence_is_told_when_a_page_would_have_been(bench: Bench) -> None:
    """Series that go stale are no good news: two minutes later somebody is told, and the alert ends with the gap."""
    bench.compile(objective())
    bench.run(
        requests("100+10x80 stale _x40 1000+10x60", "0x80 stale _x40 0x60"),
        {
            ('ALERTS{alertname="SLOMetricAbsent",alertstate="firing"}', "21m"): None,
            ('ALERTS{alertname="SLOMetricAbsent",alertstate="firing"}', "25m"): 1,
            ("aumos_slo:total:increase1m", "25m"): None,
            ("aumos_slo:burn:rate5m", "28m"): None,
            ('ALERTS{alertname="SLOMetricAbsent"}', "33m"): None,
        },
    )


def test_absence_of_everything_from_the_beginning_is_told(bench: Bench) -> None:
    """A query that has never found a series is told as well; the rules themselves are evaluated."""
    bench.compile(objective())
    bench.run(
        {"up": "1x100"},
        {
            ('ALERTS{alertname="SLOMetricAbsent",alertstate="firing",severity="page"}', "5m"): 1,
            ('ALERTS{alertname="SLOEvaluationStale"}', "20m"): None,
        },
    )


def test_dead_man_tells_of_levels_that_are_not_evaluated(bench: Bench) -> None:
    """When the group of the levels is gone the group of the budget says so."""
    rules = bench.compile(objective())
    groups = yaml.safe_load(rules.read_text())["groups"]
    rules.write_text(rulefile.rule_file([group for group in groups if group["name"].endswith("-budget")]))
    bench.run(
        requests("0+10x100", "0x100"),
        {('ALERTS{alertname="SLOEvaluationStale",alertstate="firing"}', "20m"): 1},
    )


def test_missed_evaluations_do_not_end_an_alert(bench: Bench) -> None:
    """A gap of three minutes in the data of a burning objective keeps the page firing."""
    bench.compile(objective())
    bench.run(
        requests("100+10x80 _x16 1070+10x60", "100+10x80 _x16 1070+10x60"),
        {(PAGE, at): 1 for at in ("20m", "21m", "22m", "23m", "24m", "25m", "26m", "28m")},
    )


def test_new_instances_neither_break_nor_repeat_the_alert(bench: Bench) -> None:
    """Pods come and go while it burns: one alert all the time, with the same labels."""
    bench.compile(objective())
    pods = {}
    for number in range(4):
        before, after = f"_x{number * 40}" if number else "", "stale _x40"
        for name, values in requests(
            f"{before} 100+10x50 {after}", f"{before} 100+10x50 {after}", f"pod-{number}"
        ).items():
            pods[name] = values.strip()
    bench.run(
        pods,
        {
            **{(f"count({PAGE})", f"{minute}m"): 1 for minute in range(5, 41)},
            (f"count(count_over_time({PAGE}[40m]))", "40m"): 1,
            ("aumos_slo:errors:ratio30m", "40m"): 0.5,
        },
    )  # fmt: skip


def test_edited_objective_begins_anew_and_keeps_its_alert(bench: Bench) -> None:
    """What was recorded under another target is not summed; the alert's labels do not change with it."""
    old, new = objective(target="0.99"), objective(target="0.999")
    bench.compile(new)
    history = {
        f'aumos_slo:{kind}:increase1m{{aumos_slo_service="shop",aumos_slo_name="buy",'
        f'aumos_slo_version="{old.version}",aumos_owner="aumos-otel"}}': "1000x120"
        for kind in ("good", "total")
    }
    bench.run(
        {**history, **requests(ramp((10, 130)), ramp((10, 130)))},
        {
            (f'aumos_slo:total:increase1h{{aumos_slo_version="{new.version}"}}', "30m"): 2400,
            ("aumos_slo:errors:ratio1h", "30m"): 0.5,
            ('count(ALERTS{alertname="SLOErrorBudgetBurn",aumos_slo_version=""})', "30m"): 2,
        },
    )
