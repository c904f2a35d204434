"""Values of the user's made harmless on the user's thread: copied, bounded, without code of theirs inside.

The SDK asks foreign objects for their text on the thread that sets an attribute or writes a
log line.  Such a ``__str__`` may raise, take for ever, or tell something else later.  Here it
is asked once, with a deadline the first time that its class is seen; a class that answered in
time is asked directly from then on, until it is slow once.  One that did not is left alone for
a minute.
"""

from __future__ import annotations

import time
import uuid
import weakref
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import PurePath
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, TypeVar

from aumos_otel import guard
from aumos_otel._internal import deadline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

T = TypeVar("T")

#: How deep containers are followed, and how many of their items are kept in all.
DEPTH: Final = 32
ITEMS: Final = 10_000

#: Classes whose values can neither change nor run code of the user's.
SCALARS: Final = frozenset({NoneType, bool, int, float, str, bytes})
_SPELLED: Final = (uuid.UUID, PurePath, date, time_of_day, timedelta, Decimal)
_ELLIPSIS: Final = "…"

#: Contents of a container that are looked at for whose code they call.
_PARTS: Final = 100

#: Seconds for which a class that did not answer in time is not asked again.
PAUSE: Final = 60.0

#: Classes whose code answered in time, and since when one that did not is left alone; none is kept alive here.
_prompt: weakref.WeakSet[type] = weakref.WeakSet()
_late: weakref.WeakKeyDictionary[type, float] = weakref.WeakKeyDictionary()


def ask(job: Callable[[], T], *owners: object) -> T:
    """The result of ``job``, which runs code of the owners' classes; on this thread once those have proved prompt.

    Raises:
        TimeoutError: it is not done within `deadline.PATIENCE` seconds, and has been left behind.
        BaseException: what the job raised.
    """
    kinds = {type(part) for owner in owners for part in _parts(owner)}
    if all(kind in _prompt for kind in kinds):
        return _timed(job, kinds)
    kinds = {kind for kind in kinds if kind.__module__ != "builtins"}  # a builtin only calls what is in it
    now = time.monotonic()
    if any(now - _late.get(kind, -PAUSE) < PAUSE for kind in kinds):
        raise TimeoutError("not asked again so soon")
    try:
        result = deadline.within(deadline.PATIENCE, job)
    except TimeoutError:
        for kind in kinds - set(_prompt):
            _late[kind] = now
        raise
    except Exception:
        _prompt.update(kinds)
        raise
    _prompt.update(kinds)
    return result


def _timed(job: Callable[[], T], kinds: set[type]) -> T:
    began = time.perf_counter()
    try:
        return job()
    finally:
        if time.perf_counter() - began > deadline.PATIENCE:
            _prompt.difference_update(kinds)


def _parts(owner: object) -> Iterator[object]:
    """Whose code is called for the text of ``owner``: for a builtin container or exception, its contents'."""
    waiting, room = [owner], _PARTS
    while waiting and room:
        room -= 1
        part = waiting.pop()
        kind = type(part)
        if kind in SCALARS:
            continue
        if kind is dict:
            waiting += [*part, *part.values()]  # type: ignore[misc, attr-defined]  # its type has just been compared
        elif kind in (list, tuple, set, frozenset):
            waiting += part  # type: ignore[arg-type]  # same
        elif isinstance(part, BaseException) and kind.__module__ == "builtins":
            waiting += part.args
        else:
            yield part
    yield from waiting[:1]


def text(value: object) -> str:
    """``str(value)``; a few words about the object where that raises, hangs, or would tell its address.

    >>> from aumos_otel._internal import plain
    >>> plain.text(object()), plain.text(7)
    ('<object>', '7')
    """
    kind = type(value)
    if kind is str:
        return value  # type: ignore[return-value]  # its type has just been compared
    if kind in SCALARS or isinstance(value, _SPELLED):
        return str(value)
    if kind.__str__ is object.__str__ and kind.__repr__ is object.__repr__:
        return f"<{kind.__name__}>"
    try:
        return str.__str__(ask(lambda: str(value), value))
    except TimeoutError:
        said = "str() took too long"
    except BaseException as error:
        if guard.is_control_flow(type(error)):
            raise
        said = "str() failed"
    guard.notice("plain.text", f"{said} for a {kind.__qualname__}; telemetry goes without its text")
    return f"<{kind.__name__}: {said}>"


def plain(value: Any) -> Any:
    """A copy of ``value`` that is only scalars, tuples and dicts with text keys; cycles and depths are cut.

    >>> from aumos_otel._internal import plain
    >>> plain.plain({"a": [1, object()]})
    {'a': (1, '<object>')}
    """
    if type(value) in SCALARS:
        return value
    return _Copy().of(value, DEPTH)


def plain_attributes(attributes: Mapping[str, Any] | None) -> Any:
    """``attributes`` as they are when all values are scalars, which is nearly always; else a plain copy."""
    if not attributes:
        return attributes
    if type(attributes) is not dict:
        return plain(attributes)
    for value in attributes.values():
        if type(value) not in SCALARS:
            return plain(attributes)
    return attributes


class _Copy:
    """One copy, with the items that it may still take."""

    def __init__(self) -> None:
        self._left = ITEMS

    def of(self, value: Any, depth: int) -> Any:
        kind = type(value)
        if kind in SCALARS:
            return value
        if kind is dict:
            return self._mapping(value, depth)
        if kind is list or kind is tuple:
            return self._sequence(value, depth)
        if isinstance(value, (bool, int, float, str, bytes)):  # numpy's floats, enumerations of text
            return value
        if isinstance(value, (Mapping, Sequence)):
            return self._foreign(value, depth)
        return text(value)

    def _mapping(self, value: Mapping[Any, Any], depth: int) -> Any:
        if depth == 0:
            return _ELLIPSIS
        copied = {}
        for key, item in list(value.items()):
            if self._left <= 0:
                break
            self._left -= 1
            copied[key if isinstance(key, str) else text(key)] = self.of(item, depth - 1)
        return copied

    def _sequence(self, value: Sequence[Any], depth: int) -> Any:
        if depth == 0:
            return _ELLIPSIS
        copied = []
        for item in value[: self._left + 1]:
            if self._left <= 0:
                copied.append(_ELLIPSIS)
                break
            self._left -= 1
            copied.append(self.of(item, depth - 1))
        return tuple(copied)

    def _foreign(self, value: Any, depth: int) -> Any:
        """A container with methods of its own: its items are taken out once, with the deadline."""
        try:
            if isinstance(value, Mapping):
                return self._mapping(ask(lambda: dict(value), value), depth)
            return self._sequence(ask(lambda: list(value), value), depth)
        except BaseException as error:
            if guard.is_control_flow(type(error)):
                raise
        return text(value)
