"""Records under a policy: every text is offered for redaction, and copies are independent."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry._logs import LogRecord as ApiLogRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from aumos_otel.delivery.encoding import encode
from aumos_otel.delivery.measurements import metric_records
from aumos_otel.delivery.reading import log_record, span_record
from aumos_otel.delivery.record import LogRecord, MetricRecord, Record, SpanRecord
from aumos_otel.redaction.plain import DROP
from aumos_otel.semconv import attributes

SECRET = "hunter2"
RESOURCE = Resource({"service.name": "tests", "key": f"r {SECRET}"})
SCOPE = InstrumentationScope("scope", "1", attributes={"key": f"s {SECRET}"})
CONTEXT = SpanContext(1, 2, is_remote=False)


def span() -> SpanRecord:
    """A span with the secret wherever a text can be."""
    return span_record(
        ReadableSpan(
            f"name {SECRET}",
            CONTEXT,
            resource=RESOURCE,
            attributes={"text": f"a {SECRET}", "deep": {"list": [f"b {SECRET}"]}, "count": 3},
            events=[Event(f"event {SECRET}", {"text": f"c {SECRET}"}, 5), Event(f"bare {SECRET}", None, 6)],
            links=[Link(CONTEXT, {"text": f"d {SECRET}"})],
            status=Status(StatusCode.ERROR, f"failed {SECRET}"),
            instrumentation_scope=SCOPE,
            start_time=1,
            end_time=2,
        )
    )


def log(body: Any = f"said {SECRET}") -> LogRecord:
    """A log record with the secret wherever a text can be."""
    record = ApiLogRecord(
        timestamp=1,
        observed_timestamp=2,
        severity_number=SeverityNumber.ERROR,
        severity_text=f"SEVERE {SECRET}",
        body=body,
        attributes={"text": f"a {SECRET}"},
        event_name=f"event {SECRET}",
    )
    return log_record(ReadableLogRecord(record, RESOURCE, SCOPE))


def metric() -> MetricRecord:
    """A metric with the secret as attribute of a point and of its exemplar."""
    exemplar = Exemplar({"text": f"e {SECRET}"}, 1, 1)
    points = [NumberDataPoint({"text": f"a {SECRET}"}, 1, 2, 3, [exemplar]), NumberDataPoint({}, 1, 2, 4)]
    data = Sum(points, AggregationTemporality.CUMULATIVE, is_monotonic=True)
    scope = ScopeMetrics(SCOPE, [Metric(f"name {SECRET}", "", "1", data)], "")
    records, _ = metric_records(MetricsData([ResourceMetrics(RESOURCE, [scope], "")]))
    return records[0]


RECORDS = [span, log, metric]


def masked(value: Any) -> Any:
    """``value`` without the secret."""
    if isinstance(value, str):
        return value.replace(SECRET, "***")
    if isinstance(value, list):
        return [masked(each) for each in value]
    return {key: masked(each) for key, each in value.items()} if isinstance(value, dict) else value


@pytest.mark.parametrize("make", RECORDS)
def test_every_text_is_offered(make: Any) -> None:
    """After rewriting, the secret is nowhere in the bytes; the untouched original still has it."""
    original: Record = make()
    copy = original.copy()

    copy.rewrite(lambda _, value: masked(value), lambda _, words: words.replace(SECRET, "***"))
    origin = original.origin.rewritten(lambda _, value: masked(value), lambda _, words: words.replace(SECRET, "***"))

    assert SECRET.encode() not in encode(copy)
    assert b"***" in encode(copy)
    assert SECRET.encode() not in b"".join((origin.group.resource, origin.group.scope))
    assert b"r ***" in origin.group.resource
    assert encode(original) == encode(make())


def test_a_structured_body_is_offered_as_a_value() -> None:
    """A log body that is no text is rewritten as a value, under the key ``body``."""
    record = log({"password": SECRET})

    record.rewrite(lambda key, value: masked(value) if key == "body" else value, lambda _, words: words)

    assert record.body == {"password": "***"}


@pytest.mark.parametrize("make", RECORDS)
def test_dropping(make: Any) -> None:
    """What a policy drops is gone: attributes are counted as dropped, texts are empty."""
    record: Any = make()

    record.rewrite(lambda _key, _value: DROP, lambda _where, _words: DROP)

    assert SECRET.encode() not in encode(record)
    if isinstance(record, SpanRecord):
        assert (record.name, record.status_message, record.attributes, record.dropped_attributes) == ("", "", {}, 3)
        assert [event.dropped_attributes for event in record.events] == [1, 0]
        assert [link.dropped_attributes for link in record.links] == [1]


def test_dropping_a_body() -> None:
    """A body that a policy drops is empty, whether it was text or structure."""
    for body in ("text", {"a": 1}):
        record = log(body)
        record.rewrite(lambda _key, _value: DROP, lambda _where, _words: DROP)
        assert not record.body


@pytest.mark.parametrize("make", RECORDS)
def test_where_a_text_stands(make: Any) -> None:
    """A policy is told where each text stands."""
    seen: dict[str, str] = {}
    make().rewrite(lambda _, value: value, seen.setdefault)

    expected = {
        span: {"name": "name ", "status.message": "failed ", "event.name": "event "},
        log: {"body": "said ", "event.name": "event ", "severity.text": "SEVERE "},
        metric: {"name": "name "},
    }[make]
    assert {where: words + SECRET for where, words in expected.items()}.items() <= seen.items()
    assert seen["attribute.key"] == "text"


@pytest.mark.parametrize("make", RECORDS)
def test_a_truncated_copy(make: Any) -> None:
    """Shortening a copy leaves the original whole."""
    from aumos_otel.delivery.truncation import Limits

    original: Record = make()
    copy = original.copy()

    copy.truncate(Limits(attribute=1, content=1, body=1, name=1, message=1))

    assert SECRET.encode() not in encode(copy)
    assert encode(original) == encode(make())


def test_whose_record_it_is() -> None:
    """The tenant is the record's own, else its resource's, else nobody's."""
    record = span()
    assert record.tenant is None

    record.attributes = {attributes.AUMOS_TENANT_ID: "acme"}
    assert record.tenant == "acme"

    record.attributes = {attributes.AUMOS_TENANT_ID: 5}
    assert record.tenant is None
    assert metric().tenant is None


