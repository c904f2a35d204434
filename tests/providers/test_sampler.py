"""Which sampler is chosen, by option and by variable."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, DEFAULT_ON, Decision, ParentBased, Sampler

from aumos_otel import ConfigError, SamplingOptions, guard
from aumos_otel.providers import sampler
from aumos_otel.providers.roots import ConsistentRatio
from aumos_otel.providers.sampler import ExhaustiveSampler, PausableSampler


def build(environ: dict[str, str] | None = None, **given: Any) -> Sampler:
    """The sampler of options and variables."""
    sources: dict[str, str] = {}
    options = SamplingOptions(**given).resolve(environ or {}, {}, sources)
    return sampler.build(options, environ or {}, sources)


@pytest.mark.parametrize(
    ("environ", "given", "description"),
    [
        ({}, {}, "ParentBased{root:AlwaysOnSampler"),
        ({}, {"ratio": 0.25}, "ParentBased{root:TraceIdRatioBased{0.25}"),
        ({"AUMOS_OTEL_SAMPLING_RATIO": "0.5"}, {}, "ParentBased{root:TraceIdRatioBased{0.5}"),
        ({"AUMOS_OTEL_SAMPLING_RATIO": "0.5"}, {"ratio": 0.25}, "ParentBased{root:TraceIdRatioBased{0.25}"),
        ({"AUMOS_OTEL_SAMPLING_RATIO": "0.5"}, {"sampler": "always_off"}, "AlwaysOffSampler"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, {}, "AlwaysOffSampler"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, {"ratio": 0.25}, "ParentBased{root:TraceIdRatioBased{0.25}"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, {"sampler": "always_on"}, "AlwaysOnSampler"),
        ({"OTEL_TRACES_SAMPLER_ARG": "0.1"}, {"sampler": "traceidratio"}, "TraceIdRatioBased{0.1}"),
        ({"OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "0.1"}, {}, "TraceIdRatioBased{0.1}"),
        ({"OTEL_TRACES_SAMPLER": "always_off"}, {"rate": 5}, "ParentBased{root:RateLimit{5/s,AlwaysOnSampler}"),
        ({"AUMOS_OTEL_SAMPLING_RATE": "2.5"}, {}, "ParentBased{root:RateLimit{2.5/s,AlwaysOnSampler}"),
        (
            {},
            {"routes": {"/health": 0, "/chat*": 1}, "ratio": 0.5, "rate": 9},
            "ParentBased{root:RateLimit{9/s,ByRoute{/health:TraceIdRatioBased{0.0},/chat*:TraceIdRatioBased{1.0},other:",
        ),
    ],
)
def test_precedence(environ: dict[str, str], given: dict[str, Any], description: str) -> None:
    """Argument, our variable, OTEL_TRACES_SAMPLER, everything."""
    assert build(environ, **given).get_description().startswith(description)


def test_a_sampler_object() -> None:
    """A sampler of the SDK is used as it is."""
    assert build(sampler=ALWAYS_OFF) is ALWAYS_OFF
    assert build() is DEFAULT_ON


@pytest.mark.parametrize(
    ("given", "subject"),
    [
        ({"sampler": "pigeon"}, "sampling.sampler"),
        ({"sampler": 0.5}, "sampling.sampler"),
        ({"sampler": "always_on", "ratio": 0.5}, "sampling"),
        ({"sampler": "always_on", "rate": 5}, "sampling"),
        ({"sampler": "always_on", "routes": {"/": 1}}, "sampling"),
    ],
)
def test_a_wrong_option(given: dict[str, Any], subject: str) -> None:
    """An option is refused where a variable would be ignored."""
    with pytest.raises(ConfigError) as caught:
        build(**given)

    assert caught.value.subject == subject


def test_paused() -> None:
    """A paused sampler drops everything, and asks the sampler inside again afterwards; only the latter's drops count."""
    paused, drops = True, []
    pausable = PausableSampler(ALWAYS_ON, lambda: paused, lambda: drops.append(1))

    assert pausable.should_sample(None, 1, "work").decision is Decision.DROP
    paused = False
    assert pausable.should_sample(None, 1, "work").decision is Decision.RECORD_AND_SAMPLE
    assert pausable.get_description() == ALWAYS_ON.get_description()
    assert drops == []


def test_every_span_that_is_dropped_is_counted() -> None:
    """Roots that the sampler drops and children that follow them: each one is told, once."""
    drops: list[int] = []
    provider = TracerProvider(
        sampler=PausableSampler(ParentBased(ALWAYS_OFF), lambda: False, lambda: drops.append(1)), shutdown_on_exit=False
    )
    tracer = provider.get_tracer("tests")
    for _ in range(10):
        with tracer.start_as_current_span("root"), tracer.start_as_current_span("child"):
            pass

    assert len(drops) == 20


def test_a_counter_that_fails() -> None:
    """What goes wrong while counting does not touch the decision."""
    strict = guard.set_strict(False)
    try:
        sampler_ = PausableSampler(ALWAYS_OFF, lambda: False, lambda: 1 / 0)
        assert sampler_.should_sample(None, 1, "work").decision is Decision.DROP
    finally:
        guard.set_strict(strict)


def test_what_is_seen_by_all_keeps_its_attributes() -> None:
    """A span that is recorded only because somebody has to see it has the attributes that it was started with."""
    seen = ExhaustiveSampler(ConsistentRatio(0.0), lambda: True)

    result = seen.should_sample(None, 1, "name", None, {"http.route": "/chat"})

    assert (result.decision, dict(result.attributes or {})) == (Decision.RECORD_ONLY, {"http.route": "/chat"})
    unseen = ExhaustiveSampler(ConsistentRatio(0.0), lambda: False)
    assert unseen.should_sample(None, 1, "name", None, {}).decision is Decision.DROP
    kept = ExhaustiveSampler(ConsistentRatio(1.0), lambda: True)
    assert kept.should_sample(None, 1, "name", None, {}).decision is Decision.RECORD_AND_SAMPLE
