"""What counting SLIs adds to a span as it ends: ``python tests/bench/sli.py``.

CPU time of the threads that end spans, in microseconds a span; the ratio is to a span of the bare SDK without a
processor.  With four threads all of them end spans at once, and each counts for itself.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import SpanKind
from rich.console import Console
from rich.table import Table
from rounds import Contestant, interleave, median, ratio

from aumos_otel.processors.sli import SliCounter, SliProcessor
from aumos_otel.slo import sli

ROUNDS, SPANS = 15, 2000
THREADS = (1, 4)
ATTRIBUTES = {
    "http.request.method": "GET",
    "http.route": "/0",
    "http.response.status_code": 200,
    "url.full": "https://a.example/0",
    "aumos.tenant.id": "acme",
}
GOOD = {"not": {"http.response.status_code": {"gte": 500}}, "duration": {"below": "300ms"}}


class Finished(SpanProcessor):
    """Keeps finished spans."""

    def __init__(self) -> None:
        self.spans: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it."""
        self.spans.append(span)


class Adds(SpanProcessor):
    """Counts with the SDK's counters, as one would without an SLI: two adds, attributes made once."""

    def __init__(self) -> None:
        meter = MeterProvider([InMemoryMetricReader()], shutdown_on_exit=False).get_meter("bench")
        self._events, self._good = meter.create_counter("events"), meter.create_counter("good")
        self._labels = {"name": "availability", "tenant": "acme"}

    def on_end(self, span: ReadableSpan) -> None:
        """Count it."""
        known = span.attributes or {}
        if span.kind is SpanKind.SERVER and known.get("http.route") == "/0":
            self._events.add(1, self._labels)
            if known["http.response.status_code"] < 500:  # type: ignore[operator]  # it is a number here
                self._good.add(1, self._labels)


def by_route(count: int) -> SliProcessor:
    """SLIs of which a span is an event of one."""
    return processor({"kind": "server", "http.route": f"/{number}"} for number in range(count))


def by_kind(count: int) -> SliProcessor:
    """SLIs of which a span is an event of all."""
    return processor({"kind": "server"} for _ in range(count))


def of_others(count: int) -> SliProcessor:
    """SLIs of which a span is an event of none."""
    return processor({"kind": "server", "http.route": f"/{number + 1}"} for number in range(count))


def processor(matches: Any) -> SliProcessor:
    """Counts SLIs that match so."""
    data = ({"name": f"sli-{number}", "match": match, "good": GOOD} for number, match in enumerate(matches))
    return SliProcessor(SliCounter(map(sli.from_data, data)))


def main() -> None:
    """Print the table."""
    provider, finished = TracerProvider(shutdown_on_exit=False), Finished()
    provider.add_span_processor(finished)
    bare = TracerProvider(shutdown_on_exit=False)

    def spans_of(made: TracerProvider) -> None:
        tracer = made.get_tracer("bench")
        for _ in range(SPANS):
            tracer.start_span("GET /0", kind=SpanKind.SERVER, attributes=ATTRIBUTES).end()

    spans_of(provider)
    spans = finished.spans

    def ending(counting: SpanProcessor) -> Callable[[], None]:
        def end_all() -> None:
            end = counting.on_end
            for span in spans:
                end(span)

        return end_all

    work: dict[str, Callable[[], object]] = {
        "a span of the bare SDK": lambda: spans_of(bare),
        "no SLI": ending(by_kind(0)),
        **{f"event of none of {count}": ending(of_others(count)) for count in (1, 10, 100)},
        **{f"event of 1 of {count}": ending(by_route(count)) for count in (1, 10, 100)},
        **{f"event of all {count}": ending(by_kind(count)) for count in (10, 100)},
        "by hand: two counters of the SDK": ending(Adds()),
    }
    table = Table(
        "what a span adds", *(f"{count} thread{'s' * (count > 1)}, us" for count in THREADS), "of a bare span"
    )
    costs = {
        threads: interleave(
            lambda _, threads=threads: {
                name: Contestant(job, units=SPANS, threads=threads) for name, job in work.items()
            },
            ROUNDS,
        )
        for threads in THREADS
    }
    for name in work:
        cells = (f"{median(costs[threads][name]) * 1e6:.2f}" for threads in THREADS)
        table.add_row(name, *cells, f"{ratio(costs[1][name], costs[1]['a span of the bare SDK']):.2f}x")
    Console().print(table)


if __name__ == "__main__":
    main()
