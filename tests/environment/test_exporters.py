"""OTEL_TRACES_EXPORTER, OTEL_METRICS_EXPORTER and OTEL_LOGS_EXPORTER: what each signal leaves through."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.otlp import HTTPSink
from servers.work import configure, emit_and_flush

from aumos_otel import OTLP, ConfigError

SIGNALS = ("traces", "metrics", "logs")
VARIABLES = pytest.mark.parametrize("variable", [f"OTEL_{signal.upper()}_EXPORTER" for signal in SIGNALS])

PROBE = {
    "traces": ("SpanExporter", "SpanExportResult", "opentelemetry.sdk.trace.export", ""),
    "logs": ("LogRecordExporter", "LogRecordExportResult", "opentelemetry.sdk._logs.export", ""),
    "metrics": ("MetricExporter", "MetricExportResult", "opentelemetry.sdk.metrics.export", ", **_options"),
}
PROBE_CODE = """
from {module} import {base}, {result}
seen = []

class Probe({base}):
    def export(self, batch{rest}):
        seen.append(batch)
        return {result}.SUCCESS

    def force_flush(self, timeout_millis=0):
        return True

    def shutdown(self, *_arguments, **_options):
        pass
"""


def signal_of(variable: str) -> str:
    """The signal in the name of a variable."""
    return variable.removeprefix("OTEL_").removesuffix("_EXPORTER").lower()


@VARIABLES
def test_none(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal goes nowhere, the others as before."""
    monkeypatch.setenv(variable, "none")

    emit_and_flush()

    assert {export.signal for export in collector.exports} == set(SIGNALS) - {signal_of(variable)}


@VARIABLES
def test_console(variable: str, collector: HTTPSink) -> None:
    """The signal is printed instead of sent."""
    code = "from servers.work import configure, emit\nconfigure()\nemit()\n"
    variables = {**os.environ, variable: "console", "PYTHONPATH": str(Path(__file__).parent.parent)}

    done = subprocess.run([sys.executable, "-c", code], env=variables, capture_output=True, text=True, check=True)

    printed = {"traces": '"name": "work"', "metrics": '"work.done"', "logs": '"body": "hello"'}
    assert {signal for signal, text in printed.items() if text in done.stdout} == {signal_of(variable)}
    assert {export.signal for export in collector.exports} == set(SIGNALS) - {signal_of(variable)}


@VARIABLES
@pytest.mark.parametrize("value", ["otlp", "otlp_proto_http", "OTLP", ""])
def test_otlp(value: str, variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """OTLP is the default; the names of its two transports work, too."""
    monkeypatch.setenv(variable, value)

    emit_and_flush()

    assert {export.signal for export in collector.exports} == set(SIGNALS)


@VARIABLES
def test_otlp_over_grpc(
    variable: str, any_collector: Callable[[str], HTTPSink], monkeypatch: pytest.MonkeyPatch
) -> None:
    """``otlp_proto_grpc`` sends over gRPC whatever the protocol variable says."""
    signal = signal_of(variable)
    sink = any_collector("grpc")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    for other in set(SIGNALS) - {signal}:
        monkeypatch.setenv(f"OTEL_{other.upper()}_EXPORTER", "none")
    monkeypatch.setenv(variable, "otlp_proto_grpc")

    emit_and_flush()

    assert {export.signal for export in sink.exports} == {signal}


@VARIABLES
def test_several(
    variable: str, collector: HTTPSink, plugin: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list sends the signal through each of them; other packages may provide one; status() counts each."""
    signal = signal_of(variable)
    base, result, module, rest = PROBE[signal]
    code = PROBE_CODE.format(base=base, result=result, module=module, rest=rest)
    plugin(code, **{f"opentelemetry_{signal}_exporter": "probe = Probe"})
    monkeypatch.setenv(variable, "probe,otlp,probe")

    telemetry = emit_and_flush()

    assert signal in {export.signal for export in collector.exports}
    delivered = {
        book["name"]: book["delivered"] for book in telemetry.status().destinations if book["signal"] == signal
    }
    assert set(delivered) == {"otlp", "probe"}
    assert all(count >= 1 for count in delivered.values())


@VARIABLES
@pytest.mark.parametrize("value", ["pigeon", "otlp,zipkin"])
def test_unknown(value: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter that no package provides is a ConfigError that lists those that are there; nothing is left running."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError) as caught:
        configure()

    assert caught.value.subject == variable
    assert caught.value.seen == value.rpartition(",")[2]
    assert "console" in caught.value.expected


def test_a_metric_reader_under_the_name_of_an_exporter(
    collector: HTTPSink, plugin: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some packages register a reader: it is attached as one, beside the exporters that are named."""
    directory = plugin(
        "from opentelemetry.sdk.metrics.export import InMemoryMetricReader\nreader = InMemoryMetricReader()\n"
        "def make(): return reader\n",
        opentelemetry_metrics_exporter="pull = make",
    )
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "pull,otlp")

    emit_and_flush()

    data = importlib.import_module(directory.name).reader.get_metrics_data()
    found = {
        metric.name
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    }
    assert "work.done" in found
    assert "work.done" in collector.metrics()


def test_an_exporter_that_cannot_be_built(plugin: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    """An exporter that raises when it is made is a ConfigError that says why."""
    plugin("def make():\n    raise KeyError('API_KEY')\n", opentelemetry_traces_exporter="broken = make")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "broken")

    with pytest.raises(ConfigError, match="API_KEY"):
        configure()


def test_none_beside_others(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """``none`` beside another exporter is warned about."""
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none,otlp")

    (warning,) = emit_and_flush().describe()["warnings"]

    assert "OTEL_TRACES_EXPORTER" in warning
    assert len(collector.spans()) == 1


def test_the_argument_beats_them(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """``destinations=`` says where everything goes, whatever the variables say."""
    for signal in SIGNALS:
        monkeypatch.setenv(f"OTEL_{signal.upper()}_EXPORTER", "none")

    emit_and_flush(destinations=[OTLP(endpoint=collector.url)])

    assert {export.signal for export in collector.exports} == set(SIGNALS)
