from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.slo import bucket


@pytest.mark.parametrize(
    ("edge", "written"),
    [
        ("1", ("1", "1.0")),
        ("1.0", ("1", "1.0")),
        ("0.5", ("0.5",)),
        (".5", (".5", "0.5")),
        ("100000", ("100000", "100000.0")),
        ("1000000", ("1000000", "1000000.0", "1e+06")),
        ("1e+06", ("1000000", "1000000.0", "1e+06")),
        ("1234567.5", ("1.2345675e+06", "1234567.5")),
        ("0.00001", ("0.00001", "1e-05")),
        ("0", ("0", "0.0")),
        ("-1", ("-1", "-1.0")),
        ("+Inf", ("+Inf",)),
        ("NaN", ("NaN",)),
        ("fast", ("fast",)),
        ("", ("",)),
    ],
)
def test_an_edge_is_known_in_all_of_its_spellings(edge, written):
    """As Prometheus 2, Prometheus 3 and the exporters of Go and Python write it; what is no number stays as it is."""
    assert bucket.spellings(edge) == written


def test_one_spelling_is_matched_plainly():
    """No regular expression where none is needed."""
    assert str(bucket.matcher("0.25")) == 'le="0.25"'
    assert str(bucket.matcher("2")) == r'le=~"2|2\\.0"'


@given(st.integers(1, 10**9), st.integers(0, 6))
def test_a_matcher_finds_what_go_prints_and_no_neighbour(digits, places):
    """Go's shortest notation of the number matches, with and without the zero of Prometheus 3; the next one does not."""
    value = Decimal(digits).scaleb(-places)
    found = bucket.matcher(f"{value:f}")
    pattern = re.compile(found.value if found.operator == "=~" else re.escape(found.value))
    power = value.adjusted()
    if power >= 6 or power < -4:
        mantissa = f"{value.normalize().scaleb(-power):f}"
        go = f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    else:
        go = f"{value.normalize():f}"
    assert pattern.fullmatch(go)
    if "." not in go and "e" not in go:
        assert pattern.fullmatch(f"{go}.0")
    assert not pattern.fullmatch(f"{value + 1:f}")