def test_what_is_worth_more() -> None:
    """Errors and LLM calls are worth more than the rest."""
    failed, quiet, chat = span(), span(), span()
    quiet.status_code = chat.status_code = 0
    chat.attributes = {attributes.GEN_AI_OPERATION_NAME: "chat"}

    assert [each.valued for each in (failed, quiet, chat, log(), metric())] == [True, False, True, True, False]


def test_who_speaks_is_known_once() -> None:
    """Records of the same resource and scope share one encoded origin."""
    first, second = span(), log()

    assert first.origin is second.origin
    assert (first.scope_name, first.resource_attributes["service.name"]) == ("scope", "tests")


def test_more_resources_than_are_remembered() -> None:
    """The memory for resources is bounded, and forgetting changes nothing."""
    names = set()
    for number in range(1100):
        resource = Resource({"service.name": f"tests-{number}"})
        given = ReadableSpan("work", CONTEXT, resource=resource, start_time=1, end_time=2)
        names.add(span_record(given).origin.group.resource)

    assert len(names) == 1100


def test_a_resource_that_leaves_no_room() -> None:
    """A resource whose attributes would fill a request is shortened until there is room for records."""
    resource = Resource({f"key.{number}": "x" * 32_768 for number in range(128)})

    origin = span_record(ReadableSpan("work", CONTEXT, resource=resource, start_time=1, end_time=2)).origin

    assert len(origin.group.resource) < 128 * 1024
    assert origin.resource_attributes["key.1"] == "x" * 32_768
