"""OTEL_*_LIMIT: how much one span, event, link or log record may carry."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import trace
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from servers.work import configure, in_memory, only

MANY = {f"key{number}": "x" * 100 for number in range(20)}


def everything(spans: InMemorySpanExporter) -> ReadableSpan:
    """A span with 20 attributes, events and links, each of the latter with 20 attributes; values of 100 characters."""
    other = trace.SpanContext(1, 2, is_remote=True)
    tracer = trace.get_tracer("tests")
    with tracer.start_as_current_span("work", links=[trace.Link(other, MANY)] * 20) as span:
        span.set_attributes(MANY)
        for _ in range(20):
            span.add_event("happened", MANY)
    return only(spans)


def count(span: ReadableSpan, what: str) -> int:
    """How many of something the span kept."""
    kept = {
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "event attributes": span.events[0].attributes if span.events else (),
        "link attributes": span.links[0].attributes if span.links else (),
    }
    return len(kept[what])


@pytest.mark.parametrize(
    ("variable", "limited"),
    [
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", {"attributes", "event attributes", "link attributes"}),
        ("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", {"attributes"}),
        ("OTEL_SPAN_EVENT_COUNT_LIMIT", {"events"}),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", {"links"}),
        ("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", {"event attributes"}),
        ("OTEL_LINK_ATTRIBUTE_COUNT_LIMIT", {"link attributes"}),
    ],
)
def test_span_counts(
    variable: str, limited: set[str], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable limits what it names, and nothing else."""
    monkeypatch.setenv(variable, "3")
    in_memory(spans)

    span = everything(spans)

    all_of_it = {"attributes", "events", "links", "event attributes", "link attributes"}
    assert {what: count(span, what) for what in all_of_it} == {what: 3 if what in limited else 20 for what in all_of_it}


@pytest.mark.parametrize(
    ("variable", "limited"),
    [
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", {"span", "event", "link"}),
        ("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", {"span"}),
    ],
)
def test_span_lengths(
    variable: str, limited: set[str], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Values are cut at the length that the variable says."""
    monkeypatch.setenv(variable, "7")
    in_memory(spans)

    span = everything(spans)

    carriers = {"span": span, "event": span.events[0], "link": span.links[0]}
    lengths = {name: len(carrier.attributes["key0"]) for name, carrier in carriers.items()}
    assert {name for name, length in lengths.items() if length == 7} >= limited
    assert lengths["span"] == 7


@pytest.mark.filterwarnings("ignore:Log record attributes were dropped")  # the SDK says so once a process
@pytest.mark.parametrize(
    ("variable", "kept", "length"),
    [
        ("OTEL_ATTRIBUTE_COUNT_LIMIT", 3, 100),
        ("OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT", 3, 100),
        ("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT", 20, 3),
        ("OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT", 20, 3),
    ],
)
def test_log_records(variable: str, kept: int, length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The variable limits the attributes of a log record, or their length."""
    monkeypatch.setenv(variable, "3")
    memory = InMemoryLogRecordExporter()
    configure(destinations=[], log_record_processors=[SimpleLogRecordProcessor(memory)])

    logging.getLogger("tests").warning("hello", extra=MANY)

    (record,) = memory.get_finished_logs()
    assert len(record.log_record.attributes) == kept
    assert {len(value) for value in record.log_record.attributes.values()} == {length}


def test_the_particular_limit_beats_the_general_one(
    spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT counts for spans, OTEL_ATTRIBUTE_COUNT_LIMIT for the rest."""
    monkeypatch.setenv("OTEL_ATTRIBUTE_COUNT_LIMIT", "3")
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "5")
    in_memory(spans)

    span = everything(spans)

    assert len(span.attributes) == 5
    assert len(span.events[0].attributes) == 3


def test_an_empty_limit_is_the_default(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty limit means 128, where the stock SDK takes it for no limit at all."""
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "")
    in_memory(spans)

    with trace.get_tracer("tests").start_as_current_span("work") as span:
        span.set_attributes({f"key{number}": number for number in range(200)})

    assert len(only(spans).attributes) == 128
