"""The counts as metrics, with the traces behind them."""

from __future__ import annotations

import urllib.request
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from opentelemetry.metrics import CallbackOptions
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter, MeterProvider, ObservableCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader, MetricsData
from opentelemetry.sdk.metrics.view import View
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, AlwaysRecordSampler
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics import parser

from aumos_otel import MetricsOptions, context
from aumos_otel.exporters.prometheus import PrometheusPage
from aumos_otel.processors.sli import SliCounter
from aumos_otel.processors.sli_metrics import Exemplars, _Counts, observe
from aumos_otel.providers import meter
from aumos_otel.slo.indicator import Counted, Gauge
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.policy import AUMOS_SEED, parse
from aumos_otel.slo.window import Calendar, Rolling

from .slis import PythonSli, counting, end

EVERYTHING = PythonSli("everything")


@pytest.fixture(autouse=True)
def _tenants() -> Iterator[None]:
    """No tenant has a value of its own yet, and none has afterwards."""
    context.reset_metric_tenants()
    yield
    context.reset_metric_tenants()


def collected(reader: InMemoryMetricReader) -> MetricsData:
    """What a reader collects now."""
    data = reader.get_metrics_data()
    assert data is not None
    return data


def points(data: MetricsData) -> dict[str, list[Any]]:
    """Data points by metric."""
    return {
        metric.name: list(metric.data.data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }


def values(data: MetricsData) -> dict[tuple[str, str, str | None], float]:
    """Values by metric, SLI and tenant."""
    return {
        (name, point.attributes["aumos.sli.name"], point.attributes.get("aumos.tenant.id")): point.value
        for name, found in points(data).items()
        for point in found
    }


def watched(counter: SliCounter, **options: Any) -> tuple[InMemoryMetricReader, TracerProvider]:
    """A reader of the counts of spans of a provider, which is guarded as ours is."""
    reader = InMemoryMetricReader(**options)
    observe(meter.build(counting(counter).resource, MetricsOptions().resolve({}, {}, {}), [reader], {}), counter)
    return reader, counting(counter)


def test_zeros_from_the_beginning() -> None:
    """Before the first event there is a series for each SLI, of all events and of good ones."""
    reader, _ = watched(SliCounter([EVERYTHING, PythonSli("more")]))

    assert values(collected(reader)) == {
        (name, sli, None): 0 for name in ("aumos.sli.events", "aumos.sli.good_events") for sli in ("everything", "more")
    }


def test_counts_by_tenant() -> None:
    """Both counters are monotonic sums with the SLI's name, and the tenant's where there is one."""
    reader, provider = watched(SliCounter([EVERYTHING]))
    end(provider)
    end(provider, tenant="acme", error=True)

    data = collected(reader)

    assert values(data) == {
        ("aumos.sli.events", "everything", None): 1,
        ("aumos.sli.good_events", "everything", None): 1,
        ("aumos.sli.events", "everything", "acme"): 1,
        ("aumos.sli.good_events", "everything", "acme"): 0,
    }
    for metric in data.resource_metrics[0].scope_metrics[0].metrics:
        assert metric.data.is_monotonic
        assert metric.data.aggregation_temporality is AggregationTemporality.CUMULATIVE
        assert metric.unit == "{event}"


def test_deltas() -> None:
    """A reader that wants deltas gets what was added, another one the sum."""
    counter = SliCounter([EVERYTHING])
    delta = InMemoryMetricReader({ObservableCounter: AggregationTemporality.DELTA})
    cumulative = InMemoryMetricReader()
    observe(MeterProvider([delta, cumulative], shutdown_on_exit=False), counter)
    provider = counting(counter)
    seen = []
    for _ in range(2):
        end(provider)
        end(provider)
        seen.append([points(collected(reader))["aumos.sli.events"][0].value for reader in (delta, cumulative)])

    assert seen == [[2, 2], [2, 4]]


def test_both_counters_tell_of_one_moment() -> None:
    """An event that comes while a reader collects is in both counters or in none."""
    counter = SliCounter([EVERYTHING])
    reader = InMemoryMetricReader()
    meters = MeterProvider([reader], shutdown_on_exit=False)
    provider = counting(counter)
    read = counter.read
    counter.read = lambda: (read(), end(provider))[0]  # type: ignore[method-assign]  # an event after each reading
    observe(meters, counter)

    for _ in range(3):
        seen = points(collected(reader))
        assert seen["aumos.sli.events"][0].value == seen["aumos.sli.good_events"][0].value


def test_a_collection_that_was_given_up() -> None:
    """A callback that comes back after the next collection began does not bring its old counts into that one."""
    counter = SliCounter([EVERYTHING])
    provider, counts, options = counting(counter), _Counts(counter), CallbackOptions()
    end(provider)
    old = counter.read()
    end(provider)

    good = counts.good_events(options)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(counter, "read", lambda: old)
        counts.good_events(options)

    assert [each.value for each in good] == [each.value for each in counts.events(options)] == [2]


def test_more_series_than_a_reader_takes() -> None:
    """Tenants without end stay within the limit of the SDK, so that no series loses its name."""
    counter = SliCounter([EVERYTHING], most_series=10)
    reader, provider = watched(counter)
    for number in range(50):
        end(provider, tenant=f"tenant-{number}")

    seen = values(collected(reader))
    events = {key: value for key, value in seen.items() if key[0] == "aumos.sli.events"}
    assert len(events) == 10
    assert sum(events.values()) == 50
    assert events["aumos.sli.events", "everything", "_other"] == 42


def test_an_sli_that_is_declared_later() -> None:
    """It is in the next collection."""
    counter = SliCounter([EVERYTHING])
    reader, _ = watched(counter)
    collected(reader)

    counter.add(PythonSli("later"))

    assert values(collected(reader))["aumos.sli.events", "later", None] == 0


def objective(**given: Any) -> Objective:
    """An objective."""
    return Objective(
        **{
            "name": "fast",
            "service": "shop",
            "target": Decimal("0.995"),
            "indicator": Counted("checkout"),
            "window": Rolling(2_592_000),
            **given,
        }
    )


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, {"aumos.sli.name": "checkout", "aumos.slo.window": "30d", "aumos.slo.policy": "sre-workbook"}),
        (
            {"window": Calendar("month"), "policy": AUMOS_SEED, "owner": "team-red"},
            {"aumos.sli.name": "checkout", "aumos.slo.window": "month", "aumos.slo.policy": "aumos-seed"}
            | {"aumos.owner": "team-red"},
        ),
        (
            {"policy": parse("page: 5m>=10 & 1h>=5"), "indicator": Gauge("up")},
            {"aumos.slo.window": "30d", "aumos.slo.policy": "page: 5m>=10 & 1h>=5"},
        ),
    ],
)
def test_targets(given: dict[str, Any], wanted: dict[str, str]) -> None:
    """Each objective has a gauge of its target that tells how it is defined."""
    reader = InMemoryMetricReader()
    observe(MeterProvider([reader], shutdown_on_exit=False), SliCounter(), [objective(**given)])

    (point,) = points(collected(reader))["aumos.slo.target"]
    assert point.value == 0.995
    assert point.attributes == {"aumos.slo.name": "fast", **wanted}


