"""configure(): once, from any thread, without a side effect; beside whatever else is set up in the process."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import baggage, metrics, propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.otlp import HTTPSink, attributes
from servers.work import configure, emit, emit_and_flush, eventually, in_memory, only

import aumos_otel as aumos
from aumos_otel import (
    OTLP,
    AlreadyConfiguredError,
    ConfigError,
    ConsoleOptions,
    LogsOptions,
    MetricsOptions,
    OTLPFile,
    PropagationOptions,
    SamplingOptions,
    Selector,
    SpoolOptions,
    TailSampling,
    testing,
)

TESTS = Path(__file__).resolve().parent


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPSink]:
    """A collector that everything goes to."""
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink
        testing.reset()


def run(code: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program of its own."""
    environment = {**os.environ, "PYTHONPATH": str(TESTS), **variables}
    return subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True, timeout=60
    )


def test_the_same_arguments_return_the_same_handle(collector: HTTPSink) -> None:
    """Called again with the same arguments it does nothing, also when they are equal and not the same objects."""
    arguments = {"service_name": "chat-api", "sampling": SamplingOptions(ratio=0.5), "destinations": [OTLP()]}
    telemetry = configure(**arguments)
    threads = threading.active_count()

    for _ in range(20):
        again = configure(
            service_name="chat-api", sampling=SamplingOptions(ratio=0.5), destinations=[OTLP()], product=None
        )
        assert again is telemetry

    assert threading.active_count() == threads


def test_other_arguments_are_an_error(collector: HTTPSink) -> None:
    """Called again with other arguments it says which differ, and what to do; the pipeline stays as it is."""
    telemetry = configure(service_name="chat-api", tier="gold")

    with pytest.raises(AlreadyConfiguredError) as caught:
        configure(service_name="other", product="assistant", tier="gold")

    assert caught.value.seen == "other values for product, service_name"
    assert "call configure() once" in caught.value.remedy
    assert configure(service_name="chat-api", tier="gold") is telemetry


def test_eight_threads_at_once(collector: HTTPSink) -> None:
    """Eight threads at once get one handle, one pipeline, one set of threads."""
    together, handles = threading.Barrier(8), []

    def start() -> None:
        together.wait()
        handles.append(configure(service_name="chat-api"))

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(handles) == 8
    assert len(set(map(id, handles))) == 1
    emit()
    assert handles[0].force_flush(10.0)
    assert len(collector.spans()) == len(collector.logs()) == 1
    names = [thread.name for thread in threading.enumerate() if thread.name.startswith("aumos-otel-")]
    delivery = {f"aumos-otel-{signal}" for signal in ("traces", "logs")}
    delivery |= {f"aumos-otel-otlp-{signal}" for signal in ("traces", "metrics", "logs")}
    assert sorted(set(names) & delivery) == sorted(name for name in names if name in delivery) == sorted(delivery)


def test_no_side_effect(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """configure() opens no connection, writes no variable, prints nothing, and changes no logger."""
    connections = []
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, lambda _self, address: connections.append(address))
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **_options: connections.append(arguments))
    monkeypatch.chdir(tmp_path)
    environment, level = dict(os.environ), logging.getLogger().level

    aumos.configure(destinations=[OTLP(endpoint="https://127.0.0.1:9", timeout=0.1)], service_name="chat-api")

    assert connections == []
    assert dict(os.environ) == environment
    assert logging.getLogger().level == level
    assert list(tmp_path.iterdir()) == []
    monkeypatch.undo()
    out, err = capfd.readouterr()
    assert (out, err) == ("", "")


@pytest.mark.parametrize("endpoint", ["http://127.0.0.1:9", "grpc://127.0.0.1:9"])
def test_an_unreachable_collector_is_no_error(endpoint: str) -> None:
    """Nobody there: configure() says nothing, the program goes on, status() tells."""
    telemetry = configure(destinations=[OTLP(endpoint=endpoint)], metrics=False, logs=False)
    emit()

    assert telemetry.force_flush(0.2) is False

    eventually(lambda: telemetry.status().state == "degraded")
    (book,) = telemetry.status().destinations
    assert (book["queued"], book["dropped"]) == (1, {})
    assert "127.0.0.1:9" in book["last_error"]


