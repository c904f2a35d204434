"""Where finished records enter delivery."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest

from aumos_otel.delivery.intake import Intake, IntakeLimits
from aumos_otel.delivery.ledger import Books, Ledger

PATIENCE = 20.0


class Kitchen:
    """An intake whose prepared records are kept."""

    def __init__(self, **limits: Any) -> None:
        self.books: Books = Ledger().open("traces")
        self.account = self.books.open("otlp", "x")
        self.prepared: list[Any] = []
        self.open = threading.Event()
        self.open.set()
        self.entered = threading.Event()
        given = {"max_records": 1000, "max_bytes": 1_000_000, "batch": 512, "delay": 3600.0} | limits
        self.intake: Intake[Any] = Intake(self.books, self.prepare, IntakeLimits(**given))

    def prepare(self, items: Sequence[Any]) -> None:
        """Take them, and book them as delivered."""
        self.entered.set()
        assert self.open.wait(PATIENCE)
        with self.books.lock:
            self.books.waiting -= len(items)
            self.account.delivered += len(items)
            self.prepared += items
            self.books.moved.notify_all()

    def book(self) -> dict[str, Any]:
        """The account; it must add up."""
        found = self.account.snapshot()
        assert found["emitted"] == found["delivered"] + sum(found["dropped"].values()) + found["queued"]
        return found

    def wait(self, count: int) -> None:
        """Until so many were prepared."""
        with self.books.lock:
            assert self.books.moved.wait_for(lambda: len(self.prepared) >= count, PATIENCE), self.prepared


@pytest.fixture
def kitchen() -> Iterator[Callable[..., Kitchen]]:
    """Makes intakes, and ends their threads."""
    made: list[Kitchen] = []

    def make(**limits: Any) -> Kitchen:
        made.append(Kitchen(**limits))
        return made[-1]

    yield make
    for each in made:
        each.open.set()
        each.intake.abandon()


def test_order_is_kept(kitchen: Callable[..., Kitchen]) -> None:
    """What is handed over is prepared in order."""
    one = kitchen()
    for number in range(10):
        one.intake.put(number, 1, valued=False)

    assert one.intake.sync(time.monotonic() + PATIENCE)
    assert one.prepared == list(range(10))


def test_a_batch_is_prepared_at_once(kitchen: Callable[..., Kitchen]) -> None:
    """So many records are not kept waiting for the delay."""
    one = kitchen(batch=5)
    for number in range(5):
        one.intake.put(number, 1, valued=False)

    one.wait(5)


def test_many_bytes_are_prepared_at_once(kitchen: Callable[..., Kitchen]) -> None:
    """Nor are so many bytes."""
    one = kitchen(max_bytes=800)

    one.intake.put("large", 150, valued=False)

    one.wait(1)


def test_the_delay(kitchen: Callable[..., Kitchen]) -> None:
    """A single record is prepared after the delay."""
    one = kitchen(delay=0.01)

    one.intake.put("alone", 1, valued=False)

    one.wait(1)


def test_a_full_queue(kitchen: Callable[..., Kitchen]) -> None:
    """While nothing is prepared the queue keeps to its bound; what had to go is counted, the valued last."""
    one = kitchen(max_records=3, batch=1)
    one.open.clear()
    one.intake.put("underway", 1, valued=False)
    assert one.entered.wait(PATIENCE)
    for name in ("error", "a", "b", "c"):
        one.intake.put(name, 1, valued=name == "error")

    assert one.book()["dropped"] == {"queue_full": 1}
    one.open.set()
    one.wait(4)
    assert one.prepared == ["underway", "error", "b", "c"]


def test_the_user_never_waits_for_preparation(kitchen: Callable[..., Kitchen]) -> None:
    """While preparation hangs, records are taken or counted all the same."""
    one = kitchen(max_records=100, batch=1)
    one.open.clear()
    one.intake.put("underway", 1, valued=False)
    assert one.entered.wait(PATIENCE)

    for number in range(10_000):
        one.intake.put(number, 1, valued=False)

    book = one.book()
    assert (book["emitted"], book["queued"], book["dropped"]) == (10_001, 101, {"queue_full": 9_900})


def test_exact_with_threads(kitchen: Callable[..., Kitchen]) -> None:
    """Eight threads at once: every record is prepared or counted."""
    one = kitchen(max_records=500, batch=50)

    def emit() -> None:
        for number in range(5000):
            one.intake.put(number, 10, valued=number % 10 == 0)

    threads = [threading.Thread(target=emit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert one.intake.sync(time.monotonic() + PATIENCE)

    book = one.book()
    assert (book["emitted"], book["queued"]) == (40_000, 0)
    assert book["delivered"] == len(one.prepared)


def test_after_the_end(kitchen: Callable[..., Kitchen]) -> None:
    """What comes later is refused with the reason, what still waits is given up."""
    one = kitchen(batch=1)
    one.open.clear()
    one.intake.put("underway", 1, valued=False)
    assert one.entered.wait(PATIENCE)
    one.intake.put("waiting", 1, valued=False)
    one.intake.refuse("already_shutdown")

    one.intake.put("late", 1, valued=False)
    assert not one.intake.sync(time.monotonic() + 0.01)
    one.intake.abandon()

    assert one.book()["dropped"] == {"already_shutdown": 1, "shutdown_deadline": 1}


def test_a_forked_child_begins_empty(kitchen: Callable[..., Kitchen]) -> None:
    """What waited is the parent's."""
    one = kitchen()
    one.intake.put("parent's", 1, valued=False)

    one.intake._worker.stop()  # a fork does not copy the thread; here it has to end
    one.books.reset_after_fork()
    one.intake.after_fork()
    one.intake.put("child's", 1, valued=False)

    assert one.intake.sync(time.monotonic() + PATIENCE)
    assert one.prepared == ["child's"]


