"""Scenarios about contexts, parents, samplers, decorators and exceptions that leave a block."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import threading
from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

if TYPE_CHECKING:
    from collections.abc import Callable

    from conformance.stage import Stage


def remote(*, sampled: bool = True, random: bool = False) -> otel_context.Context:
    """A context whose span is in another process."""
    flags = TraceFlags((TraceFlags.SAMPLED if sampled else 0) | (TraceFlags.RANDOM_TRACE_ID if random else 0))
    state = TraceState([("vendor", "1"), ("other", "2")])
    return trace.set_span_in_context(
        NonRecordingSpan(SpanContext(0xFEED, 0xBEEF, is_remote=True, trace_flags=flags, trace_state=state))
    )


def parent(span: trace.Span) -> Any:
    """The parent of a span; None of one that is not recorded."""
    return getattr(span, "parent", None)


def parents(stage: Stage) -> None:
    """Roots, children, remote parents with trace state, invalid ones, contexts that are given."""
    current = trace.get_current_span
    stage.note(current().get_span_context())
    with stage.tracer.start_as_current_span("root") as root:
        stage.note(current() is root, parent(root))
        with stage.tracer.start_as_current_span("child") as child:
            stage.note(current() is child, parent(child) == root.get_span_context(), child.get_span_context())
        stage.note(current() is root)
        with stage.tracer.start_as_current_span("other root", context=otel_context.Context()) as other:
            stage.note(parent(other), current() is other)
        apart = stage.tracer.start_span("apart", context=trace.set_span_in_context(child))
        stage.note(parent(apart), current() is root)
        apart.end()
    stage.note(current().get_span_context())
    for sampled in (True, False):
        for random in (True, False):
            with stage.tracer.start_as_current_span("remote", context=remote(sampled=sampled, random=random)) as span:
                stage.note(span.is_recording(), span.get_span_context(), parent(span))
    nobody = trace.set_span_in_context(trace.INVALID_SPAN)
    with stage.tracer.start_as_current_span("nobody", context=nobody) as span:
        stage.note(parent(span))
    half = trace.set_span_in_context(NonRecordingSpan(SpanContext(5, 0, is_remote=True)))
    with stage.tracer.start_as_current_span("half", context=half) as span:
        stage.note(parent(span), span.get_span_context())


def nothing_recorded(stage: Stage) -> None:
    """Children of spans that are not recorded, and of ended ones."""
    lost = NonRecordingSpan(SpanContext(1, 2, is_remote=False, trace_flags=TraceFlags(0)))
    with trace.use_span(lost), stage.tracer.start_as_current_span("child") as span:
        stage.note(type(span).__name__, span.get_span_context(), span.is_recording())
    token = otel_context.attach(otel_context.set_value("suppress_instrumentation", True))
    with stage.tracer.start_as_current_span("suppressed") as span:
        stage.note(span.is_recording())
    otel_context.detach(token)
    ended = stage.tracer.start_span("ended")
    ended.end()
    with trace.use_span(ended), stage.tracer.start_as_current_span("of an ended one") as span:
        stage.note(span.parent == ended.get_span_context())


class Choosy(Sampler):
    """Decides by the name, and says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def should_sample(  # noqa: PLR0917 - the SDK's signature
        self,
        parent_context: Any,
        trace_id: int,
        name: str,
        kind: Any = None,
        attributes: Any = None,
        links: Any = None,
        trace_state: Any = None,
    ) -> SamplingResult:
        """Decide."""
        parent = trace.get_current_span(parent_context).get_span_context()
        self.asked.append((hex(trace_id), name, kind, sorted(attributes or ()), links and len(links), parent))
        decision = {"d": Decision.DROP, "o": Decision.RECORD_ONLY}.get(name[0], Decision.RECORD_AND_SAMPLE)
        state = TraceState([("sampled", name)]) if name.endswith("state") else None
        own = {"sampler": True, "list": [1], **(attributes or {})} if name.endswith("own") else attributes
        return SamplingResult(decision, own, state)

    def get_description(self) -> str:
        """Its name."""
        return "choosy"


