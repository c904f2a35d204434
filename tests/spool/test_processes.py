"""Real processes: killed at any moment, and racing for what another left."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from .conftest import drain

WORKER = str(Path(__file__).with_name("worker.py"))
#: A nox session sets 50.
KILLS = int(os.environ.get("SPOOL_KILLS", "10"))


def start(*arguments):
    """A worker process."""
    return subprocess.Popen(
        [sys.executable, WORKER, *map(str, arguments)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("seed", range(KILLS))
def test_a_killed_process_loses_nothing_that_was_taken(bench, seed):
    """After SIGKILL at a random moment every request that `append` took is there, once, and whole."""
    after = random.Random(seed).randrange(1, 2000)
    with start("append", bench.root) as process:
        taken = [int(process.stdout.readline()) for _ in range(after)]
        process.send_signal(signal.SIGKILL)
        rest = process.stdout.read()
    taken += [int(line) for line in rest[: rest.rfind("\n") + 1].split()]

    spool = bench.open()
    adopted = spool.adopt()
    bodies = drain(spool)
    numbers = [int.from_bytes(body[:8], "big") for body in bodies]
    assert numbers == list(range(len(numbers)))
    assert taken == numbers[: len(taken)]
    assert len(numbers) - len(taken) <= 1
    assert all(body == body[:8] * (1 + number * 7919 % 4000) for number, body in zip(numbers, bodies, strict=True))
    assert adopted == len(numbers) + bench.lost["spool_corrupt"]


def test_racing_processes_hand_out_every_request_once(bench, tmp_path):
    """Four processes adopt the same directories at the same moment: each request goes out exactly once."""
    for directory in range(12):
        spool = bench.open()
        for number in range(25):
            spool.append((directory * 25 + number).to_bytes(8, "big"), 1)
        bench.crash(spool)
    outs = [tmp_path / f"{number}.txt" for number in range(4)]
    racers = [start("adopt", bench.root, out) for out in outs]
    for racer in racers:
        assert racer.stdout.readline() == "ready\n"
    for racer in racers:
        racer.stdin.write("go\n")
        racer.stdin.flush()
    for racer in racers:
        output, _ = racer.communicate(timeout=60)
        assert (racer.returncode, output) == (0, "")

    seen = Counter(int(line) for out in outs for line in out.read_text().split())
    assert seen == Counter(range(300))
    assert [path for path in bench.root.rglob("*") if path.is_file()] == []
