"""Bad spans and log records: what is mended, and that the others of their batch arrive whatever they hold."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry._logs import LogRecord as ApiLogRecord
from opentelemetry._logs import SeverityNumber
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode

from aumos_otel.delivery.assembly import assemble
from aumos_otel.delivery.packing import parcels_of
from aumos_otel.delivery.reading import log_record, span_record

CONTEXT = SpanContext(1, 2, is_remote=False)
RESOURCE = Resource({"service.name": "tests"})
SCOPE = InstrumentationScope("tests", "1")
CYCLE: dict[str, Any] = {}
CYCLE["me"] = CYCLE
DEEP: dict[str, Any] = {}
for _ in range(1000):
    DEEP = {"down": DEEP}

#: What no attribute, name or body should be, and users put there all the same.
JUNK = [
    "\ud800",
    "nul\0",
    b"\xff",
    2**63,
    -(2**70),
    10**400,
    1.5,
    -1,
    float("nan"),
    float("inf"),
    None,
    True,
    object(),
    {1, 2},
    {"inner": object()},
    {object(): 1},
    CYCLE,
    DEEP,
    [[object()]],
    ValueError("\udfff"),
    "x" * 100_000,
    [0] * 100_000,
]
junk = pytest.mark.parametrize("junk", JUNK, ids=lambda value: repr(type(value).__name__))


def span(**fields: Any) -> ReadableSpan:
    """A finished span, with some fields as a test wants them."""
    good = {
        "name": "work",
        "context": CONTEXT,
        "resource": RESOURCE,
        "instrumentation_scope": SCOPE,
        "start_time": 10,
        "end_time": 20,
    }
    return ReadableSpan(**good | fields)


def log(**fields: Any) -> ReadableLogRecord:
    """A log record, with some fields as a test wants them."""
    record = ApiLogRecord(timestamp=10, observed_timestamp=20, severity_number=SeverityNumber.INFO, body="said")
    for name, value in fields.items():
        setattr(record, name, value)
    return ReadableLogRecord(record, RESOURCE, SCOPE)


def arrived(*spans: ReadableSpan) -> list[Any]:
    """The spans as a receiver decodes them."""
    body = assemble([parcel for each in spans for parcel in parcels_of(span_record(each))])
    request = ExportTraceServiceRequest.FromString(body)
    return [each for resource in request.resource_spans for scope in resource.scope_spans for each in scope.spans]


def arrived_log(data: ReadableLogRecord) -> Any:
    """The log record as a receiver decodes it."""
    request = ExportLogsServiceRequest.FromString(assemble(parcels_of(log_record(data))))
    return request.resource_logs[0].scope_logs[0].log_records[0]


@junk
@pytest.mark.parametrize("field", ["name", "kind", "start_time", "end_time", "attributes", "events", "links", "status"])
def test_a_bad_field_of_a_span(field: str, junk: object) -> None:
    """A span with junk in any of its fields arrives, and so does its neighbour."""
    bad, good = arrived(span(**{field: junk}), span())

    assert (bad.span_id, good.name) == (good.span_id, "work")
    assert 0 <= bad.start_time_unix_nano <= bad.end_time_unix_nano < 2**63


@junk
def test_junk_within_a_span(junk: Any) -> None:
    """Junk as attribute, event or link costs itself alone; what stands beside it arrives."""
    event, link = Event("event", {"good": 1}, 15), Link(CONTEXT, {"good": 1})
    (found,) = arrived(
        span(
            attributes={"bad": junk, "good": 1},
            events=[event, junk, Event(junk, {"bad": junk}, junk), event],
            links=[link, junk, Link(junk), Link(CONTEXT, {"bad": junk}), link],
            status=SimpleNamespace(status_code=StatusCode.ERROR, description=junk),
        )
    )

    assert {each.key for each in found.attributes} == {"bad", "good"}
    assert len(found.events) + found.dropped_events_count == 4
    assert len(found.links) + found.dropped_links_count == 5
    assert [found.events[0].name, found.events[-1].name] == ["event", "event"]
    assert (found.dropped_events_count, found.dropped_links_count) == (1, 2)
    assert found.status.code == 2


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (10, 20, (10, 20)),
        (20, 10, (20, 20)),
        (-5, 20, (20, 20)),
        (10.7, 20.2, (10, 20)),
        (10, None, (10, 10)),
        (None, 20, (20, 20)),
        (None, None, (0, 0)),
        ("10", "20", (0, 0)),
        (10, 2**64, (10, 2**63 - 1)),
        (float("nan"), float("inf"), (0, 0)),
        (True, 20, (20, 20)),
    ],
)
def test_times(start: Any, end: Any, expected: tuple[int, int]) -> None:
    """A time out of range is brought into it, one that is none is taken from the other, and no span ends before it began."""
    (found,) = arrived(span(start_time=start, end_time=end))

    assert (found.start_time_unix_nano, found.end_time_unix_nano) == expected


@pytest.mark.parametrize(
    "context", [None, SimpleNamespace(trace_id="1", span_id=2), SimpleNamespace(trace_id=1, span_id=2**64)]
)
def test_a_span_without_ids(context: Any) -> None:
    """A span whose ids are none cannot be mended: it raises, so that it is counted alone."""
    with pytest.raises((TypeError, AttributeError)):
        span_record(span(context=context))


@junk
@pytest.mark.parametrize(
    "field",
    [
        "body",
        "severity_text",
        "severity_number",
        "timestamp",
        "observed_timestamp",
        "attributes",
        "event_name",
        "trace_id",
        "span_id",
    ],
)
def test_a_bad_field_of_a_log_record(field: str, junk: object) -> None:
    """A log record with junk in any of its fields arrives."""
    found = arrived_log(log(**{field: junk}))

    if field != "body":
        assert found.body.string_value == "said"
    if field != "timestamp":
        assert found.time_unix_nano == 10


def test_an_exception_with_its_stack_trace() -> None:
    """A real exception event arrives with the type and both ends of a very long stack trace."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    message = "m" * 100_000

    with pytest.raises(ValueError, match="m"), provider.get_tracer("tests").start_as_current_span("work"):
        raise ValueError(message)
    (found,) = arrived(*exporter.get_finished_spans())

    event = {each.key: each.value.string_value for each in found.events[0].attributes}
    assert event["exception.type"] == "ValueError"
    assert event["exception.stacktrace"].startswith("Traceback")
    assert "… (len " in event["exception.message"]
    assert len(event["exception.stacktrace"]) < 66_000
    assert found.status.message.startswith("ValueError: mmm")
    assert len(found.status.message) < 9_000


