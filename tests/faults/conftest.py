"""What the fault tests share: receivers that fail on demand, a proxy that spoils connections, a service to look at."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers import go_programs
from servers.toxics import SOURCE, Toxiproxy

from aumos_otel.delivery import backoff
from aumos_otel.testing import OTLPSink, reset

#: Seconds after which a service that hangs is ended and its test fails.
PATIENCE = 20

SERVICE = """
import json, os, sys, time
import aumos_otel as aumos
from aumos_otel import OTLP
from opentelemetry import metrics, trace

def configure(**options):
    options = {"instrumentations": False, "handle_signals": False, **options}
    return aumos.configure(destinations=[OTLP(endpoint=os.environ["ENDPOINT"], **OTLP_OPTIONS)], **options)

def adopt(telemetry):
    # The spool is looked through by a thread of ours; a flush waits for what that has found.
    end = time.monotonic() + 2
    while time.monotonic() < end and not telemetry.status().destinations[0]["emitted"]:
        time.sleep(0.01)

def report(telemetry, **more):
    books = {book["signal"]: book for book in telemetry.status().to_dict()["destinations"]}
    print(json.dumps({"books": books, **more}), flush=True)

"""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is emitted is sent soon."""
    for name in ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"):
        monkeypatch.setenv(name, "20")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Attempts follow each other soon."""
    monkeypatch.setattr(backoff, "BASE", 0.02)
    monkeypatch.setattr(backoff, "CAP", 0.2)


@pytest.fixture
def sink() -> Iterator[OTLPSink]:
    """An OTLP/HTTP receiver; the pipeline of the test is taken down before it."""
    with OTLPSink() as receiver:
        yield receiver
        reset()


@pytest.fixture
def grpc_sink() -> Iterator[OTLPSink]:
    """An OTLP/gRPC receiver; the pipeline of the test is taken down before it."""
    with OTLPSink(protocol="grpc") as receiver:
        yield receiver
        reset()


@pytest.fixture(scope="session")
def toxiproxy() -> Iterator[Toxiproxy]:
    """A Toxiproxy; tests that use it are marked e2e, because it is built from source."""
    with Toxiproxy(go_programs.build(SOURCE)) as running:
        yield running


@pytest.fixture
def service(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Runs a script as a service of its own and returns what it reported.

    The script finds ``configure(**options)``, which sends to ``endpoint``, and ``report(telemetry, **more)``,
    which prints the books by signal, and ``adopt(telemetry)``, which waits for what is found in the spool; the last line that it prints is returned.  It has ``patience`` seconds;
    ``quiet`` says that it must not print an error.
    """

    def run(
        script: str,
        endpoint: str,
        *,
        environment: dict[str, str] | None = None,
        expected_code: int = 0,
        quiet: bool = False,
        patience: float = PATIENCE,
        **otlp_options: Any,
    ) -> dict[str, Any]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_"))}
        text = SERVICE.replace("OTLP_OPTIONS", repr(otlp_options)) + script
        try:
            ran = subprocess.run(
                [sys.executable, "-c", text],
                env={**clean, "ENDPOINT": endpoint, **(environment or {})},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                check=False,
                timeout=patience,
            )
        except subprocess.TimeoutExpired as hang:
            pytest.fail(f"the service hangs: {hang.stderr!r}")
        assert ran.returncode == expected_code, ran.stderr
        assert not (quiet and ran.stderr), ran.stderr
        return json.loads(ran.stdout.splitlines()[-1])

    return run
