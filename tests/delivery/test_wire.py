"""The wire format: what is written is valid whatever comes, and what is remembered is bounded."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue, KeyValueList

from aumos_otel.delivery import wire


@given(st.integers(0, 2**64 - 1))
def test_varints(number: int) -> None:
    """A number is seven bits a byte, the lowest first, and the last byte has its high bit unset."""
    data = wire.varint(number)

    assert sum((byte & 127) << 7 * at for at, byte in enumerate(data)) == number
    assert [byte > 127 for byte in data] == [True] * (len(data) - 1) + [False]


@given(st.integers(-(2**63), 2**63 - 1))
def test_signed_numbers(number: int) -> None:
    """Small numbers of either sign take few bytes."""
    data = wire.zigzag(number)

    plain = sum((byte & 127) << 7 * at for at, byte in enumerate(data))
    assert (plain >> 1) ^ -(plain & 1) == number


def test_a_surrogate_that_a_redactor_made() -> None:
    """Text is valid UTF-8 even when half a character came in after cleaning."""
    data = wire.key_value("key\ud800", "value\udfff")

    found = KeyValue.FromString(data[1:])
    assert (found.key, found.value.string_value) == ("key?", "value?")


def test_an_object_that_is_not_plain() -> None:
    """What is no plain value is refused, so that its record can be counted."""
    with pytest.raises(TypeError, match="not a plain value: object"):
        wire.any_value(object())


def test_more_texts_than_are_remembered() -> None:
    """The memory for texts and keys is bounded, and forgetting changes nothing."""
    given_values = {f"key.{number}": f"value.{number}" for number in range(10_000)}

    for _ in range(2):
        found = KeyValueList.FromString(wire.attributes(b"\x0a", given_values))
        assert {each.key: each.value.string_value for each in found.values} == given_values


def test_numbers_that_are_equal_but_not_the_same() -> None:
    """True, 1 and 1.0 under one key stay what they are, whatever was written before."""
    kinds = [
        AnyValue.FromString(wire.any_value(value)).WhichOneof("value")
        for value in (True, 1, 1.0, "1", b"1", None, [], {})
    ]

    assert kinds == [
        "bool_value",
        "int_value",
        "double_value",
        "string_value",
        "bytes_value",
        None,
        "array_value",
        "kvlist_value",
    ]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300), st.integers(-(2**63), 2**63 - 1))
def test_the_beginnings_of_numbers(key: str, number: int) -> None:
    """What comes before a number depends on the key and the size of the number alone."""
    heads = wire.number_heads(b"\x0a", key)

    data = wire.varint(number)
    found = KeyValueList.FromString(heads[len(data)] + data + heads[0] + wire.pack_double(0.5))
    assert [each.key for each in found.values] == [key, key]
    assert (found.values[0].value.int_value, found.values[1].value.double_value) == (number, 0.5)


@pytest.mark.parametrize("size", [0, 127, 128, 2047, 2048, 2**21])
def test_frames(size: int) -> None:
    """The frame of a record is a tag and its length."""
    assert wire.frame(size) == b"\x12" + wire.varint(size)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=2100), st.integers(1, 1200))
def test_a_text_of_any_length(value: str, size: int) -> None:
    """The lengths within one another are right at every size of key and value."""
    found = KeyValueList.FromString(wire.key_value("k" * size, value, b"\x0a")).values[0]

    assert (found.key, found.value.string_value) == ("k" * size, value)
