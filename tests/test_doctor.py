"""``aumos-otel doctor``: what would be sent where, who listens there, what clashes."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from servers.otlp import HTTPSink

from aumos_otel import doctor
from aumos_otel._internal import discovery


@pytest.fixture
def collector() -> Iterator[HTTPSink]:
    """A collector."""
    with HTTPSink() as sink:
        yield sink


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port that is taken, so that nobody else can listen there, and that refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def examine(**environ: str) -> dict[str, doctor.Finding]:
    """The findings about an environment, by subject."""
    return {finding.subject: finding for finding in doctor.examine(environ)}


def test_everything_is_well(collector: HTTPSink) -> None:
    """Each signal with its way out and where that came from; somebody listens; one connection, nothing sent."""
    found = examine(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_PYTHON_DISTRO="aumos")

    assert {finding.grade for finding in found.values()} == {"ok"}
    line = found["logs -> otlp"].seen
    assert line == f"{collector.url}/v1/logs (http/protobuf, plaintext, OTEL_EXPORTER_OTLP_ENDPOINT)"
    assert found[f"reach {collector.url}"].seen == "somebody listens"
    assert collector.arrived == 0


def test_nobody_listens(nobody: int) -> None:
    """A collector that cannot be reached is a failure, told once, with the signals that go there."""
    found = examine(AUMOS_OTEL_ENDPOINT=f"127.0.0.1:{nobody}")

    finding = found[f"reach http://127.0.0.1:{nobody}"]
    assert finding.grade == "fail"
    assert "refused" in finding.seen
    assert "(traces, metrics, logs)" in finding.seen
    assert "aumos-otel ui" in finding.remedy


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("AUMOS_OTEL_SAMPLING_RATIO", "7"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_CONFIG_FILE", "/nowhere/otel.yaml"),
    ],
)
def test_a_wrong_variable(variable: str, value: str) -> None:
    """What configure() would refuse is a failure, with the remedy."""
    finding = examine(**{variable: value})["configuration"]

    assert finding.grade == "fail"
    assert finding.seen.startswith(f"{variable}: got ")
    assert finding.remedy


def test_an_exporter_that_is_not_there() -> None:
    """So is an exporter that no package provides; our own page and the SDK's console are fine."""
    found = examine(OTEL_TRACES_EXPORTER="pigeon", OTEL_METRICS_EXPORTER="prometheus", OTEL_LOGS_EXPORTER="console")

    assert found["traces -> pigeon"].grade == "fail"
    assert "console" in found["traces -> pigeon"].seen
    assert found["metrics -> prometheus"].grade == found["logs -> console"].grade == "ok"


def test_what_is_warned_about(collector: HTTPSink) -> None:
    """What configure() would warn about is a warning here."""
    found = examine(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_BSP_MAX_QUEUE_SIZE="many")

    assert found["configuration"].grade == "warn"
    assert "OTEL_BSP_MAX_QUEUE_SIZE" in found["configuration"].seen


def test_disabled() -> None:
    """Disabled telemetry is a warning, and nothing else is looked at."""
    found = examine(OTEL_SDK_DISABLED="true")

    assert found["telemetry"].grade == "warn"
    assert not [subject for subject in found if subject.startswith("reach")]


def test_nowhere_to_go() -> None:
    """No exporter at all is a warning."""
    found = examine(OTEL_TRACES_EXPORTER="none", OTEL_METRICS_EXPORTER="none", OTEL_LOGS_EXPORTER="none")

    assert found["destinations"].grade == "warn"


def test_a_configuration_file(tmp_path: Path) -> None:
    """With a configuration file the file says where telemetry goes."""
    file = tmp_path / "otel.yaml"
    file.write_text('file_format: "1.0"\n')

    found = examine(OTEL_CONFIG_FILE=str(file))

    assert found["destinations"].grade == "ok"
    assert "OTEL_CONFIG_FILE" in found["destinations"].seen


def test_the_local_backend(collector: HTTPSink) -> None:
    """A running local backend is named, and is where telemetry goes; its token is not told."""
    pid = os.getpid()
    started = discovery.process_start(pid) or 0.0
    discovery.write(discovery.LocalBackend(pid, started, collector.url, "http://127.0.0.1:4319", "hush"))
    try:
        found = examine()
    finally:
        discovery.remove()

    assert found["local backend"].seen.startswith(f"pid {pid}, OTLP {collector.url}")
    assert f"running aumos-otel ui (pid {pid})" in found["traces -> otlp"].seen
    assert "hush" not in repr(found)


def test_secrets_are_not_told(collector: HTTPSink) -> None:
    """Neither headers nor the query of an endpoint are shown."""
    found = examine(
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/v1/traces?api_key=hush",
        OTEL_EXPORTER_OTLP_HEADERS="authorization=hush",
        OTEL_METRICS_EXPORTER="none",
        OTEL_LOGS_EXPORTER="none",
    )

    assert "hush" not in repr(found)


def test_several_distributions(collector: HTTPSink) -> None:
    """Beside opentelemetry-distro it is said which one ``opentelemetry-instrument`` would use."""
    undecided = examine(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)["opentelemetry-instrument"]
    decided = examine(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_PYTHON_DISTRO="aumos")["opentelemetry-instrument"]

    assert (undecided.grade, undecided.remedy) == ("warn", "set OTEL_PYTHON_DISTRO=aumos")
    assert decided.grade == "ok"


def test_the_page_has_its_port(nobody: int) -> None:
    """A taken port of the Prometheus page is a warning, a free one is fine; unasked it is not looked at."""
    quiet = {"OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "none", "OTEL_LOGS_EXPORTER": "none"}

    taken = examine(**quiet, AUMOS_OTEL_PROMETHEUS="on", AUMOS_OTEL_PROMETHEUS_PORT=str(nobody))
    free = examine(**quiet, AUMOS_OTEL_PROMETHEUS="on", AUMOS_OTEL_PROMETHEUS_PORT="0")

    assert taken["prometheus page"].grade == "warn"
    assert free["prometheus page"].grade == "ok"
    assert "prometheus page" not in examine(**quiet)


def test_what_processes_left(collector: HTTPSink) -> None:
    """The books of other processes are shown, those that lost something as a warning with the reason."""
    code = (
        "import aumos_otel as aumos\n"
        "aumos.configure(service_name='left-behind', instrumentations=False, logs=False)\n"
        "with aumos.span('work'): pass\n"
    )
    environ = dict(os.environ) | {"OTEL_METRICS_EXPORTER": "none"}
    for endpoint in (collector.url, "http://127.0.0.1:9"):
        environ["AUMOS_OTEL_ENDPOINT"] = endpoint
        subprocess.run([sys.executable, "-c", code], env=environ, check=True, timeout=60)

    said = {finding.grade: finding for finding in doctor.examine({}) if "(left-behind)" in finding.subject}

    assert "emitted 1, delivered 1" in said["ok"].seen
    assert "ended" in said["warn"].seen
    assert "shutdown_deadline 1" in said["warn"].seen
    assert said["warn"].remedy
