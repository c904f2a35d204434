"""Objectives watched in the process: what burns, what is told, and when."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator, Mapping
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest

from aumos_otel import guard, slo_watch
from aumos_otel.config.objectives import KafkaOptions, SLOOptions
from aumos_otel.exporters.kafka import KafkaTopic
from aumos_otel.exporters.outlet import Hook
from aumos_otel.slo import policy
from aumos_otel.slo.indicator import Counted, Query, Ratio
from aumos_otel.slo.objective import Gate, Objective
from aumos_otel.slo.window import RatioTimeslices, Timeslices
from aumos_otel.slo_watch import Watch, counts_of, outlets, step_of

PATIENCE = 10.0
#: A step of one second.
QUICK = policy.parse("page: 10s>=10 & 60s>=5; ticket: 60s>=1 & 120s>=1", "quick")
LIVE = policy.parse("page: 1s>=2 & 2s>=2", "live")
FOUND = SimpleNamespace(name="checkout")


def objective(name: str = "works", **about: Any) -> Objective:
    """An objective of 99 % about what ``@slo("checkout")`` counts."""
    given = {"target": Decimal("0.99"), "policy": QUICK, "indicator": Counted("checkout"), **about}
    return Objective(name=name, service="shop", **given)


class Told:
    """An outlet that keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[Mapping[str, Any]] = []

    def put(self, event: Mapping[str, Any]) -> None:
        """Keep it."""
        self.events.append(event)

    def states(self) -> list[str]:
        """The states in order."""
        return [event["new_status"] for event in self.events]


class Bench:
    """A watch without its thread: the test moves the clock and counts."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *objectives: Objective, find: Any = lambda name: FOUND) -> None:
        self.now = 5000.0
        self.wall = 1_764_000_000.0
        clock = SimpleNamespace(monotonic=lambda: self.now, time_ns=lambda: int(self.wall * 1e9))
        monkeypatch.setattr(slo_watch, "time", clock)
        self.total = self.good = 0
        self.told = Told()
        counts = lambda: {"checkout": (self.total, self.good)}  # noqa: E731 - the smallest source there is
        self.watch = Watch(objectives, counts, find=find, outlets=[self.told], instance=lambda: "i-1")
        self.watch._begin()

    def run(self, seconds: int, *, good: int = 0, bad: int = 0) -> list[str]:
        """So many seconds with so many events in each; the states that were told meanwhile."""
        before = len(self.told.events)
        for _ in range(seconds):
            self.now += 1.0
            self.total += good + bad
            self.good += good
            pause = self.watch._work()
            assert pause is not None
            assert 0 <= pause <= 1.0
        return self.told.states()[before:]


def test_a_fault_comes_and_goes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unknown, ok, warning as one limit is reached, critical when both are, and back when the fault is over."""
    bench = Bench(monkeypatch, objective())

    assert bench.run(5) == []
    assert bench.run(60, good=100) == ["ok"]
    assert bench.watch.burning == ()
    assert bench.run(30, good=80, bad=20) == ["warning", "critical"]
    assert bench.watch.burning == (FOUND,)
    assert bench.run(20, good=100) == ["warning"]
    assert bench.watch.burning == (FOUND,)  # the ticket tier burns on
    assert bench.run(120, good=100) == ["ok"]
    assert bench.watch.burning == ()
    assert bench.run(15) == ["unknown"]


def test_what_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """An event has the platform's fields, plain values, and the burn rates of that moment."""
    bench = Bench(monkeypatch, objective(labels={"aumos_tenant_id": "acme"}))
    bench.run(1, good=1)
    bench.run(1, bad=1)
    first, second = bench.told.events

    assert {name: value for name, value in first.items() if name not in {"at", "correlation_id"}} == {
        "event_type": "slo_status_changed",
        "tenant_id": "acme",
        "slo_id": "shop/works",
        "slo_name": "works",
        "service_name": "shop",
        "service_instance_id": "i-1",
        "previous_status": "unknown",
        "new_status": "ok",
        "fast_burn_rate": 0.0,
        "slow_burn_rate": 0.0,
        "target_percentage": 99.0,
    }
    assert first["at"].endswith("+00:00")
    assert (second["previous_status"], second["new_status"]) == ("ok", "critical")
    assert second["fast_burn_rate"] == pytest.approx(50)


