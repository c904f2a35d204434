"""Cost of ending a span through the tail sampler: prints JSON.

Beside it stand a bare ``on_end`` that appends to a list, and one that does what the export queue
does on the user's thread (weigh, lock, append), which the tail sampler moves to its own thread.
The contestants take turns, the figures are medians over the rounds, ratios those of the same
round.  ``end`` is what the user's thread pays; ``all`` is the CPU time of the process.
"""

from __future__ import annotations

import json
import statistics
import threading
import time

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider

from aumos_otel.config import TailSampling
from aumos_otel.delivery.appraisal import appraise_span
from aumos_otel.processors.tail import TailSampler

ROUNDS = 15
TRACES = 400
CHILDREN = 4


class Sink(SpanProcessor):
    """Appends spans to a list."""

    def __init__(self) -> None:
        self.taken: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        """Append."""
        self.taken.append(span)


class Queue(Sink):
    """Takes spans as the export queue does."""

    def __init__(self) -> None:
        super().__init__()
        self.lock = threading.RLock()
        self.size = 0

    def on_end(self, span: ReadableSpan) -> None:
        """Weigh and append."""
        size, _ = appraise_span(span)
        with self.lock:
            self.taken.append(span)
            self.size += size


def spans() -> list[list[ReadableSpan]]:
    """Finished traces of an LLM service, children first."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("bench")
    traces = []
    for _ in range(TRACES):
        with tracer.start_as_current_span("POST /chat", attributes={"http.route": "/chat"}) as root:
            children = [tracer.start_span("chat", attributes=ATTRIBUTES) for _ in range(CHILDREN)]
            for child in children:
                child.end()
        traces.append([*children, root])
    return traces


ATTRIBUTES = {f"key.{number}": f"value {number}" for number in range(15)}


def seconds(processor: SpanProcessor, traces: list[list[ReadableSpan]]) -> tuple[float, float]:
    """Seconds of this thread, and of the process, for ending all of them."""
    mine, process = time.thread_time(), time.process_time()
    for trace in traces:
        processor.on_start(trace[-1])
        for span in trace:
            processor.on_end(span)
    ended = time.thread_time() - mine
    processor.force_flush(10_000)
    return ended, time.process_time() - process


def main() -> None:
    """Measure and print."""
    figures: dict[str, list[float]] = {}
    count = TRACES * (CHILDREN + 1)
    for _ in range(ROUNDS):
        traces = spans()
        bare, queue = seconds(Sink(), traces)[0], seconds(Queue(), traces)[0]
        figures.setdefault("bare_us", []).append(bare / count * 1e6)
        figures.setdefault("queue_us", []).append(queue / count * 1e6)
        for share in (0.0, 0.1, 1.0):
            sampler = TailSampler(TailSampling(ratio=share, tenants=["acme"]), [Sink()], int)
            end, everything = seconds(sampler, traces)
            sampler.shutdown()
            figures.setdefault(f"keep_{share:g}_end_us", []).append(end / count * 1e6)
            figures.setdefault(f"keep_{share:g}_all_us", []).append(everything / count * 1e6)
            figures.setdefault(f"keep_{share:g}_end_x_bare", []).append(end / bare)
            figures.setdefault(f"keep_{share:g}_end_x_queue", []).append(end / queue)
    print(json.dumps({name: round(statistics.median(values), 2) for name, values in figures.items()}, indent=2))


if __name__ == "__main__":
    main()
