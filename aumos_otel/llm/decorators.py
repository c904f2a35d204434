"""Decorators for LLM operations, on functions of every kind."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any, Final, cast, overload

from aumos_otel import guard
from aumos_otel._internal.wrapping import F, underlying, wrap
from aumos_otel.llm import installation, operations, streaming, usage
from aumos_otel.llm.spans import Call
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv import spans as names

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Protocol

    from opentelemetry.util.types import AttributeValue

    class Decorator(Protocol):
        """Gives back a function of the same type."""

        def __call__(self, function: F, /) -> F:
            """Decorate ``function``."""


_NO_DEFAULT: Final = inspect.Parameter.empty
_POSITIONAL: Final = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


@overload
def chat(function: F, /) -> F: ...


@overload
def chat(
    *, provider: str | None = None, model: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
) -> Decorator: ...


def chat(
    function: Any = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Any:
    """A chat with a model: ``@llm.chat`` or ``@llm.chat(provider=..., model=...)``.

    Model and request parameters are taken from the function's arguments of these names;
    usage, answering model, id and finish reasons from what it returns or yields, from
    ``llm.current().record(response)``, or from an instrumented client inside.

    Args:
        function: to decorate.
        provider: as in ``gen_ai.provider.name``; default: told by the response.
        model: default: the argument ``model``.
        attributes: further ones for the span, such as ``server.address``.

    >>> from aumos_otel import llm
    >>> @llm.chat(provider="openai")
    ... def answer(question: str, model: str = "gpt-5-mini") -> dict:
    ...     return {"model": model, "usage": {"prompt_tokens": 3, "completion_tokens": 1}}
    >>> answer("?")["usage"]["completion_tokens"]
    1
    """
    return _decorated(function, operations.Operation(names.CHAT, provider, model, None, attributes))


@overload
def text_completion(function: F, /) -> F: ...


@overload
def text_completion(
    *, provider: str | None = None, model: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
) -> Decorator: ...


def text_completion(
    function: Any = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Any:
    """A completion of a text; see `chat` for the arguments.

    >>> from aumos_otel import llm
    >>> @llm.text_completion
    ... def complete(prompt: str) -> str:
    ...     return prompt + "!"
    """
    return _decorated(function, operations.Operation(names.TEXT_COMPLETION, provider, model, None, attributes))


@overload
def embeddings(function: F, /) -> F: ...


@overload
def embeddings(
    *, provider: str | None = None, model: str | None = None, attributes: Mapping[str, AttributeValue] | None = None
) -> Decorator: ...


def embeddings(
    function: Any = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Any:
    """The embedding of texts; see `chat` for the arguments.

    >>> from aumos_otel import llm
    >>> @llm.embeddings(model="text-embedding-3-small")
    ... def embed(texts: list[str]) -> list[list[float]]:
    ...     return [[0.0] for _ in texts]
    """
    return _decorated(function, operations.Operation(names.EMBEDDINGS, provider, model, None, attributes))


@overload
def retrieval(name: F, /) -> F: ...


@overload
def retrieval(
    name: str | None = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Decorator: ...


def retrieval(
    name: Any = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Any:
    """A search in a data source: ``@llm.retrieval("kb")``.

    Args:
        name: of the data source; default is the function's name.
        provider: of the store.
        model: that embeds the query.
        attributes: further ones for the span.

    >>> from aumos_otel import llm
    >>> @llm.retrieval("kb")
    ... def search(query: str) -> list[str]:
    ...     return ["a page"]
    """
    return _named(names.RETRIEVAL, name, provider, model, attributes)


@overload
def tool(name: F, /) -> F: ...


@overload
def tool(
    name: str | None = None,
    /,
    *,
    type: str = ...,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Decorator: ...


def tool(
    name: Any = None,
    /,
    *,
    type: str = attr.GEN_AI_TOOL_TYPE_FUNCTION,  # noqa: A002 - the word of the conventions
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Any:
    """A tool that a model may call.

    Args:
        name: of the tool; default is the function's name.
        type: ``function``, ``extension`` or ``datastore``.
        attributes: further ones for the span, such as ``gen_ai.tool.description``.

    >>> from aumos_otel import llm
    >>> @llm.tool
    ... def weather(city: str) -> str:
    ...     return "rain"
    """
    return _named(names.EXECUTE_TOOL, name, None, None, {attr.GEN_AI_TOOL_TYPE: type, **(attributes or {})})


@overload
def agent(name: F, /) -> F: ...


@overload
def agent(
    name: str | None = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Decorator: ...


def agent(
    name: Any = None,
    /,
    *,
    provider: str | None = None,
    model: str | None = None,
    attributes: Mapping[str, AttributeValue] | None = None,
) -> Any:
    """An agent: ``@llm.agent("planner")``.  It has no usage of its own, the calls inside it have.

    Args:
        name: of the agent; default is the function's name.
        provider: whose model it uses.
        model: that it uses.
        attributes: further ones for the span.

    >>> from aumos_otel import llm
    >>> @llm.agent("planner")
    ... def plan(goal: str) -> list[str]:
    ...     return [goal]
    """
    return _named(names.INVOKE_AGENT, name, provider, model, attributes)


@overload
def workflow(name: F, /) -> F: ...


@overload
def workflow(name: str | None = None, /, *, attributes: Mapping[str, AttributeValue] | None = None) -> Decorator: ...


def workflow(name: Any = None, /, *, attributes: Mapping[str, AttributeValue] | None = None) -> Any:
    """A workflow of agents and calls: ``@llm.workflow("triage")``.

    Args:
        name: of the workflow; default is the function's name.
        attributes: further ones for the span.

    >>> from aumos_otel import llm
    >>> @llm.workflow("triage")
    ... def triage(ticket: str) -> str:
    ...     return "low"
    """
    return _named(names.INVOKE_WORKFLOW, name, None, None, attributes)


def _named(
    verb: str,
    name: Any,
    provider: str | None,
    model: str | None,
    attributes: Mapping[str, AttributeValue] | None,
) -> Any:
    """A decorator whose operation has a name, given or the function's."""

    def decorate(function: F, /) -> F:
        called = name if isinstance(name, str) else _name_of(function)
        decorated: F = _decorated(function, operations.Operation(verb, provider, model, called, attributes))
        return decorated

    return decorate if name is None or isinstance(name, str) else decorate(name)