@pytest.mark.parametrize(
    ("arguments", "subject", "seen"),
    [
        ({"servicename": "x"}, "servicename", "an unknown option"),
        ({"service_name": ""}, "service_name", ""),
        ({"service_name": 7}, "service_name", 7),
        ({"environment": ["prod"]}, "environment", ["prod"]),
        ({"resource_attributes": "team=red"}, "resource_attributes", "team=red"),
        ({"resource_attributes": {1: "x"}}, "resource_attributes", {1: "x"}),
        ({"destinations": "collector:4317"}, "destinations", "collector:4317"),
        ({"destinations": OTLP()}, "destinations", OTLP()),
        ({"destinations": ["collector:4317"]}, "destinations", ["collector:4317"]),
        ({"destinations": [OTLP(), OTLP()]}, "destinations", ["otlp", "otlp"]),
        ({"sampling": 0.1}, "sampling", 0.1),
        ({"llm": "full"}, "llm", "full"),
        ({"metrics": LogsOptions()}, "metrics", LogsOptions()),
        ({"logs": "INFO"}, "logs", "INFO"),
        ({"console": "yes"}, "console", "yes"),
        ({"identity": "X-Tenant-ID"}, "identity", "X-Tenant-ID"),
        ({"instrumentations": ["httpx"]}, "instrumentations", ["httpx"]),
        ({"instrumentations": {"httpx": 1}}, "instrumentations", {"httpx": 1}),
        ({"propagators": 3}, "propagators", 3),
        ({"propagators": ["pigeon"]}, "OTEL_PROPAGATORS", "pigeon"),
        ({"span_processors": [object()]}, "span_processors", None),
        ({"log_record_processors": "all"}, "log_record_processors", "all"),
        ({"enabled": "perhaps"}, "enabled", "perhaps"),
        ({"shutdown_timeout": -1}, "shutdown_timeout", -1),
        ({"shutdown_timeout": float("nan")}, "shutdown_timeout", None),
        ({"pause_signal": "SIGNOPE"}, "pause_signal", "SIGNOPE"),
    ],
)
def test_what_cannot_be_used(arguments: dict[str, object], subject: str, seen: object) -> None:
    """Each wrong argument is a ConfigError: what it is, what was seen, what was expected, what to do next."""
    with pytest.raises(ConfigError) as caught:
        aumos.configure(**arguments)

    assert caught.value.subject == subject
    if seen is not None:
        assert caught.value.seen == seen
    assert caught.value.expected
    assert caught.value.remedy
    assert str(caught.value).startswith(f"{subject}: got ")


def test_a_failed_configure_leaves_nothing(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """After an error nothing runs and nothing is set; the next call works."""
    before = set(threading.enumerate())
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "pigeon")
    with pytest.raises(ConfigError):
        configure()

    eventually(
        lambda: (
            not [thread for thread in set(threading.enumerate()) - before if thread.name.startswith(("aumos", "Otel"))]
        )
    )
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert not isinstance(metrics.get_meter_provider(), MeterProvider)

    monkeypatch.delenv("OTEL_LOGS_EXPORTER")
    emit_and_flush()
    assert len(collector.spans()) == len(collector.logs()) == 1


def test_the_whole_resource(collector: HTTPSink) -> None:
    """The identity of the service is on all three signals."""
    emit_and_flush(
        service_name="chat-api",
        service_version="1.4.0",
        service_namespace="shop",
        environment="prod",
        product="assistant",
        tier="foundation",
        phase="ga",
        resource_attributes={"team": "search", "service.instance.id": "pod-7"},
    )

    for signal in ("traces", "metrics", "logs"):
        assert {
            "service.name": "chat-api",
            "service.version": "1.4.0",
            "service.namespace": "shop",
            "deployment.environment.name": "prod",
            "aumos.product": "assistant",
            "aumos.tier": "foundation",
            "aumos.phase": "ga",
            "team": "search",
            "service.instance.id": "pod-7",
            "telemetry.sdk.language": "python",
            "telemetry.distro.name": "aumos-otel",
            "process.pid": os.getpid(),
        }.items() <= collector.resource(signal).items()


def test_several_destinations(collector: HTTPSink) -> None:
    """Everything goes to each destination; one that fails does not keep anything from the others."""
    with HTTPSink() as broken:
        broken.status = 400
        telemetry = configure(
            destinations=[OTLP(name="good", endpoint=collector.url), OTLP(name="bad", endpoint=broken.url)]
        )
        emit()
        assert telemetry.force_flush(10.0) is False
        books = {(book["name"], book["signal"]): book for book in telemetry.status().destinations}
        testing.reset()

    assert {export.signal for export in collector.exports} == {"traces", "metrics", "logs"}
    assert books["good", "traces"]["state"] == "ok"
    assert books["bad", "traces"]["state"] == "failing"


@pytest.mark.parametrize(
    ("off", "gone"), [("metrics", {"metrics"}), ("logs", {"logs"}), ("llm", set()), ("console", set())]
)
def test_switched_off(off: str, gone: set[str], collector: HTTPSink) -> None:
    """False switches one concern off, and nothing else."""
    telemetry = emit_and_flush(**{off: False})

    assert {export.signal for export in collector.exports} == {"traces", "metrics", "logs"} - gone
    assert telemetry.describe()["providers"].get(off, "off") == "off"


