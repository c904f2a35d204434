"""One request as a receiver got it: headers, bytes, and the message that they encode."""

from __future__ import annotations

import base64
import gzip
import json
import re
import time
import zlib
from functools import cached_property
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

REQUESTS: Final[dict[str, Any]] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
}
RESPONSES: Final[dict[str, tuple[Any, str]]] = {
    "traces": (trace_service_pb2.ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (metrics_service_pb2.ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (logs_service_pb2.ExportLogsServiceResponse, "rejected_log_records"),
}
#: OTLP/JSON writes these bytes as hex, protobuf's own JSON as base64.
_HEX_IDS: Final = re.compile(r'"(traceId|spanId|parentSpanId)"(\s*:\s*)"([0-9a-fA-F]*)"')


def _decoders() -> dict[str, Callable[[bytes], bytes]]:
    """What this interpreter can unpack; zstd since Python 3.14, or with `zstandard`."""
    decoders: dict[str, Callable[[bytes], bytes]] = {
        "": bytes,
        "identity": bytes,
        "gzip": gzip.decompress,
        "deflate": zlib.decompress,
    }
    if find_spec("compression") is not None:
        decoders["zstd"] = import_module("compression.zstd").decompress
    elif find_spec("zstandard") is not None:
        library: Any = import_module("zstandard")
        decoders["zstd"] = lambda data: bytes(library.ZstdDecompressor().decompressobj().decompress(data))
    return decoders


DECODERS: Final = _decoders()


class Request:
    """One request.

    Attributes:
        signal: ``traces``, ``metrics`` or ``logs``.
        path: of the URL, or of the gRPC method.
        headers: of HTTP, or the metadata of gRPC, by lower-case name.
        client: the name in the client's certificate, if it showed one.
        at: `time.monotonic` seconds at which it came in.
    """

    def __init__(
        self,
        signal: str,
        path: str,
        headers: Mapping[str, str],
        read: Callable[[], bytes],
        *,
        client: str | None = None,
    ) -> None:
        self.signal = signal
        self.path = path
        self.headers = headers
        self.client = client
        self.at = time.monotonic()
        self._read = read

    @cached_property
    def raw(self) -> bytes:
        """The body as it is on the wire; the first use reads it."""
        return self._read()

    @property
    def size(self) -> int:
        """Bytes of the body on the wire."""
        return len(self.raw)

    @property
    def encoding(self) -> str:
        """How the body is compressed; empty if it is not."""
        return self.headers.get("content-encoding", "")

    @property
    def is_json(self) -> bool:
        """Whether the body is OTLP/JSON."""
        return self.headers.get("content-type", "").startswith("application/json")

    @cached_property
    def content(self) -> bytes:
        """The body without its compression."""
        return DECODERS[self.encoding](self.raw)

    @cached_property
    def body(self) -> Any:
        """The ``Export…ServiceRequest``.

        Raises:
            Exception: the body is not one.
        """
        if not self.is_json:
            return REQUESTS[self.signal].FromString(self.content)
        text = _HEX_IDS.sub(_as_base64, self.content.decode())
        return json_format.ParseDict(json.loads(text), REQUESTS[self.signal]())


def _as_base64(match: re.Match[str]) -> str:
    return f'"{match[1]}"{match[2]}"{base64.b64encode(bytes.fromhex(match[3])).decode()}"'
