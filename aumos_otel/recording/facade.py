"""A span of ours as the SDK's users read it: the SDK's objects are made when somebody asks for them."""

from __future__ import annotations

import logging
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import Event
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from aumos_otel import _compat

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope

logger = logging.getLogger("opentelemetry.sdk.trace")

_CODES = {code.value: code for code in StatusCode}
_Names: Any = _compat.SpanNames


class Facade(_Names):  # type: ignore[misc]  # to a type checker it is whatever it has to be: its heir is registered as the SDK's
    """The SDK's properties of a span, over the fields of `aumos_otel.recording.span.Span`."""

    __slots__ = ()

    context: SpanContext
    values: dict[str, Any]
    end_time: int | None
    code: int
    description: str | None
    lost_values: int
    lost_events: int
    lost_links: int
    own_resource: Resource | None
    own_scope: InstrumentationScope | None
    deferred: tuple[str, ...]
    recorder: Any

    def get_span_context(self) -> SpanContext:
        """Its identity."""
        return self.context

    @property
    def resource(self) -> Resource:
        """Who speaks."""
        resource: Resource = self.own_resource or self.recorder.resource
        return resource

    @property
    def instrumentation_scope(self) -> InstrumentationScope:
        """What made it."""
        scope: InstrumentationScope = self.own_scope or self.recorder.scope
        return scope

    @property
    def attributes(self) -> Mapping[str, Any]:
        """A view of its attributes; who goes through it while they are set sees those of the beginning."""
        if self.deferred:
            self.make()
        if self.end_time is None:
            return MappingProxyType(_compat.bounded(self.values, self.lost_values, immutable=False))
        return MappingProxyType(self.values)

    @property
    def dropped_attributes(self) -> int:
        """Attributes over the limit, or without a proper name."""
        return self.lost_values

    @property
    def events(self) -> tuple[Event, ...]:
        """Its events; the same objects each time."""
        return tuple(self._shown("happenings", _event))

    @property
    def dropped_events(self) -> int:
        """Events over the limit."""
        return self.lost_events

    @property
    def links(self) -> tuple[Link, ...]:
        """Its links; the same objects each time."""
        return tuple(self._shown("references", _link))

    @property
    def dropped_links(self) -> int:
        """Links over the limit."""
        return self.lost_links

    @property
    def status(self) -> Status:
        """Its status."""
        return Status(_CODES[self.code], self.description)

    def _shown(self, field: str, make: Any) -> list[Any]:
        """Objects of the SDK for raw entries, kept beside them."""
        entries = getattr(self, field) or ()
        cache: dict[int, tuple[Any, Any]] = self.__dict__.setdefault(f"_{field}_shown", {})
        shown = []
        for entry in entries:
            known = cache.get(id(entry))
            if known is None or known[0] is not entry:
                known = cache[id(entry)] = (entry, make(entry))
            shown.append(known[1])
        return shown

    def start(self, start_time: int | None = None, parent_context: Any = None) -> None:  # noqa: ARG002 - the SDK's signature
        """It has started when it was made."""
        logger.warning("Calling start() on a started span.")

    def __repr__(self) -> str:
        return f'{type(self).__name__}(name="{self.name}", context={self.context})'


def _event(entry: tuple[str, int, dict[str, Any], int]) -> Event:
    name, timestamp, values, lost = entry
    return Event(name, _compat.bounded(values, lost), timestamp)


def _link(entry: tuple[SpanContext, dict[str, Any], int]) -> Link:
    context, values, lost = entry
    return Link(context, _compat.bounded(values, lost))
