"""Records, encoded, on their way into a request."""

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
    """Serialized spans or log records, or one ``Metric``.

    Attributes:
        data: the messages, each framed (`wire.frame`) as it stands in a request.
        count: records in it: of a metric its data points.
        group: who speaks.
        valued: whether they are worth more than others: errors, or LLM calls.
    """

    data: bytes
    count: int
    group: Group
    valued: bool
