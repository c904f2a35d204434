"""Where one signal of one destination goes: endpoint, protocol, TLS, and why.

The AumOS rules for endpoints meet the specification's variables here:

* ``host:port`` without a scheme is plaintext; port 4317 means grpc, 4318 http/protobuf;
* ``https://`` and ``grpcs://`` mean TLS, ``grpc://`` means grpc in plaintext;
* an endpoint for one signal (OTEL_EXPORTER_OTLP_TRACES_ENDPOINT) is used as it is, a general
  one is the base to which HTTP adds ``/v1/traces``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import unquote, urlsplit

from aumos_otel._internal.values import choice, endpoint, number, readable_file
from aumos_otel.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel._internal.discovery import LocalBackend
    from aumos_otel._internal.values import Parser
    from aumos_otel.config import OTLP, Protocol, Signal

#: Seconds for one export, as the specification has it.
DEFAULT_TIMEOUT: Final = 10.0
#: A larger OTEL_EXPORTER_OTLP_TIMEOUT is in milliseconds.
LONGEST_IN_SECONDS: Final = 300

_DEFAULT_PORTS: dict[Protocol, int] = {"grpc": 4317, "http/protobuf": 4318, "http/json": 4318}
_PROTOCOL_OF_PORT: dict[int, Protocol] = {4317: "grpc", 4318: "http/protobuf"}
_PROTOCOL = choice(*_DEFAULT_PORTS)
_COMPRESSION = choice("gzip", "deflate", "zstd", "none")

#: The statuses of gRPC but OK.
_CODES = frozenset(
    [
        "CANCELLED",
        "UNKNOWN",
        "INVALID_ARGUMENT",
        "DEADLINE_EXCEEDED",
        "NOT_FOUND",
        "ALREADY_EXISTS",
        "PERMISSION_DENIED",
        "RESOURCE_EXHAUSTED",
        "FAILED_PRECONDITION",
        "ABORTED",
        "OUT_OF_RANGE",
        "UNIMPLEMENTED",
        "INTERNAL",
        "UNAVAILABLE",
        "DATA_LOSS",
        "UNAUTHENTICATED",
    ]
)
#: What HTTP takes as the name of a header; gRPC takes fewer.
_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_METADATA_NAME = re.compile(r"(?!.*-bin$)[0-9a-z_.-]+")


@dataclass(frozen=True, slots=True)
class Target:
    """One signal's way out.

    ``url`` is what the transport gets: a full URL for HTTP, ``scheme://host:port`` for grpc.
    ``source`` says where the endpoint came from.  ``options`` may hold ``headers``, ``timeout`` in
    seconds, ``compression``, the files ``certificate``, ``client_key`` and ``client_certificate``,
    the name of a ``credential_provider``, and ``retryable_codes``, names of gRPC statuses that stand in
    the place of the specification's.
    """

    signal: Signal
    protocol: Protocol
    url: str
    tls: bool
    source: str
    options: Mapping[str, Any]


def resolve(
    otlp: OTLP,
    signal: Signal,
    environ: Mapping[str, str],
    sources: Mapping[str, str],
    *,
    local: LocalBackend | None,
    longest: float,
) -> Target:
    """Decide where ``signal`` goes.

    Args:
        otlp: the destination, with its fields resolved.
        signal: traces, metrics or logs.
        environ: the environment variables, empty when a configuration file stands in their place.
        sources: where each option came from.
        local: a running embedded backend; used when nothing names an endpoint.
        longest: seconds that one export may take at most.

    Raises:
        ConfigError: an OTEL_EXPORTER_OTLP_* variable cannot be used.
    """
    wanted, as_is, source = _endpoint(otlp, signal, environ, sources, local)
    spoken = "http/protobuf" if local is not None and source == _by_file(local) else None
    wanted_protocol = spoken or otlp.protocol or _variable(environ, signal, "PROTOCOL", _PROTOCOL)
    parts = urlsplit(wanted if "://" in wanted else f"//{wanted}")
    protocol = _protocol(parts.scheme, parts.port, wanted_protocol, explicit=otlp.protocol is not None)
    tls = parts.scheme in ("https", "grpcs")
    if not parts.scheme and protocol == "grpc":
        tls = _variable(environ, signal, "INSECURE", choice("true", "false")) == "false"
    host = f"[{parts.hostname}]" if parts.hostname and ":" in parts.hostname else parts.hostname
    netloc = f"{host}:{parts.port or (443 if tls and parts.scheme == 'https' else _DEFAULT_PORTS[protocol])}"
    if parts.scheme in ("http", "https") and parts.port is None and protocol != "grpc":
        netloc = f"{host}"
    url = f"{'https' if tls else 'http'}://{netloc}"
    if protocol != "grpc":
        url += parts.path if as_is else f"{parts.path.rstrip('/')}/v1/{signal}"
        url += f"?{parts.query}" if parts.query else ""
    return Target(signal, protocol, url, tls, source, _options(otlp, signal, environ, protocol, longest))


def _endpoint(
    otlp: OTLP, signal: Signal, environ: Mapping[str, str], sources: Mapping[str, str], local: LocalBackend | None
) -> tuple[str, bool, str]:
    if otlp.endpoint is not None:
        return otlp.endpoint, False, sources.get("otlp.endpoint", "argument")
    for variable, as_is in (
        (f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", True),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", False),
    ):
        value = environ.get(variable, "").strip()
        if value:
            return str(_parsed(variable, value, endpoint)), as_is, variable
    if local is not None:
        return local.otlp, False, _by_file(local)
    protocol = otlp.protocol or _variable(environ, signal, "PROTOCOL", _PROTOCOL)
    return f"http://localhost:{_DEFAULT_PORTS[cast('Protocol', protocol or 'http/protobuf')]}", False, "default"


def _by_file(local: LocalBackend) -> str:
    return f"running aumos-otel ui (pid {local.pid})"


def _protocol(scheme: str, port: int | None, wanted: str | None, *, explicit: bool) -> Protocol:
    if scheme in ("grpc", "grpcs"):
        return "grpc"
    if explicit or (wanted and (scheme or port not in _PROTOCOL_OF_PORT)):
        return cast("Protocol", wanted)
    found = _PROTOCOL_OF_PORT.get(port or 0, "http/protobuf")
    return "http/json" if found != "grpc" and wanted == "http/json" else found


def _options(
    otlp: OTLP, signal: Signal, environ: Mapping[str, str], protocol: Protocol, longest: float
) -> dict[str, Any]:
    timeout = otlp.timeout or _variable(environ, signal, "TIMEOUT", _timeout) or DEFAULT_TIMEOUT
    compression = otlp.compression or _variable(environ, signal, "COMPRESSION", _COMPRESSION)
    if protocol == "grpc" and compression == "zstd":
        raise ConfigError(
            "otlp.compression", seen="zstd", expected="gzip or none over grpc", remedy="choose gzip, or http/protobuf"
        )
    headers = otlp.headers if otlp.headers is not None else _variable(environ, signal, "HEADERS", _pairs)
    given = {
        "headers": None if headers is None else _checked(headers, protocol),
        "timeout": min(timeout, longest),
        "compression": compression or "none",
        "certificate": otlp.certificate or _variable(environ, signal, "CERTIFICATE", readable_file),
        "client_key": _variable(environ, signal, "CLIENT_KEY", readable_file),
        "client_certificate": _variable(environ, signal, "CLIENT_CERTIFICATE", readable_file),
        "credential_provider": _credential_provider(environ, signal, protocol),
        "retryable_codes": _retryable_codes(environ) if protocol == "grpc" else None,
    }
    return {name: value for name, value in given.items() if value is not None}


def _timeout(value: str) -> float:
    """Seconds; 0 is as long as it takes.

    The specification counts milliseconds, the Python SDK has always read seconds: nobody means
    more than five minutes, or less than 0.3 seconds.
    """
    given = number(0, 2**31)(value)
    if given == 0:
        return float("inf")
    seconds: float = given if given <= LONGEST_IN_SECONDS else given / 1000
    return seconds


def _pairs(value: str) -> dict[str, str]:
    """``key=value,…`` with percent-encoded parts, as the specification has it; a value may hold further ``=``."""
    pairs = {}
    for part in filter(str.strip, value.split(",")):
        name, equals, content = part.partition("=")
        if not equals or not name.strip():
            raise ValueError("key=value pairs, separated by commas, with percent-encoded values")
        pairs[unquote(name).strip().lower()] = unquote(content).strip()
    return pairs


def _checked(headers: Mapping[str, str], protocol: Protocol) -> Mapping[str, str]:
    """Headers that can go over the wire; the values are secrets and stay out of the error.

    Raises:
        ConfigError: a name or a value has characters that are not allowed.
    """
    grpc = protocol == "grpc"
    allowed = _METADATA_NAME if grpc else _HEADER_NAME
    for name, value in headers.items():
        plain = value.isprintable() and all(ord(char) < (127 if grpc else 256) for char in value)
        if not allowed.fullmatch(name) or not plain:
            raise ConfigError(
                "OTLP headers",
                seen=name if plain else f"{name} with a value that is not plain text",
                expected="names of letters, digits and hyphens, and values without control characters",
                remedy="correct headers= or OTEL_EXPORTER_OTLP_*HEADERS; percent-encode what is special",
            )
    return headers


def _retryable_codes(environ: Mapping[str, str]) -> frozenset[str] | None:
    variable = "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES"
    value = environ.get(variable, "")
    codes = frozenset(code.strip().upper() for code in value.split(",") if code.strip())
    if codes <= _CODES:
        return codes or None
    unknown = ", ".join(sorted(codes - _CODES))
    raise ConfigError(
        variable,
        seen=value,
        expected=f"gRPC statuses, not {unknown}",
        remedy="name some such as UNAVAILABLE, or unset it",
    )


def _credential_provider(environ: Mapping[str, str], signal: Signal, protocol: Protocol) -> str | None:
    prefix = f"OTEL_PYTHON_EXPORTER_OTLP_{'GRPC' if protocol == 'grpc' else 'HTTP'}"
    for variable in (f"{prefix}_{signal.upper()}_CREDENTIAL_PROVIDER", f"{prefix}_CREDENTIAL_PROVIDER"):
        if environ.get(variable, "").strip():
            return environ[variable].strip()
    return None


def _variable(environ: Mapping[str, str], signal: Signal, suffix: str, parse: Parser) -> Any:
    """A per-signal variable, else the general one; None when unset."""
    for variable in (f"OTEL_EXPORTER_OTLP_{signal.upper()}_{suffix}", f"OTEL_EXPORTER_OTLP_{suffix}"):
        if environ.get(variable, "").strip():
            return _parsed(variable, environ[variable], parse)
    return None


def _parsed(variable: str, value: str, parse: Parser) -> Any:
    try:
        return parse(value)
    except ValueError as error:
        raise ConfigError(variable, seen=value, expected=str(error), remedy="correct or unset it") from None
