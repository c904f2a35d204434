"""The bounded queue: what it keeps, what makes room, and that its sums hold."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.delivery.queue import Entry, Queue


def entry(name: object, *, size: int = 1, records: int = 1, valued: bool = False) -> Entry[object]:
    """One entry."""
    return Entry(name, records, size, valued)


def items(queue: Queue[object]) -> list[object]:
    """What waits, in the order in which it leaves."""
    return [each.item for each in queue]


def test_first_in_first_out() -> None:
    """Entries leave in the order in which they came."""
    queue: Queue[object] = Queue(10, 100)
    for name in "abc":
        assert queue.offer(entry(name)) is None

    assert [each.item for each in queue.take(2, 100)] == ["a", "b"]
    assert [each.item for each in queue.take(2, 100)] == ["c"]
    assert (queue.records, queue.bytes) == (0, 0)


def test_the_oldest_ordinary_entry_makes_room() -> None:
    """A full queue drops its oldest entry of the lower class, and says how many records that was."""
    queue: Queue[object] = Queue(3, 100)
    for each in (entry("error", valued=True), entry("old"), entry("newer")):
        queue.offer(each)

    assert queue.offer(entry("newest")) == ("queue_full", 1)
    assert items(queue) == ["error", "newer", "newest"]


def test_an_ordinary_entry_never_displaces_a_valued_one() -> None:
    """When only errors and LLM calls wait, an ordinary record is refused and a valued one displaces the oldest."""
    queue: Queue[object] = Queue(2, 100)
    queue.offer(entry("first error", valued=True))
    queue.offer(entry("second error", valued=True))

    assert queue.offer(entry("ordinary")) == ("queue_full", 1)
    assert queue.offer(entry("third error", valued=True)) == ("queue_full", 1)
    assert items(queue) == ["second error", "third error"]


def test_the_bound_in_bytes() -> None:
    """Large entries push out as many small ones as they need."""
    queue: Queue[object] = Queue(100, 10)
    for name in "abcd":
        queue.offer(entry(name, size=2))

    assert queue.offer(entry("large", size=7)) == ("queue_bytes", 3)
    assert items(queue) == ["d", "large"]


def test_an_entry_larger_than_the_queue() -> None:
    """What can never fit is refused alone; nothing else is dropped for it."""
    queue: Queue[object] = Queue(100, 10)
    queue.offer(entry("small"))

    assert queue.offer(entry("huge", size=11, valued=True)) == ("queue_bytes", 1)
    assert items(queue) == ["small"]


def test_a_batch_keeps_to_its_bounds_but_is_never_empty() -> None:
    """A batch ends before it would be too large; one entry is taken whatever its size."""
    queue: Queue[object] = Queue(100, 1000)
    for name, size in (("a", 50), ("b", 60), ("c", 500)):
        queue.offer(entry(name, size=size))

    assert [each.item for each in queue.take(10, 100)] == ["a"]
    assert [each.item for each in queue.take(10, 100)] == ["b"]
    assert [each.item for each in queue.take(10, 100)] == ["c"]


@given(
    st.integers(1, 8),
    st.integers(1, 40),
    st.lists(st.tuples(st.integers(1, 3), st.integers(1, 15), st.booleans()), max_size=40),
)
def test_nothing_leaves_uncounted(max_records: int, max_bytes: int, offered: list[tuple[int, int, bool]]) -> None:
    """Whatever is offered: records in = records waiting + records reported as dropped, and the bounds hold."""
    queue: Queue[object] = Queue(max_records, max_bytes)
    dropped = 0
    for number, (records, size, valued) in enumerate(offered):
        lost = queue.offer(entry(number, records=records, size=size, valued=valued))
        dropped += lost[1] if lost else 0
        assert queue.records <= max_records
        assert queue.bytes <= max_bytes

    assert sum(records for records, _, _ in offered) == queue.records + dropped
    assert queue.records == sum(each.records for each in queue)
    assert queue.bytes == sum(each.size for each in queue)
