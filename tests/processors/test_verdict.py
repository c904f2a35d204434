"""What is worth keeping, and how many a kept span stands for."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags, TraceState

from aumos_otel._internal import probability
from aumos_otel.config import TailSampling
from aumos_otel.processors.verdict import Conditions, Share
from aumos_otel.semconv import attributes as names


def span(
    name: str = "GET", *, seconds: float = 0.1, error: bool = False, state: str = "", **known: Any
) -> ReadableSpan:
    """A finished span."""
    return ReadableSpan(
        name,
        SpanContext(0xFFF, 2, False, TraceFlags(1), TraceState([("ot", state)] if state else [])),
        attributes={getattr(names, key): value for key, value in known.items()},
        start_time=1_000,
        end_time=1_000 + int(seconds * 1e9),
        status=Status(StatusCode.ERROR if error else StatusCode.UNSET),
    )


@pytest.mark.parametrize(
    ("options", "worth", "worthless"),
    [
        ({}, {"error": True}, {"error": False}),
        ({"errors": False}, None, {"error": True}),
        (
            {"first_chunk_above": 2.0},
            {"GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK": 2.1},
            {"GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK": 2.0},
        ),
        ({"first_chunk_above": 2.0}, None, {"GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK": "9"}),
        ({"cost_above": 0.5}, {"GEN_AI_USAGE_COST": 1}, {"GEN_AI_USAGE_COST": 0.1}),
        ({"duration_above": 1.0}, {"seconds": 1.5}, {"seconds": 0.5}),
        ({"tenants": ["acme"]}, {"AUMOS_TENANT_ID": "acme"}, {"AUMOS_TENANT_ID": "other"}),
        ({"routes": ["/chat/{id}"]}, {"HTTP_ROUTE": "/chat/{id}"}, {"HTTP_ROUTE": "/chat"}),
        ({"routes": ["/chat/{id}"]}, {"URL_PATH": "/chat/7"}, {"URL_PATH": "/chat/7/x"}),
        ({"routes": ["nightly *"]}, {"name": "nightly job"}, {"name": "job"}),
        ({"routes": ["/chat"]}, None, {"HTTP_ROUTE": 7}),
    ],
)
def test_conditions(options: dict[str, Any], worth: dict[str, Any] | None, worthless: dict[str, Any]) -> None:
    """Each condition is met by what it names, and by nothing else."""
    conditions = Conditions(TailSampling(**options).resolve({}, {}, {}))

    assert worth is None or conditions.met(span(**worth))
    assert not conditions.met(span(**worthless))


@pytest.mark.parametrize(
    ("state", "by_chance", "count", "threshold"),
    [
        ("", True, 4.0, None),
        ("", False, 1.0, None),
        ("th:8", True, 8.0, "th:e"),
        ("th:8", False, 2.0, "th:8"),
        ("th:0", True, 4.0, "th:c"),
        ("rv:ffffffffffffff", True, 4.0, None),
    ],
)
def test_the_count(state: str, by_chance: bool, count: float, threshold: str | None) -> None:
    """A span stands for those dropped here and, where the trace state tells, those dropped as they started."""
    weighted = Share(0.25).weighted(span(state=state), by_chance=by_chance)

    assert weighted.attributes[names.AUMOS_SAMPLING_ADJUSTED_COUNT] == pytest.approx(count)
    members = (weighted.context.trace_state.get("ot") or "").split(";")
    assert [member for member in members if member.startswith("th")] == ([threshold] if threshold else [])


def test_the_share_of_a_share_is_consistent() -> None:
    """Behind a sampler that keeps half, a quarter of what it kept is kept: the eighth with the highest random values."""
    kept = []
    for number in range(1000):
        value = (2 * number + 1) * probability.NEVER // 2000
        context = SpanContext(value | 1 << 120, 2, False, TraceFlags(1), TraceState([("ot", "th:8")]))
        if value >= probability.threshold(0.5) and Share(0.25).takes(context):
            kept.append(number)

    assert kept == list(range(875, 1000))


def test_everything_else_stays() -> None:
    """The weighted span is the original in every other respect, down to what was over its limits."""
    limits = SpanLimits(max_span_attributes=1, max_events=1, max_links=0)
    tracer = TracerProvider(span_limits=limits, shutdown_on_exit=False).get_tracer("tests", "1.0")
    live = tracer.start_span("work", attributes={"a": 1, "b": 2})
    live.add_event("one", {"x": 1})
    live.add_event("two")
    live.set_status(StatusCode.ERROR, "no")
    live.end()

    weighted = Share(1.0).weighted(live, by_chance=False)

    assert dict(weighted.attributes) == {"b": 2, names.AUMOS_SAMPLING_ADJUSTED_COUNT: 1.0}
    dropped = ("dropped_attributes", "dropped_events", "dropped_links")
    fields = (
        "name",
        "context",
        "parent",
        "kind",
        "status",
        "start_time",
        "end_time",
        "resource",
        "instrumentation_scope",
    )
    for field in (*fields, *dropped, "events", "links"):
        assert getattr(weighted, field) == getattr(live, field), field
    assert (weighted.dropped_attributes, weighted.dropped_events) == (1, 1)
