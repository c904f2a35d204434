"""``opentelemetry-instrument``: the same pipeline without a line of code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from servers.otlp import HTTPSink

INSTRUMENT = Path(sys.executable).with_name("opentelemetry-instrument")
PROGRAM = """
import json, logging, sys
from opentelemetry import metrics, trace
def work(name):
    with trace.get_tracer("app").start_as_current_span(name):
        logging.getLogger("app").warning(name)
    metrics.get_meter("app").create_counter("work.done").add(1)
work("early")
import aumos_otel
{configure}
telemetry = aumos_otel.configure({arguments})
work("late")
print(json.dumps(telemetry.describe(), default=str))
"""


@pytest.fixture
def collector() -> Iterator[HTTPSink]:
    """A collector."""
    with HTTPSink() as sink:
        yield sink


def run(collector: HTTPSink, configure: str = "", arguments: str = "", **variables: str) -> subprocess.CompletedProcess:
    """Run the program under ``opentelemetry-instrument``, to its end."""
    return subprocess.run(
        [str(INSTRUMENT), sys.executable, "-c", PROGRAM.format(configure=configure, arguments=arguments)],
        env={**os.environ, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url, **variables},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )


def test_both_distributions_are_here() -> None:
    """These tests run beside opentelemetry-distro, as many services do."""
    assert {"aumos", "distro"} <= entry_points(group="opentelemetry_distro").names


def test_several_distributions(collector: HTTPSink) -> None:
    """OTEL_PYTHON_DISTRO=aumos decides: the pipeline is ours, and everything is delivered when the program ends."""
    done = run(collector, OTEL_PYTHON_DISTRO="aumos", OTEL_SERVICE_NAME="zero-code")

    described = json.loads(done.stdout)
    assert described["providers"] == {"traces": "ours", "metrics": "ours", "logs": "ours"}
    assert [span.name for span in collector.spans()] == ["early", "late"]
    assert [log.body.string_value for log in collector.logs()] == ["early", "late"]
    assert "work.done" in collector.metrics()
    assert collector.resource()["telemetry.distro.name"] == "aumos-otel"
    assert collector.resource()["service.name"] == "zero-code"


def test_the_program_says_more(collector: HTTPSink) -> None:
    """A configure() in the program adds identity to the pipeline that is there, and is told so."""
    done = run(collector, arguments='service_name="chat-api", tier="gold"', OTEL_PYTHON_DISTRO="aumos")

    described = json.loads(done.stdout)
    assert described["refined"] == ["service_name", "tier"]
    assert len(collector.spans()) == 2
    for signal in ("traces", "metrics", "logs"):
        assert collector.resource(signal)["service.name"] == "chat-api"
        assert collector.resource(signal)["aumos.tier"] == "gold"


def test_what_comes_too_late(collector: HTTPSink) -> None:
    """An option that cannot be taken over any more is named in a warning, and ignored."""
    done = run(collector, arguments="sampling=aumos_otel.SamplingOptions(ratio=0)", OTEL_PYTHON_DISTRO="aumos")

    assert "sampling ignored, set them by environment" in done.stderr
    assert len(collector.spans()) == 2


def test_a_second_refinement_that_differs(collector: HTTPSink) -> None:
    """The program's own second configure() may repeat itself."""
    done = run(
        collector,
        configure='aumos_otel.configure(service_name="chat-api")',
        arguments='service_name="chat-api"',
        OTEL_PYTHON_DISTRO="aumos",
    )

    assert json.loads(done.stdout)["refined"] == ["service_name"]


def test_another_configurator(collector: HTTPSink) -> None:
    """OTEL_PYTHON_CONFIGURATOR that the user has set is respected: our configure() then joins the stock pipeline."""
    done = run(collector, OTEL_PYTHON_DISTRO="aumos", OTEL_PYTHON_CONFIGURATOR="configurator")

    described = json.loads(done.stdout)
    assert described["providers"]["traces"].startswith("joined opentelemetry.sdk.trace.TracerProvider")


def test_without_a_choice(collector: HTTPSink) -> None:
    """Without OTEL_PYTHON_DISTRO one of the two wins, and describe() says who; telemetry arrives either way."""
    done = run(collector, OTEL_EXPORTER_OTLP_PROTOCOL="http/protobuf")

    described = json.loads(done.stdout)
    owners = {owner.partition(" ")[0] for owner in described["providers"].values()}
    assert owners in ({"ours"}, {"joined"})
    assert {span.name for span in collector.spans()} == {"early", "late"}


def test_disabled(collector: HTTPSink) -> None:
    """OTEL_SDK_DISABLED leaves the program alone."""
    done = run(collector, OTEL_PYTHON_DISTRO="aumos", OTEL_SDK_DISABLED="true")

    assert json.loads(done.stdout)["state"] == "disabled"
    assert collector.exports == []


def test_a_wrong_variable_does_not_stop_the_program(collector: HTTPSink) -> None:
    """opentelemetry-instrument logs the error of a wrong variable; the program's own configure() raises it."""
    program = "print('the program runs')"
    done = subprocess.run(
        [str(INSTRUMENT), sys.executable, "-c", program],
        env={**os.environ, "OTEL_PYTHON_DISTRO": "aumos", "AUMOS_OTEL_SAMPLING_RATIO": "7"},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )

    assert done.stdout == "the program runs\n"
    assert "AUMOS_OTEL_SAMPLING_RATIO: got '7', expected a number from 0 to 1" in done.stderr
