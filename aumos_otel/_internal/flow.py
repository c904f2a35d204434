"""Operations that happen in steps: generators, coroutines and the streams of clients.

The context of an operation is current during a step and never between two, so the caller's
current span is left alone.  A stream that is closed, cancelled, abandoned or garbage-collected
ends its operation exactly once, from whatever thread or task that happens in.
"""

from __future__ import annotations

import functools
import inspect
import sys
import time
import weakref
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from types import AsyncGeneratorType, CoroutineType, GeneratorType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar, cast

import wrapt

from aumos_otel import guard
from aumos_otel._internal.ambient import attach_context, current_context, detach_context
from aumos_otel._internal.attachment import give_back

if TYPE_CHECKING:
    from opentelemetry.context import Context

    Proxy = wrapt.BaseObjectProxy[Any]
else:
    Proxy = wrapt.BaseObjectProxy

T = TypeVar("T")

#: Results of plain Python whose work is still to come.
LAZY = (GeneratorType, AsyncGeneratorType, CoroutineType)

#: Modules whose code may hold a lock that ending a span needs.
_LOCK_HOLDERS = (
    "aumos_otel.context",
    "aumos_otel.delivery",
    "aumos_otel.guard",
    "aumos_otel.llm.metrics",
    "aumos_otel.processors",
    "opentelemetry.exporter",
    "opentelemetry.sdk",
    "prometheus_client",
)


class Operation(Protocol):
    """What a span helper does as the work goes on; none of it raises.

    ``ended`` is called at least once; only the first call counts.
    """

    context: Context

    def yielded(self, item: object) -> None:
        """One item of a stream."""

    def returned(self, value: object) -> None:
        """The result, before ``ended``."""

    def ended(self, error: BaseException | None = None, *, abandoned_at: int | None = None) -> None:
        """The end: by ``error``, by being abandoned at that `time.perf_counter_ns`, or well."""


#: Ends an operation with what the function returned, or returns a stand-in that ends it later.
Follow = Callable[[Operation, object], object]


class Flow:
    """Runs the steps of one operation, which ends as abandoned when nobody refers to the flow any more.

    Give a running ``operation``, or ``begin`` to start it with the first step.

    Attributes:
        last_look: if set, gives a result to tell the operation before it ends.
    """

    __slots__ = ("_begin", "_context", "_operation", "_watch", "_watched", "last_look")

    def __init__(self, operation: Operation | None = None, begin: Callable[[], Operation | None] | None = None) -> None:
        self._begin = begin
        self._operation = operation
        self._context = operation.context if operation is not None else None
        self._watch: AsyncGenerator[None, None] | None = None
        self._watched: list[Operation] = []
        self.last_look: Callable[[], object] | None = None

    def step(self, advance: Callable[..., T], *args: object) -> T:
        """Run ``advance``, which gives the next item."""
        item = self.run(advance, *args)
        if self._operation is not None:
            self._operation.yielded(item)
        return item

    def run(self, function: Callable[..., T], *args: object) -> T:
        """Run ``function`` in the operation's context; what it raises ends the operation."""
        if self._start() is None or self._context is None:
            return function(*args)
        token = attach_context(self._context)
        try:
            return function(*args)
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self._keep(current_context())
            detach_context(token)

    async def astep(self, advance: Callable[..., Awaitable[T]], *args: object) -> T:
        """Await the next item, which ``advance`` gives."""
        operation = self._start()
        context = self._context
        if operation is None or context is None:
            return await advance(*args)
        if self._watch is None:
            self._watch_loop(operation)
        token = attach_context(context)
        try:
            item = await advance(*args)
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self._keep(give_back(token, context))
        operation.yielded(item)
        return item

    async def arun(self, awaitable: Awaitable[T]) -> T:
        """Await in the operation's context; what is raised ends the operation."""
        operation = self._start()
        if operation is None or self._context is None:
            return await awaitable
        if self._watch is None:
            self._watch_loop(operation)
        context = self._context
        token = attach_context(context)
        try:
            return await awaitable
        except BaseException as error:
            self.end(error)
            raise
        finally:
            self._keep(give_back(token, context))

    def close(self, close: Callable[[], T]) -> T:
        """Run the stream's own ``close``."""
        self._begin = None
        value = self.run(close)
        self.end(GeneratorExit())
        return value

    async def aclose(self, closing: Awaitable[T]) -> T:
        """Await the stream's own close."""
        self._begin = None
        value = await self.arun(closing)
        self.end(GeneratorExit())
        return value

    def end(self, error: BaseException | None = None) -> None:
        """End the operation; the exceptions that end an iteration are its good end."""
        operation = self.detach()
        if operation is None:
            return
        self._look(operation)
        if isinstance(error, StopIteration) and error.value is not None:
            operation.returned(error.value)
        operation.ended(None if isinstance(error, (StopIteration, StopAsyncIteration)) else error)

    def tell(self, value: object) -> None:
        """Tell the operation of a result that the work gave."""
        if self._operation is not None:
            self._operation.returned(value)

    def detach(self) -> Operation | None:
        """Give the operation away, still running."""
        operation, self._operation, self._context = self._operation, None, None
        self._unwatch()
        return operation

    def _start(self) -> Operation | None:
        begin = self._begin
        if begin is not None:
            self._begin = None
            self._operation = begin()
            self._context = self._operation.context if self._operation is not None else None
        return self._operation

    def _keep(self, context: Context) -> None:
        # A span that the work opened between two steps is current again in the next.
        if self._operation is not None:
            self._context = context

    def _watch_loop(self, operation: Operation) -> None:
        """Let the event loop, which closes all async generators as it shuts down, end the operation too."""
        self._watched.append(operation)
        self._watch = _until_shutdown(self._watched)
        _drive(self._watch.__anext__())

    def _unwatch(self) -> None:
        watch, self._watch = self._watch, None
        if watch is not None:
            self._watched.clear()
            with suppress(RuntimeError):  # it is the one that is ending the operation just now
                _drive(watch.aclose())

    def _look(self, operation: Operation) -> None:
        look, self.last_look = self.last_look, None
        if look is not None:
            with guard.swallow("flow.last_look"):
                operation.returned(look())

    def __del__(self) -> None:
        operation = self.detach()
        if operation is not None:
            self._look(operation)
            abandon(operation)