def sampled(stage: Stage) -> None:
    """Decisions, attributes and trace states of a sampler of another package, and what it is asked."""
    for name in ("sample", "sample with state", "sample own", "only", "only own", "drop", "drop with state"):
        attributes = {"given": 1, "list": [1]}
        with stage.tracer.start_as_current_span(name, attributes=attributes, kind=SpanKind.CLIENT) as span:
            stage.note(span.get_span_context(), span.is_recording(), getattr(span, "attributes", None))
            with stage.tracer.start_as_current_span("child", links=[trace.Link(span.get_span_context())]) as child:
                stage.note(child.get_span_context(), parent(child))
    stage.note([str(each) for each in stage.provider.sampler.asked])


def many_roots(stage: Stage) -> None:
    """Which of 200 traces are kept, with a child each."""
    for number in range(200):
        start = stage.tracer.start_as_current_span
        with start(f"root {number}") as root, start("child") as child:
            stage.note(root.get_span_context(), root.is_recording(), child.is_recording())
    for sampled_there in (True, False):
        with stage.tracer.start_as_current_span("remote", context=remote(sampled=sampled_there)) as span:
            stage.note(span.is_recording(), span.get_span_context())


def decorated(stage: Stage) -> None:
    """The context manager as a decorator: a span for each call, of functions and coroutines."""

    @stage.tracer.start_as_current_span("function", attributes={"a": 1}, kind=SpanKind.SERVER)
    def function(value: int, *, more: int = 0) -> int:
        """Adds."""
        trace.get_current_span().set_attribute("value", value)
        return value + more

    @stage.tracer.start_as_current_span("coroutine")
    async def coroutine(value: int) -> int:
        await asyncio.sleep(0)
        trace.get_current_span().set_attribute("value", value)
        return value

    @stage.tracer.start_as_current_span("failing")
    def failing() -> None:
        raise ValueError("no")

    @stage.tracer.start_as_current_span("failing coroutine")
    async def failing_coroutine() -> None:
        await asyncio.sleep(0)
        raise KeyError("no")

    async def both() -> list[int]:
        return list(await asyncio.gather(coroutine(1), coroutine(2)))

    stage.note(function(1), function(2, more=3), function.__name__, function.__doc__)
    stage.note(asyncio.iscoroutinefunction(coroutine), asyncio.run(both()))
    stage.attempt(failing)
    stage.attempt(lambda: asyncio.run(failing_coroutine()))


class Odd(BaseException):
    """Neither an error nor one that ends the process."""


def _raise(error: BaseException) -> None:
    raise error


def leaving(stage: Stage) -> None:
    """What each way of holding a span does with each kind of exception, under each pair of switches."""
    errors: tuple[Callable[[], BaseException], ...] = (
        lambda: ValueError("v"),
        lambda: asyncio.CancelledError("c"),
        lambda: SystemExit(3),
        KeyboardInterrupt,
        lambda: Odd("o"),
        GeneratorExit,
        StopIteration,
    )
    for error in errors:
        for record in (True, False):
            for status in (True, False):
                switches = {"record_exception": record, "set_status_on_exception": status}
                holders: tuple[Callable[[], Any], ...] = (
                    lambda: stage.tracer.start_as_current_span("as current", **switches),  # noqa: B023 - called at once
                    lambda: stage.tracer.start_span("span itself", **switches),  # noqa: B023 - same
                    lambda: trace.use_span(stage.tracer.start_span("used"), end_on_exit=True, **switches),  # noqa: B023 - same
                )
                for holder in holders:
                    stage.tick()
                    try:
                        with holder():
                            _raise(error())
                    except BaseException as raised:  # noqa: BLE001 - it is what this is about
                        stage.note(type(raised).__name__, str(raised), trace.get_current_span() is trace.INVALID_SPAN)


