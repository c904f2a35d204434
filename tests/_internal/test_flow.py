from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import gc
import logging
import threading
import types
import weakref

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import aumos_otel as aumos
from aumos_otel._internal import flow


def current_name() -> str | None:
    """Name of the current span; None when nothing records."""
    return getattr(trace.get_current_span(), "name", None)


@pytest.fixture(autouse=True)
def _no_complaints(caplog: pytest.LogCaptureFixture) -> object:
    """Nothing may be logged, least of all that a context could not be detached."""
    with caplog.at_level(logging.DEBUG, "opentelemetry"):
        yield
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


def test_abandoned_generator(capture) -> None:
    """A dropped generator ends its span once and leaves the caller's current span alone."""

    @aumos.span("steps")
    def steps():
        yield 1
        yield 2

    with aumos.span("caller") as caller:
        for _ in steps():
            break
        assert trace.get_current_span() is caller

    assert sorted(span.name for span in capture.spans) == ["caller", "steps"]


def test_generator_in_a_cycle(capture) -> None:
    """The garbage collector ends the span of a generator that is part of a cycle."""

    @aumos.span("steps")
    def steps():
        yield 1

    cycle: list[object] = [steps()]
    next(cycle[0])
    cycle.append(cycle)
    del cycle
    assert capture.spans == []
    gc.collect()

    assert len(capture.spans) == 1


def test_collected_inside_the_sdk(capture) -> None:
    """A stream collected while the SDK may hold a lock ends later, as of the time it was dropped."""

    @aumos.span("steps")
    def steps():
        yield 1

    stream = [steps()]
    next(stream[0])
    namespace = {"__name__": "opentelemetry.sdk.metrics", "stream": stream}
    exec("stream.clear()", namespace)  # a frame of the SDK, as the collector would find it
    assert capture.spans == []
    flow.end_abandoned()

    assert len(capture.spans) == 1


def test_collected_everywhere(capture) -> None:
    """Streams that the collector finds at any point of any thread neither lock up nor get lost."""

    @aumos.span("steps")
    def steps():
        yield 1

    def work() -> None:
        for _ in range(100):
            cycle: list[object] = [steps()]
            next(cycle[0])
            cycle.append(cycle)

    threshold = gc.get_threshold()
    gc.set_threshold(10, 2, 2)
    try:
        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    flow.end_abandoned()

    assert len(capture.spans) == 400


def test_steps_in_many_threads(capture) -> None:
    """Each step may run in another thread, as under Starlette; nested spans stay nested."""

    @aumos.span("steps")
    def steps():
        with aumos.span("inside"):
            yield current_name()
            yield current_name()

    stream = steps()
    found: list[object] = []

    def step() -> None:
        found.append(next(stream, None))

    for _ in range(3):
        thread = threading.Thread(target=contextvars.copy_context().run, args=(step,))
        thread.start()
        thread.join()

    assert found == ["inside", "inside", None]
    inside, outside = capture.span("inside"), capture.span("steps")
    assert inside.parent.span_id == outside.context.span_id


def test_interleaved_generators(capture) -> None:
    """Two generators taken in turns do not become each other's parent."""

    @aumos.span("steps")
    def steps():
        with aumos.span("inside"):
            yield 1
        with aumos.span("inside"):
            yield 2

    assert list(zip(steps(), steps(), strict=True)) == [(1, 1), (2, 2)]

    outer = [span for span in capture.spans if span.name == "steps"]
    inner = [span.parent.span_id for span in capture.spans if span.name == "inside"]
    assert [span.parent for span in outer] == [None, None]
    assert sorted(inner) == sorted([span.context.span_id for span in outer] * 2)


def test_async_generator_dropped_by_its_consumer(capture) -> None:
    """A `break` ends the span at once, without waiting for the loop's finalizer."""

    @aumos.span("steps")
    async def steps():
        yield 1
        yield 2

    async def main() -> int:
        with aumos.span("caller") as caller:
            async for _ in steps():
                break
            assert trace.get_current_span() is caller
        return len(capture.spans)

    assert asyncio.run(main()) == 2
    assert len(capture.spans) == 2


def test_async_generator_closed_in_another_task(capture) -> None:
    """A stream may be closed by another task than the one that read it."""

    @aumos.span("steps")
    async def steps():
        with aumos.span("inside"):
            yield 1

    async def main() -> None:
        stream = steps()
        await asyncio.create_task(anext(stream))
        await asyncio.create_task(stream.aclose())

    asyncio.run(main())
    assert sorted(span.name for span in capture.spans) == ["inside", "steps"]


def test_async_generator_alive_at_loop_shutdown(capture) -> None:
    """The event loop's shutdown ends the span of a stream that somebody still holds."""
    held: list[object] = []
    closed: list[str] = []

    @aumos.span("steps")
    async def steps():
        try:
            yield 1
        finally:
            await asyncio.sleep(0)
            closed.append("closed")

    async def main() -> None:
        held.append(steps())
        await anext(held[0])

    asyncio.run(main())
    assert closed == ["closed"]
    assert len(capture.spans) == 1
    held.clear()
    gc.collect()
    assert len(capture.spans) == 1


