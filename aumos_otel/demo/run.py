"""``aumos-otel demo``: start everything, drive the traffic, compare what was sent with what arrived."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import sys
import threading
import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import click
from opentelemetry.instrumentation.utils import suppress_instrumentation
from rich.console import Console
from rich.progress import Progress, ProgressColumn, TextColumn
from rich.text import Text

from aumos_otel._internal import discovery
from aumos_otel.demo import STATUS_VARIABLE, drive, table
from aumos_otel.demo.model_server import ModelServer
from aumos_otel.demo.process import HOST, DemoError, ServerProcess, clean_environ
from aumos_otel.demo.recovery import Act, Watcher
from aumos_otel.errors import MissingExtraError
from aumos_otel.llm.pricing import PriceTable
from aumos_otel.local import LocalServer, TraceFilter, ports

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.progress import Task

    from aumos_otel.demo.drive import Step
    from aumos_otel.local import Store

#: Seconds between two pieces of a streamed answer.
_CHUNK_DELAY: Final = 0.02
#: Seconds that the last telemetry may take to arrive after the service has ended.
_ARRIVAL_TIMEOUT: Final = 5.0
_LOOK: Final = 0.05
#: Milliseconds between two exports of metrics: the windows of the demo's burn policy are seconds.
_EXPORT_INTERVAL: Final = "500"
_DOTS: Final = 10
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Result:
    """What the demo has to show.

    Attributes:
        driven: the requests, in words.
        seconds: that they took.
        rows: of the table.
        cost: of all model calls, in US dollars.
        prices: date of the price table.
        page: address of the page, with its token.
        failing_call: path of a trace with a failed model call; empty if there is none.
        burned: the objective after these requests.
    """

    driven: str
    seconds: float
    rows: list[table.Row]
    cost: float
    prices: str
    page: str
    failing_call: str
    burned: Act

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, ready for JSON."""
        return {
            "complete": table.complete(self.rows),
            "driven": self.driven,
            "seconds": round(self.seconds, 3),
            **table.as_dict(self.rows),
            "cost_usd": round(self.cost, 8),
            "prices": self.prices,
            "page": self.page,
            "failing_call": self.failing_call,
        }


def run_demo(*, exit_after: bool, as_json: bool) -> int:
    """Run a real service against a model server; show that everything arrived, and an objective that burns and recovers.

    Args:
        exit_after: end when the objective has recovered; otherwise the page stays up until Ctrl-C.
        as_json: print the table and the objective as JSON.

    Returns:
        0 when all that was sent arrived and the objective burned and recovered, 1 when not, 130 after Ctrl-C before
        the table.

    Raises:
        DemoError: a part did not start or end, or a request did not end as it should.
        LocalBackendError: the backend or the model server cannot start.
        MissingExtraError: the extra ``[demo]`` is not installed.
    """
    for module in ("fastapi", "openai"):  # the service needs them, in its own process: better told here
        if find_spec(module) is None:
            raise MissingExtraError("aumos-otel demo", extra="demo", module=module)
    said = Console(stderr=True, highlight=False)
    try:
        with (
            _ending_like_ctrl_c(),
            _private_directory() as directory,
            LocalServer(directory / "demo.db", otlp_port=0) as backend,
        ):
            result = perform(backend, directory, said)
            well = table.complete(result.rows) and result.burned.burned
            with contextlib.suppress(KeyboardInterrupt):
                _report(result, said, as_json=as_json, exit_after=exit_after)
                act = recover(backend, directory, result.burned)
                well = well and act.complete
                _close(result, act, as_json=as_json)
                if not exit_after:
                    threading.Event().wait()
            return 0 if well else 1  # Ctrl-C meanwhile is no failure
    except KeyboardInterrupt:
        said.print("stopped before the table")
        return _INTERRUPTED


def perform(backend: LocalServer, directory: Path, said: Console) -> Result:
    """Everything up to the table: what was sent to ``backend`` and what it has.

    The service and the model server have ended when it returns; their files are in ``directory``.
    """
    for note in backend.notes:
        _note(said, note)
    wanted = drive.steps()
    streamed, broken = sum(step.streamed for step in wanted), sum(step.broken for step in wanted)
    driven = f"{len(wanted)} requests ({streamed} streamed, {broken} broken on purpose)"
    prices = PriceTable.load().version
    status_file = directory / "status.json"
    with ModelServer(chunk_delay=_CHUNK_DELAY) as models:
        with _service(backend, models, status_file) as service:
            said.print(f"local backend {backend.page_url}, model server {models.base_url}", markup=False)
            said.print(f"service {service.url} (pid {service.pid}) is starting", markup=False)
            service.wait_until_listening()
            seconds = _drive(service.url, wanted, driven, said)
            service.stop()
        status, told = json.loads(status_file.read_text(encoding="utf-8")), models.reported
    if status["guard"]["swallowed"]:
        _note(said, f"aumos-otel swallowed errors of its own in the service: {status['guard']['sites']}")
    sent = table.Sent(
        requests=len(wanted),
        spans=_emitted(status, "traces"),
        logs=_emitted(status, "logs"),
        input_tokens=told.input_tokens,
        output_tokens=told.output_tokens,
    )
    arrived = backend.store.totals()
    deadline = time.monotonic() + _ARRIVAL_TIMEOUT
    while not table.complete(rows := table.compare(sent, arrived, prices=prices)) and time.monotonic() < deadline:
        threading.Event().wait(_LOOK)
        arrived = backend.store.totals()
    burned = Watcher(backend.store).burned()
    return Result(driven, seconds, rows, arrived.cost, prices, backend.ui_url, _failing_call(backend.store), burned)


