"""A record as the bytes of its OTLP message.

Field numbers and types are those of opentelemetry/proto/{trace,logs,metrics}/v1; a tag is ``number << 3 | type``,
where type is 0 for a varint, 1 for eight bytes, 2 for something with a length, 5 for four bytes.

A receiver decodes what it would from the SDK's encoder (tests/delivery/test_encoding.py holds them side by
side), except that a link has its trace state, and that a metric without points is not sent.
"""

from __future__ import annotations

from struct import pack
from typing import TYPE_CHECKING

from aumos_otel.delivery.record import HistogramPoint, LogRecord, NumberPoint, SpanRecord
from aumos_otel.delivery.wire import (
    any_value,
    attributes,
    delimited,
    pack_double,
    pack_fixed32,
    pack_fixed64,
    pack_sfixed64,
    repeated,
    string,
    varint,
    zigzag,
)

if TYPE_CHECKING:
    from aumos_otel.delivery.record import (
        EventRecord,
        Exemplar,
        ExponentialPoint,
        LinkRecord,
        MetricRecord,
        Point,
        Record,
    )


def encode(record: Record) -> bytes:
    """The serialized ``Span``, ``LogRecord`` or ``Metric``."""
    if isinstance(record, SpanRecord):
        return _span(record)
    return _log(record) if isinstance(record, LogRecord) else _metric(record)


def _span(span: SpanRecord) -> bytes:
    parts = [
        b"\x0a\x10",
        span.trace_id.to_bytes(16, "big"),
        b"\x12\x08",
        span.span_id.to_bytes(8, "big"),
        string(b"\x1a", span.trace_state),
        b"\x22\x08" + span.parent_span_id.to_bytes(8, "big") if span.parent_span_id else b"",
        string(b"\x2a", span.name),
        b"\x30",
        varint(span.kind),
        b"\x39",
        pack_fixed64(span.start),
        b"\x41",
        pack_fixed64(span.end),
        attributes(b"\x4a", span.attributes),
    ]
    if span.dropped_attributes:
        parts.append(b"\x50" + varint(span.dropped_attributes))
    if span.events:
        parts.append(repeated(b"\x5a", map(_event, span.events)))
    if span.dropped_events:
        parts.append(b"\x60" + varint(span.dropped_events))
    if span.links:
        parts.append(repeated(b"\x6a", map(_link, span.links)))
    if span.dropped_links:
        parts.append(b"\x70" + varint(span.dropped_links))
    status = string(b"\x12", span.status_message)
    if span.status_code:
        status += b"\x18" + varint(span.status_code)
    parts.append(b"\x7a" + delimited(status))
    parts.append(b"\x85\x01" + pack_fixed32(span.flags))
    return b"".join(parts)


def _event(event: EventRecord) -> bytes:
    return b"".join(
        (
            b"\x09" + pack_fixed64(event.time),
            string(b"\x12", event.name),
            attributes(b"\x1a", event.attributes),
            _number(b"\x20", event.dropped_attributes),
        )
    )


def _link(link: LinkRecord) -> bytes:
    return b"".join(
        (
            b"\x0a\x10" + link.trace_id.to_bytes(16, "big"),
            b"\x12\x08" + link.span_id.to_bytes(8, "big"),
            string(b"\x1a", link.trace_state),
            attributes(b"\x22", link.attributes),
            _number(b"\x28", link.dropped_attributes),
            b"\x35" + pack_fixed32(link.flags),
        )
    )


def _log(log: LogRecord) -> bytes:
    parts = [
        b"\x09",
        pack_fixed64(log.time),
        _number(b"\x10", log.severity_number),
        string(b"\x1a", log.severity_text),
        b"\x2a" + delimited(any_value(log.body)),
        attributes(b"\x32", log.attributes),
        _number(b"\x38", log.dropped_attributes),
    ]
    if log.flags:
        parts.append(b"\x45" + pack_fixed32(log.flags))
    if log.trace_id:
        parts.append(b"\x4a\x10" + log.trace_id.to_bytes(16, "big"))
    if log.span_id:
        parts.append(b"\x52\x08" + log.span_id.to_bytes(8, "big"))
    parts.append(b"\x59" + pack_fixed64(log.observed_time))
    parts.append(string(b"\x62", log.event_name))
    return b"".join(parts)


