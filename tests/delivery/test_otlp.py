"""Transports, built from a target."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
import trustme

from aumos_otel import ConfigError
from aumos_otel.delivery import otlp
from aumos_otel.delivery.grpc import GRPCTransport
from aumos_otel.delivery.http import HTTPTransport
from aumos_otel.delivery.otlp import build_transport
from aumos_otel.delivery.session import SessionTransport
from aumos_otel.delivery.target import Target

TYPES = {"http/protobuf": HTTPTransport, "http/json": HTTPTransport, "grpc": GRPCTransport}
DEFAULTS = {"timeout": 10.0, "compression": "none"}
PROTOCOLS = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


def target(protocol: Any, signal: Any = "traces", *, tls: bool = False, **options: Any) -> Target:
    """A target on a port that nobody listens on."""
    return Target(signal, protocol, f"{'https' if tls else 'http'}://127.0.0.1:9", tls, "tests", DEFAULTS | options)


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_each_signal_over_each_protocol(signal: str, protocol: str) -> None:
    """A transport is made without a connection, and closes without one."""
    transport = build_transport(target(protocol, signal))

    assert isinstance(transport, TYPES[protocol])
    transport.close()


def test_a_certificate_that_is_none(tmp_path: Path) -> None:
    """A file that holds no certificate is refused when the transport is built."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")

    with pytest.raises(ConfigError, match="PEM files"):
        build_transport(target("http/protobuf", tls=True, certificate=str(file)))


@PROTOCOLS
def test_a_key_without_a_certificate(protocol: str, tmp_path: Path) -> None:
    """A client's key alone would be passed over: it is refused, where there is TLS."""
    (tmp_path / "key.pem").touch()
    key = str(tmp_path / "key.pem")

    with pytest.raises(ConfigError, match="CLIENT_CERTIFICATE"):
        build_transport(target(protocol, tls=True, client_key=key))
    build_transport(target(protocol, client_key=key)).close()


def test_a_key_that_needs_a_password(tmp_path: Path) -> None:
    """An encrypted key is refused; nobody is asked for a password."""
    from cryptography.hazmat.primitives import serialization

    authority = trustme.CA()
    leaf = authority.issue_cert("client.example")
    key = serialization.load_pem_private_key(leaf.private_key_pem.bytes(), None)
    locked = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(b"hush"),
    )
    files = {"certificate": authority.cert_pem.bytes(), "client_certificate": leaf.cert_chain_pems[0].bytes()}
    for name, content in (files | {"client_key": locked}).items():
        (tmp_path / name).write_bytes(content)
    options = {name: str(tmp_path / name) for name in ("certificate", "client_certificate", "client_key")}

    with pytest.raises(ConfigError, match="encrypted"):
        build_transport(target("http/protobuf", tls=True, **options))


@pytest.mark.parametrize("module", ["grpc", "requests", "urllib.request", "urllib3"])
def test_what_http_does_not_load(module: str) -> None:
    """A target over HTTP loads no other client."""
    code = (
        "import sys\n"
        "from aumos_otel.delivery.otlp import build_transport\n"
        "from aumos_otel.delivery.target import Target\n"
        "options = {'compression': 'gzip', 'timeout': 10.0}\n"
        "build_transport(Target('traces', 'http/protobuf', 'http://127.0.0.1:9/v1/traces', False, 'tests', options))\n"
        f"sys.exit({module!r} in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@PROTOCOLS
def test_an_unknown_credential_provider(protocol: str) -> None:
    """A credential provider that no package registers is a ConfigError."""
    with pytest.raises(ConfigError, match="bogus"):
        build_transport(target(protocol, tls=True, credential_provider="bogus"))


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Registers a function as the provider of every name."""
    return lambda made: monkeypatch.setattr(otlp, "load_entry_point", lambda *_names: made)


def test_credential_providers(provider: Callable[[Callable[[], object]], None]) -> None:
    """A provider's session, or its channel credentials, are used; over plain gRPC there is nothing to prove."""
    import grpc

    provider(requests.Session)
    assert isinstance(build_transport(target("http/protobuf", credential_provider="x")), SessionTransport)

    provider(grpc.ssl_channel_credentials)
    assert isinstance(build_transport(target("grpc", tls=True, credential_provider="x")), GRPCTransport)

    provider(lambda: pytest.fail("it was asked"))
    build_transport(target("grpc", credential_provider="x"))


def broken() -> object:
    """A provider that raises."""
    raise LookupError("no token")


@PROTOCOLS
@pytest.mark.parametrize(("made", "words"), [(broken, "LookupError: no token"), (object, "which makes a object")])
def test_a_provider_that_is_broken(
    made: Callable[[], object], words: str, protocol: str, provider: Callable[[Callable[[], object]], None]
) -> None:
    """A provider that raises, or makes something else, is a ConfigError that names the variable."""
    provider(made)

    with pytest.raises(ConfigError, match=words) as caught:
        build_transport(target(protocol, tls=True, credential_provider="x"))

    kind = "GRPC" if protocol == "grpc" else "HTTP"
    assert caught.value.subject == f"OTEL_PYTHON_EXPORTER_OTLP_{kind}_CREDENTIAL_PROVIDER"
