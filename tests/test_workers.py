"""Real servers with worker processes: what their workers emitted is sent when they are told to end, once each."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pytest
from servers.otlp import HTTPSink, attributes

TESTS = Path(__file__).resolve().parent
EVENTS, WORKERS = 20, 2
DEADLINE = 40.0
#: Longer than any test: what arrives was sent at the end.
NOT_BEFORE_THE_END = dict.fromkeys(
    ("OTEL_BSP_SCHEDULE_DELAY", "OTEL_BLRP_SCHEDULE_DELAY", "OTEL_METRIC_EXPORT_INTERVAL"), "600000"
)

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform"),
    pytest.mark.usefixtures("unmeasured"),
]


def environment(sink: HTTPSink, **more: str) -> dict[str, str]:
    """The environment of a server."""
    return {
        **os.environ,
        "PYTHONPATH": str(TESTS),
        "OTEL_EXPORTER_OTLP_ENDPOINT": sink.url,
        **NOT_BEFORE_THE_END,
        **more,
    }


def until(holds: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Wait for what the server does."""
    deadline, never = time.monotonic() + DEADLINE, threading.Event()
    while not holds():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline, "it did not come true"
        never.wait(0.05)


def check(sink: HTTPSink) -> None:
    """All events arrived once, from more than one instance, and the counters add up to them."""
    counted: dict[str, int] = {}
    for request in sink.of("metrics"):
        for resource in request.body.resource_metrics:
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    if metric.name == "events":
                        instance = str(attributes(resource.resource)["service.instance.id"])
                        counted[instance] = sum(point.as_int for point in metric.sum.data_points)
    spans = sink.ids("traces")
    assert len(spans) == EVENTS
    assert set(spans.values()) == {1}
    assert len([log for log in sink.logs() if log.body.string_value == "event"]) == EVENTS
    assert sum(counted.values()) == EVENTS


def test_celery(tmp_path: Path) -> None:
    """Prefork workers of celery, without a line about them in the application."""
    for folder in ("control", "done"):
        (tmp_path / folder).mkdir()
    with HTTPSink() as sink:
        variables = environment(sink, BROKER_FOLDER=str(tmp_path))
        words = [
            sys.executable,
            "-m",
            "celery",
            "-A",
            "servers.celery_app",
            "worker",
            "-c",
            str(WORKERS),
            "-l",
            "WARNING",
        ]
        quiet = ["--pool", "prefork", "--without-gossip", "--without-mingle", "--without-heartbeat"]
        send = f"from servers.celery_app import work\nfor number in range({EVENTS}): work.delay(number)"
        subprocess.run(
            [sys.executable, "-c", send],
            env={**variables, "OTEL_SDK_DISABLED": "true"},
            check=True,
            timeout=60,
            capture_output=True,
        )
        with subprocess.Popen(
            [*words, *quiet],
            env=variables,
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as worker:
            try:
                until(lambda: len(list((tmp_path / "done").iterdir())) == EVENTS, worker)
                worker.send_signal(signal.SIGTERM)
                worker.communicate(timeout=DEADLINE)
            finally:
                worker.kill()
        check(sink)


@pytest.mark.parametrize("hook", [False, True], ids=["without a hook", "with the hook"])
@pytest.mark.parametrize("preload", [(), ("--preload",)], ids=["", "preload"])
def test_gunicorn(preload: tuple[str, ...], hook: bool, tmp_path: Path) -> None:
    """Sync workers of gunicorn, with and without --preload and our hook."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = tmp_path / "gunicorn.conf.py"
    config.write_text("from aumos_otel.hooks.gunicorn import worker_exit\n" if hook else "")
    words = [sys.executable, "-m", "gunicorn", "-w", str(WORKERS), "-b", f"127.0.0.1:{port}", "-c", str(config)]

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
        except OSError:
            return False
        return True

    def answers() -> bool:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=DEADLINE) as answer:
            return answer.status == 200

    with HTTPSink() as sink:
        with subprocess.Popen(
            [*words, *preload, "servers.wsgi_app:app"],
            env=environment(sink, HOME=str(tmp_path)),
            cwd=tmp_path,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as server:
            try:
                until(listens, server)  # a probe that is answered too late would have been an event
                for _ in range(EVENTS):
                    assert answers()
                server.send_signal(signal.SIGTERM)
                server.communicate(timeout=DEADLINE)
            finally:
                server.kill()
        check(sink)


def test_a_pipeline_that_was_shut_down_stays_so_in_a_child() -> None:
    """After shutdown a forked child sends nothing, though the SDK starts the threads of its readers again there."""
    code = (
        "import os\n"
        "import aumos_otel as aumos\n"
        "from opentelemetry import metrics, trace\n"
        "telemetry = aumos.configure(service_name='over')\n"
        "metrics.get_meter('tests').create_counter('done').add(1)\n"
        "telemetry.shutdown(timeout=5.0)\n"
        "child = os.fork()\n"
        "if child == 0:\n"
        "    import threading, time\n"
        "    end = time.monotonic() + 10\n"
        "    while threading.active_count() > 1 and time.monotonic() < end:\n"
        "        threading.Event().wait(0.01)\n"
        "    trace.get_tracer('tests').start_span('late').end()\n"
        "    assert telemetry.force_flush(1.0) is False\n"
        "    os._exit(0)\n"
        "raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))\n"
    )
    with HTTPSink() as collector:
        environ = dict(os.environ) | {"AUMOS_OTEL_ENDPOINT": collector.url}
        done = subprocess.run(
            [sys.executable, "-c", code], env=environ, check=False, timeout=60, capture_output=True, text=True
        )

        assert done.returncode == 0, done.stderr
        assert len(collector.of("metrics")) == 1
        assert collector.spans() == []
