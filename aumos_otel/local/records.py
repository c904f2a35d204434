"""From OTLP messages to rows: what is promoted to a column, and what stays JSON.

A row is a tuple in the order of the columns beside it; `Group` carries what the rows of one
resource and scope have in common, so that the store can write that once.
"""

from __future__ import annotations

import base64
import json
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.semconv import attributes as names

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

SPAN_COLUMNS: Final = (
    "trace_id", "span_id", "parent_id", "name", "kind", "start_ns", "duration_ns", "status", "status_message",
    "service", "thing", "tenant", "route", "http_status", "operation", "provider", "model",
    "input_tokens", "output_tokens", "cost", "attributes", "events", "links", "dropped",
)  # fmt: skip
LOG_COLUMNS: Final = (
    "time_ns", "severity", "severity_text", "body", "event_name", "trace_id", "span_id", "service", "attributes",
)  # fmt: skip
POINT_COLUMNS: Final = ("time_ns", "start_ns", "value", "count", "sum", "data")

#: Operations that ask a model; the other GenAI operations (tools, agents, retrievals) may repeat their tokens.
MODEL_OPERATIONS: Final = frozenset(
    {
        names.GEN_AI_OPERATION_NAME_CHAT,
        names.GEN_AI_OPERATION_NAME_GENERATE_CONTENT,
        names.GEN_AI_OPERATION_NAME_TEXT_COMPLETION,
        names.GEN_AI_OPERATION_NAME_EMBEDDINGS,
    }
)
_SERVER_KIND: Final = 2
_CLIENT_KIND: Final = 3
STATUS_ERROR: Final = 2
_MAX_INTEGER: Final = 2**63 - 1  # of SQLite; OTLP's times and counts are unsigned
_ZERO_TRACE: Final = bytes(16)
_ZERO_SPAN: Final = bytes(8)
_AGGREGATIONS: Final = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


@dataclass(frozen=True, slots=True)
class Metric:
    """What identifies a metric apart from its resource and attributes."""

    name: str
    unit: str
    description: str
    kind: str
    temporality: int
    monotonic: bool


@dataclass(slots=True)
class Group:
    """Rows that share a resource and a scope; for points also a metric, with attributes before each row."""

    resource: tuple[str, str]
    scope: tuple[str, str, str]
    rows: list[tuple[Any, ...]] = field(default_factory=list)
    metric: Metric | None = None


@dataclass(slots=True)
class Batch:
    """What one export request holds, and how many of its records could not be used."""

    groups: list[Group] = field(default_factory=list)
    rejected: int = 0
    reasons: set[str] = field(default_factory=set)

    def reject(self, count: int, reason: str) -> None:
        """Count ``count`` records that cannot be stored."""
        self.rejected += count
        self.reasons.add(reason)


class _UnusableError(ValueError):
    """This record cannot be stored; its neighbours can."""


def from_traces(request: Any) -> Batch:
    """The spans of an ExportTraceServiceRequest."""
    batch = Batch()
    for resource_spans in request.resource_spans:
        resource = _resource(resource_spans.resource)
        for scope_spans in resource_spans.scope_spans:
            group = Group(resource, _scope(scope_spans.scope))
            _collect(batch, group, scope_spans.spans, lambda span, group=group: _span(span, group.resource[0]))
    return batch


def from_logs(request: Any) -> Batch:
    """The log records of an ExportLogsServiceRequest."""
    batch = Batch()
    for resource_logs in request.resource_logs:
        resource = _resource(resource_logs.resource)
        for scope_logs in resource_logs.scope_logs:
            group = Group(resource, _scope(scope_logs.scope))
            _collect(batch, group, scope_logs.log_records, lambda log, group=group: _log(log, group.resource[0]))
    return batch


