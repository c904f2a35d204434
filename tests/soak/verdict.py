"""Whether the books agree with what arrived, record by record.

| lost records | are explained by |
|---|---|
| of a killed process, emitted in the last half second | memory at SIGKILL |
| of a killed process, older | what its last ledger had queued in memory |
| of any process | a ledger that counts them as dropped or unconfirmed |
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from soak.receiver import Receiver

SIGNALS = ("traces", "logs")
#: Nanoseconds before SIGKILL in which what was emitted may not be on disk yet.
IN_MEMORY_NS = 500_000_000


@dataclass
class Row:
    """One signal in figures; what arrived is said by the receiver, what was emitted by the journals."""

    emitted: int = 0
    received: int = 0
    distinct: int = 0
    lost: int = 0
    at_kill: int = 0
    queued_at_kill: int = 0
    counted: Counter[str] = field(default_factory=Counter)
    foreign: int = 0

    @property
    def unexplained(self) -> int:
        """Lost records that no ledger and no SIGKILL explains."""
        return max(0, self.lost - self.at_kill - self.queued_at_kill - self.counted.total())

    @property
    def explanation(self) -> str:
        """The reasons, with their figures."""
        parts = {"memory at SIGKILL": self.at_kill, "queued at SIGKILL": self.queued_at_kill, **self.counted}
        return ", ".join(f"{reason} {count}" for reason, count in parts.items() if count) or "-"


class Verdict:
    """Reads what the processes left, and compares.

    Args:
        notes: where journals and ledgers are.
        receiver: what arrived.
        killed: when each killed process died.

    Attributes:
        rows: by signal.
        wrong: what does not agree, one line each.
        rss: the most memory that a process took, in bytes.
    """

    def __init__(self, notes: Path, receiver: Receiver, killed: Mapping[str, int]) -> None:
        self._receiver = receiver
        self._killed = killed
        self._ledgers = {path.stem: json.loads(path.read_text()) for path in sorted(notes.glob("*.json"))}
        self.rows = {signal: Row() for signal in SIGNALS}
        self.wrong: list[str] = []
        self.rss = max(ledger["rss"] for ledger in self._ledgers.values())
        self._read_journals(notes)
        self._read_ledgers()
        self._check_families()
        self._check_counters()

    def _read_journals(self, notes: Path) -> None:
        found = {signal: self._receiver.sink.ids(signal) for signal in SIGNALS}
        expected: Counter[str] = Counter()
        for path in notes.glob("*.journal"):
            self._read_journal(path, found, expected)
        for signal, row in self.rows.items():
            tally = self._receiver.sink.tally(signal)
            row.received, row.distinct = tally.received, tally.distinct
            row.foreign = tally.distinct - expected[signal]
            if row.foreign:
                self.wrong.append(f"{signal}: {row.foreign} records arrived that nobody emitted")

    def _read_journal(self, path: Path, found: Mapping[str, Counter[str]], expected: Counter[str]) -> None:
        died = self._killed.get(path.stem)
        queued: Counter[str] = Counter()
        for signal, at, identity in _lines(path):
            row = self.rows[signal]
            row.emitted += 1
            if identity in found[signal]:
                expected[signal] += 1
                continue
            row.lost += 1
            if died is not None and at >= died - IN_MEMORY_NS:
                row.at_kill += 1
            elif died is not None:
                queued[signal] += 1
        for signal, count in queued.items():
            account = self._ledgers.get(path.stem, {}).get("accounts", {}).get(signal, {})
            self.rows[signal].queued_at_kill += min(count, account.get("queued", 0))

    def _read_ledgers(self) -> None:
        for name, ledger in self._ledgers.items():
            self.wrong += [f"{name}: {count} errors swallowed at {site}" for site, count in ledger["guard"].items()]
            if not ledger["ended"] and name not in self._killed:
                self.wrong.append(f"{name}: it left no last ledger")
            for signal, account in ledger["accounts"].items():
                self._check(name, ledger, signal, account)

    def _check(self, name: str, ledger: Mapping[str, Any], signal: str, account: Mapping[str, Any]) -> None:
        where = f"{name} {signal}"
        columns = account["delivered"] + account["unconfirmed"] + account["spooled"] + account["queued"]
        if account["emitted"] != columns + sum(account["dropped"].values()):
            self.wrong.append(f"{where}: the columns do not add up: {account}")
        if min(account[column] for column in ("delivered", "unconfirmed", "spooled", "queued")) < 0:
            self.wrong.append(f"{where}: a column is negative: {account}")
        emitted, noted = account["emitted"] - ledger["adopted"][signal], ledger["noted"].get(signal, 0)
        if signal in SIGNALS:
            if ledger["ended"] and emitted != noted:
                self.wrong.append(f"{where}: the ledger says {emitted} emitted, the journal {noted}")
            counted = self.rows[signal].counted
            counted.update(account["dropped"])
            counted["unconfirmed"] += account["unconfirmed"]
            if ledger["ended"] and account["queued"]:
                counted["queued at os._exit"] += account["queued"]

    def _check_families(self) -> None:
        """What a producer and its forked children say was delivered, beside what the receiver answered them."""
        families: defaultdict[str, list[Mapping[str, Any]]] = defaultdict(list)
        for name, ledger in self._ledgers.items():
            families[name.partition(".")[0]].append(ledger)
        for name, members in families.items():
            for signal in (*SIGNALS, "metrics"):
                accounts = [member["accounts"][signal] for member in members]
                delivered = sum(account["delivered"] for account in accounts)
                left = sum(account["spooled"] + account["unconfirmed"] + account["queued"] for account in accounts)
                answered = self._receiver.answered[name, signal]
                at_most = answered + self._receiver.uncertain[name, signal]
                at_least = answered - left if all(member["ended"] for member in members) else 0
                if not at_least <= delivered <= at_most:
                    self.wrong.append(
                        f"{name} {signal}: {delivered} delivered by its ledgers, with {left} left; "
                        f"the receiver answered {answered}, and perhaps {at_most - answered}"
                    )

    def _check_counters(self) -> None:
        """The counter of a process ends at the number of its spans."""
        for name, ledger in self._ledgers.items():
            spans = ledger["noted"].get("traces", 0)
            account = ledger["accounts"]["metrics"]
            counted = self._receiver.units.get(ledger["instance"], 0)
            lost = account["unconfirmed"] + account["queued"] + sum(account["dropped"].values())
            if ledger["ended"] and not lost and counted != spans:
                self.wrong.append(f"{name}: the receiver has a counter of {counted} where {spans} were counted")

    def agree(self) -> bool:
        """Whether nothing is unexplained."""
        return not self.wrong and not any(row.unexplained for row in self.rows.values())

    def processes(self) -> Counter[str]:
        """How many there were, by how they ended."""
        return Counter(
            "killed" if name in self._killed else "forked" if "." in name else "ended" for name in self._ledgers
        )


def _lines(path: Path) -> Iterator[tuple[str, int, str]]:
    with path.open() as journal:
        for line in journal:
            at, signal, identity = line.split()
            yield signal, int(at), identity
