"""Objectives, watched in the process that counts for them.

Every step the counters are read, what was added goes into a history for each objective, and the engine says
where it stands by it.  What burns is known to the sampler by one attribute; a change of state is told to the
outlets.  All of it happens on one thread of ours: code that is counted never waits.

A process knows its own share of a service's traffic, since it began.  The rules in Prometheus know all of it:
they call people, this calls for more traces.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel.delivery.worker import Worker
from aumos_otel.exporters.outlet import Hook
from aumos_otel.semconv import attributes
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted, Spans
from aumos_otel.slo.slices import verdict
from aumos_otel.slo.status import evaluate
from aumos_otel.slo.window import Occurrences

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from aumos_otel.config.objectives import SLOOptions
    from aumos_otel.exporters.outlet import Outlet
    from aumos_otel.slo.objective import Objective
    from aumos_otel.slo.sli import Sli
    from aumos_otel.slo.status import Evaluation, State

#: Steps of the shortest window, and the bounds of one in seconds.
STEPS: Final = 10
SHORTEST: Final = 0.2
LONGEST: Final = 30.0

#: What a change of state is called on the platform's topic.
STATUS_CHANGED: Final = "slo_status_changed"

_TENANT_LABEL: Final = attributes.AUMOS_TENANT_ID.replace(".", "_")


def step_of(objective: Objective) -> float:
    """Seconds between two looks at ``objective``."""
    shortest = objective.burn_policy.windows[0]
    if not isinstance(objective.budgeting, Occurrences):
        shortest = min(shortest, objective.budgeting.seconds)
    return min(LONGEST, max(SHORTEST, shortest / STEPS))


def outlets(options: SLOOptions) -> list[Outlet]:
    """Where changes of state are told.

    Raises:
        MissingExtraError: Kafka was asked for, and its client is not installed.
    """
    found: list[Outlet] = [] if options.on_event is None else [Hook(options.on_event)]
    if options.kafka is not None:
        from aumos_otel.exporters.kafka import KafkaTopic  # noqa: PLC0415 - when asked for

        found.append(KafkaTopic(options.kafka))
    return found


class Watch:
    """Evaluates the objectives whose events are counted here.

    Args:
        objectives: those about something else are left out, see `unwatched`.
        counts: the counters: for each SLI by name all events and the good ones, since the process began.
        find: the SLI of a name that is counted without being part of an objective; None: there is none yet.
        outlets: are told when a state changes.
        instance: the service.instance.id of this process.

    Attributes:
        burning: the SLIs of the objectives that burn just now.
        unwatched: names of the objectives that nothing is counted for here.
    """

    def __init__(
        self,
        objectives: Iterable[Objective],
        counts: Callable[[], Mapping[str, tuple[int, int]]],
        *,
        find: Callable[[str], Sli | None],
        outlets: Sequence[Outlet] = (),
        instance: Callable[[], str] = str,
    ) -> None:
        self.burning: tuple[Sli, ...] = ()
        self._objectives = tuple(objectives)
        self._counts = counts
        self._find = find
        self._outlets = tuple(outlets)
        self._instance = instance
        self._worker = Worker("aumos-otel-slo", self._work)
        self._epoch = time.time_ns() / 1e9 - time.monotonic()
        self._watched: list[_Watched] = []
        self.unwatched = tuple(
            objective.name for objective in self._objectives if not isinstance(objective.indicator, (Spans, Counted))
        )

    def start(self) -> None:
        """Begin to watch, here and in children that are forked from now on."""
        self._begin()
        self._run()
        forking.in_child(self._after_fork)

    def stop(self) -> None:
        """Watch no longer; nothing burns from now on."""
        self._worker.stop()
        self._watched = []
        self.burning = ()

    def _begin(self) -> None:
        now = time.monotonic()
        self.burning = ()
        self._watched = [
            _Watched(objective, objective.indicator, now)
            for objective in self._objectives
            if isinstance(objective.indicator, (Spans, Counted))
        ]

    def _run(self) -> None:
        if self._watched:
            self._worker.ensure()

    def _after_fork(self) -> None:
        """In the child: its counters begin at zero, and so does its history."""
        stopped = not self._watched
        self._worker.after_fork()
        if not stopped:
            self._begin()
            self._run()

    def _work(self) -> float | None:
        """Look at what is due; returns the seconds until the next look."""
        watched, now = self._watched, time.monotonic()
        due = [each for each in watched if each.due <= now]
        counts = self._counts() if due else {}
        for each in due:
            with guard.contain("slo_watch"):
                change = each.look(self._epoch + now, now, counts)
                if change is not None:
                    self._tell(each, *change)
        if due:
            self.burning = tuple({sli.name: sli for sli in map(self._burning, watched) if sli is not None}.values())
        if watched is not self._watched:  # stopped meanwhile
            self.burning = ()
        return max(0.0, min(each.due for each in watched) - time.monotonic()) if watched else None

    def _burning(self, watched: _Watched) -> Sli | None:
        if not watched.burns:
            return None
        indicator = watched.indicator
        return indicator.sli if isinstance(indicator, Spans) else self._find(indicator.name)

    def _tell(self, watched: _Watched, before: State, now: Evaluation) -> None:
        objective = watched.objective
        event = {
            "event_type": STATUS_CHANGED,
            "tenant_id": objective.labels.get(_TENANT_LABEL, ""),
            "correlation_id": watched.correlation,
            "slo_id": f"{objective.service}/{objective.name}",
            "slo_name": objective.name,
            "service_name": objective.service,
            "service_instance_id": self._instance(),
            "previous_status": before,
            "new_status": now.state,
            "fast_burn_rate": now.fast_burn_rate,
            "slow_burn_rate": now.slow_burn_rate,
            "target_percentage": float(objective.target * 100),
            "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        for outlet in self._outlets:
            outlet.put(event)


@dataclass(slots=True)
class _Watched:
    """One objective, and what was counted for it so far."""

    objective: Objective
    indicator: Spans | Counted
    began: float
    step: float = field(init=False)
    due: float = field(init=False)
    burns: bool = False
    correlation: str = ""
    _state: State = "unknown"
    _seen: tuple[int, int] = (0, 0)
    _events: History = field(init=False)
    _history: History = field(init=False)

    def __post_init__(self) -> None:
        self.step = step_of(self.objective)
        self.due = self.began + self.step
        longest = self.objective.burn_policy.windows[-1]
        self._history = self._events = History(self.step, longest)
        budgeting = self.objective.budgeting
        if not isinstance(budgeting, Occurrences):
            self._events = History(self.step, budgeting.seconds)

    @property
    def name(self) -> str:
        """Name of the SLI."""
        return self.indicator.sli.name if isinstance(self.indicator, Spans) else self.indicator.name

    def look(self, at: float, now: float, counts: Mapping[str, tuple[int, int]]) -> tuple[State, Evaluation] | None:
        """Take what was counted until ``at`` (Unix seconds) and ``now`` (monotonic).

        Returns:
            The state before and the evaluation, when the state is another one.
        """
        self.due += self.step
        if self.due <= now:  # the machine was busy, or asleep
            self.due = now + self.step
        self._take(at, counts.get(self.name, (0, 0)))
        found = evaluate(self.objective, self._history, at)
        self.burns = bool(found.burning)
        before, self._state = self._state, found.state
        if found.state == before:
            return None
        if before in {"ok", "unknown"}:  # what follows until all is well again belongs together
            self.correlation = str(uuid.uuid4())
        return before, found

    def _take(self, at: float, counted: tuple[int, int]) -> None:
        before, self._seen = self._seen, counted
        if counted[0] < before[0]:  # counters that fell began anew
            before = (0, 0)
        total, good = counted[0] - before[0], max(0, counted[1] - before[1])
        self._events.append(at, good, total)
        if self._history is not self._events:
            weight = verdict(self._events, self.objective.budgeting, at)
            self._history.append(at, weight.good, weight.total)


def counts_of(outlets: Iterable[Outlet]) -> Mapping[str, int]:
    """Events by what became of them, over all outlets."""
    total: dict[str, int] = {}
    for outlet in outlets:
        for what, count in outlet.counts().items():
            total[what] = total.get(what, 0) + count
    return total
