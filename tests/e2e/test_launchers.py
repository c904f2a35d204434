"""The demo's service under the launchers that people use: each worker is its own instance, nothing is lost."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from aumos_otel.demo.model_server import ModelServer
from aumos_otel.demo.process import HOST, ServerProcess, clean_environ
from aumos_otel.local import LocalServer, ports
from aumos_otel.semconv.attributes import SERVICE_INSTANCE_ID

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

EXAMPLE = Path(__file__).parents[2] / "examples" / "demo_service.py"
APP = "aumos_otel.demo.service:app"
#: Seconds that a condition may take to come true.
DEADLINE = 20.0
#: Longer than any test: what arrives was flushed at the end, not sent in between.
NO_FLUSH_IN_BETWEEN = dict.fromkeys(("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY"), "600000")

# An idle connection stays open, because it is how a test stays with one worker.
UVICORN = (sys.executable, "-m", "uvicorn", APP, "--host", HOST, "--port", "{port}", "--timeout-keep-alive", "60")
GUNICORN = (
    *(sys.executable, "-m", "gunicorn", "-k", "uvicorn_worker.UvicornWorker"),
    *("-b", f"{HOST}:{{port}}", "--keep-alive", "60"),
)
LAUNCHERS = {
    "opentelemetry-instrument": (str(Path(sys.executable).with_name("opentelemetry-instrument")), *UVICORN),
    "uvicorn, two workers": (*UVICORN, "--workers", "2"),
    "gunicorn, two workers": (*GUNICORN, "-w", "2", APP),
    "gunicorn --preload, two workers": (*GUNICORN, "-w", "2", "--preload", APP),
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
{handler}
print("ready", flush=True)
{wait}
"""
ENDS = {
    "without a handler": {"handler": "", "wait": "signal.pause()"},
    "in a lock": {"handler": "", "wait": "import threading; threading.Event().wait()"},
    "with a handler": {"handler": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))", "wait": "signal.pause()"},
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
    command: tuple[str, ...], backend: LocalServer, models: ModelServer | None, directory: Path, **environ: str
) -> Iterator[ServerProcess]:
    """The command, listening; its placeholder is a free port."""
    listener, _ = ports.listen(0)
    port = listener.getsockname()[1]
    listener.close()
    provider = {"OPENAI_API_KEY": "none", "OPENAI_BASE_URL": models.base_url} if models else {}
    variables = clean_environ(
        AUMOS_OTEL_ENDPOINT=backend.otlp_url,
        **provider,
        OTEL_PYTHON_DISTRO="aumos",
        HOME=str(directory),  # gunicorn keeps a socket there
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
            client = self.stack.enter_context(
                httpx.Client(
                    base_url=self.url,
                    limits=httpx.Limits(keepalive_expiry=None),
                    timeout=DEADLINE,
                    trust_env=False,
                )
            )
            with contextlib.suppress(httpx.TransportError):  # a worker that is starting or being replaced
                self.by_instance.setdefault(client.get("/health").json()["instance"], client)

    def ask(self, times: int) -> int:
        """Ask each worker so many questions, half of them streamed; returns how many in all."""
        for client in self.by_instance.values():
            for number in range(times):
                answer = client.post("/chat", json={"text": f"Question {number}?", "stream": number % 2 == 1})
                assert answer.status_code == 200
        return times * len(self.by_instance)


def instances(backend: LocalServer) -> set[str]:
    """Every service.instance.id that spans have arrived with."""
    traces = [backend.store.trace(summary.trace_id) for summary in backend.store.traces(limit=1000)]
    return {str(span.resource[SERVICE_INSTANCE_ID]) for trace in traces if trace for span in trace.spans}


@pytest.mark.parametrize("launcher", LAUNCHERS)
def test_every_worker_sends_everything(
    launcher: str, backend: LocalServer, models: ModelServer, tmp_path: Path
) -> None:
    """Each request's spans and logs arrive after SIGTERM, from as many instances as there are workers."""
    with (
        contextlib.ExitStack() as stack,
        serving(LAUNCHERS[launcher], backend, models, tmp_path / "run", **NO_FLUSH_IN_BETWEEN) as service,
    ):
        connections = Connections(service.url, stack)
        connections.reach(2 if "two workers" in launcher else 1)
        sent = connections.ask(6)
        service.stop()

    totals = backend.store.totals()
    assert (totals.traces, totals.spans_by_thing["server"], totals.spans_by_thing["llm"]) == (sent, sent, sent)
    assert totals.spans_by_thing["http"] == sent
    assert (totals.logs, totals.logs_joined) == (2 * sent, 2 * sent)
    assert instances(backend) == set(connections.by_instance)
    assert backend.store.services() == ["chat-api"]


def test_forked_workers_keep_the_given_instance_as_prefix(
    backend: LocalServer, models: ModelServer, tmp_path: Path
) -> None:
    """A service.instance.id of the user's own is the beginning of each forked worker's."""
    own = {"OTEL_RESOURCE_ATTRIBUTES": f"{SERVICE_INSTANCE_ID}=pod-7"}
    with (
        contextlib.ExitStack() as stack,
        serving(LAUNCHERS["gunicorn --preload, two workers"], backend, models, tmp_path / "run", **own) as service,
    ):
        connections = Connections(service.url, stack)
        connections.reach(2)
        connections.ask(1)
        service.stop()

    seen = instances(backend)
    assert len(seen) == 2
    assert all(instance.startswith("pod-7-") for instance in seen)


@contextlib.contextmanager
def script(command: list[str], directory: Path, **environ: str) -> Iterator[subprocess.Popen[str]]:
    """A program that has said that it is ready."""
    with subprocess.Popen(
        command, env=clean_environ(**environ), cwd=directory, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def test_recycled_workers_send_everything(backend: LocalServer, models: ModelServer, tmp_path: Path) -> None:
    """Workers that end after a few requests flush what they have; each is an instance of its own."""
    recycling = (*GUNICORN, "-w", "1", "--preload", "--max-requests", "4", APP)
    answered = 0
    with serving(recycling, backend, models, tmp_path / "run", **NO_FLUSH_IN_BETWEEN) as service:
        while answered < 10:
            with contextlib.suppress(httpx.TransportError):  # nobody answers while a worker is replaced
                answer = httpx.post(
                    f"{service.url}/chat", json={"text": "Which drill?"}, timeout=DEADLINE, trust_env=False
                )
                answered += answer.status_code == 200
        service.stop()

    assert backend.store.totals().spans_by_thing["llm"] == models.reported.requests >= answered
    assert len(instances(backend)) >= 2


def test_the_example_needs_no_key(backend: LocalServer, tmp_path: Path) -> None:
    """The example serves the demo's service beside a model server of its own."""
    with serving((sys.executable, str(EXAMPLE), "{port}"), backend, None, tmp_path / "run") as service:
        body = {"text": "Which drill bit?", "stream": True}
        answer = httpx.post(f"{service.url}/chat", json=body, timeout=DEADLINE, trust_env=False)
        service.stop()

    totals = backend.store.totals()
    assert answer.status_code == 200
    assert (totals.traces, totals.spans, totals.logs_joined) == (1, 3, 2)


@pytest.mark.parametrize("end", ENDS)
def test_a_plain_script_flushes_on_sigterm(end: str, backend: LocalServer, tmp_path: Path) -> None:
    """Fifty spans and logs of a program that is ended by SIGTERM arrive, whatever it was waiting in."""
    program = [sys.executable, "-c", SCRIPT.format(**ENDS[end])]
    with script(program, tmp_path, AUMOS_OTEL_ENDPOINT=backend.otlp_url, **NO_FLUSH_IN_BETWEEN) as process:
        process.terminate()
        code = process.wait(DEADLINE)

    totals = backend.store.totals()
    assert code == (3 if end == "with a handler" else -signal.SIGTERM)
    assert (totals.spans, totals.logs, totals.logs_joined) == (50, 50, 50)


def test_run_points_a_program_at_the_running_backend(backend: LocalServer, tmp_path: Path) -> None:
    """`aumos-otel run` finds the running backend, passes SIGTERM on, and ends as its program does."""
    program = [
        sys.executable,
        "-m",
        "aumos_otel",
        "run",
        "--",
        sys.executable,
        "-c",
        SCRIPT.format(**ENDS["without a handler"]),
    ]
    state = os.environ["AUMOS_OTEL_STATE_DIR"]
    with script(program, tmp_path, AUMOS_OTEL_STATE_DIR=state, **NO_FLUSH_IN_BETWEEN) as process:
        process.terminate()
        code = process.wait(DEADLINE)

    totals = backend.store.totals()
    assert code == 128 + signal.SIGTERM
    assert (totals.spans, totals.logs) == (50, 50)
