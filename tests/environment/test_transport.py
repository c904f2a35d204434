"""OTEL_EXPORTER_OTLP_*: where each signal goes, and how it travels."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from typing import Self

import pytest
from opentelemetry import trace
from servers.otlp import GRPCSink, HTTPSink
from servers.work import configure, emit, emit_and_flush, eventually

from aumos_otel import OTLP, ConfigError, testing

SIGNALS = ("traces", "metrics", "logs")
SINKS = {"http/protobuf": HTTPSink, "http/json": HTTPSink, "grpc": GRPCSink}
PROTOCOLS = pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])


def per_signal(suffix: str) -> object:
    """A test for each of a variable's three forms that name a signal; the others keep the general one."""
    return pytest.mark.parametrize("variable", [f"OTEL_EXPORTER_OTLP_{signal.upper()}_{suffix}" for signal in SIGNALS])


def signal_of(variable: str) -> str:
    """The signal in the name of a variable."""
    return variable.removeprefix("OTEL_EXPORTER_OTLP_").partition("_")[0].lower()


@pytest.fixture
def other() -> Iterator[HTTPSink]:
    """A second collector."""
    with HTTPSink() as sink:
        yield sink
        testing.reset()


@pytest.fixture
def grpc_collector() -> Iterator[GRPCSink]:
    """A collector that speaks gRPC."""
    with GRPCSink() as sink:
        yield sink
        testing.reset()


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_ENDPOINT"])
def test_endpoint(variable: str, other: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every signal goes to the path of its own below the endpoint, whose own path is kept."""
    monkeypatch.setenv(variable, f"{other.url}/prefix/")

    emit_and_flush()

    assert {other.wait(signal)[0].path for signal in SIGNALS} == {f"/prefix/v1/{signal}" for signal in SIGNALS}


@per_signal("ENDPOINT")
def test_endpoint_of_one_signal(
    variable: str, collector: HTTPSink, other: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The endpoint of one signal beats the general one and is used as it is."""
    signal = signal_of(variable)
    monkeypatch.setenv(variable, f"{other.url}/custom/{signal}")

    emit_and_flush()

    assert other.wait(signal)[0].path == f"/custom/{signal}"
    assert {export.signal for export in other.exports} == {signal}
    assert {export.signal for export in collector.exports} == set(SIGNALS) - {signal}


@pytest.mark.parametrize("protocol", SINKS)
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_PROTOCOL"])
def test_protocol(variable: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All three signals arrive over the protocol that is named."""
    with SINKS[protocol]() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        monkeypatch.setenv(variable, protocol)

        telemetry = emit_and_flush()
        testing.reset()

    assert {export.signal for export in sink.exports} == set(SIGNALS)
    assert [span.name for span in sink.spans()] == ["work"]
    assert [log.body.string_value for log in sink.logs()] == ["hello"]
    assert sink.metrics()["work.done"].sum.data_points[0].as_int == 1
    assert {line["protocol"] for line in telemetry.describe()["destinations"]} == {protocol}


@per_signal("PROTOCOL")
def test_protocol_of_one_signal(
    variable: str, collector: HTTPSink, grpc_collector: GRPCSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One signal may travel over gRPC while the others keep http/protobuf."""
    signal = signal_of(variable)
    monkeypatch.setenv(f"OTEL_EXPORTER_OTLP_{signal.upper()}_ENDPOINT", grpc_collector.url)
    monkeypatch.setenv(variable, "grpc")

    emit_and_flush()

    assert {export.signal for export in grpc_collector.exports} == {signal}
    assert {export.signal for export in collector.exports} == set(SIGNALS) - {signal}


@PROTOCOLS
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_HEADERS"])
def test_headers(variable: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every request carries the headers; values are percent-decoded; describe() keeps them secret."""
    with SINKS[protocol]() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv(variable, "authorization=Bearer%20abc123,x-team=red")

        telemetry = emit_and_flush()
        testing.reset()

    assert {export.headers["authorization"] for export in sink.exports} == {"Bearer abc123"}
    assert {export.headers["x-team"] for export in sink.exports} == {"red"}
    assert "abc123" not in repr(telemetry.describe()) + repr(telemetry.status())


@PROTOCOLS
@per_signal("HEADERS")
def test_headers_of_one_signal(variable: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The headers of one signal stand in the place of the general ones."""
    signal = signal_of(variable)
    with SINKS[protocol]() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "x-team=red")
        monkeypatch.setenv(variable, "x-team=blue")

        emit_and_flush()
        testing.reset()

    teams = {export.signal: export.headers["x-team"] for export in sink.exports}
    assert teams == {name: "blue" if name == signal else "red" for name in SIGNALS}


@PROTOCOLS
def test_headers_of_a_destination(protocol: str, other: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Headers that a destination was given stand in the place of the variables': they may be another's credentials."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=secret")
    with SINKS[protocol]() as sink:
        emit_and_flush(destinations=[OTLP(endpoint=sink.url, protocol=protocol, headers={"X-Team": "red"})])
        testing.reset()

    assert {export.headers["x-team"] for export in sink.exports} == {"red"}
    assert not [export for export in sink.exports if "authorization" in export.headers]


@pytest.mark.parametrize("value", ["gzip", "deflate", "zstd", "none", ""])
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_COMPRESSION"])
def test_compression(variable: str, value: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Requests over HTTP are compressed as asked for, none by default."""
    monkeypatch.setenv(variable, value)

    emit_and_flush()

    encodings = {export.headers.get("content-encoding", "none") for export in collector.exports}
    assert encodings == {value or "none"}


@per_signal("COMPRESSION")
def test_compression_of_one_signal(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The compression of one signal beats the general one."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv(variable, "none")

    emit_and_flush()

    plain = {export.signal for export in collector.exports if "content-encoding" not in export.headers}
    assert plain == {signal_of(variable)}


class Wire:
    """Passes TCP through to a sink and counts what is sent to it."""

    def __init__(self, port: int) -> None:
        self.sent = 0
        self._port = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets = [self._listener]
        self._threads = [threading.Thread(target=self._accept, name="wire")]
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_error: object) -> None:
        for opened in self._sockets:
            with contextlib.suppress(OSError):
                opened.shutdown(socket.SHUT_RDWR)  # wakes the thread that waits for it
        for thread in self._threads:
            thread.join()
        for opened in self._sockets:
            opened.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._port))
            self._sockets += [client, server]
            for source, goal, counts in ((client, server, True), (server, client, False)):
                pump = threading.Thread(target=self._pump, args=(source, goal, counts), name="wire")
                self._threads.append(pump)
                pump.start()

    def _pump(self, source: socket.socket, goal: socket.socket, counts: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                self.sent += len(data) if counts else 0
                goal.sendall(data)
            goal.shutdown(socket.SHUT_WR)


@pytest.mark.parametrize(
    ("variable", "value", "compressed"),
    [
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip", True),
        ("OTEL_EXPORTER_OTLP_TRACES_COMPRESSION", "gzip", True),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "none", False),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "", False),
    ],
)
def test_compression_over_grpc(
    variable: str, value: str, compressed: bool, grpc_collector: GRPCSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A span of 100 kB of the same letter is a few bytes on the wire when gRPC compresses."""
    with Wire(grpc_collector.port) as wire:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", wire.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
        monkeypatch.setenv(variable, value)
        telemetry = configure(metrics=False, logs=False)

        with trace.get_tracer("tests").start_as_current_span("work", attributes={"text": "a" * 100_000}):
            pass

        assert telemetry.force_flush(10.0)
        assert len(grpc_collector.spans()) == 1
        assert (wire.sent < 10_000) is compressed
        testing.reset()


@PROTOCOLS
@pytest.mark.parametrize("value", ["0.3", "400"])
@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT"])
def test_timeout(variable: str, value: str, protocol: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """An attempt that is not answered ends: small values are seconds, as in Python, large ones milliseconds."""
    with SINKS[protocol]() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
        if "TRACES" in variable:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
        monkeypatch.setenv(variable, value)
        sink.answering.clear()
        telemetry = configure(metrics=False, logs=False)

        trace.get_tracer("tests").start_span("work").end()

        telemetry.force_flush(0.5)
        started = time.monotonic()
        eventually(lambda: telemetry.status().destinations[0]["retries"])
        assert time.monotonic() - started < 8  # the default time-out is 10 seconds
        assert telemetry.status().state == "degraded"
        sink.answering.set()
        testing.reset()
        assert len(sink.ids("traces")) == 1


@per_signal("TIMEOUT")
def test_timeout_of_one_signal(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """The time-out of one signal beats the general one: an attempt of that signal alone ends soon."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "60")
    monkeypatch.setenv(variable, "0.3")
    collector.answering.clear()
    telemetry = configure()
    emit()

    def failed() -> set[str]:
        return {book["signal"] for book in telemetry.status().destinations if book["retries"]}

    telemetry.force_flush(0.5)
    eventually(failed)
    assert failed() == {signal_of(variable)}


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "ftp://collector"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:port"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/xml"),
        ("OTEL_EXPORTER_OTLP_LOGS_PROTOCOL", "carrier-pigeon"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_EXPORTER_OTLP_COMPRESSION", "brotli"),
        ("OTEL_EXPORTER_OTLP_CERTIFICATE", "/nowhere/ca.pem"),
        ("OTEL_EXPORTER_OTLP_METRICS_CLIENT_KEY", "/nowhere/key.pem"),
    ],
)
def test_what_cannot_be_used(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A value that cannot be used is a ConfigError that names the variable, what was seen and what to do."""
    monkeypatch.setenv(variable, value)

    with pytest.raises(ConfigError) as caught:
        configure()

    assert caught.value.subject == variable
    assert caught.value.seen == value
    assert caught.value.expected
    assert caught.value.remedy == "correct or unset it"
