"""The span that our tracer makes: what it is told is kept as plain Python, and nothing else is made until it is asked for.

It stands for the SDK's span everywhere: it is an instance of the same classes, has the same properties, and
foreign code that writes the SDK's private fields changes what is exported.  Its own fields are public and raw:
delivery and the counting of SLIs read them as they are, and nobody writes them after the end.
"""

from __future__ import annotations

import logging
import sys
from time import time_ns
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.sdk import trace as sdk_trace
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from aumos_otel import _compat, guard
from aumos_otel._internal import failure
from aumos_otel._internal.plain import plain
from aumos_otel.recording.facade import Facade
from aumos_otel.recording.limits import ATTRIBUTE, ENTRY, NUMBERS, kept_value, kept_values, weight, weight_of
from aumos_otel.semconv import events as event_names

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from types import TracebackType
    from typing import Protocol

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import Link

    from aumos_otel.recording.limits import Limits

    class Deferred(Protocol):
        """A text that is made later; nothing in it is the caller's.

        Attributes:
            size: bytes, as estimated.
        """

        size: int

        def text(self) -> str:
            """The text; always the same, and never an error."""

    class Recorder(Protocol):
        """The tracer, as its spans need it."""

        limits: Limits
        resource: Resource
        scope: InstrumentationScope
        instrumentation_info: Any
        span_processor: Any
        processors: Processors

    class Processors(Protocol):
        """Who is told of a span: see `aumos_otel.processors.foreign.SpanProcessors`."""

        endings: Sequence[Callable[[Any], object]]
        ends: Sequence[tuple[Callable[[Any], object], object]]


logger = logging.getLogger("opentelemetry.sdk.trace")

_SITE: Final = "recording.span"
_UNSET, _OK, _ERROR = (code.value for code in (StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR))
_CODES: Final = {code.value: code for code in StatusCode}

#: What every span has; what few have is told by the class until then.
_FIELDS: Final = (
    "_live",
    "aumos_local_root",
    "context",
    "end_time",
    "kind",
    "name",
    "parent",
    "recorder",
    "sampled",
    "size",
    "start_time",
    "values",
)

_TEXTS: Final = {str}

#: Bytes of a span beside its texts, as estimated.
SPAN: Final = 600


