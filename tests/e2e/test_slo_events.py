"""Events about objectives, in a real Kafka."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer

from aumos_otel.config.objectives import KafkaOptions
from aumos_otel.exporters.kafka import KafkaTopic
from aumos_otel.slo import policy
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Objective
from aumos_otel.slo_watch import Watch

pytestmark = pytest.mark.e2e

#: Seconds for a broker that has just started to make a topic.
PATIENCE = 60.0


@pytest.fixture(scope="module")
def brokers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a running Kafka."""
    from servers.backends import Kafka

    with Kafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap


def consumed(brokers: str, topic: str, number: int) -> list[Any]:
    """The first so many messages of a topic."""
    consumer = Consumer({"bootstrap.servers": brokers, "group.id": "tests", "auto.offset.reset": "earliest"})
    found, deadline = [], time.monotonic() + PATIENCE
    try:
        consumer.subscribe([topic])
        while len(found) < number and time.monotonic() < deadline:
            message = consumer.poll(0.5)
            if message is not None and message.error() is None:
                found.append(message)
    finally:
        consumer.close()
    return found


@pytest.mark.timeout(240)
def test_events_arrive_by_tenant_and_in_order(brokers: str) -> None:
    """Each event is there once, as JSON, keyed by its tenant, in order, and confirmed in the books."""
    where = KafkaTopic(KafkaOptions(brokers=brokers).resolve({}, {}, {}))
    events = [
        {"event_type": "slo_status_changed", "tenant_id": tenant, "service_name": "shop", "number": number}
        for number in range(10)
        for tenant in ("acme", "globex", "")
    ]
    for event in events:
        where.put(event)

    assert where.flush(PATIENCE)
    assert where.counts() == {"delivered": 30, "dropped": 0, "failed": 0}
    assert where.shutdown(PATIENCE)
    found = [
        (message.key().decode(), json.loads(message.value()))
        for message in consumed(brokers, "aumos.observability.events", 30)
    ]
    for tenant, key in (("acme", "acme"), ("globex", "globex"), ("", "shop")):
        assert [event for by, event in found if by == key] == [
            event for event in events if event["tenant_id"] == tenant
        ]


@pytest.mark.timeout(240)
def test_what_the_broker_refuses_has_failed(brokers: str) -> None:
    """An event for a topic that cannot be is a failure in the books, and leaving does not wait for it."""
    where = KafkaTopic(KafkaOptions(brokers=brokers, topic="no/such topic").resolve({}, {}, {}))
    where.put({"tenant_id": "acme", "service_name": "shop"})

    assert where.flush(PATIENCE)
    assert where.counts() == {"delivered": 0, "dropped": 0, "failed": 1}
    assert where.shutdown(PATIENCE)


@pytest.mark.timeout(240)
def test_events_wait_for_a_broker_that_is_away(tmp_path: Path) -> None:
    """What is told while there is no broker arrives once there is one."""
    from servers.backends import Kafka

    kafka = Kafka(tmp_path)
    where = KafkaTopic(KafkaOptions(brokers=kafka.bootstrap).resolve({}, {}, {}))
    where.put({"tenant_id": "acme", "service_name": "shop"})
    assert not where.flush(0.5)
    with kafka:
        assert where.flush(PATIENCE)
        assert where.counts() == {"delivered": 1, "dropped": 0, "failed": 0}
        assert where.shutdown(PATIENCE)


@pytest.mark.timeout(240)
def test_a_fault_reaches_the_topic(brokers: str) -> None:
    """From counters that go bad to a consumer: the change of state is on the topic, keyed by its tenant."""
    where = KafkaTopic(KafkaOptions(brokers=brokers, topic="faults").resolve({}, {}, {}))
    objective = Objective(
        service="shop",
        name="checkout-works",
        target=Decimal("0.99"),
        indicator=Counted("checkout"),
        policy=policy.parse("page: 1s>=2 & 2s>=2"),
        labels={"aumos_tenant_id": "acme"},
    )
    watch = Watch([objective], lambda: {"checkout": (10, 0)}, find=lambda name: None, outlets=[where])
    watch.start()
    try:
        (message,) = consumed(brokers, "faults", 1)
    finally:
        watch.stop()
        where.shutdown(PATIENCE)

    event = json.loads(message.value())
    assert message.key() == b"acme"
    assert (event["slo_id"], event["previous_status"], event["new_status"]) == (
        "shop/checkout-works",
        "unknown",
        "critical",
    )
    assert event["fast_burn_rate"] == pytest.approx(100)
