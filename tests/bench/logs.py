"""What a record of the standard library's logging costs: ``python tests/bench/table.py --only logs``.

The caller: the handler of contrib and a batch processor, nothing but a `logging.NullHandler` (what the standard
library takes by itself), and ours.  The encoder: from finished records to a request, beside the SDK's.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.instrumentation.logging.handler import LoggingHandler
from opentelemetry.sdk._logs import LoggerProvider, ReadableLogRecord
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor, LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, TraceFlags
from rounds import Contestant, Costs, Figure, above, compared, interleave, ratio

import aumos_otel as aumos
from aumos_otel.config import LogsOptions, RedactionOptions
from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.dispatch import Dispatch
from aumos_otel.delivery.intake import IntakeLimits
from aumos_otel.delivery.ledger import Books, Ledger
from aumos_otel.delivery.log_writer import LogWriter
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.pipeline import Switch
from aumos_otel.processors.log_handler import StandardLibraryHandler
from aumos_otel.processors.logs import LogExportProcessor, LogIdentityProcessor
from aumos_otel.providers.logger import AumosLoggerProvider
from aumos_otel.providers.tracer import AumosTracerProvider
from aumos_otel.recording.log import Log, Source
from aumos_otel.redaction.policy import Redactor

CALLS, BATCH = 2000, 512
FIVE = {"order": 7, "user": "ann", "path": "/a/b", "ok": True, "ms": 1.5}


class Null(LogRecordExporter):
    """Takes everything, does nothing."""

    def export(self, batch: Sequence[Any]) -> LogRecordExportResult:
        """Take them."""
        return LogRecordExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing to shut down."""

    def force_flush(self, timeout_millis: int = 0) -> bool:
        """Nothing to flush."""
        return True


class Nothing:
    """Prepares nothing: the same for ours."""

    def __init__(self, books: Books) -> None:
        self._books = books

    def __call__(self, items: Sequence[Any]) -> None:
        """Take them."""
        with self._books.lock:
            self._books.waiting -= len(items)

    def close(self) -> None:
        """Nothing to close."""


def logger_with(name: str, handler: logging.Handler) -> logging.Logger:
    """A logger with no other handler."""
    logger = logging.getLogger(f"bench.{name}")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    return logger


def plain(logger: logging.Logger) -> None:
    """A text."""
    for _ in range(CALLS):
        logger.info("the order is paid")


def five(logger: logging.Logger) -> None:
    """Arguments and five extras."""
    for number in range(CALLS):
        logger.info("order %s took %d ms", number, 5, extra=FIVE)


