"""The backend as a whole: real exporters, start and stop, ports in use, the state file, its own silence."""

from __future__ import annotations

import logging
import os
import socket
import threading
from pathlib import Path

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.utils import is_instrumentation_enabled
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context

from aumos_otel._internal import discovery
from aumos_otel.errors import LocalBackendError
from aumos_otel.local import LocalServer, ports, wire

from .conftest import JSON, TRACE, llm_trace, span, traces


@pytest.mark.parametrize("compression", [Compression.NoCompression, Compression.Gzip])
def test_the_real_exporters_of_all_three_signals_arrive(backend, compression):
    """The SDK's OTLP/HTTP exporters, plain and gzip, deliver a trace, its log and a metric."""
    url, resource = backend.server.otlp_url, Resource({"service.name": "real"})
    tracers = TracerProvider(resource=resource)
    tracers.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", compression=compression)))
    loggers = LoggerProvider(resource=resource)
    loggers.add_log_record_processor(
        BatchLogRecordProcessor(OTLPLogExporter(f"{url}/v1/logs", compression=compression))
    )
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics", compression=compression))
    meters = MeterProvider(resource=resource, metric_readers=[reader])
    with tracers.get_tracer("t").start_as_current_span("GET /", kind=SpanKind.SERVER) as server_span:
        server_span.add_event("reached", {"step": 1})
        record = LogRecord(timestamp=1, severity_number=SeverityNumber.WARN, body="careful", context=set_span_in_context(server_span))  # fmt: skip
        loggers.get_logger("l").emit(record)
        meters.get_meter("m").create_histogram("seconds", unit="s").record(0.25, {"route": "/"})
    for provider in (tracers, loggers, meters):
        provider.shutdown()
    totals = backend.store.totals()
    assert (totals.traces, totals.spans, totals.logs, totals.logs_joined, totals.metric_points) == (1, 1, 1, 1, 1)
    trace = backend.store.trace(f"{server_span.get_span_context().trace_id:032x}")
    assert (trace.spans[0].thing, trace.spans[0].events[0]["attributes"]) == ("server", {"step": 1})
    assert (trace.logs[0].body, trace.summary.root_service) == ("careful", "real")
    assert backend.store.metrics()[0].points[0].attributes == {"route": "/"}


def test_start_and_stop_may_be_called_twice(tmp_path):
    """Starting a running server and stopping a stopped one do nothing; it may be started again."""
    server = LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0)
    server.stop()
    assert not server.running
    assert server.start() is server.start()
    assert server.running
    server.stop()
    server.stop()
    assert not server.running
    with server:
        assert server.running


def test_an_address_before_the_start_is_an_error(tmp_path):
    """There is no address to give yet, and the error says what to do."""
    with pytest.raises(LocalBackendError, match="call start"):
        _ = LocalServer(tmp_path / "local.db").otlp_url


def test_nothing_is_left_behind(tmp_path):
    """After stop no thread runs, the ports are free and the state file is gone."""
    before = set(threading.enumerate())
    with LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0) as server:
        port = int(server.otlp_url.rpartition(":")[2])
        assert discovery.read() is not None
    assert set(threading.enumerate()) <= before
    assert discovery.read() is None
    with socket.create_server(("127.0.0.1", port)):
        pass