def _metric(metric: MetricRecord) -> bytes:
    points = repeated(b"\x0a", map(_point, metric.points))
    temporality = _number(b"\x10", metric.temporality)
    if metric.kind == "gauge":
        data = b"\x2a" + delimited(points)
    elif metric.kind == "sum":
        data = b"\x3a" + delimited(points + temporality + (b"\x18\x01" if metric.monotonic else b""))
    else:
        data = (b"\x4a" if metric.kind == "histogram" else b"\x52") + delimited(points + temporality)
    return b"".join(
        (string(b"\x0a", metric.name), string(b"\x12", metric.description), string(b"\x1a", metric.unit), data)
    )


def _point(point: Point) -> bytes:
    times = b"".join((b"\x11", pack_fixed64(point.start), b"\x19", pack_fixed64(point.time)))
    if isinstance(point, NumberPoint):
        return times + _value(b"\x31", point.value) + _attached(point, b"\x3a", b"\x2a")
    if isinstance(point, HistogramPoint):
        return times + _histogram(point) + _attached(point, b"\x4a", b"\x42")
    return times + _exponential(point) + _attached(point, b"\x0a", b"\x5a")


def _attached(point: Point, attribute: bytes, exemplar: bytes) -> bytes:
    return attributes(attribute, point.attributes) + repeated(exemplar, map(_exemplar, point.exemplars))


def _histogram(point: HistogramPoint) -> bytes:
    return b"".join(
        (
            b"\x21" + pack_fixed64(point.count),
            _double(b"\x29", point.sum),
            b"\x32" + delimited(pack(f"<{len(point.buckets)}Q", *point.buckets)) if point.buckets else b"",
            b"\x3a" + delimited(pack(f"<{len(point.bounds)}d", *point.bounds)) if point.bounds else b"",
            _double(b"\x59", point.min),
            _double(b"\x61", point.max),
        )
    )


def _exponential(point: ExponentialPoint) -> bytes:
    return b"".join(
        (
            b"\x21" + pack_fixed64(point.count),
            _double(b"\x29", point.sum),
            b"\x30" + zigzag(point.scale) if point.scale else b"",
            b"\x39" + pack_fixed64(point.zero_count),
            _buckets(b"\x42", point.positive),
            _buckets(b"\x4a", point.negative),
            _number(b"\x50", point.flags),
            _double(b"\x61", point.min),
            _double(b"\x69", point.max),
        )
    )


def _buckets(tag: bytes, buckets: tuple[int, list[int]]) -> bytes:
    offset, counts = buckets
    if not counts:
        return b""
    body = b"\x08" + zigzag(offset) if offset else b""
    return tag + delimited(body + b"\x12" + delimited(b"".join(map(varint, counts))))


def _exemplar(exemplar: Exemplar) -> bytes:
    parts = [b"\x11", pack_fixed64(exemplar.time), _value(b"\x31", exemplar.value, double=b"\x19")]
    if exemplar.trace_id:
        parts.append(b"\x22\x08" + exemplar.span_id.to_bytes(8, "big"))
        parts.append(b"\x2a\x10" + exemplar.trace_id.to_bytes(16, "big"))
    parts.append(attributes(b"\x3a", exemplar.attributes))
    return b"".join(parts)


def _value(whole: bytes, value: float, double: bytes = b"\x21") -> bytes:
    return whole + pack_sfixed64(value) if isinstance(value, int) else double + pack_double(value)


def _double(tag: bytes, value: float | None) -> bytes:
    return b"" if value is None else tag + pack_double(value)


def _number(tag: bytes, value: int) -> bytes:
    return tag + varint(value) if value else b""
