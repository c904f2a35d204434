"""Files of OTLP/JSON: whole lines, bounded size, several writers."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from servers.senders import spans
from servers.targets import soon

from aumos_otel import guard
from aumos_otel.config import OTLPFile
from aumos_otel.delivery import otlp_json
from aumos_otel.delivery.file import FileTransport
from aumos_otel.delivery.outcome import Outcome

BODY = spans(1).SerializeToString()


def transport(path: Path, **options: object) -> FileTransport:
    """A transport to a file."""
    return FileTransport("traces", OTLPFile(path=str(path), **options).resolve({}, {}, {}))


def numbers(*files: Path) -> list[int]:
    """The spans of files, line by line; each line must be a whole request."""
    found = []
    for file in files:
        for line in file.read_bytes().splitlines():
            (resource,) = json.loads(line)["resourceSpans"]
            found += [int(span["name"].split()[1]) for span in resource["scopeSpans"][0]["spans"]]
    return found


def test_lines(tmp_path: Path) -> None:
    """Each request is a line, in a file that nobody else may read, in a directory that is made for it."""
    file = tmp_path / "new" / "telemetry.jsonl"
    written = transport(file)

    assert [written.send(spans(n).SerializeToString(), soon()) for n in range(3)] == [Outcome("accepted")] * 3

    assert numbers(file) == [0, 1, 2]
    assert file.read_bytes().endswith(b"\n")
    assert otlp_json.to_protobuf("traces", file.read_bytes().splitlines()[1]) == BODY
    assert file.stat().st_mode & 0o777 == 0o600
    written.close()


def test_rotation_by_size(tmp_path: Path) -> None:
    """A file never grows beyond its bound, the oldest of the renamed ones goes, and no line is lost before."""
    file = tmp_path / "t.jsonl"
    line = len(otlp_json.from_protobuf("traces", spans(10).SerializeToString())) + 1
    written = transport(file, max_bytes=3 * line, backups=2)

    for number in range(10, 21):
        assert written.send(spans(number).SerializeToString(), soon()).kind == "accepted"

    assert numbers(tmp_path / "t.jsonl.2", tmp_path / "t.jsonl.1", file) == list(range(13, 21))
    assert {path.name for path in tmp_path.iterdir()} == {"t.jsonl", "t.jsonl.1", "t.jsonl.2", "t.jsonl.lock"}


def test_a_line_that_is_larger_than_a_file(tmp_path: Path) -> None:
    """A line above the bound is written all the same, in a file of its own."""
    file = tmp_path / "t.jsonl"
    written = transport(file, max_bytes=10, backups=1)

    assert [written.send(spans(n).SerializeToString(), soon()).kind for n in (1, 2)] == ["accepted"] * 2

    assert numbers(tmp_path / "t.jsonl.1", file) == [1, 2]


def test_no_backups(tmp_path: Path) -> None:
    """Without backups a full file is begun anew."""
    file = tmp_path / "t.jsonl"
    written = transport(file, max_bytes=10, backups=0)
    for number in (1, 2):
        written.send(spans(number).SerializeToString(), soon())

    assert numbers(file) == [2]


def test_rotation_by_age(tmp_path: Path) -> None:
    """A file that was begun too long ago is renamed, also by a process that began later."""
    file = tmp_path / "t.jsonl"
    transport(file, max_age=3600).send(spans(1).SerializeToString(), soon())
    transport(file, max_age=3600).send(spans(2).SerializeToString(), soon())
    begun = time.time_ns() - 3601 * 10**9
    os.utime(tmp_path / "t.jsonl.lock", ns=(begun, begun))

    for number in (3, 4):
        transport(file, max_age=3600).send(spans(number).SerializeToString(), soon())

    assert numbers(tmp_path / "t.jsonl.1") == [1, 2]
    assert numbers(file) == [3, 4]


@pytest.mark.parametrize("what", ["rename", "unlink"])
def test_a_file_that_goes_away(what: str, tmp_path: Path) -> None:
    """A file that somebody renamed or deleted is made again."""
    file = tmp_path / "t.jsonl"
    written = transport(file)
    written.send(spans(1).SerializeToString(), soon())
    file.rename(tmp_path / "moved") if what == "rename" else file.unlink()

    assert written.send(spans(2).SerializeToString(), soon()).kind == "accepted"

    assert numbers(file) == [2]


@settings(max_examples=30, deadline=None)
@given(cut=st.integers(1, 200))
def test_a_torn_line(cut: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    """After a line that a crash tore, the next one begins on its own."""
    file = tmp_path_factory.mktemp("torn") / "t.jsonl"
    written = transport(file)
    for number in (1, 2):
        written.send(spans(number).SerializeToString(), soon())
    content = file.read_bytes()
    last = len(content.splitlines(keepends=True)[1])
    file.write_bytes(content[: len(content) - min(cut, last - 1)])

    written.send(spans(3).SerializeToString(), soon())

    lines = file.read_bytes().splitlines()
    assert len(lines) == 3
    assert json.loads(lines[0])
    assert json.loads(lines[2])


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_a_disk_that_does_not_take_it(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A write that fails may be tried again; the file is as it was."""
    file = tmp_path / "t.jsonl"
    written = transport(file)
    written.send(spans(1).SerializeToString(), soon())
    with monkeypatch.context() as patch:

        def fail(*_arguments: object) -> int:
            raise OSError(number, os.strerror(number))

        patch.setattr(os, "write", fail)
        outcome = written.send(spans(2).SerializeToString(), soon())

    assert (outcome.kind, outcome.ambiguous) == ("retry", False)
    assert outcome.message == f"{file}: {os.strerror(number)}"
    assert numbers(file) == [1]


