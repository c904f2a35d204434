"""The streams that clients return, which a decorated function passes on.

The span stays open until such a stream is used up, closed or dropped.  What the user gets is
a proxy: it is an instance of the client's class, with its attributes and its protocols.
Clients are told by the shape of their objects; none is imported.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
import io
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Self

from aumos_otel._internal import failure, flow
from aumos_otel.llm import usage

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from types import TracebackType

#: Methods that end a stream.
_CLOSERS: Final = ("aclose", "close")
#: Methods that read a stream to its end and return the response, or a part of it.
_READERS: Final = ("get_final_completion", "get_final_message", "get_final_response", "get_final_text", "until_done")
#: Further iterators over the same stream.
_VIEWS: Final = ("text_stream",)
#: Where the clients' helpers keep the response that they put together from the chunks.
_SNAPSHOTS: Final = ("current_completion_snapshot", "current_message_snapshot")


#: Classes of most results, which are no streams.
_NO_STREAMS: Final = frozenset({dict, list, tuple, str, bytes, int, float, bool, type(None)})


def follow(operation: flow.Operation, value: object) -> object:
    """The `flow.Follow` of LLM operations: that of plain Python, and the streams of clients."""
    proxy = _proxy_for(value)
    if proxy is not None:
        return proxy(value, flow.Flow(operation))
    return flow.follow(operation, value, follow)


def _proxy_for(value: object) -> Callable[[object, flow.Flow], _ClientObject] | None:
    """What stands in for a client's stream, or for the manager of one; None for anything else."""
    kind = type(value)
    if kind in _NO_STREAMS or isinstance(value, (*flow.LAZY, io.IOBase)):
        return None
    if hasattr(kind, "__next__"):
        return _DualStream if hasattr(kind, "__anext__") else _Stream
    if hasattr(kind, "__anext__"):
        return _AsyncStream
    if "Stream" in kind.__name__ and (hasattr(kind, "__enter__") or hasattr(kind, "__aenter__")):
        return _Manager  # MessageStreamManager, AsyncChatCompletionStreamManager and the like
    return None


class _ClientObject(flow.Proxy):
    """An object of a client, with a flow that the object's use runs in."""

    def __init__(self, wrapped: object, steps: flow.Flow) -> None:
        super().__init__(wrapped)
        self._self_flow = steps
        steps.last_look = functools.partial(_snapshot, wrapped)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self.__wrapped__, name)
        if name in _VIEWS:
            proxy = flow.AsyncGeneratorProxy if inspect.isasyncgen(value) else flow.GeneratorProxy
            return proxy(value, self._self_flow)
        if name in _CLOSERS or name in _READERS:
            run = self._self_run_async if inspect.iscoroutinefunction(value) else self._self_run
            return functools.partial(run, name, value)
        return value

    def _self_run(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if name in _CLOSERS:
            return self._self_flow.close(functools.partial(method, *args, **kwargs))
        return self._self_read(self._self_flow.run(functools.partial(method, *args, **kwargs)))

    async def _self_run_async(self, name: str, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if name in _CLOSERS:
            return await self._self_flow.aclose(method(*args, **kwargs))
        return self._self_read(await self._self_flow.arun(method(*args, **kwargs)))

    def _self_read(self, result: object) -> object:
        if result is self.__wrapped__:
            result = self
        else:
            self._self_flow.tell(result)
        self._self_flow.end()
        return result

    def _self_entered(self, entered: object) -> object:
        if entered is self.__wrapped__:
            return self
        proxy = _proxy_for(entered)
        return entered if proxy is None else proxy(entered, self._self_flow)

    def _self_exited(self, error: BaseException | None) -> None:
        # An error of the stream has ended the operation before; this one is the consumer's.
        cancelled = error is not None and failure.is_cancellation(error)
        self._self_flow.end(error if cancelled else GeneratorExit())

    def __enter__(self) -> object:
        return self._self_entered(self._self_flow.run(self.__wrapped__.__enter__))

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        swallowed: bool | None = self._self_flow.run(self.__wrapped__.__exit__, kind, error, traceback)
        self._self_exited(error)
        return swallowed

    async def __aenter__(self) -> object:
        return self._self_entered(await self._self_flow.arun(self.__wrapped__.__aenter__()))

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        swallowed: bool | None = await self._self_flow.arun(self.__wrapped__.__aexit__(kind, error, traceback))
        self._self_exited(error)
        return swallowed


class _Manager(_ClientObject):
    """What opens a stream when it is entered."""


class _Stream(_ClientObject):
    """An iterator of chunks."""

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> object:
        return self._self_flow.step(self.__wrapped__.__next__)


class _AsyncStream(_ClientObject):
    """An async iterator of chunks."""

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, object]:
        return self._self_flow.astep(self.__wrapped__.__anext__)


class _DualStream(_Stream, _AsyncStream):
    """Both, as litellm's."""


def _snapshot(stream: object) -> usage.Reading | None:
    """What the client has put together so far; None if it does not do that.

    Until there is a finish reason the count of output tokens is a provisional one.
    """
    for name in _SNAPSHOTS:
        if hasattr(type(stream), name):
            with contextlib.suppress(AssertionError):  # nothing has arrived yet
                reading = usage.read(getattr(stream, name))
                if reading is None or reading.usage is None or reading.finish_reasons:
                    return reading
                return replace(reading, usage=replace(reading.usage, output_tokens=None, reasoning_tokens=None))
    return None
