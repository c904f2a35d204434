"""OTLP over gRPC on loopback: each call is answered as a `Reply` says."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc  # type: ignore[import-untyped]  # it ships no types
from google.protobuf.any_pb2 import Any as AnyMessage
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from aumos_otel.testing.request import REQUESTS, RESPONSES, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.testing.reply import Reply
    from aumos_otel.testing.tls import TLS

_SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
}
#: Calls that may wait for their answer at the same time.
_THREADS = 32
_OPTIONS = (("grpc.so_reuseport", 0), ("grpc.max_receive_message_length", -1))


class GRPCReceiver:
    """Listens from `start` to `stop`; ``answer`` decides about each call.

    Attributes:
        port: where it listens.
    """

    def __init__(
        self,
        port: int,
        tls: TLS | None,
        answer: Callable[[Request], Reply],
    ) -> None:
        self._answer = answer
        self._certificate = tls
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="otlp-sink")
        self._server = grpc.server(self._pool, options=_OPTIONS)
        self._server.add_generic_rpc_handlers([self._service(signal) for signal in REQUESTS])
        if tls is None:
            self.port = self._server.add_insecure_port(f"127.0.0.1:{port}")
        else:
            self.port = self._server.add_secure_port(f"127.0.0.1:{port}", self._credentials(tls))

    def start(self) -> None:
        """Accept connections."""
        self._server.start()

    def stop(self) -> None:
        """Stop listening and end all calls, also those that wait for an answer."""
        self._server.stop(None).wait()
        self._pool.shutdown()

    def swap_certificate(self, tls: TLS) -> None:
        """Show another certificate from the next connection on."""
        self._certificate = tls

    def _credentials(self, tls: TLS) -> Any:
        shown = [tls]

        def certificate() -> Any:
            now = self._certificate
            if now is None or now is shown[0]:
                return None
            shown[0] = now
            return _configuration(now)

        return grpc.dynamic_ssl_server_credentials(
            _configuration(tls), certificate, require_client_authentication=tls.client_ca is not None
        )

    def _service(self, signal: str) -> Any:
        def export(raw: bytes, context: Any) -> Any:
            headers = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
            names = context.auth_context().get("x509_subject_alternative_name", ())
            client = next((name.decode() for name in names), None)
            request = Request(signal, f"/{_SERVICES[signal]}/Export", headers, lambda: raw, client=client)
            return _send(request, self._answer(request), context)

        method = grpc.unary_unary_rpc_method_handler(
            export, response_serializer=lambda answer: answer.SerializeToString()
        )
        return grpc.method_handlers_generic_handler(_SERVICES[signal], {"Export": method})


def _send(request: Request, reply: Reply, context: Any) -> Any:
    ended = threading.Event()
    if not context.add_callback(ended.set):  # it is called when the sender gives up, or the server stops
        ended.set()  # that has happened before
    if not reply.answers:
        ended.wait()
    elif reply.delay:
        ended.wait(reply.delay)
    kind, field = RESPONSES[request.signal]
    answer = kind()
    if reply.reset:
        context.cancel()
    elif not reply.accepts:
        _refuse(reply, context)
    elif reply.rejected or reply.message:
        setattr(answer.partial_success, field, reply.rejected)
        answer.partial_success.error_message = reply.message
    return answer


def _configuration(tls: TLS) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(tls.key.read_bytes(), tls.chain.read_bytes())],
        root_certificates=None if tls.client_ca is None else tls.client_ca.read_bytes(),
    )


def _refuse(reply: Reply, context: Any) -> None:
    code = grpc.StatusCode[reply.grpc_name]
    if reply.retry_after is not None:
        info = RetryInfo()
        info.retry_delay.FromNanoseconds(int(float(reply.retry_after) * 1e9))
        detail = AnyMessage()
        detail.Pack(info)
        status = Status(code=code.value[0], message=reply.message, details=[detail])
        context.set_trailing_metadata([("grpc-status-details-bin", status.SerializeToString())])
    context.abort(code, reply.message or "told to refuse")
