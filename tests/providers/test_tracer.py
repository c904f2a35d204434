"""The tracer provider: processors in their order, ids, limits, pause."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, Sampler

import aumos_otel as aumos
from aumos_otel import guard
from aumos_otel._internal import quantities
from aumos_otel._internal.hosts import Hosts
from aumos_otel.processors.border import Border
from aumos_otel.providers import tracer

#: Everything may cross.
OPEN = Border(Hosts(("*",)), Hosts(("*",)), outbound=None, inbound=None, edge=False, query=None)


def build(*extra: SpanProcessor, exporting: tuple[SpanProcessor, ...] = (), **given: Any) -> TracerProvider:
    """A provider with the given processors."""
    options: dict[str, Any] = {
        "border": OPEN,
        "environ": {},
        "quantities": quantities.read({}, print),
        "paused": lambda: False,
        "on_drop": lambda: None,
    }
    return tracer.build(Resource({"team": "red"}), ALWAYS_ON, exporting, extra, **{**options, **given})


class Witness(SpanProcessor):
    """Writes down in which order processors see a span, and what is on it by then."""

    def __init__(self, name: str, seen: list[tuple[str, Any]]) -> None:
        self.name = name
        self.seen = seen

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        """Note the identity on the span."""
        self.seen.append((self.name, (span.attributes or {}).get("aumos.tenant.id")))

    def on_end(self, span: ReadableSpan) -> None:
        """Note the end."""
        self.seen.append((self.name, "end"))


def test_the_order_of_processors() -> None:
    """Identity first, so that the user's processors see it; export last."""
    seen: list[tuple[str, Any]] = []
    provider = build(Witness("user", seen), exporting=(Witness("export", seen),))

    with aumos.bind(tenant_id="acme"), provider.get_tracer("tests").start_as_current_span("work"):
        pass
    provider.shutdown()

    assert seen[:2] == [("user", "acme"), ("export", "acme")]
    assert sorted(seen[2:]) == [("export", "end"), ("user", "end")]


def test_a_provider_of_somebody_else() -> None:
    """The same processors are added to a provider that was there, after its own."""
    seen: list[tuple[str, Any]] = []
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(Witness("theirs", seen))

    tracer.attach(provider, [Witness("export", seen)], [], OPEN)
    with aumos.bind(tenant_id="acme"), provider.get_tracer("tests").start_as_current_span("work"):
        pass

    assert seen[:2] == [("theirs", None), ("export", "acme")]


def test_resource_and_limits() -> None:
    """Spans carry the resource, and no more than the limits allow."""
    memory = InMemorySpanExporter()
    limits = quantities.read({"OTEL_SPAN_EVENT_COUNT_LIMIT": "2"}, print)
    provider = build(SimpleSpanProcessor(memory), quantities=limits)

    with provider.get_tracer("tests").start_as_current_span("work") as span:
        for _ in range(5):
            span.add_event("happened")

    (finished,) = memory.get_finished_spans()
    assert finished.resource.attributes["team"] == "red"
    assert (len(finished.events), finished.dropped_events) == (2, 3)


def test_enabled_whatever_the_sdk_has_read(monkeypatch: Any) -> None:
    """OTEL_SDK_DISABLED was considered before; a provider that is built is on."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    memory = InMemorySpanExporter()

    with build(SimpleSpanProcessor(memory)).get_tracer("tests").start_as_current_span("work"):
        pass

    assert len(memory.get_finished_spans()) == 1


def test_paused() -> None:
    """While paused spans are not recorded."""
    memory = InMemorySpanExporter()
    provider = build(SimpleSpanProcessor(memory), paused=lambda: True)

    with provider.get_tracer("tests").start_as_current_span("work") as span:
        assert not span.is_recording()

    assert memory.get_finished_spans() == ()


class BrokenSampler(Sampler):
    """A sampler that fails."""

    def should_sample(self, *_arguments: Any, **_named: Any) -> Any:
        """Fail."""
        raise ValueError

    def get_description(self) -> str:
        """Its name."""
        return "broken"


def test_a_sampler_that_fails_costs_the_span_only() -> None:
    """The user's call goes on with a span that is not recorded, in the trace that was there; it is counted."""
    provider = build()
    remote = trace.SpanContext(1, 2, is_remote=True, trace_flags=trace.TraceFlags(1))
    parent = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    broken = provider.get_tracer("broken")
    broken.sampler = BrokenSampler()

    with broken.start_as_current_span("work", context=parent) as span:
        assert not span.is_recording()
        assert span.get_span_context() == remote
    assert guard.swallowed()["providers.tracer.start_span"] >= 1


def test_an_id_generator_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Random ids stand in for those of another package."""

    class Broken:
        def __getattr__(self, name: str) -> Any:
            raise ValueError

    monkeypatch.setattr(tracer, "load_entry_point", lambda *_about: Broken)
    memory = InMemorySpanExporter()
    provider = build(SimpleSpanProcessor(memory), environ={"OTEL_PYTHON_ID_GENERATOR": "broken"})

    with provider.get_tracer("tests").start_as_current_span("work"):
        pass

    (span,) = memory.get_finished_spans()
    assert span.context.is_valid


def test_an_attribute_whose_text_fails_at_the_start() -> None:
    """The span starts, and the class stands in for the value."""

    class Broken:
        def __str__(self) -> str:
            raise ValueError

    memory = InMemorySpanExporter()
    provider = build(SimpleSpanProcessor(memory))
    with provider.get_tracer("tests").start_as_current_span("work", attributes={"value": Broken(), "n": 1}):
        pass

    (span,) = memory.get_finished_spans()
    assert dict(span.attributes) == {"value": "<Broken: str() failed>", "n": 1}


def test_a_processor_that_is_added_later_is_guarded() -> None:
    """Whoever calls add_span_processor on our provider cannot break the user's code with it."""

    class Broken(SpanProcessor):
        def on_start(self, span: Any, parent_context: Any = None) -> None:
            raise ValueError

    provider = build()
    provider.add_span_processor(Broken())

    with provider.get_tracer("tests").start_as_current_span("work"):
        pass
    provider.shutdown()
    assert guard.swallowed()["processors.foreign.Broken"] >= 1
