"""One signal on its way to one destination: what becomes of its batches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from delivery.lanes import ACCEPTED, LATE, REFUSED, REJECTED, TOO_LARGE, Bench, Receiver, parcel
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aumos_otel.config import SpoolOptions
from aumos_otel.delivery import backoff
from aumos_otel.delivery.lane import LATE_ATTEMPTS
from aumos_otel.delivery.outbox import BatchLimits, SpoolOutbox
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.spool.spool import Spool


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause between two attempts is over at once, unless the receiver asked for one."""
    monkeypatch.setattr(backoff, "delay", lambda _attempts, asked=None: asked or 0.0)


@pytest.fixture
def bench() -> Iterator[Callable[..., Bench]]:
    """Makes benches, and leaves them at the end."""
    made: list[Bench] = []

    def make(*script: Outcome, **options: object) -> Bench:
        keeps_late = bool(options.pop("keeps_late", True))
        made.append(Bench(Receiver(script, keeps_late=keeps_late), **options))
        return made[-1]

    yield make
    for each in made:
        each.close(0.0)


def spans(count: int, prefix: str = "s") -> list:
    """Parcels with names of their own."""
    return [parcel(f"{prefix}{number}") for number in range(count)]


def test_all_is_delivered(bench: Callable[..., Bench]) -> None:
    """What is handed over arrives, in batches no larger than allowed."""
    lane = bench(batch=4)

    lane.emit(spans(10))

    assert lane.settled()["delivered"] == 10
    assert sorted(lane.receiver.taken) == sorted(f"s{number}" for number in range(10))
    assert lane.receiver.attempts >= 3


def test_it_tries_again(bench: Callable[..., Bench]) -> None:
    """A batch that could not be sent stays until it can; nothing is lost or sent twice."""
    lane = bench(REFUSED, REFUSED, REFUSED)

    lane.emit(spans(3))

    book = lane.settled()
    assert (book["delivered"], book["retries"], book["state"]) == (3, 3, "ok")
    assert lane.receiver.taken == ["s0", "s1", "s2"]


def test_what_is_refused_for_good(bench: Callable[..., Bench]) -> None:
    """A batch that will be refused again is not tried again; the next one goes on."""
    lane = bench(REJECTED, batch=3)

    lane.emit(spans(3))
    assert lane.settled()["dropped"] == {"export_failed": 3}
    lane.emit(spans(2, "next"))

    book = lane.settled()
    assert (book["delivered"], book["last_error"], lane.receiver.attempts) == (2, "HTTP 400", 2)


def test_partial_success(bench: Callable[..., Bench]) -> None:
    """What a receiver refused of a batch that it took is a loss."""
    lane = bench(Outcome("accepted", rejected=2, message="quota"))

    lane.emit(spans(5))

    book = lane.settled()
    assert (book["delivered"], book["dropped"]) == (3, {"partial_rejected": 2})


def test_a_batch_that_is_too_large_is_halved(bench: Callable[..., Bench]) -> None:
    """It is sent in pieces until the receiver takes them."""
    lane = bench(TOO_LARGE, TOO_LARGE, batch=8)

    lane.emit(spans(8))

    assert lane.settled()["delivered"] == 8
    assert sorted(lane.receiver.taken) == sorted(f"s{number}" for number in range(8))


def test_a_single_record_that_is_too_large_goes_alone(bench: Callable[..., Bench]) -> None:
    """Only the record that no receiver takes is lost."""
    lane = bench(TOO_LARGE, TOO_LARGE, batch=2)

    lane.emit(spans(2))

    book = lane.settled()
    assert (book["delivered"], book["dropped"]) == (1, {"too_large": 1})