async def _until_shutdown(watched: list[Operation]) -> AsyncGenerator[None, None]:
    try:
        yield
    finally:
        while watched:
            watched.pop().ended(GeneratorExit())


def _drive(step: Awaitable[None]) -> None:
    """Run an awaitable that never waits."""
    with suppress(StopIteration):
        step.__await__().__next__()


class GeneratorProxy(Proxy):
    """A generator whose steps run in the context of an operation."""

    def __init__(self, wrapped: object, flow: Flow) -> None:
        super().__init__(wrapped)
        self._self_flow = flow

    def __iter__(self) -> GeneratorProxy:
        return self

    def __next__(self) -> object:
        return self._self_flow.step(self.__wrapped__.__next__)

    def send(self, value: object) -> object:
        """As the generator's."""
        return self._self_flow.step(self.__wrapped__.send, value)

    def throw(self, *error: Any) -> object:
        """As the generator's."""
        return self._self_flow.step(self.__wrapped__.throw, *error)

    def close(self) -> object:
        """As the generator's."""
        return self._self_flow.close(self.__wrapped__.close)


class AsyncGeneratorProxy(Proxy):
    """An async generator whose steps run in the context of an operation."""

    __slots__ = ("__anext__",)  # called as often as there are items: not by way of the proxy

    def __init__(self, wrapped: Any, flow: Flow) -> None:
        super().__init__(wrapped)
        self._self_flow = flow
        self.__anext__ = functools.partial(flow.astep, wrapped.__anext__)

    def __aiter__(self) -> AsyncGeneratorProxy:
        return self

    def asend(self, value: object) -> Coroutine[Any, Any, object]:
        """As the generator's."""
        return self._self_flow.astep(self.__wrapped__.asend, value)

    def athrow(self, *error: Any) -> Coroutine[Any, Any, object]:
        """As the generator's."""
        return self._self_flow.astep(self.__wrapped__.athrow, *error)

    def aclose(self) -> Coroutine[Any, Any, object]:
        """As the generator's."""
        return self._self_flow.aclose(self.__wrapped__.aclose())


