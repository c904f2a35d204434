"""How a receiver answers one request: well, late, wrongly or not at all."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from aumos_otel.testing.request import Request

#: Decides how a request is answered; None means: as usual.
Script = Callable[["Request"], "Reply | None"]

#: Hundreds of an HTTP status that says yes.
_SUCCESS = 2
_GRPC_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "UNIMPLEMENTED",
    408: "DEADLINE_EXCEEDED",
    413: "RESOURCE_EXHAUSTED",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "UNAVAILABLE",
}


@dataclass(frozen=True, slots=True)
class Reply:
    """The answer to one request; the default takes it.

    Attributes:
        status: HTTP status.
        code: name of the gRPC status, e.g. ``"DATA_LOSS"``; empty means the one that matches ``status``.
        message: what the answer says to a person: of a refusal, or of ``rejected``.
        retry_after: seconds until the sender may come again, as ``Retry-After`` or ``RetryInfo``; over
            HTTP also any other text, such as a date.
        rejected: records of the request that ``partial_success`` refuses: the first ones, at most all.
        headers: more HTTP headers, e.g. ``{"Location": "/elsewhere"}``.
        body: HTTP body instead of the message that OTLP prescribes.
        delay: seconds from the request to the answer.
        drip: seconds between two bytes of the answer, headers included; HTTP only.
        reset: resets the connection instead of answering: before the body of the request is ``unread``,
            after it is ``read``, or ``midway`` through the answer.  Over gRPC the call is cancelled,
            midway is the same as read.
        answers: False leaves the sender waiting until it gives up or the sink stops.
        keeps: whether the records are kept; None keeps those of a 2xx that is answered.
            ``Reply(answers=False, keeps=True)`` is the case in which the sender cannot know.
        closes: closes the connection after the answer; HTTP only.
    """

    status: int = 200
    code: str = ""
    message: str = ""
    retry_after: float | str | None = None
    rejected: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    delay: float = 0.0
    drip: float = 0.0
    reset: Literal["", "unread", "read", "midway"] = ""
    answers: bool = True
    keeps: bool | None = None
    closes: bool = False

    @property
    def accepts(self) -> bool:
        """Whether the answer says that the request was taken."""
        return self.status // 100 == _SUCCESS and self.code in {"", "OK"}

    @property
    def takes(self) -> bool:
        """Whether the records of the request are kept."""
        return (self.accepts and self.answers and not self.reset) if self.keeps is None else self.keeps

    @property
    def grpc_name(self) -> str:
        """The name of the gRPC status."""
        return self.code or _GRPC_NAMES.get(self.status, "OK" if self.accepts else "UNKNOWN")


def refuse(share: float, *, seed: int = 0, reply: Reply | None = None) -> Script:
    """A script that answers a random share of all requests with ``reply``, HTTP 503 if not given.

    Args:
        share: from 0 (none) to 1 (all).
        seed: the same seed refuses the same requests, counted in the order of their arrival.
        reply: the answer to those.

    >>> from aumos_otel.testing import OTLPSink, Reply, refuse
    >>> sink = OTLPSink(script=refuse(0.7, reply=Reply(429, retry_after=1)))
    """
    chance, lock, refusal = random.Random(seed), threading.Lock(), reply or Reply(503)  # noqa: S311 - replayable

    def decide(_request: Request) -> Reply | None:
        with lock:
            return refusal if chance.random() < share else None

    return decide
