"""From a target to the transport that speaks its protocol.

grpc and requests are loaded only when a destination needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from aumos_otel.delivery.outcome import Transport
    from aumos_otel.delivery.target import Target


def build_transport(target: Target) -> Transport:
    """The transport for ``target``; it connects on the first request, not now.

    Raises:
        ConfigError: a certificate, key or credential provider cannot be used, or zstd is not installed.
    """
    if target.tls and "client_key" in target.options and "client_certificate" not in target.options:
        raise ConfigError(
            "OTEL_EXPORTER_OTLP_*CLIENT_KEY",
            seen=target.options["client_key"],
            expected="OTEL_EXPORTER_OTLP_*CLIENT_CERTIFICATE beside it",
            remedy="set both, or neither",
        )
    try:
        return _over_grpc(target) if target.protocol == "grpc" else _over_http(target)
    except OSError as error:
        raise ConfigError(
            f"TLS of {target.signal} over {target.protocol}",
            seen=f"{type(error).__name__}: {error}",
            expected="PEM files of a certificate, and of a key that is not encrypted",
            remedy="correct OTEL_EXPORTER_OTLP_*CERTIFICATE and *CLIENT_KEY, or unset them",
        ) from error


def _over_grpc(target: Target) -> Transport:
    from aumos_otel.delivery.grpc import GRPCTransport, library  # noqa: PLC0415 - loads grpcio

    library.load()  # before a provider does: later it is too late to have forks supported
    return GRPCTransport(target, _credentials(target, "grpc", "ChannelCredentials") if target.tls else None)


def _over_http(target: Target) -> Transport:
    session = _credentials(target, "requests", "Session")
    if session is not None:
        from aumos_otel.delivery.session import SessionTransport  # noqa: PLC0415 - loads requests

        return SessionTransport(target, session)
    from aumos_otel.delivery.http import HTTPTransport  # noqa: PLC0415 - another target may not need it

    return HTTPTransport(target)


def _credentials(target: Target, module: str, kind: str) -> Any:
    """What a credential provider of another package makes; None where no variable names one."""
    name = target.options.get("credential_provider")
    if name is None:
        return None
    subject = f"OTEL_PYTHON_EXPORTER_OTLP_{'GRPC' if module == 'grpc' else 'HTTP'}_CREDENTIAL_PROVIDER"
    provider = load_entry_point("opentelemetry_otlp_credential_provider", name, subject)
    expected, remedy = f"a provider that makes a {module}.{kind}", "repair it, or choose another"
    try:
        made = provider()
    except Exception as error:
        raise ConfigError(
            subject, seen=f"{name} ({type(error).__name__}: {error})", expected=expected, remedy=remedy
        ) from error
    if not isinstance(made, getattr(import_module(module), kind)):
        raise ConfigError(
            subject, seen=f"{name}, which makes a {type(made).__name__}", expected=expected, remedy=remedy
        )
    return made
