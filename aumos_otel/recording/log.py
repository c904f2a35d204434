"""The log record that our logger keeps: plain Python, complete when it is made, and never changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from aumos_otel import guard
from aumos_otel._internal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext

#: Bytes of a log record beside its texts and attributes, as estimated.
LOG: Final = 600


class Source:
    """Who speaks; compared and hashed by identity.

    Attributes:
        resource: of the provider.
        scope: of the logger.
    """

    __slots__ = ("resource", "scope")

    def __init__(self, resource: Resource, scope: InstrumentationScope) -> None:
        self.resource = resource
        self.scope = scope


class Log(NamedTuple):
    """A log record.  Times are nanoseconds since 1970.

    It reads like the SDK's `ReadableLogRecord`, and like the record that this one holds.

    Attributes:
        timestamp: when it happened; None where nobody said.
        observed_timestamp: when it was handed over.
        severity_number: OTLP's; 0 is none.
        severity_text: its name.
        message: the body, a plain value of which nothing is the caller's; with ``arguments`` the template of a text.
        arguments: what stands in the template, all of it scalars; the text is made when it is asked for.
        values: its attributes, within the limits; nothing in them is the caller's.
        event_name: of an event.
        span_context: the span in which it was written; None outside of any.
        source: who speaks.
    """

    timestamp: int | None
    observed_timestamp: int
    severity_number: int
    severity_text: str | None
    message: Any
    arguments: tuple[Any, ...] | None
    values: dict[str, Any]
    event_name: str | None
    span_context: SpanContext | None
    source: Source

    @property
    def log_record(self) -> Log:
        """Itself."""
        return self

    @property
    def body(self) -> Any:
        """The message with its arguments; both side by side where they do not fit."""
        if self.arguments is None:
            return self.message
        try:
            return self.message % self.arguments
        except Exception as error:  # noqa: BLE001 - any template and arguments may stand there
            guard.record("recording.log.message", error)
            return f"{self.message} {plain(self.arguments)!r}"

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Its attributes; not to be changed."""
        return self.values

    @property
    def dropped_attributes(self) -> int:
        """None: a record that is over the limits is left to the SDK."""
        return 0

    @property
    def trace_id(self) -> int:
        """Of the span in which it was written; 0 outside of any."""
        return 0 if self.span_context is None else self.span_context.trace_id

    @property
    def span_id(self) -> int:
        """Of the span in which it was written; 0 outside of any."""
        return 0 if self.span_context is None else self.span_context.span_id

    @property
    def trace_flags(self) -> int:
        """Of the span in which it was written."""
        return 0 if self.span_context is None else self.span_context.trace_flags

    @property
    def resource(self) -> Resource:
        """Who speaks."""
        return self.source.resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """What made it."""
        return self.source.scope
