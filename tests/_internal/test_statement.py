"""The statements of account that processes leave for `aumos-otel doctor`."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from aumos_otel._internal import statement


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A state directory of the test's own."""
    path = tmp_path / "state"
    monkeypatch.setenv("AUMOS_OTEL_STATE_DIR", str(path))
    return path


def test_a_statement_is_read_back(directory: Path) -> None:
    """What a process wrote is read with its process; the file is this user's alone."""
    statement.write({"state": "ok", "destinations": []}, "chat-api")

    (said,) = statement.read_all()
    assert (said.pid, said.service, said.running, said.status["state"]) == (os.getpid(), "chat-api", True, "ok")
    assert said.age < 60
    (file,) = directory.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_later_statement_replaces_the_earlier(directory: Path) -> None:
    """There is one file a process."""
    for state in ("ok", "failing"):
        statement.write({"state": state}, "chat-api")

    assert [said.status["state"] for said in statement.read_all()] == ["failing"]
    assert len(list(directory.iterdir())) == 1


def ended() -> int:
    """The number of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def leave(directory: Path, pid: int, age: float = 0.0) -> Path:
    """A statement of another process."""
    statement.write({"state": "ok"}, "other")
    mine = directory / f"ledger-{os.getpid()}.json"
    path = directory / f"ledger-{pid}.json"
    path.write_text(json.dumps(json.loads(mine.read_text()) | {"pid": pid}))
    path.chmod(0o600)
    mine.unlink()
    os.utime(path, times=(path.stat().st_atime, path.stat().st_mtime - age))
    return path


def test_an_ended_process_is_told_as_such(directory: Path) -> None:
    """The last words of an ended process are kept for a day."""
    leave(directory, ended())

    (said,) = statement.read_all()
    assert not said.running


def test_old_last_words_are_thrown_away(directory: Path) -> None:
    """After a day the file of an ended process goes."""
    path = leave(directory, ended(), age=statement.KEPT + 60)

    assert statement.read_all() == []
    assert not path.exists()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", "null", '{"pid": "x"}', '{"pid": -1, "started": 0, "service": "a"}']
)
def test_junk_is_left_out(directory: Path, content: str) -> None:
    """A file that is no statement is not believed, and harms nobody."""
    directory.mkdir(mode=0o700)
    path = directory / "ledger-1.json"
    path.write_text(content)
    path.chmod(0o600)

    assert statement.read_all() == []


def test_a_file_open_to_others_is_not_believed(directory: Path) -> None:
    """Who else can write it could tell anything."""
    path = leave(directory, os.getpid() + 1)
    path.chmod(0o666)

    assert statement.read_all() == []
