"""More traces while an objective burns: of what it is about, bounded, and counted right."""

from __future__ import annotations

import random
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_OFF,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, TraceState

from aumos_otel import guard
from aumos_otel._internal import probability
from aumos_otel.providers import roots
from aumos_otel.providers.boost import Boost
from aumos_otel.providers.roots import ConsistentRatio, RateLimit


@dataclass
class Route:
    """An SLI about spans of one route, which is known as they start."""

    route: str
    broken: bool = False

    def may_match(self, kind: str, name: str, scope: str | None, attributes: Mapping[str, Any]) -> bool:
        """Whether a span that starts so may become an event."""
        if self.broken:
            raise ValueError("broken")
        return kind == "server" and attributes.get("http.route") == self.route


class Watch:
    """What burns, set by the test."""

    def __init__(self, *burning: Route) -> None:
        self.burning: Any = burning


CHAT = Route("/chat")
EVEN = [(1 << 100) | ((2 * number + 1) * probability.NEVER // 2000) for number in range(1000)]


def ask(sampler: Sampler, trace_id: int = 1, route: str = "/chat", context: Context | None = None) -> SamplingResult:
    """The decision on a server span of a route."""
    return sampler.should_sample(context or Context(), trace_id, "GET", SpanKind.SERVER, {"http.route": route})


def kept(sampler: Sampler, **about: Any) -> list[SamplingResult]:
    """The kept ones of a thousand evenly spread roots."""
    results = [ask(sampler, trace_id, **about) for trace_id in EVEN]
    return [result for result in results if result.decision is Decision.RECORD_AND_SAMPLE]


def below(parent_sampled: bool, *, remote: bool, trace_id: int = 1, state: TraceState | None = None) -> Context:
    """A context with a parent span."""
    parent = SpanContext(trace_id, 2, remote, TraceFlags(int(parent_sampled)), state)
    return trace.set_span_in_context(NonRecordingSpan(parent), Context())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic seconds, to be moved."""
    now = [100.0]
    monkeypatch.setattr(roots.time, "monotonic", lambda: now[0])
    return now


def test_while_nothing_burns_nothing_changes() -> None:
    """The share decides alone, and what it says is what comes out."""
    boosted, plain = Boost(Watch(), 0.5, 1e6).ratio(0.1), ConsistentRatio(0.1)

    assert [ask(boosted, number).trace_state for number in EVEN] == [ask(plain, number).trace_state for number in EVEN]
    assert len(kept(boosted)) == 100


def test_what_burns_is_kept_more() -> None:
    """Of roots that the burning objective may be about the boost's share is kept, of others as much as before."""
    boosted = Boost(Watch(CHAT), 0.5, 1e6).ratio(0.1)

    assert len(kept(boosted)) == 500
    assert len(kept(boosted, route="/other")) == 100


def test_it_begins_and_ends_with_the_burning() -> None:
    """The first root after the objective began to burn is boosted, the first after its end is not."""
    watch = Watch()
    boosted = Boost(watch, 1.0, 1e6).ratio(0.0)
    seen = []
    for burning in ((), (CHAT,), ()):
        watch.burning = burning
        seen.append(len(kept(boosted)))

    assert seen == [0, 1000, 0]


def test_the_rate_bounds_it_over_all_shares(clock: list[float]) -> None:
    """The samplers of one process share the bound, which fills again with time."""
    boost = Boost(Watch(CHAT), 1.0, 5)
    one, other = boost.ratio(0.0), boost.ratio(0.0)

    assert len(kept(one)) + len(kept(other)) == 5
    clock[0] += 0.4
    assert len(kept(other)) == 2


def test_without_a_rate_nothing_is_boosted() -> None:
    """A bound of 0 keeps what the share keeps."""
    assert len(kept(Boost(Watch(CHAT), 1.0, 0).ratio(0.1))) == 100


def test_a_smaller_boost_takes_nothing_away() -> None:
    """A share that is larger than the boost stays."""
    assert len(kept(Boost(Watch(CHAT), 0.1, 1e6).ratio(0.5))) == 500


def test_every_kept_root_says_by_which_threshold(clock: list[float]) -> None:
    """With room it is the boost's, also for a root that the share alone would keep; without, the share's."""
    results = kept(Boost(Watch(CHAT), 0.5, 200).ratio(0.1))
    found = [probability.probability(probability.threshold_of(result.trace_state)) for result in results]

    # Even ids come with their random values ascending: the first 500 stay below both thresholds.
    assert [round(share, 6) for share in found] == [0.5] * 200 + [0.1] * 100


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), share=st.sampled_from([0.05, 0.2]), boost=st.sampled_from([0.3, 1.0]))
def test_sums_stay_right(seed: int, share: float, boost: float) -> None:
    """However soon the bound is reached, the kept roots together stand for all of them, on average."""
    rolls, clock = random.Random(seed), [0.0]
    sums = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(roots.time, "monotonic", lambda: clock[0])
        for _ in range(40):
            boosted = Boost(Watch(CHAT), boost, 20).ratio(share)
            results = []
            for _ in range(200):
                clock[0] += rolls.random() / 100
                results.append(ask(boosted, rolls.getrandbits(128) | 1))
            sums.append(
                sum(
                    1 / probability.probability(probability.threshold_of(result.trace_state))
                    for result in results
                    if result.decision is Decision.RECORD_AND_SAMPLE
                )
            )

    # Of 8000 roots; the spread of the plain share's sum is sqrt(n (1 - p) / p), and the boost's is less.
    assert abs(sum(sums) - 8000) < 5.5 * (8000 * (1 - share) / share) ** 0.5


