"""Defects put into our span on purpose: the comparison with the SDK's has to see each of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from conformance import scenarios_errors, scenarios_flow, scenarios_values
from conformance.stage import compare
from opentelemetry.trace import SpanContext, StatusCode

from aumos_otel.providers.tracer import Tracer
from aumos_otel.recording.span import Span

if TYPE_CHECKING:
    from collections.abc import Callable


def _status_not_final(patch: Any) -> None:
    original = Span.set_status

    def set_status(self: Any, status: Any, description: Any = None) -> None:
        if self.end_time is None:
            self.code = 0
        original(self, status, description)

    patch.setattr(Span, "set_status", set_status)


def _one_attribute_more(patch: Any) -> None:
    original = Tracer.take_over

    def take_over(self: Any) -> None:
        original(self)
        self.limits = self.limits._replace(values=self.limits.values + 1)

    patch.setattr(Tracer, "take_over", take_over)


def _no_exception_event(patch: Any) -> None:
    patch.setattr(Span, "record_exception", lambda *_arguments, **_named: None)


def _wrong_parent(patch: Any) -> None:
    original = Span.__init__

    def init(self: Any, *arguments: Any) -> None:
        original(self, *arguments)
        if self.parent:
            self.parent = SpanContext(self.parent.trace_id, self.parent.span_id ^ 1, is_remote=self.parent.is_remote)

    patch.setattr(Span, "__init__", init)


def _ends_late(patch: Any) -> None:
    original = Span.end

    def end(self: Any, end_time: int | None = None) -> None:
        original(self, None if end_time is None else end_time + 1)

    patch.setattr(Span, "end", end)


def _newest_event_first(patch: Any) -> None:
    original = Span.add_event

    def add_event(self: Any, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        if self.happenings:
            self.happenings.insert(0, self.happenings.pop())

    patch.setattr(Span, "add_event", add_event)


def _loss_uncounted(patch: Any) -> None:
    original = Span.set_attribute

    def set_attribute(self: Any, *arguments: Any) -> None:
        before = self.lost_values
        original(self, *arguments)
        self.lost_values = before

    patch.setattr(Span, "set_attribute", set_attribute)


def _late_attribute(patch: Any) -> None:
    def set_attribute(self: Any, key: str, value: Any) -> None:
        self.values[key] = value

    patch.setattr(Span, "set_attribute", set_attribute)


def _caller_keeps_hold(patch: Any) -> None:
    original = Span.set_attribute

    def set_attribute(self: Any, key: Any, value: Any) -> None:
        original(self, key, value)
        if isinstance(value, dict) and key in self.values:
            self.values[key] = value

    patch.setattr(Span, "set_attribute", set_attribute)


def _link_forgotten(patch: Any) -> None:
    patch.setattr(Span, "refer", lambda *_arguments: None)


def _cancelled_is_no_error(patch: Any) -> None:
    original = Span.fail

    def fail(self: Any, error: BaseException, **named: Any) -> None:
        if isinstance(error, Exception):
            original(self, error, **named)

    patch.setattr(Span, "fail", fail)


def _bare_description(patch: Any) -> None:
    original = Span.set_status

    def set_status(self: Any, status: Any, description: Any = None) -> None:
        original(self, status, description)
        if self.code == StatusCode.ERROR.value and self.description and ": " in self.description:
            self.description = self.description.partition(": ")[2]

    patch.setattr(Span, "set_status", set_status)


MUTANTS = (
    _status_not_final,
    _one_attribute_more,
    _no_exception_event,
    _wrong_parent,
    _ends_late,
    _newest_event_first,
    _loss_uncounted,
    _late_attribute,
    _caller_keeps_hold,
    _link_forgotten,
    _cancelled_is_no_error,
    _bare_description,
)

SCENARIOS = (
    scenarios_values.statuses,
    scenarios_values.many_attributes,
    scenarios_errors.recorded,
    scenarios_flow.parents,
    scenarios_flow.leaving,
    scenarios_values.names_and_times,
    scenarios_values.events,
    scenarios_values.links,
    scenarios_values.late_calls,
    scenarios_values.attributes_at_start,
)


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.__name__.strip("_"))
def test_mutant_is_caught(mutant: Callable[[Any], None], monkeypatch: pytest.MonkeyPatch) -> None:
    """A span with this defect differs from the SDK's in some scenario that is the same without it."""
    mutant(monkeypatch)
    caught = {scenario for scenario in SCENARIOS if len({str(side) for side in compare(scenario)}) > 1}
    monkeypatch.undo()

    assert caught
    for scenario in caught:
        stock, ours = compare(scenario)
        assert ours == stock