def from_metrics(request: Any) -> Batch:
    """The data points of an ExportMetricsServiceRequest."""
    batch = Batch()
    for resource_metrics in request.resource_metrics:
        resource = _resource(resource_metrics.resource)
        for scope_metrics in resource_metrics.scope_metrics:
            scope = _scope(scope_metrics.scope)
            for metric in scope_metrics.metrics:
                kind = metric.WhichOneof("data")
                if kind not in _AGGREGATIONS:
                    continue  # without data there is nothing to store, nor to refuse
                data = getattr(metric, kind)
                if not metric.name:
                    batch.reject(len(data.data_points), "metric without a name")
                    continue
                identity = Metric(
                    name=metric.name,
                    unit=metric.unit,
                    description=metric.description,
                    kind=kind,
                    temporality=getattr(data, "aggregation_temporality", 0),
                    monotonic=getattr(data, "is_monotonic", False),
                )
                _collect(batch, Group(resource, scope, metric=identity), data.data_points, _point)
    return batch


def _collect(batch: Batch, group: Group, items: Sequence[Any], convert: Any) -> None:
    for item in items:
        try:
            group.rows.append(convert(item))
        except _UnusableError as error:
            batch.reject(1, str(error))
    if group.rows:
        batch.groups.append(group)


def _resource(resource: Any) -> tuple[str, str]:
    attributes = _attributes(resource.attributes)
    return str(attributes.get(names.SERVICE_NAME) or "unknown_service"), _json(attributes, sort=True)


def _scope(scope: Any) -> tuple[str, str, str]:
    return scope.name, scope.version, _json(_attributes(scope.attributes), sort=True)


def _span(span: Any, service: str) -> tuple[Any, ...]:
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != len(_ZERO_TRACE) or trace_id == _ZERO_TRACE:
        raise _UnusableError("span without a valid trace id (16 bytes, not all zero)")
    if len(span_id) != len(_ZERO_SPAN) or span_id == _ZERO_SPAN:
        raise _UnusableError("span without a valid span id (8 bytes, not all zero)")
    start, end = _time(span.start_time_unix_nano), _time(span.end_time_unix_nano)
    parent = span.parent_span_id
    attributes = _attributes(span.attributes)
    get = attributes.get
    operation = get(names.GEN_AI_OPERATION_NAME)
    model = get(names.GEN_AI_RESPONSE_MODEL) or get(names.GEN_AI_REQUEST_MODEL)
    status = _integer(get(names.HTTP_RESPONSE_STATUS_CODE, get(names.HTTP_STATUS_CODE)))
    return (
        trace_id.hex(),
        span_id.hex(),
        parent.hex() if len(parent) == len(_ZERO_SPAN) and parent != _ZERO_SPAN else None,
        span.name,
        span.kind,
        start,
        max(end - start, 0),
        span.status.code,
        span.status.message,
        service,
        _thing(span.kind, operation, attributes),
        _text(get(names.AUMOS_TENANT_ID)),
        _text(get(names.HTTP_ROUTE)),
        status,
        _text(operation),
        _text(get(names.GEN_AI_PROVIDER_NAME)),
        _text(model),
        _integer(get(names.GEN_AI_USAGE_INPUT_TOKENS)),
        _integer(get(names.GEN_AI_USAGE_OUTPUT_TOKENS)),
        _number(get(names.GEN_AI_USAGE_COST)),
        _json(attributes),
        _json([_event(event) for event in span.events]) if span.events else "[]",
        _json([_link(link) for link in span.links]) if span.links else "[]",
        span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count,
    )


def _thing(kind: int, operation: Any, attributes: dict[str, Any]) -> str:
    """What a span is about, in the five words that the page and the totals use."""
    if operation in MODEL_OPERATIONS or (operation is None and names.GEN_AI_REQUEST_MODEL in attributes):
        return "llm"
    if operation is not None:
        return "agent"
    if kind == _SERVER_KIND:
        return "server"
    if kind == _CLIENT_KIND and (names.HTTP_REQUEST_METHOD in attributes or names.HTTP_METHOD in attributes):
        return "http"
    return "other"


