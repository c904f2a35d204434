"""Definitions drawn at random: every kind of indicator, window, budgeting and policy that the model has."""

from decimal import Decimal

from hypothesis import strategies as st

from aumos_otel.slo import policy, sli
from aumos_otel.slo.indicator import (
    Composite,
    Counted,
    Elsewhere,
    Gauge,
    Histogram,
    Query,
    Ratio,
    RawRatio,
    Spans,
    Threshold,
)
from aumos_otel.slo.objective import Alerting, Definitions, Gate, Notice, Objective, Prometheus
from aumos_otel.slo.policy import Limit, Policy, Tier
from aumos_otel.slo.window import LONGEST, OCCURRENCES, Calendar, RatioTimeslices, Rolling, Timeslices

#: What readers of YAML like to take for something else.
TRICKY = ["no", "On", "y", "010", "0o7", "1_000", "1:30", "1e3", "~", "null", "true", "2026-11-25", "=", "<<", "- a"]
text = st.one_of(
    st.sampled_from(
        [
            *TRICKY,
            "a: b",
            " x ",
            "#",
            "a #b",
            "'",
            '"',
            "%",
            "@x",
            "|",
            "line\n\nline\n",
            "\ttab",
            "é",
            "\x85",
            "\u2028",
        ]
    ),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\ufeff"), min_size=1, max_size=30),
).filter(str.strip)
maybe_text = st.one_of(st.just(""), text)
labels = st.dictionaries(st.sampled_from(["a", "b_1", "no", "_c"]), maybe_text, max_size=2)
seconds = st.integers(1, 10_000_000)
numbers = st.builds(
    lambda whole, places: Decimal(whole).scaleb(-places), st.integers(-(10**20), 10**20), st.integers(0, 9)
)
weights = st.integers(1, 10**6).map(lambda whole: Decimal(whole) / 1000)
shares = st.integers(1, 10**12 - 1).map(lambda whole: Decimal(whole) / 10**12)
factors = st.integers(1, 10**5).map(lambda whole: Decimal(whole) / 100)
names = st.one_of(st.sampled_from(["no", "1-30", "010", "a", "x-y-2"]), st.integers(0, 99).map("n{}".format))

scalars = st.one_of(text, st.booleans(), st.integers(-(2**50), 2**50), st.floats(-1e9, 1e9))
keys = st.sampled_from(["http.route", "a.b", "no.way", "x-y.z"])
leaves = st.one_of(
    st.builds(lambda key, value: {key: value}, keys, scalars),
    st.builds(lambda key, values: {key: {"in": values}}, keys, st.lists(scalars, min_size=1, max_size=3)),
    st.builds(lambda key, value: {key: {"lt": value}}, keys, st.integers(0, 100)),
    st.sampled_from([{"kind": "server"}, {"status": "error"}, {"name": "GET"}, {"event": "exception"}]),
    st.builds(lambda number: {"duration": {"below": f"{number}ms"}}, st.integers(1, 10_000)),
)
conditions = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(lambda part: {"not": part}, inner),
        st.builds(lambda word, parts: {word: parts}, st.sampled_from(["all", "any"]), st.lists(inner, max_size=3)),
    ),
    max_leaves=4,
)


def predicate(name, match, good, description):
    """The SLI of two conditions as data."""
    return sli.from_data({"name": name, "match": match, "good": good, "description": description})


