"""Builds the delivery of a signal from the plan: policies, lanes and bounds."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, Final, cast

from aumos_otel._internal import forking
from aumos_otel.config import OTLP, OTLPFile, SpoolOptions
from aumos_otel.delivery.breaker import Breaker
from aumos_otel.delivery.dispatch import Dispatch
from aumos_otel.delivery.file import FileTransport
from aumos_otel.delivery.foreign import ExporterPreparation, redacted_log, redacted_span
from aumos_otel.delivery.intake import IntakeLimits
from aumos_otel.delivery.lane import Lane, Patience
from aumos_otel.delivery.log_writer import LogWriter
from aumos_otel.delivery.otlp import build_transport
from aumos_otel.delivery.outbox import BatchLimits, MemoryOutbox, SpoolOutbox
from aumos_otel.delivery.packing import MAX_BYTES, parcels_of
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.preparation import Exit, Preparation
from aumos_otel.delivery.reading import log_record, span_record
from aumos_otel.delivery.selection import Selection
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.delivery.span_writer import SpanWriter
from aumos_otel.delivery.target import DEFAULT_TIMEOUT
from aumos_otel.delivery.truncation import DEFAULT
from aumos_otel.redaction.policy import Redactor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from aumos_otel.config import Destination, Signal
    from aumos_otel.delivery.ledger import Account, Books, Ledger
    from aumos_otel.delivery.outcome import Transport
    from aumos_otel.delivery.target import Target
    from aumos_otel.plan import Plan

#: Bytes that finished spans and log records may take until they are prepared.
INTAKE_BYTES: Final = 16 * 1024 * 1024

#: Records from which nobody waits for the schedule delay.
WAKING_RECORDS: Final = 512

#: Records of a metric request, and of what waits of metrics: data points.
_POINTS: Final = 8192

#: With a spool a record is on disk after this time at the latest, in seconds.
_SPOOL_DELAY: Final = 0.2

_PREFIXES: Final[dict[Signal, str]] = {"traces": "OTEL_BSP", "logs": "OTEL_BLRP"}
_TIMEOUTS: Final[dict[Signal, str]] = {
    "traces": "OTEL_BSP_EXPORT_TIMEOUT",
    "metrics": "OTEL_METRIC_EXPORT_TIMEOUT",
    "logs": "OTEL_BLRP_EXPORT_TIMEOUT",
}
_READERS: Final[dict[Signal, Callable[[Any], Any]]] = {
    "traces": span_record,
    "logs": log_record,
    "metrics": lambda record: record,
}


_WRITERS: Final[dict[Signal, Callable[..., Any]]] = {"traces": SpanWriter, "logs": LogWriter}


class Workshop:
    """Makes dispatches; destinations of one process share breakers and redactors.

    Args:
        plan: what was asked for.
        service: name of the service, for the spool.
        ledger: where books are opened.
        paused: whether telemetry is switched off.
    """

    def __init__(self, plan: Plan, service: str, ledger: Ledger, paused: Callable[[], bool]) -> None:
        self.paused = paused
        self._plan = plan
        self._service = service
        self._ledger = ledger
        self._breakers: dict[str, Breaker] = {}
        self._redactors: dict[int, Redactor] = {}

    def dispatch(self, signal: Signal, ways: Sequence[tuple[Destination, Target | None]]) -> Dispatch[Any]:
        """The delivery of ``signal`` to all its destinations, which share one intake."""
        books = self._ledger.open(signal)
        exits = [self._exit(books, way, target) for way, target in ways]
        encode = partial(parcels_of, limits=DEFAULT, max_bytes=MAX_BYTES)
        room = min(way.queue_bytes for way, _ in ways)
        grain = Grain.of(self._batch(signal), self._most(signal), room)
        writer = partial(_WRITERS[signal], grain=grain) if signal in _WRITERS else None
        preparation = Preparation(books, exits, _READERS[signal], encode, self.paused, writer=writer)
        spooled = any(self._spool_options(way).enabled for way, _ in ways)
        return self._forkable(Dispatch(books, exits, preparation, self._intake(signal, spooled=spooled), self._budget))

    def exporter_dispatch(self, signal: Signal, name: str, exporter: Any) -> Dispatch[Any]:
        """The delivery of spans or log records through an exporter of another package."""
        books = self._ledger.open(signal)
        account = books.open(name, name)
        rebuild = redacted_span if signal == "traces" else redacted_log
        policy = self._policy(None)
        limits = self._intake(signal, spooled=False)
        preparation = ExporterPreparation(account, exporter, partial(rebuild, policy=policy), limits.batch, self.paused)
        return self._forkable(Dispatch(books, (), preparation, limits, self._budget))

    def account(self, signal: Signal, name: str) -> Account:
        """An account of its own for an exporter that is handed its records by the SDK."""
        return self._ledger.open(signal).open(name, name)

    @property
    def _budget(self) -> float:
        return self._plan.scalars.shutdown_timeout

    @staticmethod
    def _forkable(dispatch: Dispatch[Any]) -> Dispatch[Any]:
        forking.in_child(dispatch.after_fork)
        return dispatch

    def _exit(self, books: Books, way: Destination, target: Target | None) -> Exit:
        transport, address, seconds = _way_out(books.signal, way, target)
        account = books.open(way.name, address)
        redactor = self._redactor(way)
        limits = BatchLimits(self._batch(books.signal), MAX_BYTES)
        bounds = (self._most(books.signal), way.queue_bytes)
        memory = MemoryOutbox(account, bounds, limits)
        outbox: MemoryOutbox | SpoolOutbox = memory
        options = self._spool_options(way)
        if options.enabled:
            from aumos_otel.spool.spool import Spool  # noqa: PLC0415 - when asked for
            from aumos_otel.spool.subject import only_hashes  # noqa: PLC0415 - same

            redacted = None if redactor is None else only_hashes(redactor.value)
            spool = Spool(options, self._service, way.name, books.signal, lost=account.lose, redacted=redacted)
            outbox = SpoolOutbox(account, spool, memory, limits)
        breaker = self._breakers.setdefault(way.name, Breaker())
        patience = self._patience(books.signal, seconds)
        lane = Lane(account, transport, outbox, breaker=breaker, patience=patience, paused=self.paused)
        return Exit(Selection(way.select, way.sampling), self._policy(way), lane)

    def _policy(self, way: Destination | None) -> Policy:
        llm = self._plan.llm
        captured = "none" if llm is None else llm.content
        wanted = self._plan.content if way is None or llm is None else self._plan.contents[way.name]
        return Policy(wanted, captured, self._redactor(way))

    def _redactor(self, way: Destination | None) -> Redactor | None:
        options = way.redaction if way is not None and way.redaction is not None else self._plan.redaction
        if options is None:
            return None
        if id(options) not in self._redactors:
            self._redactors[id(options)] = Redactor(options)
        return self._redactors[id(options)]

    def _spool_options(self, way: Destination) -> SpoolOptions:
        if not isinstance(way, OTLP):  # what goes to a file is on disk there
            return SpoolOptions(enabled=False)
        return way.spool if isinstance(way.spool, SpoolOptions) else self._plan.spool

    def redactions(self) -> Mapping[str, int]:
        """Redactions so far, by detector."""
        total: dict[str, int] = {}
        for redactor in self._redactors.values():
            for name, count in redactor.counts().items():
                total[name] = total.get(name, 0) + count
        return total

    def _quantity(self, signal: Signal, suffix: str) -> int:
        return self._plan.quantities[f"{_PREFIXES[signal]}_{suffix}"] or 0

    def _batch(self, signal: Signal) -> int:
        return self._quantity(signal, "MAX_EXPORT_BATCH_SIZE") if signal in _PREFIXES else _POINTS

    def _most(self, signal: Signal) -> int:
        return self._quantity(signal, "MAX_QUEUE_SIZE") if signal in _PREFIXES else _POINTS * 8

    def _intake(self, signal: Signal, *, spooled: bool) -> IntakeLimits:
        delay = self._quantity(signal, "SCHEDULE_DELAY") / 1000 if signal in _PREFIXES else 1.0
        return IntakeLimits(
            max_records=self._most(signal),
            max_bytes=INTAKE_BYTES,
            batch=min(self._batch(signal), WAKING_RECORDS),
            delay=min(delay, _SPOOL_DELAY) if spooled else delay,
        )

    def _patience(self, signal: Signal, attempt: float) -> Patience:
        """A time for one batch with all its attempts is set by the user alone."""
        variable = _TIMEOUTS[signal]
        told = self._plan.environ.get(variable, "").strip()
        whole = (self._plan.quantities[variable] or 0) / 1000 if told else None
        return Patience(attempt, whole)


def _way_out(signal: Signal, way: Destination, target: Target | None) -> tuple[Transport, str, float]:
    """The transport, what status() calls its end, and the seconds for one attempt."""
    if isinstance(way, OTLPFile):
        return FileTransport(signal, way), way.path, DEFAULT_TIMEOUT
    goal = cast("Target", target)  # every other destination has one
    return build_transport(goal), goal.url.partition("?")[0], goal.options["timeout"]
