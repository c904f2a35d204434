"""OTEL_PYTHON_*: the variables of OpenTelemetry for Python."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.instrumentation import _semconv
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.otlp import HTTPSink, attributes
from servers.work import configure, emit, emit_and_flush, in_memory, only

import aumos_otel as aumos
from aumos_otel import ConfigError

SCRIPTS = Path(sys.executable).parent


def run(*command: str, **variables: str) -> str:
    """Run a program of its own, for what is read when modules are imported; returns what it prints."""
    environment = {**os.environ, **variables}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.strip()


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_ID_GENERATOR"])
def test_id_generator(
    variable: str, plugin: Callable[..., Path], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids come from the generator that a package registers under the name; "random" is the default."""
    plugin(
        "from opentelemetry.sdk.trace.id_generator import RandomIdGenerator\n"
        "class Sevens(RandomIdGenerator):\n"
        "    def generate_trace_id(self):\n"
        "        return 0x7777\n",
        opentelemetry_id_generator="sevens = Sevens",
    )
    monkeypatch.setenv(variable, "sevens")
    in_memory(spans)
    emit()

    assert only(spans).context.trace_id == 0x7777


def test_an_unknown_id_generator(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator that no package registers is a ConfigError."""
    monkeypatch.setenv("OTEL_PYTHON_ID_GENERATOR", "dice")

    with pytest.raises(ConfigError, match="dice"):
        configure(destinations=[])


@pytest.mark.parametrize(
    ("variable", "signal", "module", "config"),
    [
        ("OTEL_PYTHON_TRACER_CONFIGURATOR", "traces", "opentelemetry.sdk.trace", "_TracerConfig"),
        ("OTEL_PYTHON_METER_CONFIGURATOR", "metrics", "opentelemetry.sdk.metrics._internal", "_MeterConfig"),
        ("OTEL_PYTHON_LOGGER_CONFIGURATOR", "logs", "opentelemetry.sdk._logs._internal", "_LoggerConfig"),
    ],
)
def test_configurator(  # noqa: PLR0917 - pytest passes them by name
    variable: str,
    signal: str,
    module: str,
    config: str,
    collector: HTTPSink,
    plugin: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The configurator decides which instrumentation scopes are on: here none of the tests' own."""
    kind = variable.removeprefix("OTEL_PYTHON_").removesuffix("_CONFIGURATOR").lower()
    plugin(
        f"from {module} import {config}\ndef quiet(scope):\n    return {config}(is_enabled=scope.name != 'tests')\n",
        **{f"_opentelemetry_{kind}_configurator": "quiet = quiet"},
    )
    monkeypatch.setenv(variable, "quiet")

    emit_and_flush()

    there = {
        "traces": bool(collector.spans()),
        "metrics": "work.done" in collector.metrics(),
        "logs": bool(collector.logs()),
    }
    assert there == {name: name != signal for name in there}


@pytest.mark.parametrize(
    ("variable", "signal", "value"),
    [
        ("OTEL_PYTHON_TRACER_PROVIDER", "traces", "sdk_tracer_provider"),
        ("OTEL_PYTHON_METER_PROVIDER", "metrics", "sdk_meter_provider"),
        ("OTEL_PYTHON_LOGGER_PROVIDER", "logs", "sdk_logger_provider"),
    ],
)
def test_provider(variable: str, signal: str, value: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The provider that the API makes by this name is joined: everything arrives, describe() says what is lost."""
    monkeypatch.setenv(variable, value)

    telemetry = emit_and_flush()

    assert {export.signal for export in collector.exports} == {"traces", "metrics", "logs"}
    assert telemetry.describe()["providers"][signal].startswith("joined opentelemetry.sdk.")


@pytest.mark.parametrize("kind", ["TRACER", "METER", "LOGGER"])
def test_an_unknown_provider(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A provider that no package registers is a ConfigError, not the API's StopIteration."""
    monkeypatch.setenv(f"OTEL_PYTHON_{kind}_PROVIDER", "bogus")

    with pytest.raises(ConfigError, match="bogus") as caught:
        configure()

    assert caught.value.subject == f"OTEL_PYTHON_{kind}_PROVIDER"
    monkeypatch.delenv(f"OTEL_PYTHON_{kind}_PROVIDER")


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_CONTEXT"])
def test_context(variable: str, plugin: Callable[..., Path]) -> None:
    """Context is kept by the implementation that a package registers under the name."""
    directory = plugin(
        "import threading\n"
        "from opentelemetry.context.contextvars_context import ContextVarsRuntimeContext\n"
        "class Counting(ContextVarsRuntimeContext):\n"
        "    attached = 0\n"
        "    def attach(self, context):\n"
        "        Counting.attached += threading.current_thread() is threading.main_thread()\n"
        "        return super().attach(context)\n",
        opentelemetry_context="counting = Counting",
    )
    code = (
        "import aumos_otel\n"
        "aumos_otel.configure(destinations=[])\n"
        "from opentelemetry.context import _RUNTIME_CONTEXT\n"
        "with aumos_otel.bind(tenant_id='acme'):\n"
        "    print(type(_RUNTIME_CONTEXT).__name__, _RUNTIME_CONTEXT.attached, aumos_otel.current_identity().tenant_id)\n"
    )

    assert run(sys.executable, "-c", code, PYTHONPATH=str(directory), **{variable: "counting"}) == "Counting 1 acme"


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_DISABLED_INSTRUMENTATIONS"])
@pytest.mark.parametrize(("value", "off"), [("httpx", {"httpx"}), ("fastapi , httpx", {"fastapi", "httpx"})])
def test_disabled_instrumentations(value: str, off: set[str], variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The named instrumentations stay off, the others are enabled; describe() says so."""
    monkeypatch.setenv(variable, value)

    reports = aumos.configure(destinations=[]).describe()["instrumentations"]

    states = {report["name"]: report["state"] for report in reports if report["name"] in {"fastapi", "httpx", "httpx2"}}
    assert states == {name: "disabled" if name in off else "enabled" for name in states}


def handlers() -> int:
    """How many handlers of OpenTelemetry's kind the root logger has."""
    return len([handler for handler in logging.getLogger().handlers if "opentelemetry" in repr(type(handler).__mro__)])


@pytest.mark.parametrize(
    "variable", ["OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION"]
)
@pytest.mark.parametrize(("value", "count"), [("true", 1), ("false", 0), ("", 1)])
def test_root_handler(
    value: str, count: int, variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is one handler on the root logger, or none when told so; the handle's own works either way."""
    monkeypatch.setenv(variable, value)

    telemetry = emit_and_flush()

    assert handlers() == count
    assert len(collector.logs()) == count
    logging.getLogger("by.hand").addHandler(telemetry.log_handler)
    logging.getLogger("by.hand").propagate = False
    logging.getLogger("by.hand").warning("hello")
    logging.getLogger("by.hand").removeHandler(telemetry.log_handler)
    assert telemetry.force_flush(10.0)
    assert len(collector.logs()) == count + 1


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_LOG_HANDLER_LEVEL", "AUMOS_LOG_LEVEL"])
def test_handler_level(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records below the level are not sent; loggers keep their levels."""
    monkeypatch.setenv(variable, "error")
    telemetry = configure()

    logging.getLogger("tests").warning("low")
    logging.getLogger("tests").error("high")

    assert telemetry.force_flush(10.0)
    assert [log.body.string_value for log in collector.logs()] == ["high"]


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_LOG_CODE_ATTRIBUTES"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_code_attributes(value: str, variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records tell file, function and line when asked to."""
    monkeypatch.setenv(variable, value)

    emit_and_flush()

    assert ("code.function.name" in attributes(collector.logs()[0])) is (value == "true")


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_internal_metrics(value: str, variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK measures what it still does itself when asked to; what becomes of the records we tell anyway."""
    monkeypatch.setenv(variable, value)

    telemetry = emit_and_flush()
    assert telemetry.force_flush(10.0)

    found = {name for name in collector.metrics() if name.startswith("otel.sdk.")}
    if value == "true":
        assert {"otel.sdk.span.started", "otel.sdk.log.created"} <= found
    else:
        assert not found
    assert "aumos.otel.records" in collector.metrics()


@pytest.mark.parametrize("variable", ["OTEL_SEMCONV_STABILITY_OPT_IN"])
@pytest.mark.parametrize(
    ("value", "mode"), [("", "HTTP"), ("http", "HTTP"), ("http/dup", "HTTP_DUP"), ("database", "DEFAULT")]
)
def test_stability(value: str, mode: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contrib instrumentors emit the stable HTTP names, unless the variable says otherwise."""
    monkeypatch.setenv(variable, value)
    stability = _semconv._OpenTelemetrySemanticConventionStability
    monkeypatch.setattr(stability, "_initialized", False)
    aumos.configure(destinations=[])

    stability._initialize()  # as every contrib instrumentor does

    http = _semconv._OpenTelemetryStabilitySignalType.HTTP
    assert stability._get_opentelemetry_stability_opt_in_mode(http) is _semconv._StabilityMode[mode]


@pytest.mark.parametrize("variable", ["OTEL_PYTHON_AUTO_INSTRUMENTATION_EXPERIMENTAL_GEVENT_PATCH"])
def test_gevent_patch(variable: str, tmp_path: Path) -> None:
    """``opentelemetry-instrument`` patches with gevent before our pipeline starts its threads."""
    package = tmp_path / "gevent"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "monkey.py").write_text(
        "import sys\ndef patch_all():\n    print('patched, aumos_otel', 'aumos_otel._configure' in sys.modules)\n"
    )
    program = "from aumos_otel import _configure; print(_configure._current is not None)"

    printed = run(
        str(SCRIPTS / "opentelemetry-instrument"),
        sys.executable,
        "-c",
        program,
        PYTHONPATH=str(tmp_path),
        OTEL_PYTHON_DISTRO="aumos",
        OTEL_TRACES_EXPORTER="none",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
        **{variable: "patch_all"},
    )

    assert printed.splitlines() == ["patched, aumos_otel False", "True"]


def test_metrics_and_traces_are_there_by_default(collector: HTTPSink) -> None:
    """With none of these variables set everything goes to the collector."""
    emit_and_flush()

    assert isinstance(trace.get_tracer_provider(), TracerProvider)
    assert isinstance(metrics.get_meter_provider(), MeterProvider)
    assert {export.signal for export in collector.exports} == {"traces", "metrics", "logs"}
