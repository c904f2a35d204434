"""Functions of every kind, wrapped so that an operation spans what they do.

Plain and async functions become closures, which cost least; generator functions and other
callables become a `wrapt.FunctionWrapper`, because only that keeps what `inspect` says of them.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from types import FunctionType, NoneType
from typing import Any, Final, TypeVar, cast

import wrapt

from aumos_otel._internal import flow
from aumos_otel._internal.ambient import METER as _METER
from aumos_otel._internal.ambient import METERS as _METERS
from aumos_otel._internal.ambient import TRACER as _TRACER
from aumos_otel._internal.ambient import TRACERS as _TRACERS
from aumos_otel._internal.ambient import attach_context, detach_context
from aumos_otel._internal.attachment import give_back

#: What can be decorated; a type variable, so that the user's own types come out unchanged.
F = TypeVar("F", bound="Callable[..., Any] | classmethod[Any, Any, Any]")

#: Classes of results that nobody goes on with.
_WHOLE: Final = frozenset({NoneType, bool, int, float, str, bytes, tuple, list, dict, set})

#: Starts the operation for a call with these arguments; None: there is nothing to tell.
Begin = Callable[[tuple[Any, ...], dict[str, Any]], flow.Operation | None]


def wrap(function: F, begin: Begin, follow: flow.Follow = flow.follow) -> F:
    """``function`` with an operation around each call.

    Raises:
        TypeError: ``function`` is a class or no callable at all.
    """
    if isinstance(function, (staticmethod, classmethod)):
        return cast("F", type(function)(wrap(function.__func__, begin, follow)))
    if isinstance(function, type) or not callable(function):
        raise TypeError(f"a function is needed here, got {function!r}; decorate the method that does the work")
    target = _code_of(function)
    if inspect.isgeneratorfunction(target):
        return cast("F", wrapt.FunctionWrapper(function, _stepwise(begin, flow.generator)))
    if inspect.isasyncgenfunction(target):
        return cast("F", wrapt.FunctionWrapper(function, _stepwise(begin, flow.async_generator)))
    closure = _around_async if inspect.iscoroutinefunction(target) else _around
    if type(function) is FunctionType:
        return cast("F", closure(function, begin, follow))

    def call(wrapped: Callable[..., Any], instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        return closure(wrapped, _with(instance, begin), follow)(*args, **kwargs)

    return cast("F", wrapt.FunctionWrapper(function, call))


def underlying(function: object) -> Any:
    """The function behind static and class methods, partials and bound methods; for names and parameters."""
    while True:
        if isinstance(function, functools.partial):
            function = function.func
        elif isinstance(function, (staticmethod, classmethod)) or inspect.ismethod(function):
            function = function.__func__
        else:
            return function


def _code_of(function: object) -> Any:
    """What tells the kind of a callable: its function, or the ``__call__`` of its class."""
    function = underlying(function)
    return function if inspect.isroutine(function) else type(function).__call__


def _around(function: Callable[..., Any], begin: Begin, follow: flow.Follow) -> Callable[..., Any]:
    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if _TRACERS[_TRACER] is None and _METERS[_METER] is None:  # nobody listens
            return function(*args, **kwargs) if kwargs else function(*args)
        operation = begin(args, kwargs)
        if operation is None:
            return function(*args, **kwargs)
        token = attach_context(operation.context)
        try:
            value = function(*args, **kwargs)
        except BaseException as error:
            operation.ended(error)
            raise
        finally:
            detach_context(token)
        if type(value) not in _WHOLE:
            return follow(operation, value)
        operation.returned(value)
        operation.ended()
        return value

    return call


def _around_async(function: Callable[..., Any], begin: Begin, follow: flow.Follow) -> Callable[..., Any]:
    @functools.wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        if _TRACERS[_TRACER] is None and _METERS[_METER] is None:  # nobody listens
            return await function(*args, **kwargs)
        operation = begin(args, kwargs)
        if operation is None:
            return await function(*args, **kwargs)
        context = operation.context
        token = attach_context(context)
        try:
            value = await function(*args, **kwargs)
        except GeneratorExit:  # the coroutine is dropped, perhaps by the garbage collector
            flow.abandon(operation)
            raise
        except BaseException as error:
            operation.ended(error)
            raise
        finally:
            give_back(token, context)
        if type(value) not in _WHOLE:
            return follow(operation, value)
        operation.returned(value)
        operation.ended()
        return value

    return call


def _stepwise(
    begin: Begin, stepping: Callable[[Any, Callable[[], flow.Operation | None]], object]
) -> Callable[..., Any]:
    def call(wrapped: Callable[..., Any], instance: object, args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
        work = wrapped(*args, **kwargs)
        if _TRACERS[_TRACER] is None and _METERS[_METER] is None:  # nobody listens
            return work
        return stepping(work, functools.partial(_with(instance, begin), args, kwargs))

    return call


def _with(instance: object, begin: Begin) -> Begin:
    """``begin`` for a bound call, whose arguments lack the instance."""
    if instance is None:
        return begin
    return lambda args, kwargs: begin((instance, *args), kwargs)
