"""Numbers on the page."""

from __future__ import annotations

import re

import pytest

from aumos_otel.local import units


@pytest.mark.parametrize(
    ("nanoseconds", "text"), [(0, "0"), (1, "0us"), (1500, "2us"), (999_600_000, "1.00s"), (59_990_000_000, "1m00s")]
)
def test_durations(nanoseconds, text):
    """Three digits and a unit; rounding never shows 1000 of one."""
    assert units.duration(nanoseconds) == text


def test_moments_carry_their_zone():
    """The local time names its offset; the machine-readable one is UTC."""
    assert re.fullmatch(r"2026-11-2\d \d\d:\d\d:\d\d\.123[+-]\d\d:\d\d", units.moment(1_795_302_000_123_000_000))
    assert units.iso(1_795_302_000_123_000_000) == "2026-11-21T23:00:00.123Z"
    assert units.iso(2**63 - 1).startswith("2262-")


def test_values():
    """Whole numbers in groups, others short, none as a dash; no float is too odd."""
    assert [units.value(number) for number in (1234567, 0.5, float("inf"), None)] == [
        "1\u202f234\u202f567",
        "0.5",
        "inf",
        "–",
    ]
