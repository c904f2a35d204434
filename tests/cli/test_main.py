"""The command: help, versions, exit codes, and what is said when something is wrong."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from servers.otlp import HTTPSink

from aumos_otel.cli import main


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPSink]:
    """A collector that everything goes to."""
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink


def invoke(*arguments: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(main, list(arguments))


def test_version_and_help() -> None:
    """The version is the distribution's; help names every command."""
    assert invoke("--version").output.strip().endswith(version("aumos-otel"))
    assert {"config", "demo", "doctor", "run", "tail", "ui"} <= set(invoke("--help").output.split())


@pytest.mark.parametrize("how", [["-m", "aumos_otel"], [str(Path(sys.executable).with_name("aumos-otel"))]])
def test_both_ways_to_start_it(how: list[str]) -> None:
    """``python -m aumos_otel`` and ``aumos-otel`` are the same command."""
    command = [sys.executable, *how] if how[0] == "-m" else how
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)

    assert version("aumos-otel") in done.stdout


def test_doctor_is_well(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """All is well: a line a finding, exit code 0, nothing on stderr."""
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "aumos")

    result = invoke("doctor")

    assert result.exit_code == 0
    assert result.stderr == ""
    assert {line.split()[0] for line in result.stdout.splitlines()} == {"ok"}
    assert f"{collector.url}/v1/traces" in result.stdout


def test_doctor_warns(collector: HTTPSink) -> None:
    """Something to look at: exit code 1."""
    result = invoke("doctor")

    assert result.exit_code == 1
    assert [line for line in result.stdout.splitlines() if line.startswith("warn")]


def test_doctor_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Something is broken: exit code 2, and a line that says what to do next."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        monkeypatch.setenv("AUMOS_OTEL_ENDPOINT", f"127.0.0.1:{taken.getsockname()[1]}")
        result = invoke("doctor")

    assert result.exit_code == 2
    assert result.stderr == "next: start the collector, or: aumos-otel ui\n"


def test_doctor_as_json(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json the findings are data."""
    monkeypatch.setenv("OTEL_PYTHON_DISTRO", "aumos")

    findings = json.loads(invoke("doctor", "--json").stdout)

    assert {finding["grade"] for finding in findings} == {"ok"}
    assert {"grade", "subject", "seen", "remedy"} == set(findings[0])


def test_config(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every option with its value and where it comes from, a line each."""
    monkeypatch.setenv("AUMOS_TIER", "gold")

    lines = invoke("config").stdout.splitlines()

    assert lines[0].split() == ["option", "value", "from", "variables"]
    assert ["tier", "gold", "AUMOS_TIER", "AUMOS_TIER"] in [line.split() for line in lines]


def test_config_as_json(monkeypatch: pytest.MonkeyPatch) -> None:
    """With --json the options are data."""
    monkeypatch.setenv("AUMOS_OTEL_ENDPOINT", "collector:4317")

    rows = {row["option"]: row for row in json.loads(invoke("config", "--json").stdout)}

    assert rows["otlp.endpoint"]["value"] == "collector:4317"
    assert rows["otlp.endpoint"]["source"] == "AUMOS_OTEL_ENDPOINT"
    assert rows["otlp.headers"]["value"] is None


@pytest.mark.parametrize("command", ["config"])
def test_a_wrong_variable(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A typed error is a line, a next step, and exit code 2; never a traceback."""
    monkeypatch.setenv("AUMOS_OTEL_SAMPLING_RATIO", "7")

    result = invoke(command)

    assert result.exit_code == 2
    assert result.stderr.splitlines() == [
        "error: AUMOS_OTEL_SAMPLING_RATIO: got '7', expected a number from 0 to 1; correct it or leave it out",
        "next: correct it or leave it out",
    ]


def test_an_unknown_command() -> None:
    """A command that does not exist is a usage error."""
    result = invoke("doktor")

    assert result.exit_code == 2
    assert "doktor" in result.stderr


@pytest.mark.parametrize("command", ["tail", "run"])
def test_a_missing_extra(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the extra [local] it is said how to install it."""
    monkeypatch.setitem(sys.modules, "aumos_otel.local", None)

    result = invoke(command, *(["true"] if command == "run" else []))

    assert result.exit_code == 2
    assert "next: run: pip install 'aumos-otel[local]'" in result.stderr


def test_a_missing_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """So it is for the demo."""
    monkeypatch.setitem(sys.modules, "aumos_otel.demo", None)

    result = invoke("demo", "--exit")

    assert result.exit_code == 2
    assert "next: run: pip install 'aumos-otel[demo]'" in result.stderr
