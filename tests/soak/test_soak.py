"""The soak in short, its schedule, and that its verdict finds what is wrong."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from soak.nemesis import HOST, RECEIVER, schedule
from soak.verdict import IN_MEMORY_NS, Verdict

from aumos_otel.testing.records import Tally

SECOND = 1_000_000_000


class Arrived:
    """A receiver that has these spans, and answered for as many."""

    def __init__(self, *spans: str) -> None:
        self.sink = self
        self.answered = Counter({("p1", "traces"): len(spans)})
        self.uncertain: Counter[tuple[str, str]] = Counter()
        self.units = {"p1": 2}
        self._spans = Counter(spans)

    def ids(self, signal: str) -> Counter[str]:
        """Of one signal."""
        return self._spans if signal == "traces" else Counter()

    def tally(self, signal: str) -> Tally:
        """Of one signal."""
        return Tally.of(self.ids(signal))


def account(**columns: Any) -> dict[str, Any]:
    """An account with these columns, which add up."""
    empty = {"delivered": 0, "unconfirmed": 0, "spooled": 0, "queued": 0, "dropped": {}}
    sums = sum(value for value in columns.values() if isinstance(value, int))
    return empty | {"emitted": sums + sum(columns.get("dropped", {}).values())} | columns


@pytest.fixture
def notes(tmp_path: Path) -> Path:
    """What a process leaves that emitted the spans a and b, five seconds apart."""
    (tmp_path / "p1.journal").write_text(f"{SECOND} traces a\n{6 * SECOND} traces b\n")
    return tmp_path


def ledger(notes: Path, *, ended: bool = True, swallowed: int = 0, **traces: Any) -> None:
    """Its ledger, with these columns for spans."""
    nothing = {signal: account() for signal in ("logs", "metrics")}
    written = {
        "ended": ended,
        "instance": "p1",
        "noted": {"traces": 2},
        "rss": 1,
        "adopted": dict.fromkeys(("traces", "logs", "metrics"), 0),
        "accounts": {"traces": account(**traces), **nothing},
        "guard": {"site": swallowed} if swallowed else {},
    }
    (notes / "p1.json").write_text(json.dumps(written))


def test_all_is_well(notes: Path) -> None:
    """What was emitted arrived once, and the ledger says so."""
    ledger(notes, delivered=2)

    verdict = Verdict(notes, Arrived("a", "b"), {})

    assert verdict.agree(), verdict.wrong
    assert (verdict.rows["traces"].emitted, verdict.rows["traces"].lost) == (2, 0)


def test_a_loss_that_nobody_counts(notes: Path) -> None:
    """A record that is delivered by the ledger, but did not arrive, is found twice over."""
    ledger(notes, delivered=2)

    verdict = Verdict(notes, Arrived("a"), {})

    assert verdict.rows["traces"].unexplained == 1
    assert "2 delivered by its ledgers" in verdict.wrong[0]


def test_a_loss_that_is_counted(notes: Path) -> None:
    """A record that the ledger counts as dropped is explained."""
    ledger(notes, delivered=1, dropped={"spool_full": 1})

    verdict = Verdict(notes, Arrived("a"), {})

    assert verdict.agree(), verdict.wrong
    assert verdict.rows["traces"].explanation == "spool_full 1"


@pytest.mark.parametrize(
    ("died", "explained"), [(6 * SECOND, True), (6 * SECOND + IN_MEMORY_NS, True), (8 * SECOND, False)]
)
def test_memory_at_sigkill(notes: Path, died: int, *, explained: bool) -> None:
    """What was emitted just before SIGKILL may be lost, what is older may not."""
    ledger(notes, ended=False, delivered=1)

    verdict = Verdict(notes, Arrived("a"), {"p1": died})

    assert (verdict.rows["traces"].at_kill, verdict.agree()) == (int(explained), explained)


@pytest.mark.parametrize(
    ("columns", "arrived", "word"),
    [
        ({"delivered": 2}, ("a", "b", "c"), "nobody emitted"),
        ({"delivered": 3}, ("a", "b"), "the ledger says 3 emitted, the journal 2"),
        ({"delivered": 2, "emitted": 5}, ("a", "b"), "do not add up"),
        ({"delivered": 3, "queued": -1}, ("a", "b"), "negative"),
    ],
)
def test_books_that_are_wrong(notes: Path, columns: dict[str, int], arrived: tuple[str, ...], word: str) -> None:
    """A record from nowhere and a ledger that contradicts journal, receiver or itself are told."""
    ledger(notes, **columns)

    verdict = Verdict(notes, Arrived(*arrived), {})

    assert not verdict.agree()
    assert any(word in line for line in verdict.wrong), verdict.wrong


def test_an_error_that_was_swallowed(notes: Path) -> None:
    """Nothing of ours may fail, the guard or no guard."""
    ledger(notes, swallowed=3, delivered=2)

    assert Verdict(notes, Arrived("a", "b"), {}).wrong == ["p1: 3 errors swallowed at site"]


def test_a_process_that_vanished(notes: Path) -> None:
    """A process that neither ended nor was killed is told."""
    ledger(notes, ended=False, delivered=2)

    assert Verdict(notes, Arrived("a", "b"), {}).wrong == ["p1: it left no last ledger"]


@pytest.mark.parametrize("kinds", [RECEIVER, HOST])
def test_a_schedule_can_be_replayed(kinds: dict[str, tuple[float, float]]) -> None:
    """The same seed gives the same faults, in which every kind occurs, and which are over before the end."""
    faults = list(schedule(kinds, 300.0, 3, "7"))

    assert faults == list(schedule(kinds, 300.0, 3, "7")) != list(schedule(kinds, 300.0, 3, "8"))
    assert {fault.kind for fault in faults} == set(kinds)
    assert max(fault.at + fault.seconds for fault in faults) < 300


@pytest.mark.e2e
@pytest.mark.timeout(300)
def test_the_soak_in_short() -> None:
    """Twenty seconds with every fault lose nothing that is not counted."""
    command = [sys.executable, str(Path(__file__).with_name("run.py")), "--seconds", "20", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the books agree with the receiver" in done.stdout
