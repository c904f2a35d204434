"""The same scenario on the SDK's tracer provider and on ours: what callers see and what exporters get is equal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conformance import scenarios_errors, scenarios_flow, scenarios_foreign, scenarios_values
from conformance.stage import LIMITS, OURS, compare, play

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.filterwarnings("ignore:.*instrumentation_scope:DeprecationWarning")

Scenario = Any


def named(thing: object) -> str:
    """An id for pytest."""
    if isinstance(thing, str):
        return thing
    return getattr(thing, "__name__", type(thing).__name__)


def test_spans_are_ours() -> None:
    """What is compared is not the SDK's with itself."""

    def scenario(stage: Any) -> None:
        stage.note(type(stage.tracer.start_span("whose")).__module__.partition(".")[0])

    assert compare(scenario) == (["'opentelemetry'"], ["'aumos_otel'"])


#: Texts made from objects are shortened by us alone: test_differences.py has that.
VALUES = [
    (scenario, limits)
    for scenario in scenarios_values.ALL
    for limits in LIMITS
    if (scenario, limits) != (scenarios_values.objects, "short")
]


@pytest.mark.parametrize(("scenario", "limits"), VALUES, ids=named)
def test_values(scenario: Scenario, limits: str) -> None:
    """Attributes, events, links, status, names and times are kept alike under each set of limits."""
    stock, ours = compare(scenario, span_limits=LIMITS[limits])

    assert ours == stock
    assert len(stock) > 1


@pytest.mark.parametrize("scenario", scenarios_flow.ALL, ids=named)
def test_flow(scenario: Scenario) -> None:
    """Parents, contexts, decorators, threads, tasks and the ways to leave a block are alike."""
    stock, ours = compare(scenario)

    assert ours == stock


@pytest.mark.parametrize(("scenario", "sampler"), scenarios_flow.SAMPLED, ids=named)
def test_sampling(scenario: Scenario, sampler: Callable[[], Any]) -> None:
    """The same traces are kept, with the sampler's attributes and trace states."""
    stock, ours = compare(scenario, sampler=sampler)

    assert ours == stock


@pytest.mark.parametrize("scenario", scenarios_errors.ALL, ids=named)
def test_errors(scenario: Scenario) -> None:
    """Type, message, stack trace, status and event of exceptions are alike, but for frames of the machinery."""
    stock, ours = compare(scenario)

    assert ours == stock
    assert any("Traceback" in line for line in ours)


def test_no_machinery_in_stack_traces() -> None:
    """A stack trace begins where the block of the caller begins: no frame of ours is in it."""

    def failing(stage: Any) -> None:
        with stage.tracer.start_as_current_span("failing"):
            raise ValueError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("conformance.stage.clean", str)
        lines = "\n".join(found for found in play(OURS, lambda stage: stage.attempt(failing, stage)))

    assert "ValueError" in lines
    assert "/aumos_otel/" not in lines


def test_processors() -> None:
    """Processors of others see the same spans in the same order, and what they add is exported."""
    stock, ours = compare(scenarios_foreign.witnessed, processors=scenarios_foreign.witnesses, strict=True)

    assert ours == stock


@pytest.mark.parametrize("ending", [False, True], ids=["on_end", "on_ending"])
@pytest.mark.parametrize("write", scenarios_foreign.WRITES, ids=named)
def test_private_writes(write: Callable[[Any], object], *, ending: bool) -> None:
    """What a processor writes into the private fields of a span is what is exported."""
    stock, ours = compare(
        scenarios_foreign.written, processors=lambda: [scenarios_foreign.Writer(write, ending=ending)], strict=True
    )

    assert ours == stock
    assert ours != play(OURS, scenarios_foreign.written)


@pytest.mark.parametrize("scenario", [scenarios_foreign.private_reads, scenarios_foreign.identities], ids=named)
def test_objects(scenario: Scenario) -> None:
    """Instances, private fields that are read, foreign attributes, weak references, copies and hashes are alike."""
    stock, ours = compare(scenario)

    assert ours == stock


def test_crowd() -> None:
    """Eight threads on one span lose nothing that the limits leave, and it is exported once."""
    stock, ours = compare(scenarios_foreign.crowd)

    assert ours[0] == stock[0]
