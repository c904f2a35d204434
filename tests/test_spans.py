from __future__ import annotations

import asyncio
import functools
import inspect

import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import aumos_otel as aumos


def current_name() -> str | None:
    """Name of the current span; None when nothing records."""
    return getattr(trace.get_current_span(), "name", None)


def describe(function: object) -> tuple[bool, ...]:
    """What `inspect` says of a function's kind."""
    return (
        inspect.iscoroutinefunction(function),
        inspect.isgeneratorfunction(function),
        inspect.isasyncgenfunction(function),
    )


class TestFunctions:
    """Decorated functions of every kind."""

    def test_plain_function(self, capture) -> None:
        """A plain function runs inside a span of its qualified name."""

        @aumos.span
        def load(rows: int) -> str | None:
            return current_name()

        assert load(3) == load.__qualname__
        assert [span.name for span in capture.spans] == [load.__qualname__]
        assert current_name() is None

    def test_name_and_attributes(self, capture) -> None:
        """Name and attributes are those of the decorator."""

        @aumos.span("load", rows=3, **{"app.kind": "full"})
        def load() -> None:
            """Load."""

        load()

        assert dict(capture.span("load").attributes) == {"rows": 3, "app.kind": "full"}

    async def test_async_function(self, capture) -> None:
        """An async function stays one, and its span is current across its awaits."""

        @aumos.span("load")
        async def load() -> str | None:
            await asyncio.sleep(0)
            return current_name()

        assert describe(load) == (True, False, False)
        assert await load() == "load"
        assert capture.span("load").status.status_code is StatusCode.UNSET

    def test_generator_function(self, capture) -> None:
        """A generator function stays one; send, throw, close and the return value pass through."""
        seen: list[object] = []

        @aumos.span("steps")
        def steps():
            seen.append((yield current_name()))
            try:
                yield 2
            except KeyError as error:
                seen.append(error)
            return (yield 3) or "done"

        def delegate():
            return (yield from steps())

        generator = delegate()
        assert describe(steps) == (False, True, False)
        assert inspect.isgenerator(steps())
        assert next(generator) == "steps"
        assert current_name() is None
        assert generator.send("sent") == 2
        error = KeyError("thrown")
        assert generator.throw(error) == 3
        with pytest.raises(StopIteration) as stop:
            generator.send(None)
        assert stop.value.value == "done"
        assert seen == ["sent", error]
        assert len(capture.spans) == 1

    async def test_async_generator_function(self, capture) -> None:
        """An async generator function stays one; asend, athrow and aclose pass through."""
        seen: list[object] = []

        @aumos.span("steps")
        async def steps():
            try:
                seen.append((yield current_name()))
                yield 2
            except KeyError as error:
                seen.append(error)
                yield 3
            finally:
                seen.append("closed")

        stream = steps()
        assert describe(steps) == (False, False, True)
        assert inspect.isasyncgen(stream)
        assert await anext(stream) == "steps"
        assert current_name() is None
        assert await stream.asend("sent") == 2
        error = KeyError("thrown")
        assert await stream.athrow(error) == 3
        await stream.aclose()
        assert seen == ["sent", error, "closed"]
        assert len(capture.spans) == 1

    def test_span_starts_with_the_first_step(self, capture) -> None:
        """A generator that is never started, or closed before, has no span."""

        @aumos.span("steps")
        def steps():
            yield 1

        steps()
        steps().close()
        closed = steps()
        closed.close()
        assert list(closed) == []

        assert capture.spans == []

    def test_methods(self, capture) -> None:
        """Methods, class methods and static methods are decorated from either side."""

        class Store:
            @aumos.span("method")
            def method(self, key: str) -> tuple[object, str]:
                return self, key

            @aumos.span("outer")
            @classmethod
            def outer(cls) -> type:
                return cls

            @classmethod
            @aumos.span("inner")
            def inner(cls) -> type:
                return cls

            @aumos.span("static")
            @staticmethod
            def static(key: str) -> str:
                return key

            @aumos.span("items")
            def items(self):
                yield self

        store = Store()
        assert store.method("a") == (store, "a")
        assert Store.method(store, key="a") == (store, "a")
        assert Store.outer() is store.inner() is Store
        assert Store.static("b") == store.static("b") == "b"
        assert list(store.items()) == list(Store.items(store)) == [store]
        assert len(capture.spans) == 8

    def test_other_callables(self, capture) -> None:
        """Partials, cached functions and callable objects keep their own attributes and kind."""

        class Loader:
            attribute = 1

            def __call__(self, key: str) -> str:
                return key

        async def load(key: str, rows: int) -> tuple[str, int]:
            return key, rows

        loader = aumos.span("object")(Loader())
        partial = aumos.span("partial")(functools.partial(load, rows=2))
        cached = aumos.span("cached")(functools.lru_cache(lambda key: key))

        assert loader("a") == "a"
        assert loader.attribute == 1
        assert inspect.iscoroutinefunction(partial)
        assert asyncio.run(partial("b")) == ("b", 2)
        assert cached("c") == cached("c") == "c"
        assert cached.cache_info().hits == 1
        assert sorted(span.name for span in capture.spans) == ["cached", "cached", "object", "partial"]

    @pytest.mark.parametrize("wrong", [int, 3])
    def test_what_is_no_function_is_refused(self, wrong: object) -> None:
        """Decorating a class or a value is a TypeError that names it."""
        with pytest.raises(TypeError, match="a function is needed here"):
            aumos.span("x")(wrong)

    def test_metadata_is_kept(self) -> None:
        """Name, docstring and signature are the function's own."""

        @aumos.span("load")
        def load(rows: int, *, key: str = "k") -> str:
            """Load."""
            return key

        assert (load.__name__, load.__doc__) == ("load", "Load.")
        assert str(inspect.signature(load)) == "(rows: 'int', *, key: 'str' = 'k') -> 'str'"

    def test_coroutine_from_a_plain_function(self, capture) -> None:
        """A plain function that returns a coroutine has its span until that is awaited."""

        async def work() -> str | None:
            await asyncio.sleep(0)
            return current_name()

        @aumos.span("start")
        def start():
            return work()

        async def main() -> None:
            pending = start()
            assert inspect.iscoroutine(pending)
            assert capture.spans == []
            assert await pending == "start"

        asyncio.run(main())
        assert len(capture.spans) == 1

    def test_generator_from_a_plain_function(self, capture) -> None:
        """A plain function that returns a generator has its span until that ends."""

        @aumos.span("start")
        def start():
            return (current_name() for _ in range(2))

        assert list(start()) == ["start", "start"]
        assert len(capture.spans) == 1


