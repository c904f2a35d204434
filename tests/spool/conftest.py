"""A spool in a temporary directory, and what it said was lost."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections import Counter

import pytest

from aumos_otel.config import SpoolOptions
from aumos_otel.spool.spool import Spool


def resolved(**options):
    """Options with every gap filled."""
    return SpoolOptions(**({"min_free": 0} | options)).resolve({}, {}, {})


class Bench:
    """Opens spools below one root, closes them after the test, and sums up what they lost."""

    def __init__(self, root):
        self.root = root
        self.lost = Counter()
        self.now_ns = time.time_ns()
        self._open = []

    def open(self, *, service="shop", destination="otlp", signal="traces", redacted=None, **options):
        """A spool; `open` again is another process as far as files and locks are concerned."""
        spool = Spool(
            resolved(directory=str(options.pop("root", self.root)), **options),
            service,
            destination,
            signal,
            lost=self._count,
            redacted=redacted,
            now_ns=lambda: self.now_ns,
        )
        self._open.append(spool)
        return spool

    def _count(self, reason, count):
        self.lost[reason] += count

    def crash(self, spool):
        """What is left of a process that was killed: its descriptors are closed, its files stay as they are."""
        spool.after_fork()

    def close(self):
        """Close what is still open."""
        for spool in self._open:
            spool.close()

    def segments(self):
        """Every segment on disk."""
        return sorted(self.root.rglob("*.seg"))


def drain(spool):
    """Hand out and finish everything; the bodies in order."""
    bodies = []
    while (frame := spool.next()) is not None:
        bodies.append(frame.body)
        spool.done(frame)
    return bodies


@pytest.fixture
def bench(tmp_path):
    """A place for spools."""
    made = Bench(tmp_path / "spool")
    yield made
    made.close()


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 1 MiB; skipped where this user cannot mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = shutil.which("mount")
    command = [mount or "mount", "-t", "tmpfs", "-o", "size=1m,mode=0700", "tmpfs", str(place)]
    if mount is None or subprocess.run(command, check=False, capture_output=True).returncode:
        pytest.skip("cannot mount a tmpfs")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=True)
