"""Compressed bodies."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Callable

import pytest

from aumos_otel.delivery.compression import compressor
from aumos_otel.errors import MissingExtraError

BODY = b"telemetry " * 1000


@pytest.mark.parametrize(("name", "unpack"), [("gzip", gzip.decompress), ("deflate", zlib.decompress), ("none", bytes)])
def test_round_trip(name: str, unpack: Callable[[bytes], bytes]) -> None:
    """A body survives, and is smaller where it is compressed."""
    packed = compressor(name)(BODY)

    assert unpack(packed) == BODY
    assert (len(packed) < len(BODY) // 10) is (name != "none")


def test_gzip_has_no_time() -> None:
    """The same body is the same bytes at any time."""
    assert compressor("gzip")(BODY)[4:8] == bytes(4)


def test_zstd() -> None:
    """A body survives zstd."""
    zstandard = pytest.importorskip("zstandard")

    packed = compressor("zstd")(BODY)

    assert zstandard.ZstdDecompressor().decompressobj().decompress(packed) == BODY


def test_zstd_without_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a library that does it, the error names the extra."""
    for name in ("compression", "compression.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)

    with pytest.raises(MissingExtraError, match=r"aumos-otel\[zstd\]"):
        compressor("zstd")