def test_processors_of_the_user(collector: HTTPSink) -> None:
    """The user's own processors get everything, beside the destinations."""
    spans, logs = InMemorySpanExporter(), InMemoryLogRecordExporter()

    emit_and_flush(span_processors=[SimpleSpanProcessor(spans)], log_record_processors=[SimpleLogRecordProcessor(logs)])

    assert len(spans.get_finished_spans()) == len(collector.spans()) == 1
    assert len(logs.get_finished_logs()) == len(collector.logs()) == 1


def test_log_records_belong_to_their_span(collector: HTTPSink) -> None:
    """A log record inside a span carries its trace and span id."""
    emit_and_flush()

    (span,), (log,) = collector.spans(), collector.logs()
    assert (log.trace_id, log.span_id) == (span.trace_id, span.span_id)


def test_identity_is_on_spans_and_logs(collector: HTTPSink) -> None:
    """What bind() says is on the spans and log records inside."""
    telemetry = configure()
    with aumos.bind(tenant_id="acme", session_id="s1", user_id="u1"):
        emit()
    assert telemetry.force_flush(10.0)

    expected = {"aumos.tenant.id": "acme", "session.id": "s1", "user.id": "u1"}
    assert expected.items() <= attributes(collector.spans()[0]).items()
    assert expected.items() <= attributes(collector.logs()[0]).items()


def test_console(capsys: pytest.CaptureFixture[str]) -> None:
    """console=True prints spans and log records on stderr."""
    configure(destinations=[], console=ConsoleOptions(color="never"))
    emit()

    printed = capsys.readouterr()
    assert "work" in printed.err
    assert "hello" in printed.err
    assert printed.out == ""


def test_describe_has_no_secrets(collector: HTTPSink) -> None:
    """Neither describe() nor status() nor an error shows a header or the query of a URL."""
    telemetry = emit_and_flush(
        destinations=[OTLP(endpoint=f"{collector.url}?api_key=hush", headers={"Authorization": "Bearer hush"})]
    )

    assert "hush" not in repr(telemetry.describe())
    assert "hush" not in repr(telemetry.status())
    assert collector.exports[0].headers["authorization"] == "Bearer hush"
    with pytest.raises(ConfigError) as caught:
        OTLP(headers={"Authorization": b"hush"})
    assert "hush" not in str(caught.value)


