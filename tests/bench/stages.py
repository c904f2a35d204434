"""What each stage of delivery costs a span, on the user's thread and on ours: ``python tests/bench/stages.py``.

CPU time of the thread, in microseconds a span; the ratio is to a span of the bare SDK with its batch processor and an
exporter that does nothing.  Spans of ours take the short way (`span_writer`); those of other makes the general one,
whose stages are listed one by one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import partial
from typing import Any

os.environ |= {"OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}

from calls import Null
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from ours import finished as finished_ours
from rich.console import Console
from rich.table import Table
from rounds import Contestant, Costs, interleave, median, ratio

import aumos_otel as aumos
from aumos_otel import guard
from aumos_otel.config import RedactionOptions
from aumos_otel.delivery.appraisal import appraise_span
from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.ledger import Ledger
from aumos_otel.delivery.outbox import BatchLimits, MemoryOutbox
from aumos_otel.delivery.packing import MAX_BYTES, parcels_of
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.preparation import Exit, Preparation
from aumos_otel.delivery.queue import Queue
from aumos_otel.delivery.reading import span_record
from aumos_otel.delivery.selection import Selection
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.delivery.span_writer import SpanWriter
from aumos_otel.redaction.policy import Redactor

ROUNDS, SPANS = 9, 2000
ATTRIBUTES = {
    "http.request.method": "GET",
    "http.route": "/chat",
    "n": 1,
    "ok": True,
    "url.full": "https://a.example/b",
}
MESSAGE = (
    '[{"role":"user","parts":[{"type":"text","content":"' + "Tell me about error budgets, please. " * 110 + '"}]}]'
)
LLM = {f"gen_ai.request.k{number}": number for number in range(18)} | {"gen_ai.input.messages": MESSAGE}


def spans_of(provider: TracerProvider, attributes: dict[str, Any]) -> None:
    """Make spans."""
    tracer = provider.get_tracer("bench")
    for _ in range(SPANS):
        with tracer.start_as_current_span("work", attributes=attributes):
            pass


class Collected(SpanExporter):
    """Keeps what it gets."""

    def __init__(self) -> None:
        self.spans: list[Any] = []

    def export(self, spans: Any) -> SpanExportResult:
        """Keep them."""
        self.spans += spans
        return SpanExportResult.SUCCESS


def finished(attributes: dict[str, Any]) -> list[Any]:
    """Finished spans of the SDK."""
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    provider, kept = TracerProvider(shutdown_on_exit=False), Collected()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    spans_of(provider, attributes)
    return kept.spans


def swallowing() -> None:
    """Enter and leave the guard."""
    for _ in range(SPANS):
        with guard.swallow("bench"):
            pass


def queueing(spans: list[Any]) -> None:
    """Appraise and put into a queue, as the user's thread does."""
    books, queue = Ledger().open("traces"), Queue[Any](10**6, 10**12)
    for span in spans:
        size, valued = appraise_span(span)
        with books.lock:
            books.emitted += 1
            books.waiting += 1
            queue.offer(span, 1, size, valued=valued)


class Shelf:
    """What a lane does before it sends: books and keeps parcels, and puts requests together."""

    def __init__(self, books: Any) -> None:
        self.account = books.open("otlp", "http://receiver")
        self._outbox = MemoryOutbox(self.account, (SPANS * 2, 10**9), BatchLimits(512, MAX_BYTES))
        self.admit = self._outbox.admit

    def store(self, _parcels: Any) -> None:
        """Take every request out again."""
        while self._outbox.take():
            pass


def kitchen(policy: Policy) -> Preparation[Any]:
    """All that stands between the intake and a transport."""
    books = Ledger().open("traces")
    way: Any = Shelf(books)
    exits = [Exit(Selection(None, 1.0), policy, way)]
    writer = partial(SpanWriter, grain=Grain())
    return Preparation(books, exits, span_record, parcels_of, lambda: False, writer=writer)


def preparing(preparation: Preparation[Any], spans: list[Any]) -> None:
    """Prepare spans in chunks."""
    for at in range(0, SPANS, 512):
        preparation(spans[at : at + 512])


def stages(attributes: dict[str, Any]) -> dict[str, Callable[[], object]]:
    """Each stage over the same spans."""
    spans = finished(attributes)
    records = [span_record(span) for span in spans]
    redactor = Redactor(RedactionOptions(personal="mask").resolve({}, {}, {}))
    secrets = Redactor(RedactionOptions().resolve({}, {}, {}))
    plain = Policy("full", "full", None)
    whole, ours = kitchen(Policy("full", "full", secrets)), finished_ours(SPANS, attributes)
    parcels = [parcel for record in records for parcel in parcels_of(plain.applied(record))]
    policies = {"secrets": Policy("full", "full", secrets), "and personal data": Policy("full", "full", redactor)}
    return {
        "user: guard": swallowing,
        "user: appraise and queue": lambda: queueing(spans),
        "worker: all of it, a span of ours": lambda: preparing(whole, ours),
        "general way: sanitise (read)": lambda: [span_record(span) for span in spans],
        **{
            f"general way: redact {name}": lambda policy=policy: [policy.applied(record) for record in records]
            for name, policy in policies.items()
        },
        "general way: shorten and encode": lambda: [parcels_of(record.copy()) for record in records],
        "worker: assemble requests": lambda: [assemble(parcels[at : at + 512]) for at in range(0, SPANS, 512)],
        "SDK: encode": lambda: [encode_spans(spans[at : at + 512]).SerializeToString() for at in range(0, SPANS, 512)],
    }


def measure(work: dict[str, Callable[[], object]]) -> Costs:
    """What each stage takes for one span."""
    contestants = {name: Contestant(job, units=SPANS) for name, job in work.items()}
    return interleave(lambda _: contestants, ROUNDS)


def main() -> None:
    """Print the table."""
    bare = TracerProvider(shutdown_on_exit=False)
    bare.add_span_processor(BatchSpanProcessor(Null(), max_queue_size=100_000))
    telemetry = aumos.configure(
        service_name="bench", destinations=[aumos.OTLP(endpoint="http://127.0.0.1:9")], instrumentations=False
    )
    ours: Any = trace.get_tracer_provider()
    table = Table("what", "5 attributes, us", "of a bare span", "LLM, 4 KB prompt, us", "of a bare span")
    columns = []
    for attributes in (ATTRIBUTES, LLM):
        work = {
            "bare SDK: a span with its batch processor": lambda values=attributes: spans_of(bare, values),
            "ours: a span, all of the user's thread": lambda values=attributes: spans_of(ours, values),
            **stages(attributes),
        }
        columns.append(measure(work))
    first = next(iter(columns[0]))
    for name in columns[0]:
        cells = (
            cell
            for column in columns
            for cell in (f"{median(column[name]) * 1e6:.2f}", f"{ratio(column[name], column[first]):.2f}x")
        )
        table.add_row(name, *cells)
    Console().print(table)
    with contextlib.suppress(Exception):
        telemetry.shutdown(timeout=0.1)


if __name__ == "__main__":
    main()
