"""Which sampler is chosen, by option and by variable."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, DEFAULT_ON, Decision, Sampler

from aumos_otel import ConfigError, SamplingOptions
from aumos_otel.providers import sampler
from aumos_otel.providers.sampler import PausableSampler


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
    ],
)
def test_a_wrong_option(given: dict[str, Any], subject: str) -> None:
    """An option is refused where a variable would be ignored."""
    with pytest.raises(ConfigError) as caught:
        build(**given)

    assert caught.value.subject == subject


def test_paused() -> None:
    """A paused sampler drops everything, and asks the sampler inside again afterwards."""
    paused = True
    pausable = PausableSampler(ALWAYS_ON, lambda: paused)

    assert pausable.should_sample(None, 1, "work").decision is Decision.DROP
    paused = False
    assert pausable.should_sample(None, 1, "work").decision is Decision.RECORD_AND_SAMPLE
    assert pausable.get_description() == ALWAYS_ON.get_description()
