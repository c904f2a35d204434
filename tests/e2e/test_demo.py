"""`aumos-otel demo` as a whole: real processes, a real client, a real backend."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from rich.console import Console

from aumos_otel.demo import run, table
from aumos_otel.demo.process import clean_environ
from aumos_otel.demo.run import Result
from aumos_otel.local import LocalServer, TraceFilter, ports
from aumos_otel.local.queries import Trace
from aumos_otel.semconv import attributes as attr

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(90)]

DEMO = (sys.executable, "-m", "aumos_otel", "demo")


@pytest.fixture(scope="module")
def performed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, list[Trace]]:
    """One run of the demo up to the table, and all the traces that arrived."""
    directory = tmp_path_factory.mktemp("demo")
    with LocalServer(directory / "demo.db", otlp_port=0, ui_port=0) as backend:
        result = run.perform(backend, directory, Console(stderr=True))
        summaries = backend.store.traces(TraceFilter(), limit=1000)
        traces = [backend.store.trace(summary.trace_id) for summary in summaries]
    return result, [trace for trace in traces if trace is not None]


@pytest.fixture
def said(performed: tuple[Result, list[Trace]]) -> Result:
    """What the demo has to show."""
    return performed[0]


@pytest.fixture
def traces(performed: tuple[Result, list[Trace]]) -> list[Trace]:
    """The traces of the demo."""
    return performed[1]


def test_everything_arrives(said: Result) -> None:
    """What driver, service and model server sent is what the backend has."""
    assert [(row.name, row.sent, row.arrived) for row in said.rows[:3]] == [
        ("traces", 60, 60),
        ("spans", 177, 177),
        ("logs", 117, 117),
    ]
    assert [row.note for row in said.rows[1:3]] == ["60 server + 57 LLM + 60 http client", "117 joined to a trace"]
    assert table.complete(said.rows)
    assert all(row.sent > 1000 for row in said.rows[3:])
    assert said.cost > 0


def test_every_trace_is_a_whole_tree(traces: list[Trace]) -> None:
    """Each trace has one server span at its root; a model call is its child, and the client's request the call's."""
    for trace in traces:
        by_id = {span.span_id: span for span in trace.spans}
        parents = [(span.thing, by_id[span.parent_id].thing if span.parent_id else None) for span in trace.spans]
        with_model = [("server", None), ("llm", "server"), ("http", "llm")]
        assert sorted(parents, key=str) in (sorted(with_model, key=str), [("http", "server"), ("server", None)])


def test_every_span_and_log_has_its_tenant(traces: list[Trace]) -> None:
    """The tenant of the request's header is on its spans and logs."""
    for trace in traces:
        tenants = {span.tenant for span in trace.spans} | {
            log.attributes.get(attr.AUMOS_TENANT_ID) for log in trace.logs
        }
        assert tenants in ({"acme"}, {"globex"})


def test_model_calls_say_what_happened(traces: list[Trace]) -> None:
    """Model calls have tokens, cost, first chunk and content; the five that failed have their error instead."""
    calls = [span for trace in traces for span in trace.spans if span.thing == "llm"]
    failed = [call for call in calls if call.status == 2]
    streamed = [call for call in calls if attr.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK in call.attributes]

    assert len(calls) == 57
    assert sorted(str(call.attributes[attr.ERROR_TYPE]).rpartition(".")[2] for call in failed) == [
        "InternalServerError",
        "InternalServerError",
        "InternalServerError",
        "RateLimitError",
        "RemoteProtocolError",
    ]
    assert len(streamed) == 19
    assert all(call.input_tokens and call.output_tokens and call.cost for call in calls if call not in failed)
    assert all("hardware shop" in str(call.attributes[attr.GEN_AI_INPUT_MESSAGES]) for call in calls)


def test_the_objective_burns_for_the_broken_requests(said: Result, traces: list[Trace]) -> None:
    """Of the 57 requests of the route three were answered 5xx: the objective burns, and names the traces behind them."""
    burned = said.burned
    assert burned.burned
    assert burned.evaluation is not None
    assert (burned.evaluation.budget.total_events, burned.evaluation.budget.bad_events) == (57, 3)
    failed = {trace.summary.trace_id for trace in traces if trace.summary.root_http_status == 502}
    assert len(failed) == 3
    assert set(burned.bad_traces) == failed


def test_what_is_lost_is_shown(tmp_path: Path) -> None:
    """With nobody listening where the service sends, every span and log is lost, and the table says so."""
    listener, _ = ports.listen(0)
    nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
    listener.close()
    with LocalServer(tmp_path / "demo.db", otlp_port=0, ui_port=0) as backend:
        deaf = SimpleNamespace(
            otlp_url=nobody, store=backend.store, page_url=backend.page_url, ui_url=backend.ui_url, notes=[]
        )
        result = run.perform(deaf, tmp_path, Console(stderr=True))

    assert [(row.sent, row.arrived, row.lost) for row in result.rows[:3]] == [(60, 0, 60), (177, 0, 177), (117, 0, 117)]
    assert not table.complete(result.rows)
    assert not result.burned.burned


