"""The OTLP transports: the stock exporters, built from a `Target`.

This is the seam that our own transport will take: everything above sees an exporter of the
SDK's type.  grpc and requests are imported here only, when a destination needs them.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aumos_otel import _compat
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from aumos_otel.config import Signal
    from aumos_otel.delivery.outcome import Transport
    from aumos_otel.delivery.target import Target

_CLASSES: dict[tuple[str, Signal], tuple[str, str]] = {
    ("http/protobuf", "traces"): ("opentelemetry.exporter.otlp.proto.http.trace_exporter", "OTLPSpanExporter"),
    ("http/protobuf", "metrics"): ("opentelemetry.exporter.otlp.proto.http.metric_exporter", "OTLPMetricExporter"),
    ("http/protobuf", "logs"): ("opentelemetry.exporter.otlp.proto.http._log_exporter", "OTLPLogExporter"),
    ("grpc", "traces"): ("opentelemetry.exporter.otlp.proto.grpc.trace_exporter", "OTLPSpanExporter"),
    ("grpc", "metrics"): ("opentelemetry.exporter.otlp.proto.grpc.metric_exporter", "OTLPMetricExporter"),
    ("grpc", "logs"): ("opentelemetry.exporter.otlp.proto.grpc._log_exporter", "OTLPLogExporter"),
}
_COMPRESSIONS = {"gzip": "Gzip", "deflate": "Deflate", "none": "NoCompression"}


def build_exporter(target: Target) -> Any:
    """The stock exporter for ``target``; it connects on first export, not now.

    Raises:
        ConfigError: the transport refuses a variable that it reads itself, or its credentials.
    """
    module, name = _CLASSES[target.protocol, target.signal]
    exporter_class = getattr(import_module(module), name)
    try:
        options = _grpc_options(target) if target.protocol == "grpc" else _http_options(target)
        exporter = exporter_class(endpoint=target.url, **options)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"OTLP exporter for {target.signal} ({target.protocol})",
            seen=f"{type(error).__name__}: {error}",
            expected="OTEL_EXPORTER_OTLP_* variables and certificate files that the transport accepts",
            remedy="correct or unset them",
        ) from error
    if target.protocol == "http/protobuf" and "headers" in target.options:
        _compat.use_only_headers(exporter, target.options["headers"])
    return exporter


def build_transport(target: Target) -> Transport:
    """Our own transport for ``target``; it connects on the first request, not now.

    Raises:
        ConfigError: a certificate, key or credential provider cannot be used.
    """
    try:
        return _transport(target)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError(
            f"OTLP transport for {target.signal} ({target.protocol})",
            seen=f"{type(error).__name__}: {error}",
            expected="certificate and key files that can be used",
            remedy="correct OTEL_EXPORTER_OTLP_*CERTIFICATE and CLIENT_KEY, or unset them",
        ) from error


def _transport(target: Target) -> Transport:
    if target.tls and "client_key" in target.options and "client_certificate" not in target.options:
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_*CLIENT_KEY",
            seen=target.options["client_key"],
            expected="OTEL_EXPORTER_OTLP_*CLIENT_CERTIFICATE beside it",
            remedy="set both, or neither",
        )
    credentials = _credentials(target) if target.tls or target.protocol != "grpc" else None
    if target.protocol == "grpc":
        from aumos_otel.delivery.grpc import GRPCTransport  # noqa: PLC0415 - loads grpcio

        return GRPCTransport(target, credentials)
    if credentials is not None:
        from aumos_otel.delivery.session import SessionTransport  # noqa: PLC0415 - loads requests

        return SessionTransport(target, credentials)
    from aumos_otel.delivery.http import HTTPTransport  # noqa: PLC0415 - another target may not need it

    return HTTPTransport(target)


def _http_options(target: Target) -> dict[str, Any]:
    given = target.options
    compression = import_module("opentelemetry.exporter.otlp.proto.http").Compression
    return {
        "headers": given.get("headers"),
        "timeout": given["timeout"],
        "compression": compression[_COMPRESSIONS[given["compression"]]],
        "certificate_file": given.get("certificate"),
        "client_key_file": given.get("client_key"),
        "client_certificate_file": given.get("client_certificate"),
        "session": _credentials(target) or _session(target),
    }


def _session(target: Target) -> Any:
    """A requests.Session that trusts the named authority alone: REQUESTS_CA_BUNDLE would beat it."""
    if "certificate" not in target.options:
        return None
    base: Any = import_module("requests").Session

    class Session(base):  # type: ignore[misc]  # requests is loaded on first use
        def merge_environment_settings(self, *args: Any) -> Any:
            return super().merge_environment_settings(*args) | {"verify": self.verify}

    return Session()


def _grpc_options(target: Target) -> dict[str, Any]:
    grpc, given = import_module("grpc"), target.options
    files = (given.get(name) for name in ("certificate", "client_key", "client_certificate"))
    return {
        "headers": given.get("headers"),
        "timeout": given["timeout"],
        "compression": grpc.Compression[_COMPRESSIONS[given["compression"]]],
        "insecure": not target.tls,
        "credentials": (
            _credentials(target)
            or grpc.ssl_channel_credentials(*(Path(file).read_bytes() if file else None for file in files))
            if target.tls
            else None
        ),
    }


def _credentials(target: Target) -> Any:
    """What a credential provider of another package makes: a requests.Session, or grpc.ChannelCredentials."""
    name = target.options.get("credential_provider")
    if name is None:
        return None
    kind = "GRPC" if target.protocol == "grpc" else "HTTP"
    subject = f"OTEL_PYTHON_EXPORTER_OTLP_{kind}_CREDENTIAL_PROVIDER"
    return load_entry_point("opentelemetry_otlp_credential_provider", name, subject)()
