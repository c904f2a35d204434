"""The state file: found when true, ignored when stale, foreign or malformed."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from aumos_otel._internal import discovery
from aumos_otel._internal.discovery import LocalBackend


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """A backend of this process, with its own state directory."""
    monkeypatch.setenv(discovery.STATE_DIR_VARIABLE, str(tmp_path / "state"))
    return LocalBackend(os.getpid(), discovery.process_start(os.getpid()), "http://127.0.0.1:4318", "http://127.0.0.1:4319", "secret")  # fmt: skip


def put(content: str, mode: int = 0o600) -> Path:
    """Write the state file by hand."""
    path = discovery.state_path()
    path.parent.mkdir(mode=0o700, exist_ok=True)
    path.write_text(content)
    path.chmod(mode)
    return path


def test_what_was_written_is_read(mine):
    """The file round-trips, and is nobody else's to read."""
    discovery.write(mine)
    path = discovery.state_path()
    assert discovery.read() == mine
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert [item.name for item in path.parent.iterdir()] == ["local.json"]


def test_the_token_is_not_in_the_repr(mine):
    """A logged backend does not give its secret away."""
    assert "secret" not in repr(mine)


def test_where_the_file_is(tmp_path, monkeypatch):
    """The variable, else the runtime directory, else a directory of this user's among the temporary ones."""
    monkeypatch.setenv(discovery.STATE_DIR_VARIABLE, str(tmp_path))
    assert discovery.state_path() == tmp_path / "local.json"
    monkeypatch.delenv(discovery.STATE_DIR_VARIABLE)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "run"))
    assert discovery.state_path() == tmp_path / "run" / "aumos-otel" / "local.json"
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert discovery.state_path().parent.name == f"aumos-otel-{os.getuid()}"


def test_removing_takes_only_ones_own(mine):
    """A backend that ends withdraws its file, and leaves that of another."""
    discovery.write(replace(mine, pid=mine.pid + 1))
    discovery.remove()
    assert discovery.state_path().exists()
    discovery.write(mine)
    discovery.remove()
    discovery.remove()
    assert not discovery.state_path().exists()


def test_a_missing_file_is_no_backend(mine):
    """Nothing there is the normal case."""
    assert discovery.read() is None


def test_a_dead_process_is_no_backend(mine):
    """A backend that was killed left its file behind."""
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        child.wait()
    discovery.write(replace(mine, pid=child.pid))
    assert discovery.read() is None


def test_a_process_that_has_ended_but_is_not_reaped_is_no_backend(mine):
    """A zombie answers signal 0, and serves nothing."""
    child = subprocess.Popen([sys.executable, "-c", ""], stdout=subprocess.PIPE)
    child.stdout.read()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    discovery.write(replace(mine, pid=child.pid))
    assert discovery.read() is None
    child.wait()
    child.stdout.close()


def test_a_reused_pid_is_no_backend(mine):
    """The process of that number started at another time: it is another one."""
    discovery.write(replace(mine, started=mine.started - 60))
    assert discovery.read() is None


def test_where_start_times_are_unknown_the_pid_decides(mine, monkeypatch):
    """Outside Linux the number alone is known."""
    monkeypatch.setattr(discovery, "process_start", lambda _: None)
    discovery.write(replace(mine, started=1.0))
    assert discovery.read().pid == mine.pid


@pytest.mark.parametrize(
    "change",
    [
        {"otlp": "http://evil.example:4318"},
        {"otlp": "https://127.0.0.1:4318"},
        {"otlp": "http://127.0.0.1"},
        {"otlp": "http://127.0.0.1:99999"},
        {"otlp": "http://127.0.0.1@evil.example:4318"},
        {"ui": "file:///etc/passwd"},
        {"pid": "1"},
        {"pid": 0},
        {"pid": -1},
        {"pid": 2**80},
        {"started": "now"},
        {"token": None},
    ],
)
def test_a_file_that_says_something_else_is_ignored(mine, change):
    """Only processes and loopback addresses of this machine are believed."""
    put(json.dumps(asdict(mine) | change))
    assert discovery.read() is None


@pytest.mark.parametrize("content", ["", "{", "[]", "null", "{}", "3", "[" * 100_000, "x" * 100_000, "\udcff"])
def test_a_malformed_file_is_ignored(mine, content):
    """Half-written, foreign or oversized content is no backend and no error."""
    put("").write_bytes(content.encode(errors="surrogateescape"))
    assert discovery.read() is None


def test_a_newer_file_with_more_fields_is_read(mine):
    """A later version may add fields."""
    put(json.dumps(asdict(mine) | {"grpc": "http://127.0.0.1:4317"}))
    assert discovery.read() == mine


def test_a_file_that_others_can_read_or_write_is_ignored(mine):
    """Whoever could have written it could have redirected telemetry."""
    put(json.dumps(asdict(mine)), mode=0o622)
    assert discovery.read() is None


def test_a_directory_that_others_can_enter_is_ignored(mine):
    """Neither believed nor written to."""
    path = put(json.dumps(asdict(mine)))
    path.parent.chmod(0o755)
    assert discovery.read() is None
    with pytest.raises(PermissionError, match="0700"):
        discovery.write(mine)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give files away")
def test_a_foreign_directory_is_ignored(mine):
    """In a shared temporary directory somebody else may have been first."""
    path = put(json.dumps(asdict(mine)))
    os.chown(path.parent, 12345, 12345)
    assert discovery.read() is None
    with pytest.raises(PermissionError):
        discovery.write(mine)
    os.chown(path.parent, 0, 0)
    os.chown(path, 12345, 12345)
    assert discovery.read() is None


def test_links_are_not_followed(mine, tmp_path):
    """Neither the file nor its directory may lead elsewhere."""
    real = put(json.dumps(asdict(mine)))
    elsewhere = tmp_path / "elsewhere.json"
    real.rename(elsewhere)
    real.symlink_to(elsewhere)
    assert discovery.read() is None
    real.unlink()
    elsewhere.rename(real)
    assert discovery.read() == mine
    linked = tmp_path / "linked"
    linked.symlink_to(real.parent)
    os.environ[discovery.STATE_DIR_VARIABLE] = str(linked)
    assert discovery.read() is None


def test_a_directory_or_a_pipe_in_its_place_is_ignored(mine):
    """Reading never blocks."""
    path = discovery.state_path()
    path.mkdir(parents=True, mode=0o700)
    path.parent.chmod(0o700)
    assert discovery.read() is None
    path.rmdir()
    os.mkfifo(path, 0o600)
    assert discovery.read() is None


def test_reading_is_cheap():
    """configure() reads the file at start: no network, no web or database library."""
    code = (
        "import sys; before = set(sys.modules)\n"  # coverage may have loaded some before us
        "from aumos_otel._internal import discovery; discovery.read(); print(sorted(set(sys.modules) - before))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "starlette" not in loaded
    assert "sqlite3" not in loaded
