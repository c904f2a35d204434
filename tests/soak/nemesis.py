"""What goes wrong, and when: the same seed and length give the same schedule."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

from soak.disk import SmallDisk
from soak.fleet import Fleet
from soak.receiver import Receiver

#: Faults of the receiver, with the seconds that they last.
RECEIVER = {
    "kill": (5.0, 20.0),
    "hang": (5.0, 12.0),
    "refuse": (8.0, 15.0),
    "throttle": (5.0, 8.0),
    "slow": (6.0, 12.0),
    "reset": (6.0, 12.0),
    "ambiguous": (6.0, 12.0),
}
#: Faults of the machine and its processes; those without a duration are one moment.
HOST = {
    "fork exit": (0.0, 0.0),
    "fork _exit": (0.0, 0.0),
    "sigterm": (0.0, 0.0),
    "sigkill": (0.0, 0.0),
    "disk full": (10.0, 10.0),
}
#: Seconds without a fault of the same kind of place.
PAUSE = (2.0, 6.0)
#: A run of this length has room for every fault; in a shorter one all times are shorter.
WHOLE = 150.0
#: Seconds until the first fault.
WARM_UP = 3.0


class Fault(NamedTuple):
    """One thing that goes wrong.

    Attributes:
        at: seconds from the start.
        kind: a key of RECEIVER or HOST.
        seconds: how long it lasts.
        place: of the producer that it hits.
    """

    at: float
    kind: str
    seconds: float
    place: int

    def __str__(self) -> str:
        whom = f" p[{self.place}]" if self.kind.startswith(("sig", "fork")) else ""
        return f"{self.at:7.1f} s  {self.kind}{whom}" + (f" for {self.seconds:.1f} s" if self.seconds else "")


def schedule(kinds: dict[str, tuple[float, float]], length: float, places: int, seed: str) -> Iterator[Fault]:
    """Faults of these kinds, each kind as often as the others, one after the other, all over before ``length``."""
    chance = random.Random(seed)
    scale = min(1.0, length / WHOLE)
    at, bag = WARM_UP * scale, []
    while True:
        if not bag:
            bag = chance.sample(list(kinds), len(kinds))
        kind = bag.pop()
        seconds = chance.uniform(*kinds[kind]) * scale
        at += chance.uniform(*PAUSE) * scale
        if at + seconds > length - WARM_UP * scale:
            return
        yield Fault(round(at, 1), kind, round(seconds, 1), chance.randrange(places))
        at += seconds


class Nemesis:
    """Makes the faults of a schedule happen, those of the receiver beside those of the machine."""

    def __init__(self, receiver: Receiver, fleet: Fleet, disk: SmallDisk, tell: Callable[[str], None]) -> None:
        self._receiver = receiver
        self._fleet = fleet
        self._disk = disk
        self._tell = tell
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self.failures: list[BaseException] = []

    def start(self, *schedules: list[Fault]) -> None:
        """Begin; each schedule runs in a thread of its own."""
        began = time.monotonic()
        for faults in schedules:
            thread = threading.Thread(target=self._run, args=(faults, began), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _run(self, faults: list[Fault], began: float) -> None:
        try:
            for fault in faults:
                if self._stop.wait(max(0.0, began + fault.at - time.monotonic())):
                    return
                self._tell(f"{time.monotonic() - began:7.1f} s  {fault.kind}")
                self._commit(fault)
        except BaseException as error:
            self.failures.append(error)
            raise

    def _commit(self, fault: Fault) -> None:
        if fault.kind in RECEIVER:
            with self._receiver.fault(fault.kind):
                self._stop.wait(fault.seconds)
        elif fault.kind == "disk full":
            if self._disk.can_be_filled:
                self._disk.fill()
                self._stop.wait(fault.seconds)
                self._disk.free()
        elif fault.kind == "sigterm":
            self._fleet.terminate(fault.place)
        elif fault.kind == "sigkill":
            self._fleet.kill(fault.place)
        else:
            self._fleet.fork(fault.place, fault.kind.partition(" ")[2])

    def join(self) -> None:
        """Wait for the end of the schedules."""
        for thread in self._threads:
            thread.join()

    def stop(self) -> None:
        """Let everything heal now."""
        self._stop.set()
        self.join()