def raising(logger: logging.Logger) -> None:
    """An exception."""
    try:
        raise ValueError("it broke")  # noqa: TRY301 - it has to be in flight
    except ValueError:
        for _ in range(CALLS // 10):
            logger.exception("failed")


def in_span(logger: logging.Logger) -> None:
    """Arguments and five extras, for a bound tenant, in a span of ours."""
    tracer = AumosTracerProvider(shutdown_on_exit=False).get_tracer("bench")
    with aumos.bind(tenant_id="acme"), tracer.start_as_current_span("work"):
        five(logger)


def an_object(logger: logging.Logger) -> None:
    """An argument with a text of its own, and a list among the extras."""
    for _ in range(CALLS):
        logger.info("order %s", Order(), extra={"tags": ["a", "b"]})


class Order:
    """Something of the application's."""

    def __str__(self) -> str:
        return "seven"


CALLERS: dict[str, tuple[Callable[[logging.Logger], None], int]] = {
    "plain text": (plain, CALLS),
    "arguments and 5 extras": (five, CALLS),
    "the same in a span, tenant bound": (in_span, CALLS),
    "an object and a list": (an_object, CALLS),
    "an exception": (raising, CALLS // 10),
}


def emitted(logger: Any) -> None:
    """Five attributes, through the API."""
    for _ in range(CALLS):
        logger.emit(body="the order is paid", attributes=FIVE, severity_number=SeverityNumber.INFO)


def emitted_record(logger: Any) -> None:
    """The same as a record that the caller makes."""
    for _ in range(CALLS):
        logger.emit(LogRecord(body="the order is paid", attributes=FIVE, severity_number=SeverityNumber.INFO))


def sides() -> tuple[LoggerProvider, LoggerProvider, logging.Handler, Callable[[], object]]:
    """The SDK's provider and ours, our handler, and what ends both."""
    stock = LoggerProvider(shutdown_on_exit=False)
    stock.add_log_record_processor(BatchLogRecordProcessor(Null(), max_queue_size=100_000))
    books = Ledger().open("logs")
    limits = IntakeLimits(max_records=100_000, max_bytes=2**30, batch=512, delay=1.0)
    dispatch: Dispatch[Any] = Dispatch(books, (), Nothing(books), limits, 1.0)  # type: ignore[arg-type]  # stands for one
    ours = AumosLoggerProvider(Resource({}), shutdown_on_exit=False)
    for processor in (LogIdentityProcessor(), LogExportProcessor(dispatch)):
        ours.add_log_record_processor(processor)
    handler = StandardLibraryHandler(LogsOptions().resolve({}, {}, {}), ours, Switch())
    return stock, ours, handler, lambda: (stock.shutdown(), dispatch.close())


def callers(rounds: int) -> dict[str, Costs]:
    """What the one who logs pays, by what he logs and who takes it."""
    stock, ours, handler, end = sides()
    loggers = {
        "stock": logger_with("stock", LoggingHandler(logging.NOTSET, stock)),
        "floor": logger_with("floor", logging.NullHandler()),
        "ours": logger_with("ours", handler),
    }
    cases = {name: (job, calls, loggers) for name, (job, calls) in CALLERS.items()}
    api = {"stock": stock.get_logger("bench"), "ours": ours.get_logger("bench")}
    cases |= {"emit() of the API": (emitted, CALLS, api), "emit() of a record": (emitted_record, CALLS, api)}
    flushes = {"stock": stock.force_flush, "floor": int, "ours": ours.force_flush}
    found = {}
    for name, (job, calls, takers) in cases.items():
        contestants = {
            who: Contestant(lambda job=job, taker=taker: job(taker), units=calls, flush=flushes[who])
            for who, taker in takers.items()
        }
        found[name] = interleave(lambda _, contestants=contestants: contestants, rounds)
    end()
    return found


def lines(rounds: int) -> list[Figure]:
    """The lines of the table: a call of the standard library, and the encoding of a record."""
    figures = []
    for name, costs in callers(rounds).items():
        note = ""
        if "floor" in costs:
            floor = costs["floor"]
            on_top = ratio(above(costs["ours"], floor), above(costs["stock"], floor))
            note = f"logging by itself {ratio(floor, costs['stock']):.2f}; what comes on top {on_top:.2f}"
        goal = 0.3 if name in {"plain text", "arguments and 5 extras"} else None
        figures.append(compared(f"log record, caller: {name}", costs["ours"], costs["stock"], goal, note=note))
    for name, goal in (("the same text", 0.15), ("a fresh text", None), ("template and arguments", None)):
        costs = encoders(name, rounds)
        note = f"with redaction of secrets {ratio(costs['ours, secrets redacted'], costs['SDK']):.3f}"
        figures.append(compared(f"log record, encode: {name}", costs["ours"], costs["SDK"], goal, note=note))
    return figures


def finished(which: str, number: int) -> list[Log]:
    """Records of ours with five attributes, each two in one span."""
    resource, scope = Resource({"service.name": "bench"}), InstrumentationScope("bench")
    source = Source(resource, scope)
    contexts = [SpanContext(5**50 + each // 2, 7**20, False, TraceFlags(1)) for each in range(BATCH)]
    for each in range(1, BATCH, 2):
        contexts[each] = contexts[each - 1]
    bodies: list[tuple[Any, tuple[Any, ...] | None]] = [
        {
            "the same text": ("the order is paid", None),
            "a fresh text": (f"order {number}-{each} took 5 ms", None),
            "template and arguments": ("order %s took %d ms", (f"{number}-{each}", 5)),
        }[which]
        for each in range(BATCH)
    ]
    return [
        Log(10**18 + each, 10**18 + each, 9, "INFO", *bodies[each], dict(FIVE), None, contexts[each], source)
        for each in range(BATCH)
    ]


def of_the_sdk(logs: Sequence[Log]) -> list[ReadableLogRecord]:
    """The same as objects of the SDK's."""
    made = []
    for log in logs:
        record: Any = LogRecord(
            timestamp=log.timestamp,
            observed_timestamp=log.observed_timestamp,
            severity_text=log.severity_text,
            severity_number=SeverityNumber(log.severity_number),
            body=log.body,
            attributes=log.values,
        )
        record.trace_id, record.span_id, record.trace_flags = log.trace_id, log.span_id, log.trace_flags
        made.append(ReadableLogRecord(record, log.resource, log.instrumentation_scope))
    return made


def encoders(which: str, rounds: int) -> Costs:
    """What our threads pay for a record, to the request."""
    redactors = {"ours": None, "ours, secrets redacted": Redactor(RedactionOptions().resolve({}, {}, {}))}
    writers = {who: LogWriter(Policy("full", "full", redactor), Grain()) for who, redactor in redactors.items()}

    def scene(number: int) -> dict[str, Contestant]:
        logs = finished(which, number)
        objects = of_the_sdk(logs)
        jobs: dict[str, Callable[[], object]] = {"SDK": lambda: encode_logs(objects).SerializeToString()}
        for who, writer in writers.items():
            jobs[who] = lambda writer=writer: assemble(writer.write(logs).parcels)
        return {who: Contestant(job, units=BATCH) for who, job in jobs.items()}

    return interleave(scene, rounds)