class Span(Facade):
    """A span.  Times are nanoseconds since 1970.

    Attributes:
        name: of the span.
        kind: of the span.
        context: its identity.
        parent: that of its parent, if any.
        sampled: whether it is exported.
        start_time: when it began.
        end_time: when it ended; None while it is open.
        values: its attributes, within the limits; nothing in them is the caller's.
        size: estimated bytes.
        simple: whether all values are scalars other than bytes, or texts that are still to be made.
        deferred: keys of values that are still to be made, see `defer`.
        lost_values: attributes over the limit, or without a proper name.
        happenings: its events: name, time, attributes, lost attributes.
        lost_events: events over the limit.
        references: its links: context, attributes, lost attributes.
        lost_links: links over the limit.
        code: of the status: 0 unset, 1 ok, 2 error.
        description: of the status.
        recorder: the tracer that made it.
        own_resource: stands in the place of the tracer's where a processor has put one.
        own_scope: the same for what made it.
        measured: called at the end where the SDK's own metrics are on.
        aumos_local_root: the first span of this process in its trace; None when it is that itself.
        record_exception_on_exit: whether leaving a ``with`` by an exception tells of it.
        set_status_on_exit: whether it sets the status.
    """

    __slots__ = _FIELDS

    simple: bool = True
    deferred: tuple[str, ...] = ()
    lost_values: int = 0
    happenings: list[tuple[str, int, dict[str, Any], int]] | None = None
    lost_events: int = 0
    references: list[tuple[SpanContext, dict[str, Any], int]] | None = None
    lost_links: int = 0
    code: int = _UNSET
    description: str | None = None
    record_exception_on_exit: bool = True
    set_status_on_exit: bool = True
    measured: Any = None
    own_resource: Resource | None = None
    own_scope: InstrumentationScope | None = None

    def __init__(  # noqa: PLR0917 - made in one place, on the hot path: names would cost
        self,
        recorder: Recorder,
        name: str,
        kind: SpanKind,
        context: SpanContext,
        parent: SpanContext | None,
        local_root: Any,
        sampled: bool,  # noqa: FBT001 - same
        attributes: Mapping[str, Any] | None,
        start_time: int | None,
    ) -> None:
        self.recorder = recorder
        self.name = name
        self.kind = kind
        self.context = context
        self.parent = parent
        self.aumos_local_root = local_root
        self.sampled = sampled
        self.end_time: int | None = None
        self.values: dict[str, Any] = {}
        self.size = SPAN
        self._live = True
        if attributes:
            self._take(attributes)
        self.start_time = time_ns() if start_time is None else start_time

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute."""
        if self.end_time is not None:
            logger.warning("Setting attribute on ended span.")
            return
        try:
            kind = type(value)
            if not key or not isinstance(key, str):
                logger.warning("invalid key `%s`. must be non-empty string. Dropping key from attributes.", key)
                self.lost_values += 1
            elif kind is str:
                length = self.recorder.limits.length
                if length is None or len(value) <= length:
                    self._put(key, value, ATTRIBUTE + len(value))
                else:
                    self._take_unusual(key, value, length)
            elif kind in NUMBERS:
                self._put(key, value, ATTRIBUTE)
            else:
                self._take_unusual(key, value, self.recorder.limits.length)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told(_SITE, error)

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        if self.end_time is not None:
            logger.warning("Setting attribute on ended span.")
            return
        try:
            self._take(attributes)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told(_SITE, error)

    def defer(self, key: str, value: Deferred) -> None:
        """Set an attribute whose text is made when somebody reads it; on the worker, mostly."""
        if self.end_time is None and self.recorder.limits.length is None:
            self._put(key, value, ATTRIBUTE + value.size)
            self.deferred = (*self.deferred, key)
        else:
            self.set_attribute(key, value.text())

    def make(self) -> None:
        """Make the texts that were deferred; who reads `values` does this first.  Again and in any thread, if need be."""
        values = self.values
        for key in self.deferred:
            value = values.get(key)
            if value is not None and type(value) is not str:
                values[key] = value.text()
        self.deferred = ()

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        """Add an event."""
        if self.end_time is not None:
            logger.warning("Tried calling %s on an ended span.", "_add_event")
            return
        with guard.shield(_SITE):
            limits = self.recorder.limits
            values, lost = kept_values(attributes, limits.event_values, limits.entry_length)
            self._happen(name, time_ns() if timestamp is None else timestamp, values, lost)

    def add_link(self, context: SpanContext, attributes: Mapping[str, Any] | None = None) -> None:
        """Add a link; one that leads nowhere and says nothing is none."""
        with guard.shield(_SITE):
            if not _leads_somewhere(context, attributes):
                return
            if self.end_time is not None:
                logger.warning("Tried calling %s on an ended span.", "_add_link")
                return
            self.refer(context, attributes)

    def refer_all(self, links: Iterable[Link]) -> None:
        """Keep the links of a span that starts."""
        for link in links:
            there: Any = getattr(link, "context", None)
            if there and _leads_somewhere(there, link.attributes):
                self.refer(there, link.attributes)

    def refer(self, context: SpanContext, attributes: Mapping[str, Any] | None) -> None:
        """Keep a link."""
        limits = self.recorder.limits
        values, lost = kept_values(attributes, limits.link_values, limits.entry_length)
        self.size += ENTRY + (weight(values) if values else 0)
        references = self.references
        if references is None:  # as for events
            references = self.__dict__.setdefault("references", [])
        references.append((context, values, lost))
        if len(references) > limits.links:
            del references[0]
            self.lost_links += 1

    def update_name(self, name: str) -> None:
        """Give it another name."""
        if self.end_time is not None:
            logger.warning("Tried calling %s on an ended span.", "update_name")
            return
        self.name = name

    def set_status(self, status: Status | StatusCode, description: str | None = None) -> None:
        """Set the status; OK is final, and UNSET changes nothing."""
        if self.end_time is not None:
            logger.warning("Tried calling %s on an ended span.", "set_status")
            return
        with guard.shield(_SITE):
            if isinstance(status, Status):
                code = status.status_code.value
                if self.code == _OK or code == _UNSET:
                    return
                if description is not None:
                    logger.warning(
                        "Description %s ignored. Use either `Status` or `(StatusCode, Description)`", description
                    )
                self.code, self.description = code, status.description
            elif isinstance(status, StatusCode):
                if self.code == _OK or status is StatusCode.UNSET:
                    return
                self.code, self.description = status.value, Status(status, description).description
            if self.description:
                self.size += len(self.description)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the SDK's signature
    ) -> None:
        """Add an event that tells of ``exception``."""
        try:
            told = failure.event(exception, escaped=escaped)
            if attributes:
                told.update(attributes)
            self.add_event(event_names.EXCEPTION, told, timestamp)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told(_SITE, error)

    def fail(self, error: BaseException, *, record: bool, status: bool, escaped: bool = False) -> None:
        """An exception leaves the block of this span."""
        if self.end_time is not None:
            return
        try:
            told = failure.event(error, escaped=escaped)
            if record:
                limits = self.recorder.limits
                if limits.event_values is not None and limits.event_values >= len(told) and limits.entry_length is None:
                    self._happen(event_names.EXCEPTION, time_ns(), told, 0)
                else:
                    self.add_event(event_names.EXCEPTION, told)
            if status and self.code != _OK:
                self.code, self.description = _ERROR, failure.described(error, told)
                self.size += len(self.description)
        except Exception as problem:  # noqa: BLE001 - it is counted
            guard.told(_SITE, problem)

    def is_recording(self) -> bool:
        """Whether the span is still open.

        `opentelemetry.trace.use_span` asks this before it puts an exception on the span, with a
        text that it makes itself.  Where that text could do harm, it is told here and now, and
        the answer is no.
        """
        if self.end_time is not None:
            return False
        error = sys.exception()
        if error is not None and not failure.is_plain(error):
            wishes = _compat.wishes_of_use_span(depth=2)
            if wishes is not None:
                self.fail(error, record=wishes[0], status=wishes[1])
                return False
        return True

    def end(self, end_time: int | None = None) -> None:
        """End the span; only the first call counts, also among threads."""
        try:
            del self._live
        except AttributeError:
            logger.warning("Calling end() on an ended span.")
            return
        self.end_time = time_ns() if end_time is None else end_time
        try:
            if self.measured is not None:
                self.measured()
            processors = self.recorder.processors
            for ending in processors.endings:
                ending(self)
            for end, busy in processors.ends:
                if busy is None or busy:
                    end(self)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told(_SITE, error)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and self.end_time is None:
            self.fail(error, record=self.record_exception_on_exit, status=self.set_status_on_exit, escaped=True)
        self.end()

    def _happen(self, name: str, timestamp: int, values: dict[str, Any], lost: int) -> None:
        """Keep an event."""
        self.size += ENTRY + (weight(values) if values else 0)
        happenings = self.happenings
        if happenings is None:  # in one step: another thread may be here, too
            happenings = self.__dict__.setdefault("happenings", [])
        happenings.append((name, timestamp, values, lost))
        if len(happenings) > self.recorder.limits.events:
            del happenings[0]
            self.lost_events += 1

    def _put(self, key: str, value: Any, size: int) -> None:
        """Keep one attribute that needs no change; a full span forgets its oldest one, as the SDK's does."""
        values = self.values
        if key in values:
            values.pop(key, None)
        elif len(values) >= self.recorder.limits.values:
            self._make_room(key)
            if not self.recorder.limits.values:
                return
        values[key] = value
        self.size += size

    def _make_room(self, key: str) -> None:
        values = self.values
        self.lost_values += 1
        if values:
            logger.warning("Span %s has too many attributes: the oldest one makes room for %s", self.name, key)
            values.pop(next(iter(values)), None)

    def _take(self, attributes: Mapping[str, Any]) -> None:
        """Keep attributes."""
        if type(attributes) is not dict:
            attributes = plain(attributes)
        limits = self.recorder.limits
        length, values = limits.length, self.values
        if len(values) + len(attributes) > limits.values:
            for key, value in attributes.items():
                self._take_unusual(key, value, length)
            return
        size = 0
        for key, value in attributes.items():
            kind = type(value)
            if type(key) is str and key and (kind is str or kind in NUMBERS):
                if kind is str:
                    if length is not None and len(value) > length:
                        self._take_unusual(key, value, length)
                        continue
                    size += len(value)
                if key in values:
                    values.pop(key, None)
                values[key] = value
            else:
                self._take_unusual(key, value, length)
        self.size += size + ATTRIBUTE * len(attributes)

    def _take_unusual(self, key: Any, value: Any, length: int | None) -> None:
        """Keep an attribute as the SDK would: made plain, shortened, or left out."""
        kind = type(value)
        if kind in (tuple, list) and key and type(key) is str and length is None and set(map(type, value)) == _TEXTS:
            self.simple = False  # e.g. the reasons why an answer ended
            self._put(key, value if kind is tuple else tuple(value), ATTRIBUTE + sum(map(len, value)))
            return
        kept = kept_value(key, value, length)
        if not kept:
            self.lost_values += 1
        for name, plain_value in kept.items():
            if type(plain_value) is not str and type(plain_value) not in NUMBERS:
                self.simple = False
            self._put(name, plain_value, weight_of(plain_value))


def _leads_somewhere(there: Any, attributes: Mapping[str, Any] | None) -> bool:
    """Whether a link is one, and not empty."""
    return bool(there and (there.is_valid or attributes or there.trace_state))


def known(span: Any) -> Mapping[str, Any]:
    """The attributes of a span, to be read at once: of ours without a view, and without making deferred texts."""
    return span.values if type(span) is Span else getattr(span, "attributes", None) or {}


sdk_trace.Span.register(Span)  # an abstract base: what asks for the SDK's or the API's span takes ours
