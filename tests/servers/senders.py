"""Plain senders of OTLP, one of each protocol, and the requests that they send."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Protocol

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

from aumos_otel.testing import OTLPSink

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def spans(*numbers: int) -> trace_service_pb2.ExportTraceServiceRequest:
    """A request with a span of each number."""
    request = trace_service_pb2.ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in numbers:
        scope.spans.add(trace_id=bytes(15) + b"\1", span_id=number.to_bytes(8, "big"), name=f"span {number}")
    return request


class HasURL(Protocol):
    """A receiver, or a way to one."""

    url: str


def post(sink: HasURL, body: bytes, timeout: float = 10.0, **headers: str) -> tuple[int, Mapping[str, str], bytes]:
    """One request over HTTP as status, headers and body; whatever the status is."""
    named = {"content-type": "application/x-protobuf"} | {k.replace("_", "-"): v for k, v in headers.items()}
    request = urllib.request.Request(f"{sink.url}/v1/traces", data=body, headers=named)
    try:
        with NO_REDIRECT.open(request, timeout=timeout) as answer:
            return answer.status, answer.headers, answer.read()
    except urllib.error.HTTPError as answer:
        with answer:
            return answer.code, answer.headers, answer.read()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_arguments: object) -> None:
        """Follow nothing."""


NO_REDIRECT = urllib.request.build_opener(_Stay)


def call(sink: OTLPSink, body: bytes, timeout: float = 10.0, credentials: grpc.ChannelCredentials | None = None):
    """One call over gRPC; returns the answer or raises `grpc.RpcError`."""
    target = f"127.0.0.1:{sink.port}"
    options = [("grpc.use_local_subchannel_pool", 1)]
    channel = (
        grpc.secure_channel(target, credentials, options) if credentials else grpc.insecure_channel(target, options)
    )
    with channel:
        export = channel.unary_unary(
            METHOD, response_deserializer=trace_service_pb2.ExportTraceServiceResponse.FromString
        )
        return export(body, timeout=timeout)


def as_json(request: trace_service_pb2.ExportTraceServiceRequest) -> bytes:
    """The request as OTLP/JSON, in the specification's spelling: ids in hex."""
    spans = [
        {"traceId": span.trace_id.hex(), "spanId": span.span_id.hex(), "name": span.name}
        for span in request.resource_spans[0].scope_spans[0].spans
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}).encode()