def test_a_receiver_that_is_always_late(bench: Callable[..., Bench]) -> None:
    """Such a receiver gets a batch a few times, not for ever; then the batch is unconfirmed and the next one has its turn."""
    lane = bench(*[LATE] * LATE_ATTEMPTS, batch=2, attempt=0.0)

    lane.emit(spans(2))
    lane.emit(spans(2, "next"))

    book = lane.settled()
    assert (book["unconfirmed"], book["delivered"], book["dropped"]) == (2, 2, {})


def test_late_then_refused_is_unconfirmed(bench: Callable[..., Bench]) -> None:
    """A receiver that may have a batch may have it still after it refused it."""
    lane = bench(LATE, REJECTED)

    lane.emit(spans(2))

    book = lane.settled()
    assert (book["unconfirmed"], book["dropped"]) == (2, {})


def test_late_then_accepted_is_delivered(bench: Callable[..., Bench]) -> None:
    """An attempt that is answered settles what the ones before left open."""
    lane = bench(LATE)

    lane.emit(spans(2))

    assert lane.settled()["delivered"] == 2
    assert sorted(lane.receiver.taken) == ["s0", "s0", "s1", "s1"]


def test_a_time_for_the_whole_batch(bench: Callable[..., Bench]) -> None:
    """Where the user set one, a batch is given up when it is over."""
    lane = bench(*[REFUSED] * 100_000, batch=2)
    lane.lane._patience = type(lane.lane._patience)(20.0, 0.01)

    lane.emit(spans(2))

    assert lane.settled()["dropped"] == {"export_failed": 2}


def test_the_outbox_fills_up_meanwhile(bench: Callable[..., Bench]) -> None:
    """While the receiver hangs the newest records are kept, and every one that had to go is counted."""
    lane = bench(records=4, batch=1)
    lane.receiver.answering.clear()
    lane.emit(spans(1, "first"))
    assert lane.receiver.arrived.acquire(timeout=20)

    lane.emit(spans(10))

    book = lane.balance()
    assert (book["queued"], book["dropped"]) == (4 + 1, {"queue_full": 6})
    lane.receiver.answering.set()
    assert lane.settled()["delivered"] == 5
    assert lane.receiver.taken == ["first0", "s6", "s7", "s8", "s9"]


def test_valued_records_outlive_others(bench: Callable[..., Bench]) -> None:
    """Of a full outbox errors and LLM calls are dropped last."""
    lane = bench(records=2, batch=1)
    lane.receiver.answering.clear()
    lane.emit(spans(1, "first"))
    assert lane.receiver.arrived.acquire(timeout=20)

    lane.emit([parcel("error", valued=True), *spans(5)])
    lane.receiver.answering.set()

    assert lane.settled()["dropped"] == {"queue_full": 4}
    assert lane.receiver.taken == ["first0", "error", "s4"]


def test_pausing_drops_what_waits(bench: Callable[..., Bench]) -> None:
    """While telemetry is paused nothing is sent, and what waits is counted."""
    lane = bench()
    lane.paused = True

    lane.emit(spans(3))

    assert lane.settled()["dropped"] == {"paused": 3}
    assert lane.receiver.attempts == 0


def test_leaving_sends_what_waits(bench: Callable[..., Bench]) -> None:
    """The time to leave is used to send the rest."""
    lane = bench(batch=1)
    lane.receiver.answering.clear()
    lane.emit(spans(5))
    lane.receiver.answering.set()

    assert lane.close() is True
    assert lane.balance()["delivered"] == 5


def test_leaving_a_receiver_that_hangs(bench: Callable[..., Bench]) -> None:
    """What was underway is unconfirmed, what waited is dropped; and nothing is booked twice when the answer comes."""
    lane = bench(batch=2)
    lane.receiver.answering.clear()
    lane.emit(spans(2, "underway"))
    assert lane.receiver.arrived.acquire(timeout=20)
    lane.emit(spans(3))

    assert lane.close(0.05) is False

    book = lane.balance()
    assert (book["unconfirmed"], book["dropped"], book["queued"]) == (2, {"shutdown_deadline": 3}, 0)
    lane.receiver.answering.set()
    assert lane.balance()["delivered"] == 0


