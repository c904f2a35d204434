"""The spool: order, bounds, age, adoption, forks, and a disk that refuses."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from aumos_otel.errors import ConfigError
from aumos_otel.spool import directory

from .conftest import drain

HOUR = 3600 * 10**9


def test_requests_come_back_in_order_and_once(bench):
    """First in, first out; what is done with leaves nothing behind."""
    spool = bench.open()
    for number in range(5):
        assert spool.append(b"%d" % number, number + 1)
    assert spool.pending()[0] == 15
    first = spool.next()
    assert (first.body, first.count, first.created_ns, first.adopted) == (b"0", 1, bench.now_ns, False)
    assert drain(spool) == [b"1", b"2", b"3", b"4"]
    assert spool.next() is None
    assert spool.pending()[0] == 1
    spool.done(first)
    spool.done(first)
    assert spool.pending() == (0, 0)
    spool.close()
    assert list(bench.root.rglob("*.seg")) == []


def test_the_next_process_adopts_what_was_not_done(bench):
    """A killed process's requests are sent by the next, before its own; what was handed out is sent again."""
    killed = bench.open()
    for body in (b"a", b"b", b"c"):
        killed.append(body, 2)
    killed.done(killed.next())
    assert killed.next().body == b"b"
    bench.crash(killed)

    spool = bench.open()
    spool.append(b"own", 1)
    assert spool.adopt() == 4
    assert spool.adopt() == 0
    frames = [spool.next() for _ in range(3)]
    assert [(frame.body, frame.adopted) for frame in frames] == [(b"b", True), (b"c", True), (b"own", False)]
    for frame in reversed(frames):
        spool.done(frame)
    assert spool.pending() == (0, 0)
    assert len(list(directory.process_directories(bench.root / "shop/otlp/traces"))) == 1


def test_a_closed_spool_is_adopted_by_a_living_sibling(bench):
    """What a worker could not send before it left, its sibling sends."""
    sibling, leaving = bench.open(), bench.open()
    leaving.append(b"left", 3)
    assert sibling.adopt() == 0
    leaving.close()
    assert not leaving.append(b"late", 1)
    assert leaving.next() is None
    assert sibling.adopt() == 3
    assert drain(sibling) == [b"left"]


def test_services_destinations_and_signals_are_apart(bench):
    """Nothing kept for one destination is ever handed out for another, whatever the names."""
    names = ["a/b", "a%2fb", "A/B", "..", "", ".", "é", "\ud800", "x" * 300, "x" * 301]
    for name in names:
        spool = bench.open(destination=name)
        spool.append(name.encode("utf-8", "replace"), 1)
        spool.close()
    for name in names:
        spool = bench.open(destination=name)
        assert spool.adopt() == 1
        assert drain(spool) == [name.encode("utf-8", "replace")]
    for other in ({"signal": "logs"}, {"service": "shop2"}, {"destination": "b"}):
        assert bench.open(**other).adopt() == 0
    assert all(bench.root in path.parents for path in bench.root.rglob("*"))
    assert len({directory.file_name(name).lower() for name in names}) == len(names)


def test_files_are_private(bench):
    """Nobody else reads what is kept, whatever the umask says."""
    before = os.umask(0)
    try:
        spool = bench.open()
        spool.append(b"private", 1)
        spool.append(b"private", 1)
        spool.done(spool.next())
    finally:
        os.umask(before)
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [bench.root, *bench.root.rglob("*")]}
    assert set(modes.values()) == {0o700, 0o600}
    assert all((mode == 0o700) == path.is_dir() for path, mode in modes.items())


def test_a_root_that_others_may_write_is_refused(bench):
    """What lies in the spool is sent in our name: a directory that others fill is not used."""
    bench.root.mkdir()
    bench.root.chmod(0o777)
    with pytest.raises(ConfigError, match=r"spool\.directory: .*0777.*chmod go-w"):
        directory.prepare_root(bench.root)
    spool = bench.open()
    assert not spool.append(b"x", 1)
    assert spool.adopt() == 0
    assert "nobody else may write" in spool.trouble
    assert spool.refused == 1
    bench.root.chmod(0o755)
    assert spool.append(b"x", 1)


