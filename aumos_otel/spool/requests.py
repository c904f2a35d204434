"""How a process asks the owner of a directory to erase: one small file, answered by another."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
from typing import TYPE_CHECKING, Any, Final

from aumos_otel.spool.subject import Subject

if TYPE_CHECKING:
    from pathlib import Path

_ASKED: Final = "erase-"
_ANSWERED: Final = "erased-"


def ask(directory: Path, subject: Subject) -> Path:
    """Leave a request in the directory of a living process.

    Raises:
        OSError: the disk refuses, or the directory is gone.
    """
    name = f"{secrets.token_hex(8)}.json"
    _write(directory / f"{_ASKED}{name}", {"tenant": subject.tenant, "user": subject.user})
    return directory / f"{_ASKED}{name}"


def pending(directory: Path) -> list[tuple[Path, Subject]]:
    """The requests that wait in a directory."""
    found = []
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):  # noqa: PTH208 - names alone, once before every send
            if name.startswith(_ASKED) and name.endswith(".json"):
                with contextlib.suppress(OSError, ValueError, TypeError):
                    found.append((directory / name, Subject(**json.loads((directory / name).read_text("utf-8")))))
    return found


def answer(request: Path, removed: int) -> None:
    """Say that a request was carried out.

    Raises:
        OSError: the disk refuses.
    """
    with contextlib.suppress(OSError):  # on a full disk the asker sees the request vanish, and no figure
        _write(_answer_of(request), {"removed": removed})
    request.unlink(missing_ok=True)


def read_answer(request: Path) -> int | None:
    """How many records the owner removed; None while it has not answered."""
    if request.exists():
        return None
    try:
        removed = int(json.loads(_answer_of(request).read_text("utf-8"))["removed"])
    except (OSError, ValueError, TypeError, KeyError):
        return 0
    _answer_of(request).unlink(missing_ok=True)
    return removed


def _answer_of(request: Path) -> Path:
    return request.with_name(_ANSWERED + request.name.removeprefix(_ASKED))


def _write(path: Path, content: dict[str, Any]) -> None:
    temporary = path.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    temporary.replace(path)
