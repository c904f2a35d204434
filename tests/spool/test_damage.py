"""What is torn or damaged on disk: whole frames come back, nothing wrong ever does."""

from __future__ import annotations

import pytest

from aumos_otel.spool import segment

from .conftest import drain

BODIES = [b"first body", b"second", b"the third body"]
COUNTS = [2, 3, 5]


@pytest.fixture
def left(bench):
    """A segment with three frames of a process that ended, and its bytes."""
    spool = bench.open()
    for body, count in zip(BODIES, COUNTS, strict=True):
        assert spool.append(body, count)
    bench.crash(spool)
    (path,) = bench.segments()
    return path, path.read_bytes()


def ends():
    """Offsets at which the frames end."""
    found, offset = [], segment.FIRST
    for body in BODIES:
        offset += segment.OVERHEAD + len(body)
        found.append(offset)
    return found


def test_a_file_cut_at_any_byte_gives_back_every_whole_frame(bench, left):
    """All complete frames are recovered, the torn one is counted, and writing goes on."""
    path, content = left
    for size in range(len(content) + 1):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content[:size])
        bench.lost.clear()
        spool = bench.open()
        adopted = spool.adopt()
        whole = sum(end <= size for end in ends())
        assert drain(spool) == BODIES[:whole]
        torn = size > segment.FIRST and size not in {segment.FIRST, *ends()}
        assert bool(bench.lost) == torn
        assert adopted == spool.adopted == sum(COUNTS[:whole]) + bench.lost["spool_corrupt"]
        assert spool.append(b"next", 1)
        assert drain(spool) == [b"next"]
        assert spool.pending() == (0, 0)
        spool.close()
        assert list(bench.root.rglob("*.seg")) == []


def test_a_flipped_byte_anywhere_never_gives_a_wrong_body(bench, left):
    """One damaged byte costs at most its own frame, and what it cost is counted."""
    path, content = left
    for offset in range(len(content)):
        for flip in (0x01, 0x80):
            damaged = bytearray(content)
            damaged[offset] ^= flip
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(damaged)
            bench.lost.clear()
            spool = bench.open()
            adopted = spool.adopt()
            found = drain(spool)
            assert [body for body in BODIES if body in found] == found
            assert len(found) >= len(BODIES) - (offset >= segment.FIRST)
            delivered = sum(COUNTS[BODIES.index(body)] for body in found)
            assert adopted == delivered + bench.lost.total()
            assert set(bench.lost) <= {"spool_corrupt"}
            assert not (offset >= segment.FIRST and not bench.lost)
            spool.close()


def test_damage_under_a_running_process_is_counted_to_the_record(bench):
    """The process knows what it wrote: also where a header is unreadable the count is exact."""
    spool = bench.open()
    for body, count in zip(BODIES, COUNTS, strict=True):
        spool.append(body, count)
    (path,) = bench.segments()
    content = bytearray(path.read_bytes())
    content[segment.FIRST + 5] ^= 0xFF
    content[ends()[1] - 1] ^= 0xFF
    path.write_bytes(content)

    assert drain(spool) == BODIES[2:]
    assert spool.next() is None
    assert bench.lost == {"spool_corrupt": 5}
    assert spool.pending() == (0, 0)


def test_a_file_of_a_newer_version_is_set_aside(bench, left):
    """A format that is not known is never read, never deleted, and reported."""
    path, content = left
    header = segment._FILE.pack(segment._FILE_MAGIC, 2, 0, 0)
    newer = header + segment._CHECKSUM.pack(segment.zlib.crc32(header)) + content[segment.FIRST :]
    path.write_bytes(newer)
    spool = bench.open()

    assert spool.adopt() == 0
    assert spool.next() is None
    assert spool.set_aside == 1
    assert "newer format" in spool.trouble
    assert path.with_name("000001.seg.unreadable-v2").read_bytes() == newer
    assert bench.lost == {}


def test_a_deleted_directory_is_counted_and_made_anew(bench):
    """Somebody cleans up under a running process: what was in the files is lost and counted, the next is kept."""
    import shutil

    spool = bench.open()
    spool.append(b"gone", 4)
    shutil.rmtree(bench.root)

    assert spool.append(b"kept", 1)
    assert drain(spool) == [b"kept"]
    assert bench.lost == {"spool_corrupt": 4}
