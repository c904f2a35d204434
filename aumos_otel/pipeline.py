"""The handle that ``configure()`` returns: flush, shutdown, status, pause.

One budget covers all signals: they are flushed and shut down side by side, on ``shutdown()``,
at interpreter exit, on SIGTERM and at the end of an ASGI lifespan, whichever comes first,
and never twice.
"""

from __future__ import annotations

import logging
import signal
import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from aumos_otel import guard
from aumos_otel._internal import diagnostics, forking, statement
from aumos_otel._internal.crew import Crew
from aumos_otel._internal.flow import end_abandoned
from aumos_otel.delivery.worker import Worker
from aumos_otel.leaving import Departure, SignalHandlers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import FrameType

    from aumos_otel.delivery.ledger import Ledger

logger = logging.getLogger("aumos_otel")

State = Literal["ok", "degraded", "failing", "paused", "disabled", "shut down"]

#: Seconds between two looks at the pause file.
PAUSE_FILE_INTERVAL = 1.0


@dataclass(frozen=True, slots=True)
class Status:
    """What became of the telemetry so far; counts are records since the process began.

    ``state`` is the worst of the destinations, or paused, disabled, shut down.
    """

    state: State
    instance: str
    since: str
    destinations: Sequence[Mapping[str, Any]]
    llm: Mapping[str, int]
    guard: Mapping[str, int]

    def to_dict(self) -> dict[str, Any]:
        """The status as plain data, ready for JSON."""
        return {
            "state": self.state,
            "instance": self.instance,
            "since": self.since,
            "destinations": [dict(destination) for destination in self.destinations],
            "llm": dict(self.llm),
            "guard": {"swallowed": sum(self.guard.values()), "sites": dict(self.guard)},
        }


class Switch:
    """The kill switch: what asks it gets an answer in nanoseconds."""

    def __init__(self) -> None:
        self._by_hand = False
        self._by_file = False
        self._off = False
        self.paused = False

    def __call__(self) -> bool:
        """Whether telemetry is paused."""
        return self.paused

    def set(self, *, by_hand: bool | None = None, by_file: bool | None = None, off: bool = False) -> None:
        """Change one of the reasons for being paused."""
        self._by_hand = self._by_hand if by_hand is None else by_hand
        self._by_file = self._by_file if by_file is None else by_file
        self._off = self._off or off
        self.paused = self._by_hand or self._by_file or self._off


@dataclass(slots=True)
class Part:
    """Something that can be flushed and shut down: a provider, a reader, a page."""

    name: str
    flush: Callable[[float], object]
    shutdown: Callable[[float], object]


@dataclass(slots=True)
class Wiring:
    """What ``configure()`` built, for the handle."""

    ledger: Ledger
    switch: Switch
    parts: list[Part]
    description: dict[str, Any]
    instance: str
    service: str
    shutdown_timeout: float
    log_handler: logging.Handler
    instrument: Callable[[Any], Any]
    llm_counts: Callable[[], Mapping[str, int]]
    instrumentations: Callable[[], Sequence[Mapping[str, Any]]]
    teardown: list[Callable[[], object]] = field(default_factory=list)


