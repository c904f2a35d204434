"""The store: what survives restarts, damage, other versions, two processes and a full disk quota."""

from __future__ import annotations

import json
import sqlite3
import stat
import threading

import pytest

from aumos_otel.errors import LocalBackendError
from aumos_otel.local import Store, schema, wire

from .conftest import TRACE, log, logs, metrics, span, traces


def take(store, signal, body):
    """Send one OTLP/JSON request straight to the store and wait for its answer."""
    content = json.dumps(body).encode()
    return store.submit(wire.Body(wire.Signal(signal), wire.JSON, "identity", content)).result(20)


def test_telemetry_survives_a_restart(tmp_path):
    """What one run stored, the next run shows."""
    path = tmp_path / "deep" / "local.db"
    with Store(path) as first:
        take(first, "traces", traces(span("a" * 16)))
    with Store(path) as second:
        assert second.totals().spans == 1
        assert second.notes == []


def test_the_directory_and_the_file_are_private(tmp_path):
    """Telemetry may hold prompts: nobody else reads it."""
    path = tmp_path / "new" / "local.db"
    with Store(path) as store:
        take(store, "traces", traces(span("a" * 16)))
        modes = {item.name: stat.S_IMODE(item.stat().st_mode) for item in [path.parent, *path.parent.iterdir()]}
    assert modes == {"new": 0o700, "local.db": 0o600, "local.db-wal": 0o600, "local.db-shm": 0o600}


