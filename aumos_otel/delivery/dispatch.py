"""Everything between a provider and the receivers of one signal: intake, preparation, lanes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Generic, TypeVar

from aumos_otel.delivery.intake import Intake
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.delivery.foreign import ExporterPreparation
    from aumos_otel.delivery.intake import IntakeLimits
    from aumos_otel.delivery.ledger import Books
    from aumos_otel.delivery.preparation import Exit, Preparation

T = TypeVar("T")


class Dispatch(Generic[T]):
    """The delivery of one signal.

    Args:
        books: of the signal.
        exits: its destinations.
        preparation: what turns finished records into parcels for the lanes.
        limits: of the intake.
        budget: seconds that `close` may take when nobody said otherwise.
    """

    def __init__(
        self,
        books: Books,
        exits: Sequence[Exit],
        preparation: Preparation[T] | ExporterPreparation[T],
        limits: IntakeLimits,
        budget: float,
    ) -> None:
        self.books = books
        self.preparation = preparation
        self.intake: Intake[T] = Intake(books, preparation, limits)
        self.lanes = [exit_.lane for exit_ in exits]
        self._budget = budget
        self._end: float | None = None
        self.closed = False
        #: Whether `close` left nothing behind.
        self.all_sent = True

    def start(self) -> None:
        """Begin to send what ended processes left in the spools."""
        for lane in self.lanes:
            lane.start()

    def flush(self, deadline: float) -> bool:
        """Send what has been handed over; False when ``deadline`` (monotonic seconds) came first."""
        if not self.intake.sync(deadline):
            return False
        waited = [lane.flush(deadline) for lane in self.lanes]
        return all(waited)

    def leave_by(self, deadline: float) -> None:
        """Set when `close` has to be done, in monotonic seconds."""
        self._end = deadline

    def close(self) -> None:
        """Send what is left within the time to leave; what is not sent by then is written down.  Once."""
        if self.closed:
            return
        self.closed = True
        deadline = time.monotonic() + self._budget if self._end is None else self._end
        self.intake.refuse(attributes.AUMOS_OTEL_REASON_ALREADY_SHUTDOWN)
        self.intake.sync(deadline)
        self.intake.abandon()
        for lane in self.lanes:
            lane.hurry(deadline)
        sent = [lane.close(deadline) for lane in self.lanes]
        self.all_sent = all(sent)
        self.preparation.close()

    def after_fork(self) -> None:
        """In a forked child: begin with empty books; what was closed stays so."""
        self.books.reset_after_fork()
        self.intake.after_fork()
        for lane in self.lanes:
            lane.after_fork()
