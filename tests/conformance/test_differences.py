"""Each listed difference is there, and is what the list says: one that is gone has to leave the list."""

from __future__ import annotations

import enum
import gc
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conformance.stage import LIMITS, OURS, STOCK, Stage, play
from opentelemetry.sdk.trace import SpanProcessor
from opentelemetry.sdk.trace.sampling import Decision, Sampler, SamplingResult
from opentelemetry.trace import Link, SpanContext

HERE = Path(__file__).parent
LISTED = tomllib.loads((HERE / "differences.toml").read_text())
PAGE = HERE.parents[1] / "docs" / "reference" / "conformance.md"


class Colour(enum.Enum):
    """An object with a text."""

    RED = 1


class Silent:
    """An object without a text."""


class Broken:
    """An object whose text cannot be made."""

    def __str__(self) -> str:
        return str(1 // 0)


class Attentive(Sampler):
    """Keeps what it is given; or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.given: Any = None

    def should_sample(
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        *_more: Any,
        **_: Any,
    ) -> SamplingResult:
        """Keep."""
        if self.fails:
            raise ZeroDivisionError
        self.given = attributes
        return SamplingResult(Decision.RECORD_AND_SAMPLE, attributes)

    def get_description(self) -> str:
        """Its name."""
        return "attentive"


class Last(SpanProcessor):
    """Keeps the last span; or fails."""

    def __init__(self, *, fails: bool = False) -> None:
        self.fails = fails
        self.span: Any = None

    def on_end(self, span: Any) -> None:
        """Keep."""
        self.span = span
        if self.fails:
            raise ZeroDivisionError


def attribute(value: object) -> Callable[[Stage], str]:
    """The attribute that is kept of a value."""

    def scenario(stage: Stage) -> str:
        with stage.tracer.start_as_current_span("difference") as span:
            span.set_attribute("value", value)
            return str(span.attributes["value"])

    return scenario


def linked_twice(stage: Stage) -> str:
    """Attributes that one link loses in two spans."""
    shared, lost = Link(SpanContext(1, 2, is_remote=False), {"a": 1, "b": 2}), []
    for _ in range(2):
        with stage.tracer.start_as_current_span("linked", links=[shared]) as span:
            lost.append(str(span.links[0].dropped_attributes))
    return ", ".join(lost)


def sampled(stage: Stage) -> str:
    """What a sampler is given, if it samples."""
    with stage.tracer.start_as_current_span("sampled", attributes={"list": [1]}) as span:
        return str(stage.provider.sampler.given["list"]) if span.is_recording() else "not recorded"


def ended(stage: Stage) -> str:
    """What a processor is given at the end."""
    last = Last()
    stage.provider.add_span_processor(last)
    with stage.tracer.start_as_current_span("ended") as span:
        stage.tick()
    stage.provider.force_flush()
    return "the span itself" if last.span is span else "another object"


def ended_badly(stage: Stage) -> str:
    """A processor that fails."""
    stage.provider.add_span_processor(Last(fails=True))
    with stage.tracer.start_as_current_span("ended"):
        stage.tick()
    return "nothing raised"


def entered_twice(stage: Stage) -> str:
    """One context manager for two blocks."""
    block = stage.tracer.start_as_current_span("entered")
    for _ in range(2):
        with block:
            stage.tick()
    return "two spans"


def named(stage: Stage) -> str:
    """The text of a span."""
    return repr(stage.tracer.start_span("named")).partition("(")[0]


def viewed(stage: Stage) -> str:
    """What is seen in attributes that were read before one was set."""
    span = stage.tracer.start_span("viewed")
    seen = span.attributes
    span.set_attribute("later", 1)
    return ", ".join(seen) or "nothing"


def misused(stage: Stage) -> str:
    """Attributes that are none."""
    stage.tracer.start_span("misused").set_attributes(None)
    return "nothing raised"


def forgotten(stage: Stage) -> str:
    """A block that is entered and forgotten."""
    span = stage.tracer.start_as_current_span("forgotten").__enter__()
    gc.collect()
    return "open" if span.is_recording() else "ended"


SCENARIOS: dict[str, tuple[Callable[[Stage], str], dict[str, Any]]] = {
    "texts-of-objects-obey-the-length": (attribute(Colour.RED), {"span_limits": LIMITS["short"]}),
    "objects-without-a-text": (attribute(Silent()), {}),
    "texts-that-fail": (attribute(Broken()), {}),
    "links-in-two-spans": (linked_twice, {"span_limits": LIMITS["few"]}),
    "samplers-get-copies": (sampled, {"sampler": Attentive}),
    "exported-is-the-span": (ended, {}),
    "failing-processors": (ended_badly, {}),
    "failing-samplers": (sampled, {"sampler": lambda: Attentive(fails=True)}),
    "entered-twice": (entered_twice, {}),
    "name-of-the-class": (named, {}),
    "lasting-view": (viewed, {}),
    "wrong-arguments": (misused, {}),
    "forgotten-block": (forgotten, {}),
}


def difference(name: str, side: str) -> str:
    """What is seen on a side."""
    scenario, options = SCENARIOS[name]

    def noted(stage: Stage) -> None:
        try:
            stage.notes.append(scenario(stage))
        except Exception as error:  # noqa: BLE001 - that it is raised is the difference
            stage.notes.append(f"raised {type(error).__name__}")

    return play(side, noted, **options)[0]


@pytest.mark.parametrize("name", LISTED)
def test_difference(name: str) -> None:
    """The SDK's side and ours show what the list says of them."""
    assert difference(name, STOCK) == LISTED[name]["stock"]
    assert difference(name, OURS) == LISTED[name]["ours"]


@pytest.mark.parametrize("name", LISTED)
def test_told(name: str) -> None:
    """The page tells each difference with its reason."""
    assert LISTED[name]["reason"] in PAGE.read_text()