def test_a_cap_of_the_users_holds(clock: list[float]) -> None:
    """Behind a rate limit of the user's no more roots leave than it allows."""
    assert len(kept(RateLimit(Boost(Watch(CHAT), 1.0, 1e6).ratio(0.1), 7))) == 7


def test_another_sampler_is_boosted_without_a_threshold() -> None:
    """What a sampler of somebody else keeps stays as it is; a boosted root claims nothing."""
    boosted = Boost(Watch(CHAT), 1.0, 1e6).around(ParentBased(TraceIdRatioBased(0.25)))
    results = kept(boosted)

    assert len(results) == 1000
    assert all(probability.threshold_of(result.trace_state) is None for result in results)
    assert all(result.attributes == {"http.route": "/chat"} for result in results)


@pytest.mark.parametrize("sampler", [ALWAYS_ON, ALWAYS_OFF, DEFAULT_ON, DEFAULT_OFF])
def test_all_or_nothing_stays(sampler: Sampler) -> None:
    """A sampler that was told to keep everything, or nothing, is left alone."""
    assert Boost(Watch(CHAT), 1.0, 1e6).around(sampler) is sampler


@pytest.mark.parametrize("remote", [False, True])
def test_a_dropped_parent_is_followed(remote: bool) -> None:
    """A span below one that was not sampled is no root: it is dropped."""
    boosted = Boost(Watch(CHAT), 1.0, 1e6).around(ParentBased(TraceIdRatioBased(0.0)))

    assert ask(boosted, context=below(False, remote=remote)).decision is Decision.DROP


def finished(sampler: Sampler, watch: Watch) -> list[str]:
    """Names of the exported spans of a trace whose objective stops burning while it is open."""
    provider, exporter = TracerProvider(sampler=sampler, shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("tests")
    attributes = {"http.route": "/chat"}
    with tracer.start_as_current_span("root", kind=SpanKind.SERVER, attributes=attributes):
        watch.burning = ()
        with tracer.start_as_current_span("child"), tracer.start_as_current_span("grandchild"):
            pass
    with tracer.start_as_current_span("next", kind=SpanKind.SERVER, attributes=attributes):
        pass
    provider.shutdown()
    return [span.name for span in exporter.get_finished_spans()]


def test_children_follow() -> None:
    """A trace that was boosted is whole, whether or not the sampler asks for parents, also when the burning ends."""
    samplers = {
        "ratio below ParentBased": lambda boost: ParentBased(boost.ratio(0.0)),
        "ratio alone": lambda boost: boost.ratio(0.0, roots_only=False),
        "other, ParentBased": lambda boost: boost.around(ParentBased(TraceIdRatioBased(0.0))),
        "other, alone": lambda boost: boost.around(TraceIdRatioBased(0.0)),
    }
    for name, make in samplers.items():
        watch = Watch(CHAT)
        assert finished(make(Boost(watch, 1.0, 1e6)), watch) == ["grandchild", "child", "root"], name


def test_what_is_remembered_is_bounded() -> None:
    """However many traces are boosted, a few thousand of their ids are kept."""
    boosted = Boost(Watch(CHAT), 1.0, 1e9).around(TraceIdRatioBased(0.0))
    for number in range(6000):
        ask(boosted, (number + 1) << 64)

    assert len(boosted._kept) == 4096


def test_a_broken_predicate_costs_the_boost_alone() -> None:
    """What fails in here is counted, and the sampler inside has decided."""
    boosted = Boost(Watch(Route("/chat", broken=True)), 1.0, 1e6).ratio(0.1)
    before, strict = guard.swallowed().get("providers.boost", 0), guard.set_strict(False)
    try:
        assert len(kept(boosted)) == 100
    finally:
        guard.set_strict(strict)
    assert guard.swallowed()["providers.boost"] == before + 1000


def test_spans_without_kind_and_attributes() -> None:
    """A root that says nothing of itself is asked about as an internal span without attributes."""
    asked = []
    watch = Watch()
    watch.burning = (type("Any", (), {"may_match": staticmethod(lambda *about: asked.append(about) or True)}),)
    boosted = Boost(watch, 1.0, 1e6).ratio(0.0)

    assert boosted.should_sample(None, 1, "work").decision is Decision.RECORD_AND_SAMPLE
    assert asked == [("internal", None, None, {})]


def test_under_threads(clock: list[float]) -> None:
    """Eight threads together get what the bound allows, exactly."""
    boosted, counts = Boost(Watch(CHAT), 1.0, 100).ratio(0.0), []
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        counts.append(len(kept(boosted)))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(counts) == 100


def test_the_description_names_both() -> None:
    """Who reads the sampler's description sees the boost and what is inside."""
    description = Boost(Watch(), 0.5, 10).ratio(0.1).get_description()

    assert description == "BurnBoost{RateLimit{10/s,TraceIdRatioBased{0.5}},TraceIdRatioBased{0.1}}"
