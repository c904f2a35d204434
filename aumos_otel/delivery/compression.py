"""Compressed request bodies."""

from __future__ import annotations

import gzip
import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Final

from aumos_otel.errors import MissingExtraError

if TYPE_CHECKING:
    from collections.abc import Callable

#: On 512 spans (190 kB): level 1 leaves 38 % in 1.1 ms, 3 35 % in 1.8 ms, 6 33 % in 5.5 ms, 9 33 % in 12 ms.
_LEVEL: Final = 1
#: The library's own default; on the same spans it leaves less than gzip's level 1 in half the time.
_ZSTD_LEVEL: Final = 3


def compressor(name: str) -> Callable[[bytes], bytes]:
    """The function that compresses a body as ``content-encoding: name`` says; none returns it as it is.

    Raises:
        MissingExtraError: zstd without a library that does it.
    """
    if name == "zstd":
        return _zstd()
    return {"gzip": _gzip, "deflate": _deflate, "none": _as_it_is}[name]


def _as_it_is(body: bytes) -> bytes:
    return body


def _gzip(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def _deflate(body: bytes) -> bytes:
    return zlib.compress(body, _LEVEL)


def _zstd() -> Callable[[bytes], bytes]:
    try:
        compress: Callable[..., bytes] = import_module("compression.zstd").compress  # since Python 3.14
    except ImportError:
        try:
            compress = import_module("zstandard").compress
        except ImportError:
            raise MissingExtraError("compression=zstd", extra="zstd", module="zstandard") from None
    return lambda body: compress(body, _ZSTD_LEVEL)
