"""`configure(slos=…)`: what the files say is counted exactly, told to every reader, watched, and refused when wrong."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.trace import SpanKind, Status, StatusCode
from servers.otlp import HTTPSink
from servers.work import configure, eventually

import aumos_otel as aumos
from aumos_otel.errors import AumosOtelError, ObjectiveError
from aumos_otel.pipeline import Telemetry

FILE = """
version: aumos/v1
service: chat-api
burn_policy: "page: 2s>=10 & 4s>=5"
slos:
  - {name: chat-available, target: 99%, sli: http.availability, where: {http.route: /chat}}
  - {name: tool-success, target: 0.995, sli: {match: {gen_ai.operation.name: execute_tool}, good: {not: {status: error}}}}
"""

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Objectives of a chat service, with a policy of seconds."""
    path = tmp_path / "slo.yaml"
    path.write_text(FILE)
    return path


def serve(code: int, route: str = "/chat") -> None:
    """One request."""
    known = {"http.request.method": "GET", "http.route": route, "http.response.status_code": code}
    with trace.get_tracer("tests").start_as_current_span("GET /chat", kind=SpanKind.SERVER, attributes=known) as span:
        if code >= 500:
            span.set_status(Status(StatusCode.ERROR))


def counted(reader: InMemoryMetricReader, metric: str) -> dict[tuple[Any, ...], Any]:
    """The values of a metric by the values of its attributes."""
    data: Any = reader.get_metrics_data()
    return {
        tuple(point.attributes.values()): point.value
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for each in scope.metrics
        if each.name == metric
        for point in each.data.data_points
    }


def test_counts_are_exact_under_sampling(file: Path) -> None:
    """Every span is counted, also those that the sampler drops, and SLIs without events are there with 0."""
    reader = InMemoryMetricReader()
    options = aumos.MetricsOptions(readers=[reader])
    sampling = aumos.SamplingOptions(ratio=0.01)
    telemetry = configure(destinations=[], slos=file, sampling=sampling, metrics=options)
    for number in range(300):
        serve(500 if number % 10 == 0 else 200)
        serve(500, route="/other")
    with aumos.bind(tenant_id="acme"):
        serve(200)

    slis = ("chat-available", "tool-success")  # functions that other tests have declared are counted as well
    assert {key: value for key, value in counted(reader, "aumos.sli.events").items() if key[0] in slis} == {
        ("chat-available",): 300,
        ("chat-available", "acme"): 1,
        ("tool-success",): 0,
    }
    assert {key: value for key, value in counted(reader, "aumos.sli.good_events").items() if key[0] in slis} == {
        ("chat-available",): 270,
        ("chat-available", "acme"): 1,
        ("tool-success",): 0,
    }
    assert sorted(counted(reader, "aumos.slo.target").values()) == [0.99, 0.995]
    described = telemetry.describe()["slos"]
    assert described["slis"][:2] == list(slis)
    assert described["objectives"] == ["chat-api/chat-available", "chat-api/tool-success"]


def test_exemplars_lead_to_the_bad(file: Path) -> None:
    """What leaves over OTLP says which traces the bad events are in."""
    with HTTPSink() as sink:
        telemetry = configure(destinations=[aumos.OTLP(endpoint=sink.url)], slos=str(file))
        serve(200)
        serve(503)
        assert telemetry.force_flush(10)
        bad = {span.trace_id for span in sink.spans() if span.status.code == 2}
        (metric,) = (metric for name, metric in sink.metrics().items() if name == "aumos.sli.events")

    points = [point for point in metric.sum.data_points if point.exemplars]
    assert {exemplar.trace_id for point in points for exemplar in point.exemplars} == bad
    assert len(bad) == 1


def test_an_objective_that_burns_is_told_and_recovers(file: Path) -> None:
    """The hook hears of it on a thread of its own, and of the recovery; meanwhile more traces are kept."""
    heard: list[dict[str, Any]] = []
    options = aumos.SLOOptions(
        files=[file], on_event=lambda event: heard.append(dict(event)), boost=1.0, boost_rate=1000
    )
    with HTTPSink() as sink:
        telemetry = configure(
            destinations=[aumos.OTLP(endpoint=sink.url)], slos=options, sampling=aumos.SamplingOptions(ratio=0.0)
        )
        never = threading.Event()

        def state(wanted: str, code: int) -> bool:
            serve(code)
            never.wait(0.02)
            return bool(heard) and heard[-1]["new_status"] == wanted

        eventually(lambda: state("critical", 500))
        eventually(lambda: bool(telemetry.force_flush(5)) and (serve(500), len(sink.spans()) > 0)[1])
        eventually(lambda: state("ok", 200))

    burning = next(event for event in heard if event["new_status"] == "critical")
    assert burning["slo_id"] == "chat-api/chat-available"
    assert burning["event_type"] == "slo_status_changed"
    assert burning["fast_burn_rate"] >= 10
    assert {event["correlation_id"] for event in heard[heard.index(burning) :]} == {burning["correlation_id"]}


def test_a_wrong_file_is_refused_whole(tmp_path: Path) -> None:
    """configure() raises with every problem and its line, and nothing is installed."""
    path = tmp_path / "slo.yaml"
    path.write_text(FILE.replace("99%", "99.9").replace("http.availability", "http.availabilty"))

    with pytest.raises(ObjectiveError) as caught:
        configure(destinations=[], slos=path)

    assert f"{path}:6: slos[0].target: got 99.9" in str(caught.value)
    assert f"{path}:6: slos[0].sli" in str(caught.value)
    assert isinstance(configure(destinations=[]), Telemetry)


@pytest.mark.parametrize("given", [3, {"a": 1}, "no/such/file.yaml", [3], b"x"])
def test_what_is_no_source_of_objectives(given: object) -> None:
    """Anything but paths, definitions and options is a typed error that names the option."""
    with pytest.raises(AumosOtelError, match="slos"):
        configure(destinations=[], slos=given)


def test_files_from_the_environment(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """AUMOS_OTEL_SLOS names files; JSON is read without the extra for YAML."""
    as_json = file.with_suffix(".json")
    slo = {"name": "s", "target": "99%", "sli": "http.availability"}
    as_json.write_text(json.dumps({"version": "aumos/v1", "service": "j", "slos": [slo]}))
    monkeypatch.setenv("AUMOS_OTEL_SLOS", f"{file},{as_json}")

    described = configure(destinations=[]).describe()["slos"]

    assert described["slis"][:3] == ["chat-available", "tool-success", "s"]


def test_functions_are_counted_whenever_they_are_declared() -> None:
    """`@aumos.slo` counts calls of a function, declared before configure() or after it, sampled or not."""
    reader = InMemoryMetricReader()

    @aumos.slo("tests-before")
    def before() -> None:
        raise ValueError

    configure(
        destinations=[],
        metrics=aumos.MetricsOptions(readers=[reader]),
        sampling=aumos.SamplingOptions(ratio=0.0),
    )

    @aumos.slo("tests-after", below="10s")
    def after() -> int:
        return 1

    for _ in range(3):
        assert after() == 1
        with pytest.raises(ValueError):
            before()

    events, good = counted(reader, "aumos.sli.events"), counted(reader, "aumos.sli.good_events")
    assert (events[("tests-before",)], good[("tests-before",)]) == (3, 0)
    assert (events[("tests-after",)], good[("tests-after",)]) == (3, 3)
