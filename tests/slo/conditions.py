"""Conditions and spans by chance, for the tests that hold for all of them."""

from __future__ import annotations

from hypothesis import strategies as st
from slo.otlp_facts import Facts

KEYS = st.sampled_from(["a.b", "a.c", "http.route", "tenant"])
TEXTS = st.sampled_from(["", "x", "y", "xy", "/chat", "Zürich"])
NUMBERS = st.sampled_from([0, 1, 5, -3, 0.5, 5.0, 1e6, -0.0])
SCALARS = TEXTS | NUMBERS | st.booleans()
VALUES = SCALARS | st.none() | st.lists(SCALARS, max_size=3).map(tuple)
PATTERNS = st.sampled_from(["x*", "(x|y)+", "/[a-z]+", r"\w*", ".{2}"])
BOUNDS = st.sampled_from(["lt", "lte", "gt", "gte"])

CHECKS = (
    SCALARS
    | st.lists(SCALARS, min_size=1, max_size=3)
    | SCALARS.map(lambda value: {"ne": value})
    | st.booleans().map(lambda value: {"exists": value})
    | st.dictionaries(BOUNDS, NUMBERS, min_size=1, max_size=2)
    | st.sampled_from(["x", "/"]).map(lambda value: {"prefix": value})
    | PATTERNS.map(lambda value: {"regex": value})
    | st.tuples(SCALARS, NUMBERS).map(lambda pair: {"ne": pair[0], "gte": pair[1], "exists": True})
)
ENTRIES = (
    st.dictionaries(KEYS, CHECKS, min_size=1, max_size=2)
    | st.sampled_from(["server", "client", "event", ["server", "internal"], {"ne": "client"}]).map(
        lambda kind: {"kind": kind}
    )
    | st.sampled_from(["error", "ok", {"ne": "error"}]).map(lambda status: {"status": status})
    | (TEXTS | PATTERNS.map(lambda value: {"regex": value})).map(lambda name: {"name": name})
    | TEXTS.map(lambda scope: {"scope": {"in": [scope, "lib"]}})
    | st.dictionaries(BOUNDS, st.sampled_from(["1ms", "0.5s"]), min_size=1, max_size=1).map(
        lambda limit: {"duration": limit}
    )
    | st.dictionaries(KEYS, CHECKS, max_size=2).map(lambda wanted: {"resource": wanted})
    | st.dictionaries(KEYS, CHECKS, max_size=2).map(lambda wanted: {"event": {"name": "e", "attributes": wanted}})
    | NUMBERS.map(lambda bound: {"sum": {"of": ["a.b", "a.c"], "below": bound}})
    | st.just({})
)
CONDITIONS = st.recursive(
    ENTRIES,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda parts: {"all": parts})
        | st.lists(inner, max_size=3).map(lambda parts: {"any": parts})
        | inner.map(lambda part: {"not": part})
        | st.tuples(inner, inner).map(lambda pair: {**pair[0], **pair[1]})
    ),
    max_leaves=6,
)
ATTRIBUTES = st.dictionaries(KEYS, VALUES, max_size=4)
FACTS = st.builds(
    Facts,
    kind=st.sampled_from(["server", "client", "internal", "producer", "consumer", "event"]),
    name=TEXTS,
    status=st.sampled_from(["unset", "ok", "error"]),
    scope=st.sampled_from(["", "lib", "x"]),
    duration=st.sampled_from([0.0, 0.001, 0.5, 0.500000001, 7.0]),
    attributes=ATTRIBUTES,
    resource=ATTRIBUTES,
    events=st.lists(st.tuples(st.sampled_from(["e", "f"]), ATTRIBUTES), max_size=2).map(tuple),
)
#: Anything that YAML or JSON can say, and some more.
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.binary(max_size=3) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["all", "any", "not", "kind", "event", "sum", "of", "duration", "regex", "in", "eq", "gte"])
            | st.text(max_size=4)
            | st.none()
            | st.integers()
            | st.booleans(),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)
