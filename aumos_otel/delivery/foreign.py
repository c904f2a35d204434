"""Delivery through an exporter of another package, such as ``OTEL_TRACES_EXPORTER=console``.

It gets objects of the SDK's types, rebuilt from the redacted record; what it returns is what the books say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, TypeVar, cast

from opentelemetry._logs import LogRecord as SDKLogRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

from aumos_otel import guard
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.delivery.reading import IS_REMOTE, log_record, span_record
from aumos_otel.redaction.policy import RedactionFailed
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from aumos_otel.delivery.ledger import Account
    from aumos_otel.delivery.origin import Origin
    from aumos_otel.delivery.policy import Policy
    from aumos_otel.delivery.record import LogRecord, SpanRecord

T = TypeVar("T")


class ExporterPreparation(Generic[T]):
    """Hands finished records to an exporter in batches, on the thread of the intake.

    Args:
        account: where the outcome is booked.
        exporter: of the SDK's type.
        redacted: makes of an object of the SDK one that may leave; may raise.
        batch: records that one call gets at most.
        paused: whether telemetry is switched off.
    """

    def __init__(
        self,
        account: Account,
        exporter: Any,
        redacted: Callable[[T], T],
        batch: int,
        paused: Callable[[], bool],
    ) -> None:
        self._account = account
        self._exporter = exporter
        self._redacted = redacted
        self._batch = batch
        self._paused = paused

    def __call__(self, items: Sequence[T]) -> None:
        """Export ``items``, each of which is booked as one waiting record."""
        if self._paused():
            self._drop(len(items), attributes.AUMOS_OTEL_REASON_PAUSED)
            return
        taken = []
        for item in items:
            try:
                taken.append(self._redacted(item))
            except RedactionFailed:
                self._drop(1, attributes.AUMOS_OTEL_REASON_REDACTION_FAILED)
            except BaseException as error:  # noqa: BLE001 - it is counted, and the others go on
                guard.record("delivery.read", error)
                self._drop(1, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)
        for first in range(0, len(taken), self._batch):
            self._export(taken[first : first + self._batch])

    def _export(self, batch: list[T]) -> None:
        account, books = self._account, self._account.books
        with books.lock:
            books.waiting -= len(batch)
            account.queued += len(batch)
        message = "the exporter returned a failure"
        try:
            exported = getattr(self._exporter.export(batch), "name", "") == "SUCCESS"
        except BaseException as error:  # noqa: BLE001 - an exporter may raise anything; it is booked
            exported, message = False, f"{type(error).__name__}: {error}"[:300]
        if exported:
            account.settle(len(batch), Outcome("accepted"))
        else:
            account.give_up(len(batch), attributes.AUMOS_OTEL_REASON_EXPORT_FAILED, message)

    def _drop(self, count: int, reason: str) -> None:
        with self._account.books.lock:
            self._account.books.waiting -= count
            self._account.dropped[reason] += count
            self._account.books.moved.notify_all()

    def close(self) -> None:
        """Shut the exporter down."""
        with guard.swallow("delivery.exporter"):
            self._exporter.shutdown()


def redacted_span(span: ReadableSpan | SpanRecord, policy: Policy) -> ReadableSpan:
    """``span`` with what ``policy`` lets out, as the SDK's type."""
    record = policy.applied(span_record(span))
    parent = record.parent_span_id
    return ReadableSpan(
        name=record.name,
        context=_context(record.trace_id, record.span_id, record.trace_state),
        parent=_context(record.trace_id, parent, "", remote=bool(record.flags & IS_REMOTE)) if parent else None,
        resource=_resource(record.origin),
        attributes=record.attributes,
        events=[Event(event.name, event.attributes, event.time) for event in record.events],
        links=[Link(_context(link.trace_id, link.span_id, link.trace_state), link.attributes) for link in record.links],
        kind=SpanKind(record.kind - 1),
        instrumentation_scope=_scope(record.origin),
        status=Status(StatusCode(record.status_code), record.status_message or None),
        start_time=record.start,
        end_time=record.end,
    )


def redacted_log(data: ReadableLogRecord | LogRecord, policy: Policy) -> ReadableLogRecord:
    """The same for a log record."""
    record = policy.applied(log_record(data))
    made: Any = SDKLogRecord(
        timestamp=record.time,
        observed_timestamp=record.observed_time,
        severity_text=record.severity_text or None,
        severity_number=SeverityNumber(record.severity_number),
        body=record.body,
        attributes=record.attributes,
        event_name=record.event_name or None,
    )
    made.trace_id, made.span_id, made.trace_flags = record.trace_id, record.span_id, TraceFlags(record.flags & 0xFF)
    return ReadableLogRecord(made, _resource(record.origin), _scope(record.origin))


def _context(trace_id: int, span_id: int, trace_state: str, *, remote: bool = False) -> SpanContext:
    state = TraceState.from_header([trace_state]) if trace_state else None
    return SpanContext(trace_id, span_id, remote, TraceFlags(TraceFlags.SAMPLED), state)


def _resource(origin: Origin) -> Resource:
    return Resource(cast("Any", origin.resource_attributes), origin.resource_schema_url)


def _scope(origin: Origin) -> InstrumentationScope:
    attributes = cast("Any", origin.scope_attributes)
    return InstrumentationScope(origin.scope_name, origin.scope_version, origin.scope_schema_url, attributes)
