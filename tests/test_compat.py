"""The SDK in a forked child: counts start from zero, no lock is held, instruments go on."""

from __future__ import annotations

import io
import math
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from opentelemetry import metrics
from opentelemetry.sdk import resources
from opentelemetry.sdk.metrics import Counter, MeterProvider
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    ConsoleMetricExporter,
    InMemoryMetricReader,
    PeriodicExportingMetricReader,
)

from aumos_otel import _compat
from aumos_otel._compat import required

#: Seconds after which a child that hangs is killed.
ALARM = 10

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
pytestmark = [needs_fork, pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")]


def in_child(check: Callable[[], object]) -> None:
    """Fork, run ``check`` in the child under an alarm, and fail if it failed or hung there."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(ALARM)
            check()
            status = 0
        except BaseException:  # noqa: BLE001 - whatever it was, the parent is told by the exit status
            traceback.print_exc()
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert not os.WIFSIGNALED(status), f"the child hung (signal {os.WTERMSIG(status)})"
    assert os.WEXITSTATUS(status) == 0, "the child failed"


@contextmanager
def held(lock: Any) -> Iterator[None]:
    """Another thread holds the lock."""
    taken, give_back = threading.Event(), threading.Event()

    def hold() -> None:
        with lock:
            taken.set()
            give_back.wait(30)

    thread = threading.Thread(target=hold)
    thread.start()
    assert taken.wait(10)
    try:
        yield
    finally:
        give_back.set()
        thread.join()


class Work:
    """A meter provider with two readers and a counter that has counted to 41."""

    def __init__(self, temporality: AggregationTemporality = AggregationTemporality.CUMULATIVE) -> None:
        self.reader = InMemoryMetricReader({Counter: temporality})
        self.periodic = PeriodicExportingMetricReader(ConsoleMetricExporter(out=io.StringIO()), math.inf)
        self.provider = MeterProvider([self.reader, self.periodic], shutdown_on_exit=False)
        _compat.survive_forks(self.provider)
        self.meter = self.provider.get_meter("tests")
        self.counter = self.meter.create_counter("work")
        self.counter.add(41)

    def sum(self) -> int:
        """What the counter has counted."""
        data = self.reader.get_metrics_data()
        points = data.resource_metrics[0].scope_metrics[0].metrics[0].data.data_points if data else []
        return sum(point.value for point in points)

    def use(self) -> None:
        """Every kind of use takes every lock."""
        self.counter.add(1)
        self.provider.get_meter("more").create_counter("more").add(1)
        self.meter.create_histogram("duration").record(1)
        self.provider.force_flush(2000)
        assert self.sum() == 1
        self.provider.shutdown(2000)


def storage(work: Work) -> Any:
    """The storage of the first reader."""
    return work.provider._measurement_consumer._reader_storages[work.reader]


LOCKS: dict[str, Callable[[Work], Any]] = {
    "consumer": lambda work: work.provider._measurement_consumer._lock,
    "storage": lambda work: storage(work)._lock,
    "view": lambda work: storage(work)._instrument_view_instrument_matches[work.counter][0]._lock,
    "aggregation": lambda work: (
        next(
            iter(storage(work)._instrument_view_instrument_matches[work.counter][0]._attributes_aggregation.values())
        )._lock
    ),
    "provider": lambda work: work.provider._lock,
    "meters": lambda work: work.provider._meter_lock,
    "meter": lambda work: work.meter._instrument_registration_lock,
    "instrument ids": lambda work: work.meter._instrument_ids_lock,
    "export": lambda work: work.periodic._export_lock,
    "shutdown event": lambda work: work.periodic._shutdown_event._cond,
    "in-memory reader": lambda work: work.reader._lock,
    "all readers": lambda work: MeterProvider._all_metric_readers_lock,
    "service instance id": lambda work: resources._service_instance_id_lock,
    "proxy meters": lambda work: metrics._internal._PROXY_METER_PROVIDER._lock,
}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_that_another_thread_holds(name: str) -> None:
    """A child that was forked while a lock was held records, flushes and shuts down."""
    work = Work()

    with held(LOCKS[name](work)):
        in_child(work.use)

    assert work.sum() == 41
    work.provider.shutdown()


@pytest.mark.parametrize("temporality", [AggregationTemporality.CUMULATIVE, AggregationTemporality.DELTA])
def test_counts_start_from_zero(temporality: AggregationTemporality) -> None:
    """Instruments that were made before the fork count from zero in the child; the parent's go on."""
    work = Work(temporality)

    def check() -> None:
        work.counter.add(2)
        assert work.sum() == 2

    in_child(check)
    work.counter.add(1)

    assert work.sum() == 42
    work.provider.shutdown()


def test_a_grandchild() -> None:
    """A child's child starts from zero as well."""
    work = Work()

    def check() -> None:
        work.counter.add(5)

        def check_grandchild() -> None:
            work.counter.add(1)
            assert work.sum() == 1

        in_child(check_grandchild)
        assert work.sum() == 5

    in_child(check)
    work.provider.shutdown()


def test_an_exporting_reader_goes_on_in_the_child() -> None:
    """The thread of a periodic reader exports in the child, and ends there when it is shut down."""
    exported = threading.Event()

    class Exporter(ConsoleMetricExporter):
        def export(self, *args: Any, **kwargs: Any) -> Any:
            exported.set()

    reader = PeriodicExportingMetricReader(Exporter(), 50)
    provider = MeterProvider([reader], shutdown_on_exit=False)
    _compat.survive_forks(provider)
    counter = provider.get_meter("tests").create_counter("work")

    def check() -> None:
        exported.clear()
        counter.add(1)
        assert exported.wait(5)
        provider.shutdown(2000)
        assert not reader._daemon_thread.is_alive()

    in_child(check)
    provider.shutdown()


def test_names_that_an_sdk_lacks_are_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """A meter provider without what a fork needs is told by `MISSING`, and does not break the child."""
    missing: list[str] = []
    monkeypatch.setattr(required, "MISSING", missing)
    provider = MeterProvider(shutdown_on_exit=False)
    del provider._measurement_consumer
    _compat.survive_forks(provider)

    in_child(lambda: None)

    assert any("_measurement_consumer" in name for name in missing)


def test_a_module_that_another_thread_is_importing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The child imports it anew; without that it would wait for the other thread for ever."""
    (tmp_path / "half_way_module.py").write_text("import gate_of_test\ngate_of_test.pass_through()\nvalue = 7\n")
    monkeypatch.syspath_prepend(tmp_path)
    reached, go_on = threading.Event(), threading.Event()
    parent = os.getpid()

    class Gate:
        @staticmethod
        def pass_through() -> None:
            reached.set()
            if os.getpid() == parent:
                go_on.wait(30)

    monkeypatch.setitem(sys.modules, "gate_of_test", Gate)

    def import_it() -> int:
        import half_way_module

        return half_way_module.value

    def check() -> None:
        assert import_it() == 7

    thread = threading.Thread(target=import_it)
    thread.start()
    assert reached.wait(10)
    try:
        in_child(check)
    finally:
        go_on.set()
        thread.join()
        sys.modules.pop("half_way_module", None)
