"""Erasure: a tenant's or user's records leave the spool, of ended and of living processes, and the local backend."""

from __future__ import annotations

import json
import threading

import pytest
from click.testing import CliRunner
from spool.requests_of import REQUESTS, TENANT, USER, logs, metrics, traces

from aumos_otel import erasure
from aumos_otel.cli import main
from aumos_otel.config import SpoolOptions
from aumos_otel.errors import ConfigError
from aumos_otel.local import Store, wire
from aumos_otel.spool import segment
from aumos_otel.spool.spool import Spool

ALICE = {TENANT: "acme", USER: "alice-in-wonderland"}
BOB = {TENANT: "acme", USER: "bob"}
MIXED = {
    "traces": (traces(("a", ALICE), ("b", BOB)), 2, 1),
    "logs": (logs(("a", ALICE), ("b", BOB)), 2, 1),
    "metrics": (metrics(ALICE, BOB), 10, 5),
}


class Books:
    """A spool and what it lost."""

    def __init__(self, root, signal):
        self.lost = {}
        options = SpoolOptions(directory=str(root), min_free=0).resolve({}, {}, {})
        self.spool = Spool(options, "shop", "otlp", signal, lost=self.lose)

    def lose(self, reason, count):
        """Sum up."""
        self.lost[reason] = self.lost.get(reason, 0) + count

    def bodies(self):
        """Hand out and finish everything."""
        found = []
        while (frame := self.spool.next()) is not None:
            found.append((frame.body, frame.count))
            self.spool.done(frame)
        return found


def bytes_of(root):
    """Everything on disk below ``root``."""
    return b"".join(path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file())


@pytest.fixture
def root(tmp_path):
    """The root of a spool."""
    return tmp_path / "spool"


@pytest.mark.parametrize("signal", list(MIXED))
def test_what_an_ended_process_left_is_rewritten(root, signal):
    """The user's records are gone from the bytes on disk, also where they were done with; the rest is sent."""
    request, count, removed = MIXED[signal]
    first = Books(root, signal)
    for _ in range(3):
        first.spool.append(request.SerializeToString(), count)
    first.spool.done(first.spool.next())
    first.spool.after_fork()
    assert b"alice-in" in bytes_of(root)

    report = erasure.erase(root, user="alice-in-wonderland")

    assert (report.spooled, report.exit_code, report.failed) == (2 * removed, 0, [])
    assert b"alice-in" not in bytes_of(root)
    second = Books(root, signal)
    assert second.spool.adopt() == 2 * (count - removed)
    bodies = second.bodies()
    assert [count for _body, count in bodies] == [count - removed] * 2
    assert all(b"bob" in body for body, _count in bodies)
    assert REQUESTS[signal].FromString(bodies[0][0]) == REQUESTS[signal].FromString(bodies[1][0])
    assert second.lost == {}
    assert second.spool.pending() == (0, 0)
    second.spool.close()
    assert erasure.erase(root, user="alice-in-wonderland").exit_code == 1


def test_a_segment_that_is_the_subjects_alone_is_deleted(root):
    """Nothing of the tenant is left, not even an empty file."""
    books = Books(root, "traces")
    books.spool.append(MIXED["traces"][0].SerializeToString(), 2)
    books.spool.after_fork()
    assert erasure.erase(root, tenant="acme").spooled == 2
    assert bytes_of(root) == b""


def test_a_living_process_erases_before_its_next_send(root):
    """What is underway is void and handed out again without the records; the books count what went."""
    request, count, removed = MIXED["traces"]
    books = Books(root, "traces")
    for _ in range(3):
        books.spool.append(request.SerializeToString(), count)
    books.spool.done(books.spool.next())
    underway = books.spool.next()
    reports = []
    asking = threading.Thread(target=lambda: reports.append(erasure.erase(root, user="alice-in-wonderland", wait=20)))
    asking.start()
    asked = threading.Event()
    while not books.spool.poll_requests():
        assert not asked.wait(0.01)
    asking.join()

    assert (reports[0].spooled, reports[0].waiting, reports[0].exit_code) == (2 * removed, 0, 0)
    assert b"alice-in" not in bytes_of(root)
    books.spool.done(underway)
    assert books.spool.pending()[0] == 2 * (count - removed)
    assert [count for _body, count in books.bodies()] == [count - removed] * 2
    assert books.lost == {"filtered": 2 * removed}
    assert not books.spool.poll_requests()
    assert books.spool.append(b"on it goes", 1)
    assert books.bodies() == [(b"on it goes", 1)]
    books.spool.close()


