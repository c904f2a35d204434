"""How a program ends: by itself, by SIGTERM, in a forked child; everything is delivered, within the budget."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from servers.otlp import HTTPSink

pytestmark = pytest.mark.usefixtures("unmeasured")

TESTS = Path(__file__).resolve().parent


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPSink]:
    """A collector that the programs send to."""
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink


@pytest.fixture
def start(collector: HTTPSink) -> Iterator[Callable[[str], subprocess.Popen[str]]]:
    """Starts a program that has configured telemetry and emitted one of each signal, and waits for its "ready"."""
    started: list[subprocess.Popen[str]] = []

    def run(code: str, before: str = "") -> subprocess.Popen[str]:
        program = (
            "import logging, os, signal, sys, threading, time\n"
            f"{before}\n"
            "from servers.work import configure, emit\n"
            "telemetry = configure()\n"
            "emit()\n"
            f"{code}\n"
        )
        process = subprocess.Popen(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONPATH": str(TESTS)},
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


def arrived(sink: HTTPSink) -> tuple[int, int, bool]:
    """How many spans and log records arrived, and whether the counter did."""
    return len(sink.spans()), len(sink.logs()), "work.done" in sink.metrics()


def test_exit_delivers(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """A program that just ends has delivered everything."""
    process = start("")

    assert process.wait(60) == 0
    assert arrived(collector) == (1, 1, True)


def test_exit_with_an_exception_delivers(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """So has one that ends with an error, whose exit code stays."""
    process = start("raise SystemExit(7)")

    assert process.wait(60) == 7
    assert arrived(collector) == (1, 1, True)


def test_exit_keeps_the_budget(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """A collector that hangs holds the program up no longer than the budget."""
    collector.answering.clear()
    process = start("telemetry._wiring.shutdown_timeout = 0.3\nprint('ready', flush=True)")
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    started = time.monotonic()

    assert process.wait(60) == 0
    assert time.monotonic() - started < 5


def terminate(process: subprocess.Popen[str]) -> int:
    """Wait until the program is ready, send it SIGTERM, and return its exit code."""
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", process.communicate()
    process.send_signal(signal.SIGTERM)
    return process.wait(60)


def test_sigterm_delivers(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """SIGTERM delivers everything, then the program ends as it would have: by the signal."""
    process = start("print('ready', flush=True)\nwhile not threading.Event().wait(0.05): pass")

    assert terminate(process) == -signal.SIGTERM
    assert arrived(collector) == (1, 1, True)


@pytest.mark.parametrize("order", ["before", "after"])
def test_sigterm_with_a_handler_of_the_program(
    order: str, collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """The program's own handler runs, whether it was installed before or after configure(); all is delivered."""
    handler = (
        "def leave(number, frame):\n"
        "    os.write(1, b'leaving\\n')\n"  # print() is not reentrant
        "    sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
    )
    wait = "print('ready', flush=True)\nwhile not threading.Event().wait(0.05): pass"
    process = start(wait, before=handler) if order == "before" else start(handler + wait)

    assert terminate(process) == 3
    assert process.stdout is not None
    assert process.stdout.read() == "leaving\n"
    assert arrived(collector) == (1, 1, True)


def test_sigterm_that_the_program_ignores(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """A program that ignores SIGTERM goes on."""
    process = start(
        "print('ready', flush=True)\nsys.stdin.readline()\nprint('still here', flush=True)",
        before="signal.signal(signal.SIGTERM, signal.SIG_IGN)",
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"

    process.send_signal(signal.SIGTERM)

    assert process.stdout.readline() == "still here\n"
    assert process.wait(60) == 0


def test_sigterm_in_the_middle_of_a_span(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """SIGTERM while the main thread emits without pause never hangs the program."""
    process = start("print('ready', flush=True)\nwhile True:\n    emit()", before="logging.disable()")

    assert terminate(process) == -signal.SIGTERM
    assert len(collector.spans()) >= 1


def test_sigterm_with_a_collector_that_hangs(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """The budget holds here, too."""
    collector.answering.clear()
    process = start(
        "telemetry._wiring.shutdown_timeout = 0.3\nprint('ready', flush=True)\nwhile not threading.Event().wait(0.05): pass"
    )

    assert terminate(process) == -signal.SIGTERM


FORK = """
from opentelemetry import metrics
telemetry.force_flush(10.0)
child = os.fork()
if child == 0:
    before = telemetry.status().to_dict()
    emit("in the child")
    flushed = telemetry.force_flush(10.0)
    after = telemetry.status().to_dict()
    import json
    print(json.dumps({"before": before, "flushed": flushed, "after": after}), flush=True)
    sys.exit(0)
os.waitpid(child, 0)
emit("in the parent")
"""


def test_a_forked_child(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """A forked child delivers its own, counts from zero, and has an instance id of its own; so does its parent go on."""
    process = start(FORK)
    out, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    told = json.loads(out)
    assert {book["emitted"] for book in told["before"]["destinations"]} == {0}
    assert told["flushed"] is True
    (spans,) = (book for book in told["after"]["destinations"] if book["signal"] == "traces")
    assert (spans["emitted"], spans["delivered"]) == (1, 1)
    assert sorted(span.name for span in collector.spans()) == ["in the child", "in the parent", "work"]
    instances = {
        attribute.value.string_value
        for export in collector.of("traces")
        for item in export.body.resource_spans
        for attribute in item.resource.attributes
        if attribute.key == "service.instance.id"
    }
    assert len(instances) == 2
    assert told["after"]["instance"] in instances


def test_a_forked_child_that_just_ends(collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]) -> None:
    """What a forked child has queued is delivered when it exits, also a child of multiprocessing."""
    process = start(
        "import multiprocessing\n"
        "child = multiprocessing.get_context('fork').Process(target=emit, args=('in the child',))\n"
        "child.start()\n"
        "child.join()\n"
    )
    _, err = process.communicate(timeout=60)

    assert process.returncode == 0, err
    assert sorted(span.name for span in collector.spans()) == ["in the child", "work"]
