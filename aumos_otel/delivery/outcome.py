"""What a receiver answered to one request, and what a transport is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one request.

    Attributes:
        kind: ``accepted`` (2xx or grpc OK), ``rejected`` (will be refused again), ``too_large`` (may be
            taken in smaller pieces) or ``retry`` (may be taken later).
        rejected: records that an accepted request's ``partial_success`` says were refused.
        message: one line for a person, e.g. ``HTTP 503 Service Unavailable``; empty when all is well.
        retry_after: seconds that the receiver asked us to wait.
        answered: somebody is there, who wants it later.
        ambiguous: nothing was answered, but the receiver may have taken the request.
    """

    kind: Literal["accepted", "rejected", "too_large", "retry"]
    rejected: int = 0
    message: str = ""
    retry_after: float | None = None
    ambiguous: bool = False
    answered: bool = False


class Transport(Protocol):
    """One signal's way to one receiver.  Used by one thread; connects on first use; never raises."""

    def send(self, body: bytes, deadline: float) -> Outcome:
        """Send one request.

        Args:
            body: the serialized ``Export…ServiceRequest``, not compressed.
            deadline: `time.monotonic` seconds at which the attempt ends, whatever the receiver does.
        """

    def close(self) -> None:
        """Close the connection; the next `send` opens another.  Called from any thread, also after a fork."""