def test_describe_tells_where_values_come_from(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """describe() tells protocol, TLS and source of each way out, and the source of every option."""
    monkeypatch.setenv("AUMOS_TIER", "gold")
    monkeypatch.setenv("OTEL_SERVICE_NAME", "chat-api")

    told = configure(product="assistant").describe()

    assert (
        told["sources"]
        | {
            "product": "argument",
            "tier": "AUMOS_TIER",
            "service_name": "OTEL_SERVICE_NAME",
            "phase": "default",
        }
        == told["sources"]
    )
    (line,) = (line for line in told["destinations"] if line["signal"] == "logs")
    assert line == {
        "name": "otlp",
        "signal": "logs",
        "endpoint": f"{collector.url}/v1/logs",
        "protocol": "http/protobuf",
        "tls": False,
        "source": "OTEL_EXPORTER_OTLP_ENDPOINT",
    }


def test_views_and_readers_of_the_user(collector: HTTPSink) -> None:
    """The user's views are in force, and the user's readers see the metrics too."""
    from opentelemetry.sdk.metrics.view import View

    reader = InMemoryMetricReader()
    emit_and_flush(metrics=MetricsOptions(readers=[reader], views=[View(instrument_name="work.done", name="renamed")]))

    assert "renamed" in collector.metrics()
    assert "renamed" in repr(reader.get_metrics_data())


def test_configure_loads_only_the_transport_in_use() -> None:
    """configure() with OTLP over HTTP does not load grpc, nor a server or console."""
    heavy = ["grpc", "fastapi", "starlette", "prometheus_client", "rich", "yaml"]
    done = run(
        "import sys, aumos_otel\n"
        "aumos_otel.configure()\n"
        f"print([name for name in {heavy!r} if name in sys.modules])\n"
        "import os; os._exit(0)",
        PYTHONUNBUFFERED="1",
    )

    assert done.stdout == "[]\n"


def test_unsampled_spans_are_cheap_and_silent(collector: HTTPSink) -> None:
    """With a ratio of 0 no span leaves; log records inside still do, with their trace."""
    telemetry = configure(sampling=SamplingOptions(ratio=0))
    with aumos.bind(tenant_id="acme"):
        emit()
    assert telemetry.force_flush(10.0)

    assert collector.spans() == []
    assert collector.logs()[0].trace_id
    assert telemetry.status().state == "ok"
    book = telemetry.status().destinations[0]
    assert (book["emitted"], book["dropped"]) == (1, {"sampled": 1})


def test_sampler_of_the_user() -> None:
    """A sampler object of the SDK is used as it is; a wrong one is refused."""
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    spans = InMemorySpanExporter()
    in_memory(spans, sampling=SamplingOptions(sampler=ALWAYS_OFF))
    emit()
    assert spans.get_finished_spans() == ()
    testing.reset()

    spans = InMemorySpanExporter()
    in_memory(spans, sampling=SamplingOptions(sampler="always_on"))
    emit()
    assert only(spans).name == "work"
    testing.reset()

    with pytest.raises(ConfigError, match=r"sampling\.sampler"):
        configure(sampling=SamplingOptions(sampler=0.5))
    with pytest.raises(ConfigError, match="both sampler and ratio"):
        configure(sampling=SamplingOptions(sampler="always_on", ratio=0.5))


def test_a_file_as_destination(tmp_path: Path, collector: HTTPSink) -> None:
    """OTLPFile takes what it is to get, a line of OTLP/JSON for each request, beside a collector."""
    file = tmp_path / "telemetry.jsonl"
    telemetry = emit_and_flush(destinations=[OTLP(), OTLPFile(path=file, signals=["traces", "logs"])])

    kinds = {kind for line in file.read_text().splitlines() for kind in json.loads(line)}
    assert kinds == {"resourceSpans", "resourceLogs"}
    assert len(collector.spans()) == 1
    books = {(book["name"], book["signal"]): book for book in telemetry.status().destinations}
    assert books["file", "traces"]["endpoint"] == str(file)
    assert books["file", "traces"]["delivered"] == 1
    assert ("file", "metrics") not in books
    lines = [line for line in telemetry.describe()["destinations"] if line["name"] == "file"]
    assert {line["endpoint"] for line in lines} == {str(file)}


def test_http_json(collector: HTTPSink) -> None:
    """The same records arrive as JSON when the destination asks for it."""
    emit_and_flush(destinations=[OTLP(protocol="http/json")])

    assert {export.headers["content-type"] for export in collector.exports} == {"application/json"}
    assert [span.name for span in collector.spans()] == ["work"]


def test_what_a_destination_selects(collector: HTTPSink) -> None:
    """A destination gets the records of its tenants and no others, which is no failure."""
    telemetry = configure(
        destinations=[OTLP(name="acme", select=Selector(tenants=["acme"]))], metrics=False, logs=False
    )
    for tenant in ("acme", "other"):
        with aumos.bind(tenant_id=tenant):
            emit(f"work of {tenant}")

    assert telemetry.force_flush(10.0)
    assert [span.name for span in collector.spans()] == ["work of acme"]
    (book,) = telemetry.status().destinations
    assert (book["state"], book["dropped"]) == ("ok", {"filtered": 1})


def test_tail_sampling(collector: HTTPSink) -> None:
    """Traces without merit go as a whole and are counted; one with an error leaves as a whole."""
    telemetry = configure(sampling=SamplingOptions(tail=TailSampling(ratio=0)), metrics=False, logs=False)
    emit("dull")
    with contextlib.suppress(LookupError), aumos.span("failed"):
        emit("inside")
        raise LookupError

    assert telemetry.force_flush(10.0)
    assert sorted(span.name for span in collector.spans()) == ["failed", "inside"]
    (book,) = telemetry.status().destinations
    assert (book["emitted"], book["delivered"], book["dropped"]) == (3, 2, {"sampled": 1})


def test_propagation(collector: HTTPSink) -> None:
    """The options of propagation reach the propagator: baggage that is not listed is not taken."""
    configure(propagation=PropagationOptions(inbound_baggage_keys=["team"]))

    context = propagate.extract({"baggage": "team=red,role=admin"}, Context())

    assert dict(baggage.get_all(context)) == {"team": "red"}


def test_the_spool_of_the_last_process(collector: HTTPSink, tmp_path: Path) -> None:
    """What was left on disk is sent by the next pipeline, also when it emits nothing."""
    options = {"spool": SpoolOptions(enabled=True, directory=tmp_path), "metrics": False, "logs": False}
    collector.status = 503
    configure(**options)
    trace.get_tracer("tests").start_span("left behind").end()
    testing.reset()
    collector.status = 200

    configure(**options)

    collector.wait("traces")
    assert [span.name for span in collector.spans()] == ["left behind"]
