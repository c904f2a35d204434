"""The same measurements on the SDK's meter provider and on ours give the same metrics to every reader."""

from __future__ import annotations

import dataclasses
import json
import math
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import pytest
from conformance import sides
from conformance.stage import stand_still
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk import metrics as sdk_metrics
from opentelemetry.sdk.metrics.export import AggregationTemporality, HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.metrics.view import (
    DropAggregation,
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    LastValueAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

SYNCHRONOUS = (sdk_metrics.Counter, sdk_metrics.UpDownCounter, sdk_metrics.Histogram)
DELTA = dict.fromkeys((*SYNCHRONOUS, sdk_metrics.ObservableCounter), AggregationTemporality.DELTA)


class Bench:
    """A meter provider with a cumulative and a delta reader, and a clock that stands still."""

    def __init__(self, side: str, patch: pytest.MonkeyPatch, **options: Any) -> None:
        self.now = 1_700_000_000_000_000_000
        self.seen: list[Any] = []
        limits = options.pop("limits", {})
        readers: dict[str, Any] = {"cardinality_limits": dict.fromkeys(SYNCHRONOUS, limits)} if limits else {}
        self.readers = [InMemoryMetricReader(**readers), InMemoryMetricReader(preferred_temporality=DELTA, **readers)]
        provider = (sides.stock if side == "stock" else sides.ours)("metrics")
        stand_still(patch, lambda: self.now)
        self.provider = provider(self.readers, Resource({"service.name": "bench"}), shutdown_on_exit=False, **options)
        self.meter = self.provider.get_meter("bench", "1", "https://example.com/schema", {"of": "scope"})

    def collect(self) -> None:
        """Let time pass and note what each reader gets."""
        for reader in self.readers:
            self.now += 1_000
            data = reader.get_metrics_data()
            self.seen.append(ordered(plain(data)))


def plain(thing: Any) -> Any:
    """Metrics as dictionaries, lists and numbers."""
    if isinstance(thing, HistogramDataPoint):  # numbers of which the wire makes fractions in any case
        thing = dataclasses.replace(thing, sum=thing.sum + 0.0, min=thing.min + 0.0, max=thing.max + 0.0)
    if dataclasses.is_dataclass(thing):
        return {field.name: plain(getattr(thing, field.name)) for field in dataclasses.fields(thing)}
    if isinstance(thing, Mapping):
        return {repr(key): plain(value) for key, value in thing.items()}
    if isinstance(thing, list | tuple):
        return [plain(each) for each in thing]
    if isinstance(thing, str | int | float | None):
        return thing
    return plain(thing.attributes) if isinstance(thing, Resource) else repr(thing)


def ordered(thing: Any) -> Any:
    """JSON with its lists in an order that depends on what is in them alone, but for numbers, whose order means something."""
    if isinstance(thing, dict):
        return {key: ordered(value) for key, value in sorted(thing.items())}
    if isinstance(thing, list):
        parts = [ordered(each) for each in thing]
        return parts if all(isinstance(each, int | float) for each in parts) else sorted(parts, key=json.dumps)
    if isinstance(thing, bool):
        return int(thing)
    return repr(thing) if isinstance(thing, float) else thing


def compare(scenario: Callable[[Bench], object], **options: Any) -> tuple[list[Any], list[Any]]:
    """What readers get of the SDK's provider, and of ours."""
    both = []
    for side in ("stock", "ours"):
        with pytest.MonkeyPatch.context() as patch:
            bench = Bench(side, patch, **options)
            scenario(bench)
            bench.collect()
            bench.provider.shutdown()
            both.append(bench.seen)
    return both[0], both[1]


def sums(bench: Bench) -> None:
    """Counters that go up, and up and down."""
    counter = bench.meter.create_counter("c", "1", "counts")
    both_ways = bench.meter.create_up_down_counter("u", "By")
    bench.collect()
    for round_ in range(3):
        counter.add(1)
        counter.add(2.5, {"a": "x"})
        counter.add(0, {"a": "y"})
        counter.add(-5, {"a": "x"})
        both_ways.add(-3, {"a": round_})
        both_ways.add(7, {})
        bench.collect()
    bench.collect()


def distributions(bench: Bench) -> None:
    """Histograms with the default bounds and with advised ones."""
    default = bench.meter.create_histogram("h", "s")
    advised = bench.meter.create_histogram("advised", explicit_bucket_boundaries_advisory=[0.1, 1, 10])
    for amount in (0, 0.05, 0.1, 1, 5, 5.0001, 10, 10_000, 1e12, -1, 3):
        default.record(amount, {"a": "x"})
        advised.record(amount)
        bench.collect()
    default.record(-0.5)
    bench.collect()
    bench.collect()


def levels(bench: Bench) -> None:
    """Gauges keep the last value."""
    gauge = bench.meter.create_gauge("g", "Cel", "warm")
    for value in (1, 2.5, -3, 0):
        gauge.set(value)
        gauge.set(value * 2, {"a": "x"})
        bench.collect()
    bench.collect()


def attribute_sets(bench: Bench) -> None:
    """Which attributes are the same series: order does not matter, kinds of numbers are told apart as the SDK does."""
    counter = bench.meter.create_counter("c")
    sets: list[Any] = [
        None,
        {},
        {"a": 1, "b": 2},
        {"b": 2, "a": 1},
        {"a": True},
        {"a": 1},
        {"a": 1.0},
        {"a": "1"},
        {"a": None},
        {"a": (1, 2)},
        {"a": [1, 2]},
        {"a": ["x", "y"]},
        {"": 1},
        {"a": ""},
        {"a": b"x"},
        {"\N{SNOWMAN}": "\N{SNOWMAN}"},
    ]
    for number, attributes in enumerate(sets * 2):
        counter.add(10**number % 997, attributes)
    changed = {"a": "before"}
    counter.add(1, changed)
    changed["a"] = "after"
    counter.add(1, changed)


def odd_amounts(bench: Bench) -> None:
    """Amounts that are no ordinary numbers."""
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    both_ways, gauge = bench.meter.create_up_down_counter("u"), bench.meter.create_gauge("g")
    for number, amount in enumerate((True, 2**40, 2**53 + 1, 1e308, 5e-324, 0.1, 0.2, math.nan, math.inf, -math.inf)):
        for measure in (counter.add, histogram.record, both_ways.add, gauge.set):
            measure(amount, {"n": number})
            measure(amount, {"n": "all"})


def observed(bench: Bench) -> None:
    """Instruments that are asked."""
    asked = 0

    def callback(_options: CallbackOptions) -> Iterable[Observation]:
        nonlocal asked
        asked += 1
        return [Observation(asked), Observation(asked * 2, {"a": "x"})]

    bench.meter.create_observable_counter("oc", [callback], "1", "asked")
    bench.meter.create_observable_up_down_counter("ou", [callback])
    bench.meter.create_observable_gauge("og", [callback])
    bench.meter.create_counter("c").add(1)
    bench.collect()
    bench.collect()


def registered_twice(bench: Bench) -> None:
    """One name for several instruments: the same one, another unit, another kind, another case."""
    for name, unit in (("c", "1"), ("c", "1"), ("c", "2"), ("C", "1")):
        bench.meter.create_counter(name, unit).add(1, {"a": "x"})
    bench.meter.create_histogram("c").record(1)
    bench.meter.create_up_down_counter("c").add(1)
    other = bench.provider.get_meter("other")
    other.create_counter("c").add(5)
    bench.provider.get_meter("bench", "1", "https://example.com/schema", {"of": "scope"}).create_counter("c").add(7)


def late_reader(bench: Bench) -> None:
    """A reader that is added when there was something already."""
    counter = bench.meter.create_counter("c")
    counter.add(1)
    reader = InMemoryMetricReader()
    bench.provider.add_metric_reader(reader)
    bench.readers.append(reader)
    counter.add(2)
    bench.meter.create_counter("later").add(5)


def traced(bench: Bench) -> None:
    """Exemplars of measurements within sampled spans alone."""
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
    for sampled in (True, False):
        identity = SpanContext(0xABC, 0xDEF, is_remote=False, trace_flags=TraceFlags(sampled))
        with trace.use_span(NonRecordingSpan(identity)):
            bench.now += 5
            counter.add(1, {"sampled": sampled})
            for amount in (1, 7, 80):
                histogram.record(amount, {"sampled": sampled})
    histogram.record(3, {"sampled": "no span"})


def crowded(bench: Bench) -> None:
    """Eight threads, no measurement lost."""
    counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")

    def work(number: int) -> None:
        for each in range(500):
            counter.add(1, {"thread": number % 3})
            histogram.record(each % 20)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


SCENARIOS = (
    sums,
    distributions,
    levels,
    attribute_sets,
    odd_amounts,
    observed,
    registered_twice,
    late_reader,
    traced,
    crowded,
)


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_metrics(scenario: Callable[[Bench], None]) -> None:
    """A cumulative and a delta reader get equal metrics, at each collection."""
    stock, ours = compare(scenario)

    assert ours == stock
    assert any(stock)


def test_instruments_are_ours() -> None:
    """What is compared is not the SDK's with itself."""

    def scenario(bench: Bench) -> None:
        bench.seen.append(hasattr(bench.meter.create_counter("c"), "bound"))

    stock, ours = compare(scenario)

    assert (stock[0], ours[0]) == (False, True)


VIEWS = {
    "renamed": View(instrument_name="c", name="renamed", description="other"),
    "fewer attributes": View(instrument_name="*", attribute_keys={"a"}),
    "other bounds": View(instrument_name="h", aggregation=ExplicitBucketHistogramAggregation([1, 2])),
    "exponential": View(instrument_name="h", aggregation=ExponentialBucketHistogramAggregation()),
    "dropped": View(instrument_name="c", aggregation=DropAggregation()),
    "last value": View(instrument_name="c", aggregation=LastValueAggregation()),
    "of a type": View(instrument_type=sdk_metrics.Counter, name="typed"),
    "of a meter": View(meter_name="other", aggregation=DropAggregation()),
}


@pytest.mark.parametrize("view", VIEWS)
def test_views(view: str) -> None:
    """A view changes the instruments that it is about, and only them."""
    for scenario in (sums, registered_twice):
        stock, ours = compare(scenario, views=[VIEWS[view]])
        assert ours == stock


def test_overflow() -> None:
    """What is over the limit of series is added up under the overflow attribute."""

    def many(bench: Bench) -> None:
        counter, histogram = bench.meter.create_counter("c"), bench.meter.create_histogram("h")
        for number in range(50):
            counter.add(number, {"n": number})
            histogram.record(number, {"n": number})
            if number == 30:
                bench.collect()
        counter.add(1, {"n": 1})
        counter.add(1, {"n": 49})

    stock, ours = compare(many, limits=10)

    assert ours == stock
    assert "otel.metric.overflow" in json.dumps(ours)


#: Fractions whose sums are exact, in whichever order they are added up.
AMOUNTS = st.one_of(
    st.integers(-(2**40), 2**40), st.integers(-(2**32), 2**32).map(lambda number: number / 4), st.booleans()
)
ATTRIBUTES = st.one_of(
    st.none(), st.dictionaries(st.sampled_from("abc"), st.sampled_from([1, "1", 2, "x", 2.5]), max_size=2)
)
STEPS = st.lists(st.tuples(st.sampled_from(["c", "u", "h", "g", "collect"]), AMOUNTS, ATTRIBUTES), max_size=30)


@given(STEPS)
def test_any_measurements(steps: list[tuple[str, Any, Any]]) -> None:
    """Whatever is measured, and whenever it is collected, gives the same metrics."""

    def scenario(bench: Bench) -> None:
        meter = bench.meter
        measures: dict[str, Callable[..., object]] = {
            "c": meter.create_counter("c").add,
            "u": meter.create_up_down_counter("u").add,
            "h": meter.create_histogram("h").record,
            "g": meter.create_gauge("g").set,
        }
        for name, amount, attributes in steps:
            if name == "collect":
                bench.collect()
            else:
                measures[name](amount, attributes)

    stock, ours = compare(scenario)

    assert ours == stock
