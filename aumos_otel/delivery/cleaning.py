"""Any Python object as a plain value that every receiver can hold: types, encodings and sizes of structure.

How long a text may be is not decided here, see `aumos_otel.delivery.truncation`: redaction comes between the
two, and must see a secret whole.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from itertools import islice
from numbers import Integral, Real
from pathlib import PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from opentelemetry.attributes import BoundedAttributes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aumos_otel.redaction.plain import Plain

#: Values and containers that one record may hold inside its structured values.
NODES: Final = 20_000

#: How deeply containers may be nested.  Decoders of protobuf refuse the whole request beyond 100 messages
#: within one another; a dict within a dict takes three.
DEPTH: Final = 24

#: Characters of a key.
KEY: Final = 1024

#: Bits beyond which an integer is named by its size: its digits (at most 99) would be no use to anybody.
_LONGEST_INT: Final = 328

_MAX_INT: Final = 2**63
_MAX_NAMES: Final = 4096

#: Values whose str is their content.
_SPELLED: Final = (date, time, timedelta, Decimal, PurePath, UUID)

#: Keys that were found clean, since the same ones come again and again; emptied when it is full.
_names: dict[str, str] = {}


def text(words: str) -> str:
    r"""``words`` without NUL and lone surrogates; a split surrogate pair is joined.

    >>> from aumos_otel.delivery.cleaning import text
    >>> text("\ud83d\ude00"), text("a\x00b\ud83d")
    ('😀', 'a�b�')
    """
    if "\x00" in words:
        words = words.replace("\x00", "\ufffd")
    if not words.isascii():
        try:
            words.encode()
        except UnicodeEncodeError:
            return words.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return words


def clean(value: object) -> Plain:
    """``value`` as a plain value.  Never raises, whatever the object does when it is looked at.

    Numbers that 64 bits do not hold, dates, paths and the like are spelled; sets and tuples become lists,
    the keys of mappings text; an object without a plain form is named by its class: its ``repr`` may
    be long, slow or secret.
    """
    return Cleaner().value(value)


class Cleaner:
    """Cleans the values of one record, within one budget of nodes."""

    __slots__ = ("_left", "_path")

    def __init__(self) -> None:
        self._left = NODES
        self._path: list[int] = []

    def attributes(self, given: Any) -> tuple[dict[str, Plain], int]:
        """Attributes with clean keys and values, and how many could not be read at all."""
        if not given:
            return {}, 0
        try:
            items = _entries(given).items()
        except BaseException:  # noqa: BLE001 - the user's own mapping may raise anything while it is read
            return {}, 1
        taken: dict[str, Plain] = {}
        for key, value in items:
            name = _names.get(key) if type(key) is str else None
            if name is None:
                name = self.name(key)
            kind = type(value)
            if kind is str:
                taken[name] = value if value.isascii() and "\x00" not in value else text(value)
            elif kind is bool or kind is float or (kind is int and -_MAX_INT <= value < _MAX_INT):
                taken[name] = value
            else:
                taken[name] = self.value(value)
        return taken, 0

    def name(self, key: object) -> str:
        """A key as text of bounded length."""
        if type(key) is not str:
            plain = self.value(key)
            words = plain if isinstance(plain, str) else str(plain) if _is_scalar(plain) else f"<{type(key).__name__}>"
            return words if len(words) <= KEY else f"{words[:KEY]}…"
        words = text(key)
        if len(words) > KEY:
            return f"{words[:KEY]}…"
        if len(_names) >= _MAX_NAMES:
            _names.clear()
        _names[key] = words
        return words

    def words(self, value: object, default: str = "") -> str:
        """A field that has to be text; ``default`` for None."""
        if type(value) is str:
            return value if value.isascii() and "\x00" not in value else text(value)
        if value is None:
            return default
        plain = self.value(value)
        return plain if isinstance(plain, str) else str(plain)

    def value(self, value: object) -> Plain:
        """One plain value."""
        try:
            return self._value(value)
        except BaseException as error:  # noqa: BLE001 - the user's object may raise anything while it is read
            return f"<{type(value).__name__} that raised {type(error).__name__}>"

    def _value(self, value: Any) -> Plain:  # noqa: PLR0911 - one return a kind of value
        self._left -= 1
        kind = type(value)
        if value is None or kind is bool or kind is float:
            return value  # type: ignore[no-any-return]  # its type has just been compared
        if issubclass(kind, str):
            return text(str.__str__(value))  # a subclass may tell something else
        if issubclass(kind, Enum):
            return self._value(value.value)
        if issubclass(kind, bytes | bytearray | memoryview):
            return bytes(value)
        if isinstance(value, Integral):
            return _whole(int(value))
        if isinstance(value, _SPELLED):
            return text(str(value))
        if isinstance(value, Real):
            return float(value)
        if isinstance(value, BaseException):
            return text(f"{kind.__name__}: {value}")
        return self._nested(value)

    def _nested(self, value: object) -> Plain:
        name = type(value).__name__
        if id(value) in self._path:
            return f"<{name} within itself>"
        if len(self._path) >= DEPTH:
            return f"<{name} nested too deeply>"
        self._path.append(id(value))
        try:
            if isinstance(value, Mapping):
                return self._mapping(value)
            if isinstance(value, Sequence | AbstractSet):
                return self._sequence(value, len(value))
        finally:
            self._path.pop()
        return f"<{name}>"

    def _sequence(self, values: Iterable[object], length: int) -> list[Plain]:
        taken: list[Plain] = []
        for value in islice(values, length):
            if self._left <= 0:
                taken.append(f"… ({length - len(taken)} more)")
                break
            taken.append(self.value(value))
        return taken

    def _mapping(self, given: Mapping[object, object]) -> dict[str, Plain]:
        taken: dict[str, Plain] = {}
        length = len(given)
        for key, value in islice(given.items(), length):
            if self._left <= 0:
                taken["…"] = f"{length - len(taken)} more"
                break
            taken[self.name(key)] = self.value(value)
        return taken


def _entries(given: Any) -> dict[Any, Any]:
    """A dict of our own; the SDK's own mappings are copied without a call of Python for each entry."""
    if type(given) in (MappingProxyType, BoundedAttributes):
        given = given.copy()
    return given if type(given) is dict else dict(given)


def _is_scalar(value: Plain) -> bool:
    return not isinstance(value, list | dict)


def _whole(value: int) -> int | str:
    if -_MAX_INT <= value < _MAX_INT:
        return value
    return str(value) if value.bit_length() <= _LONGEST_INT else f"<int of {value.bit_length()} bits>"
