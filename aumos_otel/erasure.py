"""``aumos-otel erase``: remove a tenant's or a user's records from the spool and from the local backend.

Directories of ended processes are rewritten at once.  A living process is asked, and erases before its next
send; what its destination has taken already is out of reach.
"""

from __future__ import annotations

import contextlib
import functools
import os
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import plan
from aumos_otel.config import SIGNALS
from aumos_otel.errors import AumosOtelError, ConfigError, MissingExtraError
from aumos_otel.redaction.policy import Redactor
from aumos_otel.spool import directory as directories
from aumos_otel.spool import requests, rewrite
from aumos_otel.spool.holding import Holding
from aumos_otel.spool.subject import Subject, only_hashes

if TYPE_CHECKING:
    from aumos_otel.spool.subject import Redacted

#: Seconds between two looks at whether a living process has answered.
_LOOK_INTERVAL: Final = 0.05


@dataclass(slots=True)
class Report:
    """What was erased, and what could not be.

    Attributes:
        spooled: records removed from the spool.
        stored: records removed from the local backend.
        damaged: records in the spool that could not be read and were removed unread.
        waiting: living processes that were asked and have not answered yet: they erase before their next send.
        unreadable: files that were left alone, because a newer version wrote them.
        failed: what went wrong, one line each.
    """

    spooled: int = 0
    stored: int = 0
    damaged: int = 0
    waiting: int = 0
    unreadable: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> int:
        """0: erased, or about to be; 1: there was nothing; 2: something is left."""
        if self.failed or self.unreadable:
            return 2
        return 0 if self.spooled or self.stored or self.damaged or self.waiting else 1

    def counts(self) -> list[tuple[str, int]]:
        """The figures, each with what it counts."""
        return [
            ("records erased from the spool", self.spooled),
            ("records erased from the local backend", self.stored),
            ("damaged records removed unread", self.damaged),
            ("running processes that erase before their next send", self.waiting),
        ]

    def to_dict(self) -> dict[str, Any]:
        """The report as plain data."""
        return asdict(self)


def places(root: Path | None = None, database: Path | None = None) -> tuple[Path, Path | None]:
    """The root of the spool and the database of the local backend: as given, else as this environment has them.

    The database is None where the local backend is not installed.
    """
    configured = plan.resolve({}, os.environ).spool.directory
    spool = Path(configured) if configured else directories.default_root()
    if database is None:
        with contextlib.suppress(ModuleNotFoundError):
            from aumos_otel.local import schema  # noqa: PLC0415 - an optional part

            database = schema.default_path()
    return root or spool, database


def hashes() -> Redacted | None:
    """What redaction leaves of an id where this environment hashes; None without a key."""
    options = plan.resolve({}, os.environ).redaction
    return only_hashes(Redactor(options).value) if options is not None and options.hash_key else None


def erase(
    root: Path,
    tenant: str | None = None,
    user: str | None = None,
    *,
    database: Path | None = None,
    redacted: Redacted | None = None,
    wait: float = 5.0,
) -> Report:
    """Remove every record of a tenant, of a user, or of a user of a tenant.

    Args:
        root: the root of the spool.
        tenant: id of the tenant.
        user: id of the user; with ``tenant`` too, only where both are said.
        database: the file of the local backend; None: leave it.
        redacted: what redaction leaves of an id, where it is set to hash them.
        wait: seconds that living processes have to answer.

    Raises:
        ConfigError: neither a tenant nor a user is named, or others may write in ``root``.
    """
    if not tenant and not user:
        raise ConfigError("erase", seen="no subject", expected="a tenant or a user", remedy="pass --tenant or --user")
    subject = Subject(tenant or None, user or None)
    report = Report()
    if root.is_dir():
        directories.check_root(root)
        _erase_spool(_Sweep(subject, redacted, report), root, wait)
    if database is not None and database.is_file():
        try:
            report.stored = _erase_stored(database, subject)
        except AumosOtelError as error:
            report.failed.append(str(error))
    return report


def _erase_stored(database: Path, subject: Subject) -> int:
    try:
        from aumos_otel.local.store import Store  # noqa: PLC0415 - an optional part
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"database {database}", extra="local", module=str(error.name)) from None
    return Store(database).erase(subject.tenant, subject.user)


@dataclass(frozen=True, slots=True)
class _Sweep:
    subject: Subject
    redacted: Redacted | None
    report: Report

    def erase(self, signal: str, path: Path) -> bool:
        """Rewrite the directory of an ended process; False if its owner lives."""
        directory = directories.Directory.claim(path)
        if directory is None:
            return not path.exists()
        holding = Holding(directory, self._count_damaged)
        try:
            holding.load()
            strip = functools.partial(self.subject.strip, signal, redacted=self.redacted)
            self.report.spooled += rewrite.erase(holding, signal, strip)
            self.report.unreadable += [str(left) for left in path.glob("*.seg.unreadable-*")]
        finally:
            holding.close()
        return True

    def _count_damaged(self, _reason: str, count: int) -> None:
        self.report.damaged += count


def _erase_spool(sweep: _Sweep, root: Path, wait: float) -> None:
    asked: list[tuple[str, Path]] = []
    for signal in SIGNALS:
        for place in root.glob(f"*/*/{signal}"):
            for path in directories.process_directories(place):
                try:
                    if not sweep.erase(signal, path):
                        asked.append((signal, requests.ask(path, sweep.subject)))
                except OSError as error:
                    sweep.report.failed.append(f"{path}: {type(error).__name__}: {error}")
    deadline = time.monotonic() + wait
    while asked and time.monotonic() < deadline:
        asked = [(signal, request) for signal, request in asked if not _is_answered(sweep, signal, request)]
        if asked:
            time.sleep(_LOOK_INTERVAL)
    sweep.report.waiting = len(asked)


def _is_answered(sweep: _Sweep, signal: str, request: Path) -> bool:
    """Whether the owner erased, or ended, in which case its directory is rewritten from here."""
    removed = requests.read_answer(request)
    if removed is not None:
        sweep.report.spooled += removed
        return True
    try:
        if not sweep.erase(signal, request.parent):
            return False
        request.unlink(missing_ok=True)
    except OSError as error:
        sweep.report.failed.append(f"{request.parent}: {type(error).__name__}: {error}")
    return True