def test_a_disk_that_takes_half_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a line that did not fit nothing is left."""
    file = tmp_path / "t.jsonl"
    written = transport(file)
    written.send(spans(1).SerializeToString(), soon())
    write = os.write
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:20]))
        outcome = written.send(spans(2).SerializeToString(), soon())

    assert outcome.kind == "retry"
    assert written.send(spans(3).SerializeToString(), soon()).kind == "accepted"
    assert numbers(file) == [1, 3]


def test_what_is_no_file(tmp_path: Path) -> None:
    """A directory, a pipe, or a path below a file is told, and does not block."""
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "file").touch()

    for path in (tmp_path, tmp_path / "pipe", tmp_path / "file" / "t.jsonl"):
        outcome = transport(path).send(BODY, soon(2))
        assert outcome.kind == "retry"
        assert str(path) in outcome.message


def test_a_body_that_is_no_request(tmp_path: Path) -> None:
    """A body that cannot be written as JSON is refused."""
    assert transport(tmp_path / "t.jsonl").send(b"\xff\xff", soon()).kind == "rejected"


def test_somebody_else_has_the_lock(tmp_path: Path) -> None:
    """Waiting for another writer ends at the deadline."""
    written = transport(tmp_path / "t.jsonl")
    written.send(BODY, soon())
    with (tmp_path / "t.jsonl.lock").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        deadline = soon(0.2)
        outcome = written.send(BODY, deadline)

        assert 0 <= time.monotonic() - deadline < 1.0
    assert outcome.kind == "retry"
    assert "another process holds the lock" in outcome.message


WRITER = """
import sys
sys.path.insert(0, {tests!r})
from servers.senders import spans
from servers.targets import soon
from pathlib import Path
from aumos_otel import guard
from aumos_otel.config import OTLPFile
from aumos_otel.delivery.file import FileTransport
written = FileTransport("traces", OTLPFile(path={path!r}, max_bytes=20_000, backups=1000).resolve({{}}, {{}}, {{}}))
for number in range({first}, {first} + 200):
    assert written.send(spans(number).SerializeToString(), soon(60)).kind == "accepted"
"""


def test_several_writers(tmp_path: Path) -> None:
    """Processes and threads that write the same file, and rotate it, lose no line and mix none."""
    file, tests = tmp_path / "t.jsonl", str(Path(__file__).parents[1])
    scripts = [WRITER.format(tests=tests, path=str(file), first=first) for first in (0, 200, 400)]
    processes = [subprocess.Popen([sys.executable, "-c", script]) for script in scripts]

    def write(first: int) -> None:
        written = transport(file, max_bytes=20_000, backups=1000)
        for number in range(first, first + 100):
            written.send(spans(number).SerializeToString(), soon(60))

    threads = [threading.Thread(target=write, args=(first,)) for first in (600, 700)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [process.wait(60) for process in processes] == [0, 0, 0]

    files = [path for path in tmp_path.iterdir() if not path.name.endswith(".lock")]
    assert sorted(numbers(*files)) == list(range(800))
    assert len(files) > 3
    assert max(path.stat().st_size for path in files) <= 20_000


def test_a_defect_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever goes wrong inside is an outcome."""
    written = transport(tmp_path / "t.jsonl")
    monkeypatch.setattr(otlp_json, "from_protobuf", lambda *_arguments: 1 / 0)
    strict = guard.set_strict(False)
    try:
        outcome = written.send(BODY, soon())
    finally:
        guard.set_strict(strict)

    assert outcome.kind == "retry"


def test_a_file_behind_a_link(tmp_path: Path) -> None:
    """A link to a file is followed; rotation renames the link's own name."""
    (tmp_path / "volume").mkdir()
    file = tmp_path / "t.jsonl"
    file.symlink_to(tmp_path / "volume" / "t.jsonl")

    assert transport(file).send(spans(1).SerializeToString(), soon()).kind == "accepted"

    assert numbers(tmp_path / "volume" / "t.jsonl") == [1]
