"""What an amount, a collection and a scrape cost: ``python tests/bench/table.py --only metrics scrape``.

Beside the SDK and prometheus_client; ``python tests/bench/metrics.py`` prints each kind of amount, also with four
threads at once, outside of a span and in a sampled one.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.metrics import Counter, Histogram, MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as PrometheusCounter
from rich.console import Console
from rich.table import Table
from rounds import Contestant, Costs, Figure, compared, interleave, median, ratio

from aumos_otel.config import MetricsOptions
from aumos_otel.exporters.prometheus import PrometheusPage
from aumos_otel.providers import meter

ROUNDS, CALLS, SERIES, SCRAPED = 15, 3000, 5000, 10_000
THREADS = (1, 4)
LABELS = {"http.request.method": "GET", "http.route": "/items/{id}", "server.address": "a.example"}
STATUS = {"http.request.method": "GET", "http.route": "/items/{id}", "http.response.status_code": 200}
NUMBERS = {"http.route": "/items/{id}", "http.response.status_code": 200, "cached": True}
SPAN = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(1)))

Instruments = dict[str, Any]


def add(own: Instruments) -> None:
    """No attributes."""
    measure = own["counter"]
    for _ in range(CALLS):
        measure.add(1)


def add_kept(own: Instruments) -> None:
    """Three attributes, the same dict each time."""
    measure = own["counter"]
    for _ in range(CALLS):
        measure.add(1, LABELS)


def add_fresh(own: Instruments) -> None:
    """Three attributes, a dict for each call."""
    measure = own["counter"]
    for _ in range(CALLS):
        measure.add(1, {"http.request.method": "GET", "http.route": "/items/{id}", "server.address": "a.example"})


def add_status(own: Instruments) -> None:
    """Three attributes, one of them a number."""
    measure = own["counter"]
    for _ in range(CALLS):
        measure.add(1, STATUS)


def record(own: Instruments) -> None:
    """A histogram with three attributes."""
    measure = own["histogram"]
    for _ in range(CALLS):
        measure.record(0.3, LABELS)


def record_status(own: Instruments) -> None:
    """A histogram with three attributes, one of them a number."""
    measure = own["histogram"]
    for _ in range(CALLS):
        measure.record(0.3, STATUS)


def record_numbers(own: Instruments) -> None:
    """A histogram with three attributes, two of them no texts."""
    measure = own["histogram"]
    for _ in range(CALLS):
        measure.record(0.3, NUMBERS)


def add_bound(own: Instruments) -> None:
    """Three attributes that are bound; the SDK has none of it and gets the same dict."""
    measure = own["bound"]
    if measure is None:
        add_kept(own)
        return
    for _ in range(CALLS):
        measure(1)


CASES: dict[str, tuple[Callable[[Instruments], None], bool]] = {
    "counter.add, no attributes": (add, False),
    "counter.add, 3 attributes, dict kept": (add_kept, False),
    "counter.add, 3 attributes, fresh dict": (add_fresh, False),
    "counter.add, 3 attributes, one a number": (add_status, False),
    "counter.add, bound": (add_bound, False),
    "histogram.record, 3 attributes": (record, False),
    "histogram.record, 3 attributes, one a number": (record_status, False),
    "histogram.record, 3 attributes, two no texts": (record_numbers, False),
    "counter.add, 3 attributes, in a sampled span": (add_kept, True),
    "histogram.record, 3 attributes, in a sampled span": (record, True),
}


def options(limit: int) -> MetricsOptions:
    """Ours, with room for so many series."""
    return MetricsOptions(cardinality_limit=limit).resolve({}, {}, {})


def sides(limit: int = 2000) -> list[tuple[MeterProvider, InMemoryMetricReader]]:
    """The SDK's provider and ours, each with a reader."""
    readers = [InMemoryMetricReader(cardinality_limits={Counter: limit, Histogram: limit}) for _ in range(2)]
    stock = MeterProvider(readers[:1], shutdown_on_exit=False)
    ours = meter.build(Resource({}), options(limit), readers[1:], {})
    return [(stock, readers[0]), (ours, readers[1])]


