"""The handle: flush, shutdown, exit, signals, forks, pause; always within a budget, never losing count."""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.otlp import HTTPSink
from servers.work import configure, emit, emit_and_flush, eventually, in_memory

from aumos_otel import OTLP, Telemetry, guard, testing

TESTS = Path(__file__).resolve().parent


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[HTTPSink]:
    """A collector that everything goes to."""
    with HTTPSink() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.url)
        yield sink
        sink.answering.set()
        testing.reset()


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


def test_flush_delivers_all_signals(collector: HTTPSink) -> None:
    """force_flush() sends what is queued and says so."""
    telemetry = configure()
    emit()

    assert telemetry.force_flush(10.0) is True

    assert arrived(collector) == (1, 1, True)
    assert telemetry.status().state == "ok"


def test_flush_keeps_its_time_out(collector: HTTPSink) -> None:
    """force_flush() returns False when its time is up, also behind a collector that hangs."""
    collector.answering.clear()
    telemetry = configure()
    emit()
    started = time.monotonic()

    assert telemetry.force_flush(0.2) is False

    assert time.monotonic() - started < 5  # the transport would wait for 10 seconds, one signal after the other
    assert {book["queued"] for book in telemetry.status().destinations if book["signal"] != "metrics"} == {1}


def test_flush_says_when_records_were_lost(collector: HTTPSink) -> None:
    """force_flush() returns False when the collector refuses; the books tell what was lost."""
    collector.status = 400
    telemetry = configure()
    emit()

    assert telemetry.force_flush(10.0) is False

    status = telemetry.status()
    assert status.state == "failing"
    (spans,) = (book for book in status.destinations if book["signal"] == "traces")
    assert (spans["emitted"], spans["delivered"], spans["dropped"]) == (1, 0, {"export_failed": 1})
    assert spans["last_error"]


def test_shutdown_delivers_once(collector: HTTPSink) -> None:
    """shutdown() delivers what is queued; a second one, or a flush after it, does nothing and says False."""
    telemetry = configure()
    emit()

    assert telemetry.shutdown() is True
    assert arrived(collector) == (1, 1, True)

    assert telemetry.shutdown() is False
    assert telemetry.force_flush() is False
    assert telemetry.status().state == "shut down"


def test_shutdown_keeps_the_budget(collector: HTTPSink) -> None:
    """One budget covers all signals behind a collector that hangs."""
    collector.answering.clear()
    telemetry = configure()
    emit()
    started = time.monotonic()

    assert telemetry.shutdown(timeout=0.3) is False

    assert time.monotonic() - started < 5


def test_shutdown_with_an_unreachable_collector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody there: configure() does not mind, shutdown() keeps the budget."""
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    telemetry = configure(destinations=[OTLP(endpoint="http://127.0.0.1:9")])
    emit()
    started = time.monotonic()

    telemetry.shutdown(timeout=0.3)

    assert time.monotonic() - started < 5


def test_shutdown_leaves_no_thread(collector: HTTPSink) -> None:
    """After shutdown() none of our threads runs."""
    before = threading.active_count()
    telemetry = configure()
    emit()
    assert threading.active_count() > before

    telemetry.shutdown()

    ours = ("aumos", "Otel")
    eventually(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith(ours)])


def test_what_comes_after_shutdown_is_counted_as_dropped(collector: HTTPSink) -> None:
    """A record after shutdown() goes nowhere, raises nothing, and is in the books."""
    telemetry = emit_and_flush()
    handler = telemetry.log_handler
    telemetry.shutdown()

    emit()
    logging.getLogger("tests").addHandler(handler)
    logging.getLogger("tests").warning("late")
    logging.getLogger("tests").removeHandler(handler)

    books = {book["signal"]: book for book in telemetry.status().destinations}
    assert books["traces"]["emitted"] == 2
    assert books["traces"]["dropped"] == {"shut_down": 1}
    assert books["logs"]["dropped"] == {"shut_down": 1}
    assert books["traces"]["queued"] == books["logs"]["queued"] == 0


def test_shutdown_from_many_threads(collector: HTTPSink) -> None:
    """Eight threads at once: one of them shuts down."""
    telemetry = configure()
    emit()
    together, results = threading.Barrier(8), []

    def leave() -> None:
        together.wait()
        results.append(telemetry.shutdown())

    threads = [threading.Thread(target=leave) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(results) == [False] * 7 + [True]
    assert arrived(collector) == (1, 1, True)


def test_the_books_hold_under_load(collector: HTTPSink) -> None:
    """While four threads emit and another flushes, emitted = delivered + dropped + queued in every snapshot."""
    telemetry = configure(metrics=False)
    stop = threading.Event()

    def produce() -> None:
        tracer = trace.get_tracer("tests")
        while not stop.is_set():
            tracer.start_span("work").end()

    threads = [threading.Thread(target=produce) for _ in range(4)]
    for thread in threads:
        thread.start()
    books = []
    while len(books) < 300 or books[-1]["delivered"] < 2000:
        books.append(telemetry.status().destinations[0])
    stop.set()
    for thread in threads:
        thread.join()
    telemetry.force_flush(20.0)
    books.append(telemetry.status().destinations[0])

    for book in books:
        assert book["emitted"] == book["delivered"] + sum(book["dropped"].values()) + book["queued"]
        assert book["queued"] >= 0
        assert set(book["dropped"]) <= {"queue_full"}
    dropped = [book["dropped"].get("queue_full", 0) for book in books]
    assert dropped == sorted(dropped)
    eventually(lambda: telemetry.status().destinations[0]["queued"] == 0)
    assert telemetry.status().destinations[0]["delivered"] == len(collector.spans())


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
    process = start("print('ready', flush=True)\nthreading.Event().wait(60)")

    assert terminate(process) == -signal.SIGTERM
    assert arrived(collector) == (1, 1, True)


@pytest.mark.parametrize("order", ["before", "after"])
def test_sigterm_with_a_handler_of_the_program(
    order: str, collector: HTTPSink, start: Callable[..., subprocess.Popen[str]]
) -> None:
    """The program's own handler runs, whether it was installed before or after configure(); all is delivered."""
    handler = (
        "def leave(number, frame):\n"
        "    print('leaving', flush=True)\n"
        "    sys.exit(3)\n"
        "signal.signal(signal.SIGTERM, leave)\n"
    )
    wait = "print('ready', flush=True)\nthreading.Event().wait(60)"
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
    process = start("telemetry._wiring.shutdown_timeout = 0.3\nprint('ready', flush=True)\nthreading.Event().wait(60)")

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