def test_ten_megabytes_twenty_times() -> None:
    """Prompts of 10 MB arrive shortened, with the length of the whole."""
    prompt = "a" * 10_000_000

    found = arrived(*(span(attributes={f"prompt.{number}": prompt}) for number in range(20)))

    assert len(found) == 20
    for each in found:
        assert each.attributes[0].value.string_value.startswith("aaa")
        assert "… (len 10000000, sha256 " in each.attributes[0].value.string_value
        assert each.ByteSize() < 40_000


def test_a_broken_trace_state() -> None:
    """A trace state that cannot be read is left out, and its span arrives."""
    context: Any = SimpleNamespace(trace_id=1, span_id=2, trace_state=5)

    (found,) = arrived(span(context=context))

    assert (found.trace_state, found.name) == ("", "work")


def test_kinds_and_states() -> None:
    """Whatever stands in place of the kind or status code, a receiver gets one that it knows."""
    unknown = SimpleNamespace(status_code=SimpleNamespace(value=9), description=None)

    server, odd = arrived(span(kind=SpanKind.SERVER, status=Status(StatusCode.OK)), span(kind="server", status=unknown))

    assert (server.kind, server.status.code) == (2, 1)
    assert (odd.kind, odd.status.code) == (1, 0)


def test_the_flags_of_a_remote_parent() -> None:
    """A receiver can tell whether the parent was another process."""
    remote, local, root = arrived(
        span(parent=SpanContext(1, 9, is_remote=True)), span(parent=SpanContext(1, 9, is_remote=False)), span()
    )

    assert [remote.flags, local.flags, root.flags] == [0x300, 0x100, 0x100]
    assert [remote.parent_span_id, root.parent_span_id] == [(9).to_bytes(8, "big"), b""]


anything = st.recursive(
    st.sampled_from(JUNK) | st.text(st.characters(), max_size=5) | st.integers() | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(st.characters(), max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
events = st.lists(st.builds(Event, anything, anything, anything) | anything, max_size=3) | anything
links = st.lists(st.builds(Link, st.just(CONTEXT) | anything, anything) | anything, max_size=3) | anything


@settings(deadline=None, max_examples=150)
@given(
    st.fixed_dictionaries(
        dict.fromkeys(("name", "attributes", "start_time", "end_time", "status"), anything)
        | {"events": events, "links": links}
    )
)
def test_anything_anywhere_in_a_span(fields: dict[str, Any]) -> None:
    """Whatever stands in every field at once, the span arrives, and so does its neighbour."""
    bad, good = arrived(span(**fields), span())

    assert (bad.span_id, good.name) == (good.span_id, "work")
    assert bad.start_time_unix_nano <= bad.end_time_unix_nano


@settings(deadline=None, max_examples=150)
@given(
    st.fixed_dictionaries(
        dict.fromkeys(("body", "attributes", "timestamp", "severity_text", "severity_number", "event_name"), anything)
    )
)
def test_anything_anywhere_in_a_log_record(fields: dict[str, Any]) -> None:
    """Whatever stands in every field at once, the log record arrives."""
    found = arrived_log(log(**fields))

    assert found.observed_time_unix_nano == 20