def _event(event: Any) -> dict[str, Any]:
    return {"name": event.name, "time_ns": event.time_unix_nano, "attributes": _attributes(event.attributes)}


def _link(link: Any) -> dict[str, Any]:
    return {
        "trace_id": link.trace_id.hex(),
        "span_id": link.span_id.hex(),
        "attributes": _attributes(link.attributes),
    }


def _log(log: Any, service: str) -> tuple[Any, ...]:
    trace_id, span_id = log.trace_id, log.span_id
    body = _value(log.body)
    return (
        _time(log.time_unix_nano or log.observed_time_unix_nano),
        log.severity_number,
        log.severity_text,
        body if isinstance(body, str) else "" if body is None else _json(body),
        log.event_name,
        trace_id.hex() if len(trace_id) == len(_ZERO_TRACE) and trace_id != _ZERO_TRACE else None,
        span_id.hex() if len(span_id) == len(_ZERO_SPAN) and span_id != _ZERO_SPAN else None,
        service,
        _json(_attributes(log.attributes)),
    )


def _point(point: Any) -> tuple[Any, ...]:
    """The attributes that name the series, then POINT_COLUMNS."""
    value: float | None = None
    count: int | None = None
    total: float | None = None
    data: dict[str, Any] = {}
    kind = type(point).__name__
    if kind == "NumberDataPoint":
        which = point.WhichOneof("value")
        value = _known(getattr(point, which)) if which else None
    else:
        count = _time(point.count, "count")
        total = _known(point.sum)
        if kind == "HistogramDataPoint":
            data = {"bounds": list(point.explicit_bounds), "counts": list(point.bucket_counts)}
        elif kind == "ExponentialHistogramDataPoint":
            data = {
                "scale": point.scale,
                "zero_count": point.zero_count,
                "positive": _buckets(point.positive),
                "negative": _buckets(point.negative),
            }
        else:
            data = {"quantiles": [[item.quantile, item.value] for item in point.quantile_values]}
    if kind.endswith("HistogramDataPoint"):
        data |= {edge: getattr(point, edge) for edge in ("min", "max") if point.HasField(edge)}
    exemplars = [_exemplar(exemplar) for exemplar in getattr(point, "exemplars", ()) if exemplar.trace_id]
    if exemplars:
        data["exemplars"] = exemplars
    return (
        _json(_attributes(point.attributes), sort=True),
        _time(point.time_unix_nano),
        _time(point.start_time_unix_nano),
        value,
        count,
        total,
        _json(data),
    )


def _exemplar(exemplar: Any) -> dict[str, Any]:
    return {
        "trace_id": exemplar.trace_id.hex(),
        "span_id": exemplar.span_id.hex(),
        "time_ns": min(exemplar.time_unix_nano, _MAX_INTEGER),
        "attributes": _attributes(exemplar.filtered_attributes),
    }


def _buckets(buckets: Any) -> dict[str, Any]:
    return {"offset": buckets.offset, "counts": list(buckets.bucket_counts)}


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _attributes(value.kvlist_value.values)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    return getattr(value, kind)


def _time(value: int, what: str = "time") -> int:
    if value > _MAX_INTEGER:
        raise _UnusableError(f"{what} beyond 2^63")
    return int(value)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None  # neither SQLite nor JSON has NaN


def _text(value: Any) -> str | None:
    return value if value is None or isinstance(value, str) else _json(value)


def _integer(value: Any) -> int | None:
    """Counts come as int, and from careless senders as float or text."""
    number = _number(value)
    return int(number) if number is not None and abs(number) <= _MAX_INTEGER else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _json(value: Any, *, sort: bool = False) -> str:
    try:
        return _encode(value, sort=sort)
    except ValueError:  # JSON has no NaN nor infinity: written as text, as OTLP/JSON does
        return _encode(_finite(value), sort=sort)


def _encode(value: Any, *, sort: bool) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False, sort_keys=sort, separators=(",", ":"))


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return value
