"""One record, encoded, on its way into a request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


class Group(NamedTuple):
    """Who speaks: what a request says once for all records of one resource and one scope.

    Attributes:
        resource: the serialized ``Resource``.
        resource_schema_url: its schema.
        scope: the serialized ``InstrumentationScope``.
        scope_schema_url: its schema.
    """

    resource: bytes
    resource_schema_url: str
    scope: bytes
    scope_schema_url: str


@dataclass(slots=True)
class Parcel:
    """One serialized ``Span``, ``LogRecord`` or ``Metric``.

    Attributes:
        data: the message.
        count: records in it: data points for a metric, else one.
        group: who speaks.
        valued: whether it is worth more than others: an error, or an LLM call.
    """

    data: bytes
    count: int
    group: Group
    valued: bool
