"""The outbox with a spool: what the disk does not take is not lost as long as there is another way."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from delivery.lanes import ACCEPTED, LATE, PATIENCE, REFUSED, Bench, Receiver, parcel

from aumos_otel.config import SpoolOptions
from aumos_otel.delivery import backoff
from aumos_otel.delivery.lane import LATE_ATTEMPTS, Patience
from aumos_otel.delivery.outbox import BatchLimits, SpoolOutbox
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.spool import segment
from aumos_otel.spool.spool import Spool


class Disk:
    """A disk that can be full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        self._append = segment.append
        monkeypatch.setattr(segment, "append", self.append)

    def append(self, *arguments: object) -> None:
        """Append, or not."""
        if self.full:
            raise OSError(errno.ENOSPC, "no space left")
        self._append(*arguments)


class Stumbling(Receiver):
    """A receiver that never answers a request with a certain span."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Take one, or not."""
        return LATE if self._name.encode() in body else super().send(body, deadline)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """The disk below all spools."""
    return Disk(monkeypatch)


@pytest.fixture
def process(disk: Disk, tmp_path: Path) -> Iterator[Callable[[Receiver], Bench]]:
    """Makes lanes with a spool in one place, as processes of a service have; a lane that is closed left its own."""
    made: list[Bench] = []

    def make(receiver: Receiver) -> Bench:
        bench = Bench(receiver, attempt=0.0)
        options = SpoolOptions(directory=str(tmp_path / "spool"), min_free=0).resolve({}, {}, {})
        spool = Spool(options, "tests", "otlp", "traces", lost=bench.account.lose)
        outbox = SpoolOutbox(bench.account, spool, bench.outbox, BatchLimits(10, 1_000_000))
        bench.lane._outbox = outbox
        made.append(bench)
        return bench

    yield make
    for each in made:
        each.close(0.0)


def names(count: int) -> list[str]:
    """As many names of spans."""
    return [f"s{number}" for number in range(count)]


def left_behind(process: Callable[[Receiver], Bench]) -> list[str]:
    """What the next process finds and sends."""
    bench = process(Receiver())
    bench.lane.start()
    with bench.books.lock:
        assert bench.books.moved.wait_for(lambda: bench.account.delivered and not bench.account.spooled, PATIENCE)
    bench.balance()
    return sorted(bench.receiver.taken)


def hanging() -> Receiver:
    """A receiver that answers nothing for now."""
    receiver = Receiver()
    receiver.answering.clear()
    return receiver


def test_a_full_disk_loses_nothing(process: Callable[[Receiver], Bench], disk: Disk) -> None:
    """What the disk does not take waits in memory, and is sent from there."""
    bench = process(Receiver())
    disk.full = True

    bench.emit([parcel(name) for name in names(25)])

    assert bench.settled()["delivered"] == 25
    assert sorted(bench.receiver.taken) == sorted(names(25))


def test_what_the_disk_did_not_take_follows(process: Callable[[Receiver], Bench], disk: Disk) -> None:
    """As soon as the disk takes a batch again, it gets all that waits in memory, and the next process has it."""
    bench = process(hanging())
    bench.emit([parcel("underway")])
    assert bench.receiver.arrived.acquire(timeout=20)
    disk.full = True
    bench.emit([parcel(name) for name in names(25)])
    assert bench.balance()["queued"] == 25
    disk.full = False

    bench.emit([parcel("last")])

    book = bench.balance()
    assert (book["queued"], book["queue_bytes"], book["spooled"]) == (0, 0, 27)
    assert bench.close(0.05) is False
    assert left_behind(process) == sorted([*names(25), "last", "underway"])