def not_ended(stage: Stage) -> None:
    """`end_on_exit` and `use_span` without it leave a span open, with the exception on it."""
    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("open", end_on_exit=False) as span:
        raise ValueError("open")
    stage.note(span.is_recording(), span.status, len(span.events), len(stage.exported))
    with contextlib.suppress(KeyError), trace.use_span(span):
        raise KeyError("again")
    stage.note(span.status, [event.attributes["exception.type"] for event in span.events])
    with contextlib.suppress(KeyError), trace.use_span(span, record_exception=False, set_status_on_exception=False):
        raise KeyError("ignored")
    span.end()
    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("ok first") as fine:
        fine.set_status(StatusCode.OK)
        raise ValueError("after")
    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("ended first") as early:
        early.end()
        raise ValueError("after")
    with contextlib.suppress(ValueError), stage.tracer.start_as_current_span("error first") as first:
        first.set_status(Status(StatusCode.ERROR, "mine"))
        raise ValueError("second")
    stage.note(fine.status, early.status, first.status)


def elsewhere(stage: Stage) -> None:
    """Threads and tasks begin with the context that they are given; a span ended elsewhere is exported once."""
    with stage.tracer.start_as_current_span("main") as main:
        seen: list[Any] = []

        def work() -> None:
            with stage.tracer.start_as_current_span("bare thread") as span:
                seen.append(span.parent)

        def work_within() -> None:
            with stage.tracer.start_as_current_span("thread with context") as span:
                seen.append(span.parent == main.get_span_context())

        context = contextvars.copy_context()
        for job in (work, lambda: context.run(work_within)):
            thread = threading.Thread(target=job)
            thread.start()
            thread.join()
        stage.note(seen)

        async def task(name: str) -> bool:
            with stage.tracer.start_as_current_span(name) as span:
                await asyncio.sleep(0)
                return trace.get_current_span() is span and span.parent == main.get_span_context()

        async def tasks() -> list[bool]:
            return list(await asyncio.gather(task("t1"), task("t2"), task("t3")))

        stage.note(asyncio.run(tasks()))
    handed = stage.tracer.start_as_current_span("entered here")
    handed.__enter__()
    thread = threading.Thread(target=lambda: handed.__exit__(None, None, None))
    thread.start()
    thread.join()
    stage.note(len(stage.exported), stage.exported[-1].name)


def generators(stage: Stage) -> None:
    """A span around a generator's body, finished, closed early and thrown into."""

    def numbers() -> Any:
        with stage.tracer.start_as_current_span("generator") as span:
            for number in range(3):
                span.set_attribute("at", number)
                yield number

    stage.note(list(numbers()))
    early = numbers()
    next(early)
    early.close()
    thrown = numbers()
    next(thrown)
    stage.attempt(lambda: thrown.throw(ValueError("in")))


def disabled(stage: Stage) -> None:
    """A tracer that is switched off makes spans of nobody, in the trace that is there."""
    from opentelemetry.sdk.trace import _disable_tracer_configurator

    with stage.tracer.start_as_current_span("on") as parent:
        stage.provider._set_tracer_configurator(tracer_configurator=_disable_tracer_configurator)
        with stage.tracer.start_as_current_span("off") as span:
            stage.note(span.is_recording(), span.get_span_context() == parent.get_span_context())
    with stage.tracer.start_as_current_span("off, root") as span:
        stage.note(span.get_span_context())


ALL = (parents, nothing_recorded, decorated, leaving, not_ended, elsewhere, generators, disabled)

#: Scenarios under samplers of their own.
SAMPLED: tuple[tuple[Callable[[Stage], None], Callable[[], Sampler]], ...] = (
    (sampled, Choosy),
    (many_roots, lambda: TraceIdRatioBased(0.3)),
    (many_roots, lambda: ParentBased(TraceIdRatioBased(0.3))),
    (many_roots, lambda: ParentBased(ALWAYS_OFF)),
    (many_roots, lambda: ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF, remote_parent_not_sampled=ALWAYS_ON)),
    (many_roots, lambda: ALWAYS_OFF),
    (parents, lambda: ALWAYS_OFF),
    (parents, lambda: TraceIdRatioBased(0.5)),
)
