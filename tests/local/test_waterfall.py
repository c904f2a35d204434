"""The layout of the waterfall, and the conversation of a model call."""

from __future__ import annotations

import json

import pytest

from aumos_otel.local import messages
from aumos_otel.local.queries import Log, Span
from aumos_otel.local.waterfall import COLORS, MAX_DEPTH, lay_out

MS = 1_000_000


def made(span_id, parent=None, *, start=0, ms=10, service="api", **more):
    """A span as the store returns it; times in milliseconds."""
    values = dict.fromkeys(Span.__slots__) | {"seq": 0, "span_id": span_id, "parent_id": parent, "name": span_id, "start_ns": start * MS, "duration_ns": ms * MS, "service": service, "thing": "other", "attributes": {}, "events": []}  # fmt: skip
    return Span(**values | more)


def shape(spans):
    """Names with their depth, from top to bottom."""
    return [(row.span.span_id, row.depth) for row in lay_out(spans).rows]


def test_children_follow_their_parent_by_start():
    """The tree is walked depth first, siblings by start, whatever order the spans came in."""
    spans = [made("b2", "b", start=5), made("c", "a", start=6), made("b1", "b", start=3), made("a", ms=20), made("b", "a", start=2)]  # fmt: skip
    assert shape(spans) == [("a", 0), ("b", 1), ("b1", 2), ("b2", 2), ("c", 1)]


def test_a_span_whose_parent_has_not_arrived_is_a_marked_root():
    """Orphans stand at the left, and say so."""
    rows = lay_out([made("a"), made("b", "gone", start=1)]).rows
    assert [(row.depth, row.orphan) for row in rows] == [(0, False), (0, True)]


def test_a_ring_of_parents_is_shown_once():
    """Spans that are each other's parents, or their own, are all drawn, none twice."""
    assert sorted(shape([made("a", "b"), made("b", "a"), made("c", "c")])) == [("a", 0), ("b", 1), ("c", 0)]


def test_a_deep_recursion_stays_on_the_page():
    """Depth is capped for drawing; thousands of levels do not exhaust the stack."""
    spans = [made(str(number), str(number - 1) if number else None, start=number) for number in range(5000)]
    depths = [depth for _, depth in shape(spans)]
    assert (len(depths), max(depths)) == (5000, MAX_DEPTH)


def test_bars_are_placed_in_percent_and_stay_inside():
    """A bar begins and ends where its span does; a moment is still visible."""
    first, second, moment = lay_out([made("a", ms=100), made("b", "a", start=50, ms=25), made("c", "a", start=100, ms=0)]).rows  # fmt: skip
    assert (first.left, first.width, second.left, second.width) == (0, 100, 50, 25)
    assert moment.width > 0
    assert moment.left + moment.width <= 100


def test_the_first_chunk_splits_the_bar():
    """Time to first chunk is drawn on the call's own bar, never outside it."""
    first = {"gen_ai.response.time_to_first_chunk": 0.025}
    late = {"gen_ai.response.time_to_first_chunk": 9.0}
    rows = lay_out([made("a", ms=100, attributes=first), made("b", ms=100, attributes=late)]).rows
    assert [row.first_chunk for row in rows] == [25, 100]


def test_axis_ticks_are_round():
    """The axis counts in 1, 2 or 5 of a unit."""
    assert [tick.label for tick in lay_out([made("a", ms=1720)]).ticks] == ["0", "500ms", "1.00s", "1.50s"]
    assert [tick.label for tick in lay_out([made("a", ms=0)]).ticks] == ["0"]
    assert lay_out([]).ticks == []


def test_services_get_colors_in_order_and_share_when_there_are_many():
    """The first service has the first color."""
    drawn = lay_out([made(str(number), service=f"s{number}", start=number) for number in range(COLORS + 1)])
    assert drawn.services["s0"] == drawn.services[f"s{COLORS}"] == 0


def call(**attributes):
    """A model call with attributes given with underscores for dots."""
    return made("a", attributes={f"gen_ai.{key.replace('__', '.')}": value for key, value in attributes.items()})


@pytest.mark.parametrize("encode", [json.dumps, lambda value: value], ids=["text", "structured"])
def test_messages_come_as_json_text_or_structured(encode):
    """Both encodings of the convention give the same conversation."""
    found = messages.of_call(
        call(
            input__messages=encode([{"role": "user", "parts": [{"type": "text", "content": "hi"}]}]),
            output__messages=encode([{"role": "assistant", "finish_reason": "tool_call", "parts": [{"type": "tool_call", "name": "add", "arguments": {"a": 1}}]}]),
        ),
        [],
    )  # fmt: skip
    assert [(message.role, message.finish_reason) for message in found] == [("user", ""), ("assistant", "tool_call")]
    assert found[1].parts == (messages.Part("tool_call", "add", '{\n  "a": 1\n}'),)


@pytest.mark.parametrize(
    "value", ["just text", [1, None], {"role": "user"}, '{"a": 1}', [["x"]], [{"parts": [{"odd": 1}]}]]
)
def test_messages_of_other_shapes_are_shown_as_they_are(value):
    """What does not follow the convention still appears, and raises nothing."""
    assert messages.of_call(call(input__messages=value), [])


def test_messages_captured_as_an_event_are_found():
    """With capture in events, the log record of the span holds the conversation."""
    values = dict.fromkeys(Log.__slots__) | {"span_id": "a", "event_name": "gen_ai.client.inference.operation.details", "attributes": {"gen_ai.input.messages": [{"role": "user", "content": "hi"}]}}  # fmt: skip
    (found,) = messages.of_call(call(), [Log(**values)])
    assert found.parts == (messages.Part("text", "", "hi"),)
    assert messages.of_call(call(), [Log(**values | {"span_id": "other"})]) == []
