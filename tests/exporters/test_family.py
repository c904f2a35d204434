"""What our own instruments show on the page is what the SDK's would show, and what prometheus_client would write."""

from __future__ import annotations

import gzip
import urllib.request

import pytest
from exporters.test_exposition import collections
from hypothesis import given, settings
from opentelemetry import trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags
from prometheus_client import CollectorRegistry, Counter, generate_latest
from prometheus_client.exposition import choose_encoder
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_classic

from aumos_otel import MetricsOptions
from aumos_otel.exporters.exposition import families
from aumos_otel.exporters.family import Family
from aumos_otel.exporters.prometheus import PrometheusPage
from aumos_otel.providers import meter

SPAN = NonRecordingSpan(SpanContext(7, 8, is_remote=False, trace_flags=TraceFlags(1)))
FORMATS = [True, False]


def provider(side, reader):
    """The SDK's meter provider, or ours."""
    if side == "stock":
        return MeterProvider([reader], Resource({"service.name": "s"}), shutdown_on_exit=False)
    return meter.build(Resource({"service.name": "s"}), MetricsOptions().resolve({}, {}, {}), [reader], {})


def record(made):
    """A bit of everything, with names and labels that become equal."""
    with trace.use_span(SPAN):
        for name in ("jobs.done", "jobs_done"):
            for labels in ({"a.b": "x"}, {"a_b": "x"}, {"c": 'q"\\\n'}, None, {"b": True, "n": 1_234_567}):
                made.create_counter(name, "{job}", 'Jobs\\\n"done".').add(3, labels)
    made.create_counter("large").add(1_234_567)
    made.create_counter("larger", "By").add(2**70)
    made.create_counter("fraction", "s").add(0.25)
    made.create_up_down_counter("level").add(-4, {"é": "\ud800"})
    for value in (1, 2):
        made.create_gauge("load", "1").set(value, {"le": "mine"})
    with trace.use_span(SPAN):
        for name in ("wait.time", "wait_time"):
            for amount in (0.5, 3, 7000, 1e9):
                made.create_histogram(name, "s").record(amount, {"le": "mine"})
                made.create_histogram(name, "s").record(amount)
    advised = made.create_histogram("advised", explicit_bucket_boundaries_advisory=[-1, 1_000_000, 2_000_000.5])
    advised.record(2_000_000)
    made.create_observable_gauge("asked", [lambda _options: []])


def read(text, *, strict):
    """All samples of a page, as they are parsed: by family, name and labels the value and the exemplar."""
    found = {}
    for family in (parse_openmetrics if strict else parse_classic)(text):
        for sample in family.samples:
            key = (family.name, family.type, family.documentation, family.unit, sample.name)
            exemplar = sample.exemplar and (sample.exemplar.labels, sample.exemplar.value)
            found[*key, *sorted(sample.labels.items())] = (repr(sample.value), exemplar)
    return found


def shown(side, *, strict):
    """A page of one side."""
    page = PrometheusPage(port=0, registry=CollectorRegistry())
    record(provider(side, page.reader).get_meter("app", "1"))
    page.start()
    try:
        return read(page.text(openmetrics=strict).decode(), strict=strict)
    finally:
        page.stop()


@pytest.mark.parametrize("strict", FORMATS)
def test_ours_is_what_the_sdk_shows(strict):
    """Names, labels, values and exemplars of our instruments are those of the SDK's, equal series are added up."""
    ours = shown("ours", strict=strict)

    assert ours == shown("stock", strict=strict)
    assert any(exemplar for _, exemplar in ours.values()) is strict


class One:
    """A registry of one family."""

    def __init__(self, family):
        self._family = family

    def collect(self):
        """It."""
        return [self._family]


@given(collections)
@settings(deadline=None, max_examples=100)
def test_text_is_what_prometheus_client_writes(data):
    """The text that a family writes itself says the same as that of its samples."""
    for family in families(data, lambda _: None):
        if isinstance(family, Family):
            for strict, encode in ((True, openmetrics.generate_latest), (False, generate_latest)):
                text = family.text(openmetrics=strict) + "# EOF\n" * strict
                assert read(text, strict=strict) == read(encode(One(family)).decode(), strict=strict)


@pytest.fixture
def ours():
    """A page that shows a counter of ours; with it its registry and the counter."""
    registry = CollectorRegistry()
    page = PrometheusPage(port=0, registry=registry)
    counter = provider("ours", page.reader).get_meter("app").create_counter("calls")
    counter.add(1, {"a": "x"})
    page.start()
    yield page, registry, counter
    page.stop()


def fetch(page, query="", **headers):
    """The body and headers of a scrape."""
    request = urllib.request.Request(page.url + query, headers=headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read(), response.headers


def test_later_scrapes(ours):
    """Each scrape shows what has been counted by then; the labels stay."""
    page, _, counter = ours
    for total in (1, 2, 3):
        assert f'calls_total{{a="x",otel_scope_name="app"}} {total}.0\n'.encode() in page.text()
        counter.add(1, {"a": "x"})


def test_the_users_registry_and_names(ours):
    """`generate_latest` of the registry, a page for some names and one with a metric of the user's show ours as well."""
    page, registry, _ = ours
    line = b'calls_total{a="x",otel_scope_name="app"} 1.0\n'
    assert line in generate_latest(registry)
    assert line in fetch(page, "?name[]=calls_total")[0]
    Counter("calls", "Mine.", registry=registry).inc(5)
    assert line in page.text()
    assert b"calls_total 5.0\n" in page.text()
    assert page.text().count(b"# TYPE calls_total counter") == 1


def test_compression_and_escaping(ours):
    """Who takes gzip gets it; names can be asked for in another writing."""
    page = ours[0]
    body, headers = fetch(page, **{"Accept-Encoding": "gzip"})
    assert headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(body) == page.text()
    accept = "application/openmetrics-text; version=1.0.0; escaping=dots"
    assert fetch(page, Accept=accept)[0] == choose_encoder(accept)[0](ours[1])
    assert fetch(page, Accept="application/openmetrics-text; version=1.0.0")[0] == page.text(openmetrics=True)
