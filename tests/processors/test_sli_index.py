"""Finding the SLIs that a span can be an event of."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.trace import SpanKind

from aumos_otel.processors.sli_index import SliIndex

from .slis import Demand, PythonSli

SERVER, CLIENT = SpanKind.SERVER.value, SpanKind.CLIENT.value
NAMES = ["a", "b", "c"]
VALUES = ["x", "y", 1, 1.5, True]
SEEN = st.one_of(st.sampled_from(VALUES), st.lists(st.sampled_from(["x", "y"]), max_size=2).map(tuple))


def some(values: list[Any]) -> st.SearchStrategy[frozenset[Any] | None]:
    """Some of the values, or no demand."""
    return st.none() | st.sets(st.sampled_from(values), min_size=1).map(frozenset)


DEMANDS = st.builds(
    Demand,
    some(["server", "client", "event"]),
    some(NAMES),
    some(NAMES),
    st.dictionaries(st.sampled_from(["p", "q"]), some(VALUES)),
)
#: Kind, name, scope and attributes.
SPANS = st.tuples(
    st.sampled_from([SERVER, CLIENT, SpanKind.INTERNAL.value, "event"]),
    st.sampled_from([*NAMES, "d"]),
    st.sampled_from([*NAMES, ""]),
    st.dictionaries(st.sampled_from(["p", "q", "r"]), SEEN),
)


def meets(demand: Demand, kind: Any, name: str, scope: str, attributes: dict[str, Any]) -> bool:
    """Whether a span meets a demand; a list does when one of its items would."""
    word = kind if isinstance(kind, str) else SpanKind(kind).name.lower()
    for wanted, seen in ((demand.kinds, word), (demand.names, name), (demand.scopes, scope)):
        if wanted is not None and seen not in wanted:
            return False
    for key, wanted in demand.attributes.items():
        value = attributes.get(key)
        items = value if isinstance(value, tuple) else (value,)
        if value is None or (wanted is not None and not any(item in wanted for item in items)):
            return False
    return True


@given(st.lists(DEMANDS, max_size=8), st.lists(SPANS, min_size=1, max_size=20))
def test_no_sli_is_missed(demands: list[Demand], spans: list[tuple[Any, str, str, dict[str, Any]]]) -> None:
    """Whatever SLIs demand: each whose demands a span meets is asked, once."""
    index = SliIndex([PythonSli(str(number), discriminator=demand) for number, demand in enumerate(demands)])
    for span in spans:
        _, candidates = index.candidates(*span)
        asked = [number for number, _ in candidates]

        assert len(asked) == len(set(asked))
        assert set(asked) >= {number for number, demand in enumerate(demands) if meets(demand, *span)}


def test_spans_of_any_name() -> None:
    """Names without end make no sites without end, and are still told from those that are asked for."""
    index = SliIndex([PythonSli("a", discriminator=Demand(names=frozenset({"a"}))), PythonSli("any")])

    for number in range(1000):
        _, candidates = index.candidates(SERVER, f"GET /{number}", f"scope {number}", {})
        assert [each for each, _ in candidates] == [1]

    assert len(index._sites) == 1
    assert [each for each, _ in index.candidates(SERVER, "a", "", {})[1]] == [0, 1]


def test_a_hundred_routes() -> None:
    """Of SLIs that are told apart by one attribute a span is asked about by its own alone, in whatever order of keys."""
    index = SliIndex(
        [
            PythonSli(
                f"route {number}",
                discriminator=Demand(
                    frozenset({"server"}),
                    attributes={"method": frozenset({"GET"}), "route": frozenset({f"/{number}"})},
                ),
            )
            for number in range(100)
        ]
    )

    def asked(**attributes: Any) -> list[int]:
        return [number for number, _ in index.candidates(SERVER, "GET", "", attributes)[1]]

    assert asked(method="GET", route="/7") == [7]
    assert asked(method="GET", route="/100") == []
    assert asked(method="GET") == []
    assert len(asked(method="GET", route=("/7",))) == 100
    assert index.candidates(CLIENT, "GET", "", {"route": "/7"}) == ("client", ())
