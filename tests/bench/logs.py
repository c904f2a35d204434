"""What a record of the standard library's logging costs beside the SDK's handler: ``python tests/bench/logs.py``.

The caller: CPU of the thread that logs, in microseconds a call, with the handler of contrib and a batch processor,
with nothing but a `logging.NullHandler` (what the standard library takes by itself), and with ours.  The encoder: CPU
from finished records to a request, beside the SDK's.  Medians of interleaved rounds in one process; a ratio is the
median of those of the rounds, "above" is that of what comes on top of the standard library's own.
"""

from __future__ import annotations

import gc
import logging
import statistics
import time
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
from rich.console import Console
from rich.table import Table

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

ROUNDS, CALLS, BATCH = 15, 2000, 512
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


def measured(job: Callable[[Any], None], logger: Any) -> float:
    """CPU of this thread, in seconds."""
    began = time.thread_time()
    job(logger)
    return time.thread_time() - began


def callers() -> Table:
    """What the one who logs pays."""
    stock = LoggerProvider(shutdown_on_exit=False)
    stock.add_log_record_processor(BatchLogRecordProcessor(Null(), max_queue_size=100_000))
    books = Ledger().open("logs")
    limits = IntakeLimits(max_records=100_000, max_bytes=2**30, batch=512, delay=1.0)
    dispatch: Dispatch[Any] = Dispatch(books, (), Nothing(books), limits, 1.0)  # type: ignore[arg-type]  # stands for one
    ours = AumosLoggerProvider(Resource({}), shutdown_on_exit=False)
    for processor in (LogIdentityProcessor(), LogExportProcessor(dispatch)):
        ours.add_log_record_processor(processor)
    handler = StandardLibraryHandler(LogsOptions().resolve({}, {}, {}), ours, Switch())
    loggers = [
        logger_with("stock", LoggingHandler(logging.NOTSET, stock)),
        logger_with("floor", logging.NullHandler()),
        logger_with("ours", handler),
    ]
    table = Table("the caller", "stock us", "floor us", "ours us", "floor", "ours", "above", title="us of CPU a call")
    for name, (job, calls) in CALLERS.items():
        rounds = [[measured(job, logger) for logger in loggers] for _ in range(ROUNDS)][1:]
        figures = [statistics.median(each) * 1e6 / calls for each in zip(*rounds, strict=True)]
        ratios = [statistics.median(round_[which] / round_[0] for round_ in rounds) for which in (1, 2)]
        above = statistics.median((mine - floor) / (theirs - floor) for theirs, floor, mine in rounds)
        table.add_row(name, *(f"{each:.2f}" for each in figures), *(f"{each:.3f}" for each in (*ratios, above)))
    for name, emit in {"emit() of the API": emitted, "emit() of a record": emitted_record}.items():
        pairs = [[measured(emit, provider.get_logger("bench")) for provider in (stock, ours)] for _ in range(ROUNDS)]
        figures = [statistics.median(each) * 1e6 / CALLS for each in zip(*pairs, strict=True)]
        ratio = statistics.median(mine / theirs for theirs, mine in pairs)
        table.add_row(name, f"{figures[0]:.2f}", "", f"{figures[1]:.2f}", "", f"{ratio:.3f}", f"{ratio:.3f}")
    stock.shutdown()
    dispatch.close()
    return table


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


def seconds(job: Callable[[], object]) -> float:
    """CPU of one call."""
    began = time.thread_time()
    job()
    return time.thread_time() - began


def encoders() -> Table:
    """What our threads pay for a record, to the request."""
    table = Table("the encoder", "SDK us", "ours us", "secrets us", "ours", "secrets", title="us of CPU a record")
    for which in ("the same text", "a fresh text", "template and arguments"):
        redactors = (None, Redactor(RedactionOptions().resolve({}, {}, {})))
        writers = [LogWriter(Policy("full", "full", redactor), Grain()) for redactor in redactors]
        rounds = []
        for number in range(ROUNDS):
            logs = finished(which, number)
            objects = of_the_sdk(logs)
            gc.collect()
            jobs: list[Callable[[], object]] = [
                lambda logs=logs, writer=writer: assemble(writer.write(logs).parcels)  # type: ignore[misc]  # mypy knows no defaults of lambdas
                for writer in writers
            ]
            stock = lambda objects=objects: encode_logs(objects).SerializeToString()  # noqa: E731 - one of three
            rounds.append([seconds(job) for job in (stock, *jobs)])
        rounds = rounds[1:]  # the first one fills the memory
        figures = [statistics.median(each) * 1e6 / BATCH for each in zip(*rounds, strict=True)]
        ratios = [statistics.median(round_[each] / round_[0] for round_ in rounds) for each in (1, 2)]
        table.add_row(which, *(f"{each:.2f}" for each in figures), *(f"{each:.3f}" for each in ratios))
    return table


def main() -> None:
    """Print all figures."""
    console = Console(width=110)
    console.print(callers())
    console.print(encoders())


if __name__ == "__main__":
    main()
