"""The general variables of the specification: on and off, identity, log level, propagators, configuration file."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry import _logs, baggage, metrics, propagate, trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.otlp import HTTPSink
from servers.work import configure, emit, emit_and_flush, in_memory, only

import aumos_otel as aumos
from aumos_otel import ConfigError

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
CARRIERS = {
    "tracecontext": {"traceparent": PARENT},
    "b3": {"b3": "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1"},
    "b3multi": {
        "x-b3-traceid": "4bf92f3577b34da6a3ce929d0e0e4736",
        "x-b3-spanid": "00f067aa0ba902b7",
        "x-b3-sampled": "1",
    },
    "jaeger": {"uber-trace-id": "4bf92f3577b34da6a3ce929d0e0e4736:00f067aa0ba902b7:0:01"},
}


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own, for what is read when modules are imported."""
    return subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, **variables}, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("variable", ["OTEL_SDK_DISABLED"])
@pytest.mark.parametrize("value", ["true", "TRUE", " True "])
def test_disabled(value: str, variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is set up, nothing is sent, and the handle says so."""
    monkeypatch.setenv(variable, value)

    telemetry = configure()
    emit()

    assert telemetry.status().state == "disabled"
    assert telemetry.force_flush() is True
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert collector.exports == []
    assert telemetry.describe()["sources"]["enabled"] == variable


@pytest.mark.parametrize("value", ["1", "yes", "false", ""])
def test_not_disabled(value: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anything but "true" leaves telemetry on; what is not "false" either is warned about."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", value)

    telemetry = emit_and_flush()

    assert len(collector.spans()) == 1
    assert bool(telemetry.describe()["warnings"]) is (value in {"1", "yes"})


@pytest.mark.parametrize(("argument", "variable"), [(True, None), (None, "AUMOS_OTEL_ENABLED")])
def test_enabled_beats_disabled(
    argument: bool | None, variable: str | None, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The argument and our own variable beat OTEL_SDK_DISABLED, for all three signals."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    if variable is not None:
        monkeypatch.setenv(variable, "true")

    emit_and_flush(enabled=argument)

    assert {export.signal for export in collector.exports} == {"traces", "metrics", "logs"}


def test_disabled_leaves_propagators(monkeypatch: pytest.MonkeyPatch) -> None:
    """OTEL_SDK_DISABLED has no effect on OTEL_PROPAGATORS, as the specification says."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("OTEL_PROPAGATORS", "b3")
    configure()

    context = propagate.extract(CARRIERS["b3"])

    assert trace.get_current_span(context).get_span_context().trace_id == 0x4BF92F3577B34DA6A3CE929D0E0E4736


@pytest.mark.parametrize("variable", ["OTEL_SERVICE_NAME"])
def test_service_name(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is on the resource of all signals, and beats the one in OTEL_RESOURCE_ATTRIBUTES."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=other")
    monkeypatch.setenv(variable, "chat-api")

    emit_and_flush()

    assert {collector.resource(signal)["service.name"] for signal in ("traces", "metrics", "logs")} == {"chat-api"}


@pytest.mark.parametrize("variable", ["OTEL_RESOURCE_ATTRIBUTES"])
def test_resource_attributes(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The attributes are on the resource of all signals, percent-decoded; a chosen instance id is respected."""
    monkeypatch.setenv(variable, "team=search%20%26%20chat,service.instance.id=pod-7,service.namespace=shop")

    emit_and_flush()

    for signal in ("traces", "metrics", "logs"):
        resource = collector.resource(signal)
        assert resource["team"] == "search & chat"
        assert resource["service.instance.id"] == "pod-7"
        assert resource["service.namespace"] == "shop"


@pytest.mark.parametrize("variable", ["OTEL_EXPERIMENTAL_RESOURCE_DETECTORS"])
def test_resource_detectors(
    variable: str, plugin: object, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Detectors that other packages register are asked, too."""
    plugin(
        "from opentelemetry.sdk.resources import Resource, ResourceDetector\n"
        "class Rack(ResourceDetector):\n"
        "    def detect(self):\n"
        "        return Resource({'rack': 'r7'})\n",
        opentelemetry_resource_detector="rack = Rack",
    )
    monkeypatch.setenv(variable, "rack")
    in_memory(spans)

    emit()

    assert only(spans).resource.attributes["rack"] == "r7"


@pytest.mark.parametrize("variable", ["OTEL_LOG_LEVEL"])
@pytest.mark.parametrize(("value", "level"), [("debug", logging.DEBUG), ("ERROR", logging.ERROR), ("warn", 30)])
def test_log_level(value: str, level: int, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the SDK and we say about ourselves has this level; the application's loggers keep theirs."""
    monkeypatch.setenv(variable, value)
    before = logging.getLogger().level, logging.getLogger("tests").level

    telemetry = configure(destinations=[])

    assert logging.getLogger("opentelemetry.sdk.trace").getEffectiveLevel() == level
    assert logging.getLogger("aumos_otel").getEffectiveLevel() == level
    assert (logging.getLogger().level, logging.getLogger("tests").level) == before
    telemetry.shutdown()
    assert logging.getLogger("opentelemetry").level == logging.NOTSET


def test_an_unknown_log_level(monkeypatch: pytest.MonkeyPatch) -> None:
    """A level that is none is warned about and ignored."""
    monkeypatch.setenv("OTEL_LOG_LEVEL", "chatty")

    (warning,) = configure(destinations=[]).describe()["warnings"]

    assert "OTEL_LOG_LEVEL" in warning
    assert "chatty" in warning


@pytest.mark.parametrize("variable", ["OTEL_PROPAGATORS"])
@pytest.mark.parametrize("name", list(CARRIERS))
def test_propagator(name: str, variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """Context is read from, and written to, the headers of the named propagator and of no other."""
    monkeypatch.setenv(variable, name)
    in_memory(spans)

    context = propagate.extract(CARRIERS[name])
    carrier: dict[str, str] = {}
    propagate.inject(carrier, context)

    assert trace.get_current_span(context).get_span_context().span_id == 0x00F067AA0BA902B7
    assert {key.lower() for key in carrier} == set(CARRIERS[name])
    for other in set(CARRIERS) - {name}:
        if {name, other} != {"b3", "b3multi"}:  # both read both
            context = propagate.extract(CARRIERS[other])
            assert not trace.get_current_span(context).get_span_context().is_valid


def test_default_propagators(spans: InMemorySpanExporter) -> None:
    """W3C trace context and baggage are the default; of what a client sends the baggage is not taken unasked."""
    in_memory(spans)
    carrier: dict[str, str] = {}

    context = propagate.extract({"traceparent": PARENT, "baggage": "team=red"})
    propagate.inject(carrier, baggage.set_baggage("team", "blue"))

    assert trace.get_current_span(context).get_span_context().is_valid
    assert baggage.get_baggage("team", context) is None
    assert carrier == {"baggage": "team=blue"}


@pytest.mark.parametrize("value", ["none", "tracecontext,tracecontext"])
def test_propagators_once_or_not_at_all(
    value: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The name none reads nothing; a name that is given twice counts once."""
    monkeypatch.setenv("OTEL_PROPAGATORS", value)
    in_memory(spans)

    found = trace.get_current_span(propagate.extract({"traceparent": PARENT})).get_span_context().is_valid

    assert found is (value != "none")
    assert len(propagate.get_global_textmap()._propagators) == (0 if value == "none" else 1)


def test_an_unknown_propagator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A propagator that no package registers is a ConfigError that lists those that are."""
    monkeypatch.setenv("OTEL_PROPAGATORS", "tracecontext,pigeon")

    with pytest.raises(ConfigError, match="pigeon") as caught:
        configure()

    assert caught.value.subject == "OTEL_PROPAGATORS"
    assert "b3" in caught.value.expected


def test_an_unknown_propagator_at_import() -> None:
    """The API raises a bare ValueError on import; a program sees the ConfigError all the same."""
    done = run("import aumos_otel\naumos_otel.configure()", OTEL_PROPAGATORS="pigeon")

    assert done.returncode == 1
    assert "aumos_otel.errors.ConfigError: OTEL_PROPAGATORS: got 'pigeon'" in done.stderr


@pytest.mark.parametrize(
    "variable",
    [
        "OTEL_ENTITIES",
        "OTEL_EXPERIMENTAL_CONFIG_FILE",
        "OTEL_EXPORTER_OTLP_SPAN_INSECURE",
        "OTEL_EXPORTER_OTLP_METRIC_INSECURE",
        "OTEL_EXPORTER_ZIPKIN_ENDPOINT",
        "OTEL_EXPORTER_ZIPKIN_TIMEOUT",
    ],
)
def test_variables_without_effect(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable that does nothing here is named in one warning, with what to do instead."""
    monkeypatch.setenv(variable, "http://127.0.0.1:1")

    (warning,) = configure(destinations=[]).describe()["warnings"]

    assert warning.startswith(f"these variables have no effect: {variable} (")


CONFIG = """
file_format: "1.0"
resource:
  attributes:
    - {{name: service.name, value: from-file}}
tracer_provider:
  processors:
    - batch: {{exporter: {{otlp_http: {{endpoint: {url}/v1/traces}}}}}}
meter_provider:
  readers:
    - periodic: {{exporter: {{otlp_http: {{endpoint: {url}/v1/metrics}}}}}}
logger_provider:
  processors:
    - batch: {{exporter: {{otlp_http: {{endpoint: {url}/v1/logs}}}}}}
propagator:
  composite: [{{b3: }}]
"""


@pytest.mark.parametrize("variable", ["OTEL_CONFIG_FILE"])
def test_config_file(variable: str, collector: HTTPSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file stands in the place of the OTEL_* variables, which are named once as ignored."""
    file = tmp_path / "otel.yaml"
    file.write_text(CONFIG.format(url=collector.url))
    monkeypatch.setenv(variable, str(file))
    monkeypatch.setenv("OTEL_SERVICE_NAME", "from-environment")
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")

    telemetry = emit_and_flush()

    assert {export.signal for export in collector.exports} == {"traces", "metrics", "logs"}
    assert collector.resource()["service.name"] == "from-file"
    (warning,) = telemetry.describe()["warnings"]
    assert "OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_SDK_DISABLED, OTEL_SERVICE_NAME" in warning


def test_our_section_of_the_config_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``distribution.aumos`` holds our options: below AUMOS_* variables and arguments, above OTEL_* variables."""
    file = tmp_path / "otel.yaml"
    file.write_text(
        'file_format: "1.0"\n'
        "distribution:\n"
        "  aumos:\n"
        "    shutdown_timeout: 1.5\n"
        "    product: from-file\n"
        "    environment: from-file\n"
        "    llm: {content: hash, capture: event}\n"
    )
    monkeypatch.setenv("OTEL_CONFIG_FILE", str(file))
    monkeypatch.setenv("AUMOS_PRODUCT", "from-variable")

    telemetry = configure(environment="from-argument", destinations=[])

    sources = telemetry.describe()["sources"]
    assert sources["shutdown_timeout"] == "OTEL_CONFIG_FILE"
    assert sources["product"] == "AUMOS_PRODUCT"
    assert sources["environment"] == "argument"
    assert sources["llm.content"] == sources["llm.capture"] == "OTEL_CONFIG_FILE"


@pytest.mark.parametrize(
    ("content", "subject", "seen"),
    [
        ("file_format: [", "OTEL_CONFIG_FILE", "otel.yaml"),
        ('file_format: "1.0"\ndistribution: {aumos: {shutdown_timout: 1}}', "shutdown_timout", "unknown option"),
        ('file_format: "1.0"\ndistribution: {aumos: {shutdown_timeout: soon}}', "shutdown_timeout", "soon"),
        ('file_format: "1.0"\ndistribution: {aumos: {llm: {content: everything}}}', "llm.content", "everything"),
        ('file_format: "1.0"\ndistribution: {aumos: {llm: {contents: hash}}}', "llm.contents", "unknown option"),
        ('file_format: "1.0"\ndistribution: {aumos: {llm: hash}}', "llm", "hash"),
    ],
)
def test_a_config_file_that_cannot_be_used(
    content: str, subject: str, seen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A broken file, an unknown option or a wrong value in it is a ConfigError."""
    file = tmp_path / "otel.yaml"
    file.write_text(content)
    monkeypatch.setenv("OTEL_CONFIG_FILE", str(file))

    with pytest.raises(ConfigError) as caught:
        configure(destinations=[])

    assert caught.value.subject.startswith("OTEL_CONFIG_FILE")
    assert caught.value.subject.endswith(subject)
    assert seen in str(caught.value)


def test_a_config_file_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that cannot be read is a ConfigError."""
    monkeypatch.setenv("OTEL_CONFIG_FILE", "/nowhere/otel.yaml")

    with pytest.raises(ConfigError, match=r"/nowhere/otel\.yaml"):
        configure()


def test_a_config_file_that_disables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """``disabled: true`` in the file disables."""
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\ndisabled: true\n')
    monkeypatch.setenv("OTEL_CONFIG_FILE", str(file))

    assert aumos.configure().status().state == "disabled"
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert metrics.get_meter_provider().__class__.__name__.startswith("_Proxy")
    assert _logs.get_logger_provider().__class__.__name__.startswith("Proxy")
