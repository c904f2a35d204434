"""Spans of the SDK that ask the user's objects for their text safely.

The SDK calls ``__str__`` of an exception, or of an attribute's value, on the thread that ends
the span.  One that raises there would replace the user's own exception, one that hangs would
hang the request.  `AdoptionProcessor` makes every span that starts an `AdoptedSpan`, which
differs in nothing else.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.trace import Status, StatusCode

from aumos_otel import _compat, guard
from aumos_otel._internal import failure
from aumos_otel._internal.plain import SCALARS, plain, plain_attributes
from aumos_otel.semconv import events

if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType

    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import Span

    Base = Span
else:
    Base = _compat.RecordedSpan


_SITE: Final = "processors.adoption"


class AdoptedSpan(Base):
    """A span of the SDK; what it is given is made plain before it is kept."""

    __slots__ = ()

    def set_attribute(self, key: str, value: Any) -> None:
        """Set one attribute."""
        with guard.shield(_SITE):
            super().set_attribute(key, value if type(value) in SCALARS else plain(value))

    def set_attributes(self, attributes: Mapping[str, Any]) -> None:
        """Set several attributes."""
        with guard.shield(_SITE):
            super().set_attributes(plain_attributes(attributes))

    def add_event(self, name: str, attributes: Mapping[str, Any] | None = None, timestamp: int | None = None) -> None:
        """Add an event."""
        with guard.shield(_SITE):
            super().add_event(name, plain_attributes(attributes), timestamp)

    def add_link(self, context: Any, attributes: Mapping[str, Any] | None = None) -> None:
        """Add a link."""
        with guard.shield(_SITE):
            super().add_link(context, plain_attributes(attributes))

    def set_status(self, status: Any, description: str | None = None) -> None:
        """Set the status."""
        with guard.shield(_SITE):
            super().set_status(status, description)

    def end(self, end_time: int | None = None) -> None:
        """End the span."""
        with guard.shield(_SITE):
            super().end(end_time)

    def record_exception(
        self,
        exception: BaseException,
        attributes: Mapping[str, Any] | None = None,
        timestamp: int | None = None,
        escaped: bool = False,  # noqa: FBT001, FBT002 - the SDK's signature
    ) -> None:
        """Add an event that tells of ``exception``."""
        with guard.swallow("processors.adoption.record_exception"):
            told = failure.event(exception, escaped=escaped)
            self.add_event(events.EXCEPTION, {**told, **(attributes or {})}, timestamp)

    def is_recording(self) -> bool:
        """Whether the span is still open.

        `opentelemetry.trace.use_span` asks this before it puts an exception on the span, with a
        text that it makes itself.  Where that text could do harm, it is told here and now, and
        the answer is no.
        """
        recording = super().is_recording()
        if recording and (error := sys.exception()) is not None and not failure.is_plain(error):
            wishes = _compat.wishes_of_use_span(depth=2)
            if wishes is not None:
                self._tell(error, record=wishes[0], status=wishes[1])
                return False
        return recording

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None and super().is_recording():
            record, status = _compat.wishes_of_span(self)
            self._tell(error, record=record, status=status, escaped=True)
        self.end()

    def _tell(self, error: BaseException, *, record: bool, status: bool, escaped: bool = False) -> None:
        if record:
            self.record_exception(error, escaped=escaped)
        if status:
            self.set_status(Status(StatusCode.ERROR, failure.description(error)))


class AdoptionProcessor(SpanProcessor):
    """Makes each span of the SDK an `AdoptedSpan` as it starts; the first of all processors."""

    #: Not on spans of ours, see `aumos_otel.processors.foreign.SpanProcessors`.
    wakes_on: Final = ()

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:  # noqa: ARG002 - the SDK's signature
        """Adopt ``span``, if it is the SDK's own and no subclass of it."""
        if type(span) is _compat.RecordedSpan:
            span.__class__ = AdoptedSpan  # the same fields, other methods
