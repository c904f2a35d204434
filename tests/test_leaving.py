"""Signals, atexit and the end of worker processes, seen from inside and from outside."""

from __future__ import annotations

import atexit
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from servers.otlp import HTTPSink

from aumos_otel import guard, leaving
from aumos_otel.hooks import gunicorn
from aumos_otel.leaving import Departure

pytestmark = pytest.mark.usefixtures("unmeasured")  # what is tested is how they end, and coverage has a part in that

TESTS = Path(__file__).resolve().parent
#: What a machine under load may add to a budget, beside the start of an interpreter.
SLACK = 0.5


class Journal:
    """A departure that writes down what it does."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.departure = Departure(lambda: self.done.append("flush"), lambda: self.done.append("leave"))


@pytest.fixture
def journal() -> Iterator[Journal]:
    """A journal whose departure is forgotten afterwards, and the handlers that were there put back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    journal = Journal()
    yield journal
    journal.departure.forget()
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_handler_of_the_application_is_kept(journal: Journal) -> None:
    """A flush begins, then the application's own handler decides."""
    signal.signal(signal.SIGTERM, lambda *_about: journal.done.append("theirs"))
    journal.departure.watch(handle_signals=True)

    signal.raise_signal(signal.SIGTERM)

    assert journal.done == ["flush", "theirs"]


