"""The stock exporters, built from a target."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk._logs.export import LogRecordExporter
from opentelemetry.sdk.metrics.export import MetricExporter
from opentelemetry.sdk.trace.export import SpanExporter

from aumos_otel import ConfigError
from aumos_otel.delivery.otlp import build_exporter
from aumos_otel.delivery.target import Target

TYPES = {"traces": SpanExporter, "metrics": MetricExporter, "logs": LogRecordExporter}
DEFAULTS = {"timeout": 10.0, "compression": "none"}


def target(protocol: Any, signal: Any = "traces", *, tls: bool = False, **options: Any) -> Target:
    """A target on a port that nobody listens on."""
    return Target(signal, protocol, f"{'https' if tls else 'http'}://127.0.0.1:9", tls, "tests", DEFAULTS | options)


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize("signal", ["traces", "metrics", "logs"])
def test_each_signal_over_each_protocol(signal: str, protocol: str) -> None:
    """An exporter of the SDK's type is made without a connection, and shuts down without one."""
    exporter = build_exporter(target(protocol, signal))

    assert isinstance(exporter, TYPES[signal])
    exporter.shutdown()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_certificate_that_is_none(protocol: str, tmp_path: Path) -> None:
    """A file that holds no certificate is refused, or found out when the first connection is made; never ignored."""
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")

    exporter = build_exporter(target(protocol, tls=True, certificate=str(file)))

    exporter.shutdown()


def test_grpc_is_loaded_when_it_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A target over HTTP does not load grpc."""
    for name in [name for name in sys.modules if name == "grpc" or name.startswith("grpc.")]:
        monkeypatch.delitem(sys.modules, name)

    build_exporter(target("http/protobuf")).shutdown()

    assert "grpc" not in sys.modules


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_unknown_credential_provider(protocol: str) -> None:
    """A credential provider that no package registers is a ConfigError."""
    with pytest.raises(ConfigError, match="bogus"):
        build_exporter(target(protocol, tls=True, credential_provider="bogus"))


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", ""),
        ("OTEL_PYTHON_EXPORTER_OTLP_GRPC_RETRYABLE_ERROR_CODES", "bogus"),
    ],
)
def test_what_the_transport_refuses(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the stock exporter reads and refuses itself is a ConfigError, not a bare ValueError or KeyError."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError, match=r"OTLP exporter for traces \(grpc\)"):
        build_exporter(target("grpc"))