def test_pause_stops_everything_at_once(collector: HTTPSink) -> None:
    """While paused nothing is recorded or sent; afterwards it goes on; no gap is called a failure."""
    telemetry = configure()
    emit("before")
    assert telemetry.force_flush(10.0)

    telemetry.pause()
    assert telemetry.status().state == "paused"
    with trace.get_tracer("tests").start_as_current_span("while paused") as span:
        assert not span.is_recording()
        logging.getLogger("tests").warning("while paused")
    telemetry.force_flush(10.0)
    seen = len(collector.exports)

    telemetry.resume()
    emit("after")
    assert telemetry.force_flush(10.0)

    assert telemetry.status().state == "ok"
    assert len(collector.exports) > seen
    assert [found.name for found in collector.spans()] == ["before", "after"]
    assert [log.body.string_value for log in collector.logs()] == ["hello", "hello"]


def test_pause_drops_what_is_queued(collector: HTTPSink) -> None:
    """What was queued when the pause began is dropped and counted."""
    telemetry = configure(metrics=False, logs=False)
    emit()

    telemetry.pause()
    telemetry.force_flush(10.0)

    assert telemetry.status().destinations[0]["dropped"] == {"paused": 1}
    assert collector.exports == []


def test_a_span_that_is_open_when_the_pause_ends() -> None:
    """A trace that began in a pause stays unrecorded as a whole: no children without a parent."""
    memory = InMemorySpanExporter()
    telemetry = in_memory(memory)
    tracer = trace.get_tracer("tests")
    telemetry.pause()

    with tracer.start_as_current_span("parent"):
        telemetry.resume()
        with tracer.start_as_current_span("child"):
            pass

    assert memory.get_finished_spans() == ()


def test_status_is_plain_data(collector: HTTPSink) -> None:
    """status().to_dict() is JSON, with the keys that the contract names."""
    told = json.loads(json.dumps(emit_and_flush().status().to_dict()))

    assert set(told) == {"state", "instance", "since", "destinations", "llm", "guard"}
    assert {
        "name",
        "signal",
        "endpoint",
        "state",
        "emitted",
        "delivered",
        "dropped",
        "queued",
        "last_success",
        "last_error",
    } <= set(told["destinations"][0])
    assert told["guard"]["swallowed"] == sum(guard.swallowed().values())


def test_our_own_metrics(collector: HTTPSink) -> None:
    """What became of the records is a metric, by destination, signal and outcome."""
    telemetry = emit_and_flush()
    assert telemetry.force_flush(10.0)

    points = collector.metrics()["aumos.otel.records"].sum.data_points
    found = {
        tuple(sorted((pair.key.rpartition(".")[2], pair.value.string_value) for pair in point.attributes)): point.as_int
        for point in points
    }
    key = (("destination", "otlp"), ("outcome", "delivered"), ("signal", "traces"))
    assert found[key] == 1


def test_disabled_handle(monkeypatch: pytest.MonkeyPatch) -> None:
    """The handle of disabled telemetry takes every call."""
    telemetry: Telemetry = configure(enabled=False)

    telemetry.pause()
    telemetry.resume()
    app = object()
    assert telemetry.instrument(app) is app
    assert telemetry.force_flush() is True
    assert telemetry.status().state == "disabled"
    assert telemetry.describe()["state"] == "disabled"
    assert telemetry.shutdown() is True


def test_signals_off_the_main_thread(collector: HTTPSink) -> None:
    """configure() on another thread cannot install signal handlers, and does without."""
    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=configure)
    thread.start()
    thread.join()

    assert signal.getsignal(signal.SIGTERM) is before
    emit()
    assert configure().force_flush(10.0)
    metrics.get_meter_provider()


def test_pause_by_file_and_by_hand_are_two_reasons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """resume() does not lift the pause that a file asks for."""
    monkeypatch.setattr("aumos_otel.pipeline.PAUSE_FILE_INTERVAL", 0.01)
    file = tmp_path / "pause"
    file.touch()
    telemetry = in_memory(InMemorySpanExporter(), pause_file=str(file))
    eventually(lambda: telemetry.status().state == "paused")

    telemetry.resume()
    assert telemetry.status().state == "paused"

    telemetry.pause()
    file.unlink()
    telemetry.resume()
    eventually(lambda: telemetry.status().state == "ok")
