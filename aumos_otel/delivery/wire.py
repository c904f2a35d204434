"""The wire format of protobuf, and OTLP's attributes in it, written by hand: building message objects is the dear part.

https://protobuf.dev/programming-guides/encoding/ and opentelemetry/proto/common/v1/common.proto.
Keys and short texts come again and again, so their bytes are kept, bounded in number.
"""

from __future__ import annotations

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from aumos_otel.redaction.plain import Plain

pack_fixed64: Final = Struct("<Q").pack
pack_sfixed64: Final = Struct("<q").pack
pack_fixed32: Final = Struct("<I").pack
pack_double: Final = Struct("<d").pack

_MAX_UINT64: Final = 2**64

#: Longest text whose bytes are kept, and how many texts and keys are.
_SHORT: Final = 64
_MAX_KEPT: Final = 4096


def _long_varint(number: int) -> bytes:
    out = bytearray()
    while number > 127:  # noqa: PLR2004 - seven bits a byte
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)
    return bytes(out)


#: The bytes of small numbers.
VARINTS: Final = [_long_varint(number) for number in range(2048)]
_MAX_SMALL: Final = len(VARINTS)

#: The field number of a record in what lies around it, and its length: the same for all signals.
FRAMES: Final = [b"\x12" + data for data in VARINTS]

#: How many ways there are to begin a number.
NUMBER_HEADS: Final = 11

_keys: dict[str, bytes] = {}
_pairs: dict[tuple[str, str], bytes] = {}


def varint(number: int) -> bytes:
    """A number of at most 64 bits; a negative one as its two's complement."""
    if 0 <= number < _MAX_SMALL:
        return VARINTS[number]
    return _long_varint(number if number >= 0 else number + _MAX_UINT64)


def zigzag(number: int) -> bytes:
    """A signed number whose small values take little room, whatever the sign."""
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


def delimited(data: bytes) -> bytes:
    """Bytes after their length."""
    size = len(data)
    return (VARINTS[size] if size < _MAX_SMALL else _long_varint(size)) + data


def string(tag: bytes, words: str) -> bytes:
    """A field of text; nothing for an empty one.  Always valid UTF-8."""
    return tag + delimited(words.encode("utf-8", "replace")) if words else b""


def attributes(tag: bytes, given: Mapping[str, Plain]) -> bytes:
    """A repeated field of ``KeyValue``."""
    parts = []
    for key, value in given.items():
        parts.append(tag)
        if type(value) is str and len(value) <= _SHORT:
            pair = (key, value)
            kept = _pairs.get(pair)
            if kept is None:
                kept = key_value(key, value)
                if len(_pairs) >= _MAX_KEPT:
                    _pairs.clear()
                _pairs[pair] = kept
            parts.append(kept)
        else:
            parts.append(key_value(key, value))
    return b"".join(parts)


def key_value(key: str, value: Plain, tag: bytes = b"") -> bytes:
    """One ``KeyValue`` after its length, as a field when there is a tag; a long text is copied once."""
    head = _keys.get(key) or _head(key)
    if type(value) is str:
        data = value.encode("utf-8", "replace")
        size = len(data)
        if size < _SHORT and len(head) < _SHORT:
            return b"".join((tag, VARINTS[len(head) + size + 3], head, VARINTS[size + 2], b"\x0a", VARINTS[size], data))
        kind = b"\x0a" + varint(size)
    else:
        data, kind = any_value(value), b""
    size = len(kind) + len(data)
    length = varint(size)
    return b"".join((tag, varint(len(head) + len(length) + size), head, length, kind, data))


def number_heads(tag: bytes, key: str) -> tuple[bytes, ...]:
    """A field with a ``KeyValue`` of a number up to the number itself: of an integer by how many bytes it has, of a float at 0."""
    head = _head(key)
    sizes = ((8, b"\x21"), *((size, b"\x18") for size in range(1, NUMBER_HEADS)))
    return tuple(tag + varint(len(head) + size + 2) + head + VARINTS[size + 1] + kind for size, kind in sizes)


def _head(key: str) -> bytes:
    """A ``KeyValue`` up to the length of its value; remembered."""
    head = b"\x0a" + delimited(key.encode("utf-8", "replace")) + b"\x12"
    if len(_keys) >= _MAX_KEPT:
        _keys.clear()
    _keys[key] = head
    return head


def frame(size: int) -> bytes:
    """What stands in a request before a record of so many bytes."""
    return FRAMES[size] if size < _MAX_SMALL else b"\x12" + _long_varint(size)


def any_value(value: Any) -> bytes:
    """One ``AnyValue`` of a plain value, without its length; empty for None."""
    kind = type(value)
    if kind is str:
        return b"\x0a" + delimited(value.encode("utf-8", "replace"))
    if kind is bool:
        return b"\x10\x01" if value else b"\x10\x00"
    if kind is int:
        return b"\x18" + varint(value)
    if kind is float:
        return b"\x21" + pack_double(value)
    return b"" if value is None else _structure(value)


def _structure(value: Plain) -> bytes:
    if isinstance(value, bytes):
        return b"\x3a" + delimited(value)
    if isinstance(value, list):
        return b"\x2a" + delimited(repeated(b"\x0a", map(any_value, value)))
    if isinstance(value, dict):
        return b"\x32" + delimited(attributes(b"\x0a", value))
    raise TypeError(f"not a plain value: {type(value).__name__}")


def repeated(tag: bytes, messages: Iterable[bytes]) -> bytes:
    """A repeated field of messages."""
    parts = []
    for message in messages:
        parts.append(tag)
        parts.append(varint(len(message)))
        parts.append(message)
    return b"".join(parts)
