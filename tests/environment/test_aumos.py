"""AUMOS_*: our own variables, above the configuration file and the OTEL_* variables."""

from __future__ import annotations

import json
import logging
import os
import signal
import time
import warnings
from pathlib import Path

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind
from servers.otlp import GRPCSink, HTTPSink
from servers.work import configure, emit, emit_and_flush, eventually, in_memory, only

from aumos_otel import ConfigError, llm, testing
from aumos_otel._internal import discovery


@pytest.mark.parametrize(
    ("variable", "attribute"),
    [
        ("AUMOS_SERVICE_NAME", "service.name"),
        ("AUMOS_SERVICE_VERSION", "service.version"),
        ("AUMOS_SERVICE_NAMESPACE", "service.namespace"),
        ("AUMOS_ENVIRONMENT", "deployment.environment.name"),
        ("AUMOS_PRODUCT", "aumos.product"),
        ("AUMOS_TIER", "aumos.tier"),
        ("AUMOS_PHASE", "aumos.phase"),
    ],
)
def test_identity(variable: str, attribute: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable is an attribute of the resource, and beats OTEL_RESOURCE_ATTRIBUTES and OTEL_SERVICE_NAME."""
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", f"{attribute}=general")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "general")
    monkeypatch.setenv(variable, "particular")
    in_memory(spans)
    emit()

    assert only(spans).resource.attributes[attribute] == "particular"


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_ENABLED", "AUMOS_OTEL__ENABLED"])
@pytest.mark.parametrize("value", ["false", "0", "No", "off"])
def test_enabled(value: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A word for no switches everything off."""
    monkeypatch.setenv(variable, value)

    assert configure().status().state == "disabled"
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_ENDPOINT", "AUMOS_OTEL__ENDPOINT"])
def test_endpoint(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything goes to the collector, whatever OTEL_EXPORTER_OTLP_*_ENDPOINT say; without a scheme in plaintext."""
    for name in ("", "TRACES_", "METRICS_", "LOGS_"):
        monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{name}ENDPOINT", "http://127.0.0.1:1")
    with HTTPSink() as sink:
        monkeypatch.setenv(variable, f"127.0.0.1:{sink.port}")
        telemetry = emit_and_flush()
        testing.reset()

    assert {export.path for export in sink.exports} == {"/v1/traces", "/v1/metrics", "/v1/logs"}
    assert {line["source"] for line in telemetry.describe()["destinations"]} == {variable}


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_PROTOCOL"])
def test_protocol(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The protocol beats OTEL_EXPORTER_OTLP_PROTOCOL."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
    monkeypatch.setenv(variable, "grpc")
    with GRPCSink() as sink:
        monkeypatch.setenv("AUMOS_OTEL_ENDPOINT", f"127.0.0.1:{sink.port}")
        emit_and_flush()
        testing.reset()

    assert {export.signal for export in sink.exports} == {"traces", "metrics", "logs"}


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SAMPLING_RATIO"])
def test_sampling_ratio(variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio beats OTEL_TRACES_SAMPLER."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_on")
    monkeypatch.setenv(variable, "0")
    in_memory(spans)
    emit()

    assert spans.get_finished_spans() == ()


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SAMPLING_RATE"])
def test_sampling_rate(variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many root traces a second, whatever OTEL_TRACES_SAMPLER says."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    monkeypatch.setenv(variable, "0.001")
    in_memory(spans)
    emit("first")
    emit("second")

    assert [span.name for span in spans.get_finished_spans()] == ["first"]


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_BAGGAGE_HOSTS"])
@pytest.mark.parametrize(("host", "sent"), [("api.partner.example", True), ("localhost", False)])
def test_baggage_hosts(
    host: str, sent: bool, variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Baggage goes to these hosts and to no others; trace context goes everywhere."""
    monkeypatch.setenv(variable, "*.partner.example")
    in_memory(spans)
    context = baggage.set_baggage("tenant", "acme")
    carrier: dict[str, str] = {}

    call = trace.get_tracer("tests").start_span(
        "GET", context, kind=SpanKind.CLIENT, attributes={"server.address": host}
    )
    propagate.inject(carrier, trace.set_span_in_context(call, context))

    assert ("baggage" in carrier) is sent
    assert "traceparent" in carrier


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_CAPTURE_WARNINGS"])
@pytest.mark.parametrize(("value", "count"), [("true", 1), ("false", 0)])
@pytest.mark.filterwarnings("always:old")
def test_capture_warnings(value: str, count: int, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """What ``warnings.warn()`` says is a log record, unless switched off; it is still shown."""
    monkeypatch.setenv(variable, value)
    memory = InMemoryLogRecordExporter()
    shown: list[str] = []
    monkeypatch.setattr(warnings, "showwarning", lambda message, *_rest: shown.append(str(message)))
    telemetry = configure(destinations=[], log_record_processors=[SimpleLogRecordProcessor(memory)])

    warnings.warn("old", DeprecationWarning, stacklevel=1)
    telemetry.shutdown()

    assert [record.log_record.body for record in memory.get_finished_logs()] == ["DeprecationWarning: old"] * count
    assert shown == ["old"]


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_CONSOLE"])
@pytest.mark.parametrize(("value", "printed"), [("true", True), ("false", False), ("", False)])
def test_console(
    value: str, printed: bool, variable: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spans and log records are printed on stderr when asked for."""
    monkeypatch.setenv(variable, value)
    configure(destinations=[])
    emit()

    seen = capsys.readouterr()
    assert ("work" in seen.err, "hello" in seen.err) == (printed, printed)
    assert seen.out == ""


@pytest.mark.parametrize(
    ("variable", "spans_printed", "logs_printed"),
    [("AUMOS_OTEL_CONSOLE_SPANS", False, True), ("AUMOS_OTEL_CONSOLE_LOGS", True, False)],
)
def test_console_signals(
    variable: str,
    spans_printed: bool,
    logs_printed: bool,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One of the two may be switched off."""
    monkeypatch.setenv("AUMOS_OTEL_CONSOLE", "true")
    monkeypatch.setenv(variable, "false")
    configure(destinations=[])
    emit()

    seen = capsys.readouterr().err
    assert ("work" in seen, "hello" in seen) == (spans_printed, logs_printed)


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_CONSOLE_COLOR"])
@pytest.mark.parametrize(("value", "colored"), [("always", True), ("never", False), ("auto", False)])
def test_console_color(
    value: str, colored: bool, variable: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Colors are on, off, or as the terminal is; here stderr is none."""
    monkeypatch.setenv("AUMOS_OTEL_CONSOLE", "true")
    monkeypatch.setenv(variable, value)
    configure(destinations=[])
    emit()

    assert ("\x1b[" in capsys.readouterr().err) is colored


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_HANDLE_SIGNALS"])
@pytest.mark.parametrize("value", ["true", "false"])
def test_handle_signals(value: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM is ours unless switched off, and is given back at the end."""
    monkeypatch.setenv(variable, value)
    before = signal.getsignal(signal.SIGTERM)

    telemetry = configure(destinations=[])

    assert (signal.getsignal(signal.SIGTERM) is not before) is (value == "true")
    telemetry.shutdown()
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SHUTDOWN_TIMEOUT"])
def test_shutdown_timeout(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaving takes no longer than the budget, here with a collector that hangs."""
    monkeypatch.setenv(variable, "0.2")
    collector.answering.clear()
    telemetry = configure()
    emit()
    started = time.monotonic()

    assert telemetry.shutdown() is False

    assert time.monotonic() - started < 4  # the default budget is 5 seconds


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_PAUSE_SIGNAL"])
def test_pause_signal(variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """The signal pauses telemetry, and sent again resumes it."""
    monkeypatch.setenv(variable, "SIGUSR2")
    telemetry = in_memory(spans)

    os.kill(os.getpid(), signal.SIGUSR2)
    emit()
    assert telemetry.status().state == "paused"
    assert spans.get_finished_spans() == ()

    os.kill(os.getpid(), signal.SIGUSR2)
    emit()
    assert telemetry.status().state == "ok"
    assert len(spans.get_finished_spans()) == 1


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_PAUSE_FILE"])
def test_pause_file(
    variable: str, spans: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Telemetry is paused while the file exists."""
    file = tmp_path / "pause"
    file.touch()
    monkeypatch.setattr("aumos_otel.pipeline.PAUSE_FILE_INTERVAL", 0.01)
    monkeypatch.setenv(variable, str(file))
    telemetry = in_memory(spans)

    eventually(lambda: telemetry.status().state == "paused")
    emit()
    assert spans.get_finished_spans() == ()

    file.unlink()
    eventually(lambda: telemetry.status().state == "ok")
    emit()
    assert len(spans.get_finished_spans()) == 1


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_STATE_DIR"])
def test_state_directory(variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local backend is found by the file in this directory, and used when nothing names an endpoint."""
    monkeypatch.setenv(variable, str(tmp_path / "state"))
    with HTTPSink() as sink:
        pid = os.getpid()
        started = discovery.process_start(pid) or 0.0
        discovery.write(discovery.LocalBackend(pid, started, sink.url, "http://127.0.0.1:4319", "token"))
        assert (tmp_path / "state" / "local.json").exists()

        telemetry = emit_and_flush()
        testing.reset()

    assert {export.signal for export in sink.exports} == {"traces", "metrics", "logs"}
    assert {line["source"] for line in telemetry.describe()["destinations"]} == {f"running aumos-otel ui (pid {pid})"}


def one_call() -> None:
    """One LLM call with content."""
    with llm.span("chat", provider="openai", model="test-model") as call:
        call.set_input([{"role": "user", "content": "secret question"}])
        call.set_output([{"role": "assistant", "content": "secret answer"}])
        call.set_usage(input_tokens=1_000_000, output_tokens=0)


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_LLM_CONTENT"])
@pytest.mark.parametrize(
    ("value", "there", "readable"), [("none", False, False), ("hash", True, False), ("full", True, True)]
)
def test_llm_content(  # noqa: PLR0917 - pytest passes them by name
    value: str,
    there: bool,
    readable: bool,
    variable: str,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Prompts and answers are left out, hashed or kept."""
    monkeypatch.setenv(variable, value)
    in_memory(spans)
    one_call()

    attributes = only(spans).attributes
    assert ("gen_ai.input.messages" in attributes) is there
    assert ("secret" in repr(attributes)) is readable


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_LLM_CAPTURE", "OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT"])
@pytest.mark.parametrize(
    ("place", "on_span", "on_event"), [("span", True, False), ("event", False, True), ("both", True, True)]
)
def test_llm_capture(  # noqa: PLR0917 - pytest passes them by name
    place: str,
    on_span: bool,
    on_event: bool,
    variable: str,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Captured content goes to the span, to an event, or to both."""
    ours = variable.startswith("AUMOS")
    monkeypatch.setenv(variable, place if ours else {"both": "SPAN_AND_EVENT"}.get(place, f"{place.upper()}_ONLY"))
    if ours:
        monkeypatch.setenv("AUMOS_OTEL_LLM_CONTENT", "full")
    memory = InMemoryLogRecordExporter()
    in_memory(spans, log_record_processors=[SimpleLogRecordProcessor(memory)])
    one_call()

    assert ("secret" in repr(only(spans).attributes)) is on_span
    assert ("secret" in repr([record.log_record.attributes for record in memory.get_finished_logs()])) is on_event


def test_no_content_is_a_ceiling(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """NO_CONTENT beats our own variable."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")
    monkeypatch.setenv("AUMOS_OTEL_LLM_CONTENT", "full")
    in_memory(spans)
    one_call()

    assert "secret" not in repr(only(spans).attributes)


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_LLM_PROFILE"])
@pytest.mark.parametrize(
    ("value", "names"),
    [
        ("1.37", {"gen_ai.workflow.name"}),
        ("genai-0.1", {"gen_ai.agent.name"}),
        ("dup", {"gen_ai.workflow.name", "gen_ai.agent.name"}),
    ],
)
def test_llm_profile(
    value: str, names: set[str], variable: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The profile chooses which generation of names is emitted: here for the name of a workflow."""
    monkeypatch.setenv(variable, value)
    in_memory(spans)

    llm.workflow("triage")(lambda: None)()

    assert {name for name, value in only(spans).attributes.items() if value == "triage"} == names


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_LLM_PRICES"])
def test_llm_prices(
    variable: str, spans: InMemorySpanExporter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cost of a call comes from the file."""
    file = tmp_path / "prices.json"
    model = {"source": "the test", "periods": [{"input": 2.5, "output": 10}]}
    table = {"version": "2026-11-22", "currency": "USD", "providers": {"openai": {"models": {"test-model": model}}}}
    file.write_text(json.dumps(table))
    monkeypatch.setenv(variable, str(file))
    in_memory(spans)
    one_call()

    assert 2.5 in only(spans).attributes.values()


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUMOS_OTEL_ENABLED", "maybe"),
        ("AUMOS_OTEL_SAMPLING_RATIO", "1.1"),
        ("AUMOS_OTEL_SAMPLING_RATIO", "nan"),
        ("AUMOS_OTEL_ENDPOINT", "collector:port"),
        ("AUMOS_OTEL_ENDPOINT", "ftp://collector"),
        ("AUMOS_OTEL_PROTOCOL", "http/xml"),
        ("AUMOS_OTEL_SHUTDOWN_TIMEOUT", "-1"),
        ("AUMOS_OTEL_PAUSE_SIGNAL", "SIGBOGUS"),
        ("AUMOS_OTEL_LLM_CONTENT", "everything"),
        ("AUMOS_OTEL_LLM_PRICES", "/nowhere/prices.json"),
        ("AUMOS_OTEL_CARDINALITY_LIMIT", "0"),
        ("AUMOS_OTEL_CARDINALITY_LIMIT", "1.5"),
        ("AUMOS_OTEL_CONSOLE", "perhaps"),
        ("AUMOS_OTEL_CONSOLE_COLOR", "blue"),
        ("AUMOS_LOG_LEVEL", "chatty"),
    ],
)
def test_what_cannot_be_used(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that cannot be used is a ConfigError that names the variable, what was seen and what was expected."""
    monkeypatch.setenv(variable, value)
    if variable.startswith("AUMOS_OTEL_CONSOLE_"):
        monkeypatch.setenv("AUMOS_OTEL_CONSOLE", "true")

    with pytest.raises(ConfigError) as caught:
        configure()

    assert caught.value.subject == variable
    assert caught.value.seen == value
    assert caught.value.expected
    assert caught.value.remedy


def test_loggers_keep_their_levels(monkeypatch: pytest.MonkeyPatch) -> None:
    """AUMOS_LOG_LEVEL is the least level that is sent; no logger is changed."""
    monkeypatch.setenv("AUMOS_LOG_LEVEL", "debug")
    before = logging.getLogger().level

    configure(destinations=[])

    assert logging.getLogger().level == before
