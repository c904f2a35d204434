"""Attributes as bytes that may leave: cleaned, redacted, shortened and encoded once for each key and value that comes again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aumos_otel.delivery import wire
from aumos_otel.delivery.origin import KEY
from aumos_otel.delivery.truncation import shorten_value
from aumos_otel.redaction.plain import DROP
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    from aumos_otel.delivery.cleaning import Cleaner
    from aumos_otel.delivery.policy import Policy
    from aumos_otel.delivery.truncation import Limits
    from aumos_otel.redaction.plain import Plain

    #: Place among the parts, key and value of an attribute whose bytes are not known.
    Missing: TypeAlias = "list[tuple[int, str, Any]]"

#: Longest text that is remembered, in characters; and one under keys whose long texts come again.
_SHORT: Final = 128
_LONG: Final = 16 * 1024
_COMING_AGAIN: Final = frozenset(
    {
        attributes.EXCEPTION_STACKTRACE,
        attributes.GEN_AI_SYSTEM_INSTRUCTIONS,
        attributes.GEN_AI_TOOL_DEFINITIONS,
    }
)

#: Bytes, about, that all remembered keys and values may take; and what one takes beside its content.
_MOST: Final = 4 * 1024 * 1024
_OVERHEAD: Final = 250
_KEY_OVERHEAD: Final = 1000

#: Numbers from here on may be those of a payment card, and are looked at one by one.
_NUMBERS: Final = 10**14

#: Classes of values of which one that is equal to another is the same, and has a field that may be remembered.
_SCALARS: Final = frozenset({str, bool, type(None)})

#: What `Pairs.put` returns when a key is not known.
_UNKNOWN_KEY: Final[Missing] = []

_VARINTS: Final = wire.VARINTS
_SMALL: Final = len(_VARINTS)

#: Elements of a tuple of texts that is remembered.
_FEW: Final = 8


class _ShortTexts(dict[Any, bytes]):
    """What is remembered under a key that also has long texts: those are not even looked for, which would read them."""

    def get(self, value: Any, default: Any = None) -> Any:
        """The field for ``value``."""
        return default if type(value) is str and len(value) > _SHORT else dict.get(self, value, default)


class Pairs:
    """Writes a repeated field of ``KeyValue`` under one policy.

    What is remembered holds for every record: a value that a policy changes is never remembered, because
    it is counted, and may depend on the tenant.

    Args:
        policy: what may leave.
        tag: of the field.
        limits: how long texts may be.
    """

    def __init__(self, policy: Policy, tag: bytes, limits: Limits) -> None:
        self._policy = policy
        self._tag = tag
        self._limits = limits
        self._longest = limits.attribute
        self._weight = 0
        #: By key: the field for a text, a truth value, None or a tuple of texts.
        self._texts: dict[str, dict[Any, bytes]] = {}
        #: By key: what comes before a number's own bytes, at their count; before a float's at 0.
        self._numbers: dict[str, tuple[bytes, ...]] = {}

    def put(self, values: Mapping[str, Any], parts: list[bytes]) -> Missing | None:
        """Append the fields for ``values`` to ``parts``, which is empty.

        Returns:
            None when all is done, else what `fill` needs to do the rest.
        """
        texts, numbers = self._texts, self._numbers
        missing = None
        try:
            for key, value in values.items():
                kind = type(value)
                if kind is int:
                    if 0 <= value < _SMALL:
                        data = _VARINTS[value]
                    elif -_NUMBERS < value < _NUMBERS:
                        data = wire.varint(value)
                    elif key not in texts:
                        return _UNKNOWN_KEY
                    else:
                        missing = missing or []
                        missing.append((len(parts), key, value))
                        parts.append(b"")
                        continue
                    parts.append(numbers[key][len(data)])
                    parts.append(data)
                elif kind is float:
                    parts.append(numbers[key][0])
                    parts.append(wire.pack_double(value))
                else:
                    known = texts[key].get(value)
                    if known is None:
                        missing = missing or []
                        missing.append((len(parts), key, value))
                        known = b""
                    parts.append(known)
        except (KeyError, TypeError):  # a key that is not known, or a value without a hash
            return _UNKNOWN_KEY
        return missing

    def fill(
        self, values: Mapping[str, Any], parts: list[bytes], missing: Missing, cleaner: Cleaner, tenant: str | None
    ) -> int:
        """Do what `put` left over; within `Policy.record`.

        Returns:
            How many attributes were dropped.

        Raises:
            RedactionFailed: one cannot be redacted, and the profile fails closed.
        """
        if not missing:
            return self._put_all(values, parts, cleaner, tenant)
        lost = 0
        for place, key, value in missing:
            field = self._field(key, value, cleaner, tenant)
            if field is None:
                lost += 1
            else:
                parts[place] = field
        return lost

    def _put_all(self, values: Mapping[str, Any], parts: list[bytes], cleaner: Cleaner, tenant: str | None) -> int:
        """The fields for all ``values``, some of whose keys may change."""
        cleaned, unread = cleaner.attributes(values)
        taken: dict[str, bytes] = {}
        for key, value in cleaned.items():
            known = self._texts.get(key)
            if known is not None:
                name, field = key, known.get(value) if type(value) in _SCALARS else None
                if field is None:
                    field = self._field(key, value, cleaner, tenant)
            else:
                left = self._policy.value(key, value, tenant)
                name = self._policy.text(KEY, key, tenant)
                if name is DROP:
                    continue
                field = self._written(name, left)
                if name == key and key in values:
                    self._texts[key] = {}
                    self._grow(_KEY_OVERHEAD + len(key))
                    self._learn(key, value, value, left, field)
            if field is not None:
                taken[name] = field
        parts[:] = taken.values()
        return unread + len(cleaned) - len(taken)

    def _field(self, key: str, value: Any, cleaner: Cleaner, tenant: str | None) -> bytes | None:
        """The field for one attribute whose key may leave as it is; None when it has to go."""
        clean = cleaner.words(value) if type(value) is str else cleaner.value(value)
        left = self._policy.value(key, clean, tenant)
        field = self._written(key, left)
        self._learn(key, value, clean, left, field)
        return field

    def _written(self, name: str, left: Any) -> bytes | None:
        if left is DROP:
            return None
        kind = type(left)
        is_long = kind is list or kind is dict or ((kind is str or kind is bytes) and len(left) > self._longest)
        return wire.key_value(name, shorten_value(name, left, self._limits) if is_long else left, self._tag)

    def _learn(self, key: str, value: Any, clean: Plain, left: Any, field: bytes | None) -> None:
        """Remember what became of ``value``, which is ``clean`` as a plain value, if that is so each time."""
        kind = type(value)
        if field is None or key not in self._texts or type(left) is not type(clean) or left != clean:
            return
        if kind is int or kind is float:
            if -_NUMBERS < value < _NUMBERS and key not in self._numbers:
                self._numbers[key] = wire.number_heads(self._tag, key)
                self._grow(_KEY_OVERHEAD + len(key) * wire.NUMBER_HEADS)
        elif kind is str and len(value) > (_LONG if key in _COMING_AGAIN else _SHORT):
            if key not in _COMING_AGAIN and type(self._texts[key]) is dict:
                self._texts[key] = _ShortTexts(self._texts[key])
        elif kind is str or kind is bool or value is None or (kind is tuple and _is_short(value)):
            self._texts[key][value] = field
            self._grow(_OVERHEAD + len(field) * 2)

    def _grow(self, weight: int) -> None:
        self._weight += weight
        if self._weight > _MOST:
            self._texts.clear()
            self._numbers.clear()
            self._weight = 0


def _is_short(values: tuple[Any, ...]) -> bool:
    """Whether these are a few short texts; what is equal to them is the same."""
    return len(values) <= _FEW and all(type(each) is str and len(each) <= _SHORT for each in values)
