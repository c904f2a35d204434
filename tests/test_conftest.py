from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

CASES = """
import os, socket, threading

def wait():
    threading.Event().wait(3)

def test_name_outside():
    try:
        socket.create_connection(("example.com", 80))
    except OSError:
        pass

def test_address_outside():
    with socket.socket() as sock:
        try:
            sock.connect_ex(("192.0.2.1", 80))
        except OSError:
            pass

def test_leaves_a_thread():
    threading.Thread(target=wait).start()

def test_leaves_a_telemetry_daemon():
    threading.Thread(target=wait, name="aumos-x", daemon=True).start()

def test_leaves_a_foreign_daemon():
    threading.Thread(target=wait, daemon=True).start()

def test_uses_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(("localhost", server.getsockname()[1])).close()

def test_sees_no_variables_of_the_developer():
    assert not [name for name in os.environ if name.startswith("OTEL_")]
"""


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str]]:
    """Outcome and name of each case, run under a copy of our conftest; a case that passed may still end in an error."""
    folder = tmp_path_factory.mktemp("cases")
    conftest = Path(__file__).with_name("conftest.py").read_text()
    (folder / "conftest.py").write_text(conftest.replace("THREAD_DEADLINE = 2.0", "THREAD_DEADLINE = 0.2"))
    (folder / "test_cases.py").write_text(CASES)
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "--import-mode=importlib"]
    environment = {**os.environ, "OTEL_SERVICE_NAME": "the-developers"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return set(re.findall(r"^(PASSED|FAILED|ERROR) test_cases\.py::test_(\w+)", run.stdout, re.MULTILINE))


def test_breaches_fail_their_tests(outcomes: set[tuple[str, str]]) -> None:
    """A test that tries to leave the machine, even when it swallows the refusal, or leaves a thread behind, fails."""
    failed = {name for outcome, name in outcomes if outcome == "ERROR"}

    assert failed == {"name_outside", "address_outside", "leaves_a_thread", "leaves_a_telemetry_daemon"}


def test_harmless_tests_pass(outcomes: set[tuple[str, str]]) -> None:
    """Loopback, a foreign daemon thread and a developer's own variables are no breach."""
    harmless = {"leaves_a_foreign_daemon", "uses_loopback", "sees_no_variables_of_the_developer"}

    assert {name for outcome, name in outcomes if outcome == "PASSED"} >= harmless
    assert not [name for outcome, name in outcomes if outcome == "FAILED"]