def instruments(provider: MeterProvider) -> Instruments:
    """What is measured of one side."""
    made = provider.get_meter("bench")
    counter: Any = made.create_counter("counter")
    bind = getattr(counter, "bound", None)
    return {
        "counter": counter,
        "histogram": made.create_histogram("histogram"),
        "bound": bind(LABELS) if bind else None,
    }


def amounts(case: Callable[[Instruments], None], rounds: int, threads: int = 1, *, traced: bool = False) -> Costs:
    """What a call costs, of each of so many threads."""

    def job(own: Instruments) -> None:
        with trace.use_span(SPAN) if traced else contextlib.nullcontext():
            case(own)

    known = {who: instruments(provider) for who, (provider, _) in zip(("SDK", "ours"), sides(), strict=True)}
    contestants = {
        who: Contestant(functools.partial(job, own), units=CALLS, threads=threads) for who, own in known.items()
    }
    return interleave(lambda _: contestants, rounds)


def collections(rounds: int) -> Costs:
    """One collection of `SERIES` sums and as many histograms."""
    contestants = {}
    for who, (provider, reader) in zip(("SDK", "ours"), sides(SERIES), strict=True):
        own = instruments(provider)
        for number in range(SERIES):
            own["counter"].add(1, {"number": str(number)})
            own["histogram"].record(1, {"number": str(number)})
        contestants[who] = Contestant(reader.get_metrics_data)
    return interleave(lambda _: contestants, rounds)


def scrapes(rounds: int) -> Costs:
    """One page of `SCRAPED` counters; each has changed since the last one.

    Raises:
        RuntimeError: a page of ours lacks series.
    """
    theirs = CollectorRegistry()
    known = PrometheusCounter("requests", "Requests.", ["method", "route", "number"], registry=theirs)
    children = [known.labels("GET", "/items", str(number)) for number in range(SCRAPED)]
    page = PrometheusPage(port=0, registry=CollectorRegistry(), cardinality_limit=SCRAPED)
    page.start()
    provider = meter.build(Resource({}), options(SCRAPED), [page.reader], {})
    counter: Any = provider.get_meter("bench").create_counter("requests")
    bound = [counter.bound({"method": "GET", "route": "/items", "number": str(number)}) for number in range(SCRAPED)]

    def scene(_number: int) -> dict[str, Contestant]:
        for child, count in zip(children, bound, strict=True):
            child.inc()
            count(1)
        return {"SDK": Contestant(lambda: generate_latest(theirs)), "ours": Contestant(page.text)}

    try:
        costs = interleave(scene, rounds)
        if page.text().count(b"requests_total{") != SCRAPED:
            raise RuntimeError("series were lost")
        return costs
    finally:
        page.stop()


def lines(rounds: int) -> list[Figure]:
    """The lines of the table that are about amounts."""
    goals = {"counter.add, 3 attributes, dict kept": 0.15, "histogram.record, 3 attributes": 0.15}
    figures = []
    for name, (case, traced) in CASES.items():
        costs = amounts(case, rounds, traced=traced)
        figures.append(compared(name, costs["ours"], costs["SDK"], goals.get(name)))
    return figures


def pages(rounds: int) -> list[Figure]:
    """The lines that are about reading."""
    few = max(2, rounds // 3)
    scraped, collected = scrapes(few), collections(few)
    what = f"Prometheus page of {SCRAPED:,} series, to prometheus_client"
    return [
        compared(what, scraped["ours"], scraped["SDK"], 0.05, note="none lost"),
        compared(f"collect {SERIES:,} sums and histograms", collected["ours"], collected["SDK"], None),
    ]


def main() -> None:
    """Print the table."""
    table = Table("what", "threads", "SDK, us", "ours, us", "ratio")
    for name, (case, traced) in CASES.items():
        for threads in THREADS:
            costs = amounts(case, ROUNDS, threads, traced=traced)
            cells = (f"{median(costs[who]) * 1e6:.2f}" for who in ("SDK", "ours"))
            table.add_row(name, str(threads), *cells, f"{ratio(costs['ours'], costs['SDK']):.3f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
