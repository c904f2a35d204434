"""Where one signal of one destination goes, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aumos_otel import OTLP, ConfigError
from aumos_otel._internal.discovery import LocalBackend
from aumos_otel.delivery import target
from aumos_otel.delivery.target import Target

LOCAL = LocalBackend(pid=7, started=0.0, otlp="http://127.0.0.1:4318", ui="http://127.0.0.1:4319", token="t")


def resolve(
    environ: dict[str, str] | None = None,
    signal: Any = "traces",
    local: LocalBackend | None = None,
    longest: float = 30.0,
    **given: Any,
) -> Target:
    """A target from options and variables."""
    sources: dict[str, str] = {}
    otlp = OTLP(**given).resolve(environ or {}, {}, sources)
    return target.resolve(otlp, signal, environ or {}, sources, local=local, longest=longest)


@pytest.mark.parametrize(
    ("endpoint", "protocol", "tls", "url"),
    [
        ("collector:4317", "grpc", False, "http://collector:4317"),
        ("collector:4318", "http/protobuf", False, "http://collector:4318/v1/traces"),
        ("collector:9999", "http/protobuf", False, "http://collector:9999/v1/traces"),
        ("collector", "http/protobuf", False, "http://collector:4318/v1/traces"),
        ("http://collector:4317", "grpc", False, "http://collector:4317"),
        ("http://collector", "http/protobuf", False, "http://collector/v1/traces"),
        ("https://collector", "http/protobuf", True, "https://collector/v1/traces"),
        ("https://collector/otlp/", "http/protobuf", True, "https://collector/otlp/v1/traces"),
        ("https://collector/otlp?team=red", "http/protobuf", True, "https://collector/otlp/v1/traces?team=red"),
        ("https://collector:4317", "grpc", True, "https://collector:4317"),
        ("grpc://collector", "grpc", False, "http://collector:4317"),
        ("grpcs://collector", "grpc", True, "https://collector:4317"),
        ("grpcs://collector:443", "grpc", True, "https://collector:443"),
        ("[::1]:4317", "grpc", False, "http://[::1]:4317"),
        ("http://[::1]:4318", "http/protobuf", False, "http://[::1]:4318/v1/traces"),
    ],
)
def test_endpoints(endpoint: str, protocol: str, tls: bool, url: str) -> None:
    """Scheme and port say protocol and TLS; over HTTP the path of the signal is added."""
    goal = resolve(endpoint=endpoint)

    assert (goal.protocol, goal.tls, goal.url, goal.source) == (protocol, tls, url, "argument")


@pytest.mark.parametrize(
    ("given", "environ", "protocol"),
    [
        ({"endpoint": "collector:9999"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"endpoint": "collector:9999"}, {"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "grpc"}, "grpc"),
        ({"endpoint": "collector:4318"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http/protobuf"),
        ({"endpoint": "http://collector:4318"}, {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "grpc"),
        ({"endpoint": "collector:4318", "protocol": "grpc"}, {}, "grpc"),
        ({"endpoint": "grpc://collector:4318", "protocol": "http/protobuf"}, {}, "grpc"),
        ({}, {"AUMOS_OTEL_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "grpc"),
        ({}, {}, "http/protobuf"),
    ],
)
def test_protocol(given: dict[str, str], environ: dict[str, str], protocol: str) -> None:
    """A grpc scheme decides, then our option, then the port of an endpoint without a scheme, then the variable."""
    assert resolve(environ, **given).protocol == protocol


@pytest.mark.parametrize(
    ("environ", "url", "source"),
    [
        ({}, "http://localhost:4318/v1/logs", "default"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "http://localhost:4317", "default"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, "http://a:1/v1/logs", "OTEL_EXPORTER_OTLP_ENDPOINT"),
        (
            {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://b:2/x"},
            "http://b:2/x",
            "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT",
        ),
        (
            {"AUMOS_OTEL_ENDPOINT": "c:3", "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT": "http://b:2/x"},
            "http://c:3/v1/logs",
            "AUMOS_OTEL_ENDPOINT",
        ),
    ],
)
def test_sources(environ: dict[str, str], url: str, source: str) -> None:
    """Our variable, the signal's variable as it is, the general one as a base, localhost."""
    goal = resolve(environ, "logs")

    assert (goal.url, goal.source) == (url, source)