class TestExemplars:
    """The traces behind events."""

    def told(self, data: MetricsData) -> dict[str, list[tuple[int, bool]]]:
        """Trace id and whether the event was good, by metric, of the series without a tenant."""
        return {
            name: [
                (exemplar.trace_id, exemplar.filtered_attributes["aumos.sli.good"]) for exemplar in found[0].exemplars
            ]
            for name, found in points(data).items()
        }

    def test_bad_events(self) -> None:
        """Up to five traces of bad events, the newest, are told with the events, a good one's with the good ones."""
        counter = SliCounter([EVERYTHING])
        reader, provider = watched(counter)
        good = end(provider)
        bad = [end(provider, error=True) for _ in range(7)]

        told = self.told(Exemplars(counter)(collected(reader)))

        assert told["aumos.sli.events"] == [(span.get_span_context().trace_id, False) for span in bad[2:]]
        assert told["aumos.sli.good_events"] == [(good.get_span_context().trace_id, True)]

    def test_without_bad_events(self) -> None:
        """Then a good one's trace is told with all of them."""
        counter = SliCounter([EVERYTHING])
        reader, provider = watched(counter)
        trace_id = end(provider).get_span_context().trace_id

        told = self.told(Exemplars(counter)(collected(reader)))

        assert told == {"aumos.sli.events": [(trace_id, True)], "aumos.sli.good_events": [(trace_id, True)]}

    def test_each_reader_is_told_once(self) -> None:
        """What one reader has been told is news to another, and no news to itself."""
        counter = SliCounter([EVERYTHING])
        reader, provider = watched(counter)
        first, second = Exemplars(counter), Exemplars(counter)
        end(provider, error=True)

        assert len(self.told(first(collected(reader)))["aumos.sli.events"]) == 1
        assert self.told(first(collected(reader)))["aumos.sli.events"] == []
        counter.counts()
        assert len(self.told(second(collected(reader)))["aumos.sli.events"]) == 1
        end(provider, error=True)
        assert len(self.told(first(collected(reader)))["aumos.sli.events"]) == 1

    def test_of_a_tenant(self) -> None:
        """They are with the tenant's series."""
        counter = SliCounter([EVERYTHING])
        reader, provider = watched(counter)
        end(provider, error=True, tenant="acme")

        found = {
            point.attributes.get("aumos.tenant.id"): len(point.exemplars)
            for point in points(Exemplars(counter)(collected(reader)))["aumos.sli.events"]
        }
        assert found == {None: 0, "acme": 1}

    def test_time_and_span(self) -> None:
        """An exemplar is one event, in its span, when that ended."""
        counter = SliCounter([EVERYTHING])
        reader, provider = watched(counter)
        span: Any = end(provider, error=True)

        (exemplar,) = points(Exemplars(counter)(collected(reader)))["aumos.sli.events"][0].exemplars
        assert (exemplar.value, exemplar.span_id) == (1, span.get_span_context().span_id)
        assert exemplar.time_unix_nano == span.end_time

    def test_unsampled(self) -> None:
        """A trace that is not kept is told to nobody."""
        counter = SliCounter([EVERYTHING])
        reader, _ = watched(counter)
        end(counting(counter, sampler=AlwaysRecordSampler(ALWAYS_OFF)), error=True)

        assert self.told(Exemplars(counter)(collected(reader)))["aumos.sli.events"] == []

    def test_off(self) -> None:
        """A counter without exemplars remembers none, and what was collected is left alone."""
        counter = SliCounter([EVERYTHING], exemplars=False)
        reader, provider = watched(counter)
        end(provider, error=True)
        data = collected(reader)

        assert Exemplars(counter)(data) is data
        assert counter.table.traces[0, None].bad == []

    @pytest.mark.parametrize(
        "view",
        [
            View(instrument_name="aumos.sli.events", name="renamed"),
            View(instrument_name="aumos.sli.events", attribute_keys=set()),
        ],
    )
    def test_views(self, view: View) -> None:
        """Where a view has taken name or attributes the counts are as it wants them, without exemplars."""
        counter = SliCounter([EVERYTHING])
        reader = InMemoryMetricReader()
        observe(MeterProvider([reader], views=[view], shutdown_on_exit=False), counter)
        end(counting(counter), error=True)

        found = points(Exemplars(counter)(collected(reader)))
        (point,) = found.get("renamed") or found["aumos.sli.events"]
        assert (point.value, list(point.exemplars)) == (1, [])

    def test_others_are_left_alone(self) -> None:
        """Metrics of the same name in another scope, and all others, keep what they have."""
        counter = SliCounter([EVERYTHING])
        reader = InMemoryMetricReader()
        meters = MeterProvider([reader], exemplar_filter=AlwaysOnExemplarFilter(), shutdown_on_exit=False)
        meters.get_meter("user").create_counter("aumos.sli.events").add(1, {"aumos.sli.name": "everything"})
        end(counting(counter), error=True)
        counter.read()

        data = collected(reader)
        assert points(Exemplars(counter)(data)) == points(data)

    def test_on_the_page(self) -> None:
        """Prometheus gets the newest bad trace with the events."""
        counter = SliCounter([EVERYTHING])
        provider = counting(counter)
        page = PrometheusPage(port=0, registry=CollectorRegistry(), amend=Exemplars(counter))
        observe(MeterProvider([page.reader], shutdown_on_exit=False), counter)
        end(provider)
        trace_id = end(provider, error=True).get_span_context().trace_id
        page.start()
        try:
            request = urllib.request.Request(page.url, headers={"Accept": "application/openmetrics-text"})
            with urllib.request.urlopen(request, timeout=10) as response:
                families = list(parser.text_string_to_metric_families(response.read().decode()))
        finally:
            page.stop()

        samples = {sample.name: sample for family in families for sample in family.samples}
        assert samples["aumos_sli_events_total"].value == 2
        assert samples["aumos_sli_events_total"].labels["aumos_sli_name"] == "everything"
        assert samples["aumos_sli_events_total"].exemplar.labels["trace_id"] == f"{trace_id:032x}"
        assert samples["aumos_sli_good_events_total"].value == 1
