"""A loopback OTLP receiver for tests, over HTTP or gRPC, with or without TLS: it keeps what arrives.

>>> with HTTPSink() as sink:
...     telemetry = aumos_otel.configure(destinations=[aumos_otel.OTLP(endpoint=sink.url)])
...     telemetry.force_flush()
...     sink.spans()
"""

from __future__ import annotations

import gzip
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

from opentelemetry.proto.collector.logs.v1 import logs_service_pb2
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

#: Seconds that a test waits for telemetry before it fails.
PATIENCE = 20.0

_REQUESTS: dict[str, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceRequest,
    "metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "logs": logs_service_pb2.ExportLogsServiceRequest,
}
_RESPONSES: dict[str, Any] = {
    "traces": trace_service_pb2.ExportTraceServiceResponse,
    "metrics": metrics_service_pb2.ExportMetricsServiceResponse,
    "logs": logs_service_pb2.ExportLogsServiceResponse,
}
_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}


@dataclass(frozen=True)
class TLS:
    """PEM files of the receiver; with ``client_ca`` it asks for a client certificate of that authority."""

    key: Path
    chain: Path
    client_ca: Path | None = None


@dataclass(frozen=True)
class Export:
    """One request: decoded body, headers or gRPC metadata by lower-case name, path, size on the wire."""

    signal: str
    body: Any
    headers: Mapping[str, str]
    path: str
    size: int
    client: str | None


class Sink:
    """What both receivers share: the store, waiting for it, and the switch that makes it hang."""

    url: str

    def __init__(self) -> None:
        self.exports: list[Export] = []
        #: Status that is answered; 200 takes the request.
        self.status = 200
        #: Cleared, requests are neither answered nor kept until it is set again.
        self.answering = threading.Event()
        self.answering.set()
        #: Requests that came in, answered or not.
        self.arrived = 0
        self._changed = threading.Condition()

    def arrive(self) -> None:
        """Note that a request has come in, then wait while the sink is told to hang."""
        with self._changed:
            self.arrived += 1
            self._changed.notify_all()
        self.answering.wait()

    def keep(self, export: Export) -> None:
        """Store one request."""
        with self._changed:
            self.exports.append(export)
            self._changed.notify_all()

    def wait_for_arrival(self, count: int = 1) -> None:
        """Wait until ``count`` requests have come in, answered or not."""
        with self._changed:
            assert self._changed.wait_for(lambda: self.arrived >= count, PATIENCE), "no request came in"

    def wait(self, signal: str, count: int = 1) -> list[Export]:
        """The requests of ``signal``, once there are ``count`` of them."""
        with self._changed:
            done = self._changed.wait_for(lambda: len(self.of(signal)) >= count, PATIENCE)
        assert done, f"expected {count} exports of {signal}, got {len(self.of(signal))}"
        return self.of(signal)

    def of(self, signal: str) -> list[Export]:
        """The requests of ``signal`` so far."""
        return [export for export in self.exports if export.signal == signal]

    def spans(self) -> list[Any]:
        """Every span so far."""
        return [span for export in self.of("traces") for _, scope in _scopes(export.body) for span in scope.spans]

    def logs(self) -> list[Any]:
        """Every log record so far."""
        return [log for export in self.of("logs") for _, scope in _scopes(export.body) for log in scope.log_records]

    def metrics(self) -> dict[str, Any]:
        """The latest state of every metric by name."""
        found = [export.body for export in self.of("metrics")]
        return {metric.name: metric for body in found for _, scope in _scopes(body) for metric in scope.metrics}

    def resource(self, signal: str = "traces") -> dict[str, Any]:
        """The attributes of the latest resource of ``signal``."""
        *_, (resource, _) = _scopes(self.wait(signal)[-1].body)
        return attributes(resource)


def attributes(item: Any) -> dict[str, Any]:
    """The attributes of a resource, span, point or record; values as Python has them."""
    return {pair.key: _value(pair.value) for pair in item.attributes}


def _value(value: Any) -> Any:
    kind = value.WhichOneof("value")
    if kind == "array_value":
        return [_value(item) for item in value.array_value.values]
    return getattr(value, kind) if kind else None


def _scopes(body: Any) -> Iterator[tuple[Any, Any]]:
    """Each scope of a request of any signal, with its resource."""
    ((_, resources),) = body.ListFields()
    for item in resources:
        for field, scopes in item.ListFields():
            if field.name.startswith("scope_"):
                yield from ((item.resource, scope) for scope in scopes)


class HTTPSink(Sink):
    """OTLP/HTTP with protobuf; ``url`` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    def __init__(self, tls: TLS | None = None) -> None:
        super().__init__()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        if tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(tls.chain, tls.key)
            if tls.client_ca is not None:
                context.load_verify_locations(tls.client_ca)
                context.verify_mode = ssl.CERT_REQUIRED
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.port = self._server.server_address[1]
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), name="sink", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.answering.set()
        self._server.shutdown()
        self._server.server_close()


def _handler(sink: HTTPSink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("content-length", "0")))
            sink.arrive()
            signal = self.path.partition("?")[0].rpartition("/")[2]
            encoding = self.headers.get("content-encoding", "")
            if sink.status == 200:
                data = {"gzip": gzip.decompress, "deflate": zlib.decompress}.get(encoding, bytes)(raw)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = _REQUESTS[signal if signal in _REQUESTS else "traces"].FromString(data)
                sink.keep(Export(signal, body, headers, self.path, len(raw), _peer(self.connection)))
            self.send_response(sink.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    return Handler


def _peer(connection: Any) -> str | None:
    """The name in the client's certificate."""
    certificate = connection.getpeercert() if isinstance(connection, ssl.SSLSocket) else None
    names = (certificate or {}).get("subjectAltName", ())
    return next((name for _, name in names), None)


class GRPCSink(Sink):
    """OTLP over gRPC; ``url`` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    def __init__(self, tls: TLS | None = None) -> None:
        super().__init__()
        import grpc

        self._pool = ThreadPoolExecutor(4, thread_name_prefix="sink")
        self._server = grpc.server(self._pool)
        self._server.add_generic_rpc_handlers([self._service(grpc, signal) for signal in _REQUESTS])
        if tls is None:
            self.port = self._server.add_insecure_port("127.0.0.1:0")
        else:
            credentials = grpc.ssl_server_credentials(
                [(tls.key.read_bytes(), tls.chain.read_bytes())],
                tls.client_ca.read_bytes() if tls.client_ca else None,
                require_client_auth=tls.client_ca is not None,
            )
            self.port = self._server.add_secure_port("127.0.0.1:0", credentials)
        self.url = f"{'https' if tls else 'http'}://127.0.0.1:{self.port}"

    def __enter__(self) -> Self:
        self._server.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.answering.set()
        self._server.stop(None).wait()
        self._pool.shutdown()

    def _service(self, grpc: Any, signal: str) -> Any:
        def export(raw: bytes, context: Any) -> Any:
            self.arrive()
            if self.status != 200:
                context.abort(grpc.StatusCode.INVALID_ARGUMENT, "told to refuse")
            headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            names = [name.decode() for name in context.auth_context().get("x509_subject_alternative_name", ())]
            body = _REQUESTS[signal].FromString(raw)
            self.keep(Export(signal, body, headers, f"/{_SERVICES[signal]}", len(raw), next(iter(names), None)))
            return _RESPONSES[signal]()

        method = grpc.unary_unary_rpc_method_handler(
            export, response_serializer=lambda answer: answer.SerializeToString()
        )
        return grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": method})
