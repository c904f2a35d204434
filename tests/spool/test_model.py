"""The spool against a list: whatever is done in whatever order, nothing is lost untold, and nothing comes out of order."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from .conftest import Bench

AGE = 3600


class SpoolMachine(RuleBasedStateMachine):
    """A spool whose process may die at any moment, beside what it should hold."""

    def __init__(self):
        super().__init__()
        self.root = Path(tempfile.mkdtemp(prefix="spool-"))
        self.bench = Bench(self.root / "root")
        self.bench.now_ns = 1_700_000_000 * 10**9
        self.waiting = []  # (body, count, created_ns) that was taken and is neither done nor dropped
        self.underway = []
        self.settled = set()
        self.number = self.last = 0
        self.taken = self.finished = 0
        self.spool = self.new_spool()

    def new_spool(self):
        """What every process of the service opens."""
        return self.bench.open(max_bytes=64 * 1024, max_age=AGE)

    @rule(size=st.integers(4, 9000), count=st.integers(1, 50))
    def append(self, size, count):
        """A request is taken, or the spool is full of what is underway."""
        self.number += 1
        self.bench.now_ns += 1
        body = self.number.to_bytes(4, "big") * (size // 4)
        if self.spool.append(body, count):
            self.waiting.append((body, count, self.bench.now_ns))
            self.taken += count
        else:
            assert "underway" in self.spool.trouble

    @rule()
    def take(self):
        """The next request is one that waits."""
        frame = self.spool.next()
        handed = [held.body for held in self.underway]
        rest = [item for item in self.waiting if item[0] not in handed]
        if frame is None:
            assert sum(count for _body, count, _created in rest) <= self.bench.lost.total()
            return
        item = (frame.body, frame.count, frame.created_ns)
        if item not in rest:  # was done with ahead of an older one, before the process ended
            self.settled.remove(item)
            self.waiting.append(item)
        number = int.from_bytes(frame.body[:4], "big")
        assert number > self.last
        assert frame.created_ns >= self.bench.now_ns - AGE * 10**9
        self.last = number
        self.underway.append(frame)

    @precondition(lambda self: self.underway)
    @rule(data=st.data())
    def finish(self, data):
        """A request that is underway is done with, in any order."""
        frame = self.underway.pop(data.draw(st.integers(0, len(self.underway) - 1)))
        self.spool.done(frame)
        self.spool.done(frame)
        item = (frame.body, frame.count, frame.created_ns)
        self.waiting.remove(item)
        self.settled.add(item)
        self.finished += frame.count

    @rule(graceful=st.booleans())
    def restart(self, graceful):
        """The process ends, and the next takes over what it left; what was underway is handed out again."""
        before = self.spool.pending()[0]
        if graceful:
            self.spool.close()
        else:
            self.bench.crash(self.spool)
        self.spool = self.new_spool()
        adopted = self.spool.adopt()
        assert adopted >= before  # done out of order: sent again, at least once
        self.taken += adopted - before
        self.underway = []
        self.last = 0

    @rule(seconds=st.integers(1, AGE // 2))
    def wait(self, seconds):
        """Time goes by."""
        self.bench.now_ns += seconds * 10**9
        self.spool.expire()

    @invariant()
    def books_agree(self):
        """Taken = done + told as lost + pending, always."""
        assert self.taken == self.finished + self.bench.lost.total() + self.spool.pending()[0]
        assert set(self.bench.lost) <= {"spool_full", "spool_expired"}

    @invariant()
    def size_is_bounded(self):
        """The files never take more than the cap."""
        assert sum(path.stat().st_size for path in self.bench.segments()) <= 64 * 1024

    def teardown(self):
        """What is left is drained, oldest directory first, then by age."""
        while (frame := self.spool.next()) is not None:
            self.spool.done(frame)
            self.finished += frame.count
        for frame in self.underway:
            self.spool.done(frame)
            self.finished += frame.count
        assert self.spool.pending() == (0, 0)
        self.books_agree()
        self.bench.close()
        assert self.bench.segments() == []
        shutil.rmtree(self.root)


TestSpoolMachine = SpoolMachine.TestCase
TestSpoolMachine.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
