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
import math
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from servers import backends

from aumos_otel.slo import policy, promql_calendar, rulefile, sli
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
from aumos_otel.slo.objective import Alerting, Definitions, Gate, Objective, Prometheus
from aumos_otel.slo.policy import AUMOS_SEED, SLOTH_30D, SRE_WORKBOOK
from aumos_otel.slo.window import OCCURRENCES, Calendar, RatioTimeslices, Rolling, Timeslices

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

BURN = 'ALERTS{{alertname="SLOErrorBudgetBurn",severity="{severity}",alertstate="firing"}}'
PAGE, TICKET = BURN.format(severity="page"), BURN.format(severity="ticket")
RATIO = Ratio(total=Query('requests_total{job="shop"}'), bad=Query('requests_total{job="shop",code=~"5.."}'))


def objective(indicator: Indicator = RATIO, target: str = "0.999", **more: Any) -> Objective:
    """An objective called ``buy`` of the service ``shop``."""
    return Objective(**{"name": "buy", "service": "shop", "target": Decimal(target), "indicator": indicator, **more})


def requests(good: str, bad: str, instance: str = "a") -> dict[str, str]:
    """Two counters in promtool's notation."""
    return {
        f'requests_total{{job="shop",code="200",instance="{instance}"}}': good,
        f'requests_total{{job="shop",code="500",instance="{instance}"}}': bad,
    }


def ramp(*pieces: tuple[float, int], first: float = 100) -> str:
    """A counter in promtool's notation: pieces of (increase a sample, samples) without a jump between them.

    It does not begin at 0: near it Prometheus extrapolates less, see `promql`.
    """
    written, value = [], first
    for increase, samples in pieces:
        written.append(f"{value:g}+{increase:g}x{samples - 1}")
        value += increase * samples
    return " ".join(written)


class Bench:
    """Runs promtool over rules and series."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def compile(self, *objectives: Objective, prometheus: Prometheus | None = None, names: Any = "aumos") -> Path:
        """The rule file."""
        path = self.directory / "rules.yml"
        definitions = Definitions(objectives=objectives, prometheus=prometheus or Prometheus())
        path.write_text(rulefile.rule_file(rulefile.groups(definitions, names=names)))
        return path

    def run(
        self,
        series: dict[str, str],
        expected: dict[tuple[str, str], float | None],
        *,
        every: str = "15s",
        evaluated: str = "1m",
        start: int = 0,
        alerts: list[dict[str, Any]] | None = None,
    ) -> None:
        """Assert the value of each (expression, time), which have to give one sample; None: none at all."""
        samples: list[dict[str, Any]] = []
        for (text, at), value in expected.items():
            found = f"sum({text})"
            if value is None:
                samples.append({"expr": found, "eval_time": at, "exp_samples": []})
                continue
            # Two sums of floats are the same up to here; promtool shows what was there instead.
            near = f"abs({found} - {value!r}) <= {1e-9 * max(1, math.fabs(value))!r}"
            samples.append({"expr": f"{found} unless {near}", "eval_time": at, "exp_samples": []})
            samples.append({"expr": f"count({found})", "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}]})
        test = {
            "interval": every,
            "start_timestamp": start,
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": samples,
            "alert_rule_test": alerts or [],
        }
        groups = yaml.safe_load((self.directory / "rules.yml").read_text())["groups"]
        path = self.directory / "test.yml"
        path.write_text(
            yaml.safe_dump(
                {
                    "rule_files": ["rules.yml"],
                    "evaluation_interval": evaluated,
                    "group_eval_order": [group["name"] for group in groups],
                    "tests": [test],
                }
            )
        )
        done = backends.promtool("test", "rules", str(path))
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A folder for rules and tests."""
    return Bench(tmp_path)


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


def test_more_good_events_than_events_are_an_alert_of_their_own(bench: Bench) -> None:
    """Good above total is an error ratio of 0, never less, a whole budget, and a fault that is told."""
    bench.compile(objective(Ratio(total=Query("all_total"), good=Query("good_total"))))
    bench.run(
        {"all_total": "0+10x120", "good_total": "0+11x120"},
        {
            ("aumos_slo:errors:ratio5m", "30m"): 0,
            ("aumos_slo:budget:remaining_ratio", "30m"): 1,
            ('ALERTS{alertname="SLOGoodExceedsTotal",alertstate="firing",severity="ticket"}', "30m"): 1,
        },
    )


