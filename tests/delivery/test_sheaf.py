"""Parcels of several records: none is lost, none is too large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel.delivery.parcel import Group
from aumos_otel.delivery.sheaf import Grain, Sheaf
from aumos_otel.delivery.wire import frame

GROUP = Group(b"", "", b"", "")


@given(st.lists(st.integers(0, 300), max_size=60), st.integers(1, 20), st.integers(1, 1000))
def test_every_record_is_in_one_parcel(sizes: list[int], records: int, most: int) -> None:
    """All records are there in order, and a parcel of several keeps to both bounds."""
    sheaf = Sheaf(Grain(records, most))
    whole = []
    for size in sizes:
        whole += [frame(size), b"x" * size]
        pile = sheaf.pile(GROUP, valued=False)
        pile += whole[-2:]

    parcels = sheaf.parcels()

    assert b"".join(parcel.data for parcel in parcels) == b"".join(whole)
    assert sum(parcel.count for parcel in parcels) == len(sizes)
    assert all(parcel.count == 1 or (parcel.count <= records and len(parcel.data) <= most) for parcel in parcels)


@pytest.mark.parametrize(
    ("bounds", "expected"),
    [
        ((512, 2048, 64_000_000), (32, 65_536)),
        ((512, 5, 64_000_000), (1, 65_536)),
        ((10, 2048, 64_000_000), (10, 65_536)),
        ((1, 1, 64), (1, 1)),
        ((512, 640, 64_000), (10, 1000)),
    ],
)
def test_the_grain(bounds: tuple[int, int, int], expected: tuple[int, int]) -> None:
    """A parcel is no larger than a request, and a small part of the queue."""
    grain = Grain.of(*bounds)

    assert (grain.records, grain.bytes) == expected
