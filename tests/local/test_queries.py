"""The questions that the page, the API and tail ask."""

from __future__ import annotations

import pytest

from aumos_otel.local import TraceFilter
from aumos_otel.local.queries import Cursor, LogFilter

from .conftest import NOW, TRACE, llm_trace, log, logs, metrics, span, traces
from .test_store import take

OTHER = "c" * 32


@pytest.fixture
def filled(store):
    """Two traces of two services, one failed, and logs and metrics."""
    take(store, "traces", llm_trace())
    take(
        store, "traces", traces(span("d" * 16, parent="b" * 16, start=70, name="SELECT 100%_done"), service="database")
    )
    take(store, "traces", traces(span("e" * 16, trace=OTHER, start=5000, name="GET /health", kind=2, error="boom"), service="gateway"))  # fmt: skip
    take(store, "logs", logs(log("joined", traceId=TRACE, spanId="b" * 16), log("alone", severityNumber=17)))
    histogram = {"timeUnixNano": str(NOW), "count": "3", "sum": 6.0, "max": 4.0, "bucketCounts": ["1", "2"], "explicitBounds": [1.0]}  # fmt: skip
    take(store, "metrics", metrics({"name": "latency", "unit": "s", "histogram": {"dataPoints": [histogram]}}))
    take(store, "metrics", metrics({"name": "hits", "sum": {"isMonotonic": True, "dataPoints": [{"timeUnixNano": str(NOW + at), "asInt": str(at)} for at in (2, 1)]}}))  # fmt: skip
    return store


def test_the_list_shows_roots_models_tokens_and_cost(filled):
    """A trace's line has its root, its services, and the sums of its model calls."""
    newest, oldest = filled.traces()
    assert (newest.root_name, newest.errors, newest.cost) == ("GET /health", 1, None)
    assert (oldest.root_name, oldest.root_service, oldest.root_http_status) == ("POST /chat", "chat-api", 200)
    assert oldest.services == ("chat-api", "database")
    assert (oldest.spans, oldest.llm_calls, oldest.models) == (4, 1, ("gpt-5-mini",))
    assert (oldest.input_tokens, oldest.output_tokens, oldest.cost, oldest.tenant) == (142, 67, 0.00021, "acme")
    assert oldest.duration_ns == 2_000_000_000


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        (TraceFilter(), [OTHER, TRACE]),
        (TraceFilter(errors=True), [OTHER]),
        (TraceFilter(llm=True), [TRACE]),
        (TraceFilter(service="database"), [TRACE]),
        (TraceFilter(text="health"), [OTHER]),
        (TraceFilter(text="boom"), [OTHER]),
        (TraceFilter(text="gpt-5"), [TRACE]),
        (TraceFilter(text="4bf92f35"), [TRACE]),
        (TraceFilter(text="92f35"), []),
        (TraceFilter(text="100%_d"), [TRACE]),
        (TraceFilter(text="100_"), []),
        (TraceFilter(text="'; DROP TABLE spans; --"), []),
        (TraceFilter(before_ns=NOW + 1), [TRACE]),
        (TraceFilter(llm=True, errors=True), []),
    ],
)
def test_filters(filled, wanted, found):
    """Each filter narrows the list; text is taken literally."""
    assert [trace.trace_id for trace in filled.traces(wanted)] == found


def test_a_trace_has_its_spans_in_order_and_its_logs(filled):
    """Spans come by start, logs joined by trace id, with decoded attributes and the resource."""
    trace = filled.trace(TRACE)
    assert [found.name for found in trace.spans] == ["POST /chat", "chat gpt-5-mini", "POST", "SELECT 100%_done"]
    assert trace.spans[1].attributes["gen_ai.response.finish_reasons"] == ["stop"]
    assert trace.spans[3].resource == {"service.name": "database"}
    assert [(entry.body, entry.span_id) for entry in trace.logs] == [("joined", "b" * 16)]
    assert filled.trace("0" * 32) is None


def test_totals_count_by_kind_of_thing(filled):
    """The demo's table: spans by what they are about, joined logs, tokens of model calls."""
    totals = filled.totals()
    assert (totals.traces, totals.spans) == (2, 5)
    assert totals.spans_by_thing == {"server": 2, "llm": 1, "agent": 0, "http": 1, "other": 1}
    assert (totals.logs, totals.logs_joined, totals.metric_points) == (2, 1, 3)
    assert (totals.input_tokens, totals.output_tokens, totals.cost) == (142, 67, 0.00021)


def test_totals_since_a_moment(filled):
    """Only what began since then counts."""
    totals = filled.totals(since_ns=NOW + 1_000_000_000)
    assert (totals.traces, totals.spans, totals.logs, totals.metric_points, totals.input_tokens) == (1, 1, 0, 0, 0)


def test_tokens_of_an_agent_that_repeats_its_calls_are_not_counted_twice(store):
    """An agent span carries the sum of its calls; only the calls count."""
    usage = {"gen_ai.usage.input_tokens": 10, "gen_ai.usage.output_tokens": 5, "gen_ai.usage.cost": 0.5}
    agent = span("a" * 16, given={"gen_ai.operation.name": "invoke_agent"} | usage)
    calls = [
        span(f"{number:016x}", parent="a" * 16, given={"gen_ai.operation.name": "chat"} | usage) for number in (1, 2)
    ]
    take(store, "traces", traces(agent, *calls))
    totals = store.totals()
    assert (totals.input_tokens, totals.output_tokens, totals.cost) == (20, 10, 1.0)
    assert totals.spans_by_thing["agent"] == 1