def test_a_client_that_never_hangs_up_does_not_hold_the_stop(tmp_path):
    """Open connections, idle or in the middle of a request, do not keep the backend from ending."""
    with LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0) as server:
        address = ("127.0.0.1", int(server.otlp_url.rpartition(":")[2]))
        idle, busy = socket.create_connection(address), socket.create_connection(address)
        busy.sendall(
            b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{"
        )
        server.stop(timeout=10)
        assert not [thread for thread in threading.enumerate() if thread.name.startswith("aumos-otel-local")]
    idle.close()
    busy.close()


def test_a_failed_start_leaves_nothing_running(tmp_path):
    """When the database cannot be had, the ports are given back and no thread remains."""
    (tmp_path / "file").write_text("x")
    before = set(threading.enumerate())
    server = LocalServer(tmp_path / "file" / "local.db", otlp_port=0, ui_port=0)
    with pytest.raises(LocalBackendError):
        server.start()
    assert set(threading.enumerate()) <= before
    assert not server.running
    assert discovery.read() is None


def test_a_port_in_use_makes_way_and_its_holder_is_named(tmp_path):
    """The next free port is taken; the note says which process holds the wished one."""
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        with LocalServer(tmp_path / "local.db", otlp_port=port, ui_port=0) as server:
            taken = int(server.otlp_url.rpartition(":")[2])
            (note,) = server.notes
    assert taken > port
    assert f"port {port} is held by pid {os.getpid()} (" in note
    assert f"taking {taken}" in note


def test_the_next_port_is_not_the_one_that_the_page_wants():
    """With the receiver's port taken, the page still gets its own."""
    holder, _ = ports.listen(0)
    port = holder.getsockname()[1]
    otlp, note = ports.listen(port, avoid={port + 1})
    with holder, otlp:
        assert otlp.getsockname()[1] > port + 1
        assert note


def test_a_second_backend_says_that_one_runs(tmp_path, monkeypatch):
    """The state file stays with the first; the second names it and its port."""
    with LocalServer(tmp_path / "one.db", otlp_port=0, ui_port=0) as first:
        port = int(first.otlp_url.rpartition(":")[2])
        found = discovery.read()
        monkeypatch.setattr(os, "getpid", lambda: found.pid + 1)
        with LocalServer(tmp_path / "two.db", otlp_port=port, ui_port=0) as second:
            assert f"port {port} is held by a running aumos-otel local backend (pid {found.pid})" in second.notes[0]
            assert f"pid {found.pid}" in second.notes[1]
            assert discovery.read() == found
        assert discovery.read() == found


def test_no_port_at_all_is_a_typed_error(monkeypatch):
    """When every candidate is taken, the error names the option."""
    monkeypatch.setattr(ports, "_TRIES", 1)
    with socket.create_server(("127.0.0.1", 0)) as holder, pytest.raises(LocalBackendError, match="--otlp-port"):
        ports.listen(holder.getsockname()[1])


def test_only_loopback_is_listened_on(backend):
    """Other machines cannot connect, whatever they send."""
    lines = "".join(Path(f"/proc/net/{name}").read_text() for name in ("tcp", "tcp6")).splitlines()
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    for url in (backend.server.otlp_url, backend.server.page_url):
        port = f"{int(url.rpartition(':')[2]):04X}"
        assert [address for address in listening if address.endswith(f":{port}")] == [f"0100007F:{port}"]


def test_the_state_file_names_this_backend(backend):
    """What configure() and tail read leads to the receiver and the page."""
    found = discovery.read()
    assert (found.pid, found.otlp, found.ui) == (os.getpid(), backend.server.otlp_url, backend.server.page_url)
    assert found.token == backend.server.token


def test_a_state_file_that_cannot_be_written_is_only_a_note(tmp_path, monkeypatch):
    """Without the file the backend runs, and says that programs will not find it."""
    (tmp_path / "open").mkdir(mode=0o755)
    monkeypatch.setenv(discovery.STATE_DIR_VARIABLE, str(tmp_path / "open"))
    with LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0) as server:
        assert "will not find" in server.notes[0]
        assert "0700" in server.notes[0]
        assert server.running


def test_the_backend_does_not_trace_itself(backend, monkeypatch):
    """In an instrumented process, its requests and its SQL are hidden from the instrumentors: no feedback."""
    seen = {}
    decode, media_type, summary = wire.decode, wire.media_type, backend.store.traces

    def spy(name, function):
        def called(*args, **kwargs):
            seen[name] = is_instrumentation_enabled()
            return function(*args, **kwargs)

        return called

    monkeypatch.setattr(wire, "decode", spy("writer", decode))
    monkeypatch.setattr(wire, "media_type", spy("receiver", media_type))
    monkeypatch.setattr(backend.store, "traces", spy("page", summary))
    backend.send("traces", llm_trace())
    backend.get("/")
    assert seen == {"writer": False, "receiver": False, "page": False}
    assert is_instrumentation_enabled()


def test_the_log_is_silent_in_normal_use(backend, caplog):
    """Serving data, refusing data and stopping log nothing of their own."""
    with caplog.at_level(logging.WARNING):
        backend.send("traces", traces(span("a" * 16)))
        backend.send("traces", b"junk", JSON)
        backend.get(f"/trace/{TRACE}")
        backend.server.stop()
    assert caplog.records == []