async def test_cancelled_async_generator(capture) -> None:
    """Cancelling the consumer ends the span once."""
    started = asyncio.Event()

    @aumos.span("steps")
    async def steps():
        started.set()
        await asyncio.Event().wait()
        yield 1

    async def consume() -> None:
        async for _ in steps():
            pass

    task = asyncio.create_task(consume())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert capture.span("steps").status.status_code is StatusCode.UNSET


def test_coroutine_destroyed_with_its_loop(capture) -> None:
    """A task that dies with its loop ends its span from the finalizer, in another context."""

    class Never:
        def __await__(self):
            yield

    @aumos.span("wait")
    async def wait() -> None:
        await Never()

    coroutine = wait()
    context = contextvars.copy_context()
    context.run(coroutine.send, None)
    coroutine.close()

    assert len(capture.spans) == 1
    assert current_name() is None


def test_error_in_the_middle(capture) -> None:
    """An error after some items is the span's error."""

    @aumos.span("steps")
    def steps():
        yield 1
        raise ValueError("late")

    with pytest.raises(ValueError, match="late"):
        list(steps())

    assert capture.span("steps").attributes["error.type"] == "ValueError"


def test_context_manager_function(capture) -> None:
    """`contextlib.contextmanager` over a decorated generator keeps the user's context variables."""
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="out")

    @contextlib.contextmanager
    @aumos.span("scope")
    def scope():
        token = variable.set("in")
        yield
        variable.reset(token)

    with scope():
        assert variable.get() == "in"
    assert variable.get() == "out"
    assert len(capture.spans) == 1


def test_a_generator_is_a_real_one(capture) -> None:
    """It has the type and the names of an undecorated one, so that everything that knows generators takes it."""

    @aumos.span("steps")
    def steps():
        yield 1

    stream = steps()
    assert type(stream) is types.GeneratorType
    assert (stream.__name__, stream.__qualname__) == ("steps", steps.__qualname__)
    assert iter(stream) is stream
    assert list(stream) == [1]


def test_what_is_thrown_in_is_not_kept(capture) -> None:
    """An exception that a generator has handled is gone, and so are the frames that it came through."""

    class ThrownError(Exception):
        """Thrown in."""

    @aumos.span("steps")
    def steps():
        with contextlib.suppress(ThrownError):
            yield 1
        yield 2

    stream = steps()
    next(stream)
    error = ThrownError()
    assert stream.throw(error) == 2
    gone = weakref.ref(error)
    gc.disable()
    try:
        del error
        assert gone() is None
    finally:
        gc.enable()
    assert list(stream) == []


def test_closing_runs_what_is_left_in_the_span(capture) -> None:
    """The clean-up of a closed generator runs inside of its span, and its error is the span's."""
    seen: list[object] = []

    @aumos.span("steps")
    def steps():
        try:
            yield 1
        finally:
            seen.append(current_name())
            raise LookupError("late")

    stream = steps()
    next(stream)
    with pytest.raises(LookupError, match="late"):
        stream.close()
    assert seen == ["steps"]
    assert capture.span("steps").attributes["error.type"] == "LookupError"


def test_a_generator_that_will_not_close(capture) -> None:
    """It raises Python's own error, and the span has ended."""

    @aumos.span("steps")
    def steps():
        with contextlib.suppress(GeneratorExit):
            yield 1
        yield 2

    stream = steps()
    next(stream)
    with pytest.raises(RuntimeError, match="ignored GeneratorExit"):
        stream.close()
    assert len(capture.spans) == 1


def test_generator_exit_thrown_in(capture) -> None:
    """Thrown in by hand it closes the generator, and comes out as it does of an undecorated one."""

    @aumos.span("steps")
    def steps():
        yield 1

    stream = steps()
    next(stream)
    with pytest.raises(GeneratorExit):
        stream.throw(GeneratorExit())
    assert len(capture.spans) == 1


def test_one_step_of_an_async_generator(capture) -> None:
    """Who takes one item and drops the rest gets the item inside of the span, which then ends."""

    @aumos.span("steps")
    async def steps():
        await asyncio.sleep(0)
        yield current_name()

    assert asyncio.run(anext(steps())) == "steps"
    assert len(capture.spans) == 1


def test_streams_of_another_wrapper(capture) -> None:
    """A generator function whose wrapper returns a stand-in for the generator is followed too."""

    def steps():
        yield 1

    class Stand:
        def __init__(self) -> None:
            self._inner = steps()

        def __next__(self) -> int:
            return next(self._inner)

    @functools.wraps(steps)
    def wrapped():
        return Stand()

    stream = flow.generator(wrapped(), lambda: None)
    assert next(stream) == 1
