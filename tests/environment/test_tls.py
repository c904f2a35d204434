"""OTEL_EXPORTER_OTLP_CERTIFICATE, CLIENT_KEY, CLIENT_CERTIFICATE, INSECURE, and credential providers."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import trustme
from opentelemetry import metrics, trace
from servers.otlp import TLS, GRPCSink, HTTPSink, Sink
from servers.work import configure, emit_and_flush, eventually

from aumos_otel import OTLP, ConfigError, testing

SINKS = {"http/protobuf": HTTPSink, "grpc": GRPCSink}
PROTOCOLS = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
SIGNALS = ("traces", "metrics", "logs")
#: The three signals, and the general variable.
SCOPES = ("", "TRACES_", "METRICS_", "LOGS_")
EMIT: dict[str, Callable[[], object]] = {
    "traces": lambda: trace.get_tracer("tests").start_span("work").end(),
    "metrics": lambda: metrics.get_meter("tests").create_counter("work.done").add(1),
    "logs": lambda: logging.getLogger("tests").warning("hello"),
}


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """An authority, a server of it at 127.0.0.1, and a client of it, as PEM files."""
    directory, authority = tmp_path_factory.mktemp("pki"), trustme.CA()
    server, client = authority.issue_cert("127.0.0.1"), authority.issue_cert("client.example")
    blobs = {
        "ca": authority.cert_pem,
        "other": trustme.CA().cert_pem,
        "key": server.private_key_pem,
        "chain": server.cert_chain_pems[0],
        "client_key": client.private_key_pem,
        "client_chain": client.cert_chain_pems[0],
    }
    for name, blob in blobs.items():
        blob.write_to_path(directory / f"{name}.pem")
    return {name: directory / f"{name}.pem" for name in blobs}


@pytest.fixture
def secure(pki: dict[str, Path], protocol: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A collector over TLS."""
    with SINKS[protocol](TLS(pki["key"], pki["chain"])) as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        yield sink
        testing.reset()


@pytest.fixture
def mutual(pki: dict[str, Path], protocol: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Sink]:
    """A collector over TLS that asks for a client certificate."""
    with SINKS[protocol](TLS(pki["key"], pki["chain"], client_ca=pki["ca"])) as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        yield sink
        testing.reset()


def only_signal(scope: str, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Switch the other signals off when the variable names one; returns what is left."""
    if not scope:
        return list(SIGNALS)
    signal = scope.removesuffix("_").lower()
    for other in set(SIGNALS) - {signal}:
        monkeypatch.setenv(f"OTEL_{other.upper()}_EXPORTER", "none")
    return [signal]


def deliver(signals: list[str]) -> None:
    """Configure, emit and see that all of it was delivered."""
    telemetry = configure()
    for signal in signals:
        EMIT[signal]()
    assert telemetry.force_flush(10.0), telemetry.status()


@PROTOCOLS
@pytest.mark.parametrize("variable", [f"OTEL_EXPORTER_OTLP_{scope}CERTIFICATE" for scope in SCOPES])
def test_certificate(
    variable: str, protocol: str, secure: Sink, pki: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A collector of the named authority is trusted, also where requests was told to trust another one."""
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(pki["other"]))
    signals = only_signal(variable.removeprefix("OTEL_EXPORTER_OTLP_").removesuffix("CERTIFICATE"), monkeypatch)
    monkeypatch.setenv(variable, str(pki["ca"]))

    deliver(signals)

    assert {export.signal for export in secure.exports} == set(signals)


@PROTOCOLS
def test_no_certificate(protocol: str, secure: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it the collector is not trusted, nothing is sent, and status() says so."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    telemetry = configure(metrics=False, logs=False)
    EMIT["traces"]()

    telemetry.force_flush(0.5)

    eventually(lambda: telemetry.status().state == "degraded")
    assert secure.exports == []
    assert "certificate" in telemetry.status().destinations[0]["last_error"]


@PROTOCOLS
@pytest.mark.parametrize(
    "variable",
    [f"OTEL_EXPORTER_OTLP_{scope}{suffix}" for scope in SCOPES for suffix in ("CLIENT_KEY", "CLIENT_CERTIFICATE")],
)
def test_client_certificate(
    variable: str, protocol: str, mutual: Sink, pki: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client shows its certificate; general and per-signal variables may be mixed."""
    scope = variable.removeprefix("OTEL_EXPORTER_OTLP_").partition("CLIENT_")[0]
    signals = only_signal(scope, monkeypatch)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(pki["ca"]))
    files = {"CLIENT_KEY": pki["client_key"], "CLIENT_CERTIFICATE": pki["client_chain"]}
    for name, file in files.items():
        monkeypatch.setenv(variable if variable.endswith(name) else f"OTEL_EXPORTER_OTLP_{name}", str(file))

    deliver(signals)

    assert {export.client for export in mutual.exports} == {"client.example"}
    assert {export.signal for export in mutual.exports} == set(signals)


@pytest.mark.parametrize("protocol", ["grpc"])
@pytest.mark.parametrize("variable", [f"OTEL_EXPORTER_OTLP_{scope}INSECURE" for scope in SCOPES])
def test_insecure(
    variable: str, protocol: str, secure: Sink, pki: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Over gRPC and without a scheme "false" means TLS, "true" plaintext."""
    signals = only_signal(variable.removeprefix("OTEL_EXPORTER_OTLP_").removesuffix("INSECURE"), monkeypatch)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"127.0.0.1:{secure.port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_CERTIFICATE", str(pki["ca"]))
    monkeypatch.setenv(variable, "false")

    deliver(signals)
    assert {export.signal for export in secure.exports} == set(signals)

    testing.reset()
    with GRPCSink() as plain:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_INSECURE", "false")
        monkeypatch.setenv(variable, "true")
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"127.0.0.1:{plain.port}")
        deliver(signals)
        testing.reset()
    assert {export.signal for export in plain.exports} == set(signals)