def test_counter_that_begins_at_zero_is_counted_from_there(bench: Bench) -> None:
    """A zero-initialised counter loses none of its events; one that is born at 1 loses that one, which nobody can see."""
    bench.compile(objective())
    bench.run(
        {
            'requests_total{job="shop",code="200"}': "1000+10x200",
            'requests_total{job="shop",code="500"}': "100x80 104x120",
            'requests_total{job="shop",code="503"}': "_x80 1x120",
        },
        {("aumos_slo:good:increase30m - aumos_slo:total:increase30m", "35m"): -4},
    )


@pytest.mark.parametrize("spelled", ["1", "1.0"])
def test_bucket_edge_is_found_in_every_spelling(spelled: str, bench: Bench) -> None:
    """Prometheus 2 and 3 spell a bucket's edge differently; the good events are found in both."""
    bench.compile(
        objective(Histogram("latency_seconds", Decimal(1))),
        objective(
            Ratio(
                total=Query("latency_seconds_count"),
                good=Query('sum(rate(latency_seconds_bucket{le="1"}[{{.window}}]))', "template"),
            ),
            name="own",
        ),
    )
    bench.run(
        {
            f'latency_seconds_bucket{{le="{spelled}"}}': "0+8x120",
            'latency_seconds_bucket{le="10"}': "0+9x120",
            'latency_seconds_bucket{le="+Inf"}': "0+10x120",
            "latency_seconds_count": "0+10x120",
        },
        {
            ('aumos_slo:errors:ratio5m{aumos_slo_name="buy"}', "25m"): 0.2,
            ('aumos_slo:errors:ratio5m{aumos_slo_name="own"}', "25m"): 0.2,
        },
    )


def test_native_histogram_is_split_at_any_value(bench: Bench) -> None:
    """Of a native histogram the share at or below the threshold is good; without observations there is no ratio."""
    bench.compile(objective(Histogram("latency_seconds", Decimal(2), native=True)))
    bench.run(
        {"latency_seconds": "{{schema:0 sum:0 count:0 buckets:[0 0 0]}}+{{schema:0 sum:20 count:10 buckets:[4 4 2]}}x80 {{schema:0 sum:1600 count:800 buckets:[320 320 160]}}x60"},
        {
            ("aumos_slo:errors:ratio5m", "15m"): 0.2,
            ("aumos_slo:total:increase1m", "15m"): 40,
            ("aumos_slo:total:increase1m", "30m"): 0,
            ("aumos_slo:errors:ratio5m", "30m"): None,
            ("aumos_slo:errors:ratio30m", "30m"): 0.2,
        },
    )  # fmt: skip


def test_probe_counts_each_sample(bench: Bench) -> None:
    """A gauge of 0 and 1 has as many events as samples; the ones are good."""
    bench.compile(objective(Gauge('probe_success{job="x"}')))
    bench.run(
        {'probe_success{job="x"}': "1x20 0x9 1x100", 'probe_success{job="y"}': "0x130"},
        {("aumos_slo:total:increase1m", "10m"): 4, ("aumos_slo:total:increase30m", "30m"): 120,
         ("aumos_slo:good:increase30m", "30m"): 110},
    )  # fmt: skip


def test_span_counters_of_one_service_only(bench: Bench) -> None:
    """What the SDK counts is found by the service's job, with or without a namespace, over all tenants."""
    bench.compile(objective(Counted("http.availability"), group_by=("aumos.tenant.id",)))
    labels = 'aumos_sli_name="http.availability"'
    bench.run(
        {
            f'aumos_sli_events_total{{{labels},job="prod/shop",aumos_tenant_id="acme"}}': "0+10x60",
            f'aumos_sli_good_events_total{{{labels},job="prod/shop",aumos_tenant_id="acme"}}': "0+9x60",
            f'aumos_sli_events_total{{{labels},job="shop"}}': "0+10x60",
            f'aumos_sli_good_events_total{{{labels},job="shop"}}': "0+10x60",
            f'aumos_sli_events_total{{{labels},job="workshop"}}': "0+10x60",
            'aumos_sli_events_total{aumos_sli_name="other",job="shop"}': "0+10x60",
        },
        {
            ("aumos_slo:total:increase1m", "10m"): 80,
            ('aumos_slo:errors:ratio5m{aumos_tenant_id="acme"}', "10m"): 0.1,
            ('aumos_slo:errors:ratio5m{aumos_tenant_id=""}', "10m"): 0,
        },
    )


