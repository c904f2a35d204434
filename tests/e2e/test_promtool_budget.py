"""Compiled rules in promtool: budgets over months and calendar periods, names, and what a page says."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from servers.promtool import PAGE, Bench, objective, ramp, requests

from aumos_otel.slo import promql_calendar
from aumos_otel.slo.indicator import (
    Counted,
)
from aumos_otel.slo.objective import Alerting, Prometheus
from aumos_otel.slo.window import Calendar, Rolling

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

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
