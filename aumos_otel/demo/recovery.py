"""The last act of the demo: an objective burns after the broken requests, and recovers with sound ones."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.instrumentation.utils import suppress_instrumentation

from aumos_otel.demo import drive
from aumos_otel.demo.process import DemoError
from aumos_otel.local.objectives import Objectives
from aumos_otel.slo import quantity

if TYPE_CHECKING:
    from aumos_otel.local import Store
    from aumos_otel.local.objectives import Standing
    from aumos_otel.slo.status import Evaluation

#: The objective that the broken requests are bad for, see slo.yaml.
_KEY: Final = "chat-api/chat-available"
#: Seconds that the last metrics may take to arrive, and that recovering may take.
_ARRIVAL: Final = 5.0
_PATIENCE: Final = 60.0
_LOOK: Final = 0.05
#: Seconds between two rounds of sound requests: some traffic in each of the short windows.
_PAUSE: Final = 0.4
#: Requests in a round.
_BATCH: Final = 6
_BURNING: Final = "critical"


@dataclass(frozen=True, slots=True)
class Act:
    """What became of the objective.

    Attributes:
        evaluation: after the broken requests; None: nothing was known.
        bad_traces: ids of the traces behind its bad events.
        recovered_after: seconds from then until all was well; None: it was not.
    """

    evaluation: Evaluation | None
    bad_traces: tuple[str, ...] = ()
    recovered_after: float | None = None

    @property
    def burned(self) -> bool:
        """Whether it burned, as it should have."""
        return self.evaluation is not None and self.evaluation.state == _BURNING

    @property
    def complete(self) -> bool:
        """Whether it burned and recovered."""
        return self.burned and self.recovered_after is not None

    def __str__(self) -> str:
        """One line for people."""
        found = self.evaluation
        if found is None:
            return f"SLO {_KEY}  no data"
        told, policy = found.objective, found.objective.burn_policy
        windows = "/".join(quantity.duration_text(seconds) for seconds in policy.windows)
        rate = found.slow_burn_rate
        parts = (
            f"SLO {told.name} {quantity.percent_text(told.target)}",
            f"{found.budget.total_events - found.budget.bad_events:.0f}/{found.budget.total_events:.0f} good",
            "burn unknown" if rate is None else f"burn {rate:.1f}x",
            f"{'BURNING' if self.burned else found.state.upper()} (policy {policy.name}, time-scaled: {windows})",
        )
        after = self.recovered_after
        end = f"recovered after {after:.0f} s" if after is not None else "did not recover"
        return "  ".join(parts) + (f" -> {end}" if self.burned else "")

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data, ready for JSON."""
        after = self.recovered_after
        return {
            "complete": self.complete,
            "burning": None if self.evaluation is None else self.evaluation.to_dict(),
            "bad_traces": list(self.bad_traces),
            "recovered_after": None if after is None else round(after, 3),
            "time_scaled": True,
        }


class Watcher:
    """Looks at the objective in ``store``."""

    def __init__(self, store: Store) -> None:
        self._board = Objectives(store)

    def burned(self) -> Act:
        """Where it stands at its last data, as soon as it burns there; what it is after a while otherwise."""
        deadline = time.monotonic() + _ARRIVAL
        while (found := self._standing()) is None or found.state != _BURNING:
            if time.monotonic() > deadline:
                break
            threading.Event().wait(_LOOK)
        if found is None:
            return Act(None)
        return Act(found.evaluation, tuple(event.trace_id for event in found.bad))

    def recover(self, burned: Act, url: str) -> Act:
        """Send sound requests to the service at ``url`` until all is well.

        Raises:
            DemoError: a request did not end as it should.
        """
        if burned.evaluation is None:
            return burned
        began, deadline = burned.evaluation.at, time.monotonic() + _PATIENCE
        with suppress_instrumentation():
            at = asyncio.run(self._drive_until_well(url, deadline))
        return replace(burned, recovered_after=None if at is None else at - began)

    async def _drive_until_well(self, url: str, deadline: float) -> float | None:
        """Returns when all was well, Unix seconds; None: not before the ``deadline``."""
        wanted = drive.sound_steps()
        while time.monotonic() < deadline:
            batch, wanted = wanted[:_BATCH], [*wanted[_BATCH:], *wanted[:_BATCH]]
            surprises = await drive.drive(url, batch, finished=lambda: None)
            if surprises:
                raise DemoError(
                    "requests did not end as they should:\n" + "\n".join(surprises), remedy="run aumos-otel doctor"
                )
            found = await asyncio.to_thread(self._standing)
            if found is not None and found.state == "ok":
                return found.at
            await asyncio.sleep(_PAUSE)
        return None

    def _standing(self) -> Standing | None:
        return self._board.standing(_KEY, time.time_ns() / 1e9)
