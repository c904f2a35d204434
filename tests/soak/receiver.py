"""The receiver of the soak: it fails as the nemesis says, and counts what it answered to whom."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

from soak.producer import COUNTER, SENDER

from aumos_otel.testing import OTLPSink, Reply, records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from aumos_otel.testing.request import Request

#: Seconds after which the sender of a request may not have waited for the answer.
PROMPT = 1.0

#: What some requests, or all, are answered in each mood: the share, and the answers to draw from.
MOODS: dict[str, tuple[float, tuple[Reply, ...]]] = {
    "refuse": (0.7, (Reply(503),)),
    "throttle": (1.0, (Reply(429, retry_after=2),)),
    "slow": (1.0, (Reply(delay=1.0),)),
    "reset": (0.5, (Reply(reset="unread"), Reply(reset="read"), Reply(reset="midway"))),
    "ambiguous": (
        0.4,
        (
            Reply(answers=False, keeps=True),
            Reply(reset="read", keeps=True),
            Reply(503, keeps=True),
            Reply(reset="midway", keeps=True),
        ),
    ),
}


class Receiver:
    """An `OTLPSink` with moods.

    Args:
        seed: the same seed draws the same answers, in the order of the requests.
        protocol: ``http/protobuf``, ``http/json`` or ``grpc``.

    Attributes:
        answered: records that were taken with a prompt answer, by sender and signal.
        uncertain: records that were taken, but whose sender may not know.
        units: the highest value of the load's counter, by service instance.
    """

    def __init__(self, seed: int, protocol: str) -> None:
        self.sink = OTLPSink(
            protocol="grpc" if protocol == "grpc" else "http",
            script=self._decide,
            light=True,
        )
        self.answered: Counter[tuple[str, str]] = Counter()
        self.uncertain: Counter[tuple[str, str]] = Counter()
        self.units: dict[str, int] = {}
        self._chance = random.Random(seed)
        self._mood = ""
        self._lock = threading.Lock()

    @contextmanager
    def fault(self, kind: str) -> Iterator[None]:
        """Fail in one way for as long as the block lasts."""
        if kind == "kill":
            self.sink.stop()
        elif kind == "hang":
            self.sink.hold()
        else:
            self._mood = kind
        try:
            yield
        finally:
            if kind == "kill":
                self.sink.start()
            elif kind == "hang":
                self.sink.release()
            self._mood = ""

    def _decide(self, request: Request) -> Reply:
        with self._lock:
            share, replies = MOODS.get(self._mood, (0.0, ()))
            reply = self._chance.choice(replies) if replies and self._chance.random() < share else Reply()
        if reply.takes and reply.reset != "unread":
            try:
                body = request.body
            except Exception:  # noqa: BLE001 - cut off, in whatever way; the sink refuses it
                return reply
            prompt = reply.accepts and reply.answers and not reply.reset and not reply.delay
            self._count(request, body, prompt=prompt and time.monotonic() - request.at < PROMPT)
        return reply

    def _count(self, request: Request, body: object, *, prompt: bool) -> None:
        count = sum(len(found) for _, found in records.lists(body))
        with self._lock:
            column = self.answered if prompt else self.uncertain
            column[request.headers.get(SENDER, ""), request.signal] += count
            if request.signal == "metrics":
                self._note_units(body)

    def _note_units(self, body: object) -> None:
        for origin, scope in records.scopes(body):
            instance = records.attributes(origin)["service.instance.id"]
            for metric in scope.metrics:
                if metric.name == COUNTER:
                    values = (point.as_int for point in metric.sum.data_points)
                    self.units[instance] = max(self.units.get(instance, 0), *values)