def test_leaving_a_receiver_that_was_never_there(bench: Callable[..., Bench]) -> None:
    """Nobody waits for a collector that refuses connections and never took anything."""
    lane = bench(*[REFUSED] * 100_000)
    lane.emit(spans(3))
    started = time.monotonic()

    assert lane.close(60.0) is False

    assert time.monotonic() - started < 30
    assert lane.balance()["dropped"] == {"shutdown_deadline": 3}


def test_after_leaving(bench: Callable[..., Bench]) -> None:
    """What comes after the end is counted."""
    lane = bench()
    lane.close(0.0)

    lane.emit(spans(2))

    assert lane.balance()["dropped"] == {"shutdown_deadline": 2}


def test_a_forked_child_starts_over(bench: Callable[..., Bench]) -> None:
    """What was underway is the parent's; the child sends its own."""
    lane = bench(batch=1)
    lane.receiver.answering.clear()
    lane.emit(spans(5, "parent"))
    assert lane.receiver.arrived.acquire(timeout=20)

    lane.books.reset_after_fork()
    lane.lane.after_fork()
    lane.receiver.answering.set()
    lane.emit(spans(1, "child"))

    assert lane.settled()["delivered"] == 1
    assert "child0" in lane.receiver.taken


outcomes = st.sampled_from([ACCEPTED, REFUSED, LATE, REJECTED, TOO_LARGE, Outcome("accepted", rejected=1)])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    script=st.lists(outcomes, max_size=25),
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6),
    batch=st.integers(1, 8),
    keeps_late=st.booleans(),
)
def test_the_books_agree_with_the_receiver(
    bench: Callable[..., Bench], script: list[Outcome], sizes: list[int], batch: int, *, keeps_late: bool
) -> None:
    """Whatever a receiver answers: what it holds lies between delivered and delivered + unconfirmed.

    A refusal within a request that it took counts as taken by the scripted receiver.
    """
    lane = bench(*script, batch=batch, records=1000, keeps_late=keeps_late)
    for number, size in enumerate(sizes):
        lane.emit(spans(size, f"{number}-"))

    book = lane.settled()
    distinct = len(set(lane.receiver.taken))
    took = book["delivered"] + book["dropped"].get("partial_rejected", 0)
    assert took <= distinct <= took + book["unconfirmed"]
    assert book["emitted"] == sum(sizes)
    assert book["queued"] == 0


def test_the_end_between_admitting_and_storing(bench: Callable[..., Bench], tmp_path: Path) -> None:
    """Records that were booked and not yet written when the end came are counted, in memory and with a spool."""
    for spooled in (False, True):
        lane = bench(*[REFUSED] * 100)
        if spooled:
            options = SpoolOptions(enabled=True, directory=str(tmp_path / "spool"), min_free=0).resolve({}, {}, {})
            spool = Spool(options, "tests", "otlp", "traces", lost=lane.account.lose)
            lane.lane._outbox = SpoolOutbox(lane.account, spool, lane.outbox, BatchLimits(10, 1000))

        def end_first(parcels: list, lane: Bench = lane) -> None:
            lane.close(0.0)
            lane.lane.store(parcels)

        lane.emit(spans(3), end_first)

        book = lane.balance()
        assert (book["dropped"], book["spooled"], book["queued"]) == ({"shutdown_deadline": 3}, 0, 0)


def test_leaving_a_receiver_that_asks_for_patience(bench: Callable[..., Bench]) -> None:
    """One that answers, though it took nothing yet, is worth the time to leave."""
    busy = Outcome("retry", message="HTTP 503", answered=True)
    lane = bench(busy, busy)
    lane.receiver.answering.clear()
    lane.emit(spans(3))
    lane.receiver.answering.set()

    assert lane.close() is True
    assert lane.balance()["delivered"] == 3
