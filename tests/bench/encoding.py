"""CPU of turning finished records into a request, beside the SDK's encoder: `python tests/bench/encoding.py`.

First spans of ours, which the writer takes, without and with redaction of secrets; then by the general way what is not ours.

Rounds alternate between the contestants; the figures are the medians over the rounds, in microseconds a record,
and the ratio is the median of the ratios in the same round.
"""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.metrics_encoder import encode_metrics
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, MetricsData
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from ours import finished as finished_ours

from aumos_otel.config import RedactionOptions
from aumos_otel.delivery.appraisal import appraise_log, appraise_span
from aumos_otel.delivery.assembly import assemble, split
from aumos_otel.delivery.encoding import encode
from aumos_otel.delivery.measurements import metric_records
from aumos_otel.delivery.packing import parcels_of
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.reading import log_record, span_record
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.delivery.span_writer import SpanWriter
from aumos_otel.redaction.policy import Redactor

ROUNDS = 25
BATCH = 512

FIVE = {"http.route": "/chat", "http.request.method": "POST", "http.response.status_code": 200, "ok": True, "cost": 0.5}
REDACTOR = Redactor(RedactionOptions().resolve({}, {}, {}))
LLM = (
    {f"gen_ai.key.{number}": f"value-{number}" for number in range(16)}
    | {"gen_ai.usage.input_tokens": 142, "gen_ai.usage.output_tokens": 67, "gen_ai.response.finish_reasons": ("stop",)}
    | {"gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"' + "words " * 680 + '"}]}]'}
    | {"gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"' + "words " * 170 + '"}]}]'}
)


def finished(attributes: dict[str, Any], *, fresh: bool = False) -> Sequence[ReadableSpan]:
    """Spans of the SDK; with ``fresh`` one value is new in each, as ids are."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=Resource({"service.name": "bench"}), shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("bench", "1")
    for number in range(BATCH):
        own = attributes | {"request.id": f"request-{number}-{id(attributes)}"} if fresh else attributes
        with tracer.start_as_current_span("work", attributes=own):
            pass
    return exporter.get_finished_spans()


def logs() -> Sequence[ReadableLogRecord]:
    """Log records with five attributes."""
    scope, resource = InstrumentationScope("bench"), Resource({"service.name": "bench"})
    record = LogRecord(timestamp=1, severity_number=SeverityNumber.INFO, body="a line of a log", attributes=FIVE)
    return [ReadableLogRecord(record, resource, scope)] * BATCH


def metrics() -> MetricsData:
    """A histogram with many points."""
    reader = InMemoryMetricReader()
    provider = MeterProvider([reader], shutdown_on_exit=False)
    histogram = provider.get_meter("bench").create_histogram("duration", "s")
    for number in range(BATCH):
        histogram.record(0.5, {"http.route": f"/{number}", "http.request.method": "GET"})
    data = reader.get_metrics_data()
    assert data is not None
    provider.shutdown()
    return data


def seconds(job: Callable[[], object]) -> float:
    """CPU of one call."""
    began = time.process_time()
    job()
    return time.process_time() - began


def compare(name: str, ours: Callable[[], object], stock: Callable[[], object], encoding: Callable[[], object]) -> None:
    """Print one line: the whole way, the encoding alone, and the SDK's."""
    for job in (ours, stock, encoding):
        job()
    gc.collect()
    rounds = [(seconds(ours), seconds(encoding), seconds(stock)) for _ in range(ROUNDS)]
    whole, alone, sdk = (statistics.median(each) * 1e6 / BATCH for each in zip(*rounds, strict=True))
    ratio = statistics.median(round_[0] / round_[2] for round_ in rounds)
    ratio_alone = statistics.median(round_[1] / round_[2] for round_ in rounds)
    print(f"{name:<34}{sdk:>9.1f}{whole:>9.1f}{ratio:>8.2f}x{alone:>9.1f}{ratio_alone:>8.2f}x")


def compare_spans(name: str, spans: Sequence[ReadableSpan]) -> None:
    """The line of a batch of spans."""
    records = [span_record(span) for span in spans]
    compare(
        name,
        lambda: assemble([parcel for span in spans for parcel in parcels_of(span_record(span))]),
        lambda: encode_spans(spans).SerializeToString(),
        lambda: [encode(record) for record in records],
    )


def compare_written(name: str, attributes: dict[str, Any], **kinds: Any) -> None:
    """The line of a batch of our spans, which are new in each round."""
    writers = [SpanWriter(Policy("full", "full", redactor), Grain()) for redactor in (None, REDACTOR)]
    rounds = []
    for _ in range(ROUNDS):
        spans = finished_ours(BATCH, attributes, **kinds)
        gc.collect()
        jobs: list[Callable[[], object]] = [
            lambda spans=spans, writer=writer: assemble(writer.write(spans).parcels)  # type: ignore[misc]  # mypy knows no defaults of lambdas
            for writer in writers
        ]
        rounds.append([seconds(job) for job in (lambda spans=spans: encode_spans(spans).SerializeToString(), *jobs)])
    rounds = rounds[1:]  # the first one fills the memory
    sdk, off, on = (statistics.median(each) * 1e6 / BATCH for each in zip(*rounds, strict=True))
    ratios = [statistics.median(round_[which] / round_[0] for round_ in rounds) for which in (1, 2)]
    print(f"{name:<34}{sdk:>9.1f}{off:>9.2f}{ratios[0]:>8.3f}x{on:>9.2f}{ratios[1]:>8.3f}x")


def compare_logs() -> None:
    """The line of a batch of log records."""
    batch = logs()
    records = [log_record(data) for data in batch]
    compare(
        "log record, 5 attributes",
        lambda: assemble([parcel for data in batch for parcel in parcels_of(log_record(data))]),
        lambda: encode_logs(batch).SerializeToString(),
        lambda: [encode(record) for record in records],
    )


def compare_metrics() -> None:
    """The line of a histogram."""
    data = metrics()
    records, _ = metric_records(data)
    compare(
        "histogram point, 2 attributes",
        lambda: assemble([parcel for record in metric_records(data)[0] for parcel in parcels_of(record)]),
        lambda: encode_metrics(data).SerializeToString(),
        lambda: [encode(record) for record in records],
    )


def each(name: str, job: Callable[[], object], count: int) -> None:
    """Print the CPU of one of ``count``."""
    job()
    figure = statistics.median(seconds(job) for _ in range(ROUNDS)) * 1e6 / count
    print(f"{name:<58}{figure:>10.1f} us")


def main() -> None:
    """Print all figures."""
    print(f"{'us a span of ours, to the request':<34}{'SDK':>9}{'ours':>9}{'':>9}{'secrets':>9}")
    compare_written("no attributes", {})
    compare_written("5 attributes", FIVE)
    compare_written("5 attributes and a fresh id", FIVE, fresh=True)
    compare_written("LLM, 20 attributes, 5 KB", LLM)
    compare_written("5 attributes and an exception", FIVE, error=ValueError("it broke"))
    print()
    print(f"{'us a record':<34}{'SDK':>9}{'ours':>9}{'':>9}{'encode':>9}")
    compare_spans("span, no attributes", finished({}))
    five = finished(FIVE)
    compare_spans("span, 5 attributes", five)
    compare_spans("span, 5 attributes and a fresh id", finished(FIVE, fresh=True))
    compare_spans("LLM span, 20 attributes, 5 KB", finished(LLM))
    compare_logs()
    compare_metrics()
    print()
    batch = logs()
    each("appraise_span, 5 attributes (user's thread)", lambda: [appraise_span(span) for span in five], BATCH)
    each("appraise_log, 5 attributes (user's thread)", lambda: [appraise_log(data) for data in batch], BATCH)
    for kind, prompt in (("ASCII", "a" * 10_000_000), ("not ASCII", "ä€" * 2_000_000)):
        large = finished({"gen_ai.input.messages": prompt})[:4]
        each(f"a prompt of 10 MB, {kind}", lambda spans=large: [parcels_of(span_record(span)) for span in spans], 4)
    body = assemble([parcel for span in five for parcel in parcels_of(span_record(span))])
    each(f"split a request of {BATCH} spans", lambda: split("traces", body), 1)


if __name__ == "__main__":
    main()
