"""Servers in processes of their own."""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path

import pytest

from aumos_otel.demo.process import HOST, DemoError, ServerProcess, clean_environ
from aumos_otel.local import ports

#: Listens, and starts a child that would outlive it.
LISTENS = """
import socket, subprocess, sys, signal
{first}
child = subprocess.Popen([sys.executable, "-c", "import threading; threading.Event().wait()"])
print("child", child.pid, flush=True)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()
"""


def server(script: str, directory: Path) -> ServerProcess:
    """A server that runs the script, on a free port."""
    listener, _ = ports.listen(0)
    port = listener.getsockname()[1]
    listener.close()
    return ServerProcess([sys.executable, "-c", script, str(port)], port, environ=clean_environ(), directory=directory)


def is_running(pid: int) -> bool:
    """Whether the process runs; one that waits to be reaped by init does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until_gone(pid: int) -> None:
    """Return once a process that was killed is gone."""
    deadline, pause = time.monotonic() + 5.0, threading.Event()
    while is_running(pid):
        assert time.monotonic() < deadline
        pause.wait(0.01)


def test_it_listens_and_ends(tmp_path: Path) -> None:
    """It is awaited by its port, ends on SIGTERM, and leaves no process behind."""
    with server(LISTENS.format(first=""), tmp_path) as process:
        process.wait_until_listening()
        pid = process.pid
        child = int(process.log().split()[1])
        code = process.stop()

    assert process.url == f"http://{HOST}:{process.port}"
    assert code == -15
    assert not is_running(pid)
    wait_until_gone(child)


def test_one_that_ignores_sigterm_is_killed(tmp_path: Path) -> None:
    """A server that does not end in time is an error, and is gone after the block all the same."""
    with server(LISTENS.format(first="signal.signal(signal.SIGTERM, signal.SIG_IGN)"), tmp_path) as process:
        process.wait_until_listening()
        pid = process.pid
        with pytest.raises(DemoError, match=r"did not end within 0\.1 s"):
            process.stop(timeout=0.1)

    assert not is_running(pid)


def test_one_that_fails_tells_why(tmp_path: Path) -> None:
    """A server that ends before it listens is an error with its code and the end of what it printed."""
    with (
        server("import sys; sys.exit('no such model')", tmp_path) as process,
        pytest.raises(DemoError, match=r"(?s)ended with code 1 before it listened.*no such model"),
    ):
        process.wait_until_listening()


def test_one_that_never_listens(tmp_path: Path) -> None:
    """A server that does not listen in time is an error."""
    with (
        server("import threading; threading.Event().wait()", tmp_path) as process,
        pytest.raises(DemoError, match="does not listen"),
    ):
        process.wait_until_listening(timeout=0.2)


def test_the_environment_is_clean(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables that would lead telemetry or model calls elsewhere are not handed on; others are."""
    for name in ("OTEL_SDK_DISABLED", "AUMOS_OTEL_ENDPOINT", "OPENAI_BASE_URL", "https_proxy", "HTTP_PROXY"):
        monkeypatch.setenv(name, "http://elsewhere.example")
    monkeypatch.setenv("HOME", os.fspath(Path.home()))

    environ = clean_environ(AUMOS_OTEL_LLM_PROFILE="dup")

    assert environ["HOME"] == os.fspath(Path.home())
    assert environ["AUMOS_OTEL_LLM_PROFILE"] == "dup"
    assert "http://elsewhere.example" not in environ.values()
