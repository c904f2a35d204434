from __future__ import annotations

import urllib.request
from concurrent.futures import ThreadPoolExecutor

import prometheus_client
from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import AlwaysOnExemplarFilter
from opentelemetry.sdk.metrics.view import (
    ExplicitBucketHistogramAggregation,
    ExponentialBucketHistogramAggregation,
    View,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from prometheus_client import generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.openmetrics import parser as openmetrics_parser
from prometheus_client.parser import text_string_to_metric_families

from aumos_otel import guard

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def scrape(page, accept="text/plain", query=""):
    """The body and content type of one scrape."""
    request = urllib.request.Request(page.url + query, headers={"Accept": accept})
    with urllib.request.urlopen(request, timeout=10) as response:
        return response.read().decode(), response.headers["Content-Type"]


def samples(page, accept=OPENMETRICS):
    """Samples of one scrape by name, parsed as what was asked for."""
    text, _ = scrape(page, accept)
    parse = (
        openmetrics_parser.text_string_to_metric_families if accept == OPENMETRICS else text_string_to_metric_families
    )
    found = {}
    for family in parse(text):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def value(page, name, accept=OPENMETRICS):
    """The value of the one series of that name."""
    (sample,) = samples(page, accept)[name]
    return sample.value


def test_page_shows_our_metrics_beside_the_users_own(page, registry, meter):
    """A metric of prometheus_client and a metric of OpenTelemetry are on one page, in both formats."""
    prometheus_client.Counter("mine", "My own.", registry=registry).inc(2)
    meter.create_counter("http.requests", "{request}", "Requests.").add(3)

    for accept in (OPENMETRICS, "text/plain"):
        assert value(page, "mine_total", accept) == 2
        assert value(page, "http_requests_total", accept) == 3


def test_format_is_negotiated(page, meter):
    """Who asks for OpenMetrics gets it, everybody else gets the classic text."""
    text, kind = scrape(page, OPENMETRICS)
    assert kind.startswith("application/openmetrics-text")
    assert text.endswith("# EOF\n")

    text, kind = scrape(page, "*/*")
    assert kind.startswith("text/plain")
    assert "# EOF" not in text


def test_exemplars_name_the_trace_and_nothing_else(page, provide):
    """Counters and histogram buckets carry trace and span id; an attribute that a view dropped stays out."""
    meter = provide(views=[View(instrument_name="*", attribute_keys=set())]).get_meter("app")
    counter, histogram = meter.create_counter("calls"), meter.create_histogram("wait", "s")
    with TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("work") as span:
        counter.add(1, {"user.id": "u-1"})
        histogram.record(7)
        meter.create_gauge("load").set(1)
    trace_id = f"{span.get_span_context().trace_id:032x}"
    span_id = f"{span.get_span_context().span_id:016x}"

    found = samples(page)

    assert found["calls_total"][0].exemplar.labels == {"trace_id": trace_id, "span_id": span_id}
    marked = [sample for sample in found["wait_seconds_bucket"] if sample.exemplar]
    assert [(sample.labels["le"], sample.exemplar.value) for sample in marked] == [("10.0", 7.0)]
    assert found["load"][0].exemplar is None
    assert "trace_id" not in scrape(page)[0]


def test_exemplar_without_a_trace_is_left_out(page, provide):
    """A measurement outside of a trace leads nowhere, so it is no exemplar."""
    meter = provide(exemplar_filter=AlwaysOnExemplarFilter()).get_meter("app")
    meter.create_counter("calls").add(1)

    assert samples(page)["calls_total"][0].exemplar is None


def test_flush_leaves_the_exemplars_to_the_next_scrape(page, provide):
    """`force_flush` of the provider collects nothing from the page's reader."""
    provider = provide()
    counter = provider.get_meter("app").create_counter("calls")
    with TracerProvider(shutdown_on_exit=False).get_tracer("t").start_as_current_span("work"):
        counter.add(1)
    provider.force_flush()

    assert samples(page)["calls_total"][0].exemplar is not None


def test_up_down_counter_of_unit_one_is_no_ratio(page, meter):
    """Only gauges of unit 1 are ratios; a count of things is not."""
    meter.create_up_down_counter("active", "1").add(2)
    meter.create_gauge("share", "1").set(0.5)

    found = samples(page)

    assert found["active"][0].value == 2
    assert found["share_ratio"][0].value == 0.5


def test_scope_and_resource_are_on_the_page(page, provide):
    """Each series names its scope; `target_info` has the resource."""
    provider = provide(resource=Resource({"service.name": "chat", "process.pid": 7}))
    provider.get_meter("app", "1.2", attributes={"team": "a"}).create_counter("calls").add(1)

    found = samples(page)

    assert found["target_info"][0].labels == {"service_name": "chat", "process_pid": "7"}
    assert found["calls_total"][0].labels == {
        "otel_scope_name": "app",
        "otel_scope_version": "1.2",
        "otel_scope_team": "a",
    }


def test_label_values_of_any_type_are_strings(page, meter):
    """Booleans, numbers and sequences are written as JSON, anything else as its text."""
    given = {"b": True, "n": None, "i": 3, "f": 0.5, "s": ["a", 1], "o": b"x", "u": "é"}
    meter.create_counter("calls").add(1, given)

    labels = samples(page)["calls_total"][0].labels

    assert {key: labels[key] for key in given} == {
        "b": "true",
        "n": "null",
        "i": "3",
        "f": "0.5",
        "s": '["a", 1]',
        "o": "b'x'",
        "u": "é",
    }


def test_equal_label_names_share_one_label(page, meter):
    """Values of keys that become equal are joined with ``;`` in the order of the keys."""
    meter.create_counter("calls").add(1, {"x_y": "second", "x.y": "first"})

    assert samples(page)["calls_total"][0].labels["x_y"] == "first;second"


def test_series_that_become_equal_are_added_up(page, meter):
    """No count is lost when two attribute sets, or two metric names, become one series."""
    counter = meter.create_counter("jobs.done")
    counter.add(1, {"a.b": "x"})
    counter.add(2, {"a_b": "x"})
    meter.create_counter("jobs_done").add(4, {"a.b": "x"})
    wait = meter.create_histogram("wait", "s")
    wait.record(1, {"a.b": "x"})
    wait.record(2, {"a_b": "x"})

    found = samples(page)

    assert [sample.value for sample in found["jobs_done_total"]] == [7]
    assert [sample.value for sample in found["wait_seconds_count"]] == [2]
    assert [sample.value for sample in found["wait_seconds_sum"]] == [3]
    assert page.problems() == ()


def test_of_two_gauges_of_one_name_the_newer_stays(page, meter):
    """Two gauges that become one series cannot be added up; that one is missing is reported."""
    meter.create_gauge("load", "").set(1, {"a.b": "x"})
    meter.create_gauge("load", "").set(2, {"a_b": "x"})

    assert value(page, "load") in (1, 2)
    assert "two series became load" in page.problems()[0]


def test_first_description_wins(page, meter):
    """Metrics of one name are one family with one HELP line."""
    meter.create_counter("jobs.done", description="First.").add(1, {"n": 1})
    meter.create_counter("jobs_done", description="Second.").add(1, {"n": 2})

    text, _ = scrape(page, OPENMETRICS)

    assert text.count("# HELP jobs_done ") == 1
    assert "# HELP jobs_done First." in text
    assert len(samples(page)["jobs_done_total"]) == 2


def test_metric_of_another_type_is_left_out_and_counted(page, meter, caplog):
    """A name has one type; the later metric is named in the log, once, and counted by the guard."""
    before = guard.swallowed().get("exporters.prometheus.left_out", 0)
    meter.create_counter("jobs.done").add(1)
    meter.create_up_down_counter("jobs_done").add(5)

    for _ in range(3):
        assert value(page, "jobs_done_total") == 1

    assert guard.swallowed()["exporters.prometheus.left_out"] == before + 1
    assert [line for line in caplog.messages if "'jobs_done' is left out" in line] == [
        "Prometheus page: gauge 'jobs_done' is left out: its name 'jobs_done' belongs to the counter 'jobs_done'"
    ]


def test_metric_that_claims_the_name_of_a_histogram_series_is_left_out(page, meter):
    """A gauge named like a histogram's ``_count`` would make the page invalid."""
    meter.create_histogram("wait", "s").record(1)
    meter.create_gauge("wait.seconds.count").set(9)

    assert value(page, "wait_seconds_count") == 1
    assert len(page.problems()) == 1


def test_users_metric_of_the_same_name_keeps_the_page_valid(page, registry, meter):
    """A family of both sides is merged when the types agree, else the later one is reported."""
    prometheus_client.Counter("jobs", "Mine.", registry=registry).inc(1)
    prometheus_client.Gauge("calls", "Mine.", registry=registry).set(1)
    meter.create_counter("jobs").add(2)
    meter.create_counter("calls").add(2)

    found = samples(page)

    assert sorted(sample.value for sample in found["jobs_total"]) == [1, 2]
    assert "is left out" in page.problems()[0]


def test_second_target_info_is_left_out(page, registry, provide):
    """The user's own ``target_info`` and ours do not both appear."""
    registry.set_target_info({"mine": "yes"})
    provide(resource=Resource({"service.name": "chat"}))

    assert [sample.labels for sample in samples(page)["target_info"]] == [{"mine": "yes"}]


def test_surrogates_do_not_break_a_scrape(page, registry, provide):
    """Text that cannot be encoded is spelled out, ours and the user's own, wherever it is."""
    meter = provide(resource=Resource({"r\ud800": "\udfff"})).get_meter("s\ud800")
    meter.create_counter("calls", "", "d\ud800").add(1, {"k\ud800": "v\ud800", "nul": "\0"})
    prometheus_client.Counter("mine", "d\ud800", ["l"], registry=registry).labels("\ud800é").inc()

    for accept in (OPENMETRICS, "text/plain"):
        found = samples(page, accept)
        assert found["calls_total"][0].labels["k_"] == "v\\ud800"
        assert found["mine_total"][0].labels == {"l": "\\ud800é"}


def test_histogram_buckets_are_cumulative(page, provide):
    """Buckets count what is at most their edge; the last one counts all."""
    view = View(instrument_name="*", aggregation=ExplicitBucketHistogramAggregation([0.5, 1]))
    wait = provide(views=[view]).get_meter("app").create_histogram("wait", "s")
    for seconds in (0.1, 0.5, 1, 9):
        wait.record(seconds)

    buckets = {sample.labels["le"]: sample.value for sample in samples(page)["wait_seconds_bucket"]}

    assert buckets == {"0.5": 2, "1.0": 3, "+Inf": 4}
    assert value(page, "wait_seconds_sum") == 10.6


def test_attribute_named_le_is_kept_under_another_name(page, meter):
    """A histogram's own ``le`` wins, as Prometheus does with labels of a target."""
    meter.create_histogram("wait").record(1, {"le": "mine"})

    assert samples(page)["wait_count"][0].labels["exported_le"] == "mine"


def test_exponential_histogram_becomes_a_classic_one(page, provide):
    """All values are in buckets of at most a quarter of a power of two, in order."""
    view = View(instrument_name="*", aggregation=ExponentialBucketHistogramAggregation())
    wait = provide(views=[view]).get_meter("app").create_histogram("wait", "s")
    values = [0, 0.001, 0.1, 1, 1, 3, 1000]
    for seconds in values:
        wait.record(seconds)

    found = samples(page)["wait_seconds_bucket"]

    for sample in found:
        bound = float(sample.labels["le"])
        assert sample.value == sum(seconds <= bound for seconds in values)
    assert len(found) < 100
    assert value(page, "wait_seconds_sum") == sum(values)


def test_counter_without_a_valid_value_is_left_out(page, meter):
    """A counter below zero would make the page invalid; the rest of the page stays."""
    meter.create_observable_counter("bad", [lambda _options: [Observation(-1)]])
    meter.create_counter("good").add(1)

    assert value(page, "good_total") == 1
    assert "without a valid value" in page.problems()[0]


def test_raising_callback_costs_its_own_metric_alone(page, meter):
    """An observable instrument that raises does not take the page down."""

    def fail(_options):
        raise RuntimeError

    meter.create_observable_gauge("bad", [fail])
    meter.create_observable_counter("good", [lambda _options: [Observation(4)]])

    assert value(page, "good_total") == 4


def test_failing_collection_leaves_the_users_metrics(page, registry, meter, monkeypatch):
    """When our side fails it is counted, and the user's own metrics are still served."""
    prometheus_client.Gauge("mine", "My own.", registry=registry).set(1)
    monkeypatch.setattr(page.reader, "take", lambda: 1 / 0)

    assert value(page, "mine") == 1
    assert guard.swallowed()["exporters.prometheus.collect"] >= 1


def test_single_metrics_can_be_asked_for(page, registry, meter):
    """``?name[]=`` selects samples of ours too."""
    prometheus_client.Gauge("mine", "My own.", registry=registry).set(1)
    meter.create_counter("calls").add(1)

    text, _ = scrape(page, query="?name[]=calls_total")

    assert [family.name for family in text_string_to_metric_families(text)] == ["calls"]


def test_own_page_of_the_user_has_our_metrics(page, registry, meter):
    """The registry holds our metrics, so `generate_latest` of an existing route shows them."""
    meter.create_counter("calls").add(1)

    assert b"calls_total" in generate_latest(registry)


def test_custom_collector_is_left_as_it_is(page, registry, meter):
    """A collector that hands out the same family again is not changed by the page."""
    family = GaugeMetricFamily("mine", "My own.", value=1)

    class Collector:
        def collect(self):
            return [family]

    registry.register(Collector())
    for _ in range(2):
        assert value(page, "mine") == 1
    assert len(family.samples) == 1


def test_scrapes_at_the_same_time_are_complete(page, meter):
    """Each of many parallel scrapes sees every series."""
    counter = meter.create_counter("calls")
    for number in range(50):
        counter.add(1, {"n": number})

    with ThreadPoolExecutor(8) as pool:
        pages = list(pool.map(lambda _: len(samples(page)["calls_total"]), range(24)))

    assert pages == [50] * 24
