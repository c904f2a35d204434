"""AUMOS_OTEL_SLO*: objectives from the environment."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from servers.work import configure

from aumos_otel import ConfigError
from aumos_otel.cli import main


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of one objective, which AUMOS_OTEL_SLOS names."""
    path = tmp_path / "slo.json"
    slo = {"name": "served", "target": "99%", "sli": "http.availability"}
    path.write_text(json.dumps({"version": "aumos/v1", "service": "tests", "slos": [slo]}))
    monkeypatch.setenv("AUMOS_OTEL_SLOS", str(path))
    return path


def described(**options: Any) -> dict[str, Any]:
    """What the pipeline tells of its objectives."""
    found: dict[str, Any] = configure(destinations=[], **options).describe()["slos"]
    return found


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLOS"])
def test_files(variable: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The objectives of the files are counted."""
    monkeypatch.setenv(variable, str(file))

    assert described()["slis"][0] == "served"


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLO_WATCH"])
def test_watch(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """False: counted, not watched, and so nothing is boosted."""
    monkeypatch.setenv(variable, "false")

    found = described()
    assert (found["slis"][0], found["watched"], found["boost"]) == ("served", False, None)


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLO_BOOST"])
@pytest.mark.parametrize(("value", "expected"), [("0.25", {"share": 0.25, "rate": 10.0}), ("0", None)])
def test_boost(variable: str, value: str, expected: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """The share that is kept while something burns; 0 switches it off."""
    monkeypatch.setenv(variable, value)

    assert described()["boost"] == expected


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLO_BOOST_RATE"])
def test_boost_rate(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bound of what is kept because of it."""
    monkeypatch.setenv(variable, "3")

    assert described()["boost"] == {"share": 0.5, "rate": 3.0}


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLO_KAFKA", "AUMOS_KAFKA__BROKERS"])
def test_kafka(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are needed: the wish, and the brokers; brokers alone switch nothing on."""
    values = {"AUMOS_OTEL_SLO_KAFKA": "true", "AUMOS_KAFKA__BROKERS": "127.0.0.1:9"}
    for name, value in values.items():
        if name != variable:
            monkeypatch.setenv(name, value)
    if variable == "AUMOS_KAFKA__BROKERS":
        with pytest.raises(ConfigError, match="AUMOS_KAFKA__BROKERS"):
            described()
    monkeypatch.setenv(variable, values[variable])

    assert described()["kafka"] == {"brokers": "127.0.0.1:9", "topic": "aumos.observability.events"}


@pytest.mark.usefixtures("file")
@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLO_KAFKA_TOPIC"])
def test_kafka_topic(variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The topic."""
    monkeypatch.setenv("AUMOS_OTEL_SLO_KAFKA", "1")
    monkeypatch.setenv("AUMOS_KAFKA__BROKERS", "127.0.0.1:9")
    monkeypatch.setenv(variable, "events")

    assert described()["kafka"]["topic"] == "events"


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SLO_TOKEN"])
def test_token(variable: str, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command sends it as bearer token."""
    sent = []

    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Quiet."""

        def do_POST(self) -> None:
            sent.append(self.headers.get("Authorization"))
            self.send_error(503)

        do_GET = do_POST  # noqa: N815 - the library's name

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        monkeypatch.setenv(variable, "s3cret")
        result = CliRunner().invoke(
            main, ["slo", "status", str(file), "--from", f"http://127.0.0.1:{server.server_port}"]
        )
        server.shutdown()
        thread.join()

    assert result.exit_code == 2
    assert set(sent) == {"Bearer s3cret"}