def test_a_running_local_backend() -> None:
    """A local backend is used when nothing names an endpoint, over the protocol that it speaks."""
    found = resolve({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, local=LOCAL)
    named = resolve({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://a:1"}, local=LOCAL)

    assert (found.protocol, found.url) == ("http/protobuf", "http://127.0.0.1:4318/v1/traces")
    assert found.source == "running aumos-otel ui (pid 7)"
    assert named.url == "http://a:1/v1/traces"


@pytest.mark.parametrize(
    ("environ", "given", "longest", "seconds"),
    [
        ({}, {}, 30.0, 10.0),
        ({}, {}, 3.0, 3.0),
        ({}, {"timeout": 60}, 30.0, 30.0),
        ({}, {"timeout": 2}, 30.0, 2.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "5"}, {}, 30.0, 5.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "300"}, {}, 999.0, 300.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "500"}, {}, 30.0, 0.5),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "10000"}, {}, 30.0, 10.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "0"}, {}, 30.0, 30.0),
        ({"OTEL_EXPORTER_OTLP_TIMEOUT": "5", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2000"}, {}, 30.0, 2.0),
        ({"OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "2000"}, {"timeout": 7}, 30.0, 7.0),
    ],
)
def test_timeout(environ: dict[str, str], given: dict[str, Any], longest: float, seconds: float) -> None:
    """Option, signal's variable, general variable, 10 seconds; never longer than an export may take."""
    assert resolve(environ, longest=longest, **given).options["timeout"] == seconds


def test_files_and_headers(tmp_path: Path) -> None:
    """Certificates come from the option or the variables; headers of a destination stand in the place of theirs."""
    ca, key = tmp_path / "ca.pem", tmp_path / "key.pem"
    ca.touch()
    key.touch()
    environ = {"OTEL_EXPORTER_OTLP_CERTIFICATE": str(key), "OTEL_EXPORTER_OTLP_CLIENT_KEY": str(key)}

    options = resolve(environ, certificate=str(ca), headers={"X-Team": "red"}).options

    assert options["certificate"] == str(ca)
    assert options["client_key"] == str(key)
    assert "client_certificate" not in options
    assert options["headers"] == {"x-team": "red"}
    assert resolve({"OTEL_EXPORTER_OTLP_HEADERS": "A=b"}, headers={}).options["headers"] == {}
    assert resolve({"OTEL_EXPORTER_OTLP_HEADERS": "A=b"}).options["headers"] == {"a": "b"}


def test_insecure_is_for_grpc_without_a_scheme() -> None:
    """OTEL_EXPORTER_OTLP_INSECURE=false means TLS there, and nothing where a scheme or HTTP says otherwise."""
    environ = {"OTEL_EXPORTER_OTLP_INSECURE": "false"}

    assert resolve({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317"}).tls is True
    assert resolve({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4317"}).tls is False
    assert resolve({**environ, "OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4318"}).tls is False


def test_a_variable_of_another_signal_does_not_matter() -> None:
    """Only the variables of the signal at hand are checked."""
    environ = {"OTEL_EXPORTER_OTLP_LOGS_TIMEOUT": "soon"}

    assert resolve(environ, "traces").options["timeout"] == 10.0
    with pytest.raises(ConfigError, match="OTEL_EXPORTER_OTLP_LOGS_TIMEOUT"):
        resolve(environ, "logs")


@pytest.mark.parametrize(
    ("environ", "given", "protocol", "url"),
    [
        ({}, {"protocol": "http/json"}, "http/json", "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, {}, "http/json", "http://localhost:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, {"endpoint": "a:4318"}, "http/json", "http://a:4318/v1/traces"),
        ({"OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"}, {"endpoint": "a:4317"}, "grpc", "http://a:4317"),
        ({}, {"protocol": "http/json", "endpoint": "https://a"}, "http/json", "https://a/v1/traces"),
    ],
)
def test_json(environ: dict[str, str], given: dict[str, Any], protocol: str, url: str) -> None:
    """http/json is http/protobuf but for the encoding: the same port, the same paths."""
    goal = resolve(environ, **given)

    assert (goal.protocol, goal.url) == (protocol, url)


@pytest.mark.parametrize(
    ("value", "headers"),
    [
        ("a=b", {"a": "b"}),
        ("authorization=Bearer%20abc==, X-Team = red ,", {"authorization": "Bearer abc==", "x-team": "red"}),
        ("x%2Dteam=a%2Cb%3Dc", {"x-team": "a,b=c"}),
        ("authorization=Basic dXNlcjpwYXNz", {"authorization": "Basic dXNlcjpwYXNz"}),
        ("a=", {"a": ""}),
    ],
)
def test_headers(value: str, headers: dict[str, str]) -> None:
    """Pairs are separated by commas; names and values are percent-decoded, also where nobody encoded them."""
    assert resolve({"OTEL_EXPORTER_OTLP_HEADERS": value}).options["headers"] == headers


def test_headers_of_a_signal() -> None:
    """The headers of a signal stand in the place of the general ones."""
    environ = {"OTEL_EXPORTER_OTLP_HEADERS": "a=b", "OTEL_EXPORTER_OTLP_TRACES_HEADERS": "c=d"}

    assert resolve(environ).options["headers"] == {"c": "d"}
    assert resolve(environ, "logs").options["headers"] == {"a": "b"}


@pytest.mark.parametrize("value", ["no pair", "=b", "a b=c", "a=b%0d%0ac: d", "a%0ab=c", "a=b%00", "a=%E2%82%AC"])
def test_headers_that_are_none(value: str) -> None:
    """What cannot go over the wire, or would add a header of its own, is refused; the value stays secret."""
    with pytest.raises(ConfigError) as caught:
        resolve({"OTEL_EXPORTER_OTLP_HEADERS": value})

    assert "%E2" not in str(caught.value)


@pytest.mark.parametrize("headers", [{"x team": "red"}, {"x-team": "r\u00e9d"}, {"x-team-bin": "red"}])
def test_headers_that_grpc_does_not_take(headers: dict[str, str]) -> None:
    """Over gRPC less goes than over HTTP: no spaces in names, no values beyond ASCII, no binary ones."""
    with pytest.raises(ConfigError, match="OTLP headers"):
        resolve(headers=headers, protocol="grpc")


def test_zstd_is_for_http() -> None:
    """Over grpc zstd is refused, because grpcio does not do it."""
    assert resolve(compression="zstd").options["compression"] == "zstd"
    with pytest.raises(ConfigError, match="zstd"):
        resolve(compression="zstd", protocol="grpc")


def test_retryable_codes() -> None:
    """Codes are names of gRPC statuses; an unknown one is named."""
    variable = "OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES"

    assert "retryable_codes" not in resolve(protocol="grpc").options
    assert "retryable_codes" not in resolve({variable: "bogus"}).options
    codes = resolve({variable: "internal, Aborted"}, protocol="grpc").options["retryable_codes"]
    assert codes == {"INTERNAL", "ABORTED"}
    with pytest.raises(ConfigError, match="BOGUS"):
        resolve({variable: "internal,bogus"}, protocol="grpc")