def test_timeslices_count_minutes(bench: Bench) -> None:
    """A minute whose five minutes were below 95 % is bad, whatever its traffic; one at 95 % exactly is good."""
    slices = Timeslices(300, Decimal("0.95"))
    bench.compile(
        objective(budgeting=slices),
        objective(budgeting=RatioTimeslices(60), name="ratio"),
    )
    bench.run(
        requests(ramp((19, 120), (0, 40), (10, 50)), ramp((1, 80), (2, 40), (0, 40), (10, 50))),
        {
            ('aumos_slo:good:increase1m{aumos_slo_name="buy"}', "19m"): 1,
            ('aumos_slo:good:increase1m{aumos_slo_name="buy"}', "29m"): 0,
            ('aumos_slo:total:increase1m{aumos_slo_name="buy"}', "39m"): 0,
            ('aumos_slo:good:increase1m{aumos_slo_name="buy"}', "39m"): 0,
            ('aumos_slo:total:increase1m{aumos_slo_name="buy"}', "49m"): 1,
            ('aumos_slo:good:increase1m{aumos_slo_name="ratio"}', "29m"): 19 / 21,
            ('aumos_slo:total:increase1m{aumos_slo_name="ratio"}', "35m"): 0,
            ('aumos_slo:good:increase1m{aumos_slo_name="ratio"}', "49m"): 0.5,
        },
    )


def test_timeslices_of_a_measured_value(bench: Bench) -> None:
    """A slice of what is looked at once a minute is good when enough of its minutes were."""
    bench.compile(objective(Threshold("depth", "lte", Decimal(5)), budgeting=Timeslices(300, Decimal("0.8"))))
    bench.run(
        {"depth": "1x40 9x3 1x40 9x12 1x40"},
        {
            ("aumos_slo:good:increase1m", "12m"): 1,  # one of five minutes was bad
            ("aumos_slo:good:increase1m", "24m"): 0,  # three of five
            ("aumos_slo:total:increase1m", "24m"): 1,
        },
    )


def test_composite_is_the_weighted_mean_of_parts_with_traffic(bench: Bench) -> None:
    """A part without events neither helps nor harms; the others keep their weights."""
    first = objective(name="first")
    second = objective(Ratio(total=Query("b_total"), bad=Query("b_failed_total")), name="second")
    bench.compile(first, second, objective(Composite({"first": Decimal(3), "second": Decimal(1)})))
    buy = 'aumos_slo:{}:increase1m{{aumos_slo_name="buy"}}'
    bench.run(
        {
            **requests(ramp((9, 40), (0, 50)), ramp((1, 40), (0, 50))),
            "b_total": "0+10x120",
            "b_failed_total": "0+5x120",
        },
        {
            (buy.format("good"), "9m"): (3 * 0.9 + 1 * 0.5) / 4,
            (buy.format("total"), "9m"): 1,
            (buy.format("good"), "15m"): 0.5,
            (buy.format("total"), "15m"): 1,
        },
    )


#: promtool holds 10,000 samples at once: what lasts a month is evaluated four times an hour.
QUARTERLY = Prometheus(scrape_interval=900, interval=900)
DAY = 96


def test_budget_of_thirty_days(bench: Bench) -> None:
    """Thirty days with one bad day: ratio, events, minutes, coverage and forecast, all from sums of counts."""
    bench.compile(objective(target="0.99"), prometheus=QUARTERLY)
    # With a scrape an evaluation the increase of the last ones is still being counted, and that of the first ones is
    # extrapolated from fewer: one is missing at each end.
    so_far = 5 * (DAY - 1)
    bench.run(
        requests(ramp((100, 20 * DAY), (95, DAY), (100, 12 * DAY)), ramp((0, 20 * DAY), (5, DAY), (0, 12 * DAY))),
        {
            ("aumos_slo:period:total", "32d"): 30 * DAY * 100,
            ("aumos_slo:budget:remaining_ratio", "32d"): 1 - (5 / 100 / 30) / 0.01,
            ("aumos_slo:budget:remaining_events", "32d"): 30 * DAY * 100 * 0.01 - 5 * DAY,
            ("aumos_slo:budget:remaining_minutes", "32d"): 432 * (1 - 1 / 6),
            ("aumos_slo:window:coverage_ratio", "32d"): 1,
            ("aumos_slo:window:coverage_ratio", "15d"): 0.5,
            ("aumos_slo:budget:exhaustion_seconds", "32d"): None,
            ("aumos_slo:budget:exhaustion_seconds", "21d"): (1 - so_far / (21 * DAY - 1))
            * 2_592_000
            / ((5 + 5 + so_far / (3 * DAY)) / 3),
        },
        every="15m",
        evaluated="15m",
    )


