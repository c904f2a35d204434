"""The variables of metrics: exemplars, temporality, histograms, the Prometheus page."""

from __future__ import annotations

import socket
import urllib.request
from collections.abc import Callable

import pytest
from opentelemetry import metrics, trace
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AGGREGATION_TEMPORALITY_CUMULATIVE,
    AGGREGATION_TEMPORALITY_DELTA,
)
from servers.otlp import HTTPSink
from servers.work import configure, emit

from aumos_otel import ConfigError

CUMULATIVE, DELTA = AGGREGATION_TEMPORALITY_CUMULATIVE, AGGREGATION_TEMPORALITY_DELTA


@pytest.mark.parametrize("variable", ["OTEL_METRICS_EXEMPLAR_FILTER"])
@pytest.mark.parametrize(
    ("value", "inside", "outside"),
    [
        ("trace_based", 1, 0),
        ("always_on", 1, 1),
        ("always_off", 0, 0),
        ("ALWAYS_ON", 1, 1),
        ("", 1, 0),
        ("sometimes", 1, 0),
    ],
)
def test_exemplars(  # noqa: PLR0917 - pytest passes them by name
    value: str, inside: int, outside: int, variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Measurements inside and outside a sampled span get exemplars as the filter says; an unknown one is the default."""
    monkeypatch.setenv(variable, value)
    telemetry = configure()
    meter = metrics.get_meter("tests")

    meter.create_counter("outside").add(1)
    with trace.get_tracer("tests").start_as_current_span("work") as span:
        meter.create_counter("inside").add(1)
    assert telemetry.force_flush(10.0)

    points = {name: metric.sum.data_points[0] for name, metric in collector.metrics().items() if name.endswith("side")}
    assert (len(points["inside"].exemplars), len(points["outside"].exemplars)) == (inside, outside)
    if inside:
        assert points["inside"].exemplars[0].trace_id.hex() == f"{span.get_span_context().trace_id:032x}"


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    ("value", "counter", "observed", "up_down"),
    [
        ("cumulative", CUMULATIVE, CUMULATIVE, CUMULATIVE),
        ("delta", DELTA, DELTA, CUMULATIVE),
        ("LowMemory", DELTA, CUMULATIVE, CUMULATIVE),
        ("sideways", CUMULATIVE, CUMULATIVE, CUMULATIVE),
    ],
)
def test_temporality(  # noqa: PLR0917 - pytest passes them by name
    value: str,
    counter: int,
    observed: int,
    up_down: int,
    protocol: str,
    variable: str,
    any_collector: Callable[[str], HTTPSink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each kind of instrument is told as increments or as totals, as preferred."""

    def read(_options: CallbackOptions) -> list[Observation]:
        return [Observation(5)]

    sink = any_collector(protocol)
    monkeypatch.setenv(variable, value)
    telemetry = configure()
    meter = metrics.get_meter("tests")
    meter.create_counter("counter").add(1)
    meter.create_histogram("histogram").record(1)
    meter.create_up_down_counter("up_down").add(1)
    meter.create_observable_counter("observed", [read])

    assert telemetry.force_flush(10.0)

    found = sink.metrics()
    assert found["counter"].sum.aggregation_temporality == counter
    assert found["histogram"].histogram.aggregation_temporality == counter
    assert found["observed"].sum.aggregation_temporality == observed
    assert found["up_down"].sum.aggregation_temporality == up_down


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"])
@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
@pytest.mark.parametrize(
    ("value", "kind"),
    [
        ("explicit_bucket_histogram", "histogram"),
        ("base2_exponential_bucket_histogram", "exponential_histogram"),
        ("", "histogram"),
        ("pie_chart", "histogram"),
    ],
)
def test_histograms(  # noqa: PLR0917 - pytest passes them by name
    value: str,
    kind: str,
    protocol: str,
    variable: str,
    any_collector: Callable[[str], HTTPSink],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Histograms have the buckets that are preferred; an unknown preference is the default."""
    sink = any_collector(protocol)
    monkeypatch.setenv(variable, value)
    telemetry = configure()
    metrics.get_meter("tests").create_histogram("histogram").record(1)

    assert telemetry.force_flush(10.0)

    assert sink.metrics()["histogram"].WhichOneof("data") == kind


@pytest.fixture
def free_port() -> int:
    """A port of 127.0.0.1 and 127.0.0.2 that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]


def page(host: str, port: int) -> str:
    """The text of a Prometheus page."""
    with urllib.request.urlopen(f"http://{host}:{port}/metrics", timeout=10) as answer:
        return answer.read().decode()


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_PROMETHEUS_PORT", "AUMOS_OTEL_PROMETHEUS_PORT"])
def test_prometheus_port(variable: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is served on the port; nothing is pushed."""
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "prometheus")
    monkeypatch.setenv("OTEL_TRACES_EXPORTER", "none")
    monkeypatch.setenv("OTEL_LOGS_EXPORTER", "none")
    monkeypatch.setenv(variable, str(free_port))
    telemetry = configure()
    emit()

    assert "work_done_total" in page("127.0.0.1", free_port)
    assert [line["name"] for line in telemetry.describe()["destinations"]] == ["prometheus"]


@pytest.mark.parametrize("variable", ["OTEL_EXPORTER_PROMETHEUS_HOST", "AUMOS_OTEL_PROMETHEUS_HOST"])
def test_prometheus_host(variable: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page is served on the address, and only there; the default is loopback."""
    monkeypatch.setenv("AUMOS_OTEL_PROMETHEUS", "true")
    monkeypatch.setenv("AUMOS_OTEL_PROMETHEUS_PORT", str(free_port))
    monkeypatch.setenv(variable, "127.0.0.2")
    configure(destinations=[])
    emit()

    assert "work_done_total" in page("127.0.0.2", free_port)
    with pytest.raises(OSError, match="refused"):
        page("127.0.0.1", free_port)


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_PROMETHEUS"])
def test_prometheus(variable: str, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own variable serves the page beside the destinations."""
    monkeypatch.setenv("AUMOS_OTEL_PROMETHEUS_PORT", str(free_port))
    monkeypatch.setenv(variable, "on")
    configure(destinations=[])
    emit()

    assert "work_done_total" in page("127.0.0.1", free_port)


@pytest.mark.parametrize("value", ["http", "70000", "-1", "1.5"])
def test_a_port_that_is_none(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A port that is none is a ConfigError."""
    monkeypatch.setenv("OTEL_EXPORTER_PROMETHEUS_PORT", value)

    with pytest.raises(ConfigError) as caught:
        configure()

    assert caught.value.subject == "OTEL_EXPORTER_PROMETHEUS_PORT"


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_CARDINALITY_LIMIT"])
def test_cardinality(variable: str, collector: HTTPSink, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """An instrument keeps this many sets of attributes, the rest shares one overflow point; so does the page."""
    monkeypatch.setenv(variable, "5")
    monkeypatch.setenv("AUMOS_OTEL_PROMETHEUS", "true")
    monkeypatch.setenv("AUMOS_OTEL_PROMETHEUS_PORT", str(free_port))
    telemetry = configure()
    counter = metrics.get_meter("tests").create_counter("work.done")
    for number in range(50):
        counter.add(1, {"number": number})

    assert telemetry.force_flush(10.0)

    points = collector.metrics()["work.done"].sum.data_points
    assert len(points) == 5 + 1
    assert sum(point.as_int for point in points) == 50
    assert len([line for line in page("127.0.0.1", free_port).splitlines() if line.startswith("work_done_total")]) == 6
