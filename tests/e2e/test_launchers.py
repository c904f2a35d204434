"""The demo's service under the launchers that people use: each worker is its own instance, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from aumos_otel.demo.model_server import ModelServer
from aumos_otel.demo.process import HOST, ServerProcess, clean_environ
from aumos_otel.local import LocalServer, ports

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

APP = "aumos_otel.demo.service:app"
#: Seconds that a condition may take to come true.
DEADLINE = 20.0
#: Longer than any test: what arrives was flushed at the end, not sent in between.
NO_FLUSH_IN_BETWEEN = {name: "600000" for name in ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY")}

UVICORN = (sys.executable, "-m", "uvicorn", APP, "--host", HOST, "--port", "{port}")
GUNICORN = (sys.executable, "-m", "gunicorn", "-w", "2", "-k", "uvicorn_worker.UvicornWorker", "-b", f"{HOST}:{{port}}")
LAUNCHERS = {
    "opentelemetry-instrument": (str(Path(sys.executable).with_name("opentelemetry-instrument")), *UVICORN),
    "uvicorn, two workers": (*UVICORN, "--workers", "2"),
    "gunicorn, two workers": (*GUNICORN, APP),
    "gunicorn --preload, two workers": (*GUNICORN, "--preload", APP),
    "gunicorn --preload, recycled workers": (*GUNICORN, "--preload", "--max-requests", "15", APP),
}

#: A program that works, says so, and waits to be told to end.
SCRIPT = """
import logging, signal, sys
import aumos_otel as aumos

aumos.configure(service_name="batch")

@aumos.span("work")
def work(number):
    logging.getLogger("batch").warning("number %d", number)

for number in range(50):
    work(number)
print("ready", flush=True)
{end}
"""
ENDS = {
    "waiting": "signal.pause()",
    "with its own handler": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); signal.pause()",
    "in a thread": "import threading; threading.Event().wait()",
}


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[LocalServer]:
    """A local backend of the test's own."""
    with LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0) as server:
        yield server


@pytest.fixture
def models() -> Iterator[ModelServer]:
    """A model server of the test's own."""
    with ModelServer() as server:
        yield server


@contextlib.contextmanager
def serving(
    command: tuple[str, ...], backend: LocalServer, models: ModelServer, directory: Path, **environ: str
) -> Iterator[ServerProcess]:
    """The command, listening; its placeholder is a free port."""
    listener, _ = ports.listen(0)
    port = listener.getsockname()[1]
    listener.close()
    variables = clean_environ(
        AUMOS_OTEL_ENDPOINT=backend.otlp_url,
        OPENAI_API_KEY="none",
        OPENAI_BASE_URL=models.base_url,
        OTEL_PYTHON_DISTRO="aumos",
        **environ,
    )
    directory.mkdir(exist_ok=True)
    words = [word.format(port=port) for word in command]
    with ServerProcess(words, port, environ=variables, directory=directory) as process:
        process.wait_until_listening()
        yield process


class Connections:
    """Connections to a service, each kept open, so that each stays with one worker."""

    def __init__(self, url: str, stack: contextlib.ExitStack) -> None:
        self.url = url
        self.stack = stack
        self.by_instance: dict[str, httpx.Client] = {}

    def reach(self, workers: int) -> None:
        """Connect until that many different workers have answered."""
        deadline = time.monotonic() + DEADLINE
        while len(self.by_instance) < workers:
            assert time.monotonic() < deadline, f"only {list(self.by_instance)} answer"
            client = self.stack.enter_context(httpx.Client(base_url=self.url, trust_env=False, timeout=DEADLINE))
            with contextlib.suppress(httpx.TransportError):  # a worker that is starting or being replaced
                self.by_instance.setdefault(client.get("/health").json()["instance"], client)

    def ask(self, times: int) -> int:
        """Ask each worker so many questions, half of them streamed; returns how many in all."""
        for client in self.by_instance.values():
            for number in range(times):
                answer = client.post("/chat", json={"text": f"Question {number}?", "stream": number % 2 == 1})
                assert answer.status_code == 200
        return times * len(self.by_instance)


def eventually(condition: Callable[[], object]) -> None:
    """Return once the condition holds."""
    deadline = time.monotonic() + DEADLINE
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as ticker:
        while not condition():
            assert time.monotonic() < deadline
            with contextlib.suppress(subprocess.TimeoutExpired):
                ticker.wait(0.02)
