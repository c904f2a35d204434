"""Thresholds and random values in the trace state."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import TraceState

from aumos_otel._internal import probability


def state(value: str) -> TraceState:
    """A trace state of another vendor and of OpenTelemetry."""
    return TraceState([("vendor", "a:b"), ("ot", value)])


@pytest.mark.parametrize(
    ("share", "written"), [(1.0, "0"), (0.5, "8"), (0.25, "c"), (0.75, "4"), (0.1, "e6666666666666"), (1 / 256, "ff")]
)
def test_how_a_threshold_is_written(share: float, written: str) -> None:
    """Hexadecimal, 56 bits, without zeros at its end, as the specification shows."""
    written_state = probability.with_threshold(None, probability.threshold(share))

    assert written_state.to_header()[: len("ot=th:") + len(written)] == f"ot=th:{written}"


@given(st.integers(0, probability.NEVER - 1))
def test_a_threshold_comes_back(threshold: int) -> None:
    """What was written is what is read."""
    assert probability.threshold_of(probability.with_threshold(None, threshold)) == threshold


@pytest.mark.parametrize("value", ["th:", "th:xyz", "th:123456789012345", "rv:1", "th", "", ";;", "th:-1", "th:0x1"])
def test_what_is_no_threshold(value: str) -> None:
    """A threshold that cannot be read is none."""
    assert probability.threshold_of(state(value)) is None
    assert probability.randomness(0xABC, state(value)) == 0xABC


def test_an_explicit_random_value() -> None:
    """The random value that is written down beats the trace id."""
    assert probability.randomness(7, state("th:8;rv:0000000000000f")) == 0xF
    assert probability.randomness((1 << 100) | 7, None) == 7


def test_what_others_wrote_stays() -> None:
    """Other vendors and other members keep their place; ours comes first."""
    changed = probability.with_threshold(state("rv:0000000000000f;x:1"), 0)

    assert changed.to_header() == "ot=rv:0000000000000f;x:1;th:0,vendor=a:b"
    assert probability.with_threshold(changed, None).to_header() == "ot=rv:0000000000000f;x:1,vendor=a:b"


def test_no_threshold_to_take_out() -> None:
    """A state without one is left alone, and an empty member of ours disappears."""
    assert probability.with_threshold(None, None) is None
    assert probability.with_threshold(state("th:8"), None).to_header() == "vendor=a:b"


def test_the_scattered_value_is_even() -> None:
    """Ids that have a pattern of their own are spread evenly: a tenth of them is a tenth, whatever the pattern."""
    limit = probability.threshold(0.1)
    for ids in (range(10_000), range(0, 10_000 << 8, 1 << 8), range(1 << 63, (1 << 63) + (10_000 << 40), 1 << 40)):
        assert abs(sum(probability.scattered(number) >= limit for number in ids) - 1000) < 60
