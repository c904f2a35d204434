"""One process of the load: numbered records, each noted in a journal before it is emitted.

SIGTERM ends it, SIGUSR1 makes it fork a child that ends as a program does, SIGUSR2 one that leaves by
``os._exit()``.  Beside its journal it keeps its ledger: every quarter of a second, and after the end.
"""

from __future__ import annotations

import argparse
import atexit
import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from pathlib import Path

from opentelemetry import metrics, trace
from opentelemetry.trace import StatusCode

import aumos_otel as aumos
from aumos_otel.config import SpoolOptions

#: What tells the receiver whose request it is; a forked child sends in the name of its parent.
SENDER = "x-soak-producer"
#: The counter that goes up with each span.
COUNTER = "soak.units"
SERVICE = "soak"
#: Bytes that one signal of one process may have on disk.
SPOOL_BYTES = 8 * 1024 * 1024
#: Seconds between two ledgers on disk.
LOOK = 0.25
#: Events of a forked child: each is a span, every fourth a log record, too.
CHILD_EVENTS = 100
#: Seconds that a child that leaves by ``os._exit()`` flushes before.
CHILD_FLUSH = 3.0

logger = logging.getLogger("soak")
logger.addHandler(logging.NullHandler())  # else each record would go to stderr as well


def most_memory() -> int:
    """The most memory that this program took, in bytes; `resource` would tell that of the one that started it."""
    lines = Path("/proc/self/status").read_text().splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return int(peak.split()[1]) * 1024


class Journal:
    """What was emitted, on a disk that does not fail: one line and one ``write`` a record."""

    def __init__(self, notes: Path, name: str) -> None:
        self.counts: Counter[str] = Counter()
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
        self._file = os.open(notes / f"{name}.journal", flags, 0o600)

    def note(self, kind: str, identity: str) -> None:
        """This record is emitted next."""
        os.write(self._file, f"{time.monotonic_ns()} {kind} {identity}\n".encode())
        self.counts[kind] += 1


class Producer:
    """Emits until it is told to stop."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._name: str = arguments.name
        self._notes: Path = arguments.notes
        self._rate: float = arguments.rate
        self._journal = Journal(self._notes, self._name)
        self._number = self._children = 0
        self._stopped = self._ended = False
        self._forks: list[str] = []
        for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
            signal.signal(number, self._on_signal)
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the children
        atexit.register(self._end)  # after what configure() registers
        self.telemetry = configure(arguments)
        self._tracer = trace.get_tracer("soak")
        self._counter = metrics.get_meter("soak").create_counter(COUNTER)

    def _on_signal(self, number: int, _frame: object) -> None:
        if number == signal.SIGTERM:
            self._stopped = True
        else:
            self._forks.append("exit" if number == signal.SIGUSR1 else "_exit")

    def run(self) -> None:
        """Emit at the rate; what a stall delayed comes at once."""
        began = looked = time.monotonic()
        while not self._stopped:
            now = time.monotonic()
            while self._number < (now - began) * self._rate and not self._stopped:
                self._emit()
            while self._forks and not self._stopped:
                self._fork(self._forks.pop(0))
            if now - looked >= LOOK:
                self.look()
                looked = now
            time.sleep(0.02)

    def _emit(self) -> None:
        """One span, counted; one of ten failed, and every fourth comes with a log record."""
        self._number += 1
        number = self._number
        span = self._tracer.start_span("unit", attributes={"soak.producer": self._name, "soak.number": number})
        if number % 10 == 0:
            span.set_status(StatusCode.ERROR, "one of ten")
        if number % 4 == 0:
            identity = f"{self._name}-{number}"
            self._journal.note("logs", identity)
            logger.warning("unit %d of %s", number, self._name, extra={"log.record.uid": identity})
        own = span.get_span_context()
        self._journal.note("traces", f"{own.trace_id:032x}-{own.span_id:016x}")
        span.end()
        self._counter.add(1)

    def _fork(self, how: str) -> None:
        self._children += 1
        if os.fork():
            return
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # only its parent is told to stop
        self._name = f"{self._name}.{self._children}"
        self._journal = Journal(self._notes, self._name)
        self._number, self._stopped = 0, True
        for _ in range(CHILD_EVENTS):
            self._emit()
        if how == "exit":
            sys.exit(0)
        self.telemetry.force_flush(CHILD_FLUSH)
        self._end()
        os._exit(0)

    def look(self) -> None:
        """Write the ledger down."""
        status = self.telemetry.status()
        accounts = [account for books in self.telemetry._wiring.ledger.books for account in books.accounts]
        seen = {
            "ended": self._ended,
            "pid": os.getpid(),
            "instance": status.instance,
            "noted": self._journal.counts,
            "rss": most_memory(),
            "adopted": {account.books.signal: account.adopted for account in accounts},
            "accounts": {account["signal"]: account for account in status.destinations},
            "guard": dict(status.guard),
        }
        path = self._notes / f"{self._name}.json"
        temporary = path.with_suffix(".tmp")
        temporary.write_text(json.dumps(seen))
        temporary.replace(path)

    def _end(self) -> None:
        self._ended = True
        self.look()

    def adopt(self, spool: Path, seconds: float) -> None:
        """Emit nothing, send what others left until nothing is left or the time is over."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._stopped and any(spool.rglob("*.seg")):
            self.look()
            time.sleep(LOOK)


def configure(arguments: argparse.Namespace) -> aumos.Telemetry:
    """As a service does."""
    return aumos.configure(
        service_name=SERVICE,
        resource_attributes={"service.instance.id": arguments.name},
        destinations=[
            aumos.OTLP(
                endpoint=arguments.endpoint,
                protocol=arguments.protocol,
                headers={SENDER: arguments.name},
                timeout=5.0,
            )
        ],
        spool=SpoolOptions(
            enabled=True, directory=str(arguments.spool), max_bytes=SPOOL_BYTES, min_free=arguments.min_free
        ),
        instrumentations=False,
    )


def main() -> None:
    """Read the arguments and run."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name")
    parser.add_argument("endpoint")
    parser.add_argument("protocol")
    parser.add_argument("spool", type=Path)
    parser.add_argument("notes", type=Path)
    parser.add_argument("--rate", type=float, default=200.0, help="spans a second")
    parser.add_argument("--min-free", type=int, default=0, help="bytes that stay free on the disk of the spool")
    parser.add_argument("--adopt", type=float, help="emit nothing; send what others left, for so many seconds")
    arguments = parser.parse_args()
    producer = Producer(arguments)
    if arguments.adopt is None:
        producer.run()
    else:
        producer.adopt(arguments.spool, arguments.adopt)


if __name__ == "__main__":
    main()