@pytest.mark.parametrize(("size", "valued"), [(1, False), (1, True), (5000, False), (5000, True)])
def test_most_records_wait_for_no_lock(kitchen: Callable[..., Kitchen], size: int, *, valued: bool) -> None:
    """While another thread holds the lock of the books, a record is taken all the same, and counted after."""
    one = kitchen()
    one.intake.put("first", 1, valued=False)
    one.intake.put("second", 1, valued=False)
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with one.books.lock:
            held.set()
            assert release.wait(PATIENCE)

    holder = threading.Thread(target=hold)
    holder.start()
    assert held.wait(PATIENCE)
    taken = threading.Thread(target=one.intake.put, args=("third", size), kwargs={"valued": valued})
    taken.start()
    taken.join(PATIENCE)
    assert not taken.is_alive()
    release.set()
    holder.join()

    assert (one.book()["emitted"], one.book()["queued"]) == (3, 3)


@pytest.mark.parametrize("size", [100, 5000, 20_000])
def test_the_bound_in_bytes(kitchen: Callable[..., Kitchen], size: int) -> None:
    """Whatever their size, once counted the records take no more bytes than may wait, and never much more."""
    one = kitchen(max_records=100_000, max_bytes=819_200)
    one.open.clear()
    one.intake.put("underway", 1, valued=False)
    assert not one.intake.sync(time.monotonic() + 0.01)
    assert one.entered.wait(PATIENCE)

    most = 0
    for number in range(20_000):
        one.intake.put(number, size, valued=number % 5 == 0)
        most = max(most, len(one.intake._queue) * size)

    room = 819_200 // size
    book = one.book()
    assert (book["queued"], book["dropped"]) == (room + 1, {"queue_bytes": 20_000 - room})
    assert most <= 1.25 * 819_200


def test_memory_while_it_is_full(kitchen: Callable[..., Kitchen]) -> None:
    """Between two counts the queue holds at most a sixty-fourth more than its bound."""
    one = kitchen(max_records=6400, batch=1)
    one.open.clear()
    one.intake.put("underway", 1, valued=False)
    assert one.entered.wait(PATIENCE)

    most = 0
    for number in range(50_000):
        one.intake.put(number, 1, valued=number % 7 == 0)
        most = max(most, len(one.intake._queue))

    assert 6400 <= most <= 6500
    assert one.book()["queued"] == 6401


