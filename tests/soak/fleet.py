"""The producers: always as many as there are places, whatever happens to one."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

PRODUCER = Path(__file__).with_name("producer.py")
#: Seconds for a process to end after SIGTERM: the budget of 5 s, and as much for a machine that is busy.
PATIENCE = 10.0
#: Bytes that every second producer leaves free on the disk; the others take what there is.
MIN_FREE = 2 * 1024 * 1024


class Fleet:
    """Producers by place.

    Args:
        endpoint: where they send.
        protocol: how they send.
        spool: where they spool.
        notes: where they leave journals and ledgers.
        rate: spans a second of each.
        places: how many run at a time.

    Attributes:
        killed: when each killed one died, in nanoseconds of the monotonic clock.
        slowest: the longest time from SIGTERM to the end, in seconds.
        troubles: what should not have happened, one line each.
    """

    def __init__(self, endpoint: str, protocol: str, spool: Path, notes: Path, *, rate: float, places: int) -> None:
        self._common = [endpoint, protocol, str(spool), str(notes)]
        self._notes = notes
        self._rate = rate
        self._lock = threading.Lock()
        self._count = 0
        self.killed: dict[str, int] = {}
        self.slowest = 0.0
        self.troubles: list[str] = []
        self._running = [self._start(place) for place in range(places)]

    def _start(self, place: int) -> tuple[str, subprocess.Popen[bytes]]:
        self._count += 1
        name = f"p{self._count}"
        free = MIN_FREE if place % 2 else 0
        return name, self._run(name, "--rate", str(self._rate), "--min-free", str(free))

    def _run(self, name: str, *arguments: str) -> subprocess.Popen[bytes]:
        errors = (self._notes / f"{name}.err").open("wb")
        with errors:
            return subprocess.Popen([sys.executable, str(PRODUCER), name, *self._common, *arguments], stderr=errors)

    def terminate(self, place: int) -> None:
        """SIGTERM to one, and another in its place."""
        with self._lock:
            self._end(*self._running[place])
            self._running[place] = self._start(place)

    def kill(self, place: int) -> None:
        """SIGKILL to one, and another in its place."""
        with self._lock:
            name, process = self._running[place]
            self.killed[name] = time.monotonic_ns()
            process.kill()
            process.wait()
            self._running[place] = self._start(place)

    def fork(self, place: int, how: str) -> None:
        """Have one fork a child that ends by ``how``: ``exit`` or ``_exit``."""
        with self._lock:
            name, process = self._running[place]
            if (self._notes / f"{name}.json").exists():  # else it is not ready for signals
                process.send_signal(signal.SIGUSR1 if how == "exit" else signal.SIGUSR2)

    def close(self) -> None:
        """End all; what they did not send lies in the spools then."""
        with self._lock:
            for name, process in self._running:
                self._end(name, process)
            self._running.clear()
        self._wait_for_children()

    def _end(self, name: str, process: subprocess.Popen[bytes]) -> None:
        began = time.monotonic()
        while not (self._notes / f"{name}.json").exists() and time.monotonic() < began + PATIENCE:
            time.sleep(0.05)  # SIGTERM before there is a handler would kill it
        began = time.monotonic()
        process.terminate()
        try:
            code = process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.troubles.append(f"{name} did not end within {PATIENCE:g} s of SIGTERM")
            process.kill()
            process.wait()
        else:
            if code:
                self.troubles.append(f"{name} ended with {code}: {(self._notes / f'{name}.err').read_text()[-500:]}")
        self.slowest = max(self.slowest, time.monotonic() - began)

    def _wait_for_children(self) -> None:
        """Forked children are nobody's to wait for; each says who it is."""
        deadline = time.monotonic() + PATIENCE
        for journal in self._notes.glob("*.*.journal"):
            while not _has_ended(journal.with_suffix(".json")):
                if time.monotonic() > deadline:
                    self.troubles.append(f"the child {journal.stem} did not end")
                    break
                time.sleep(0.05)

    def adopt(self, seconds: float) -> None:
        """Send what was left, with a process that emits nothing."""
        process = self._run("last", "--adopt", str(seconds))
        try:
            process.wait(seconds + PATIENCE)
        except subprocess.TimeoutExpired:
            self._end("last", process)


def _has_ended(ledger: Path) -> bool:
    return ledger.exists() and '"ended": true' in ledger.read_text()
