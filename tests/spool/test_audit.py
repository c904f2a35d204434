"""The audit log: nothing is lost, nothing is changed unseen, and who appends hears of a disk that refuses."""

from __future__ import annotations

import contextlib
import os
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aumos_otel.errors import SpoolError
from aumos_otel.spool import audit, segment
from aumos_otel.spool.audit import AuditLog

RECORDS = [b"login alice", b"", b"read prompt 7", b"logout alice"]


@pytest.fixture
def log(tmp_path):
    """A log with four records, closed; its path."""
    made = AuditLog(tmp_path / "audit")
    for record in RECORDS:
        made.append(record)
    made.close()
    return tmp_path / "audit"


def records(path):
    """The records that can be read."""
    return [entry.record for entry in audit.read(path)]


def test_records_are_read_back_in_order_and_the_chain_goes_on_after_a_restart(log):
    """Each record is sealed to the one before it, across files and processes."""
    assert records(log) == RECORDS
    verdict = audit.verify(log)
    assert (verdict.records, verdict.broken) == (4, "")
    head = audit.GENESIS
    for record in RECORDS:
        head = audit.seal(head, record)
    assert verdict.head == head

    again = AuditLog(log)
    assert again.head == head
    assert again.append(b"more") == audit.seal(head, b"more") == again.head
    again.close()
    assert records(log) == [*RECORDS, b"more"]
    assert audit.verify(log).records == 5


def test_a_new_log_is_empty(tmp_path):
    """An empty log is sound."""
    AuditLog(tmp_path / "audit").close()
    assert audit.verify(tmp_path / "audit") == (0, audit.GENESIS, "")


def test_every_record_is_synced_before_append_returns(tmp_path, monkeypatch):
    """A power cut after `append` costs nothing."""
    made = AuditLog(tmp_path / "audit")
    made.append(b"first")
    synced = []
    monkeypatch.setattr(os, "fsync", synced.append)
    made.append(b"second")
    assert len(synced) == 1
    made.close()


def test_files_are_rotated_and_never_deleted(tmp_path, monkeypatch):
    """However much is appended, the first record stays."""
    monkeypatch.setattr(audit, "SEGMENT_BYTES", 4096)
    made = AuditLog(tmp_path / "audit")
    for number in range(50):
        made.append(b"%d" % number * 100)
    made.close()
    assert len(list((tmp_path / "audit").glob("*.seg"))) > 3
    assert records(tmp_path / "audit") == [b"%d" % number * 100 for number in range(50)]
    assert audit.verify(tmp_path / "audit").records == 50


def test_one_process_writes(log):
    """A second writer would break the chain: it is refused with a remedy, until the first has closed."""
    first = AuditLog(log)
    with pytest.raises(SpoolError, match="one writer"):
        AuditLog(log)
    first.close()
    AuditLog(log).close()


def test_any_changed_byte_is_found(log):
    """Whatever byte of whatever record is changed, the chain is broken there, or ends before it."""
    (path,) = log.glob("*.seg")
    content = path.read_bytes()
    sound = audit.verify(log)
    for offset in range(len(content)):
        path.write_bytes(content[:offset] + bytes([content[offset] ^ 1]) + content[offset + 1 :])
        verdict = audit.verify(log)
        assert verdict.broken
        assert verdict.head != sound.head
    path.write_bytes(content)
    assert audit.verify(log) == sound


def frames(path):
    """The bytes of each frame."""
    content = path.read_bytes()
    with path.open("rb") as file:
        pieces = list(segment.walk(file.fileno(), segment.FIRST, len(content)))
    return content[: segment.FIRST], [content[piece.start : piece.end] for piece in pieces]


def test_forged_records_are_found(log):
    """A record that is removed, moved, replaced or inserted with a right checksum does not fit the chain."""
    (path,) = log.glob("*.seg")
    header, parts = frames(path)
    forged = segment.frame("audit", audit.GENESIS + b"login mallory", 1, 0)
    for changed in (
        parts[1:],
        [parts[1], parts[0], *parts[2:]],
        [forged, *parts[1:]],
        [*parts[:2], forged, *parts[2:]],
    ):
        path.write_bytes(header + b"".join(changed))
        assert audit.verify(log).broken
        with pytest.raises(SpoolError, match="keep the directory as evidence"):
            AuditLog(log)
    path.write_bytes(header + b"".join(parts[:-1]))  # a missing end is seen by comparing heads alone
    assert audit.verify(log).broken == ""
    assert audit.verify(log).records == 3


def test_a_torn_end_is_no_break_and_the_log_goes_on(log):
    """Cut at any byte, the whole records are there, and the next record follows the last of them."""
    (path,) = log.glob("*.seg")
    content = path.read_bytes()
    ends = [segment.FIRST]
    for record in RECORDS:
        ends.append(ends[-1] + segment.OVERHEAD + 32 + len(record))
    for size in range(len(content) + 1):
        path.write_bytes(content[:size])
        whole = sum(end <= size for end in ends[1:])
        made = AuditLog(log)
        made.append(b"next")
        made.close()
        assert audit.verify(log)[0::2] == (whole + 1, "")
        assert [record for record in records(log) if record is not None] == [*RECORDS[:whole], b"next"]
        (log / "000002.seg").unlink()


def test_a_full_disk_is_told_and_the_chain_stays_whole(small_disk):
    """Nothing is dropped for room: `append` raises, what is there stays, and the log goes on once there is room."""
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(400_000))
    made = AuditLog(small_disk / "audit")
    kept = 0
    with contextlib.suppress(SpoolError):
        for kept in range(100):
            made.append(bytes([kept]) * 50_000)
    with pytest.raises(SpoolError, match=r"audit log .*free disk space"):
        made.append(bytes(50_000))
    assert 5 <= kept <= 12
    ballast.unlink()
    made.append(b"room")
    made.close()
    assert audit.verify(small_disk / "audit")[0::2] == (kept + 1, "")


def test_a_read_only_disk_is_told(small_disk):
    """A log that cannot be written does not begin, and can still be read."""
    made = AuditLog(small_disk / "audit")
    made.append(b"record")
    made.close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(SpoolError, match="Read-only"):
        AuditLog(small_disk / "audit")
    assert audit.verify(small_disk / "audit").records == 1


@settings(max_examples=30, deadline=None)
@given(batches=st.lists(st.lists(st.binary(max_size=200), max_size=5), max_size=4))
def test_any_bytes_in_any_number_of_lives(tmp_path_factory, batches):
    """Whatever is appended in whatever number of processes comes back, sealed."""
    path = tmp_path_factory.mktemp("audit") / "log"
    for batch in batches:
        made = AuditLog(path)
        for record in batch:
            made.append(record)
        made.close()
    if batches:
        flat = [record for batch in batches for record in batch]
        assert records(path) == flat
        assert audit.verify(path)[0::2] == (len(flat), "")
