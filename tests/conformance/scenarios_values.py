"""Scenarios about what a span is given: attributes, events, links, status, names, times."""

from __future__ import annotations

import datetime as dt
import decimal
import enum
import math
import pathlib
import types
import uuid
from collections import UserDict, UserList, deque
from typing import TYPE_CHECKING, Any

from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

if TYPE_CHECKING:
    from conformance.stage import Stage

REMOTE = SpanContext(0xABC, 0xDEF, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("a", "1")]))
NOWHERE = SpanContext(0, 0, is_remote=False)
STATEFUL = SpanContext(0, 0, is_remote=False, trace_state=TraceState([("b", "2")]))


class Colour(enum.Enum):
    """No text, though it has one."""

    RED = "red"


class Level(enum.IntEnum):
    """A number."""

    HIGH = 3


class Mood(enum.StrEnum):
    """A text."""

    GOOD = "good"


class Named:
    """An object with a text of its own."""

    def __str__(self) -> str:
        return "named"


class Text(str):
    """A text with a field."""

    __slots__ = ("field",)


VALUES: dict[str, Any] = {
    "text": "text",
    "empty text": "",
    "long text": "x" * 300,
    "unicode": "\N{SNOWMAN}\N{GRINNING FACE}\x00é",
    "number": 7,
    "negative": -7,
    "fraction": 0.1,
    "no number": math.nan,
    "endless": math.inf,
    "true": True,
    "false": False,
    "none": None,
    "bytes": b"\x00\xff",
    "array of bytes": bytearray(b"ab"),
    "list": [1, 2, 3],
    "tuple": ("a", "b"),
    "empty list": [],
    "mixed": [1, "a", None, 2.5, True, b"b"],
    "nested": [[1, [2, [3]]], {"a": [1, {"b": None}]}],
    "dict": {"a": 1, "b": {"c": [1, 2]}, "": 1, 5: "five", "long": "y" * 300},
    "empty dict": {},
    "range": range(3),
    "deque": deque([1, 2]),
    "user list": UserList([1, "b"]),
    "user dict": UserDict({"a": 1}),
    "proxy": types.MappingProxyType({"a": 1}),
    "int enum": Level.HIGH,
    "str enum": Mood.GOOD,
    "str subclass": Text("sub"),
    "big": 2**63 - 1,
}

#: Objects, of which the text is kept.
OBJECTS: dict[str, Any] = {
    "set": {1},
    "frozen set": frozenset({"a"}),
    "enum": Colour.RED,
    "named": Named(),
    "class": Named,
    "uuid": uuid.UUID(int=5),
    "path": pathlib.PurePosixPath("/a/b"),
    "date": dt.datetime(2026, 1, 2, tzinfo=dt.UTC),
    "decimal": decimal.Decimal("1.10"),
    "complex": 1 + 2j,
}


def every_type(stage: Stage) -> None:
    """Each value as attribute of a span one by one, of one at the start, of an event and of a link."""
    for key, value in VALUES.items():
        with stage.tracer.start_as_current_span(key) as span:
            stage.attempt(span.set_attribute, key, value)
            stage.note(key, dict(span.attributes))
        with stage.tracer.start_as_current_span(key, attributes={"first": 1, key: value}) as span:
            span.add_event(key, {key: value, "second": 2})
            span.add_link(REMOTE, {key: value, "second": 2})
    with stage.tracer.start_as_current_span("all") as span:
        span.set_attributes(VALUES)
        stage.note(dict(span.attributes))


def objects(stage: Stage) -> None:
    """Objects are kept as their texts, made when they are given."""
    for key, value in OBJECTS.items():
        with stage.tracer.start_as_current_span(
            key, attributes={key: value, "list": [value], "dict": {"k": value}}
        ) as span:
            span.set_attribute("later", value)
            span.add_event(key, {key: value})
            span.add_link(REMOTE, {key: value})


def unspeakable(stage: Stage) -> None:
    """Values that OTLP has no room for: what the SDK's encoder raises for ours it raises for its own."""
    for value in ("\ud800", "a\udfffb", 2**63, -(2**63) - 1, 2**200, [2**64], {"\ud800": 1}):
        with stage.tracer.start_as_current_span("unspeakable", attributes={"value": value}):
            stage.tick()


