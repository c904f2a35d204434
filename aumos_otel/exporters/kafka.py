"""Events to a Kafka topic: keyed by tenant, JSON, and in order.

The client is confluent-kafka (the extra ``kafka``).  It is loaded, and connects, with the first event:
a process without one has nothing of it, and prefork servers fork before there is a connection.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel.errors import MissingExtraError
from aumos_otel.exporters.outlet import LIMIT, Outlet
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from confluent_kafka import KafkaError, Producer

    from aumos_otel.config.objectives import KafkaOptions

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
        self._awaited = 0
        self._ended = False
        super().__init__(_SITE)

    def _hand_on(self, event: Mapping[str, Any]) -> None:
        key, value = _key(event), json.dumps(event, allow_nan=False).encode()
        producer = self._producer or self._connected()
        if not self._expect(producer):
            return
        try:
            producer.produce(self._options.topic, value=value, key=key, on_delivery=self._report)
        except BaseException as error:
            self._answered()
            if not isinstance(error, BufferError):
                raise
            self._count(attributes.AUMOS_SLO_EVENT_DROPPED)  # the client's own queue is full

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
        producer = self._producer
        return producer is None or producer.flush(timeout) == 0

    def _close(self, timeout: float) -> None:
        with self._lock:
            self._ended = True
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()  # what is left comes back as not delivered, and the client ends without it
            producer.flush(timeout)
        with self._lock:
            lost, self._awaited = self._awaited, 0
        self._count(attributes.AUMOS_SLO_EVENT_DROPPED, lost)

    def _expect(self, producer: Producer) -> bool:
        """Expect one more report; False after the end, which may come while the client is being loaded."""
        with self._lock:
            if not self._ended:
                self._producer = producer
                self._awaited += 1
                return True
        self._count(attributes.AUMOS_SLO_EVENT_DROPPED)
        return False

    def _answered(self) -> bool:
        """Expect one report less; False when there is none to expect, because the books are closed."""
        with self._lock:
            expected = self._awaited > 0
            self._awaited -= expected
            return expected

    def _report(self, error: KafkaError | None, _message: object) -> None:
        if not self._answered():
            return
        if error is None:
            self._count(attributes.AUMOS_SLO_EVENT_DELIVERED)
        elif self._ended:
            self._count(attributes.AUMOS_SLO_EVENT_DROPPED)
        else:
            self._count(attributes.AUMOS_SLO_EVENT_FAILED)
            self._failed(error)

    @staticmethod
    def _failed(error: KafkaError) -> None:
        guard.notice(_SITE, f"Kafka: {error.str()}")

    def _after_fork(self) -> None:
        producer, self._producer, self._awaited = self._producer, None, 0
        if producer is not None:  # its threads are not here: to end it would wait for them in vain
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(producer))
        super()._after_fork()


def _key(event: Mapping[str, Any]) -> str:
    """The tenant, whose events stay in order; else the service, for the same reason."""
    return str(event["tenant_id"] or event["service_name"])
