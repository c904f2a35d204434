"""OTLP requests with records of several tenants and users."""

from __future__ import annotations

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1 import metrics_pb2

from aumos_otel.semconv.attributes import AUMOS_TENANT_ID as TENANT
from aumos_otel.semconv.attributes import USER_ID as USER

__all__ = ["REQUESTS", "TENANT", "USER", "logs", "metrics", "traces"]


def pairs(attributes):
    """Attributes as OTLP writes them."""
    return [
        KeyValue(key=key, value=AnyValue(int_value=value) if isinstance(value, int) else AnyValue(string_value=value))
        for key, value in attributes.items()
    ]


def traces(*spans, resource=None):
    """A request with one span for each (name, attributes)."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.extend(pairs(resource or {}))
    scope = group.scope_spans.add()
    for index, (name, attributes) in enumerate(spans, start=1):
        scope.spans.add(
            name=name,
            trace_id=index.to_bytes(16, "big"),
            span_id=index.to_bytes(8, "big"),
            attributes=pairs(attributes),
        )
    return request


def logs(*records, resource=None):
    """A request with one log record for each (body, attributes)."""
    request = ExportLogsServiceRequest()
    group = request.resource_logs.add()
    group.resource.attributes.extend(pairs(resource or {}))
    scope = group.scope_logs.add()
    for body, attributes in records:
        scope.log_records.add(body=AnyValue(string_value=body), attributes=pairs(attributes))
    return request


def metrics(*points, resource=None):
    """A request with each kind of metric, each with a point for each attributes."""
    request = ExportMetricsServiceRequest()
    group = request.resource_metrics.add()
    group.resource.attributes.extend(pairs(resource or {}))
    scope = group.scope_metrics.add()
    kinds = {
        "gauge": metrics_pb2.NumberDataPoint,
        "sum": metrics_pb2.NumberDataPoint,
        "histogram": metrics_pb2.HistogramDataPoint,
        "exponential_histogram": metrics_pb2.ExponentialHistogramDataPoint,
        "summary": metrics_pb2.SummaryDataPoint,
    }
    for kind, point in kinds.items():
        metric = scope.metrics.add(name=kind)
        getattr(metric, kind).data_points.extend(point(attributes=pairs(attributes)) for attributes in points)
    scope.metrics.add(name="empty")
    return request


REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "logs": ExportLogsServiceRequest,
    "metrics": ExportMetricsServiceRequest,
}
