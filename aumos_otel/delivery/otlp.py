"""The OTLP transports: the stock exporters, built from a `Target`.

This is the seam that our own transport will take: everything above sees an exporter of the
SDK's type.  grpc and requests are imported here only, when a destination needs them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from aumos_otel.config import Signal
    from aumos_otel.delivery.target import Target

_CLASSES: dict[tuple[str, Signal], tuple[str, str]] = {
    ("http/protobuf", "traces"): ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"),
    ("http/protobuf", "metrics"): ("opentelemetry.exporter.otlp.proto.http.metric_exporter", "OTLPMetricExporter"),
    ("http/protobuf", "logs"): ("opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"),
    ("grpc", "traces"): ("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "OTLPSpanExporter"),
    ("grpc", "metrics"): ("opentelemetry.exporter.otlp.proto.grpc.metric_exporter", "OTLPMetricExporter"),
    ("grpc", "logs"): ("opentelemetry.exporter.otlp.proto.grpc._log_exporter", "OTLPLogExporter"),
}


def build_exporter(target: Target) -> Any:
    """The stock exporter for ``target``; it connects on first export, not now."""
    module, name = _CLASSES[target.protocol, target.signal]
    exporter_class = getattr(import_module(module), name)
    options = _grpc_options(target) if target.protocol == "grpc" else _http_options(target)
    return exporter_class(endpoint=target.url, **options)


def _http_options(target: Target) -> dict[str, Any]:
    options = dict(target.options)
    if "certificate" in options:
        options["certificate_file"] = options.pop("certificate")
    if "compression" in options:
        compression = import_module("opentelemetry.exporter.otlp.proto.http").Compression
        options["compression"] = compression.Gzip if options["compression"] == "gzip" else compression.NoCompression
    return options


def _grpc_options(target: Target) -> dict[str, Any]:
    grpc = import_module("grpc")
    options = dict(target.options) | {"insecure": not target.tls}
    if "certificate" in options:
        roots = Path(options.pop("certificate")).read_bytes()
        if target.tls:
            options["credentials"] = grpc.ssl_channel_credentials(root_certificates=roots)
    if "compression" in options:
        gzip = options["compression"] == "gzip"
        options["compression"] = grpc.Compression.Gzip if gzip else grpc.Compression.NoCompression
    return options
