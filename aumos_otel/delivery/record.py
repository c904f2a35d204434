"""Finished spans, log records and metrics as plain data: clean, and open to redaction.

The containers of a record are replaced as a whole, never changed in place, so that its copies may share them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypeAlias

from aumos_otel.delivery.origin import rewrite_attributes
from aumos_otel.delivery.truncation import shorten, shorten_attributes, shorten_plain
from aumos_otel.redaction.plain import DROP
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from aumos_otel.delivery.origin import Origin
    from aumos_otel.delivery.truncation import Limits
    from aumos_otel.redaction.plain import Plain

    #: What redacts the value of an attribute, given its key.
    ValueRewriter: TypeAlias = Callable[[str, Plain], Any]
    #: What redacts a text, given where it stands.
    TextRewriter: TypeAlias = Callable[[str, str], Any]

#: OTLP's status code of an error, and the lowest severity of one.
ERROR: Final = 2
SEVERITY_ERROR: Final = 17


MetricKind: TypeAlias = Literal["gauge", "sum", "histogram", "exponential_histogram"]


class _Fields:
    """Something with fields and attributes."""

    __slots__ = ("attributes", "dropped_attributes")

    _fields: ClassVar[tuple[str, ...]] = ()

    attributes: dict[str, Plain]
    dropped_attributes: int

    def __init_subclass__(cls) -> None:
        cls._fields = tuple(
            name for base in reversed(cls.__mro__) for name in getattr(base, "__slots__", ()) if name != "__dict__"
        )

    def copy(self) -> Self:
        """Another record with the same content."""
        twin = object.__new__(type(self))
        for name in self._fields:
            setattr(twin, name, getattr(self, name))
        return twin

    def rewrite_attributes(self, value: ValueRewriter, text: TextRewriter) -> None:
        """Put every attribute through ``value``."""
        if self.attributes:
            self.attributes, dropped = rewrite_attributes(self.attributes, value, text)
            self.dropped_attributes += dropped

    def truncated(self, limits: Limits) -> Self:
        """The same with short attributes: itself, or a copy where that makes a difference."""
        attributes = shorten_attributes(self.attributes, limits)
        if attributes is self.attributes:
            return self
        twin = self.copy()
        twin.attributes = attributes
        return twin


def _tenant_in(given: dict[str, Plain]) -> str | None:
    tenant = given.get(attributes.AUMOS_TENANT_ID)
    return tenant if isinstance(tenant, str) else None


class EventRecord(_Fields):
    """An event of a span; `time` in nanoseconds since 1970."""

    __slots__ = ("name", "time")

    name: str
    time: int

    def truncated(self, limits: Limits) -> Self:
        """The same with a short name and short attributes."""
        twin = super().truncated(limits)
        if len(self.name) > limits.name:
            twin = twin.copy()
            twin.name = shorten(self.name, limits.name)
        return twin


class LinkRecord(_Fields):
    """A link of a span."""

    __slots__ = ("flags", "span_id", "trace_id", "trace_state")

    flags: int
    span_id: int
    trace_id: int
    trace_state: str


class _Sourced:
    """Something that knows who speaks."""

    __slots__ = ()

    origin: Origin

    @property
    def resource_attributes(self) -> dict[str, Plain]:
        """Attributes of the resource."""
        return self.origin.resource_attributes

    @property
    def scope_name(self) -> str:
        """Name of the instrumentation scope."""
        return self.origin.scope_name

    @property
    def tenant(self) -> str | None:
        """Whose record it is, as far as its resource tells."""
        return _tenant_in(self.resource_attributes)


class _Owned(_Fields, _Sourced):
    """A record whose attributes may tell a tenant."""

    __slots__ = ()

    #: Records that it stands for.
    count: ClassVar[int] = 1

    @property
    def tenant(self) -> str | None:
        """Whose record it is."""
        return _tenant_in(self.attributes) or _tenant_in(self.resource_attributes)


class SpanRecord(_Owned):
    """A span.  Ids are numbers, a ``parent_span_id`` of 0 is none; times are nanoseconds since 1970."""

    __slots__ = (
        "dropped_events",
        "dropped_links",
        "end",
        "events",
        "flags",
        "kind",
        "links",
        "name",
        "origin",
        "parent_span_id",
        "span_id",
        "start",
        "status_code",
        "status_message",
        "trace_id",
        "trace_state",
    )

    dropped_events: int
    dropped_links: int
    end: int
    events: list[EventRecord]
    flags: int
    kind: int
    links: list[LinkRecord]
    name: str
    parent_span_id: int
    span_id: int
    start: int
    status_code: int
    status_message: str
    trace_id: int
    trace_state: str

    @property
    def valued(self) -> bool:
        """Whether it is worth more than others: it failed, or is an LLM call."""
        return self.status_code == ERROR or attributes.GEN_AI_OPERATION_NAME in self.attributes

    def rewrite(self, value: ValueRewriter, text: TextRewriter) -> None:
        """Put every attribute and text through the two functions.

        Args:
            value: gets key and value of an attribute; what it returns stands in its place.
            text: gets ``name``, ``status.message`` or ``event.name``, and the text.

        Either may return DROP: an attribute is then counted as dropped, a text is empty.
        """
        self.name = _text(self.name, "name", text)
        if self.status_message:
            self.status_message = _text(self.status_message, "status.message", text)
        self.rewrite_attributes(value, text)
        if self.events:
            self.events = [event.copy() for event in self.events]
            for event in self.events:
                event.name = _text(event.name, attributes.EVENT_NAME, text)
                event.rewrite_attributes(value, text)
        if self.links:
            self.links = [link.copy() for link in self.links]
            for link in self.links:
                link.rewrite_attributes(value, text)

    def truncate(self, limits: Limits) -> None:
        """Shorten what is too long; what is cut ends with a mark of its length and fingerprint."""
        self.name = shorten(self.name, limits.name)
        self.status_message = shorten(self.status_message, limits.message)
        self.attributes = shorten_attributes(self.attributes, limits)
        if self.events:
            self.events = [event.truncated(limits) for event in self.events]
        if self.links:
            self.links = [link.truncated(limits) for link in self.links]


class LogRecord(_Owned):
    """A log record.  Ids of 0 are none; times are nanoseconds since 1970."""

    __slots__ = (
        "body",
        "event_name",
        "flags",
        "observed_time",
        "origin",
        "severity_number",
        "severity_text",
        "span_id",
        "time",
        "trace_id",
    )

    body: Plain
    event_name: str
    flags: int
    observed_time: int
    severity_number: int
    severity_text: str
    span_id: int
    time: int
    trace_id: int

    @property
    def valued(self) -> bool:
        """Whether it is worth more than others: it tells of an error, or of an LLM call."""
        return self.severity_number >= SEVERITY_ERROR or attributes.GEN_AI_OPERATION_NAME in self.attributes

    def rewrite(self, value: ValueRewriter, text: TextRewriter) -> None:
        """Put body, texts and every attribute through the two functions; see `SpanRecord.rewrite`.

        A body of text goes through ``text`` as ``body``, another through ``value`` under that key.
        """
        body = self.body
        if isinstance(body, str):
            self.body = _text(body, "body", text)
        elif body is not None:
            new = value("body", body)
            self.body = None if new is DROP else new
        if self.event_name:
            self.event_name = _text(self.event_name, attributes.EVENT_NAME, text)
        if self.severity_text:
            self.severity_text = _text(self.severity_text, "severity.text", text)
        self.rewrite_attributes(value, text)

    def truncate(self, limits: Limits) -> None:
        """Shorten what is too long; what is cut ends with a mark of its length and fingerprint."""
        self.body = shorten_plain(self.body, limits.body)
        self.event_name = shorten(self.event_name, limits.name)
        self.severity_text = shorten(self.severity_text, limits.name)
        self.attributes = shorten_attributes(self.attributes, limits)


class Exemplar(_Fields):
    """A sample of a data point; ids of 0 are none."""

    __slots__ = ("span_id", "time", "trace_id", "value")

    span_id: int
    time: int
    trace_id: int
    value: int | float


class _Point(_Fields):
    """What all data points have; times are nanoseconds since 1970."""

    __slots__ = ("exemplars", "start", "time")

    exemplars: list[Exemplar]
    start: int
    time: int


class NumberPoint(_Point):
    """A data point of a sum or a gauge."""

    __slots__ = ("value",)

    value: int | float


class HistogramPoint(_Point):
    """A data point of a histogram; None where nothing was recorded."""

    __slots__ = ("bounds", "buckets", "count", "max", "min", "sum")

    bounds: list[float]
    buckets: list[int]
    count: int
    max: float | None
    min: float | None
    sum: float | None


class ExponentialPoint(_Point):
    """A data point of an exponential histogram; buckets are an offset and counts."""

    __slots__ = ("count", "flags", "max", "min", "negative", "positive", "scale", "sum", "zero_count")

    count: int
    flags: int
    max: float | None
    min: float | None
    negative: tuple[int, list[int]]
    positive: tuple[int, list[int]]
    scale: int
    sum: float | None
    zero_count: int


Point: TypeAlias = NumberPoint | HistogramPoint | ExponentialPoint


class MetricRecord(_Sourced):
    """A metric with its data points, all of one kind.

    Attributes:
        kind: ``gauge``, ``sum``, ``histogram`` or ``exponential_histogram``.
        temporality: OTLP's number; 1 is delta, 2 cumulative.
        monotonic: whether a sum only grows.
    """

    __slots__ = (
        "description",
        "kind",
        "monotonic",
        "name",
        "origin",
        "points",
        "temporality",
        "unit",
    )

    #: A metric is not an error.
    valued: ClassVar[bool] = False

    def __init__(self, origin: Origin, kind: MetricKind, name: str, points: list[Point]) -> None:
        self.origin = origin
        self.kind: MetricKind = kind
        self.name = name
        self.points = points
        self.description = ""
        self.unit = ""
        self.temporality = 0
        self.monotonic = False

    @property
    def count(self) -> int:
        """Records that this one stands for: its data points."""
        return len(self.points)

    def copy(self, points: list[Point] | None = None) -> MetricRecord:
        """Another record with the same content, or with other points."""
        twin = MetricRecord(self.origin, self.kind, self.name, self.points if points is None else points)
        twin.description = self.description
        twin.unit = self.unit
        twin.temporality = self.temporality
        twin.monotonic = self.monotonic
        return twin

    def rewrite(self, value: ValueRewriter, text: TextRewriter) -> None:
        """Put every attribute of points and exemplars through ``value``, and every other text through ``text``."""
        self.name = _text(self.name, "name", text)
        self.description = _text(self.description, "description", text)
        self.unit = _text(self.unit, "unit", text)
        self.points = [_rewritten(point, value, text) for point in self.points]

    def truncate(self, limits: Limits) -> None:
        """Shorten what is too long; what is cut ends with a mark of its length and fingerprint."""
        self.name = shorten(self.name, limits.name)
        self.description = shorten(self.description, limits.message)
        self.unit = shorten(self.unit, limits.name)
        self.points = [_truncated(point, limits) for point in self.points]


Record: TypeAlias = SpanRecord | LogRecord | MetricRecord


def _rewritten(point: Point, value: ValueRewriter, text: TextRewriter) -> Point:
    twin = point.copy()
    twin.rewrite_attributes(value, text)
    if twin.exemplars:
        twin.exemplars = [exemplar.copy() for exemplar in twin.exemplars]
        for exemplar in twin.exemplars:
            exemplar.rewrite_attributes(value, text)
    return twin


def _truncated(point: Point, limits: Limits) -> Point:
    twin = point.truncated(limits)
    if twin.exemplars:
        twin = twin.copy()
        twin.exemplars = [exemplar.truncated(limits) for exemplar in twin.exemplars]
    return twin


def _text(words: str, where: str, text: TextRewriter) -> str:
    new = text(where, words)
    return "" if new is DROP else new
