"""The logger that our provider hands out: the SDK's, which keeps plain `Log`s where nobody wants more than that."""

from __future__ import annotations

from time import time_ns
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import trace
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.trace import TraceFlags, TraceState

from aumos_otel import _compat, guard
from aumos_otel._internal import ambient
from aumos_otel._internal.plain import SCALARS
from aumos_otel.context import IDENTITY_KEY, Identity
from aumos_otel.delivery.record import SEVERITY_ERROR
from aumos_otel.processors.logs import LogProcessors
from aumos_otel.recording.limits import kept_values, weight, weight_of
from aumos_otel.recording.log import LOG, Log, Source
from aumos_otel.recording.span import Span
from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext
    from opentelemetry.util.types import AnyValue, Attributes

_SITE: Final = "providers.logger.emit"
_UNBOUNDED: Final = 2**62
_NO_STATE: Final = TraceState()
_SPAN_KEY: Final = ambient.SPAN_KEY
_OPERATION: Final = names.GEN_AI_OPERATION_NAME
_TEXTS: Final = (str, type(None))

_new: Final = tuple.__new__  # half the price of calling the class
_current_context = ambient.current_context


class Logger(_compat.LoggerNames):
    """The SDK's logger.

    Attributes:
        processors: of the provider; None where somebody gave it others than ours has.
        most: attributes of a record.
        longest: characters of a text among them; None: any.
    """

    processors: LogProcessors | None = None
    most: int
    longest: int | None
    _source: Source

    def take_over(self) -> bool:
        """Become ours: the SDK's provider has made it.  False where its fields are not to be found."""
        fields = self.adopt()
        if fields is None:
            return False
        limits, resource, scope = fields
        most = limits.max_log_record_attributes
        self.most = _UNBOUNDED if most is None else most
        self.longest = limits.max_log_record_attribute_length
        self.spoken_by(resource, scope)
        self.processors = self.processor if isinstance(self.processor, LogProcessors) and not self.measures else None
        return True

    def spoken_by(self, resource: Resource, scope: InstrumentationScope) -> None:
        """This is who speaks from now on."""
        self._source = Source(resource, scope)

    def keep(  # noqa: PLR0917 - on the hot path: names would cost
        self,
        context: Context,
        timestamp: int | None,
        observed_timestamp: int,
        severity_number: int,
        severity_text: str | None,
        message: Any,
        arguments: tuple[Any, ...] | None,
        values: dict[str, Any],
        event_name: str | None,
        size: int,
        span_context: SpanContext | None = None,
    ) -> None:
        """Hand over a record of plain values, none of which is the caller's; where `LogProcessors.take_logs`.

        Args:
            context: where it was written: tells span and identity.
            timestamp: when it happened, in nanoseconds since 1970.
            observed_timestamp: now.
            severity_number: OTLP's.
            severity_text: its name.
            message: its body, or the template of it.
            arguments: of the template.
            values: its attributes, within the limits.
            event_name: of an event.
            size: estimated bytes.
            span_context: stands in the place of the span that the context tells.
        """
        if not self.active:
            return
        if context:
            if span_context is None:
                above = context.get(_SPAN_KEY)
                if type(above) is Span:
                    span_context = above.context
                elif above is not None or not _SPAN_KEY:
                    span_context = trace.get_current_span(context).get_span_context()
            identity = context.get(IDENTITY_KEY)
            if isinstance(identity, Identity):
                values = identity.attributes() | values
        log = _new(
            Log,
            (
                timestamp,
                observed_timestamp,
                severity_number,
                severity_text,
                message,
                arguments,
                values,
                event_name,
                span_context,
                self._source,
            ),
        )
        processors = self.processors
        if event_name:
            for watch in processors.watchers:  # type: ignore[union-attr]  # whoever calls this has asked it
                watch(log)
        valued = severity_number >= SEVERITY_ERROR or _OPERATION in values
        for take in processors.takers:  # type: ignore[union-attr]  # same
            take(log, size, valued=valued)

    def emit(
        self,
        record: LogRecord | None = None,
        *,
        timestamp: int | None = None,
        observed_timestamp: int | None = None,
        context: Context | None = None,
        severity_number: SeverityNumber | None = None,
        severity_text: str | None = None,
        body: AnyValue | None = None,
        attributes: Attributes = None,
        event_name: str | None = None,
        exception: BaseException | None = None,
    ) -> None:
        """Emit a record, or one of these parts."""
        if self.processors is not None and self.processors.takers is not None:
            try:
                if record is None:
                    given = (
                        timestamp,
                        observed_timestamp,
                        severity_number,
                        severity_text,
                        body,
                        attributes,
                        event_name,
                    )
                    if exception is None and self.keep_parts(context or _current_context(), None, *given):
                        return
                elif type(record) is LogRecord and record.exception is None and self._keep_record(record):
                    return
            except Exception as error:  # noqa: BLE001 - it is counted
                guard.told(_SITE, error)
        if record is not None:
            super().emit(record)
        else:
            super().emit(
                timestamp=timestamp,
                observed_timestamp=observed_timestamp,
                context=context,
                severity_number=severity_number,
                severity_text=severity_text,
                body=body,
                attributes=attributes,
                event_name=event_name,
                exception=exception,
            )

    def _keep_record(self, record: LogRecord) -> bool:
        """Keep a record of the API's; False where it is not plain enough."""
        flags = TraceFlags(record.trace_flags or 0)
        span_context = _compat.new_span_context((record.trace_id, record.span_id, False, flags, _NO_STATE, True))
        return self.keep_parts(
            record.context,
            span_context,
            record.timestamp,
            record.observed_timestamp,
            record.severity_number,
            record.severity_text,
            record.body,
            record.attributes,
            record.event_name,
        )

    def keep_parts(  # noqa: PLR0917 - in the order of `emit`
        self,
        context: Context,
        span_context: SpanContext | None,
        timestamp: int | None,
        observed_timestamp: int | None,
        severity_number: SeverityNumber | None,
        severity_text: str | None,
        body: AnyValue | None,
        given: Attributes,
        event_name: str | None,
    ) -> bool:
        """Hand over these parts; False where they are not plain enough, over the limits, or more than a `Log` is wanted."""
        if (
            self.processors is None
            or not self.processors.take_logs
            or type(body) not in SCALARS
            or type(severity_text) not in _TEXTS
            or type(event_name) not in _TEXTS
            or not (severity_number is None or type(severity_number) is SeverityNumber)
            or (given and len(given) > self.most)
        ):
            return False
        if type(given) is dict and _is_flat(given, self.longest):
            values = given.copy()
        else:
            values, lost = kept_values(given, self.most, self.longest)
            if lost:
                return False
        self.keep(
            context,
            timestamp,
            time_ns() if observed_timestamp is None else observed_timestamp,
            0 if severity_number is None else severity_number.value,
            severity_text,
            body,
            None,
            values,
            event_name,
            LOG + weight(values) + weight_of(body),
            span_context,
        )
        return True


def _is_flat(given: dict[str, Any], longest: int | None) -> bool:
    """Whether the SDK would keep all of it as it is: scalars, and tuples of such."""
    for key, value in given.items():
        kind = type(value)
        if type(key) is not str or not key:
            return False
        if kind is tuple:
            if longest is not None or not all(type(each) in SCALARS for each in value):
                return False
        elif kind not in SCALARS or (kind is str and longest is not None and len(value) > longest):
            return False
    return True