def async_generator(wrapped: object, begin: Callable[[], Operation | None]) -> AsyncGeneratorProxy:
    """An async generator that does what ``wrapped`` does, as `generator`."""
    return AsyncGeneratorProxy(wrapped, Flow(begin=begin))


def generator(wrapped: Any, begin: Callable[[], Operation | None]) -> Generator[Any, Any, Any]:
    """A generator that does what ``wrapped`` does, in the context of an operation that begins with the first step."""
    if type(wrapped) is not GeneratorType:  # somebody else's stand-in for one
        return cast("Generator[Any, Any, Any]", GeneratorProxy(wrapped, Flow(begin=begin)))
    life: list[weakref.ref[object]] = []
    made: Any = _steps(wrapped, begin, life)
    made.__name__, made.__qualname__ = wrapped.__name__, wrapped.__qualname__
    life.append(weakref.ref(made, _nothing))  # one with a callback is dead before any finalizer runs
    return cast("Generator[Any, Any, Any]", made)


def _nothing(_dead: object) -> None:
    pass


def _steps(
    wrapped: Generator[Any, Any, Any], begin: Callable[[], Operation | None], life: list[weakref.ref[object]]
) -> Generator[Any, Any, Any]:
    operation = begin()
    del begin
    if operation is None:
        return (yield from wrapped)
    context, hear, send = operation.context, operation.yielded, wrapped.send
    sent = thrown = None
    while True:
        token = attach_context(context)
        try:
            item = send(sent) if thrown is None else wrapped.throw(thrown)
        except StopIteration as end:
            sent = end.value
            break
        except BaseException as error:
            operation.ended(error)
            raise
        finally:
            thrown = None
            context = current_context()  # a span that was opened inside is current again in the next step
            detach_context(token)
        hear(item)
        try:
            sent = yield item
        except GeneratorExit:
            if life[0]() is None:  # nobody refers to it any more
                abandon(operation)
                raise
            value = _close(wrapped, operation, context)
            if value is None:
                raise
            return value
        except BaseException as error:  # noqa: BLE001 - it is thrown in and goes on to where the work is
            thrown = error
    if sent is not None:
        operation.returned(sent)
    operation.ended()
    return sent


def _close(wrapped: Generator[Any, Any, Any], operation: Operation, context: Context) -> object:
    """Close a generator, and its operation; returns what the generator returned, which it does from 3.13 on."""
    token = attach_context(context)
    try:
        value: object = wrapped.close()  # type: ignore[func-returns-value]  # until 3.13
    except BaseException as error:
        operation.ended(error)
        raise
    finally:
        detach_context(token)
    operation.ended(GeneratorExit())
    return value


def follow(operation: Operation, value: object, again: Follow | None = None) -> object:
    """The `Follow` of plain Python: generators and coroutines end their operation later, all else ends it now.

    ``again`` takes what a coroutine returned; default is this function.
    """
    if isinstance(value, GeneratorType):
        return GeneratorProxy(value, Flow(operation))
    if isinstance(value, AsyncGeneratorType):
        return AsyncGeneratorProxy(value, Flow(operation))
    if isinstance(value, CoroutineType):
        return _finish(Flow(operation), value, again or follow)
    operation.returned(value)
    operation.ended()
    return value


async def _finish(flow: Flow, coroutine: Awaitable[object], follow: Follow) -> object:
    value = await flow.arun(coroutine)
    operation = flow.detach()
    return value if operation is None else follow(operation, value)


#: Operations that `end_abandoned` will end, and when they were abandoned.
waiting: deque[tuple[Operation, int]] = deque()


def abandon(operation: Operation) -> None:
    """End an operation that a finalizer found.

    The garbage collector may run in the middle of the SDK, holding a lock that ending needs:
    then the operation waits for `end_abandoned`, and ends as of now.
    """
    if sys.is_finalizing():
        return
    now = time.perf_counter_ns()
    frame = inspect.currentframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_LOCK_HOLDERS):
            waiting.append((operation, now))
            return
        frame = frame.f_back
    operation.ended(abandoned_at=now)


def end_abandoned() -> None:
    """End the operations that a finalizer could not; called before new ones start and before a flush."""
    while waiting:
        try:
            operation, at = waiting.popleft()
        except IndexError:  # another thread took it
            return
        operation.ended(abandoned_at=at)
