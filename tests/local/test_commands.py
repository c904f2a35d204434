"""The commands as processes: what they print, where they send, how they end."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import pytest

from aumos_otel._internal import discovery
from aumos_otel.errors import LocalBackendError
from aumos_otel.local import commands
from aumos_otel.local.tail import Tail

from .conftest import TRACE, llm_trace, log, logs, span, traces

CALL = "from aumos_otel.local import commands; import sys; sys.exit(commands.{})"
#: Sends one span, from what the environment says, the way any SDK does.
SENDER = """
import os
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
with provider.get_tracer("t").start_as_current_span("sent by the child"):
    pass
provider.shutdown()
"""


@contextmanager
def command(call, tmp_path, **environment):
    """A command of ours running as a process with its own data directory; ended afterwards."""
    environment = os.environ | {"XDG_DATA_HOME": str(tmp_path / "data"), "PYTHONUNBUFFERED": "1"} | environment
    process = subprocess.Popen([sys.executable, "-c", CALL.format(call)], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    try:
        yield process
    finally:
        process.kill()
        process.communicate()
        watchdog.cancel()
        watchdog.join()


def test_ui_prints_its_addresses_and_ends_on_sigterm(tmp_path):
    """The page's address opens the page; SIGTERM ends it with 0 and withdraws the state file."""
    with command("ui(otlp_port=0, ui_port=0, db=None, open_browser=False)", tmp_path) as process:
        lines = [process.stdout.readline().split(maxsplit=1) for _ in range(4)]
        said = {words[0]: words[1].strip() for words in lines}
        assert httpx.get(said["page"], follow_redirects=True, trust_env=False).status_code == 200
        assert said["OTLP"].startswith(discovery.read().otlp)
        assert said["data"] == str(tmp_path / "data" / "aumos-otel" / "local.db")
        process.send_signal(signal.SIGTERM)
        assert process.wait() == 0
        assert process.stderr.read() == ""
    assert discovery.read() is None


def test_ui_ends_on_ctrl_c(tmp_path):
    """Ctrl-C is the usual end: no traceback, code 0."""
    with command("ui(otlp_port=0, ui_port=0, db=None, open_browser=False)", tmp_path) as process:
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert (process.wait(), process.stderr.read()) == (0, "")


def test_run_points_the_child_at_the_running_backend(backend, tmp_path):
    """The child's spans arrive here although its own variables name other collectors and a proxy."""
    stronger = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://127.0.0.1:1/v1/traces", "AUMOS_OTEL_ENDPOINT": "127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}  # fmt: skip
    with command(f"run([sys.executable, '-c', {SENDER!r}])", tmp_path, **stronger) as process:
        assert process.wait() == 0
        assert backend.server.page_url in process.stderr.read()
    assert [trace.root_name for trace in backend.store.traces()] == ["sent by the child"]


def test_run_starts_a_backend_when_none_runs(tmp_path):
    """Without a running backend the child gets one of its own; what it sent is in the database afterwards."""
    with command(f"run([sys.executable, '-c', {SENDER!r}])", tmp_path) as process:
        assert process.wait() == 0
        assert "/?token=" in process.stderr.read()
    from aumos_otel.local import Store

    with Store(tmp_path / "data" / "aumos-otel" / "local.db") as store:
        assert [trace.root_name for trace in store.traces()] == ["sent by the child"]


@pytest.mark.parametrize(("child", "code"), [("raise SystemExit(7)", 7), ("import os; os.kill(os.getpid(), 9)", 137)])
def test_run_returns_the_childs_exit_code(backend, child, code):
    """The code is the child's; death by a signal is 128 and its number, as in a shell."""
    assert commands.run([sys.executable, "-c", child]) == code


def test_run_of_a_program_that_is_not_there_is_a_typed_error(backend):
    """The error names the program."""
    with pytest.raises(LocalBackendError, match=r"no-such-program: No such file.*after --"):
        commands.run(["no-such-program"])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_run_forwards_signals(backend, tmp_path, number):
    """A signal sent to run reaches the child, which decides how to end."""
    child = f"import signal, sys, time; signal.signal({int(number)}, lambda *_: sys.exit(5)); print('up', flush=True); time.sleep(60)"
    with command(f"run([sys.executable, '-c', {child!r}])", tmp_path) as process:
        assert process.stdout.readline() == "up\n"
        process.send_signal(number)
        assert process.wait() == 5


