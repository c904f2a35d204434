"""The bounded queue: what it keeps, what makes room, and that its sums hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.delivery.queue import Queue


def offer(
    queue: Queue[object], name: object, *, size: int = 1, records: int = 1, valued: bool = False
) -> tuple[str, int] | None:
    """Offer one item."""
    return queue.offer(name, records, size, valued=valued)


def test_first_in_first_out() -> None:
    """Items leave in the order in which they came."""
    queue: Queue[object] = Queue(10, 100)
    for name in "abc":
        assert offer(queue, name) is None

    assert queue.take(2, 100) == ["a", "b"]
    assert queue.take(2, 100) == ["c"]
    assert (queue.records, queue.bytes, len(queue)) == (0, 0, 0)


def test_the_valued_leave_first() -> None:
    """A batch has the valued items first, then the others, together within its bounds."""
    queue: Queue[object] = Queue(10, 100)
    for name, valued in (("a", False), ("error", True), ("b", False), ("another", True)):
        offer(queue, name, valued=valued)

    assert queue.take(3, 100) == ["error", "another", "a"]
    assert queue.take(3, 100) == ["b"]


def test_the_oldest_ordinary_entry_makes_room() -> None:
    """A full queue drops its oldest entry of the lower class, and says how many records that was."""
    queue: Queue[object] = Queue(3, 100)
    for name, valued in (("error", True), ("old", False), ("newer", False)):
        offer(queue, name, valued=valued)

    assert offer(queue, "newest") == ("queue_full", 1)
    assert list(queue) == ["error", "newer", "newest"]


def test_an_ordinary_entry_never_displaces_a_valued_one() -> None:
    """When only errors and LLM calls wait, an ordinary record is refused and a valued one displaces the oldest."""
    queue: Queue[object] = Queue(2, 100)
    offer(queue, "first error", valued=True)
    offer(queue, "second error", valued=True)

    assert offer(queue, "ordinary") == ("queue_full", 1)
    assert offer(queue, "third error", valued=True) == ("queue_full", 1)
    assert list(queue) == ["second error", "third error"]


def test_the_bound_in_bytes() -> None:
    """Large entries push out as many small ones as they need."""
    queue: Queue[object] = Queue(100, 10)
    for name in "abcd":
        offer(queue, name, size=2)

    assert offer(queue, "large", size=7) == ("queue_bytes", 3)
    assert list(queue) == ["d", "large"]


def test_a_valued_entry_takes_the_room_of_both_classes() -> None:
    """Where the ordinary ones are not enough, older valued ones go as well; all that went is told."""
    queue: Queue[object] = Queue(100, 10)
    offer(queue, "old error", size=6, valued=True)
    offer(queue, "ordinary", size=3, records=2)

    assert offer(queue, "large error", size=8, valued=True) == ("queue_bytes", 3)
    assert list(queue) == ["large error"]


def test_an_entry_larger_than_the_queue() -> None:
    """What can never fit is refused alone; nothing else is dropped for it."""
    queue: Queue[object] = Queue(100, 10)
    offer(queue, "small")

    assert offer(queue, "huge", size=11, valued=True) == ("queue_bytes", 1)
    assert offer(queue, "many", records=101) == ("queue_full", 101)
    assert list(queue) == ["small"]


def test_a_batch_keeps_to_its_bounds_but_is_never_empty() -> None:
    """A batch ends before it would be too large; one entry is taken whatever its size."""
    queue: Queue[object] = Queue(100, 1000)
    for name, size in (("a", 50), ("b", 60), ("c", 500)):
        offer(queue, name, size=size)

    assert queue.take(10, 100) == ["a"]
    assert queue.take(10, 100) == ["b"]
    assert queue.take(10, 100) == ["c"]
    assert queue.take(10, 100) == []


def test_what_comes_without_the_lock() -> None:
    """It keeps its place in the line, and is neither counted nor taken before it is admitted."""
    queue: Queue[object] = Queue(3, 100)
    offer(queue, "first")
    queue.ordinary.append(("second", 1, 5))
    assert (queue.records, queue.bytes) == (1, 1)
    assert queue.take(10, 100) == ["first"]
    assert queue.take(10, 100) == []

    assert offer(queue, "third") is None
    assert (queue.records, queue.bytes) == (2, 6)
    for name in "456":
        queue.ordinary.append((name, 1, 1))
    assert queue.admit() == ("queue_full", 2)
    assert queue.take(10, 100) == ["4", "5", "6"]


def test_what_comes_too_late() -> None:
    """What is not counted yet can be refused, and what is counted can be given up, each without the other."""
    queue: Queue[object] = Queue(10, 100)
    offer(queue, "ordinary", records=2)
    offer(queue, "error", valued=True)
    queue.ordinary.extend([("late", 1, 1), ("later", 1, 1)])

    assert queue.refuse_new() == 2
    assert list(queue) == ["error", "ordinary"]
    queue.ordinary.append(("last", 1, 1))
    assert queue.clear() == 3
    assert (queue.records, queue.bytes, list(queue)) == (0, 0, ["last"])


ITEMS = st.tuples(st.integers(1, 3), st.integers(1, 15), st.booleans(), st.booleans())


@given(st.integers(1, 8), st.integers(1, 40), st.lists(ITEMS, max_size=40), st.integers(1, 7))
def test_nothing_leaves_uncounted(
    max_records: int, max_bytes: int, offered: list[tuple[int, int, bool, bool]], batch: int
) -> None:
    """Whatever comes: records in = records out + waiting + reported as dropped, and once counted the bounds hold."""
    queue: Queue[tuple[int, int]] = Queue(max_records, max_bytes)
    came = dropped = out = 0
    for number, (records, size, valued, with_lock) in enumerate(offered):
        came += records
        if with_lock:
            lost = queue.offer((records, size), records, size, valued=valued)
        else:
            (queue.valued if valued else queue.ordinary).append(((records, size), records, size))
            lost = None
        again = queue.admit() if number % 3 == 0 else None
        dropped += sum(each[1] for each in (lost, again) if each)
        if number % 5 == 4:
            taken = queue.take(batch, max_bytes)
            assert len(taken) <= 1 or sum(each[0] for each in taken) <= batch
            out += sum(each[0] for each in taken)
        if number % 3 == 0:
            assert came == out + queue.records + dropped
            assert queue.records == sum(each[0] for each in queue) <= max_records
            assert queue.bytes == sum(each[1] for each in queue) <= max_bytes