def test_what_was_done_with_ahead_is_not_handed_out_again(root):
    """Erasure in a living process keeps the books also where requests were done with out of order."""
    request, count, removed = MIXED["traces"]
    books = Books(root, "traces")
    for _ in range(3):
        books.spool.append(request.SerializeToString(), count)
    frames = [books.spool.next() for _ in range(3)]
    books.spool.done(frames[1])
    assert erasure.erase(root, user="alice-in-wonderland", wait=0).waiting == 1
    assert books.spool.poll_requests()
    assert books.lost == {"filtered": 2 * removed}
    assert len(books.bodies()) == 2
    assert books.spool.pending() == (0, 0)
    books.spool.close()


def test_a_process_that_does_not_answer_is_reported_and_erases_later(root):
    """The request stays until the owner, or who adopts its directory, has carried it out."""
    request, count, removed = MIXED["traces"]
    books = Books(root, "traces")
    books.spool.append(request.SerializeToString(), count)
    report = erasure.erase(root, user="alice-in-wonderland", wait=0)
    assert (report.spooled, report.waiting, report.exit_code) == (0, 1, 0)
    books.spool.after_fork()

    heir = Books(root, "traces")
    assert heir.spool.adopt() == count
    assert heir.spool.poll_requests()
    assert heir.bodies() == [(without_alice(request), count - removed)]
    assert heir.lost == {"filtered": removed}
    heir.spool.close()


def without_alice(request):
    """The request without its first span."""
    left = type(request).FromString(request.SerializeToString())
    del left.resource_spans[0].scope_spans[0].spans[0]
    return left.SerializeToString()


def test_a_process_that_ends_while_it_is_asked_is_done_for(root):
    """The asker takes over the directory of a process that ended before it answered."""
    books = Books(root, "traces")
    books.spool.append(MIXED["traces"][0].SerializeToString(), 2)
    reports = []
    asking = threading.Thread(target=lambda: reports.append(erasure.erase(root, user="alice-in-wonderland", wait=20)))
    asking.start()
    asked = threading.Event()
    while not list(root.rglob("erase-*.json")):
        assert not asked.wait(0.01)
    books.spool.after_fork()
    asking.join()
    assert (reports[0].spooled, reports[0].waiting) == (1, 0)
    assert b"alice-in" not in bytes_of(root)


def test_a_file_of_a_newer_version_is_reported(root):
    """What cannot be read cannot be erased: the exit code says so."""
    books = Books(root, "traces")
    books.spool.append(MIXED["traces"][0].SerializeToString(), 2)
    books.spool.after_fork()
    (path,) = root.rglob("*.seg")
    header = segment._FILE.pack(segment._FILE_MAGIC, 9, 0, 0)
    path.write_bytes(header + segment._CHECKSUM.pack(segment.zlib.crc32(header)))
    for _ in range(2):
        report = erasure.erase(root, tenant="acme")
        assert (report.unreadable, report.exit_code) == ([f"{path}.unreadable-v9"], 2)


def test_a_subject_is_required(root):
    """Erasing everybody is not what anybody meant."""
    with pytest.raises(ConfigError, match="--tenant or --user"):
        erasure.erase(root, tenant="")


@pytest.fixture
def database(tmp_path):
    """A local backend that has each signal of alice and bob."""
    path = tmp_path / "local.db"
    with Store(path) as store:
        for signal, (request, _count, _removed) in MIXED.items():
            store.submit(wire.Body(wire.Signal(signal), wire.PROTOBUF, "", request.SerializeToString())).result(20)
        of_resource = traces(("r", {USER: "carol"}), resource={TENANT: "globex"})
        of_resource.resource_spans[0].scope_spans[0].spans[0].trace_id = b"r" * 16
        store.submit(wire.Body(wire.Signal.TRACES, wire.PROTOBUF, "", of_resource.SerializeToString())).result(20)
    return path