class TestBlocks:
    """Spans around blocks."""

    def test_block(self, capture) -> None:
        """The block gets the OpenTelemetry span, which is current inside it."""
        with aumos.span("load", rows=1) as span:
            assert trace.get_current_span() is span
            span.set_attribute("seen", True)

        assert dict(capture.span("load").attributes) == {"rows": 1, "seen": True}
        assert current_name() is None

    async def test_async_block(self, capture) -> None:
        """An async block works alike."""
        async with aumos.span("load") as span:
            await asyncio.sleep(0)
            assert trace.get_current_span() is span

        assert len(capture.spans) == 1

    def test_one_maker_many_blocks(self, capture) -> None:
        """One `span(...)` can be entered again, also inside itself."""
        maker = aumos.span("load")
        with maker as outer, maker as inner:
            assert inner.parent.span_id == outer.get_span_context().span_id

        assert len(capture.spans) == 2

    def test_leaked_context_is_put_right(self, capture) -> None:
        """What the block attached and did not detach is gone after it."""
        from opentelemetry import context

        before = context.get_current()
        with aumos.span("load"):
            context.attach(context.set_value("left", "behind"))

        assert context.get_current() is before


class TestErrors:
    """Exceptions, the user's and ours."""

    def test_exception_is_recorded_and_passes(self, capture) -> None:
        """The user's exception is recorded and raised as it is, without a cause of ours."""
        error = ValueError("wrong")

        @aumos.span("load")
        def load() -> None:
            raise error

        with pytest.raises(ValueError, match="wrong") as raised:
            load()

        span = capture.span("load")
        assert raised.value is error
        assert error.__cause__ is error.__context__ is None
        assert span.attributes["error.type"] == "ValueError"
        assert span.status.status_code is StatusCode.ERROR
        assert span.status.description == "ValueError: wrong"
        assert [event.name for event in span.events] == ["exception"]

    def test_error_type_is_qualified(self, capture) -> None:
        """An error's class is named with its module, except for builtins."""
        with pytest.raises(asyncio.QueueFull), aumos.span("load"):
            raise asyncio.QueueFull

        assert capture.span("load").attributes["error.type"] == "asyncio.queues.QueueFull"

    def test_unprintable_exception(self, capture) -> None:
        """An exception whose text cannot be made is told by its class."""

        class BrokenError(Exception):
            def __str__(self) -> str:
                raise RuntimeError

        with pytest.raises(BrokenError), aumos.span("load"):
            raise BrokenError

        assert capture.span("load").status.description == "BrokenError: <BrokenError: str() failed>"

    async def test_cancellation_is_no_error(self, capture) -> None:
        """A cancelled task ends its span without an error."""
        started = asyncio.Event()

        @aumos.span("wait")
        async def wait() -> None:
            started.set()
            await asyncio.Event().wait()

        task = asyncio.create_task(wait())
        await started.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert capture.span("wait").status.status_code is StatusCode.UNSET

    def test_failing_tracer_is_swallowed(self, capture, monkeypatch: pytest.MonkeyPatch) -> None:
        """A tracer that raises does not touch the user's call."""
        from aumos_otel import guard, spans

        def broken() -> object:
            raise RuntimeError

        guard.set_strict(False)
        monkeypatch.setattr(spans._starter, "get", broken)

        @aumos.span("load")
        def load() -> int:
            return 3

        before = guard.swallowed().get("spans.span", 0)
        assert load() == 3
        assert guard.swallowed()["spans.span"] == before + 1


class TestUnconfigured:
    """Before and without an SDK."""

    def test_nothing_happens_without_an_sdk(self) -> None:
        """Without an SDK the functions just run."""

        @aumos.span("load")
        def load() -> int:
            return 3

        @aumos.span("steps")
        def steps():
            yield 1

        with aumos.span("block") as span:
            span.set_attribute("a", 1)
            assert load() == 3
        assert list(steps()) == [1]
        assert not span.is_recording()

    def test_decorated_before_configure(self) -> None:
        """What was decorated and used before there was an SDK is traced once there is one."""
        from aumos_otel.testing import captured

        @aumos.span("load")
        def load() -> None:
            """Load."""

        load()
        with captured() as telemetry:
            load()
            assert len(telemetry.spans) == 1

    def test_unsampled_parent_stays_unsampled(self) -> None:
        """Under an unsampled span nothing is recorded, also not in a nested generator."""
        from aumos_otel import SamplingOptions
        from aumos_otel.testing import captured

        @aumos.span("steps")
        def steps():
            with aumos.span("inside") as span:
                yield span.get_span_context()

        with captured(sampling=SamplingOptions(ratio=0.0)) as telemetry:
            with aumos.span("outer") as outer:
                (inside,) = steps()
            assert inside.trace_id == outer.get_span_context().trace_id
            assert not inside.trace_flags.sampled
            assert telemetry.spans == []
