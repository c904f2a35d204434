"""What an amount, a collection and a scrape cost beside the SDK and prometheus_client: ``python tests/bench/metrics.py``.

CPU time of the threads that do it; the ratio is the median of those of interleaved rounds, in one process.  The
metrics are recorded outside of a span and, where the row says so, in a sampled one.
"""

from __future__ import annotations

import contextlib
import functools
import gc
import statistics
import threading
import time
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


def spent(do: Callable[[], object]) -> float:
    """CPU seconds of this thread, without those of a collection of garbage that happens to be due."""
    gc.collect()
    gc.disable()
    try:
        start = time.thread_time()
        do()
        return time.thread_time() - start
    finally:
        gc.enable()


def on_threads(case: Callable[[Instruments], None], own: Instruments, threads: int, *, traced: bool) -> float:
    """CPU seconds for a call, of all threads at once."""
    times: list[float] = []
    ready = threading.Barrier(threads)

    def run() -> None:
        with trace.use_span(SPAN) if traced else contextlib.nullcontext():
            ready.wait()
            start = time.thread_time()
            case(own)
            times.append(time.thread_time() - start)

    running = [threading.Thread(target=run) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    return sum(times) / threads / CALLS


def compare(measures: list[Callable[[], float]]) -> tuple[float, float, float]:
    """Median seconds of the first and the second, and the median of the ratios."""
    for measure in measures:
        measure()
    rounds = [[measure() for measure in measures] for _ in range(ROUNDS)]
    first, second = zip(*rounds, strict=True)
    return (
        statistics.median(first),
        statistics.median(second),
        statistics.median(ours / theirs for theirs, ours in rounds),
    )


def collections() -> tuple[float, float, float]:
    """Seconds for one collection of `SERIES` sums and as many histograms."""
    measures = []
    for provider, reader in sides(SERIES):
        own = instruments(provider)
        for number in range(SERIES):
            own["counter"].add(1, {"number": str(number)})
            own["histogram"].record(1, {"number": str(number)})
        measures.append(lambda reader=reader: spent(reader.get_metrics_data))
    return compare(measures)


def scrapes() -> tuple[float, float, float]:
    """Seconds for one page of `SCRAPED` counters; each has changed since the last one."""
    theirs = CollectorRegistry()
    known = PrometheusCounter("requests", "Requests.", ["method", "route", "number"], registry=theirs)
    children = [known.labels("GET", "/items", str(number)) for number in range(SCRAPED)]
    page = PrometheusPage(port=0, registry=CollectorRegistry(), cardinality_limit=SCRAPED)
    page.start()
    provider = meter.build(Resource({}), options(SCRAPED), [page.reader], {})
    counter: Any = provider.get_meter("bench").create_counter("requests")
    bound = [counter.bound({"method": "GET", "route": "/items", "number": str(number)}) for number in range(SCRAPED)]

    def scrape_theirs() -> float:
        for child in children:
            child.inc()
        return spent(lambda: generate_latest(theirs))

    def scrape_ours() -> float:
        for count in bound:
            count(1)
        text = b""

        def scrape() -> None:
            nonlocal text
            text = page.text()

        took = spent(scrape)
        if text.count(b"requests_total{") != SCRAPED:
            raise SystemExit("series were lost")
        return took

    try:
        return compare([scrape_theirs, scrape_ours])
    finally:
        page.stop()


def main() -> None:
    """Print the table."""
    table = Table("what", "threads", "SDK, us", "ours, us", "ratio")
    for name, (case, traced) in CASES.items():
        for threads in THREADS:
            own = [instruments(provider) for provider, _ in sides()]
            row = compare([functools.partial(on_threads, case, each, threads, traced=traced) for each in own])
            table.add_row(name, str(threads), *(f"{value * 1e6:.2f}" for value in row[:2]), f"{row[2]:.3f}")
    for name, row in (
        (f"collect {SERIES} + {SERIES} series", collections()),
        (f"a page of {SCRAPED} series", scrapes()),
    ):
        table.add_row(name, "1", *(f"{value * 1e6:.0f}" for value in row[:2]), f"{row[2]:.3f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
