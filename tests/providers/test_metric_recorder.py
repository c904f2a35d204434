"""Instruments that record by themselves: what readers get is what was recorded."""

from __future__ import annotations

import enum
import os
import threading
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk import metrics as sdk
from opentelemetry.sdk.metrics import Counter, Histogram, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    SumAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from aumos_otel import MetricsOptions, guard
from aumos_otel.providers import meter
from aumos_otel.providers.metric_recorder import recorder_of

DELTA = dict.fromkeys((Counter, Histogram, UpDownCounter, sdk._Gauge), AggregationTemporality.DELTA)
SPAN = NonRecordingSpan(SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1)))
UNSAMPLED = NonRecordingSpan(SpanContext(7, 9, is_remote=False, trace_flags=TraceFlags(0)))


class Bench:
    """A meter of ours and its readers."""

    def __init__(self, *readers: InMemoryMetricReader, environ: dict[str, str] | None = None, **options: Any) -> None:
        self.readers = readers or (InMemoryMetricReader(),)
        given = MetricsOptions(**options).resolve({}, {}, {})
        self.provider = meter.build(Resource({}), given, self.readers, environ or {})
        self.meter = self.provider.get_meter("bench")

    def points(self, name: str, reader: int = 0) -> list[Any]:
        """The data points of one metric; none where it has none."""
        data = self.readers[reader].get_metrics_data()
        scopes = [scope for resource in data.resource_metrics for scope in resource.scope_metrics] if data else []
        return [
            point
            for scope in scopes
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def values(self, name: str, reader: int = 0) -> dict[tuple[Any, ...], float]:
        """The values of a number metric by their attributes."""
        return {tuple(sorted(point.attributes.items())): point.value for point in self.points(name, reader)}


class Colour(enum.StrEnum):
    """A text with a name."""

    RED = "red"


def test_types_and_identity() -> None:
    """Instruments are the SDK's types; asked for twice they are one, and record in one place."""
    bench = Bench()
    made = bench.meter.create_counter("c"), bench.meter.create_counter("C")

    made[0].add(1)
    made[1].add(2)

    assert made[0] is made[1]
    assert isinstance(made[0], Counter)
    assert type(bench.meter.create_histogram("h")).__mro__[1] is Histogram
    assert bench.values("c") == {(): 3}


def test_order_of_keys_and_later_changes() -> None:
    """The order of keys makes no other series, and a dict that is changed later does not change what was recorded."""
    bench = Bench()
    counter = bench.meter.create_counter("c")
    labels = {"a": "x", "b": "y"}
    for _ in range(2):
        counter.add(1, labels)
    counter.add(1, {"b": "y", "a": "x"})
    counter.add(1, MappingProxyType({"a": "x", "b": "y"}))
    labels["a"] = "z"
    counter.add(5, labels)

    assert bench.values("c") == {(("a", "x"), ("b", "y")): 4, (("a", "z"), ("b", "y")): 5}


def test_equal_values_of_other_types() -> None:
    """1, True and 1.0 are three series however often they take turns; an enum member is what it stands for."""
    bench = Bench()
    counter = bench.meter.create_counter("c")
    for _ in range(3):
        for value in (1, True, 1.0, HTTPStatus.OK, 200, Colour.RED, "red"):
            counter.add(1, {"v": value})

    found = [(type(point.attributes["v"]), point.attributes["v"], point.value) for point in bench.points("c")]
    assert sorted(found, key=repr) == sorted(
        [(int, 1, 3), (bool, True, 3), (float, 1.0, 3), (int, 200, 6), (str, "red", 6)], key=repr
    )


def test_values_that_cannot_be_looked_up() -> None:
    """Lists, dicts and objects make series as with the SDK, and nothing of the caller's is kept."""
    bench = Bench()
    counter = bench.meter.create_counter("c")
    words = ["a", 1]
    for _ in range(2):
        counter.add(1, {"v": words})
        counter.add(1, {"v": {"deep": [True]}})
    words.append("late")

    assert [point.value for point in bench.points("c")] == [2, 2]
    assert [point.attributes["v"] for point in bench.points("c")] == [("a", 1), {"deep": (True,)}]


@pytest.mark.parametrize("amount", [float("nan"), float("inf"), -1, "1", None, 10**400])
def test_amounts_that_are_none(amount: Any) -> None:
    """They change nothing, neither at first nor when the series is known, and raise nothing."""
    bench = Bench()
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    for measure in (counter.add, histogram.record):
        measure(amount, {"a": "x"})
        measure(2, {"a": "x"})
        measure(amount, {"a": "x"})

    assert bench.values("c") == {(("a", "x"),): 2}
    (point,) = bench.points("h")
    assert (point.count, point.sum, point.min, point.max) == (1, 2, 2, 2)


def test_kinds_of_amounts() -> None:
    """Whole numbers stay whole, one fraction makes a fraction, True counts one, and up-down counters fall."""
    bench = Bench()
    whole, mixed = bench.meter.create_counter("whole"), bench.meter.create_counter("mixed")
    both = bench.meter.create_up_down_counter("both")
    for amount in (1, True, 2**70):
        whole.add(amount)
    for amount in (1, 0.5):
        mixed.add(amount)
        both.add(-amount)

    assert [(type(value), value) for value in bench.values("whole").values()] == [(int, 2**70 + 2)]
    assert bench.values("mixed") == {(): 1.5}
    assert bench.values("both") == {(): -1.5}


def test_histograms() -> None:
    """Counts, sum, least and largest; an amount on a bound belongs below it; advised bounds are taken."""
    bench = Bench()
    histogram = bench.meter.create_histogram("h", explicit_bucket_boundaries_advisory=[1, 2])
    for amount in (0, 1, 1.5, 2, 9):
        histogram.record(amount)

    (point,) = bench.points("h")
    assert (point.bucket_counts, point.explicit_bounds) == ((2, 2, 1), (1, 2))
    assert (point.count, point.sum, point.min, point.max) == (5, 13.5, 0, 9)


def test_gauges() -> None:
    """The last value counts, of whichever thread; a delta reader gets it once."""
    bench = Bench(InMemoryMetricReader(), InMemoryMetricReader(preferred_temporality=DELTA))
    gauge = bench.meter.create_gauge("g")
    gauge.set(1)
    other = threading.Thread(target=gauge.set, args=(-2,))
    other.start()
    other.join()
    assert bench.values("g") == bench.values("g") == {(): -2}
    assert bench.values("g", 1) == {(): -2}
    assert bench.values("g", 1) == {}

    gauge.set(3)
    assert bench.values("g") == bench.values("g", 1) == {(): 3}


@pytest.mark.parametrize(
    ("name", "span", "count"),
    [
        ("trace_based", SPAN, 1),
        ("trace_based", UNSAMPLED, 0),
        ("always_on", UNSAMPLED, 1),
        ("always_off", SPAN, 0),
    ],
)
def test_exemplars(name: str, span: Any, count: int) -> None:
    """The filter decides; a sum tells of its last amount, a histogram of the last in each bucket, each once."""
    bench = Bench(environ={"OTEL_METRICS_EXEMPLAR_FILTER": name})
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    with trace.use_span(span):
        for amount in (1, 2, 7):
            counter.add(amount, {"a": "x"})
            histogram.record(amount)
    with trace.use_span(trace.INVALID_SPAN):
        context = trace.set_span_in_context(span, Context())
        bench.meter.create_gauge("g").set(4, None, context)

    data = bench.readers[0].get_metrics_data()
    assert data is not None
    found = {
        metric.name: metric.data.data_points[0].exemplars
        for metric in data.resource_metrics[0].scope_metrics[0].metrics
    }
    ids = (span.get_span_context().trace_id, span.get_span_context().span_id)
    assert [each.value for each in found["c"]] == [7] * count
    assert [each.value for each in found["h"]] == [2, 7] * count
    assert [each.value for each in found["g"]] == [4] * count
    assert {(each.trace_id, each.span_id) for each in (*found["c"], *found["h"], *found["g"])} == (
        {ids} if count else set()
    )
    assert bench.points("c")[0].exemplars == []


def test_limit() -> None:
    """Series over the limit are added up as the overflow, which is counted; those that were there go on."""
    bench = Bench(InMemoryMetricReader(cardinality_limits={Counter: 2}))
    counter = bench.meter.create_counter("c")
    before = guard.swallowed().get("providers.instruments.overflow", 0)
    for _ in range(2):
        for number in range(5):
            counter.add(1, {"n": number})

    assert bench.values("c") == {(("n", 0),): 2, (("n", 1),): 2, (("otel.metric.overflow", True),): 6}
    assert guard.swallowed()["providers.instruments.overflow"] == before + 1


def test_limits_of_two_readers() -> None:
    """Each reader has its own limit, and both get every amount."""
    bench = Bench(InMemoryMetricReader(cardinality_limits={Counter: 1}), InMemoryMetricReader())
    counter = bench.meter.create_counter("c")
    for _ in range(2):
        for name in ("a", "b", "c"):
            counter.add(1, {"n": name})

    assert bench.values("c", 0) == {(("n", "a"),): 2, (("otel.metric.overflow", True),): 4}
    assert bench.values("c", 1) == {(("n", "a"),): 2, (("n", "b"),): 2, (("n", "c"),): 2}


def test_views() -> None:
    """A view may rename, pick bounds or attributes, add up, drop or go exponential; two of them make two metrics."""
    views = [
        View(instrument_name="renamed", name="new", description="told"),
        View(instrument_name="picked", attribute_keys={"a"}),
        View(instrument_name="twice", name="one"),
        View(instrument_name="twice", name="two"),
        View(instrument_name="summed", aggregation=SumAggregation()),
        View(instrument_name="bounds", aggregation=ExplicitBucketHistogramAggregation([5], record_min_max=False)),
        View(instrument_name="dropped", aggregation=DropAggregation()),
        View(instrument_name="exponential", aggregation=ExponentialBucketHistogramAggregation()),
    ]
    bench = Bench(views=views)
    for name in ("renamed", "picked", "twice", "dropped"):
        for other in ("y", "z"):
            bench.meter.create_counter(name).add(1, {"a": "x", "b": other})
            bench.meter.create_counter(name).add(1, {"a": "x", "b": other})
    for name in ("summed", "bounds", "exponential"):
        for amount in (1, 7):
            bench.meter.create_histogram(name).record(amount)

    assert (
        sum(bench.values("new").values()) == sum(bench.values("one").values()) == sum(bench.values("two").values()) == 4
    )
    assert bench.values("picked") == {(("a", "x"),): 4}
    assert bench.values("summed") == {(): 8}
    (point,) = bench.points("bounds")
    assert (point.bucket_counts, point.min) == ((1, 1), float("inf"))
    assert bench.points("dropped") == []
    assert bench.points("exponential")[0].sum == 8


def test_deltas() -> None:
    """A delta reader gets what came since, from the time of its last collection on, and series that rest make room."""
    limits: Any = {Counter: 2}
    bench = Bench(InMemoryMetricReader(preferred_temporality=DELTA, cardinality_limits=limits), InMemoryMetricReader())
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    ends, got = [], []
    for name in ("a", "b", "c"):
        counter.add(2, {"n": name})
        counter.add(1, {"n": "always"})
        histogram.record(len(got) + 1)
        data = bench.readers[0].get_metrics_data()
        assert data is not None
        sums, distribution = (metric.data for metric in data.resource_metrics[0].scope_metrics[0].metrics)
        got.append({point.attributes["n"]: point.value for point in sums.data_points})
        (point,) = distribution.data_points
        assert (point.count, point.min, point.max) == (1, len(got), len(got))
        assert [point.start_time_unix_nano for point in sums.data_points] == ends[-1:] * 2 or not ends
        ends.append(point.time_unix_nano)

    assert got == [{name: 2, "always": 1} for name in ("a", "b", "c")]
    assert bench.points("c", 0) == []
    assert bench.values("c", 1)[("n", "always"),] == 3


def test_an_amount_on_its_way_while_a_delta_is_read() -> None:
    """What a thread adds to the cell that it had found before the collection is part of the next one."""
    bench = Bench(InMemoryMetricReader(preferred_temporality=DELTA))
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    counter.add(1)
    histogram.record(1)
    cells = [next(iter(recorder_of(each).index.cells.values())) for each in (counter, histogram)]  # type: ignore[union-attr]  # it has one
    assert bench.values("c") == {(): 1}

    for cell in cells:
        cell.take(5, None)

    data = bench.readers[0].get_metrics_data()
    assert data is not None
    added, recorded = (metric.data.data_points[0] for metric in data.resource_metrics[0].scope_metrics[0].metrics)
    assert added.value == 5
    assert (recorded.count, recorded.sum, recorded.min, recorded.max) == (1, 5, 5, 5)
    counter.add(2)
    assert bench.values("c") == {(): 2}
    assert bench.points("c") == []


@pytest.mark.parametrize("temporality", [None, DELTA])
def test_threads(temporality: Any) -> None:
    """Nothing is lost where threads record while it is collected, and the cells of ended threads are put together."""
    bench = Bench(InMemoryMetricReader(preferred_temporality=temporality), InMemoryMetricReader())
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    bound: Any = counter.bound({"n": "bound"})  # type: ignore[attr-defined]  # ours

    def work() -> None:
        for number in range(300):
            counter.add(1, {"n": "odd" if number % 2 else "even"})
            histogram.record(3, {"odd": number % 2 == 1})
            bound(1)

    counted, recorded = [0], [0]

    def collect() -> None:
        data = bench.readers[0].get_metrics_data()
        if data is None:
            return
        for metric in data.resource_metrics[0].scope_metrics[0].metrics:
            points: Any = metric.data.data_points
            if metric.name == "c":
                counted.append(sum(point.value for point in points))
            else:
                assert all(point.sum == 3 * point.count for point in points)
                recorded.append(sum(point.count for point in points))

    for _ in range(3):
        threads = [threading.Thread(target=work) for _ in range(50)]
        for thread in threads:
            thread.start()
            collect()
        for thread in threads:
            thread.join()
    collect()
    total = sum if temporality else max
    assert (total(counted), total(recorded)) == (50 * 3 * 600, 50 * 3 * 300)
    assert sum(bench.values("c", 1).values()) == 50 * 3 * 600
    assert len(recorder_of(counter).index.cells) <= 3 * 100  # type: ignore[union-attr]  # it has one


def test_readers_that_come_and_go() -> None:
    """A reader that is added gets what comes from then on, one that is removed nothing; kept functions go on."""
    bench = Bench()
    add = bench.meter.create_counter("c").add
    add(1)
    late = InMemoryMetricReader()
    bench.provider.add_metric_reader(late)
    bench.readers += (late,)
    add(2)

    assert bench.values("c", 0) == {(): 3}
    assert bench.values("c", 1) == {(): 2}
    bench.provider.remove_metric_reader(late)
    add(4)
    assert bench.values("c", 0) == {(): 7}


def test_a_meter_that_is_switched_off() -> None:
    """While its meter is off an instrument counts nothing, known series or not."""
    bench = Bench()
    counter = bench.meter.create_counter("c")
    counter.add(1)
    for enabled in (False, True):
        config = sdk._internal._MeterConfig(is_enabled=enabled)
        bench.provider._set_meter_configurator(meter_configurator=lambda _scope, config=config: config)
        counter.add(10)

    assert bench.values("c") == {(): 11}


def test_bound_instruments() -> None:
    """A bound instrument records with its attributes as they were, in the series of all others, and raises nothing."""
    bench = Bench(InMemoryMetricReader(), InMemoryMetricReader())
    labels: dict[str, Any] = {"a": "x", "n": 1}
    counter: Any = bench.meter.create_counter("c")
    histogram: Any = bench.meter.create_histogram("h")
    gauge: Any = bench.meter.create_gauge("g")
    handles = [each.bound(labels) for each in (counter, histogram, gauge)]
    labels["a"] = "changed"
    for handle in handles:
        for amount in (1, 2, "three"):
            handle(amount)
    counter.add(4, {"a": "x", "n": 1})
    counter.bound()(8)
    counter.bound("words")(16)
    counter.bound({"l": [1]})(32)

    key = (("a", "x"), ("n", 1))
    for reader in range(2):
        values = bench.values("c", reader)
        assert (values[key], values[()], values[("l", (1,)),]) == (7, 24, 32)
        assert bench.points("h", reader)[0].count == 2
        assert bench.values("g", reader) == {key: 2}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_starts_at_zero() -> None:
    """A child counts from zero with the instruments it inherits, whoever held their lock; the parent goes on."""
    bench = Bench()
    counter: Any = bench.meter.create_counter("c")
    bound = counter.bound({"a": "x"})
    for add in (counter.add, bound):
        add(5)
    recorder = recorder_of(counter)
    assert recorder is not None
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with recorder.index.lock:
            held.set()
            release.wait(20)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(20)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        for add in (counter.add, bound):
            add(1)
        os.write(write, repr(bench.values("c")).encode())
        os._exit(0)
    os.waitpid(child, 0)
    release.set()
    thread.join()

    assert os.read(read, 1000).decode() == repr({(): 1, (("a", "x"),): 1})
    assert bench.values("c") == {(): 5, (("a", "x"),): 5}
