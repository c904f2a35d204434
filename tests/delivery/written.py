"""What the tests of the writer share: spans of ours, and the two ways from them to messages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind

from aumos_otel.config import RedactionOptions
from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.packing import parcels_of
from aumos_otel.delivery.parcel import Parcel
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.reading import span_record
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.delivery.span_writer import SpanWriter
from aumos_otel.recording.limits import Limits
from aumos_otel.recording.span import Span
from aumos_otel.redaction.policy import RedactionFailed, Redactor

CONTEXT = SpanContext(1, 2, is_remote=False)


class Recorder:
    """Stands where the tracer does."""

    def __init__(self, resource: Mapping[str, Any] | None = None, scope: str = "tests", **limits: Any) -> None:
        self.resource = Resource(dict(resource or {"service.name": "tests"}), "r")
        self.scope = InstrumentationScope(scope, "1", "s")
        self.limits = Limits.of(SpanLimits(**limits))
        self.processors, self.endings, self.ends = self, (), ()

    def start(self, attributes: Mapping[str, Any] | None = None, name: Any = "work", **fields: Any) -> Span:
        """An open span."""
        return Span(
            self,
            name,
            fields.get("kind", SpanKind.INTERNAL),
            fields.get("context", CONTEXT),
            fields.get("parent"),
            None,
            True,
            attributes,
            fields.get("start_time", 10),
        )

    def span(self, attributes: Mapping[str, Any] | None = None, name: Any = "work", **fields: Any) -> Span:
        """A finished span."""
        span = self.start(attributes, name, **fields)
        span.end(fields.get("end_time", 20))
        return span


def redactor(**options: Any) -> Redactor:
    """A redactor with these options."""
    return Redactor(RedactionOptions(**options).resolve({}, {}, {}))


def writer(policy: Policy | None = None, **options: Any) -> SpanWriter:
    """A writer; by default nothing is redacted."""
    return SpanWriter(policy or Policy("full", "full", None), **{"grain": Grain()} | options)


def in_general(policy: Policy, spans: Sequence[Span]) -> tuple[list[Parcel], int, list[Span]]:
    """What becomes of ``spans`` by the general way: parcels, how many were refused, and those that cannot be encoded."""
    parcels: list[Parcel] = []
    refused, failed = 0, []
    for span in spans:
        try:
            parcels += parcels_of(policy.applied(span_record(span)))
        except RedactionFailed:
            refused += 1
        except Exception:  # noqa: BLE001 - the other way has to fail for the same one
            failed.append(span)
    return parcels, refused, failed


def decoded(parcels: Sequence[Parcel]) -> list[Any]:
    """What a receiver gets, in an order that does not depend on that of the parcels."""
    request = ExportTraceServiceRequest.FromString(assemble(parcels))
    return sorted(
        (
            str(resource.resource),
            resource.schema_url,
            str(scope.scope),
            scope.schema_url,
            span.SerializeToString(deterministic=True),
        )
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    )


def messages(parcels: Sequence[Parcel]) -> list[Any]:
    """The spans that a receiver gets."""
    request = ExportTraceServiceRequest.FromString(assemble(parcels))
    return [span for resource in request.resource_spans for scope in resource.scope_spans for span in scope.spans]
