"""The books: emitted = delivered + dropped + queued, always."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from aumos_otel.delivery.ledger import Account, Ledger


@pytest.fixture
def account() -> Account:
    """An empty account."""
    return Account("otlp", "traces", "http://collector:4318/v1/traces")


def balance(account: Account) -> dict[str, Any]:
    """The account as plain data; the sum must hold."""
    book = account.snapshot()
    assert book["emitted"] == book["delivered"] + sum(book["dropped"].values()) + book["queued"]
    return book


def test_a_record_is_queued_then_delivered(account: Account) -> None:
    """A record that was admitted is queued until its batch is settled."""
    assert account.admit(10)
    assert balance(account)["queued"] == 1

    account.begin(1)
    assert balance(account)["queued"] == 1

    account.settle(1, None)
    book = balance(account)
    assert (book["delivered"], book["queued"], book["state"]) == (1, 0, "ok")
    assert book["last_success"] is not None


def test_a_full_queue_refuses(account: Account) -> None:
    """More than there is room for is dropped and counted, and makes the account degraded or failing."""
    assert [account.admit(2) for _ in range(5)] == [True, True, False, False, False]

    book = balance(account)
    assert book["dropped"] == {"queue_full": 3}
    assert book["state"] == "failing"

    account.begin(2)
    account.settle(2, None)
    assert balance(account)["state"] == "degraded"


def test_a_batch_that_is_given_up(account: Account) -> None:
    """A failed batch is dropped; the error is kept."""
    account.emit(3)
    account.begin(3)
    account.settle(3, "connection refused")

    book = balance(account)
    assert book["dropped"] == {"export_failed": 3}
    assert book["last_error"] == "connection refused"
    assert book["last_success"] is None


@pytest.mark.parametrize("reason", ["paused", "shut_down"])
def test_what_somebody_asked_for_is_no_failure(reason: str, account: Account) -> None:
    """Records dropped in a pause or after the end are counted and do not degrade the state."""
    account.emit(2)
    account.drop(2, reason)

    assert balance(account)["dropped"] == {reason: 2}
    assert balance(account)["state"] == "ok"


def test_a_closed_account_refuses(account: Account) -> None:
    """After refuse() nothing is admitted."""
    account.refuse("shut_down")

    assert account.admit(10) is False
    assert balance(account)["dropped"] == {"shut_down": 1}


def test_a_signal_handler_may_look(account: Account) -> None:
    """The thread that holds the lock may ask for a snapshot: a signal handler runs on it."""
    with account._lock:
        assert balance(account)["emitted"] == 0


def test_a_forked_child_starts_over(account: Account) -> None:
    """After a fork the books are empty, also when the lock was held at the time."""
    account.admit(10)
    account.begin(1)
    account.settle(1, "broken")
    held = threading.Event()
    leave = threading.Event()

    def hold() -> None:
        with account._lock:
            held.set()
            leave.wait(10)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(10)

    account.reset_after_fork()

    book = balance(account)
    assert (book["emitted"], book["delivered"], book["dropped"], book["last_error"]) == (0, 0, {}, None)
    leave.set()
    holder.join()


def test_many_threads(account: Account) -> None:
    """The sum holds however many threads write."""

    def work() -> None:
        for _ in range(500):
            if account.admit(50):
                account.begin(1)
                account.settle(1, None)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        balance(account)
    for thread in threads:
        thread.join()

    assert balance(account)["emitted"] == 4000
    assert balance(account)["queued"] == 0


def test_the_ledger_has_every_account() -> None:
    """Accounts are told in the order in which they were opened."""
    ledger = Ledger()
    ledger.open("otlp", "traces", "http://a")
    ledger.open("otlp", "logs", "http://b")

    assert [(book["name"], book["signal"], book["endpoint"]) for book in ledger.snapshot()] == [
        ("otlp", "traces", "http://a"),
        ("otlp", "logs", "http://b"),
    ]
