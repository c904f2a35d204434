"""OTLP/HTTP bodies: bytes to requests and answers to bytes, as the specification says.

Protobuf and JSON, plain and gzip.  Anything that is not a well-formed request becomes a
`Rejection`, which knows its HTTP status and its ``google.rpc.Status``.
"""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2 as logs_service
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2 as metrics_service
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2 as trace_service

#: The largest body that is read from the wire, and the largest that it may unpack to.
MAX_COMPRESSED: Final = 64 * 1024 * 1024
MAX_DECOMPRESSED: Final = 256 * 1024 * 1024

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"

_GZIP: Final = 16 + zlib.MAX_WBITS
_ID_FIELDS: Final = frozenset({"traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id"})
_CODES: Final = {400: 3, 403: 7, 413: 3, 415: 3, 429: 8, 503: 14}  # google.rpc.Code of each HTTP status we answer


class Signal(Enum):
    """One of the three kinds of telemetry; the value is the last part of its path."""

    TRACES = "traces"
    METRICS = "metrics"
    LOGS = "logs"


_REQUESTS: Final[dict[Signal, type[Message]]] = {
    Signal.TRACES: trace_service.ExportTraceServiceRequest,
    Signal.METRICS: metrics_service.ExportMetricsServiceRequest,
    Signal.LOGS: logs_service.ExportLogsServiceRequest,
}
_RESPONSES: Final[dict[Signal, tuple[type[Message], str]]] = {
    Signal.TRACES: (trace_service.ExportTraceServiceResponse, "rejected_spans"),
    Signal.METRICS: (metrics_service.ExportMetricsServiceResponse, "rejected_data_points"),
    Signal.LOGS: (logs_service.ExportLogsServiceResponse, "rejected_log_records"),
}


class Rejection(Exception):  # noqa: N818 - an answer to the sender, not a failure of ours
    """A request that gets no 2xx; ``retry_after`` (seconds) is set when sending it again may succeed."""

    def __init__(self, status: int, message: str, *, retry_after: int | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Body:
    """An export request as it came: which signal, in which encoding, and the bytes."""

    signal: Signal
    media_type: str
    encoding: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request that was taken: how many records were unusable, and why."""

    rejected: int = 0
    reason: str = ""


def media_type(header: str) -> str:
    """The encoding of a request from its ``Content-Type`` header; 415 if it is none of OTLP's."""
    name = header.partition(";")[0].strip().lower()
    if name not in {PROTOBUF, JSON}:
        raise Rejection(415, f"content type: got {name or 'none'!r}, expected {PROTOBUF} or {JSON}")
    return name


def content_encoding(header: str) -> str:
    """The compression of a request from its ``Content-Encoding`` header; 415 if it is neither gzip nor none."""
    name = header.strip().lower() or "identity"
    if name not in {"identity", "gzip"}:
        raise Rejection(415, f"content encoding: got {name!r}, expected gzip or none")
    return name


def decode(body: Body) -> Any:
    """The protobuf request in ``body``; raises `Rejection` (400, 413) if there is none."""
    content = _gunzip(body.content) if body.encoding == "gzip" else body.content
    request = _REQUESTS[body.signal]()
    try:
        if body.media_type == PROTOBUF:
            request.ParseFromString(content)
        else:
            json_format.ParseDict(_with_bytes_ids(json.loads(content)), request, ignore_unknown_fields=True)
    except (DecodeError, json_format.ParseError, ValueError, TypeError, AttributeError, RecursionError) as error:
        kind = "protobuf" if body.media_type == PROTOBUF else "OTLP/JSON"
        raise Rejection(400, f"not a valid {kind} {body.signal.value} request: {str(error)[:300]}") from error
    return request


def encode_outcome(signal: Signal, media: str, outcome: Outcome) -> bytes:
    """The Export*ServiceResponse of ``outcome``, in the encoding of the request."""
    kind, field = _RESPONSES[signal]
    response: Any = kind()
    if outcome.rejected or outcome.reason:
        setattr(response.partial_success, field, outcome.rejected)
        response.partial_success.error_message = outcome.reason
    return _encode(response, media)


def encode_rejection(media: str, rejection: Rejection) -> bytes:
    """The google.rpc.Status of ``rejection``, in the encoding of the request."""
    return _encode(Status(code=_CODES[rejection.status], message=rejection.message), media)


def _encode(message: Message, media: str) -> bytes:
    if media == PROTOBUF:
        return bytes(message.SerializeToString())
    return str(json_format.MessageToJson(message, indent=None)).encode()


def _gunzip(content: bytes) -> bytes:
    """Unpack ``content`` without ever holding more than the cap: a bomb ends at the cap, not at its size."""
    unpacked = bytearray()
    while content:  # a gzip file may have several members
        member = zlib.decompressobj(_GZIP)
        try:
            unpacked += member.decompress(content, MAX_DECOMPRESSED + 1 - len(unpacked))
        except zlib.error as error:
            raise Rejection(400, f"not valid gzip: {error}") from error
        if len(unpacked) > MAX_DECOMPRESSED:
            raise Rejection(413, f"body: unpacks to more than {MAX_DECOMPRESSED} bytes; send smaller batches")
        if not member.eof:
            raise Rejection(400, "not valid gzip: the stream ends too early")
        content = member.unused_data
    return bytes(unpacked)


def _with_bytes_ids(value: Any) -> Any:
    """OTLP/JSON writes ids in hex where protobuf's JSON has base64: the one difference that needs translation.

    Attribute names never appear as keys in OTLP/JSON (``{"key": …, "value": …}``), so a key of that name is an id.
    """
    if isinstance(value, dict):
        return {
            key: base64.b64encode(bytes.fromhex(item)).decode()
            if key in _ID_FIELDS and isinstance(item, str)
            else _with_bytes_ids(item)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_bytes_ids(item) for item in value]
    return value
