from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from aumos_otel.exporters.exposition import families, label_name, metric_name

CUMULATIVE = AggregationTemporality.CUMULATIVE


@pytest.mark.parametrize(
    ("name", "unit", "kind", "expected"),
    [
        ("http.server.request.duration", "s", "histogram", "http_server_request_duration_seconds"),
        ("gen_ai.client.token.usage", "{token}", "histogram", "gen_ai_client_token_usage"),
        ("process.memory.usage", "By", "gauge", "process_memory_usage_bytes"),
        ("memory.bytes.used", "By", "gauge", "memory_bytes_used"),
        ("cpu.utilization", "1", "gauge", "cpu_utilization_ratio"),
        ("jobs", "1", "counter", "jobs"),
        ("jobs_total", "", "counter", "jobs"),
        ("io.total", "By", "counter", "io_bytes"),
        ("net.speed", "By/s", "gauge", "net_speed_bytes_per_second"),
        ("queue.time", "ms", "histogram", "queue_time_milliseconds"),
        ("odd..name--x", "", "gauge", "odd_name_x"),
        ("1st.place", "", "gauge", "_1st_place"),
        ("rule:name", "", "gauge", "rule_name"),
        ("active", "1", "updowncounter", "active"),
        ("größe", "", "gauge", "gr_e"),
        ("", "", "gauge", "_"),
    ],
)
def test_names_follow_the_compatibility_specification(name, unit, kind, expected):
    """Units become words at the end, what Prometheus does not know becomes one underscore."""
    assert metric_name(name, unit, kind)[0] == expected


# Any text that may reach us, with the characters that break expositions well represented.
awkward = st.text(
    st.one_of(st.characters(), st.characters(categories=["Cs"]), st.sampled_from('ab._:{}"\\\n\r\0 #=,\u2028')),
    max_size=12,
)


attributes = st.dictionaries(
    awkward, st.one_of(awkward, st.booleans(), st.none(), st.integers(), st.floats(), st.lists(awkward)), max_size=4
)


numbers = st.builds(
    NumberDataPoint,
    attributes=attributes,
    start_time_unix_nano=st.just(0),
    time_unix_nano=st.integers(0, 10),
    value=st.one_of(st.integers(), st.floats()),
)


@st.composite
def histogram_points(draw):
    """A histogram's data point, with bounds as a view may have them."""
    bounds = draw(st.lists(st.floats(), max_size=4))
    counts = draw(st.lists(st.integers(0, 9), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    return HistogramDataPoint(
        draw(attributes), 0, 0, sum(counts), draw(st.floats()), tuple(counts), tuple(bounds), 0.0, 0.0
    )


points = st.one_of(
    st.builds(Sum, st.lists(numbers, max_size=3), st.just(CUMULATIVE), st.booleans()),
    st.builds(Gauge, st.lists(numbers, max_size=3)),
    st.builds(Histogram, st.lists(histogram_points(), max_size=3), st.just(CUMULATIVE)),
)


metrics = st.lists(st.builds(Metric, awkward, st.one_of(awkward, st.none()), st.one_of(awkward, st.none()), points))


scopes = st.builds(InstrumentationScope, awkward, awkward)


collections = st.builds(
    lambda resource, found: MetricsData(
        [ResourceMetrics(Resource(resource), [ScopeMetrics(scope, listed, "") for scope, listed in found], "")]
    ),
    st.dictionaries(st.text(min_size=1, max_size=5), awkward, max_size=2),
    st.lists(st.tuples(scopes, metrics), max_size=2),
)


@given(collections)
@settings(deadline=None, max_examples=200)
def test_whatever_was_recorded_parses(data):
    """Names, labels, descriptions, units and values of any kind give a page that both parsers accept."""
    reported = []
    registry = CollectorRegistry()

    class Collector:
        def collect(self):
            return families(data, reported.append)

    registry.register(Collector())

    strict = openmetrics.generate_latest(registry).decode()
    classic = generate_latest(registry).decode()

    names = [family.name for family in openmetrics_parser.text_string_to_metric_families(strict)]
    assert len(names) == len(set(names))
    seen = set()
    for family in text_string_to_metric_families(classic):
        for sample in family.samples:
            series = (sample.name, frozenset(sample.labels.items()))
            assert series not in seen
            seen.add(series)


@given(awkward)
def test_label_names_are_valid_and_never_reserved(key):
    """A label name has Prometheus' alphabet and never starts with two underscores."""
    name = label_name(key)

    assert name.isidentifier()
    assert name.isascii()
    assert not name.startswith("__")


@given(st.lists(st.tuples(st.sampled_from(["a.b", "a_b", "a-b"]), st.integers(0, 100)), min_size=1))
def test_sums_are_preserved_by_merging(additions):
    """What was added to counters whose names collide is all on the page."""
    totals = {}
    for name, amount in additions:
        totals[name] = totals.get(name, 0) + amount
    listed = [
        Metric(name, "", "", Sum([NumberDataPoint({}, 0, 0, total)], CUMULATIVE, is_monotonic=True))
        for name, total in totals.items()
    ]
    data = MetricsData([ResourceMetrics(Resource({}), [ScopeMetrics(InstrumentationScope("s"), listed, "")], "")])
    reported = []

    (family,) = families(data, reported.append)

    assert [sample.value for sample in family.samples] == [sum(totals.values())]
    assert reported == []