@contextlib.contextmanager
def demo(*options: str, directory: Path, **more: str) -> Iterator[subprocess.Popen[str]]:
    """The command, running in a directory of its own, with its files below it."""
    environ = clean_environ(TMPDIR=str(directory), COLUMNS="80", **more)
    with subprocess.Popen(
        [*DEMO, *options], env=environ, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def left_in(directory: Path) -> list[Path]:
    """The files of a directory but the statements of account, which are there for `aumos-otel doctor`."""
    return [path for path in directory.rglob("*") if path.is_file() and not path.name.startswith("ledger-")]


def test_exit(tmp_path: Path) -> None:
    """With --exit it prints what it drives, the table, the page's address and the objective, and leaves nothing behind."""
    with demo("--exit", directory=tmp_path) as process:
        out, err = process.communicate()

    lines = [line.rstrip() for line in out.splitlines()]
    assert process.returncode == 0, err
    assert re.search(
        r"^driving 60 requests \(20 streamed, 6 broken on purpose\) \.{10} done in \d+\.\d s", err, re.MULTILINE
    )
    assert lines[:4] == [
        "              sent   arrived   lost",
        "traces          60        60      0",
        "spans          177       177      0   60 server + 57 LLM + 60 http client",
        "logs           117       117      0   117 joined to a trace",
    ]
    assert re.fullmatch(
        r"open http://127\.0\.0\.1:\d+/\?token=\S+   one failing LLM call: /trace/[0-9a-f]{32}   the page closes at .*",
        lines[-2],
    )
    assert re.fullmatch(
        r"SLO chat-available 99\.9%  54/57 good  burn \d+\.\dx  BURNING \(policy demo, time-scaled: 3s/15s\)"
        r" -> recovered after \d+ s",
        lines[-1],
    )
    assert "swallowed" not in err
    assert left_in(tmp_path) == []


def test_json_beside_another_page(tmp_path: Path) -> None:
    """With --json standard output is one document; a page port in use is told on the other, by whom, and the next taken."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # taken already: all the better
            stack.enter_context(ports._bind(4319))
        with demo("--exit", "--json", directory=tmp_path) as process:
            out, err = process.communicate()

    result = json.loads(out)
    assert process.returncode == 0, err
    assert result["complete"] is True
    assert result["spans"] == {"sent": 177, "arrived": 177, "lost": 0, "note": "60 server + 57 LLM + 60 http client"}
    assert result["slo"]["complete"] is True
    assert result["slo"]["burning"]["state"] == "critical"
    assert 0 < result["slo"]["recovered_after"] < 60
    assert re.search(r"^note: port 4319 is held by .*; taking 43\d\d$", err, re.MULTILINE)
    assert not result["page"].startswith("http://127.0.0.1:4319/")


def test_it_stays_until_ctrl_c(tmp_path: Path) -> None:
    """Without --exit the page answers until Ctrl-C, which ends it with the table's code and without a word."""
    with demo(directory=tmp_path) as process:
        last = next(line for line in process.stdout if line.startswith("open "))
        page, call = re.search(r"open (\S+)   one failing LLM call: (\S+)   Ctrl-C stops", last).groups()
        with httpx.Client(trust_env=False, follow_redirects=True) as browser:
            assert browser.get(page).status_code == 200
            assert "chat gpt-5-mini" in browser.get(httpx.URL(page).join(call)).text
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()

    assert process.returncode == 0, err
    assert "Traceback" not in err
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_it_can_be_stopped_at_any_time(number: signal.Signals, tmp_path: Path) -> None:
    """A signal before the table ends it with 130; the service is gone, and so are all files."""
    with demo(directory=tmp_path) as process:
        starting = next(line for line in process.stderr if "is starting" in line)
        service = int(re.search(r"pid (\d+)", starting)[1])
        process.send_signal(number)
        _, err = process.communicate()

    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert err.splitlines()[-1] == "stopped before the table"
    with pytest.raises(ProcessLookupError):
        os.kill(service, 0)
    assert left_in(tmp_path) == []


def test_a_service_that_does_not_start(tmp_path: Path) -> None:
    """When the service fails the demo ends with 2, and says why and what to do next, without a traceback of its own."""
    broken = tmp_path / "broken" / "openai"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise SystemExit('this client is broken')")
    (tmp_path / "files").mkdir()
    with demo("--exit", directory=tmp_path / "files", PYTHONPATH=str(broken.parent)) as process:
        out, err = process.communicate()

    assert process.returncode == 2
    assert out == ""
    assert re.search(r"(?s)^error: .*ended with code 1 before it listened.*this client is broken", err, re.MULTILINE)
    assert err.splitlines()[-1] == "next: run aumos-otel doctor"
    assert left_in(tmp_path / "files") == []
