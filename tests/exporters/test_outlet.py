"""A bounded way out for events: whoever puts one never waits, and every event is accounted for."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from aumos_otel import guard
from aumos_otel.exporters import outlet
from aumos_otel.exporters.outlet import Hook, Outlet

PATIENCE = 10.0


def books(of: Outlet) -> dict[str, int]:
    """What became of events, without what became of none."""
    return {what: count for what, count in of.counts().items() if count}


class Gate:
    """A function that hangs until it may go on."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.open = threading.Event()
        self.seen: list[Any] = []

    def __call__(self, event: Any) -> None:
        """Take an event."""
        self.entered.set()
        self.open.wait(PATIENCE)
        self.seen.append(event)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate that is open after the test, so that its thread ends."""
    gate = Gate()
    yield gate
    gate.open.set()


def test_events_come_in_order_on_a_thread_of_their_own() -> None:
    """The function is called with each event, in order, never on the thread that puts it."""
    seen = []
    hook = Hook(lambda event: seen.append((event["number"], threading.current_thread().name)))
    for number in range(5):
        hook.put({"number": number})

    assert hook.flush(PATIENCE)
    assert seen == [(number, "aumos-otel-hook") for number in range(5)]
    assert books(hook) == {"delivered": 5}
    assert hook.shutdown(PATIENCE)


def test_without_an_event_there_is_no_thread() -> None:
    """What is never used costs nothing, and ends at once."""
    hook = Hook(print)

    assert hook.flush(0.0)
    assert hook.shutdown(0.0)
    assert "aumos-otel-hook" not in [thread.name for thread in threading.enumerate()]


@pytest.mark.parametrize("error", [ValueError("broken"), SystemExit(3), KeyboardInterrupt()])
def test_what_the_function_raises_is_counted(error: BaseException) -> None:
    """An event whose function raises has failed; the next one is handed on."""
    outcomes: list[BaseException | None] = [error, None]

    def function(_event: Any) -> None:
        outcome = outcomes.pop(0)
        if outcome is not None:
            raise outcome

    before = guard.swallowed().get("exporters.hook", 0)
    hook = Hook(function)
    hook.put({})
    hook.put({})

    assert hook.flush(PATIENCE)
    assert books(hook) == {"failed": 1, "delivered": 1}
    assert guard.swallowed()["exporters.hook"] == before + 1
    hook.shutdown(PATIENCE)


def test_each_function_gets_a_copy() -> None:
    """What one function does to its event is not seen by the next."""
    event = {"state": "ok"}
    hook = Hook(lambda event: event.clear())
    hook.put(event)

    assert hook.flush(PATIENCE)
    assert event == {"state": "ok"}
    hook.shutdown(PATIENCE)


def test_a_hanging_function_holds_up_nobody(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events wait, the oldest make room, and leaving keeps its deadline; every event is in the books."""
    monkeypatch.setattr(outlet, "LIMIT", 10)
    hook = Hook(gate)
    hook.put({"number": 0})
    assert gate.entered.wait(PATIENCE)

    began = time.monotonic()
    for number in range(1, 31):
        hook.put({"number": number})
    assert not hook.flush(0.05)
    assert books(hook) == {"dropped": 20}
    assert not hook.shutdown(0.05)
    hook.put({"number": 31})
    took = time.monotonic() - began
    gate.open.set()
    while "delivered" not in books(hook) and time.monotonic() - began < PATIENCE:
        threading.Event().wait(0.01)

    assert took < PATIENCE / 2
    assert books(hook) == {"dropped": 31, "delivered": 1}
    assert gate.seen == [{"number": 0}]


def test_the_latest_events_are_kept(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """When too many wait the oldest are dropped: the last word about an objective is what matters."""
    monkeypatch.setattr(outlet, "LIMIT", 3)
    hook = Hook(gate)
    hook.put({"number": 0})
    assert gate.entered.wait(PATIENCE)
    for number in range(1, 9):
        hook.put({"number": number})
    gate.open.set()

    assert hook.flush(PATIENCE)
    assert [event["number"] for event in gate.seen] == [0, 6, 7, 8]
    hook.shutdown(PATIENCE)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_has_books_of_its_own(gate: Gate) -> None:
    """What waits is the parent's to hand on; a child whose parent hangs in the function hands on its own."""
    hook = Hook(gate)
    hook.put({"number": 0})
    hook.put({"number": 1})
    assert gate.entered.wait(PATIENCE)
    child = os.fork()
    if child == 0:
        gate.open.set()
        hook.put({"number": 2})
        done = hook.flush(PATIENCE)
        os._exit(0 if done and books(hook) == {"delivered": 1} and gate.seen == [{"number": 2}] else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    gate.open.set()

    assert hook.flush(PATIENCE)
    assert [event["number"] for event in gate.seen] == [0, 1]
    hook.shutdown(PATIENCE)
