"""The statement of account that each process leaves beside the state file of the local backend.

``aumos-otel doctor`` reads them: what became of the telemetry of every process of this user, also
of those that have ended.  A statement is ``status().to_dict()`` with the process that wrote it.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from aumos_otel._internal import discovery

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Seconds between two statements of a process.
INTERVAL: Final = 10.0
#: Seconds after which the statement of an ended process is thrown away, and the most that are kept.
KEPT: Final = 24 * 3600.0
MOST: Final = 64

_PREFIX: Final = "ledger-"
_MAX_BYTES: Final = 256 * 1024


@dataclass(frozen=True, slots=True)
class Statement:
    """What a process last said.

    Attributes:
        pid: the process.
        service: its service.name.
        running: whether it still runs.
        age: seconds since it said so.
        status: what `Status.to_dict` gave.
    """

    pid: int
    service: str
    running: bool
    age: float
    status: Mapping[str, Any]


def write(status: Mapping[str, Any], service: str) -> None:
    """Leave a statement for this process, replacing an older one at once.

    Raises:
        OSError: the directory cannot be made or written.
    """
    pid = os.getpid()
    content = {"pid": pid, "started": discovery.process_start(pid), "service": service, "status": status}
    discovery.publish(_path(pid), json.dumps(content, default=str))


def read_all() -> list[Statement]:
    """Every statement that can be trusted, the newest first; old ones of ended processes are thrown away."""
    found = sorted(_read(), key=lambda pair: pair[1].age)
    for number, (path, statement) in enumerate(found):
        if not statement.running and (statement.age > KEPT or number >= MOST):
            with contextlib.suppress(OSError):
                path.unlink()
    return [statement for _, statement in found if statement.running or statement.age <= KEPT][:MOST]


def _path(pid: int) -> Path:
    return discovery.state_path().parent / f"{_PREFIX}{pid}.json"


def _read() -> Iterator[tuple[Path, Statement]]:
    for path in discovery.private_files(_PREFIX):
        try:
            age = max(0.0, time.time_ns() / 1e9 - path.stat().st_mtime)
            content = json.loads(discovery.read_private(path, _MAX_BYTES) or "")
            running = discovery.is_running(content["pid"], content["started"])
            statement = Statement(content["pid"], str(content["service"]), running, age, dict(content["status"]))
        except (OSError, ValueError, TypeError, KeyError, RecursionError):
            continue
        yield path, statement
