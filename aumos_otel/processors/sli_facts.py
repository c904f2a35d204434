"""A finished span, and a log record that is an event, as the predicates of `aumos_otel.slo.sli` see them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from opentelemetry.trace import SpanKind, StatusCode

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs import ReadWriteLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

_NANOSECONDS: Final = 1e9

#: The kind of what is no span.
EVENT: Final = "event"

#: The kinds of spans by their numbers.
KINDS: Final = {kind.value: kind.name.lower() for kind in SpanKind}


class SpanFacts:
    """A finished span; what is asked for seldom is read when it is asked for.

    Attributes:
        kind: ``server``, ``client``, ``internal``, ``producer`` or ``consumer``.
        name: of the span.
        scope: name of the instrumentation scope; "" without one.
        attributes: of the span; not to be changed.
    """

    __slots__ = ("_span", "attributes", "kind", "name", "scope")

    def __init__(self, span: ReadableSpan, kind: str, name: str, scope: str, attributes: Mapping[str, Any]) -> None:
        self._span = span
        self.kind = kind
        self.name = name
        self.scope = scope
        self.attributes = attributes

    @property
    def status(self) -> str:
        """``unset``, ``ok`` or ``error``."""
        code = self._span.status.status_code
        if code is StatusCode.UNSET:
            return "unset"
        return "error" if code is StatusCode.ERROR else "ok"

    @property
    def duration(self) -> float:
        """Seconds; 0 where the clock went back, or a time is missing."""
        start, end = self._span.start_time, self._span.end_time
        return (end - start) / _NANOSECONDS if start is not None and end is not None and end > start else 0.0

    @property
    def resource(self) -> Mapping[str, Any]:
        """Attributes of the resource."""
        return self._span.resource.attributes

    @property
    def events(self) -> Sequence[tuple[str, Mapping[str, Any]]]:
        """Name and attributes of each span event."""
        return [(event.name, event.attributes or {}) for event in self._span.events]


class LogFacts:
    """A log record with an event name; it has no status, and takes no time."""

    __slots__ = ("_record", "attributes", "kind", "name", "scope")

    status: Final = "unset"
    duration: Final = 0.0
    events: Final[Sequence[tuple[str, Mapping[str, Any]]]] = ()

    def __init__(self, record: ReadWriteLogRecord, name: str, scope: str, attributes: Mapping[str, Any]) -> None:
        self._record = record
        self.kind = EVENT
        self.name = name
        self.scope = scope
        self.attributes = attributes

    @property
    def resource(self) -> Mapping[str, Any]:
        """Attributes of the resource."""
        resource = self._record.resource
        return {} if resource is None else resource.attributes
