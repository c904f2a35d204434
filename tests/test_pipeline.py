"""The handle: flush, shutdown, exit, signals, forks, pause; always within a budget, never losing count."""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Iterator
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


def test_a_loss_before_the_flush_is_told_once(collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was lost while nobody flushed makes the next force_flush() False, and that one alone."""
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    collector.status = 400
    telemetry = configure(metrics=False, logs=False)
    trace.get_tracer("tests").start_span("work").end()
    eventually(lambda: telemetry.status().destinations[0]["dropped"])

    assert telemetry.force_flush(10.0) is False
    assert telemetry.force_flush(10.0) is True


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


def test_lifespan_and_exit_share_the_budget(collector: HTTPSink) -> None:
    """What the flush of a lifespan took behind a collector that hangs is no longer there for the shutdown."""
    collector.answering.clear()
    telemetry = configure(shutdown_timeout=0.3)
    emit()

    assert telemetry.flush_before_end() is False

    assert telemetry._left() == 0.0
    started = time.monotonic()
    assert telemetry.shutdown() is False
    assert time.monotonic() - started < 5


def test_shutdown_with_an_unreachable_collector() -> None:
    """Nobody there: configure() does not mind, and shutdown() does not wait: it says what was left."""
    telemetry = configure(destinations=[OTLP(endpoint="http://127.0.0.1:9")])
    emit()
    started = time.monotonic()

    assert telemetry.shutdown(timeout=60) is False

    assert time.monotonic() - started < 10
    books = {book["signal"]: book for book in telemetry.status().destinations}
    assert books["traces"]["dropped"] == books["logs"]["dropped"] == {"shutdown_deadline": 1}


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
    assert books["traces"]["dropped"] == {"already_shutdown": 1}
    assert books["logs"]["dropped"] == {"already_shutdown": 1}
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
    """While four threads emit and another flushes, the sum of the books holds in every snapshot."""
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
        underway = book["queued"] + book["spooled"] + book["unconfirmed"]
        assert book["emitted"] == book["delivered"] + sum(book["dropped"].values()) + underway
        assert book["queued"] >= 0
        assert set(book["dropped"]) <= {"queue_full", "queue_bytes"}
    dropped = [sum(book["dropped"].values()) for book in books]
    assert dropped == sorted(dropped)
    eventually(lambda: telemetry.status().destinations[0]["queued"] == 0)
    assert telemetry.status().destinations[0]["delivered"] == len(collector.spans())


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
        "unconfirmed",
        "spooled",
        "queued",
        "queue_bytes",
        "retries",
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
