"""CPU of turning finished records into a request, beside the SDK's encoder: `python tests/bench/encoding.py`.

First spans of ours, which the writer takes, without and with redaction of secrets; then by the general way what is not ours.

The figures are in microseconds a record; see `rounds`.
"""

from __future__ import annotations

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
from rounds import Contestant, Costs, Figure, compared, interleave, median, ratio

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


def compare(name: str, ours: Callable[[], object], stock: Callable[[], object], encoding: Callable[[], object]) -> None:
    """Print one line: the whole way, the encoding alone, and the SDK's."""
    jobs = {"SDK": stock, "ours": ours, "encode": encoding}
    contestants = {who: Contestant(job, units=BATCH) for who, job in jobs.items()}
    show(name, interleave(lambda _: contestants, ROUNDS))


def show(name: str, costs: Costs) -> None:
    """Print the SDK's figure, and those of the others with their ratios."""
    sdk, *others = costs
    cells = (f"{median(costs[who]) * 1e6:>9.2f}{ratio(costs[who], costs[sdk]):>8.3f}x" for who in others)
    print(f"{name:<34}{median(costs[sdk]) * 1e6:>9.1f}{''.join(cells)}")


def compare_spans(name: str, spans: Sequence[ReadableSpan]) -> None:
    """The line of a batch of spans."""
    records = [span_record(span) for span in spans]
    compare(
        name,
        lambda: assemble([parcel for span in spans for parcel in parcels_of(span_record(span))]),
        lambda: encode_spans(spans).SerializeToString(),
        lambda: [encode(record) for record in records],
    )


def written(attributes: dict[str, Any], rounds: int, **kinds: Any) -> Costs:
    """What a batch of our spans costs, to the request; the spans are new in each round."""
    writers = {
        who: SpanWriter(Policy("full", "full", redactor), Grain())
        for who, redactor in (("ours", None), ("ours, secrets redacted", REDACTOR))
    }

    def scene(_number: int) -> dict[str, Contestant]:
        spans = finished_ours(BATCH, attributes, **kinds)
        jobs: dict[str, Callable[[], object]] = {"SDK": lambda: encode_spans(spans).SerializeToString()}
        for who, writer in writers.items():
            jobs[who] = lambda writer=writer: assemble(writer.write(spans).parcels)
        return {who: Contestant(job, units=BATCH) for who, job in jobs.items()}

    return interleave(scene, rounds)


def batches(rounds: int) -> list[Figure]:
    """The lines of the table: a batch with five attributes, and one of LLM calls."""
    figures = []
    for name, attributes, goal in (("5 attributes", FIVE, 0.1), ("LLM, 20 attributes, 5 KB", LLM, 0.2)):
        costs = written(attributes, rounds)
        note = f"with redaction of secrets {ratio(costs['ours, secrets redacted'], costs['SDK']):.3f}"
        figures.append(compared(f"encode a span: {name}", costs["ours"], costs["SDK"], goal, note=note))
    return figures


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
    costs = interleave(lambda _: {name: Contestant(job, units=count)}, ROUNDS)
    print(f"{name:<58}{median(costs[name]) * 1e6:>10.1f} us")


def main() -> None:
    """Print all figures."""
    print(f"{'us a span of ours, to the request':<34}{'SDK':>9}{'ours':>9}{'':>9}{'secrets':>9}")
    for name, attributes in {"no attributes": {}, "5 attributes": FIVE, "LLM, 20 attributes, 5 KB": LLM}.items():
        show(name, written(attributes, ROUNDS))
    show("5 attributes and a fresh id", written(FIVE, ROUNDS, fresh=True))
    show("5 attributes and an exception", written(FIVE, ROUNDS, error=ValueError("it broke")))
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
