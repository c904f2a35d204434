"""Whatever is done to a span, in whichever order, ours and the SDK's are exported alike."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

from conformance.stage import compare
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.sdk.trace import SpanLimits
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

if TYPE_CHECKING:
    from conformance.stage import Stage

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12), st.sampled_from(["x" * 40, "\N{SNOWMAN}"])
)
SCALARS = st.one_of(
    TEXTS, st.integers(-(2**63), 2**63 - 1), st.floats(), st.booleans(), st.none(), st.binary(max_size=4)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXTS, inner, max_size=3), st.tuples(inner)),
    max_leaves=6,
)
KEYS = st.one_of(st.sampled_from(["a", "b", "c", "d", "e", ""]), TEXTS)
ATTRIBUTES = st.one_of(st.none(), st.dictionaries(KEYS, VALUES, max_size=6))
TIMES = st.one_of(st.none(), st.integers(0, 2**62))
CONTEXTS = st.builds(SpanContext, st.integers(0, 3), st.integers(0, 3), st.booleans())
CODES = st.sampled_from(StatusCode)
STATUSES = st.one_of(st.tuples(CODES, st.one_of(st.none(), TEXTS)), st.tuples(st.builds(Status, CODES)))

STEPS = st.one_of(
    st.tuples(st.just("set_attribute"), st.tuples(KEYS, VALUES)),
    st.tuples(st.just("set_attributes"), st.tuples(st.dictionaries(KEYS, VALUES, max_size=6))),
    st.tuples(st.just("add_event"), st.tuples(TEXTS, ATTRIBUTES, TIMES)),
    st.tuples(st.just("add_link"), st.tuples(CONTEXTS, ATTRIBUTES)),
    st.tuples(st.just("set_status"), STATUSES),
    st.tuples(st.just("update_name"), st.tuples(TEXTS)),
    st.tuples(st.just("record_exception"), st.tuples(st.builds(ValueError, TEXTS), ATTRIBUTES, TIMES, st.booleans())),
    st.tuples(st.just("end"), st.tuples(TIMES)),
)
COUNTS = st.one_of(st.none(), st.just(SpanLimits.UNSET), st.integers(0, 4))
LENGTHS = st.one_of(st.none(), st.integers(0, 8))
LIMITS = st.builds(
    SpanLimits,
    max_attributes=COUNTS,
    max_events=COUNTS,
    max_links=COUNTS,
    max_span_attributes=COUNTS,
    max_event_attributes=COUNTS,
    max_link_attributes=COUNTS,
    max_attribute_length=LENGTHS,
    max_span_attribute_length=LENGTHS,
)
STARTS = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(SpanKind),
        "attributes": ATTRIBUTES,
        "start_time": TIMES,
        "links": st.one_of(st.none(), st.lists(st.tuples(CONTEXTS, ATTRIBUTES), max_size=4)),
        "record_exception": st.booleans(),
        "set_status_on_exception": st.booleans(),
        "end_on_exit": st.booleans(),
    },
)


@given(LIMITS, STARTS, st.lists(STEPS, max_size=12), st.booleans())
def test_any_span(
    limits: SpanLimits, start: dict[str, Any], steps: list[tuple[str, tuple[Any, ...]]], fails: bool
) -> None:
    """A span with its child, after any calls, ended in any way."""
    described = start.get("links") or ()

    def scenario(stage: Stage) -> None:
        options = {**start, "links": [Link(*about) for about in described]}  # the SDK writes into the links it is given
        with contextlib.suppress(KeyError), stage.tracer.start_as_current_span("any", **options) as span:
            for name, arguments in steps:
                stage.tick()
                stage.attempt(getattr(span, name), *arguments)
                stage.note(span.is_recording(), span.status, dict(span.attributes))
            with stage.tracer.start_as_current_span("child"):
                stage.tick()
            if fails:
                raise KeyError("at the end")
        span.end()
        stage.note(span.name, span.events, span.links)
        stage.note(span.dropped_attributes, span.dropped_events, span.dropped_links)

    stock, ours = compare(scenario, span_limits=limits)

    assert ours == stock