def test_the_default_file_is_in_the_data_directory(tmp_path, monkeypatch):
    """$XDG_DATA_HOME decides, else the home directory."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert schema.default_path() == tmp_path / "aumos-otel" / "local.db"
    monkeypatch.delenv("XDG_DATA_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert schema.default_path() == tmp_path / "home" / ".local" / "share" / "aumos-otel" / "local.db"


def test_a_closed_store_writes_what_waited_and_refuses_the_rest(tmp_path):
    """Closing commits the queue; afterwards a sender hears 503."""
    store = Store(tmp_path / "local.db").start()
    body = wire.Body(wire.Signal.TRACES, wire.JSON, "identity", json.dumps(traces(span("a" * 16))).encode())
    waiting = [store.submit(body) for _ in range(50)]
    store.close()
    store.close()
    assert all(work.result(0) == wire.Outcome() for work in waiting)
    with pytest.raises(wire.Rejection) as refused:
        store.submit(body)
    assert refused.value.status == 503
    assert store.totals().spans == 1


@pytest.mark.parametrize("version", [0, schema.VERSION + 1])
def test_a_file_of_another_schema_version_is_set_aside(tmp_path, version):
    """An older or newer file is kept under another name, and the backend starts with a new one."""
    path = tmp_path / "local.db"
    with Store(path) as store:
        take(store, "traces", traces(span("a" * 16)))
    with sqlite3.connect(path) as other:
        other.execute(f"PRAGMA user_version = {version}")
    other.close()
    with Store(path) as store:
        assert store.totals().spans == 0
        (note,) = store.notes
    (kept,) = tmp_path.glob("local.db.bak-*")
    assert str(kept) in note
    assert f"version {version}" in note
    with sqlite3.connect(kept) as old:
        assert old.execute("SELECT count(*) FROM spans").fetchone() == (1,)
    old.close()


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"SQLite format 3\0" + b"\xa5" * 5000])
def test_a_damaged_file_is_quarantined(tmp_path, content):
    """A file that is no database is renamed, not deleted, and the backend starts."""
    path = tmp_path / "local.db"
    path.write_bytes(content)
    with Store(path) as store:
        take(store, "traces", traces(span("a" * 16)))
        assert store.totals().spans == 1
        assert "damaged" in store.notes[0]
    (kept,) = tmp_path.glob("local.db.corrupt-*")
    assert kept.read_bytes() == content


def test_damage_found_while_running_is_quarantined_and_nothing_acknowledged_is_missing(tmp_path):
    """When the file breaks under the writer, the request at hand goes to a new file."""
    path = tmp_path / "local.db"
    with Store(path) as store:
        take(store, "traces", traces(*[span(f"{number:016x}") for number in range(1, 200)]))
        store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        with path.open("r+b") as file:
            file.seek(4096)
            file.write(b"\xa5" * (path.stat().st_size - 4096))
        store._connection.execute("PRAGMA shrink_memory")
        assert take(store, "traces", traces(span("f" * 16))) == wire.Outcome()
        assert [found.span_id for found in store.trace(TRACE).spans] == ["f" * 16]
    assert list(tmp_path.glob("local.db.corrupt-*"))


def test_a_file_of_another_program_is_left_alone(tmp_path):
    """A wrong --db is an error that says so; the file keeps its name and its content."""
    path = tmp_path / "books.db"
    with sqlite3.connect(path) as other:
        other.execute("CREATE TABLE books (title TEXT)")
    other.close()
    before = path.read_bytes()
    with pytest.raises(LocalBackendError, match=r"another program.*--db"):
        Store(path).start()
    assert path.read_bytes() == before


def test_a_place_that_cannot_be_written_is_a_typed_error(tmp_path):
    """The error names the file and what to do."""
    (tmp_path / "file").write_text("x")
    with pytest.raises(LocalBackendError, match=r"database .*file/local.db.*--db"):
        Store(tmp_path / "file" / "local.db").start()


def test_two_backends_may_share_a_file(tmp_path):
    """A second process on the same file writes and reads beside the first."""
    with Store(tmp_path / "local.db") as first, Store(tmp_path / "local.db") as second:
        for number in range(1, 21):
            take((first, second)[number % 2], "traces", traces(span(f"{number:016x}")))
        assert first.totals().spans == second.totals().spans == 20


def test_retention_keeps_the_file_small_and_the_newest_traces(tmp_path):
    """Beyond the size the oldest traces go, whole; the newest stay."""
    limit = 600_000
    with Store(tmp_path / "local.db", max_bytes=limit) as store:
        for number in range(1, 301):
            made = [span(f"{number:015x}{part}", trace=f"{number:032x}", start=number, given={"text": "x" * 1500}) for part in range(1, 5)]  # fmt: skip
            take(store, "traces", traces(*made))
        left = store.traces(limit=1000)
        assert left[0].trace_id == f"{300:032x}"
        assert 50 < len(left) < 200
        assert {trace.spans for trace in left} == {4}
        assert store.totals().spans == 4 * len(left)
    assert (tmp_path / "local.db").stat().st_size < 1.5 * limit


def test_retention_trims_what_takes_the_room(tmp_path):
    """A flood of logs and metric points does not push out the few traces; empty dictionaries go with their users."""
    with Store(tmp_path / "local.db", max_bytes=400_000) as store:
        take(store, "traces", traces(span("a" * 16)))
        for number in range(150):
            take(
                store, "logs", logs(*[log(f"{number} {line} " + "y" * 200) for line in range(20)], service=f"s{number}")
            )
            point = {"timeUnixNano": str(number + 1), "asInt": "1", "attributes": [{"key": "n", "value": {"intValue": str(number)}}]}  # fmt: skip
            take(store, "metrics", metrics({"name": "flood", "sum": {"dataPoints": [point]}}))
        assert store.totals().spans == 1
        assert 0 < store.totals().logs < 3000
        assert store.logs(limit=1)[0].body.startswith("149 ")
        assert len(store.services()) < 100


def test_writers_and_readers_do_not_wait_for_each_other(tmp_path):
    """A reader with an open snapshot neither blocks the writer nor sees half a request."""
    with Store(tmp_path / "local.db") as store:
        take(store, "traces", traces(span("a" * 16), span("b" * 16)))
        with store.snapshot() as snapshot:
            before = snapshot.execute("SELECT count(*) FROM spans").fetchone()[0]
            take(store, "traces", traces(span("c" * 16), span("d" * 16)))
            assert snapshot.execute("SELECT count(*) FROM spans").fetchone()[0] == before
        assert store.totals().spans == 4


def test_readers_cannot_write(store):
    """Queries run on connections that are read-only."""
    with store.snapshot() as snapshot, pytest.raises(sqlite3.OperationalError, match="readonly"):
        snapshot.execute("DELETE FROM spans")


def test_many_senders_at_once_are_all_stored(store):
    """Requests from many threads are grouped into transactions, and each is answered for itself."""
    answers = []

    def send(number):
        answers.extend(take(store, "traces", traces(span(f"{number:08x}{part:08x}"))) for part in range(1, 26))

    senders = [threading.Thread(target=send, args=(number,)) for number in range(1, 9)]
    for sender in senders:
        sender.start()
    for sender in senders:
        sender.join()
    assert answers == [wire.Outcome()] * 200
    assert store.totals().spans == 200


def test_a_bad_request_does_not_spoil_its_group(store):
    """A request that cannot be read fails alone, also when it shares a transaction."""
    good = json.dumps(traces(span("a" * 16))).encode()
    bodies = [good, b"{", good.replace(b"a" * 16, b"b" * 16)]
    answers = [store.submit(wire.Body(wire.Signal.TRACES, wire.JSON, "identity", body)) for body in bodies]
    assert answers[0].result(20) == answers[2].result(20) == wire.Outcome()
    assert isinstance(answers[1].exception(20), wire.Rejection)
    assert store.totals().spans == 2