def keys(stage: Stage) -> None:
    """Keys that are none, alone and among others."""
    for key in ("", None, 5, 0, b"k", ("t",), Text("sub"), Mood.GOOD, "\N{SNOWMAN}", "a.b-c/d e"):
        with stage.tracer.start_as_current_span("keys") as span:
            stage.attempt(span.set_attribute, key, "v")
            stage.note(repr(key), dict(span.attributes), span.dropped_attributes)
        with stage.tracer.start_as_current_span("keys", attributes={"good": 1, key: "v"}) as span:
            stage.attempt(span.set_attributes, {key: 2, "other": 3})
            span.add_event("e", {key: 1, "good": 2})
            stage.note(dict(span.attributes), span.dropped_attributes)


def many_attributes(stage: Stage) -> None:
    """200 of 128, one by one and at once, and again: which ones go, in which order, how many are counted."""
    with stage.tracer.start_as_current_span("one by one") as span:
        for number in range(200):
            span.set_attribute(f"k{number}", number)
        span.set_attribute("k150", "again")
        span.set_attribute("k199", [1])
        stage.note(list(span.attributes.items()), span.dropped_attributes)
    with stage.tracer.start_as_current_span(
        "at once", attributes={f"k{number}": number for number in range(200)}
    ) as span:
        span.set_attributes({f"k{number}": "again" for number in range(100, 150)})
        span.set_attributes({"k120": None, "new": 1})
        stage.note(list(span.attributes.items()), span.dropped_attributes)
    with stage.tracer.start_as_current_span("within", attributes={"a": 1, "b": 2}) as span:
        span.set_attribute("a", 3)
        span.set_attributes({"b": "x", "c": "y"})
        stage.note(list(span.attributes.items()), span.dropped_attributes)


def many_entries(stage: Stage) -> None:
    """150 events and links; attributes over their limits."""
    links = [Link(SpanContext(1, number, is_remote=False), {"n": number}) for number in range(1, 151)]
    with stage.tracer.start_as_current_span("many", links=links) as span:
        for number in range(150):
            stage.tick()
            span.add_event(f"e{number}", {f"k{each}": each for each in range(number)})
        for number in range(150):
            span.add_link(SpanContext(2, number + 1, is_remote=True), {f"k{each}": each for each in range(number)})
        stage.note(span.events, span.dropped_events)
        stage.note(span.links, span.dropped_links)
    (ended,) = stage.exported
    stage.note(ended.events, ended.dropped_events, ended.links, ended.dropped_links)


def events(stage: Stage) -> None:
    """Events with and without attributes and times."""
    with stage.tracer.start_as_current_span("events") as span:
        span.add_event("plain")
        stage.tick()
        span.add_event("empty", {})
        span.add_event("attributes", {"a": 1, "b": [1, "x"]})
        span.add_event("early", timestamp=5)
        span.add_event("zero", None, 0)
        span.add_event("")
        kept = {"mine": "before", "list": [1]}
        span.add_event("changed later", kept)
        kept["mine"] = "after"
        kept["list"].append(2)
        first, again = span.events, span.events
        stage.note(first, [one is other for one, other in zip(first, again, strict=True)])
        stage.attempt(lambda: first[2].attributes.__setitem__("a", 2))


def links(stage: Stage) -> None:
    """Links that lead somewhere, nowhere, nowhere with something to say; at the start and after."""
    given = [Link(REMOTE), Link(REMOTE, {"a": 1}), Link(NOWHERE), Link(NOWHERE, {"a": 1}), Link(STATEFUL), None]
    with stage.tracer.start_as_current_span("links", links=given) as span:
        for context in (REMOTE, NOWHERE, STATEFUL, None):
            stage.attempt(span.add_link, context)
            stage.attempt(span.add_link, context, {"b": [1]})
            stage.attempt(span.add_link, context, {})
        stage.note(span.links, [link.context.is_remote for link in span.links], span.dropped_links)
    for nothing in ((), [], None):
        with stage.tracer.start_as_current_span("none", links=nothing) as span:
            stage.note(span.links)
    kept = {"a": "before"}
    with stage.tracer.start_as_current_span("changed later", links=[Link(REMOTE, kept)]):
        kept["a"] = "after"


def statuses(stage: Stage) -> None:
    """OK is final, UNSET changes nothing, descriptions belong to errors."""
    ok, error, unset = StatusCode.OK, StatusCode.ERROR, StatusCode.UNSET
    sequences: list[list[tuple[Any, ...]]] = [
        [(ok,), (error, "late")],
        [(error, "first"), (error, "second"), (unset, "third")],
        [(error, "first"), (ok, "fine"), (error, "late")],
        [(unset, "text")],
        [(ok, "text")],
        [(error,)],
        [(error, "")],
        [(Status(error, "object"),), (Status(unset),)],
        [(Status(error, "object"), "beside")],
        [(Status(ok),), (Status(error, "late"),)],
        [(Status(ok, "text"),)],
        [("ERROR",), (2,), (None,)],
        [(error, 5)],
        [(Status(error, None),)],
        [(error, "x" * 5_000)],
    ]
    for sequence in sequences:
        with stage.tracer.start_as_current_span("status") as span:
            for arguments in sequence:
                stage.attempt(span.set_status, *arguments)
                stage.note(span.status, span.status.is_ok, span.status.is_unset)


