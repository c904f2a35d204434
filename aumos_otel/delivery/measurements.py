"""From the SDK's collected metrics to our records; one bad point costs itself alone."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, Final, TypeVar

from opentelemetry.sdk.metrics.export import ExponentialHistogram, Gauge, Histogram, Sum

from aumos_otel import guard
from aumos_otel.delivery.cleaning import Cleaner
from aumos_otel.delivery.origin import origin_of
from aumos_otel.delivery.reading import count32, nanoseconds
from aumos_otel.delivery.record import Exemplar, ExponentialPoint, HistogramPoint, MetricRecord, NumberPoint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from opentelemetry.sdk.metrics.export import MetricsData

    from aumos_otel.delivery.origin import Origin
    from aumos_otel.delivery.record import MetricKind, Point

P = TypeVar("P", NumberPoint, HistogramPoint, ExponentialPoint)

_MAX_INT: Final = 2**63
_MAX_UINT64: Final = 2**64 - 1
_MAX_INT32: Final = 2**31 - 1
_TRACE_ID_BITS: Final = 128
_SPAN_ID_BITS: Final = 64


def metric_records(data: MetricsData) -> tuple[list[MetricRecord], int]:
    """The records of what one reader collected, and how many points could not be read.

    A metric that cannot be read at all counts as one.
    """
    records: list[MetricRecord] = []
    broken = 0
    for of_resource in data.resource_metrics:
        for of_scope in of_resource.scope_metrics:
            origin = origin_of(of_resource.resource, of_scope.scope)
            for metric in of_scope.metrics:
                try:
                    record, lost = _record(metric, origin)
                except Exception as error:  # noqa: BLE001 - a broken metric costs itself alone
                    guard.record("delivery.metric", error)
                    broken += 1
                else:
                    broken += lost
                    if record.points:
                        records.append(record)
    return records, broken


def _record(metric: Any, origin: Origin) -> tuple[MetricRecord, int]:
    cleaner = Cleaner()
    data = metric.data
    kind, read = _kind_of(data)
    record = MetricRecord(origin, kind, cleaner.words(metric.name), [])
    record.description = cleaner.words(metric.description)
    record.unit = cleaner.words(metric.unit)
    record.temporality = count32(getattr(data, "aggregation_temporality", 0))
    record.monotonic = bool(getattr(data, "is_monotonic", False))
    broken = 0
    for point in data.data_points:
        try:
            record.points.append(read(point))
        except Exception as error:  # noqa: BLE001 - a broken point costs itself alone
            guard.record("delivery.point", error)
            broken += 1
    return record, broken


def _kind_of(data: Any) -> tuple[MetricKind, Callable[[Any], Point]]:
    if isinstance(data, Sum):
        return "sum", _number_point
    if isinstance(data, Gauge):
        return "gauge", _number_point
    if isinstance(data, Histogram):
        return "histogram", _histogram_point
    if isinstance(data, ExponentialHistogram):
        return "exponential_histogram", _exponential_point
    raise TypeError(f"not a kind of metric: {type(data).__name__}")


def _begin(record: P, point: Any) -> P:
    """Fill what all points have."""
    cleaner = Cleaner()
    record.attributes, record.dropped_attributes = cleaner.attributes(point.attributes)
    record.start = nanoseconds(point.start_time_unix_nano)
    record.time = nanoseconds(point.time_unix_nano)
    record.exemplars = list(_exemplars(point.exemplars, cleaner)) if point.exemplars else []
    return record


def _number_point(point: Any) -> NumberPoint:
    record = _begin(NumberPoint(), point)
    record.value = _number(point.value)
    return record


def _histogram_point(point: Any) -> HistogramPoint:
    record = _begin(HistogramPoint(), point)
    record.count = _count64(point.count)
    record.buckets = [_count64(count) for count in point.bucket_counts]
    record.bounds = [_real(bound) for bound in point.explicit_bounds]
    record.sum = _optional(point.sum)
    record.min = _optional(point.min)
    record.max = _optional(point.max)
    return record


def _exponential_point(point: Any) -> ExponentialPoint:
    record = _begin(ExponentialPoint(), point)
    record.count = _count64(point.count)
    record.zero_count = _count64(point.zero_count)
    record.scale = _int32(point.scale)
    record.positive = _buckets(point.positive)
    record.negative = _buckets(point.negative)
    record.flags = count32(point.flags)
    record.sum = _optional(point.sum)
    record.min = _optional(point.min)
    record.max = _optional(point.max)
    return record


def _buckets(buckets: Any) -> tuple[int, list[int]]:
    return _int32(buckets.offset), [_count64(count) for count in buckets.bucket_counts]


def _exemplars(given: Iterable[Any], cleaner: Cleaner) -> Iterator[Exemplar]:
    for exemplar in given:
        try:
            record = Exemplar()
            record.attributes, record.dropped_attributes = cleaner.attributes(exemplar.filtered_attributes)
            record.time = nanoseconds(exemplar.time_unix_nano)
            record.value = _number(exemplar.value)
            record.trace_id, record.span_id = _ids(exemplar.trace_id, exemplar.span_id)
            yield record
        except Exception as error:  # noqa: BLE001 - its point is worth more
            guard.record("delivery.exemplar", error)


def _ids(trace_id: Any, span_id: Any) -> tuple[int, int]:
    """Both ids, or none: one alone leads nowhere."""
    good = _is_id(trace_id, _TRACE_ID_BITS) and _is_id(span_id, _SPAN_ID_BITS)
    return (int(trace_id), int(span_id)) if good else (0, 0)


def _is_id(value: Any, bits: int) -> bool:
    return isinstance(value, int) and 0 < value < 1 << bits


def _number(value: Any) -> int | float:
    """A number that the protocol holds; a whole one beyond 64 bits as the nearest float."""
    if isinstance(value, int) or (type(value) is not float and isinstance(value, Integral)):
        whole = int(value)
        return whole if -_MAX_INT <= whole < _MAX_INT else _real(whole)
    return _real(value)


def _real(value: Any) -> float:
    if type(value) is float:
        return value
    if not isinstance(value, int | Real):
        raise TypeError(f"not a number: {type(value).__name__}")
    try:
        return float(value)
    except OverflowError:
        return -math.inf if value < 0 else math.inf


def _optional(value: Any) -> float | None:
    return None if value is None else _real(value)


def _count64(value: Any) -> int:
    if type(value) is int and 0 <= value <= _MAX_UINT64:
        return value
    return min(max(int(value), 0), _MAX_UINT64)


def _int32(value: Any) -> int:
    return min(max(int(value), -_MAX_INT32 - 1), _MAX_INT32)
