"""From a chunk of finished spans to the lanes: who gets what, and what becomes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest
from delivery.written import Recorder, messages, redactor
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext

from aumos_otel import guard
from aumos_otel.config import Selector
from aumos_otel.delivery.ledger import Account, Books, Ledger
from aumos_otel.delivery.packing import parcels_of
from aumos_otel.delivery.parcel import Parcel
from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.preparation import Exit, Preparation
from aumos_otel.delivery.reading import span_record
from aumos_otel.delivery.selection import Selection
from aumos_otel.delivery.sheaf import Grain
from aumos_otel.delivery.span_writer import SpanWriter

OPEN = Policy("full", "full", None)


class Shelf:
    """Stands where a lane does, and keeps what it gets."""

    def __init__(self, books: Books, name: str) -> None:
        self.account: Account = books.open(name, name)
        self.parcels: list[Parcel] = []

    def admit(self, parcels: Sequence[Parcel]) -> None:
        """Book and keep them."""
        self.account.queued += sum(parcel.count for parcel in parcels)
        self.parcels += parcels

    def store(self, parcels: Sequence[Parcel]) -> None:
        """Nothing more to do."""

    @property
    def names(self) -> list[str]:
        """Names of the spans that came, sorted."""
        return sorted(each.name for each in messages(self.parcels))


class Kitchen:
    """A preparation and its lanes."""

    def __init__(self, *ways: tuple[Selection, Policy], writes: bool = True) -> None:
        self.books = Ledger().open("traces")
        self.shelves = [Shelf(self.books, f"way {number}") for number, _ in enumerate(ways)]
        self.paused = False
        exits = [Exit(*way, shelf) for way, shelf in zip(ways, self.shelves, strict=True)]  # type: ignore[arg-type]  # it does what a lane does
        writer = partial(SpanWriter, grain=Grain(4, 10_000))
        self.prepare: Preparation[Any] = Preparation(
            self.books, exits, span_record, parcels_of, lambda: self.paused, writer=writer if writes else None
        )

    def take(self, items: Sequence[Any]) -> list[dict[str, Any]]:
        """Prepare ``items`` and give the accounts, whose sums have to hold."""
        with self.books.lock:
            self.books.emitted += len(items)
            self.books.waiting += len(items)
        self.prepare(items)
        books = [shelf.account.snapshot() for shelf in self.shelves]
        for book in books:
            assert book["emitted"] == len(items) == book["queued"] + sum(book["dropped"].values())
        return books


def everything() -> Selection:
    """All records."""
    return Selection(None, 1.0)


def test_each_destination_gets_every_span() -> None:
    """Destinations of the same and of another policy get all spans, each redacted as its own policy says."""
    strict = Policy("full", "full", redactor(personal="mask"))
    kitchen = Kitchen((everything(), OPEN), (everything(), OPEN), (everything(), strict))

    kitchen.take([Recorder().span({}, name) for name in ("one", "ann@example.com", "three")])

    assert [shelf.names for shelf in kitchen.shelves] == [["ann@example.com", "one", "three"]] * 2 + [
        ["[REDACTED:email]", "one", "three"]
    ]


def test_spans_of_several_makes() -> None:
    """A chunk with spans of ours, of the SDK and objects that are none: each arrives or is counted."""
    kitchen = Kitchen((everything(), OPEN))
    theirs = ReadableSpan("theirs", SpanContext(1, 2, is_remote=False), start_time=1, end_time=2)
    broken = Recorder().span({}, "broken")
    broken.context = None  # type: ignore[assignment]  # nothing stops a processor

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "_strict", False)
        (book,) = kitchen.take([Recorder().span({}, "ours"), object(), theirs, broken])

    assert kitchen.shelves[0].names == ["ours", "theirs"]
    assert book["dropped"] == {"encode_error": 2}


def test_a_span_that_cannot_be_redacted() -> None:
    """Under a profile that fails closed such a span is counted for its destinations alone, and the others arrive."""

    def refuse(_where: str, text: str) -> str:
        if text == "bad":
            raise ValueError
        return text

    closed = Policy("full", "full", redactor(custom=refuse, fail_closed=True))
    kitchen = Kitchen((everything(), OPEN), (everything(), closed))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "_strict", False)
        books = kitchen.take([Recorder().span({}, name) for name in ("good", "bad", "good")])

    assert [shelf.names for shelf in kitchen.shelves] == [["bad", "good", "good"], ["good", "good"]]
    assert [book["dropped"] for book in books] == [{}, {"redaction_failed": 1}]


def test_paused() -> None:
    """While telemetry is switched off nothing is prepared, and all is counted."""
    kitchen = Kitchen((everything(), OPEN), (everything(), OPEN))
    kitchen.paused = True

    books = kitchen.take([Recorder().span() for _ in range(3)])

    assert [book["dropped"] for book in books] == [{"paused": 3}] * 2


def test_a_span_that_is_too_large() -> None:
    """What is too large for the short way is shortened by the general one, and arrives."""
    kitchen = Kitchen((everything(), OPEN))
    large = Recorder().span({f"key.{number}": "x" * 32_000 for number in range(120)}, "large")

    kitchen.take([large, Recorder().span({}, "small")])

    assert kitchen.shelves[0].names == ["large", "small"]


TENANTS = [None, "acme", "globex", "ac\0me", ["acme"], 7, "acme\ufffd"]
selectors = st.none() | st.builds(
    Selector,
    tenants=st.sampled_from([(), ("acme",), ("acme", "globex")]),
    operations=st.sampled_from([(), ("chat",)]),
    severity=st.none(),
    scopes=st.sampled_from([(), ("tests",), ("te*",), ("other",)]),
    attributes=st.sampled_from([{}, {"n": 1}, {"list": ["a"]}]),
)
ways = st.lists(
    st.tuples(st.builds(Selection, selectors, st.sampled_from([0.0, 0.5, 1.0])), st.integers(0, 1)),
    min_size=1,
    max_size=3,
)


@st.composite
def chosen(draw: Any) -> Any:
    """A span that selections may be about."""
    own = {
        "aumos.tenant.id": draw(st.sampled_from(TENANTS)),
        "gen_ai.operation.name": draw(st.sampled_from(["chat", "embeddings", None])),
        "n": draw(st.sampled_from([1, True, 2, "1"])),
        "list": draw(st.sampled_from([("a",), ("b",), "a"])),
    }
    own = {key: value for key, value in own.items() if draw(st.booleans())}
    recorder = Recorder(
        {"aumos.tenant.id": "globex"} if draw(st.booleans()) else {}, draw(st.sampled_from(["tests", "x"]))
    )
    name = str(draw(st.integers(0, 2**30)))
    return recorder.span(own, name, context=SpanContext(draw(st.integers(1, 2**128 - 1)), 2, is_remote=False))


@settings(deadline=None, max_examples=150)
@given(ways, st.lists(chosen(), max_size=6))
def test_selections(ways: list[tuple[Selection, int]], spans: list[Any]) -> None:
    """Each destination gets the same spans, and counts the same losses, as by the general way."""
    policies = [OPEN, Policy("full", "full", redactor())]
    exits = [(selection, policies[which]) for selection, which in ways]
    short, general = Kitchen(*exits), Kitchen(*exits, writes=False)

    books, expected = short.take(spans), general.take(spans)

    assert [shelf.names for shelf in short.shelves] == [shelf.names for shelf in general.shelves]
    assert [book["dropped"] for book in books] == [book["dropped"] for book in expected]
