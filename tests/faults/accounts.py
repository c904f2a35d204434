"""What a fault test compares: what the books say, and what the receiver has."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from opentelemetry import trace
from servers.work import eventually

from aumos_otel.pipeline import Telemetry
from aumos_otel.testing import OTLPSink


def book(telemetry: Telemetry, signal: str = "traces", name: str = "otlp") -> Mapping[str, Any]:
    """The books of a signal and destination, which add up."""
    (found,) = [
        account
        for account in telemetry.status().to_dict()["destinations"]
        if (account["signal"], account["name"]) == (signal, name)
    ]
    balance(found)
    return found


def balance(account: Mapping[str, Any]) -> None:
    """Every record that was emitted is in one column."""
    columns = ("delivered", "unconfirmed", "spooled", "queued")
    assert account["emitted"] == sum(account[column] for column in columns) + lost(account), account


def lost(account: Mapping[str, Any]) -> int:
    """Records that were dropped, for whatever reason."""
    return sum(account["dropped"].values())


def agree(account: Mapping[str, Any], sink: OTLPSink) -> None:
    """What the sink has is what was delivered; of what is unconfirmed nobody knows."""
    balance(account)
    distinct = sink.tally(account["signal"]).distinct
    assert account["delivered"] <= distinct <= account["delivered"] + account["unconfirmed"], account


def work(count: int, name: str = "work") -> None:
    """Emit so many spans."""
    tracer = trace.get_tracer("tests")
    for _ in range(count):
        tracer.start_span(name).end()


def settled(telemetry: Telemetry, holds: Callable[[Mapping[str, Any]], object], **which: str) -> Mapping[str, Any]:
    """Wait until the books say what is expected; returns them."""
    eventually(lambda: holds(book(telemetry, **which)))
    return book(telemetry, **which)