def test_overdrawn_budget_is_empty_now(bench: Bench) -> None:
    """Below zero the budget says by how much, and the time to its end is 0."""
    bench.compile(objective())
    bench.run(
        requests("0+5x100", "0+5x100"),
        {("aumos_slo:budget:remaining_ratio", "20m"): -499, ("aumos_slo:budget:exhaustion_seconds", "20m"): 0},
    )


def test_month_begins_with_a_whole_budget(bench: Bench) -> None:
    """In February nothing of January counts, and its budget is that of 28 days from the first of them on."""
    bench.compile(objective(target="0.99", window=Calendar("month")), prometheus=QUARTERLY)
    bad = 7 * DAY + 1  # the last increase of January is counted in three evaluations, two of them in February
    bench.run(
        requests(ramp((98, 31 * DAY), (99, 10 * DAY)), ramp((2, 31 * DAY), (1, 10 * DAY))),
        {
            ("aumos_slo:budget:remaining_ratio", "10d"): 1 - 2 * 10 / 31,
            ("aumos_slo:budget:exhaustion_seconds", "10d"): (1 - 20 / 31) * 31 * 86400 / 2,
            ("aumos_slo:budget:exhaustion_seconds", "38d"): (1 - bad / DAY / 28) * 28 * 86400,
            ("aumos_slo:budget:remaining_ratio", "31d"): None,  # the new one has no events yet
            ("aumos_slo:period:total", "31d15m"): 100,
            ("aumos_slo:period:total", "38d"): 7 * DAY * 100,
            ('aumos_slo:period:total{aumos_slo_period="202602"}', "38d"): 7 * DAY * 100,
            ("aumos_slo:budget:remaining_ratio", "38d"): 1 - bad / DAY / 28,
            ("aumos_slo:budget:remaining_events", "38d"): 28 * DAY - bad,
            ("aumos_slo:budget:remaining_minutes", "38d"): 28 * 14.4 * (1 - bad / DAY / 28),
            ("aumos_slo:window:coverage_ratio", "38d"): 1,
        },
        every="15m",
        evaluated="15m",
        start=int(datetime(2026, 1, 1, tzinfo=UTC).timestamp()),
    )


@pytest.mark.parametrize(
    "window",
    [
        Calendar("day"),
        Calendar("week"),
        Calendar("month"),
        Calendar("quarter"),
        Calendar("year"),
        Calendar("day", "Asia/Kathmandu"),
        Calendar("week", "Etc/GMT+11"),
        Calendar("month", "Europe/Berlin"),
        Calendar("quarter", "America/New_York"),
        Calendar("year", "Australia/Sydney"),
    ],
    ids=str,
)
def test_calendar_arithmetic_is_that_of_the_calendar(window: Calendar, bench: Bench) -> None:
    """Elapsed time, length and identity of a period are those of Python's calendar, but for the hour of a changed clock."""
    bench.compile(objective())
    period = promql_calendar.period(window, 300)
    expected: dict[tuple[str, str], float | None] = {}
    moments = [datetime(2026, 1, 1, tzinfo=UTC).timestamp() + 1_234_567 * step for step in range(0, 120, 3)]
    for at in moments:
        start, end = window.start(at), window.end(at)
        elapsed, length = (text.replace("time()", f"{at:.0f}") for text in (period.elapsed, period.length))
        expected[(f"vector(abs({elapsed} - {at - start:.0f}) <= bool 3600)", "1m")] = 1
        expected[(f"vector(abs({length} - {end - start:.0f}) <= bool 3600)", "1m")] = 1
        if window.time_zone == "UTC":
            expected[(f"vector({elapsed})", "1m")] = at - start
            expected[(f"vector({length})", "1m")] = end - start
        same = [period.current.replace("time()", f"{moment:.0f}") for moment in (start, end - 1)]
        others = [period.current.replace("time()", f"{moment:.0f}") for moment in (start - 1, end)]
        expected[(f"({same[0]}) == bool ({same[1]})", "1m")] = 1
        for other in others:
            expected[(f"({same[0]}) == bool ({other})", "1m")] = 0
    # PromQL has no abs() of scalars.
    scalars = {(text.replace("vector(abs(", "(abs(vector(").replace(") <= bool", ")) <= bool"), at): value
               for (text, at), value in expected.items()}  # fmt: skip
    bench.run({"up": "1x10"}, scalars)


def test_factors_follow_the_period(bench: Bench) -> None:
    """Over seven days a page means the same share of the budget, so that its burn rates are smaller."""
    bench.compile(objective(window=Rolling(604_800), target="0.99"))
    bench.run(
        requests(ramp((95, 300)), ramp((5, 300))),
        {("aumos_slo:burn:rate1h", "70m"): 5, (PAGE, "70m"): 1},  # 14.4 x 7/30 = 3.36
    )