def recover(backend: LocalServer, directory: Path, burned: Act) -> Act:
    """Start the service anew, as after a repair, and send it sound requests until its objective is well again."""
    if not burned.burned:
        return burned
    with (
        ModelServer(chunk_delay=_CHUNK_DELAY) as models,
        _service(backend, models, directory / "after.json") as service,
    ):
        service.wait_until_listening()
        act = Watcher(backend.store).recover(burned, service.url)
        service.stop()
    return act


def _note(said: Console, note: str) -> None:
    said.print(f"note: {note}", style="yellow", markup=False, soft_wrap=True)


def _service(backend: LocalServer, models: ModelServer, status_file: Path) -> ServerProcess:
    listener, _ = ports.listen(0)
    port = listener.getsockname()[1]
    listener.close()
    command = [sys.executable, "-m", "uvicorn", "aumos_otel.demo.service:app", "--host", HOST, "--port", str(port)]
    environ = clean_environ(
        AUMOS_OTEL_ENDPOINT=backend.otlp_url,
        OPENAI_API_KEY="none",
        OTEL_METRIC_EXPORT_INTERVAL=_EXPORT_INTERVAL,
        OPENAI_BASE_URL=models.base_url,
        **{STATUS_VARIABLE: str(status_file)},
    )
    return ServerProcess(command, port, environ=environ, directory=status_file.parent)


def _drive(url: str, wanted: list[Step], driven: str, said: Console) -> float:
    """Send the requests; returns how long it took, in seconds."""
    started = time.perf_counter()
    with Progress(TextColumn("driving {task.description}"), _Dots(), console=said) as progress:
        task = progress.add_task(driven, total=len(wanted))
        with suppress_instrumentation():  # the traces begin in the service, whatever this process is run under
            surprises = asyncio.run(drive.drive(url, wanted, finished=lambda: progress.advance(task)))
    if surprises:
        raise DemoError("requests did not end as they should:\n" + "\n".join(surprises), remedy="run aumos-otel doctor")
    return time.perf_counter() - started


class _Dots(ProgressColumn):
    """A dot for each tenth, then the time."""

    def render(self, task: Task) -> Text:
        """The dots so far."""
        dots = Text("." * int(task.completed * _DOTS // (task.total or 1)))
        return dots.append(f" done in {task.elapsed or 0:.1f} s") if task.finished else dots


def _emitted(status: dict[str, Any], signal_: str) -> int:
    return sum(int(book["emitted"]) for book in status["destinations"] if book["signal"] == signal_)


def _failing_call(store: Store) -> str:
    failed = store.traces(TraceFilter(errors=True, llm=True), limit=1)
    return f"/trace/{failed[0].trace_id}" if failed else ""


def _report(result: Result, said: Console, *, as_json: bool, exit_after: bool) -> None:
    """The table, and where to look; the JSON document waits for the last act."""
    if not as_json:
        table.show(result.rows, Console(highlight=False))
    closing = "the page closes at the end; without --exit it stays" if exit_after else "Ctrl-C stops"
    line = f"open {result.page}   one failing LLM call: {result.failing_call}   {closing}"
    (said if as_json else Console(highlight=False)).print(line, markup=False, soft_wrap=True)


def _close(result: Result, act: Act, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(result.to_dict() | {"slo": act.to_dict()}, indent=2))
    else:
        Console(highlight=False).print(str(act), markup=False, soft_wrap=True)


@contextlib.contextmanager
def _private_directory() -> Iterator[Path]:
    """A directory of our own, where also the state file goes: other programs' telemetry must not mix in."""
    previous = os.environ.get(discovery.STATE_DIR_VARIABLE)
    with TemporaryDirectory(prefix="aumos-otel-demo-") as name:
        os.environ[discovery.STATE_DIR_VARIABLE] = name
        try:
            yield Path(name)
        finally:
            os.environ.pop(discovery.STATE_DIR_VARIABLE)
            if previous is not None:
                os.environ[discovery.STATE_DIR_VARIABLE] = previous


@contextlib.contextmanager
def _ending_like_ctrl_c() -> Iterator[None]:
    """SIGTERM and a closed terminal end us in order too, so that no child stays behind."""
    signals = [getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    previous = {number: signal.signal(number, signal.default_int_handler) for number in signals}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