def test_senders_before_the_stable_http_names_are_understood(store):
    """Old http.method and http.status_code still say what a span is about."""
    take(store, "traces", traces(span("a" * 16, kind=3, given={"http.method": "GET", "http.status_code": 503})))
    found = store.trace(TRACE).spans[0]
    assert (found.thing, found.http_status) == ("http", 503)


def test_strange_values_of_promoted_attributes_do_no_harm(store):
    """Tokens as text or nonsense, a cost that is no number, a model that is a list: kept as attributes, promoted if they can be."""
    given = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": ["a", "b"],
        "gen_ai.usage.input_tokens": "12",
        "gen_ai.usage.output_tokens": "many",
        "gen_ai.usage.cost": True,
        "http.response.status_code": 2.5,
    }
    take(store, "traces", traces(span("a" * 16, given=given)))
    found = store.trace(TRACE).spans[0]
    assert found.attributes == given
    assert (found.model, found.input_tokens, found.output_tokens, found.cost) == ('["a","b"]', 12, None, None)


def test_a_trace_without_its_root_is_listed_by_its_first_span(store):
    """A trace whose root has not arrived is shown by what has."""
    take(store, "traces", traces(span("b" * 16, parent="a" * 16, name="late child", start=5), span("c" * 16, parent="a" * 16, name="first child")))  # fmt: skip
    (found,) = store.traces()
    assert (found.root_name, found.root_missing) == ("first child", True)


def test_logs_newest_first_and_filtered(filled):
    """Logs filter by severity, service and text, which also finds trace ids."""
    assert {entry.body for entry in filled.logs()} == {"joined", "alone"}
    assert [entry.body for entry in filled.logs(LogFilter(severity=17))] == ["alone"]
    assert [entry.body for entry in filled.logs(LogFilter(text=TRACE[:8]))] == ["joined"]
    assert filled.logs(LogFilter(service="gateway")) == []


def test_a_structured_log_body_is_shown_as_json(store):
    """A body that is not text is kept, as JSON."""
    body = {"kvlistValue": {"values": [{"key": "event", "value": {"stringValue": "login"}}]}}
    take(store, "logs", logs(log("", body=body), log("", body={}, timeUnixNano="0", observedTimeUnixNano=str(NOW + 9))))
    assert [(entry.body, entry.time_ns) for entry in store.logs()] == [("", NOW + 9), ('{"event":"login"}', NOW)]


def test_metrics_show_the_latest_point_of_each_series(filled):
    """A point that is older, or that comes twice, does not replace the latest."""
    hits, latency = filled.metrics()
    assert (hits.name, hits.kind, hits.monotonic, hits.series) == ("hits", "sum", True, 1)
    assert [(point.value, point.time_ns) for point in hits.points] == [(2, NOW + 2)]
    (point,) = latency.points
    assert (point.count, point.sum, point.data) == (3, 6.0, {"bounds": [1.0], "counts": [1, 2], "max": 4.0})
    assert [metric.name for metric in filled.metrics(text="lat")] == ["latency"]


def test_every_kind_of_metric_is_taken(store):
    """Gauges, exponential histograms and summaries are stored too; values without a number are empty."""
    at = {"timeUnixNano": "1"}
    exponential = at | {"count": "2", "sum": 3.0, "scale": 1, "zeroCount": "0", "positive": {"offset": 1, "bucketCounts": ["2"]}, "exemplars": [{"traceId": TRACE, "spanId": "a" * 16, "asDouble": 1.5}]}  # fmt: skip
    summary = at | {"count": "2", "sum": 3.0, "quantileValues": [{"quantile": 0.5, "value": 1.5}]}
    found = [
        {"name": "a", "gauge": {"dataPoints": [at | {"asDouble": "NaN"}]}},
        {"name": "b", "exponentialHistogram": {"dataPoints": [exponential]}},
        {"name": "c", "summary": {"dataPoints": [summary]}},
        {"name": "empty"},
    ]
    take(store, "metrics", metrics(*found))
    a, b, c = store.metrics()
    assert a.points[0].value is None
    assert b.points[0].data["positive"] == {"offset": 1, "counts": [2]}
    (exemplar,) = b.points[0].data["exemplars"]
    assert (exemplar["trace_id"], exemplar["span_id"]) == (TRACE, "a" * 16)
    assert c.points[0].data == {"quantiles": [[0.5, 1.5]]}


def test_arrivals_follow_a_cursor(filled):
    """Who follows gets what came after the cursor, in order, in pieces, and nothing twice."""
    seen, cursor = [], Cursor()
    while True:
        spans, entries, reached = filled.arrivals(cursor, limit=2)
        if not spans and not entries:
            break
        seen += [found.span_id[0] for found in spans]
        cursor = reached
    assert seen == ["a", "b", "c", "d", "e"]
    take(filled, "traces", traces(span("f" * 16)))
    spans, entries, _ = filled.arrivals(cursor)
    assert ([found.span_id for found in spans], entries) == (["f" * 16], [])


def test_a_cursor_from_a_database_that_was_replaced_starts_anew(filled):
    """A cursor beyond the end means another file: it is followed from its beginning."""
    spans, _, reached = filled.arrivals(Cursor(spans=10**6, logs=0))
    assert len(spans) == 5
    assert reached.spans == filled.cursor().spans