def test_the_local_backend_forgets(root, database):
    """Spans, logs and points go, the bytes with them; the others stay, also for a backend that runs meanwhile."""
    with Store(database) as running:
        before = running.totals()
        report = erasure.erase(root, user="alice-in-wonderland", database=database)
        assert (report.stored, report.exit_code, report.failed) == (7, 0, [])
        assert erasure.erase(root, tenant="globex", user="bob", database=database).stored == 0
        assert erasure.erase(root, tenant="globex", user="carol", database=database).stored == 1
        after = running.totals()
        assert (before.spans, after.spans, before.logs - after.logs) == (3, 1, 1)
        body = wire.Body(wire.Signal.TRACES, wire.PROTOBUF, "", MIXED["traces"][0].SerializeToString())
        running.submit(body).result(20)
        assert running.totals().spans == 2
    assert erasure.erase(root, tenant="acme", database=database).stored == 8
    content = database.read_bytes()
    assert b"alice-in" not in content
    assert b"carol" not in content


def test_the_command_prints_counts_and_exit_codes(root, database):
    """0: erased; 1: nothing found; 2: wrong use; the JSON has every figure."""
    books = Books(root, "traces")
    books.spool.append(MIXED["traces"][0].SerializeToString(), 2)
    books.spool.close()
    command = ["erase", "--user", "alice-in-wonderland", "--spool", str(root), "--db", str(database)]

    refused = CliRunner().invoke(main, command, input="n\n")
    assert refused.exit_code == 1
    assert b"alice-in" in bytes_of(root)
    erased = CliRunner().invoke(main, [*command, "--yes"])
    assert erased.exit_code == 0
    assert "records erased from the spool" in erased.stdout
    again = CliRunner().invoke(main, [*command, "--yes", "--json"])
    assert again.exit_code == 1
    assert json.loads(again.stdout) == {
        "spooled": 0, "stored": 0, "damaged": 0, "waiting": 0, "unreadable": [], "failed": [],
    }  # fmt: skip
    nobody = CliRunner().invoke(main, ["erase", "--yes", "--spool", str(root)])
    assert nobody.exit_code == 2
    assert "next: pass --tenant or --user" in nobody.stderr


def test_the_command_finds_the_places_by_itself(tmp_path, monkeypatch):
    """Without arguments they are those that configure() and `aumos-otel ui` use."""
    monkeypatch.setenv("AUMOS_OTEL_SPOOL_DIR", str(tmp_path / "chosen"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert erasure.places() == (tmp_path / "chosen", tmp_path / "data" / "aumos-otel" / "local.db")
    monkeypatch.delenv("AUMOS_OTEL_SPOOL_DIR")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    assert erasure.places()[0] == tmp_path / "state" / "aumos-otel" / "spool"


def test_the_command_finds_hashed_ids_with_the_key(root, monkeypatch):
    """With the key in the environment an e-mail address is found by what redaction made of it."""
    monkeypatch.setenv("AUMOS_OTEL_REDACTION_PERSONAL", "hash")
    monkeypatch.setenv("AUMOS_OTEL_REDACTION_HASH_KEY", "0123456789abcdef0123456789abcdef")
    hashed = erasure.hashes()(USER, "ann@example.com", "acme")
    assert hashed.startswith("[HASH:email:")
    books = Books(root, "traces")
    books.spool.append(traces(("a", {TENANT: "acme", USER: hashed}), ("b", BOB)).SerializeToString(), 2)
    books.spool.close()
    command = [
        "erase",
        "--user",
        "ann@example.com",
        "--spool",
        str(root),
        "--db",
        str(root / "none"),
        "--yes",
        "--json",
    ]
    erased = CliRunner().invoke(main, command)
    assert json.loads(erased.stdout)["spooled"] == 1
    monkeypatch.delenv("AUMOS_OTEL_REDACTION_HASH_KEY")
    monkeypatch.setenv("AUMOS_OTEL_REDACTION_PERSONAL", "keep")
    assert erasure.hashes() is None
