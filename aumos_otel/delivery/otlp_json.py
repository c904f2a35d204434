"""OTLP/JSON: protobuf's JSON but for ids, which are hexadecimal, and enums, which are numbers."""

from __future__ import annotations

import base64
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from google.protobuf.message import DecodeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.config import Signal

_REQUESTS: Final[dict[Signal, tuple[str, str]]] = {
    "traces": ("trace.v1.trace_service_pb2", "ExportTraceServiceRequest"),
    "metrics": ("metrics.v1.metrics_service_pb2", "ExportMetricsServiceRequest"),
    "logs": ("logs.v1.logs_service_pb2", "ExportLogsServiceRequest"),
}
#: Attributes never are members of that name (they are ``{"key": …, "value": …}``): whatever has it is an id.
_IDS: Final = frozenset({"traceId", "spanId", "parentSpanId"})


def from_protobuf(signal: Signal, body: bytes) -> bytes:
    """A serialized ``Export…ServiceRequest`` as one line of OTLP/JSON, without the line break.

    Raises:
        ValueError: ``body`` is not one.
    """
    request = _request(signal)
    try:
        request.ParseFromString(body)
    except DecodeError as error:
        raise ValueError(f"not a serialized request of {signal}") from error
    content = json_format.MessageToDict(request, use_integers_for_enums=True)
    line = json.dumps(_with_ids(content, _hexadecimal), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return line.encode()


def to_protobuf(signal: Signal, line: bytes) -> bytes:
    """The serialized ``Export…ServiceRequest`` that a line of OTLP/JSON says; unknown members are passed over.

    Raises:
        ValueError: it says none.
    """
    request, content = _request(signal), json.loads(line)
    if not isinstance(content, dict):
        raise ValueError(f"not OTLP/JSON of {signal}")  # noqa: TRY004 - the value of the line is wrong, not a type
    try:
        json_format.ParseDict(_with_ids(content, _base64), request, ignore_unknown_fields=True)
    except (json_format.ParseError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"not OTLP/JSON of {signal}") from error
    return bytes(request.SerializeToString())


def _request(signal: Signal) -> Any:
    module, name = _REQUESTS[signal]
    return getattr(import_module(f"opentelemetry.proto.collector.{module}"), name)()


def _hexadecimal(value: str) -> str:
    return base64.b64decode(value).hex()


def _base64(value: str) -> str:
    return base64.b64encode(bytes.fromhex(value)).decode()


def _with_ids(value: Any, translate: Callable[[str], str]) -> Any:
    if isinstance(value, dict):
        return {
            key: translate(item) if key in _IDS and isinstance(item, str) else _with_ids(item, translate)
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_with_ids(item, translate) for item in value]
    return value
