"""The books: emitted = delivered + dropped + unconfirmed + spooled + queued, always."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aumos_otel.delivery.ledger import Account, Books, Ledger
from aumos_otel.delivery.outcome import Outcome


@pytest.fixture
def ledger() -> Ledger:
    """Empty books."""
    return Ledger()


@pytest.fixture
def books(ledger: Ledger) -> Books:
    """The books of the traces."""
    return ledger.open("traces")


@pytest.fixture
def account(books: Books) -> Account:
    """An account in them."""
    return books.open("otlp", "http://collector:4318/v1/traces")


def balance(account: Account) -> dict[str, Any]:
    """The account as plain data; the sum must hold."""
    book = account.snapshot()
    settled = book["delivered"] + sum(book["dropped"].values()) + book["unconfirmed"]
    assert book["emitted"] == settled + book["spooled"] + book["queued"]
    return book


def queue(books: Books, count: int) -> None:
    """Records are handed over, prepared, and queued for every account."""
    with books.lock:
        books.emitted += count
        for account in books.accounts:
            account.queued += count


def test_a_record_waits_then_is_queued_then_delivered(books: Books, account: Account) -> None:
    """A record counts as queued from the moment it is handed over until it is settled."""
    with books.lock:
        books.emitted += 1
        books.waiting += 1
    assert balance(account)["queued"] == 1

    with books.lock:
        books.waiting -= 1
        account.queued += 1
    assert balance(account)["queued"] == 1

    account.settle(1, Outcome("accepted"))
    book = balance(account)
    assert (book["delivered"], book["queued"], book["state"]) == (1, 0, "ok")
    assert book["last_success"] is not None


def test_what_a_receiver_took_in_part(books: Books, account: Account) -> None:
    """The records that partial_success refuses are dropped, and make the account degraded."""
    queue(books, 10)

    account.settle(10, Outcome("accepted", rejected=7, message="quota"))

    book = balance(account)
    assert (book["delivered"], book["dropped"], book["state"]) == (3, {"partial_rejected": 7}, "degraded")
    assert book["last_error"] == "quota"


def test_a_receiver_that_refuses_more_than_it_got(books: Books, account: Account) -> None:
    """A nonsensical partial_success does not make the numbers negative."""
    queue(books, 2)

    account.settle(2, Outcome("accepted", rejected=100))

    assert balance(account)["dropped"] == {"partial_rejected": 2}


def test_a_batch_that_is_given_up(books: Books, account: Account) -> None:
    """A batch that was refused is dropped with a reason; one that may have arrived is unconfirmed."""
    queue(books, 5)

    account.give_up(3, "export_failed", "HTTP 400")
    account.give_up(2, None, "time-out")

    book = balance(account)
    assert (book["dropped"], book["unconfirmed"], book["state"]) == ({"export_failed": 3}, 2, "failing")
    assert book["last_error"] == "time-out"


def test_a_refusal_counts_for_every_destination(books: Books) -> None:
    """What is dropped before its destinations are known is missing at each of them."""
    first, second = books.open("a", "a"), books.open("b", "b")

    books.refuse(3, "queue_full")

    assert [balance(each)["dropped"] for each in (first, second)] == [{"queue_full": 3}] * 2


@pytest.mark.parametrize("reason", ["sampled", "filtered", "paused", "already_shutdown"])
def test_what_was_wished_for_degrades_nothing(books: Books, account: Account, reason: str) -> None:
    """Records that somebody asked not to send do not spoil the state."""
    books.refuse(3, reason)

    assert balance(account)["state"] == "ok"


def test_an_adopted_record_counts_as_emitted(books: Books, account: Account) -> None:
    """What is taken over from an ended process is in the sum."""
    with books.lock:
        account.adopted += 4
        account.spooled += 4
    assert balance(account)["emitted"] == 4

    account.settle(4, Outcome("accepted"), spooled=True)
    assert balance(account)["delivered"] == 4


def test_a_retry_shows(books: Books, account: Account) -> None:
    """While an account tries again its state says so, until the next success."""
    queue(books, 1)
    account.retry("connection refused")
    assert (balance(account)["state"], balance(account)["retries"]) == ("retrying", 1)

    account.settle(1, Outcome("accepted"))
    assert balance(account)["state"] == "ok"


def test_waiting_for_what_was_emitted(books: Books, account: Account) -> None:
    """A flush ends when everything that was emitted before it is settled, or at its deadline."""
    queue(books, 2)
    assert not account.wait(time.monotonic() + 0.01)

    thread = threading.Thread(target=account.settle, args=(2, Outcome("accepted")))
    thread.start()

    assert account.wait(time.monotonic() + 10)
    thread.join()


def test_the_sum_holds_at_every_moment(books: Books, account: Account) -> None:
    """Threads write while another one reads: each snapshot adds up."""
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            queue(books, 3)
            account.settle(2, Outcome("accepted", rejected=1))
            account.give_up(1, "export_failed")
            books.refuse(1, "queue_full")

    threads = [threading.Thread(target=write) for _ in range(3)]
    for thread in threads:
        thread.start()
    for _ in range(2000):
        balance(account)
    stop.set()
    for thread in threads:
        thread.join()
    assert balance(account)["emitted"] > 0


def test_what_is_skipped_without_the_lock(books: Books, account: Account) -> None:
    """Threads count unsampled records without a lock while others look: none is missing, none counted twice."""
    looked: list[int] = []

    def write() -> None:
        for _ in range(20_000):
            books.skip()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        looked.append(balance(account)["dropped"].get("sampled", 0))
    for thread in threads:
        thread.join()

    assert looked == sorted(looked)
    assert balance(account)["dropped"] == {"sampled": 80_000}
    assert balance(account)["dropped"] == {"sampled": 80_000}


def test_a_flush_knows_what_came_without_the_lock(books: Books, account: Account) -> None:
    """What its sources have counted by themselves is part of what a flush waits for."""
    books.sources.append(lambda: queue(books, 1) if not books.emitted else None)

    assert not account.wait(time.monotonic() + 0.01)

    assert balance(account)["queued"] == 1


def test_looking_within_a_look(books: Books, account: Account) -> None:
    """A signal handler that looks while its thread counts gets numbers that add up, and nothing counts twice."""
    inner: list[dict[str, Any]] = []
    books.sources.append(lambda: inner.append(balance(account)) if not inner else None)
    books.skip()

    assert balance(account)["dropped"] == {"sampled": 1}
    assert inner[0]["dropped"] == {"sampled": 1}


def test_the_lock_is_reentrant(books: Books, account: Account) -> None:
    """A signal handler that emits while its thread is writing does not hang."""
    with books.lock:
        books.refuse(1, "queue_full")

    assert balance(account)["emitted"] == 1


def test_a_forked_child_starts_over(ledger: Ledger, books: Books, account: Account) -> None:
    """The books of a child are empty, and their lock is free whoever held it."""
    queue(books, 5)
    books.skip()
    account.retry("refused")
    books.lock.acquire()

    ledger.reset_after_fork()

    assert balance(account)["emitted"] == 0
    result: list[bool] = []
    thread = threading.Thread(target=lambda: result.append(books.lock.acquire(timeout=5)))
    thread.start()
    thread.join()
    assert result == [True]


def test_loss(ledger: Ledger, books: Books, account: Account) -> None:
    """Lost is what nobody wished to lose, the unconfirmed too."""
    queue(books, 6)
    account.give_up(2, "export_failed")
    account.give_up(1, None)
    books.refuse(4, "sampled")

    assert ledger.lost() == 3


def test_the_books_as_metrics(ledger: Ledger, books: Books, account: Account) -> None:
    """Every column is exported: the settled ones by outcome and reason, the waiting ones as gauges."""
    reader = InMemoryMetricReader()
    provider = MeterProvider(metric_readers=[reader], shutdown_on_exit=False)
    ledger.observe(provider)
    queue(books, 10)
    account.settle(4, Outcome("accepted"))
    account.give_up(3, "export_failed")
    account.give_up(1, None)

    points = {
        (metric.name, point.attributes.get("aumos.otel.outcome"), point.attributes.get("aumos.otel.reason")): point
        for scope in reader.get_metrics_data().resource_metrics[0].scope_metrics
        for metric in scope.metrics
        for point in metric.data.data_points
    }
    provider.shutdown()

    values = {key: point.value for key, point in points.items()}
    assert values[("aumos.otel.records", "emitted", None)] == 10
    assert values[("aumos.otel.records", "delivered", None)] == 4
    assert values[("aumos.otel.records", "dropped", "export_failed")] == 3
    assert values[("aumos.otel.records", "unconfirmed", None)] == 1
    assert values[("aumos.otel.queue.records", None, None)] == 2
    assert values[("aumos.otel.spool.records", None, None)] == 0
    assert {point.attributes["aumos.otel.destination"] for point in points.values()} == {"otlp"}
