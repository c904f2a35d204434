"""From a record to parcels that a receiver takes: what is too large is divided, or shortened further."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aumos_otel.delivery.encoding import encode
from aumos_otel.delivery.parcel import Parcel
from aumos_otel.delivery.record import MetricRecord
from aumos_otel.delivery.truncation import DEFAULT
from aumos_otel.delivery.wire import frame

if TYPE_CHECKING:
    from aumos_otel.delivery.record import Record
    from aumos_otel.delivery.truncation import Limits

#: Bytes of a request that most receivers take; gRPC's own limit is 4 MiB.
MAX_BYTES: Final = 3_670_016

#: By how much the limits of a record that is too large are divided, one after the other.
_DIVISORS: Final = (8, 64, 1024)


def cut_down(record: Record, limits: Limits = DEFAULT) -> int:
    """Shorten ``record`` at once; redaction, which comes later, knows the marks of a cut.

    Returns:
        The bytes that it takes now: as many as its message.
    """
    record.truncate(limits)
    return len(encode(record))


def parcels_of(record: Record, limits: Limits = DEFAULT, max_bytes: int = MAX_BYTES) -> list[Parcel]:
    """``record``, shortened and encoded; its texts are shortened further while it has more than ``max_bytes``.

    A metric with many points becomes several with fewer.  The counts of the parcels together are
    less than the record's where a part of it cannot be made small enough, and is left out.
    """
    record.truncate(limits)
    data = encode(record)
    if len(data) <= max_bytes:
        return [_parcel(data, record)] if record.count else []
    if isinstance(record, MetricRecord) and len(record.points) > 1:
        half = len(record.points) // 2
        parts = (record.points[:half], record.points[half:])
        return [parcel for points in parts for parcel in parcels_of(record.copy(points), limits, max_bytes)]
    for divisor in _DIVISORS:
        record.truncate(limits.divided(divisor))
        data = encode(record)
        if len(data) <= max_bytes:
            return [_parcel(data, record)]
    return []


def _parcel(data: bytes, record: Record) -> Parcel:
    return Parcel(frame(len(data)) + data, record.count, record.origin.group, record.valued)