queries = st.one_of(
    text.map(lambda found: Query(found, "counter")),
    text.map(lambda found: Query(found + "[{{.window}}]", "template")),
    text.map(lambda found: Query(found, "gauge")),
)
indicators = st.one_of(
    st.builds(Spans, st.builds(predicate, names, conditions, conditions, maybe_text)),
    st.builds(Counted, names),
    st.builds(Ratio, queries, good=queries),
    st.builds(Ratio, queries, bad=queries),
    st.builds(RawRatio, queries, st.sampled_from(["success", "failure"])),
    st.builds(Threshold, text, st.sampled_from(["lt", "lte", "gt", "gte"]), numbers),
    st.builds(Histogram, text, numbers, st.booleans()),
    st.builds(Gauge, text),
    st.builds(Elsewhere, text, maybe_text),
)
windows = st.one_of(
    st.builds(Rolling, seconds),
    st.builds(Calendar, st.sampled_from(sorted(LONGEST)), st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kathmandu"])),
)
budgetings = st.one_of(
    st.just(OCCURRENCES),
    st.builds(Timeslices, seconds, st.one_of(shares, st.just(Decimal(1)))),
    st.builds(RatioTimeslices, seconds),
)


@st.composite
def tiers(draw):
    """Limits of ascending windows."""
    ordered = sorted(draw(st.lists(seconds, min_size=1, max_size=3, unique=True)))
    limits = tuple(Limit(window, draw(factors)) for window in ordered)
    return Tier(draw(st.sampled_from(["page", "ticket"])), limits, draw(st.one_of(st.none(), shares)))


policies = st.one_of(
    st.sampled_from(list(policy.BUILT_IN.values())),
    st.sampled_from(list(policy.BUILT_IN.values())).flatmap(lambda found: seconds.map(found.for_period)),
    st.just(policy.parse("page: 5m>=14.4 & 1h>=6; ticket: 6h>=1")),
    st.builds(Policy, text, text, seconds, st.lists(tiers(), min_size=1, max_size=3).map(tuple)),
)
notices = st.builds(Notice, enabled=st.booleans(), labels=labels, annotations=labels)
alertings = st.builds(
    Alerting,
    name=st.one_of(st.none(), text),
    labels=labels,
    annotations=labels,
    notices=st.dictionaries(st.sampled_from(["page", "ticket"]), notices),
    absent=st.booleans(),
)
foreign = st.dictionaries(
    st.sampled_from(["sloth", "pyrra"]),
    st.recursive(
        st.one_of(scalars, st.none()),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(text, inner, max_size=3)),
        max_leaves=5,
    ),
    max_size=2,
)
objectives = st.builds(
    Objective,
    name=names,
    service=st.sampled_from(["chat-api", "no", "ünïcode service", "1:30"]),
    target=shares,
    indicator=indicators,
    window=windows,
    budgeting=budgetings,
    policy=policies,
    display_name=maybe_text,
    description=maybe_text,
    owner=maybe_text,
    runbook=maybe_text,
    labels=labels,
    annotations=labels,
    group_by=st.sampled_from([(), ("route",), ("http.route", "job")]),
    gate=st.one_of(st.none(), st.builds(Gate, st.integers(0, 9), st.one_of(st.none(), shares))),
    alerting=alertings,
    foreign=foreign,
)
prometheus = st.builds(
    Prometheus, scrape_interval=seconds, interval=seconds, retention=st.one_of(st.none(), seconds), matchers=labels
)


@st.composite
def definitions(draw):
    """Definitions that one file can hold: no name twice, and composites of what is there."""
    found = draw(st.lists(objectives, max_size=3, unique_by=(lambda one: (one.service, one.name), _sli_name)))
    parts = sorted({one.name for one in found if one.service == "chat-api"})
    if parts and "whole" not in parts and draw(st.booleans()):
        chosen = draw(st.dictionaries(st.sampled_from(parts), weights, min_size=1))
        found.append(Objective(name="whole", service="chat-api", target=draw(shares), indicator=Composite(chosen)))
    if found and isinstance(found[0].indicator, Spans) and "twin" not in parts and draw(st.booleans()):
        service, indicator = found[0].service, found[0].indicator
        found.insert(1, Objective(name="twin", service=service, target=draw(shares), indicator=indicator))
    return Definitions(objectives=tuple(found), prometheus=draw(prometheus), foreign=draw(foreign))


def _sli_name(objective):
    indicator = objective.indicator
    return indicator.sli.name if isinstance(indicator, Spans) else (objective.service, objective.name)
