"""Samplers for roots: a share that says so, shares by route, so many per second."""

from __future__ import annotations

import os
import threading
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, Decision, ParentBased, Sampler
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from aumos_otel._internal import probability
from aumos_otel.providers import roots
from aumos_otel.providers.roots import ByRoute, ConsistentRatio, RateLimit

#: A thousand trace ids whose random values lie evenly, each in the middle of its thousandth.
EVEN = [(1 << 100) | ((2 * number + 1) * probability.NEVER // 2000) for number in range(1000)]


def keeps(sampler: Sampler, trace_id: int = 1, name: str = "work", **attributes: Any) -> bool:
    """Whether a root is kept."""
    known = {key.replace("_", "."): value for key, value in attributes.items()}
    return sampler.should_sample(Context(), trace_id, name, None, known).decision is Decision.RECORD_AND_SAMPLE


@pytest.mark.parametrize("ratio", [0.0, 0.001, 0.1, 0.25, 0.5, 0.999, 1.0])
def test_a_share_is_exact(ratio: float) -> None:
    """Of evenly spread traces exactly the share is kept, and their counts add up to all of them."""
    sampler = ConsistentRatio(ratio)
    results = [sampler.should_sample(Context(), trace_id, "work") for trace_id in EVEN]
    kept = [result for result in results if result.decision is Decision.RECORD_AND_SAMPLE]
    counts = [1 / probability.probability(probability.threshold_of(result.trace_state)) for result in kept]

    assert len(kept) == round(1000 * ratio)
    assert sum(counts) == pytest.approx(1000 if ratio else 0)


@given(st.integers(0, (1 << 128) - 1), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_share_contains_a_smaller_one(trace_id: int, one: float, other: float) -> None:
    """What a service with the smaller share keeps, one with the larger share keeps as well."""
    small, large = sorted((one, other))

    assert not keeps(ConsistentRatio(small), trace_id) or keeps(ConsistentRatio(large), trace_id)


def test_the_threshold_travels() -> None:
    """Children and the next service see the threshold in the trace state; what others wrote there stays."""
    provider = TracerProvider(sampler=ParentBased(ConsistentRatio(1.0)), shutdown_on_exit=False)
    exported = InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exported))
    tracer = provider.get_tracer("tests")
    with tracer.start_as_current_span("root"), tracer.start_as_current_span("child"):
        pass
    remote = SpanContext(
        1, 2, is_remote=True, trace_flags=TraceFlags(1), trace_state=TraceState([("ot", "th:8"), ("v", "x")])
    )
    with tracer.start_as_current_span("child", trace.set_span_in_context(NonRecordingSpan(remote))):
        pass

    states = [span.context.trace_state.to_header() for span in exported.get_finished_spans()]
    assert states == ["ot=th:0", "ot=th:0", "ot=th:8,v=x"]


def test_an_explicit_random_value() -> None:
    """A random value that a caller wrote into the trace state decides instead of the trace id."""
    for value, kept in (("00000000000000", False), ("ffffffffffffff", True)):
        remote = SpanContext(1, 2, is_remote=True, trace_state=TraceState([("ot", f"rv:{value}")]))
        result = ConsistentRatio(0.5).should_sample(trace.set_span_in_context(NonRecordingSpan(remote)), 1, "work")

        assert (result.decision is Decision.RECORD_AND_SAMPLE) is kept
        assert f"rv:{value}" in result.trace_state["ot"]


@pytest.mark.parametrize(
    ("name", "attributes", "kept"),
    [
        ("GET", {"url_path": "/health"}, False),
        ("GET", {"url_path": "/healthy"}, True),
        ("GET", {"url_path": "/users/17"}, False),
        ("GET", {"url_path": "/x", "http_route": "/users/{id}"}, False),
        ("nightly job", {}, False),
        ("other", {}, True),
        ("GET", {"url_path": 7}, True),
    ],
)
def test_routes(name: str, attributes: dict[str, Any], kept: bool) -> None:
    """Route, path and name are looked at; the first pattern that matches decides, else the other sampler."""
    patterns = {"/health": ALWAYS_OFF, "/users/{id}": ALWAYS_OFF, "nightly *": ALWAYS_OFF, "/*": ALWAYS_ON}

    assert keeps(ByRoute(patterns, ALWAYS_ON), name=name, **attributes) is kept


def test_the_first_route_wins() -> None:
    """The order is the user's."""
    assert keeps(ByRoute({"/a": ALWAYS_ON, "/*": ALWAYS_OFF}, ALWAYS_OFF), url_path="/a")
    assert not keeps(ByRoute({"/*": ALWAYS_OFF, "/a": ALWAYS_ON}, ALWAYS_OFF), url_path="/a")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic seconds, to be moved."""
    now = [100.0]
    monkeypatch.setattr(roots.time, "monotonic", lambda: now[0])
    return now


def test_a_rate(clock: list[float]) -> None:
    """One second's worth at once, then as fast as the bucket fills, never more than one second's worth saved."""
    limit = RateLimit(ALWAYS_ON, 5)

    assert sum(keeps(limit) for _ in range(100)) == 5
    clock[0] += 0.4
    assert sum(keeps(limit) for _ in range(100)) == 2
    clock[0] += 3600
    assert sum(keeps(limit) for _ in range(100)) == 5


def test_a_slow_rate(clock: list[float]) -> None:
    """Less than one a second: one, and the next when its time has come."""
    limit = RateLimit(ALWAYS_ON, 0.1)

    assert [keeps(limit), keeps(limit)] == [True, False]
    clock[0] += 9
    assert not keeps(limit)
    clock[0] += 1.001
    assert keeps(limit)
    assert not keeps(RateLimit(ALWAYS_ON, 0))


def test_what_is_dropped_inside_costs_nothing(clock: list[float]) -> None:
    """Only what the inner sampler keeps uses up the rate, and no threshold is claimed for it."""
    limit = RateLimit(ByRoute({"/health": ALWAYS_OFF}, ConsistentRatio(1.0)), 1)

    assert not any(keeps(limit, url_path="/health") for _ in range(10))
    result = limit.should_sample(Context(), 1, "work")
    assert result.decision is Decision.RECORD_AND_SAMPLE
    assert not result.trace_state


def test_a_rate_under_threads(clock: list[float]) -> None:
    """Eight threads together get what the rate allows, exactly."""
    limit, kept = RateLimit(ALWAYS_ON, 100), []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        kept.append(sum(keeps(limit) for _ in range(500)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(kept) == 100


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_rate_after_a_fork(clock: list[float]) -> None:
    """A child whose parent held the lock as it forked has a bucket of its own, full."""
    limit = RateLimit(ALWAYS_ON, 3)
    assert sum(keeps(limit) for _ in range(9)) == 3
    held, release = threading.Event(), threading.Event()

    def hold() -> None:
        with limit._lock:
            held.set()
            release.wait(5)

    thread = threading.Thread(target=hold)
    thread.start()
    held.wait(5)
    child = os.fork()
    if child == 0:
        os._exit(0 if sum(keeps(limit) for _ in range(9)) == 3 else 1)
    release.set()
    thread.join()

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
