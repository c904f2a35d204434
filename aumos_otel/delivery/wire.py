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


_VARINTS: Final = [_long_varint(number) for number in range(2048)]
_MAX_SMALL: Final = len(_VARINTS)

_keys: dict[str, bytes] = {}
_pairs: dict[tuple[str, str], bytes] = {}


def varint(number: int) -> bytes:
    """A number of at most 64 bits; a negative one as its two's complement."""
    if 0 <= number < _MAX_SMALL:
        return _VARINTS[number]
    return _long_varint(number if number >= 0 else number + _MAX_UINT64)


def zigzag(number: int) -> bytes:
    """A signed number whose small values take little room, whatever the sign."""
    return varint(number * 2 if number >= 0 else -number * 2 - 1)


def delimited(data: bytes) -> bytes:
    """Bytes after their length."""
    size = len(data)
    return (_VARINTS[size] if size < _MAX_SMALL else _long_varint(size)) + data


def string(tag: bytes, words: str) -> bytes:
    """A field of text; nothing for an empty one.  Always valid UTF-8."""
    return tag + delimited(words.encode("utf-8", "replace")) if words else b""


def attributes(tag: bytes, given: Mapping[str, Plain]) -> bytes:
    """A repeated field of ``KeyValue``."""
    parts = []
    for key, value in given.items():
        parts.append(tag)
        parts.append(key_value(key, value))
    return b"".join(parts)


def key_value(key: str, value: Plain) -> bytes:
    """One ``KeyValue`` after its length."""
    if type(value) is str and len(value) <= _SHORT:
        pair = (key, value)
        kept = _pairs.get(pair)
        if kept is None:
            kept = _key_value(key, value)
            if len(_pairs) >= _MAX_KEPT:
                _pairs.clear()
            _pairs[pair] = kept
        return kept
    return _key_value(key, value)


def _key_value(key: str, value: Plain) -> bytes:
    head = _keys.get(key)
    if head is None:
        head = b"\x0a" + delimited(key.encode("utf-8", "replace")) + b"\x12"
        if len(_keys) >= _MAX_KEPT:
            _keys.clear()
        _keys[key] = head
    data = any_value(value)
    size = len(data)
    if size < 128:  # noqa: PLR2004 - a length of one byte
        return delimited(head + _VARINTS[size] + data)
    length = varint(size)
    return b"".join((varint(len(head) + len(length) + size), head, length, data))


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