def _decorated(function: Any, operation: operations.Operation) -> Any:
    def decorate(function: F, /) -> F:
        return wrap(function, _beginning(operation, Parameters(function)), streaming.follow)

    return decorate if function is None else decorate(function)


def _beginning(
    operation: operations.Operation, parameters: Parameters
) -> Callable[[tuple[Any, ...], dict[str, Any]], Call | None]:
    has_request = operation.family is not None

    def begin(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call | None:
        try:
            installed = installation.current()
            if not installed.listening:
                return None
            call = Call(operation)
            if not has_request and not installed.settings.captures:
                call.start(installed)
                return call
            arguments = parameters.bind(args, kwargs)
            call.start(installed, usage.read_request(arguments) if has_request and arguments else None)
            if call.captures:
                call.asked(arguments)
        except Exception as error:  # noqa: BLE001 - it is counted
            guard.told("llm.start", error)
            return None
        return call

    return begin


class Parameters:
    """A function's parameters, to name its arguments without the cost of binding them."""

    __slots__ = ("_defaults", "_positional")

    def __init__(self, function: object) -> None:
        self._positional: tuple[str, ...] = ()
        self._defaults: dict[str, Any] = {}
        function = function.__func__ if isinstance(function, (staticmethod, classmethod)) else function
        try:
            parameters = inspect.signature(cast("Callable[..., Any]", function)).parameters.values()
        except (TypeError, ValueError):  # some builtins have no signature
            return
        self._positional = tuple(parameter.name for parameter in parameters if parameter.kind in _POSITIONAL)
        self._defaults = {
            parameter.name: parameter.default for parameter in parameters if parameter.default is not _NO_DEFAULT
        }

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments by name, in the order of the parameters; wrong ones are the function's business."""
        bound = dict(zip(self._positional, args, strict=False)) if args else {}
        if kwargs:
            bound.update(kwargs)
        for name, value in self._defaults.items():
            if name not in bound:
                bound[name] = value
        return bound


def _name_of(function: object) -> str:
    target = underlying(function)
    name: str = getattr(target, "__name__", type(target).__name__)
    return name