def test_sloth_dashboards_find_their_series(bench: Bench) -> None:
    """Names, labels and values are those that sloth would have written."""
    bench.compile(objective(labels={"team": "a", "x.y": "z"}), names="sloth")
    own = '{sloth_id="shop-buy",sloth_service="shop",sloth_slo="buy",team="a",x_y="z"'
    bench.run(
        requests(ramp((998, 130), first=1e6), ramp((2, 130))),
        {
            **{
                (f'slo:sli_error:ratio_rate{window}{own},sloth_window="{window}"}}', "30m"): 0.002
                for window in ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")
            },
            (f"slo:objective:ratio{own}}}", "30m"): 0.999,
            (f"slo:error_budget:ratio{own}}}", "30m"): 0.001,
            (f"slo:time_period:days{own}}}", "30m"): 30,
            (f"slo:current_burn_rate:ratio{own}}}", "30m"): 2,
            (f"slo:period_burn_rate:ratio{own}}}", "30m"): 2,
            (f"slo:period_error_budget_remaining:ratio{own}}}", "30m"): -1,
            (f'sloth_slo_info{own},sloth_objective="99.9"}}', "30m"): 1,
            ('ALERTS{sloth_severity="ticket",sloth_id="shop-buy"}', "30m"): 1,
            ('count({__name__=~"slo.*",aumos_slo_name!=""})', "30m"): None,
        },
    )


def test_page_says_what_burns_and_what_is_left(bench: Bench) -> None:
    """An alert tells people what burns and how fast, what is left of the budget, and who suffers most."""
    bench.compile(
        objective(
            Counted("checkout"),
            target="0.99",
            group_by=("route",),
            display_name="Checkout {{ 100% }}",
            description="People can pay",
            owner="team-shop",
            runbook="https://runbooks.example/pay",
            labels={"tier": "1"},
            alerting=Alerting(annotations={"dashboard": "https://g.example/{{ $labels.route }}"}, absent=False),
        )
    )
    labels = 'aumos_sli_name="checkout",job="shop",route="/pay"'
    bench.run(
        {
            f'aumos_sli_events_total{{{labels},aumos_tenant_id="acme"}}': ramp((10, 130)),
            f'aumos_sli_good_events_total{{{labels},aumos_tenant_id="acme"}}': "0x130",
            f'aumos_sli_events_total{{{labels},aumos_tenant_id="globex"}}': ramp((10, 130)),
            f'aumos_sli_good_events_total{{{labels},aumos_tenant_id="globex"}}': ramp((10, 130)),
        },
        {(f"count({PAGE})", "30m"): 1},
        alerts=[
            {
                "eval_time": "30m",
                "alertname": "SLOErrorBudgetBurn",
                "exp_alerts": [
                    {
                        "exp_labels": {
                            "aumos_owner": "aumos-otel",
                            "aumos_slo_name": "buy",
                            "aumos_slo_service": "shop",
                            "owner": "team-shop",
                            "route": "/pay",
                            "service": "shop",
                            "severity": severity,
                            "slo": "buy",
                            "tier": "1",
                        },
                        "exp_annotations": {
                            "summary": "shop: Checkout {{ 100% }} (/pay) burns its error budget 50.0 times too fast",
                            "description": "People can pay. 99% of the events of shop with route=/pay have to be good;"
                            " errors use the budget up 50.0 times as fast as that allows. Left of the budget: -4900%"
                            " (-1137 bad events, or -21168.0 minutes of full outage); at this rate it is empty in 0s."
                            f" Fires at {limits}. Most of them are of tenant acme.",
                            "dashboard": "https://g.example//pay",
                            "runbook_url": "https://runbooks.example/pay",
                            "graph_url": graph,
                        },
                    }
                    for severity, limits, graph in (
                        ("page", "14.4x over 5m and 14.4x over 1h; or 6x over 30m and 6x over 6h", _graph("5m")),
                        ("ticket", "1x over 6h and 1x over 3d", _graph("6h")),
                    )
                ],
            }
        ],
    )


def _graph(window: str) -> str:
    version = objective(Counted("checkout"), target="0.99", group_by=("route",)).version
    quoted = f"aumos_slo_service%3D%22shop%22%2Caumos_slo_name%3D%22buy%22%2Caumos_slo_version%3D%22{version}%22"
    return f"/graph?g0.expr=aumos_slo%3Aburn%3Arate{window}%7B{quoted}%2Caumos_owner%3D%22aumos-otel%22%7D&g0.tab=0"
