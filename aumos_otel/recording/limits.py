"""How much of what a span is given is kept, and attributes brought within that."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from opentelemetry.attributes import BoundedAttributes

from aumos_otel._internal.plain import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from opentelemetry.sdk.trace import SpanLimits

#: The SDK says what it leaves out on this logger; so do we.
logger = logging.getLogger("opentelemetry.sdk.trace")

#: Bytes of an attribute beside its text, and of an event or link beside its attributes, as estimated.
ATTRIBUTE: Final = 40
ENTRY: Final = 200

#: Classes of values that cannot change and hold nothing.
NUMBERS: Final = frozenset({bool, int, float, type(None)})

_UNBOUNDED: Final = 2**62


class Limits(NamedTuple):
    """The SDK's `SpanLimits`, resolved; lengths in characters, None: any.

    Attributes:
        values: attributes of a span.
        length: of a text among the attributes of a span.
        events: of a span.
        links: of a span.
        event_values: attributes of an event.
        link_values: attributes of a link.
        entry_length: of a text among the attributes of an event or a link.
    """

    values: int
    length: int | None
    events: int
    links: int
    event_values: int | None
    link_values: int | None
    entry_length: int | None

    @classmethod
    def of(cls, limits: SpanLimits) -> Limits:
        """What the SDK's limits say."""

        def most(number: int | None) -> int:
            return _UNBOUNDED if number is None else number

        return cls(
            most(limits.max_span_attributes),
            limits.max_span_attribute_length,
            most(limits.max_events),
            most(limits.max_links),
            limits.max_event_attributes,
            limits.max_link_attributes,
            limits.max_attribute_length,
        )


def kept_value(key: Any, value: Any, length: int | None) -> dict[str, Any]:
    """One attribute of several as the SDK would keep it; empty where its key is no name."""
    return dict(BoundedAttributes(None, {key: plain(value)}, max_value_len=length).copy())


def kept_values(given: Mapping[str, Any] | None, most: int | None, length: int | None) -> tuple[dict[str, Any], int]:
    """The attributes of an event or a link as the SDK would keep them, and how many were lost."""
    if not given:
        return {}, 0
    if type(given) is dict and (most is None or len(given) <= most) and _are_simple(given, length):
        return given.copy(), 0
    named = {key: plain(value) for key, value in dict(given).items() if key}
    found = BoundedAttributes(most, named, max_value_len=length)
    return dict(found.copy()), found.dropped + len(given) - len(named)


def _are_simple(given: Mapping[Any, Any], length: int | None) -> bool:
    """Whether the SDK would keep all of it as it is."""
    for key, value in given.items():
        kind = type(value)
        if type(key) is not str or not key:
            return False
        if kind is str:
            if length is not None and len(value) > length:
                return False
        elif kind not in NUMBERS:
            return False
    return True


def weight(values: Mapping[str, Any]) -> int:
    """Estimated bytes of attributes."""
    size = 0
    for value in values.values():
        size += ATTRIBUTE + len(value) if type(value) is str else weight_of(value)
    return size


def weight_of(value: Any) -> int:
    """Estimated bytes of an attribute's value."""
    if isinstance(value, str | bytes):
        return ATTRIBUTE + len(value)
    if isinstance(value, tuple):
        return ATTRIBUTE + sum(map(weight_of, value))
    if isinstance(value, dict):
        return ATTRIBUTE + weight(value) + sum(map(len, value))
    return ATTRIBUTE