def test_child_environment_leaves_the_rest_alone():
    """Only what would lead the telemetry elsewhere changes; a proxy learns to spare loopback."""
    given = {"PATH": "/bin", "OTEL_SERVICE_NAME": "x", "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL": "grpc", "HTTP_PROXY": "http://proxy:1", "no_proxy": "corp"}  # fmt: skip
    child = commands.child_environment(given, "http://127.0.0.1:4318")
    assert child["PATH"] == "/bin"
    assert child["OTEL_SERVICE_NAME"] == "x"
    assert child["OTEL_EXPORTER_OTLP_ENDPOINT"] == child["AUMOS_OTEL_ENDPOINT"] == "http://127.0.0.1:4318"
    assert "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL" not in child
    assert child["no_proxy"] == child["NO_PROXY"] == "corp,127.0.0.1"
    assert given["no_proxy"] == "corp"


def test_tail_prints_model_calls_logs_and_failures(backend):
    """What arrived is printed in order of time: the model call with its figures, logs with their level."""
    out = io.StringIO()
    follower = Tail(discovery.read(), out=out)
    assert follower.step() == 0
    backend.send("traces", llm_trace())
    backend.send("logs", logs(log("model answered", traceId=TRACE)))
    backend.send("traces", traces(span("d" * 16, trace="c" * 32, name="GET /broken", kind=2, start=9000, error="boom\x1b[31m")))  # fmt: skip
    assert follower.step() == 5
    lines = out.getvalue().splitlines()
    assert [line.split("  ")[1] for line in lines[:-1]] == [
        "INFO",
        "POST",
        "chat gpt-5-mini",
        "POST /chat",
        "GET /broken",
    ]
    assert "openai  1.84s  first 312ms  in 142 out 67  $0.00021  stop  4bf92f35" in lines[2]
    assert "\x1b" not in out.getvalue()
    assert follower.step() == 0


def test_tail_begins_with_the_latest_arrivals(backend):
    """As with a file, the last ten are shown first."""
    backend.send("traces", traces(*[span(f"{number:016x}", name=f"span {number}") for number in range(1, 31)]))
    out = io.StringIO()
    assert Tail(discovery.read(), out=out).step() == 10
    assert "span 21" in out.getvalue()
    assert "span 20" not in out.getvalue()


def test_tail_as_json_prints_an_object_a_line(backend):
    """NDJSON carries the whole record and its type, unwrapped and uncolored."""
    backend.send("traces", llm_trace(note="[bold]" + "x" * 300))
    out = io.StringIO()
    Tail(discovery.read(), as_json=True, out=out).step()
    records = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [record["type"] for record in records] == ["span"] * 3
    assert records[1]["attributes"]["note"].startswith("[bold]xxx")


def test_tail_needs_a_running_backend():
    """Without one, or when it ended, the error says what to run."""
    with pytest.raises(LocalBackendError, match="run: aumos-otel ui"):
        commands.tail(as_json=False)


def test_tail_notices_that_the_backend_ended(backend):
    """A backend that stops is an error, not a silent wait."""
    follower = Tail(discovery.read(), out=io.StringIO())
    follower.step()
    backend.server.stop()
    with pytest.raises(LocalBackendError, match="run: aumos-otel ui"):
        follower.step()


@pytest.mark.parametrize("as_json", [True, False])
def test_tail_into_a_pipe_that_closes_ends_quietly(backend, tmp_path, as_json):
    """`tail | head` reads enough and leaves: no traceback."""
    with command(f"tail(as_json={as_json})", tmp_path) as process:
        backend.send("traces", llm_trace())
        process.stdout.readline()
        process.stdout.close()
        number = 0
        while process.poll() is None and number < 200:
            number += 1
            backend.send("traces", traces(*[span(f"{number:08x}{part:08x}") for part in range(1, 200)]))
        assert process.wait() == 0
        assert process.stderr.read() == ""
        process.stdout = None


def test_tail_ends_on_ctrl_c(backend, tmp_path):
    """Ctrl-C ends following with code 0."""
    with command("tail(as_json=False)", tmp_path) as process:
        backend.send("traces", llm_trace())
        assert process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert (process.wait(), process.stderr.read()) == (0, "")


def test_what_was_acknowledged_survives_kill_9(tmp_path):
    """The backend dies without a chance to clean up: what it had acknowledged is there at the next start."""
    from aumos_otel.local import Store

    with command("ui(otlp_port=0, ui_port=0, db=None, open_browser=False)", tmp_path) as process:
        for _ in range(4):
            process.stdout.readline()
        url = discovery.read().otlp
        for number in range(1, 21):
            answer = httpx.post(f"{url}/v1/traces", json=traces(span(f"{number:016x}")), trust_env=False)
            assert answer.status_code == 200
        process.kill()
        process.wait()
    assert discovery.read() is None
    with Store(tmp_path / "data" / "aumos-otel" / "local.db") as store:
        assert (store.totals().spans, store.notes) == (20, [])
