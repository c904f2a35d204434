"""`aumos_otel.slo`: a service-level indicator about a function, declared where the function is.

What is declared before `configure` is counted from then on, what is declared later from its declaration on.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from aumos_otel import guard
from aumos_otel._internal import forking
from aumos_otel._internal.wrapping import F, underlying
from aumos_otel.errors import ConfigError
from aumos_otel.semconv import attributes
from aumos_otel.semconv.spans import SCOPE_AUMOS_OTEL
from aumos_otel.slo import quantity
from aumos_otel.slo import sli as predicates
from aumos_otel.spans import SpanMaker

if TYPE_CHECKING:
    from collections.abc import Callable

    from aumos_otel.slo.sli import Sli

_REMEDY: Final = 'write @aumos.slo("checkout") or @aumos.slo("checkout", below="300ms")'


@dataclass(frozen=True, slots=True)
class _Declaration:
    """An SLI, and where the function is that it is about."""

    sli: Sli
    place: str

    def __str__(self) -> str:
        return f"{self.place}: {self.sli.to_data()}"


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
    objective names the SLI in slo.yaml: ``sli: checkout``.

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
    if not isinstance(name, str) or not name.strip():
        raise ConfigError("@aumos.slo", seen=name, expected="the name of an SLI", remedy=_REMEDY)
    sli = _sli(name, None if below is None else _seconds(name, below), description)

    def decorate(function: F) -> F:
        wrapped = SpanMaker(None, {attributes.AUMOS_SLI_NAME: name})(function)
        _declare(_Declaration(sli, _place(function)))
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


def _sli(name: str, below: Decimal | None, description: str) -> Sli:
    """The function's spans carry the name of the SLI, so that no other span is taken for one of them."""
    succeeded = {"not": {"status": "error"}}
    fast = {"duration": {"below": None if below is None else quantity.duration_text(below)}}
    data: dict[str, Any] = {
        "name": name,
        "match": {"scope": SCOPE_AUMOS_OTEL, attributes.AUMOS_SLI_NAME: name},
        "good": succeeded if below is None else {"all": [succeeded, fast]},
    }
    if description:
        data["description"] = description
    return predicates.from_data(data)


def _seconds(name: str, below: object) -> Decimal:
    """The limit in seconds."""
    try:
        if isinstance(below, int | float) and not isinstance(below, bool) and 0 < below < float("inf"):
            return Decimal(repr(below))
        return quantity.seconds(below)
    except ValueError as error:
        raise ConfigError(f"@aumos.slo({name!r}), below", seen=below, expected=str(error), remedy=_REMEDY) from None


def _place(function: object) -> str:
    """Module and qualified name of the function."""
    target = underlying(function)
    return f"{getattr(target, '__module__', '')}.{getattr(target, '__qualname__', type(target).__qualname__)}"
