"""Events to Kafka, as far as it can be seen without a broker; tests/e2e/test_slo_events.py has one."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from aumos_otel import guard
from aumos_otel.config.objectives import KafkaOptions
from aumos_otel.errors import MissingExtraError
from aumos_otel.exporters import kafka
from aumos_otel.exporters.kafka import KafkaTopic

PATIENCE = 10.0
EVENT = {"event_type": "slo_status_changed", "tenant_id": "acme", "service_name": "chat-api", "slow_burn_rate": None}


def topic(brokers: str, **properties: object) -> KafkaTopic:
    """A topic behind brokers."""
    return KafkaTopic(KafkaOptions(brokers=brokers, properties=properties).resolve({}, {}, {}))


def books(of: KafkaTopic) -> dict[str, int]:
    """What became of events, without what became of none."""
    return {what: count for what, count in of.counts().items() if count}


def running() -> bool:
    """Whether a topic's thread runs."""
    return "aumos-otel-kafka" in [thread.name for thread in threading.enumerate()]


def wait_for_end() -> None:
    """Wait until the thread of a topic has ended."""
    deadline = time.monotonic() + PATIENCE
    while running() and time.monotonic() < deadline:
        threading.Event().wait(0.01)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"127.0.0.1:{server.getsockname()[1]}"


@pytest.fixture
def closed() -> str:
    """An address at which nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"127.0.0.1:{server.getsockname()[1]}"


def test_the_extra_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked for without its client, the topic is refused with the command that installs it."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)

    with pytest.raises(MissingExtraError, match=r"slos.kafka: .*pip install 'aumos-otel\[kafka\]'"):
        topic("127.0.0.1:9092")


def test_the_client_is_loaded_with_the_first_event() -> None:
    """Making the topic loads nothing of the client."""
    code = """
import sys
from aumos_otel.config.objectives import KafkaOptions
from aumos_otel.exporters.kafka import KafkaTopic
KafkaTopic(KafkaOptions(brokers="127.0.0.1:9").resolve({}, {}, {}))
print("confluent_kafka" in sys.modules)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    assert run.stdout == "False\n"


@pytest.mark.parametrize("kind", ["silent", "closed"])
def test_without_a_broker_nobody_waits(
    kind: str, request: pytest.FixtureRequest, capfd: pytest.CaptureFixture, caplog: pytest.LogCaptureFixture
) -> None:
    """Putting is immediate, leaving keeps its deadline, what did not arrive is counted, stderr stays clean."""
    where = topic(request.getfixturevalue(kind))
    with caplog.at_level(logging.WARNING):
        began = time.monotonic()
        for _ in range(20):
            where.put(EVENT)
        assert not where.flush(0.1)
        assert not where.shutdown(0.2)
        took = time.monotonic() - began

    assert took < PATIENCE / 2
    assert books(where) == {"dropped": 20}
    assert capfd.readouterr() == ("", "")
    assert len([record for record in caplog.records if "Kafka" in record.message]) <= 1


def test_a_wrong_property_costs_the_event(silent: str) -> None:
    """What the client refuses is counted as a failure; nothing is raised."""
    before = guard.swallowed().get("exporters.kafka", 0)
    where = topic(silent, **{"no.such.property": 1})
    where.put(EVENT)

    assert where.flush(PATIENCE)
    assert books(where) == {"failed": 1}
    assert guard.swallowed()["exporters.kafka"] == before + 1
    assert where.shutdown(PATIENCE)


def test_more_than_the_clients_queue_holds(silent: str) -> None:
    """Events beyond what the client queues are dropped and counted."""
    where = topic(silent, **{"queue.buffering.max.messages": 5})
    for _ in range(8):
        where.put(EVENT)
    assert not where.flush(1.0)

    assert books(where) == {"dropped": 3}
    where.shutdown(0.1)
    assert books(where) == {"dropped": 8}


def test_an_event_that_is_no_json(silent: str) -> None:
    """A value that JSON does not know is a failure of that event alone."""
    where = topic(silent)
    where.put({**EVENT, "slow_burn_rate": float("nan")})
    where.put({**EVENT, "slow_burn_rate": object()})
    where.flush(PATIENCE)

    assert books(where) == {"failed": 2}
    where.shutdown(PATIENCE)


@pytest.mark.parametrize(
    ("event", "key"),
    [(EVENT, "acme"), ({**EVENT, "tenant_id": ""}, "chat-api")],
)
def test_the_key(event: dict[str, object], key: str) -> None:
    """The tenant is the key; without one the service is, so that an objective's events stay in order."""
    assert kafka._key(event) == key


FORK = """
import os, sys, time, threading
from aumos_otel.config.objectives import KafkaOptions
from aumos_otel.exporters.kafka import KafkaTopic
event = {"tenant_id": "acme", "service_name": "chat-api"}
where = KafkaTopic(KafkaOptions(brokers=sys.argv[1]).resolve({}, {}, {}))
where.put(event)
where.flush(0.3)
child = os.fork()
if child == 0:
    began = time.monotonic()
    where.put(event)
    where.put(event)
    where.flush(0.2)
    where.shutdown(0.2)
    print(where.counts(), where._producer is None, flush=True)
    sys.exit(0)  # the interpreter ends in full: what it finalizes must not wait for the parent's threads
began = time.monotonic()
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), time.monotonic() - began < 3, flush=True)
where.shutdown(0.1)
print(where.counts())
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the platform has no fork")
def test_a_forked_child_connects_anew(silent: str, unmeasured: None) -> None:
    """A child has a client of its own, leaves the parent's alone, and ends as quickly as without."""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", FORK, silent], capture_output=True, text=True, check=True, timeout=60
    )

    assert run.stdout.splitlines() == [
        "{'delivered': 0, 'dropped': 2, 'failed': 0} True",
        "0 True",
        "{'delivered': 0, 'dropped': 1, 'failed': 0}",
    ]


def test_an_end_while_the_client_loads(silent: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that is ready only after the end is let go; its event is dropped."""
    where, ready = topic(silent), threading.Event()
    connected = where._connected

    def late() -> object:
        ready.wait(PATIENCE)
        return connected()

    monkeypatch.setattr(where, "_connected", late)
    where.put(EVENT)
    assert not where.shutdown(0.1)
    ready.set()
    wait_for_end()

    assert books(where) == {"dropped": 1}
    assert where._producer is None


def test_threads_end(silent: str) -> None:
    """After the end no thread of ours is left, whatever the broker does."""
    where = topic(silent)
    where.put(EVENT)
    where.flush(0.1)
    where.shutdown(0.1)
    wait_for_end()
    assert not running()