def late_calls(stage: Stage) -> None:
    """After the end nothing changes, nothing is raised and nothing is exported again."""
    span = stage.tracer.start_span("early", attributes={"a": 1})
    span.add_event("in time")
    stage.tick()
    span.end()
    stage.tick()
    for call in (
        lambda: span.set_attribute("late", 1),
        lambda: span.set_attributes({"late": 1}),
        lambda: span.add_event("late"),
        lambda: span.add_link(REMOTE),
        lambda: span.update_name("late"),
        lambda: span.set_status(StatusCode.ERROR, "late"),
        lambda: span.record_exception(ValueError("late")),
        span.end,
        lambda: span.end(5),
    ):
        stage.attempt(call)
    stage.attempt(lambda: span.attributes.__setitem__("late", 1))
    stage.note(span.name, span.attributes, span.events, span.links, span.status, span.end_time, span.is_recording())
    with stage.tracer.start_as_current_span("left twice") as inside:
        inside.end()
        inside.set_attribute("late", 1)
        stage.tick()
    stage.note(inside.end_time, len(stage.exported))


def names_and_times(stage: Stage) -> None:
    """Names, kinds and times as they are given."""
    for name in ("", "x" * 2_000, "\N{SNOWMAN}", "a\nb"):
        with stage.tracer.start_as_current_span(name) as span:
            stage.tick()
            span.update_name(name + "!")
            stage.note(span.name, span.kind, span.start_time, span.end_time)
    for kind in SpanKind:
        with stage.tracer.start_as_current_span("kind", kind=kind) as span:
            stage.note(span.kind)
    for start, end in ((None, None), (5, 9), (0, 0), (9, 5), (None, 1)):
        span = stage.tracer.start_span("times", start_time=start)
        stage.tick()
        span.end(end)
        stage.note(span.start_time, span.end_time)


def attributes_at_start(stage: Stage) -> None:
    """Any mapping, which stays the caller's."""
    given: Any
    for given in (None, {}, {"a": [1]}, types.MappingProxyType({"a": 1}), UserDict({"a": 1, "b": [1]})):
        with stage.tracer.start_as_current_span("start", attributes=given) as span:
            stage.note(dict(span.attributes), len(span.attributes), "a" in span.attributes)
    mine = {"list": [1], "text": "before"}
    with stage.tracer.start_as_current_span("mine", attributes=mine) as span:
        span.set_attribute("more", inner := {"a": [1]})
        mine["list"].append(2)
        mine["text"] = "after"
        inner["a"].append(2)
        span.set_attribute("own", True)
    stage.note(mine, stage.exported[-1].attributes)
    with stage.tracer.start_as_current_span("kept", attributes={"first": 0}) as span:
        seen = span.attributes
        span.set_attribute("a", 1)
        stage.note(dict(seen), dict(span.attributes))
        stage.attempt(lambda: seen.__setitem__("b", 1))
        stage.attempt(lambda: seen.__delitem__("a"))


def copied_within(stage: Stage) -> None:
    """Attributes are set while the attributes, the events and the links are gone through."""
    link = [Link(REMOTE, {"l": 1})]
    with stage.tracer.start_as_current_span("copied", attributes={"a": 1, "b": [2]}, links=link) as span:
        stage.attempt(lambda: [span.set_attribute(f"{key}.copy", value) for key, value in span.attributes.items()])
        stage.attempt(lambda: [span.set_attribute(key, "again") for key in span.attributes])
        span.add_event("e", {"a": 1})
        stage.attempt(lambda: [span.add_event(event.name, event.attributes) for event in span.events])
        stage.attempt(lambda: [span.add_link(each.context, each.attributes) for each in span.links])
        span.set_attributes(span.attributes)
        stage.note(
            list(span.attributes.items()), span.events, span.links, len(span.attributes), span.attributes.get("a")
        )


ALL = (
    every_type,
    objects,
    unspeakable,
    keys,
    many_attributes,
    many_entries,
    events,
    links,
    statuses,
    late_calls,
    names_and_times,
    attributes_at_start,
    copied_within,
)