def test_the_root_has_a_default(monkeypatch, tmp_path):
    """$XDG_STATE_HOME decides, else the home directory."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert directory.default_root() == tmp_path / "aumos-otel" / "spool"
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert directory.default_root() == tmp_path / ".local" / "state" / "aumos-otel" / "spool"


def test_at_the_cap_the_oldest_go_and_are_counted(bench):
    """The spool never grows beyond its bytes; what went is the oldest, to the record."""
    spool = bench.open(max_bytes=64 * 1024)
    bodies = [b"%04d" % number + bytes(996) for number in range(200)]
    for body in bodies:
        assert spool.append(body, 3)
        assert sum(path.stat().st_size for path in bench.segments()) <= 64 * 1024
    kept = drain(spool)
    assert kept == bodies[-len(kept) :]
    assert len(kept) >= 50
    assert bench.lost == {"spool_full": 3 * (200 - len(kept))}


def test_what_is_underway_is_not_dropped_for_room(bench):
    """A request that is being sent stays on disk until it is done; one that does not fit is not taken."""
    spool = bench.open(max_bytes=64 * 1024)
    assert spool.append(bytes(60_000), 1)
    frame = spool.next()
    assert not spool.append(bytes(60_000), 1)
    assert "underway" in spool.trouble
    spool.done(frame)
    assert spool.append(bytes(60_000), 1)
    assert not spool.append(bytes(70_000), 1)
    assert "70" in spool.trouble
    assert bench.lost == {}


def test_adopted_requests_count_towards_the_cap(bench):
    """A process that crashes over and over does not fill the disk."""
    for _ in range(5):
        spool = bench.open(max_bytes=64 * 1024)
        spool.adopt()
        for _ in range(50):
            spool.append(bytes(1000), 1)
        bench.crash(spool)
    last = bench.open(max_bytes=64 * 1024)
    last.adopt()
    last.append(bytes(1000), 1)
    assert sum(path.stat().st_size for path in bench.segments()) <= 64 * 1024
    assert bench.lost.keys() == {"spool_full"}
    assert last.pending()[0] + bench.lost.total() == 251


def test_a_request_larger_than_a_segment_has_one_of_its_own(bench):
    """Size is no reason to lose a request that fits the spool."""
    spool = bench.open()
    big = os.urandom(5 * 1024 * 1024)
    for body in (b"before", big, b"after"):
        assert spool.append(body, 1)
    assert len(bench.segments()) == 3
    assert drain(spool) == [b"before", big, b"after"]


def test_what_is_too_old_is_dropped_and_counted(bench):
    """Age is counted from when a request was kept, also across processes; younger ones stay."""
    first = bench.open(max_age=7200)
    first.append(b"old", 2)
    first.append(b"old too", 3)
    bench.crash(first)
    bench.now_ns += HOUR
    spool = bench.open(max_age=7200)
    spool.append(b"young", 1)
    spool.append(b"younger", 1)
    spool.adopt()
    bench.now_ns += HOUR
    spool.expire()
    assert bench.lost == {}
    bench.now_ns += 1
    spool.expire()
    spool.expire()
    assert bench.lost == {"spool_expired": 5}
    assert spool.pending()[0] == 2
    assert spool.next().body == b"young"
    bench.now_ns += 2 * HOUR
    assert spool.next() is None
    assert bench.lost == {"spool_expired": 6}
    assert spool.pending()[0] == 1


def test_a_backlog_is_drained_with_a_rate(bench):
    """What another process left is handed out at most so often; what was just written is not held up."""
    killed = bench.open()
    for _ in range(3):
        killed.append(b"left", 1)
    bench.crash(killed)
    spool = bench.open(drain_rate=0.001)
    spool.append(b"fresh", 1)
    assert spool.next().body == b"fresh"
    assert spool.wait_seconds() == 0
    spool.adopt()
    assert spool.next().body == b"left"
    assert spool.next() is None
    assert 990 < spool.wait_seconds() <= 1000


def test_a_forked_child_leaves_the_parents_files_alone(bench):
    """The child has a directory of its own; the parent's lock and requests stay the parent's."""
    parent = bench.open()
    parent.append(b"parent", 1)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            parent.after_fork()
            ok = parent.next() is None and parent.adopt() == 0 and parent.append(b"child", 2)
            os.write(writing, b"ok" if ok else b"no")
        finally:
            os._exit(0)
    os.waitpid(pid, 0)
    assert os.read(reading, 2) == b"ok"
    os.close(reading)
    os.close(writing)

    assert parent.adopt() == 2
    assert drain(parent) == [b"child", b"parent"]


@pytest.mark.parametrize("fsync", ["interval", "each"])
def test_syncs_are_made_as_often_as_asked(bench, monkeypatch, fsync):
    """`each` syncs every request, `interval` not the second within a second."""
    synced = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: synced.append(stat.S_ISREG(os.fstat(descriptor).st_mode)))
    spool = bench.open(fsync=fsync)
    for _ in range(3):
        spool.append(b"x", 1)
    assert sum(synced) == (3 if fsync == "each" else 0)
    spool.close()
    assert sum(synced) >= 1


def test_a_full_disk_takes_nothing_and_loses_nothing(bench, small_disk):
    """On ENOSPC a request is refused whole; what was taken before comes back, and there is room again after."""
    spool = bench.open(root=small_disk / "spool")
    taken = 0
    while spool.append(bytes([taken % 256]) * 50_000, 1):
        taken += 1
        assert taken < 100
    assert "No space left" in spool.trouble or "the disk took" in spool.trouble
    assert 15 <= taken <= 21
    assert [body[0] for body in drain(spool)] == list(range(taken))
    assert spool.append(b"again", 1)
    assert not spool.append(os.urandom(1_200_000), 1)
    bench.crash(spool)
    heir = bench.open(root=small_disk / "spool")
    assert heir.adopt() == 1
    assert drain(heir) == [b"again"]
    assert bench.lost == {}  # of what was refused nothing stayed


def test_the_disk_keeps_its_reserve(bench, small_disk):
    """Below the free bytes that are to stay, nothing is written."""
    spool = bench.open(root=small_disk / "spool", min_free=512 * 1024)
    taken = 0
    while spool.append(bytes(50_000), 1):
        taken += 1
    assert 5 <= taken <= 11
    assert "would be free" in spool.trouble


def test_a_read_only_disk_takes_nothing_and_what_is_there_is_sent(bench, small_disk):
    """EROFS is no exception: requests are refused, and those on disk are handed out."""
    import subprocess

    spool = bench.open(root=small_disk / "spool")
    spool.append(b"there", 1)
    spool._sync()
    bench.crash(spool)
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    spool = bench.open(root=small_disk / "spool")
    assert not spool.append(b"x", 1)
    assert "Read-only" in spool.trouble
    assert spool.adopt() == 0  # no lock can be taken: another process may send it
    assert spool.next() is None


def test_a_disk_without_descriptors_takes_nothing(bench, monkeypatch):
    """EMFILE and its like are refusals, and the spool works again after."""
    spool = bench.open()

    def fail(*_args, **_kwargs):
        raise OSError(24, "Too many open files")

    with monkeypatch.context() as patch:
        patch.setattr(os, "open", fail)
        assert not spool.append(b"x", 1)
        assert spool.adopt() == 0
    assert "Too many open files" in spool.trouble
    assert spool.append(b"y", 1)
    assert drain(spool) == [b"y"]


def test_a_write_that_stays_in_part_is_never_followed(bench, monkeypatch):
    """Where the disk takes a part and does not give it back, the next request goes to a new file."""
    spool = bench.open()
    spool.append(b"whole", 1)
    write = os.write

    def fail(*_args):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda descriptor, data: write(descriptor, data[:34]))
        patch.setattr(os, "ftruncate", fail)
        assert not spool.append(b"half", 1)
    assert spool.append(b"after", 1)
    assert len(bench.segments()) == 2
    assert drain(spool) == [b"whole", b"after"]
    assert bench.lost == {}


def test_one_thread_writes_while_another_reads(bench):
    """Every request arrives once and in order, across many segments."""
    spool = bench.open(max_bytes=1024 * 1024)
    count, seen, ready = 2000, [], threading.Semaphore(0)

    def write():
        for number in range(count):
            assert spool.append(number.to_bytes(4, "little") * 8, 1)
            ready.release()

    writer = threading.Thread(target=write)
    writer.start()
    while len(seen) < count:
        assert ready.acquire(timeout=20)
        frame = spool.next()
        seen.append(int.from_bytes(frame.body[:4], "little"))
        spool.done(frame)
    writer.join()
    assert seen == list(range(count))
    assert bench.lost == {}
    assert Path(bench.root).exists()


def test_done_with_out_of_order_is_never_lost(bench):
    """A newer request that is done with first does not take an older one that is underway with it."""
    spool = bench.open(max_bytes=64 * 1024)
    for number in range(3):
        spool.append(bytes([number]) * 8000, 1)
    frames = [spool.next() for _ in range(3)]
    assert len(bench.segments()) == 3
    spool.done(frames[1])
    spool.append(b"last", 1)
    spool.done(frames[2])
    bench.crash(spool)
    heir = bench.open()
    heir.adopt()
    assert drain(heir)[0] == frames[0].body


def test_what_could_not_be_deleted_is_not_sent_again(bench, monkeypatch):
    """A file that stays on the disk after it was done with is passed over, and deleted by the next process."""
    spool = bench.open(max_bytes=64 * 1024)
    for number in range(3):
        spool.append(bytes([number]) * 8000, 1)

    def fail(*_args, **_kwargs):
        raise OSError(1, "Operation not permitted")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", fail)
        for _ in range(2):
            spool.done(spool.next())
    spool.append(b"x", 1)
    spool.done(spool.next())
    bench.crash(spool)
    assert len(bench.segments()) > 1
    heir = bench.open()
    assert heir.adopt() == 1
    assert drain(heir) == [b"x"]
    assert bench.segments() == []


def test_a_directory_that_vanishes_while_it_is_claimed_is_not_held(bench, monkeypatch):
    """Two adopters opened the same lock; the first has drained and deleted all before the second gets it."""
    import fcntl
    import shutil

    spool = bench.open()
    spool.append(b"x", 1)
    bench.crash(spool)
    (path,) = directory.process_directories(bench.root / "shop/otlp/traces")
    flock = fcntl.flock

    def lock_late(descriptor, how):
        shutil.rmtree(path)
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", lock_late)
    assert directory.Directory.claim(path) is None
    assert directory.Directory.claim(path) is None


def test_a_directory_that_cannot_be_read_is_left_to_others(bench, monkeypatch):
    """An adopter that fails lets go of the lock, and says what is wrong."""
    spool = bench.open()
    spool.append(b"x", 1)
    bench.crash(spool)
    reader = bench.open()

    def fail(*_args):
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", fail)
        assert reader.adopt() == 0
    assert "Input/output" in reader.trouble
    other = bench.open()
    assert other.adopt() == 1
    assert drain(other) == [b"x"]


def test_a_broken_disk_costs_what_is_on_it_and_no_more(bench, monkeypatch):
    """EIO writes a segment off and counts it; any other refusal is tried again."""
    spool = bench.open()
    spool.append(b"x", 3)

    def refuse(number):
        def fail(*_args):
            raise OSError(number, os.strerror(number))

        return fail

    with monkeypatch.context() as patch:
        patch.setattr(os, "pread", refuse(24))
        assert spool.next() is None
        spool.expire()
        assert bench.lost == {}
        patch.setattr(os, "pread", refuse(5))
        assert spool.next() is None
    assert bench.lost == {"spool_corrupt": 3}
    assert spool.append(b"y", 1)
    assert drain(spool) == [b"y"]