class Telemetry:
    """The running pipeline of this process.

    >>> import aumos_otel as aumos
    >>> telemetry = aumos.configure(service_name="docs")
    >>> telemetry.status().state
    'ok'
    """

    def __init__(self, wiring: Wiring) -> None:
        self._wiring = wiring
        self._since = datetime.now(UTC).isoformat(timespec="seconds")
        self._lock = threading.RLock()  # SIGTERM may arrive while its thread is in shutdown()
        self._closed = False
        self._spent = 0.0
        self._lost = 0
        self._crew = Crew(max(1, len(wiring.parts)))
        self._departure = Departure(self._begin_flush, self.shutdown)
        self._pause_signal = SignalHandlers()
        self._stop_watching = threading.Event()
        self._pause_file: Path | None = None
        self._unthrottle: Callable[[], None] | None = None
        self._statements = Worker("aumos-otel-ledger", self._state_accounts)

    @property
    def log_handler(self) -> logging.Handler:
        """The handler on the root logger, e.g. for ``loguru.logger.add(telemetry.log_handler)``."""
        return self._wiring.log_handler

    def status(self) -> Status:
        """What was emitted, delivered, dropped and is queued, by destination and signal."""
        destinations = self._wiring.ledger.snapshot()
        states = {"degraded" if book["state"] == "retrying" else book["state"] for book in destinations}
        worst = next((grade for grade in ("failing", "degraded") if grade in states), "ok")
        if self._closed:
            worst = "shut down"
        elif self._wiring.switch.paused:
            worst = "paused"
        state: Any = self._wiring.description.get("state", worst)
        counts: Mapping[str, int] = {}
        with guard.swallow("pipeline.status"):  # loads a module, which a process without descriptors cannot
            counts = self._wiring.llm_counts()
        return Status(state, self._wiring.instance, self._since, destinations, counts, guard.swallowed())

    def describe(self) -> dict[str, Any]:
        """What was set up and where each value came from; plain data, no secrets."""
        return {**self._wiring.description, "instrumentations": list(self._wiring.instrumentations())}

    def amend(self, **facts: Any) -> None:
        """Add to what `describe` tells."""
        self._wiring.description.update(facts)

    def force_flush(self, timeout: float = 2.0) -> bool:
        """Send what is queued, all signals side by side.

        Returns:
            True when everything was delivered within ``timeout`` seconds; False when records
            were lost since the last flush, are still queued, or the pipeline is shut down.
        """
        if self._closed:
            return False
        end_abandoned()
        in_time = self._crew.run(self._flushes(timeout), timeout)
        before, self._lost = self._lost, self._wiring.ledger.lost()
        return in_time and self._lost == before

    def flush_before_end(self) -> bool:
        """Flush at the end of an ASGI lifespan; what that takes is no longer there for `shutdown`."""
        began = time.monotonic()
        try:
            return self.force_flush(self._left())
        finally:
            self._spent += time.monotonic() - began

    def _begin_flush(self) -> None:
        """Begun, not waited for: a signal handler must not hold up a server's loop."""
        self._crew.run(self._flushes(self._left()), timeout=0.0)

    def _left(self) -> float:
        """Seconds of the one budget that are left for leaving."""
        return max(0.0, self._wiring.shutdown_timeout - self._spent)

    def _flushes(self, timeout: float) -> list[Callable[[], object]]:
        deadline = time.monotonic() + timeout
        return [_bound(part.flush, deadline) for part in self._wiring.parts]

    def shutdown(self, timeout: float | None = None) -> bool:
        """Flush and stop everything within ``timeout`` seconds (default: the configured budget); once.

        Returns:
            True when everything ended in time; False when not, or when it was shut down before.
        """
        with self._lock:
            if self._closed:
                return False
            self._closed = True
        budget = self._left() if timeout is None else timeout
        self._stop_watching.set()
        end_abandoned()
        for undo in self._wiring.teardown:
            with guard.swallow("pipeline.teardown"):
                undo()
        deadline = time.monotonic() + budget
        done = self._crew.run([_bound(part.shutdown, deadline) for part in self._wiring.parts], budget)
        self._crew.dismiss()
        self._state_accounts()
        self._statements.stop()
        if self._unthrottle is not None:  # last: what leaving has to say is throttled too
            self._unthrottle()
        self._pause_signal.restore(self)
        self._departure.forget()
        return done

    def instrument(self, app: Any) -> Any:
        """Instrument one ASGI application (FastAPI, Starlette, any other); returns it."""
        return self._wiring.instrument(app)

    def pause(self) -> None:
        """Stop recording and sending at once; records that are queued are dropped and counted."""
        self._wiring.switch.set(by_hand=True)

    def resume(self) -> None:
        """Record and send again."""
        self._wiring.switch.set(by_hand=False)

    def watch(self, *, handle_signals: bool, pause_signal: str | None, pause_file: str | None) -> None:
        """Install what ends or pauses the pipeline from outside, and what keeps the SDK's own log lines few."""
        self._unthrottle = diagnostics.throttle()
        self._departure.watch(handle_signals=handle_signals)
        if pause_signal is not None:
            self._pause_signal.install(signal.Signals[pause_signal], self._toggle)
        if pause_file is not None:
            self._pause_file = Path(pause_file)
            self._start_watching()
        self._statements.ensure()
        forking.in_child(self._after_fork)

    def _after_fork(self) -> None:
        """In the child: the books start over, and the watching thread again."""
        self._lock = threading.RLock()
        self._spent = 0.0
        self._lost = 0
        self._wiring.ledger.reset_after_fork()
        closed, self._stop_watching = self._stop_watching.is_set(), threading.Event()
        self._statements.after_fork()
        if closed:
            return
        self._statements.ensure()
        if self._pause_file is not None:
            self._start_watching()

    def _state_accounts(self) -> float | None:
        """Leave the books for ``aumos-otel doctor``; returns the seconds until the next time."""
        try:
            statement.write(self.status().to_dict(), self._wiring.service)
        except OSError as error:  # a file system that is read-only: there is nobody to read it either
            self.amend(statement=f"not written: {error}")
            return None
        return statement.INTERVAL

    def _start_watching(self) -> None:
        with guard.swallow("pipeline.pause_file"):
            threading.Thread(target=self._watch_file, name="aumos-otel-pause", daemon=True).start()

    def _toggle(self, _number: int, _frame: FrameType | None) -> None:
        self._wiring.switch.set(by_hand=not self._wiring.switch.paused)

    def _watch_file(self) -> None:
        path, stop = self._pause_file, self._stop_watching
        while path is not None:
            with guard.contain("pipeline.pause_file"):
                self._wiring.switch.set(by_file=path.exists())
            if stop.wait(PAUSE_FILE_INTERVAL):
                return


def _bound(job: Callable[[float], object], deadline: float) -> Callable[[], object]:
    """The job with the time that is left when it begins; ``deadline`` is in monotonic seconds."""
    return lambda: job(max(0.0, deadline - time.monotonic()))