def test_a_flush_that_fails_does_not_keep_the_signal(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """The application's handler runs all the same."""
    monkeypatch.setattr(journal.departure, "_flush", lambda: 1 / 0)
    signal.signal(signal.SIGTERM, lambda *_about: journal.done.append("theirs"))
    journal.departure.watch(handle_signals=True)

    signal.raise_signal(signal.SIGTERM)

    assert journal.done == ["theirs"]
    assert guard.swallowed()["leaving.signal"] >= 1


def test_an_ignored_signal_stays_ignored(journal: Journal) -> None:
    """Nothing happens at all."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    journal.departure.watch(handle_signals=True)

    signal.raise_signal(signal.SIGTERM)

    assert journal.done == []


def test_pythons_own_interrupt_is_left_alone(journal: Journal) -> None:
    """Ctrl-C raises KeyboardInterrupt as ever; event loops look for exactly that handler."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    journal.departure.watch(handle_signals=True)

    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(signal.SIGINT)
    assert journal.done == []


def test_signals_are_left_alone_on_demand(journal: Journal) -> None:
    """handle_signals=False."""
    before = signal.getsignal(signal.SIGTERM)
    journal.departure.watch(handle_signals=False)

    assert signal.getsignal(signal.SIGTERM) is before


def test_forget_puts_back_what_was_there(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """Unless the application has installed another handler meanwhile; atexit is told."""
    unregistered: list[Any] = []
    monkeypatch.setattr(atexit, "unregister", unregistered.append)

    def theirs(*_about: object) -> None:
        """A handler."""

    before = signal.getsignal(signal.SIGTERM)
    journal.departure.watch(handle_signals=True)
    journal.departure.forget()
    assert signal.getsignal(signal.SIGTERM) is before

    journal.departure.watch(handle_signals=True)
    signal.signal(signal.SIGTERM, theirs)
    journal.departure.forget()
    assert signal.getsignal(signal.SIGTERM) is theirs
    assert unregistered == [journal.departure.leave] * 2


def test_the_hook_of_gunicorn_leaves(journal: Journal) -> None:
    """It takes what gunicorn hands it."""
    journal.departure.watch(handle_signals=False)

    gunicorn.worker_exit(object(), object())

    assert journal.done == ["leave"]
    journal.departure.forget()
    leaving.leave_now()
    assert journal.done == ["leave"]


@pytest.fixture
def collector() -> Iterator[HTTPSink]:
    """A collector that the programs send to."""
    with HTTPSink() as sink:
        yield sink


@pytest.fixture
def start(collector: HTTPSink) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a program that has configured telemetry and emitted one of each signal."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, endpoint: str = "", **environ: str) -> subprocess.Popen[str]:
        program = (
            "import atexit, logging, os, signal, sys, threading, time\n"
            "from servers.work import configure, emit\n"
            "logging.getLogger('tests').addHandler(logging.NullHandler())\n"
            f"{code}\n"
        )
        variables = {"PYTHONPATH": str(TESTS), "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint or collector.url, **environ}
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def ready(process: subprocess.Popen[str]) -> None:
    """Wait for the program's word."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line == "ready\n", process.communicate()


WORK = "telemetry = configure()\nemit()\nprint('ready', flush=True)\n"
#: They wait in short turns: CPython does not see a signal that comes in the moment in which a long wait begins.
ENDS = {
    "exit": ("", None, 0),
    "SIGTERM": ("while not threading.Event().wait(0.05): pass", signal.SIGTERM, -signal.SIGTERM),
    "SIGINT": ("while not threading.Event().wait(0.05): pass", signal.SIGINT, -signal.SIGINT),
    "SIGINT that kills": (
        "while not threading.Event().wait(0.05): pass",
        signal.SIGINT,
        -signal.SIGINT,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_everything_arrives(end: str, collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """However the program ends, and it ends as it would have without us."""
    wait, number, code = ENDS[end]
    # A shell's background job ignores SIGINT, and what it starts inherits that.
    handler = "signal.SIG_DFL" if end == "SIGINT that kills" else "signal.default_int_handler"
    before = f"signal.signal(signal.SIGINT, {handler})\n"
    process = start(before + WORK + wait)
    ready(process)
    if number is not None:
        process.send_signal(number)

    assert process.wait(60) == code
    assert (len(collector.spans()), len(collector.logs()), "work.done" in collector.metrics()) == (1, 1, True)


@pytest.mark.parametrize("end", ["exit", "SIGTERM"])
@pytest.mark.parametrize("fault", ["hangs", "unreachable"])
def test_the_budget_is_kept(
    fault: str, end: str, collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """Whatever the collector does, the program ends within its budget; the time is printed."""
    if fault == "hangs":
        collector.answering.clear()
    wait, number, code = ENDS[end]
    endpoint = "" if fault == "hangs" else "http://127.0.0.1:9"
    process = start(WORK + wait, endpoint, AUMOS_OTEL_SHUTDOWN_TIMEOUT="1")
    ready(process)
    if number is not None:
        process.send_signal(number)
    began = time.monotonic()

    assert process.wait(60) == code
    took = time.monotonic() - began
    print(f"\n{fault}, {end}: {took:.2f} s of 1 s")
    assert took < 1 + SLACK + (0.5 if end == "exit" else 0)  # an exit also takes the interpreter down


def test_a_second_signal_kills_at_once(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """Who sends SIGTERM twice more while we are leaving does not want to wait."""
    collector.answering.clear()
    process = start(WORK + "while not threading.Event().wait(0.05): pass", AUMOS_OTEL_SHUTDOWN_TIMEOUT="30")
    ready(process)
    process.send_signal(signal.SIGTERM)
    began = time.monotonic()
    while process.poll() is None and time.monotonic() < began + 20:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(0.05)
        except subprocess.TimeoutExpired:
            continue

    assert process.wait(1) == -signal.SIGTERM


def test_a_flush_keeps_its_time(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """force_flush(0.3) returns by then, also when the collector hangs: a function that is frozen after it counts on it."""
    collector.answering.clear()
    process = start(
        WORK + "for _ in range(3):\n"
        "    began = time.monotonic()\n"
        "    assert telemetry.force_flush(0.3) is False\n"
        "    print(time.monotonic() - began, flush=True)\n"
        "os._exit(0)\n"
    )
    ready(process)
    out, err = process.communicate(timeout=60)

    assert err == ""
    assert all(0.3 <= float(line) < 0.5 for line in out.split()), out


LATE = """
class Late:
    def __del__(self):
        emit("in __del__")

late = Late()
def forever():
    while True:
        emit("in a daemon thread")
        time.sleep(0.001)

atexit.register(lambda: emit("in atexit, after us"))
telemetry = configure()
atexit.register(lambda: emit("in atexit, before us"))
threading.Thread(target=forever, daemon=True).start()
emit()
"""


def test_what_is_emitted_while_the_interpreter_exits(
    collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """It raises nothing and prints nothing; what came in time is sent."""
    process = start(LATE)
    _, err = process.communicate(timeout=60)

    assert (process.returncode, err) == (0, "")
    names = {span.name for span in collector.spans()}
    assert {"work", "in atexit, before us"} <= names
    assert "in atexit, after us" not in names


def test_without_threads_the_program_lives(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """Where the system has no more threads everything is dropped and counted, and the program goes on."""
    process = start(
        "import aumos_otel.build  # importing the SDK takes threads, in its resource detectors\n"
        'def refuse(self): raise RuntimeError("can\'t start new thread")\n'
        "threading.Thread.start = refuse\n"
        "telemetry = configure(shutdown_timeout=0.5)\n"
        "for _ in range(10): emit()\n"
        "telemetry.force_flush(0.2)\n"
        "print(telemetry.status().guard['crew.thread'] > 0, flush=True)\n"
    )
    out, _ = process.communicate(timeout=60)

    assert process.returncode == 0
    assert out == "True\n"
