"""Compiled rules in promtool: what counts as an event, for each kind of indicator and budgeting."""

from __future__ import annotations

from decimal import Decimal

import pytest
from servers.promtool import Bench, objective, ramp, requests

from aumos_otel.slo.indicator import (
    Composite,
    Counted,
    Gauge,
    Histogram,
    Query,
    Ratio,
    Threshold,
)
from aumos_otel.slo.window import RatioTimeslices, Timeslices

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


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
