"""The soak: processes send while receiver, disk and processes fail; at the end every record is accounted for.

``python tests/soak/run.py --seconds 1800 --seed 7`` prints its schedule, what happens, and a table; it
exits with 1 when a record was lost that no ledger counts, or when books and receiver disagree.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # as pytest has it

from soak.disk import SmallDisk
from soak.fleet import Fleet
from soak.nemesis import HOST, RECEIVER, Fault, Nemesis, schedule
from soak.receiver import Receiver
from soak.verdict import Verdict

#: Seconds that the last process has to send what all others left.
ADOPTION = 180.0


def main() -> int:
    """Run and judge; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800.0)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--producers", type=int, default=3)
    parser.add_argument("--rate", type=float, default=200.0, help="spans a second of each, with a log record for four")
    parser.add_argument("--protocol", choices=("http/protobuf", "http/json", "grpc"), default="http/protobuf")
    parser.add_argument("--keep", action="store_true", help="keep journals and ledgers, and say where")
    arguments = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="soak-"))
    disk = SmallDisk(place / "disk")
    try:
        return soak(arguments, place, disk)
    finally:
        disk.close()
        if arguments.keep:
            tell(f"kept: {place}")
        else:
            shutil.rmtree(place)


def soak(arguments: argparse.Namespace, place: Path, disk: SmallDisk) -> int:
    """Load, faults, healing, adoption, verdict."""
    schedules = [
        list(schedule(kinds, arguments.seconds, arguments.producers, f"{name} {arguments.seed}"))
        for name, kinds in (("receiver", RECEIVER), ("host", HOST))
    ]
    announce(arguments, schedules, disk)
    notes = place / "notes"
    notes.mkdir()
    receiver = Receiver(arguments.seed, arguments.protocol)
    with receiver.sink as sink:
        fleet = Fleet(sink.url, arguments.protocol, disk.spool, notes, rate=arguments.rate, places=arguments.producers)
        nemesis = Nemesis(receiver, fleet, disk, tell)
        end = time.monotonic() + arguments.seconds
        try:
            nemesis.start(*schedules)
            while time.monotonic() < end:
                disk.measure()
                time.sleep(0.5)
        finally:
            nemesis.stop()
            fleet.close()
        fleet.adopt(ADOPTION)
        verdict = Verdict(notes, receiver, fleet.killed)
        verdict.wrong += fleet.troubles
        verdict.wrong += [f"the nemesis failed: {error!r}" for error in nemesis.failures]
        verdict.wrong += [f"left in the spool: {path.name}" for path in disk.left()]
    report(verdict, fleet, disk)
    return 0 if verdict.agree() else 1


def announce(arguments: argparse.Namespace, schedules: list[list[Fault]], disk: SmallDisk) -> None:
    """Say what is going to happen."""
    tell(f"seed {arguments.seed}, {arguments.seconds:g} s, {arguments.producers} producers, {arguments.protocol}")
    if not disk.can_be_filled:
        tell("the disk cannot be filled: mounting a tmpfs is not permitted here")
    for fault in sorted(fault for faults in schedules for fault in faults):
        tell(f"plan {fault}")


def report(verdict: Verdict, fleet: Fleet, disk: SmallDisk) -> None:
    """Print the table."""
    tell("")
    tell(f"{'signal':8}{'producer':>10}{'sink':>10}{'distinct':>10}{'duplicates':>12}{'lost':>7}  explained by")
    for signal, row in verdict.rows.items():
        duplicates = row.received - row.distinct
        figures = f"{row.emitted:10}{row.received:10}{row.distinct:10}{duplicates:12}{row.lost:7}"
        tell(f"{signal:8}{figures}  {row.explanation}; unexplained {row.unexplained}")
    processes = ", ".join(f"{count} {how}" for how, count in sorted(verdict.processes().items()))
    tell(f"processes: {processes}; slowest end after SIGTERM {fleet.slowest:.2f} s")
    tell(f"memory of a process at most {verdict.rss / 2**20:.1f} MiB, spools at most {disk.most / 2**20:.2f} MiB")
    for line in verdict.wrong:
        tell(f"WRONG {line}")
    tell("the books agree with the receiver" if verdict.agree() else "THE BOOKS DO NOT AGREE WITH THE RECEIVER")


def tell(line: str) -> None:
    """Print now."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