@pytest.mark.parametrize("valued", [False, True])
def test_emitting_while_emitting(
    kitchen: Callable[..., Kitchen], monkeypatch: pytest.MonkeyPatch, *, valued: bool
) -> None:
    """A signal handler that emits while its thread is at the queue hangs nothing, and its record is counted."""
    one = kitchen()
    count = one.intake._queue.admit
    nested: list[str] = []

    def interrupted() -> Any:
        lost = count()
        if not nested:
            nested.append("from the handler")
            one.intake.put(nested[0], 1, valued=valued)
            assert one.account.snapshot()["emitted"] == 0
        return lost

    monkeypatch.setattr(one.intake._queue, "admit", interrupted)
    one.intake.put("interrupted", 1, valued=False)

    assert (one.book()["emitted"], one.book()["queued"]) == (2, 2)
    assert one.intake.sync(time.monotonic() + PATIENCE)
    assert sorted(one.prepared) == ["from the handler", "interrupted"]


def test_leaving_while_emitting(kitchen: Callable[..., Kitchen], monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal handler that ends everything while its thread is at the queue leaves no record uncounted."""
    one = kitchen()
    count = one.intake._queue.admit

    def interrupted() -> Any:
        monkeypatch.undo()
        one.intake.refuse("already_shutdown")
        one.intake.abandon()
        return count()

    monkeypatch.setattr(one.intake._queue, "admit", interrupted)
    one.intake.put("interrupted", 1, valued=False)

    book = one.book()
    assert (book["emitted"], book["queued"], sum(book["dropped"].values())) == (1, 0, 1)


def test_exact_around_the_end(kitchen: Callable[..., Kitchen]) -> None:
    """Threads emit while the intake is closed: every record is prepared or counted, whenever it came."""
    one = kitchen(max_records=500, batch=50)
    started = threading.Barrier(5)

    def emit() -> None:
        started.wait(PATIENCE)
        for number in range(20_000):
            one.intake.put(number, 1, valued=number % 10 == 0)

    threads = [threading.Thread(target=emit) for _ in range(4)]
    for thread in threads:
        thread.start()
    started.wait(PATIENCE)
    one.intake.refuse("already_shutdown")
    one.intake.sync(time.monotonic() + PATIENCE)
    one.intake.abandon()
    for thread in threads:
        thread.join()

    book = one.book()
    assert (book["emitted"], book["queued"]) == (80_000, 0)
    assert book["dropped"]["already_shutdown"] > 0


def test_records_while_there_is_no_thread(kitchen: Callable[..., Kitchen], monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system refuses a thread, every further record asks for one again."""
    one = kitchen(delay=0.001)
    asked: list[int] = []
    ensure = one.intake._worker.ensure
    monkeypatch.setattr(one.intake._worker, "ensure", lambda: asked.append(1))
    for number in range(3):
        one.intake.put(number, 1, valued=False)
    assert len(asked) == 3

    monkeypatch.setattr(one.intake._worker, "ensure", ensure)
    one.intake.put(3, 1, valued=False)

    one.wait(4)


def test_a_flush_under_constant_load(kitchen: Callable[..., Kitchen], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who waits for what has been handed over waits for that alone, not for what goes on coming."""
    one = kitchen()
    prepare = one.intake._prepare

    def goes_on(items: Sequence[Any]) -> None:
        one.intake.put("more", 1, valued=False)
        prepare(items)

    monkeypatch.setattr(one.intake, "_prepare", goes_on)
    one.intake.put("first", 1, valued=False)

    assert one.intake.sync(time.monotonic() + PATIENCE)

    assert one.prepared[0] == "first"
    one.wait(1000)
    monkeypatch.undo()