def test_a_time_for_the_whole_batch(process: Callable[[Receiver], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """A time for one batch, which is over, gives up nothing that is on disk."""
    monkeypatch.setattr(backoff, "delay", lambda _attempts, _asked=None: 0.0)
    bench = process(Receiver([REFUSED] * 20))
    bench.lane._patience = Patience(PATIENCE, batch=0.0)

    bench.emit([parcel(name) for name in names(3)])

    book = bench.settled()
    assert (book["delivered"], book["dropped"], book["retries"]) == (3, {}, 20)


@pytest.mark.parametrize("full", [False, True])
def test_a_receiver_that_does_not_answer(
    process: Callable[[Receiver], Bench], disk: Disk, monkeypatch: pytest.MonkeyPatch, *, full: bool
) -> None:
    """However often it may have taken a batch, it is kept until the receiver says so, also where the disk is full."""
    monkeypatch.setattr(backoff, "delay", lambda _attempts, _asked=None: 0.0)
    disk.full = full
    bench = process(Receiver([LATE] * 10 * LATE_ATTEMPTS, keeps_late=False))

    bench.emit([parcel(name) for name in names(30)])

    book = bench.settled()
    assert (book["delivered"], book["unconfirmed"], book["dropped"]) == (30, 0, {})
    assert sorted(bench.receiver.taken) == sorted(names(30))


def test_a_batch_that_is_never_answered(process: Callable[[Receiver], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """It lets the others pass, and is left to the next process, which may send again what came after it."""
    monkeypatch.setattr(backoff, "delay", lambda _attempts, _asked=None: 0.0)
    bench = process(Stumbling("poison"))
    bench.emit([parcel("poison")])

    bench.emit([parcel(name) for name in names(30)])

    with bench.books.lock:
        assert bench.books.moved.wait_for(lambda: bench.account.delivered == 30, PATIENCE)
    assert bench.balance()["spooled"] == 1
    assert bench.close(0.05) is False
    assert "poison" in left_behind(process)


def test_a_batch_that_is_too_old(process: Callable[[Receiver], Bench], monkeypatch: pytest.MonkeyPatch) -> None:
    """What grows older than the spool keeps while it is tried is given up; the receiver may have it."""
    monkeypatch.setattr(backoff, "delay", lambda _attempts, _asked=None: 0.0)
    monkeypatch.setattr(Spool, "seconds_left", lambda _spool, _frame: 0.0)
    bench = process(Receiver([REFUSED, LATE]))

    bench.emit([parcel("refused")])
    assert bench.settled()["dropped"] == {"spool_expired": 1}
    bench.emit([parcel("late")])

    assert bench.settled()["unconfirmed"] == 1


def test_leaving_with_records_in_memory(process: Callable[[Receiver], Bench], disk: Disk) -> None:
    """A process that ends writes down what waited in memory, what was on its way from there, too."""
    bench = process(hanging())
    disk.full = True
    bench.emit([parcel("underway")])
    assert bench.receiver.arrived.acquire(timeout=20)
    bench.emit([parcel(name) for name in names(12)])
    disk.full = False

    assert bench.close(0.05) is False

    book = bench.balance()
    assert (book["spooled"], book["queued"], book["dropped"], book["unconfirmed"]) == (13, 0, {}, 0)
    assert left_behind(process) == sorted([*names(12), "underway"])


def test_leaving_when_the_disk_stays_full(process: Callable[[Receiver], Bench], disk: Disk) -> None:
    """What no disk takes is still sent in the time that is left, though what is on disk could not be at first."""
    receiver = Receiver([ACCEPTED, REFUSED, REFUSED])
    bench = process(receiver)
    bench.emit([parcel("before")])
    bench.settled()
    receiver.answering.clear()
    bench.emit([parcel("on disk")])
    disk.full = True
    bench.emit([parcel(name) for name in names(3)])
    timer = threading.Timer(0.05, receiver.answering.set)
    timer.start()

    assert bench.close() is True

    timer.join()
    assert bench.balance()["delivered"] == 5


def test_leaving_when_nothing_is_left_to_do(process: Callable[[Receiver], Bench], disk: Disk) -> None:
    """Where neither the disk nor the receiver takes anything, the loss is counted."""
    bench = process(hanging())
    bench.emit([parcel("on disk")])
    assert bench.receiver.arrived.acquire(timeout=20)
    disk.full = True
    bench.emit([parcel(name) for name in names(3)])

    assert bench.close(0.05) is False

    book = bench.balance()
    assert (book["spooled"], book["queued"], book["dropped"]) == (1, 0, {"shutdown_deadline": 3})