def test_without_data_rates_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """When nothing happens any more the fast burn rate is unknown, not 0; of no tenant the tenant is empty."""
    bench = Bench(monkeypatch, objective())
    bench.run(1, good=1)
    bench.run(11)
    last = bench.told.events[-1]

    assert last["new_status"] == "unknown"
    assert last["fast_burn_rate"] is None
    assert last["slow_burn_rate"] == 0.0
    assert last["tenant_id"] == ""


def test_one_incident_has_one_correlation_id(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the first sign to the end of a fault events share an id; the next fault has another one."""
    bench = Bench(monkeypatch, objective())
    bench.run(10, good=100)
    for _ in range(2):
        bench.run(30, good=50, bad=50)
        bench.run(200, good=100)
    ids = [(event["new_status"], event["correlation_id"]) for event in bench.told.events[1:]]
    half = len(ids) // 2

    assert [state for state, _ in ids[:half]] == [state for state, _ in ids[half:]]
    assert ids[half - 1][0] == "ok"
    assert len({each for _, each in ids[:half]}) == len({each for _, each in ids[half:]}) == 1
    assert ids[0][1] != ids[half][1]


def test_the_gate_holds_in_the_process_too(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a gate one bad event burns nothing."""
    bench = Bench(monkeypatch, objective(gate=Gate(bad_events=2)))
    bench.run(1, good=1)

    assert bench.run(1, bad=1) == ["warning"]
    assert bench.watch.burning == ()
    assert bench.run(1, bad=1) == ["critical"]


@pytest.mark.parametrize(
    ("budgeting", "told"),
    [
        # Slices of ten seconds with a bad one among 21 are good slices by a target of 90 %, and 95 % good by ratio.
        (Timeslices(10, Decimal("0.9")), ["ok"]),
        (RatioTimeslices(10), ["ok", "warning", "ok"]),
    ],
)
def test_time_slices(monkeypatch: pytest.MonkeyPatch, budgeting: Any, told: list[str]) -> None:
    """An objective over slices of time weighs them as it says."""
    bench = Bench(monkeypatch, objective(budgeting=budgeting))
    bench.run(9, good=1)
    bench.run(1, good=11, bad=1)
    bench.run(200, good=1)

    assert bench.told.states() == told


def test_counters_that_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counters that fall were set to zero: what they hold came since, and nothing counts as bad for it."""
    bench = Bench(monkeypatch, objective())
    bench.run(5, good=100)
    bench.total = bench.good = 0
    bench.run(5, good=3)

    counts = bench.watch._watched[0]._history.counts(bench.watch._epoch + bench.now, 60)
    assert (counts.good, counts.total) == (515, 515)
    assert bench.told.states() == ["ok"]


def test_good_events_of_counters_that_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """That all events fell tells that the good ones began anew, too, however many there are by now."""
    bench = Bench(monkeypatch, objective())
    bench.run(1, good=2, bad=8)
    bench.total, bench.good = 0, 0
    bench.run(1, good=4, bad=1)

    counts = bench.watch._watched[0]._history.counts(bench.watch._epoch + bench.now, 60)
    assert (counts.good, counts.total) == (6, 15)


def test_a_clock_that_is_set_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sets the wall clock, by hours and while it burns, changes nothing."""
    bench = Bench(monkeypatch, objective())
    bench.run(60, good=100)
    bench.wall -= 7200
    bench.run(30, good=50, bad=50)
    bench.wall += 86_400
    bench.run(1, good=50, bad=50)

    assert bench.told.states() == ["ok", "warning", "critical"]


def test_after_a_long_sleep(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that slept looks once, not once for each step that it missed."""
    bench = Bench(monkeypatch, objective())
    looks = []
    inner = bench.watch._counts
    bench.watch._counts = lambda: (looks.append(bench.now), inner())[1]
    bench.run(3, good=1)
    bench.now += 3600
    for _ in range(10):
        bench.watch._work()
        bench.now += 0.01

    assert looks == [5001.0, 5002.0, 5003.0, 8603.0]


def test_objectives_of_different_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is looked at in its own step, and the counters are read only when one is due."""
    slow = objective("slow", policy=policy.parse("page: 100s>=10 & 600s>=5"))
    bench = Bench(monkeypatch, objective("quick"), slow)
    bench.run(9, good=1)

    assert [event["slo_name"] for event in bench.told.events] == ["quick"]
    bench.run(1, good=1)
    assert [event["slo_name"] for event in bench.told.events] == ["quick", "slow"]


def test_objectives_that_share_an_sli(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both are told of, and the SLI burns once."""
    bench = Bench(monkeypatch, objective("one"), objective("two", target=Decimal("0.9")))
    bench.run(1, bad=1)

    assert [event["slo_name"] for event in bench.told.events] == ["one", "two"]
    assert bench.watch.burning == (FOUND,)


def test_an_sli_that_is_not_there_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its function is imported an SLI has no events: unknown, and nothing to boost."""
    slis: dict[str, Any] = {}
    bench = Bench(monkeypatch, objective(), find=slis.get)
    counts, bench.watch._counts = bench.watch._counts, dict
    assert bench.run(5) == []
    bench.watch._counts = counts
    assert bench.run(1, bad=1) == ["critical"]
    assert bench.watch.burning == ()
    slis["checkout"] = FOUND
    bench.run(1)
    assert bench.watch.burning == (FOUND,)


def test_what_cannot_be_watched_here(monkeypatch: pytest.MonkeyPatch) -> None:
    """An objective about a query is Prometheus' to evaluate, and is named as such."""
    query = objective("by-query", indicator=Ratio(total=Query("requests_total"), bad=Query("errors_total")))
    bench = Bench(monkeypatch, query, objective())

    assert bench.watch.unwatched == ("by-query",)
    assert bench.run(1, good=1) == ["ok"]


def test_with_nothing_to_watch_there_is_no_thread() -> None:
    """Without objectives, or with none that is counted here, nothing is started."""
    for objectives in ((), (objective(indicator=Ratio(total=Query("a"), bad=Query("b"))),)):
        watch = Watch(objectives, dict, find=lambda name: None)
        watch.start()
        assert "aumos-otel-slo" not in [thread.name for thread in threading.enumerate()]
        watch.stop()


def test_one_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """What one objective's evaluation raises is counted; the others go on."""
    evaluate = slo_watch.evaluate

    def failing(of: Objective, *rest: Any) -> Any:
        if of.name == "broken":
            raise ZeroDivisionError
        return evaluate(of, *rest)

    monkeypatch.setattr(slo_watch, "evaluate", failing)
    bench = Bench(monkeypatch, objective("broken"), objective("works"))
    before, strict = guard.swallowed().get("slo_watch", 0), guard.set_strict(False)
    try:
        assert bench.run(3, good=1) == ["ok"]
    finally:
        guard.set_strict(strict)
    assert guard.swallowed()["slo_watch"] == before + 3


@pytest.mark.parametrize(
    ("about", "step"),
    [
        ({"policy": policy.SRE_WORKBOOK}, 30.0),
        ({"policy": policy.DEMO}, 0.3),
        ({"policy": policy.parse("page: 1s>=2 & 1h>=1")}, 0.2),
        ({"policy": policy.parse("page: 1h>=2 & 6h>=1")}, 30.0),
        ({"policy": policy.SRE_WORKBOOK, "budgeting": Timeslices(60, Decimal("0.9"))}, 6.0),
    ],
)
def test_the_step(about: dict[str, Any], step: float) -> None:
    """A tenth of the shortest window or slice, from 0.2 to 30 seconds."""
    assert step_of(objective(**about)) == step


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it runs, no more is kept than the longest window of the policy needs."""
    bench = Bench(monkeypatch, objective(), objective("slices", budgeting=RatioTimeslices(20)))
    bench.run(2000, good=1)

    for each in bench.watch._watched:
        assert len(each._history) <= 121
        assert len(each._events) <= 121


# With its thread -------------------------------------------------------------------------------------------------------


class Counter:
    """Counters that a test adds to."""

    def __init__(self) -> None:
        self.total = self.good = 0

    def __call__(self) -> dict[str, tuple[int, int]]:
        """What there is."""
        return {"checkout": (self.total, self.good)}


@pytest.fixture
def counter() -> Counter:
    """Counters at zero."""
    return Counter()


@pytest.fixture
def events() -> list[Mapping[str, Any]]:
    """What the hook was told."""
    return []


@pytest.fixture
def watch(counter: Counter, events: list[Mapping[str, Any]]) -> Iterator[Watch]:
    """A watch that runs, with a hook."""
    hook = Hook(events.append)
    watch = Watch([objective(policy=LIVE)], counter, find=lambda name: FOUND, outlets=[hook])
    watch.start()
    yield watch
    watch.stop()
    hook.shutdown(PATIENCE)


def wait_until(holds: Any) -> bool:
    """Whether it holds within the patience of a test."""
    deadline = time.monotonic() + PATIENCE
    while not holds() and time.monotonic() < deadline:
        threading.Event().wait(0.01)
    return bool(holds())


def test_it_runs_by_itself(watch: Watch, counter: Counter, events: list[Mapping[str, Any]]) -> None:
    """Bad events make it burn and tell the hook within a moment; when they are over it ends."""
    counter.total = 10

    assert wait_until(lambda: watch.burning == (FOUND,))
    assert wait_until(lambda: watch.burning == ())
    assert wait_until(lambda: len(events) >= 2)
    assert events[0]["new_status"] == "critical"
    assert events[-1]["new_status"] == "unknown"


def test_stopped_is_stopped(watch: Watch, counter: Counter, events: list[Mapping[str, Any]]) -> None:
    """After its end nothing burns, nothing is told, and no thread is left."""
    counter.total = 10
    assert wait_until(lambda: watch.burning == (FOUND,))
    watch.stop()

    assert watch.burning == ()
    assert wait_until(lambda: "aumos-otel-slo" not in [thread.name for thread in threading.enumerate()])
    assert watch.burning == ()
    watch.stop()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_starts_over(watch: Watch, counter: Counter, events: list[Mapping[str, Any]]) -> None:
    """In a child nothing burns because of what its parent saw; it watches its own counters."""
    counter.total = 10
    assert wait_until(lambda: watch.burning == (FOUND,))
    child = os.fork()
    if child == 0:
        calm = watch.burning == ()
        events.clear()
        counter.total = counter.good = 5
        told = wait_until(lambda: bool(events)) and events[0]["new_status"] == "ok"
        os._exit(0 if calm and told else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert events[0]["new_status"] == "critical"


def test_the_outlets_of_the_options() -> None:
    """A hook and Kafka when they are asked for, else none; their events are added up."""
    assert outlets(SLOOptions().resolve({}, {}, {})) == []
    options = SLOOptions(on_event=print, kafka=KafkaOptions(brokers="127.0.0.1:9"))
    found = outlets(options.resolve({}, {}, {}))

    assert [type(each) for each in found] == [Hook, KafkaTopic]
    assert counts_of(found) == {"delivered": 0, "dropped": 0, "failed": 0}
