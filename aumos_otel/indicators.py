"""`aumos_otel.slo`: a service-level indicator about a function, declared where the function is.

What is declared before `configure` is counted from then on, what is declared later from its declaration on.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel._internal.wrapping import F, underlying
from aumos_otel.errors import ConfigError
from aumos_otel.semconv import attributes
from aumos_otel.semconv.spans import SCOPE_AUMOS_OTEL
from aumos_otel.spans import SpanMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.slo.problem import Problem
    from aumos_otel.slo.sli import Sli

_REMEDY: Final = 'write @aumos.slo("checkout") or @aumos.slo("checkout", below="300ms")'


@dataclass(frozen=True, slots=True)
class _Declaration:
    """An SLI, the function that it is about, by module and name, and what was asked of that."""

    sli: Sli = field(compare=False)
    function: str
    below: str | None

    def __str__(self) -> str:
        return self.function if self.below is None else f"{self.function}, below={self.below!r}"


_declared: dict[str, _Declaration] = {}
_listeners: list[Callable[[Sli], object]] = []
_lock = threading.RLock()  # a listener may be told of an SLI while its thread is in here


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - a forked child needs another lock under the same name
    _lock = threading.RLock()


forking.in_child(_renew_lock)


def slo(name: str, /, *, below: str | float | None = None, description: str = "") -> Callable[[F], F]:
    """Count each call of a function as an event of the SLI ``name``; good is one that raised nothing.

    The function gets a span as by `aumos_otel.span`, and may be of any kind that one takes.  An
    objective in slo.yaml is about it by ``sli: {counted: checkout}``.

    Args:
        name: of the SLI; a function of its own for each.
        below: how long a good call takes at most: ``"300ms"``, or seconds.
        description: what the SLI is about, in words.

    Raises:
        ConfigError: the name is taken by another function, or by this one with another ``below``.

    >>> import aumos_otel as aumos
    >>> @aumos.slo("docs-checkout", below="300ms")
    ... def checkout() -> str:
    ...     return "paid"
    >>> checkout()
    'paid'
    """
    if callable(name):
        raise ConfigError("@aumos.slo", seen=name, expected="the name of an SLI", remedy=_REMEDY)
    limit = _text(below)
    sli = _sli(name, limit, description)

    def decorate(function: F) -> F:
        wrapped = SpanMaker(None, {attributes.AUMOS_SLI_NAME: name})(function)
        target = underlying(function)
        place = f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', type(target).__qualname__)}"
        _declare(_Declaration(sli, place, limit))
        return wrapped

    return decorate


def subscribe(listener: Callable[[Sli], object]) -> Callable[[], None]:
    """Tell ``listener`` of all SLIs that are declared, and of each later one; returns what ends that."""
    with _lock:
        _listeners.append(listener)
        for declaration in list(_declared.values()):
            listener(declaration.sli)

    def unsubscribe() -> None:
        with _lock:
            if listener in _listeners:
                _listeners.remove(listener)

    return unsubscribe


def _declare(declaration: _Declaration) -> None:
    name = declaration.sli.name
    with _lock:
        known = _declared.setdefault(name, declaration)
        if known != declaration:
            raise ConfigError(
                f"@aumos.slo({name!r})",
                seen=str(declaration),
                expected=f"another name, because this one is taken by {known}",
                remedy="give each function an SLI of its own name",
            )
        if known is declaration:
            for listener in _listeners:
                with guard.swallow("indicators.subscriber"):
                    listener(declaration.sli)


def _text(below: str | float | None) -> str | None:
    """The limit as it stands in files."""
    if below is None or isinstance(below, str):
        return below
    try:
        return f"{Decimal(repr(below)):f}s"
    except InvalidOperation:  # it is no number, which is told to the user as anything else that is no duration
        return repr(below)


def _sli(name: str, limit: str | None, description: str) -> Sli:
    """The function's spans carry the name of the SLI, so that no other span is taken for one of them."""
    from aumos_otel.slo import sli as predicates  # noqa: PLC0415 - configure() needs it only where there is an SLI

    good: dict[str, Any] = {"not": {"status": "error"}}
    if limit is not None:
        good |= {"duration": {"below": limit}}
    match = {"scope": SCOPE_AUMOS_OTEL, "attributes": {attributes.AUMOS_SLI_NAME: name}}
    problems: list[Problem] = []
    data = {"name": name, "match": match, "good": good, "description": description}
    sli = predicates.read(data, (), problems)
    if sli is None:
        raise ConfigError("@aumos.slo", seen=problems[0].seen, expected=problems[0].expected, remedy=_REMEDY)
    return sli