@PROTOCOLS
def test_the_certificate_option(protocol: str, secure: Sink, pki: dict[str, Path]) -> None:
    """The option does what the variable does."""
    emit_and_flush(destinations=[OTLP(endpoint=secure.url, protocol=protocol, certificate=str(pki["ca"]))])

    assert {export.signal for export in secure.exports} == set(SIGNALS)


HTTP_PROVIDER = """
import requests

def {name}():
    session = requests.Session()
    session.headers["x-credential"] = "{name}"
    return session
"""
GRPC_PROVIDER = """
import grpc
from pathlib import Path

def {name}():
    return grpc.ssl_channel_credentials(Path({ca!r}).read_bytes())
"""


@pytest.mark.parametrize("protocol", ["http/protobuf"])
@pytest.mark.parametrize("variable", [f"OTEL_PYTHON_EXPORTER_OTLP_HTTP_{scope}CREDENTIAL_PROVIDER" for scope in SCOPES])
def test_http_credentials(
    variable: str,
    protocol: str,
    collector: HTTPSink,
    plugin: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The session that a provider makes sends the requests; the provider of one signal beats the general one."""
    for name in ("general", "special"):
        plugin(HTTP_PROVIDER.format(name=name), opentelemetry_otlp_credential_provider=f"{name} = {name}")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "general")
    monkeypatch.setenv(variable, "special")

    emit_and_flush()

    wanted = {signal: "special" if signal.upper() in variable else "general" for signal in SIGNALS}
    if variable == "OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER":
        wanted = dict.fromkeys(SIGNALS, "special")
    assert {export.signal: export.headers["x-credential"] for export in collector.exports} == wanted


@pytest.mark.parametrize("protocol", ["grpc"])
@pytest.mark.parametrize("variable", [f"OTEL_PYTHON_EXPORTER_OTLP_GRPC_{scope}CREDENTIAL_PROVIDER" for scope in SCOPES])
def test_grpc_credentials(  # noqa: PLR0917 - pytest passes them by name
    variable: str,
    protocol: str,
    secure: Sink,
    pki: dict[str, Path],
    plugin: Callable[..., object],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The credentials that a provider makes open the channel, with no certificate variable set."""
    scope = variable.removeprefix("OTEL_PYTHON_EXPORTER_OTLP_GRPC_").removesuffix("CREDENTIAL_PROVIDER")
    signals = only_signal(scope, monkeypatch)
    plugin(
        GRPC_PROVIDER.format(name="special", ca=str(pki["ca"])),
        opentelemetry_otlp_credential_provider="special = special",
    )
    monkeypatch.setenv(variable, "special")

    deliver(signals)

    assert {export.signal for export in secure.exports} == set(signals)


@PROTOCOLS
def test_credentials_that_are_not_there(protocol: str, secure: Sink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that no package registers is a ConfigError."""
    kind = "GRPC" if protocol == "grpc" else "HTTP"
    variable = f"OTEL_PYTHON_EXPORTER_OTLP_{kind}_CREDENTIAL_PROVIDER"
    monkeypatch.setenv(variable, "bogus")

    with pytest.raises(ConfigError, match="bogus") as caught:
        configure()

    assert caught.value.subject == variable


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES"])
def test_retryable_codes(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A refusal whose code is named is tried again, which it is not otherwise."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    monkeypatch.setenv(variable, "invalid_argument")
    with GRPCSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        sink.status = 400
        telemetry = configure(metrics=False, logs=False)
        EMIT["traces"]()
        sink.wait_for_arrival()
        sink.status = 200

        sink.wait("traces")

        assert telemetry.force_flush(10.0)
        assert telemetry.status().destinations[0]["delivered"] == 1
        testing.reset()


def test_retryable_codes_that_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the transport itself refuses at start is a ConfigError, too."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    monkeypatch.setenv("OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES", "bogus")

    with pytest.raises(ConfigError, match="BOGUS"):
        configure()
