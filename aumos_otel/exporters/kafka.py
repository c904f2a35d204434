"""Events to a Kafka topic: keyed by tenant, JSON, and in order.

The client is confluent-kafka (the extra ``kafka``).  It is loaded, and connects, with the first event:
a process without one has nothing of it, and prefork servers fork before there is a connection.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import time
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel.errors import MissingExtraError
from aumos_otel.exporters.outlet import LIMIT, Outlet
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import KafkaError, Producer

    from aumos_otel.config import KafkaOptions

_MODULE: Final = "confluent_kafka"
_SITE: Final = "exporters.kafka"

#: Seconds that the thread waits for reports of delivery in one go.
_PATIENCE: Final = 0.2

#: The user's properties are laid over these.
_PROPERTIES: Final[Mapping[str, Any]] = {
    "client.id": "aumos-otel",
    "enable.idempotence": True,  # an event that is sent again is there once, and in its place
    "linger.ms": 5,
    "log_level": 0,  # its log lines would go to stderr; errors come to `_failed`
    "queue.buffering.max.messages": LIMIT,
}


class KafkaTopic(Outlet):
    """Sends events to a topic.

    Args:
        options: resolved.

    Raises:
        MissingExtraError: the client is not installed.
    """

    def __init__(self, options: KafkaOptions) -> None:
        if importlib.util.find_spec(_MODULE) is None:
            raise MissingExtraError("slos.kafka", extra="kafka", module=_MODULE)
        self._options = options
        self._producer: Producer | None = None
        super().__init__(_SITE)

    def _hand_on(self, event: Mapping[str, Any]) -> None:
        if self._producer is None:
            self._producer = self._connected()
        try:
            self._producer.produce(
                self._options.topic,
                value=json.dumps(event, allow_nan=False).encode(),
                key=_key(event),
                on_delivery=self._report,
            )
        except BufferError:  # the client's own queue is full
            self._count(attributes.AUMOS_SLO_EVENT_DROPPED)

    def _connected(self) -> Producer:
        from confluent_kafka import Producer  # noqa: PLC0415 - an extra; loaded when there is an event

        fixed = {"bootstrap.servers": self._options.brokers, "error_cb": self._failed}
        return Producer({**_PROPERTIES, **self._options.properties, **fixed})

    def _between(self) -> float | None:
        """Take reports of delivery while some are due."""
        producer = self._producer
        if producer is None or not len(producer):
            return None
        producer.poll(_PATIENCE)
        return 0.0

    def _settle(self, timeout: float) -> bool:
        producer, deadline = self._producer, time.monotonic() + timeout
        return producer is None or producer.flush(max(0.0, deadline - time.monotonic())) == 0

    def _close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()  # else its end would wait for what is left
            producer.poll(0)

    def _report(self, error: KafkaError | None, _message: object) -> None:
        if error is None:
            self._count(attributes.AUMOS_SLO_EVENT_DELIVERED)
        elif self._closed and "_PURGE" in error.name():
            self._count(attributes.AUMOS_SLO_EVENT_DROPPED)
        else:
            self._count(attributes.AUMOS_SLO_EVENT_FAILED)
            self._failed(error)

    @staticmethod
    def _failed(error: KafkaError) -> None:
        guard.notice(_SITE, f"Kafka: {error.str()}")

    def _after_fork(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:  # its threads are not here: to end it would wait for them in vain
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))
        super()._after_fork()


def _key(event: Mapping[str, Any]) -> str:
    """The tenant, whose events stay in order; else the service, for the same reason."""
    return str(event["tenant_id"] or event["service_name"])
