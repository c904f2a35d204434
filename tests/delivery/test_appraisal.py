"""What a finished record roughly weighs and is worth, asked on the user's thread."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import ReadableLogRecord
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.trace import Link, SpanContext, Status, StatusCode

from aumos_otel.delivery.appraisal import appraise_log, appraise_span
from aumos_otel.semconv import attributes

CONTEXT = SpanContext(1, 2, is_remote=False)
LONG = "x" * 10_000


def span(**fields: Any) -> ReadableSpan:
    """A finished span."""
    return ReadableSpan("work", CONTEXT, **fields)


def log(**fields: Any) -> ReadableLogRecord:
    """A log record."""
    return ReadableLogRecord(LogRecord(**fields), Resource({}))


@pytest.mark.parametrize(
    "large",
    [
        span(attributes={"a": LONG}),
        span(attributes={"a": LONG.encode()}),
        span(attributes={"a": ["x"] * 1000}),
        span(attributes={"a": [{"b": (LONG,)}]}),
        span(events=[Event("e", {"a": LONG})]),
        span(links=[Link(CONTEXT, {"a": LONG})]),
    ],
)
def test_the_size_of_a_span(large: ReadableSpan) -> None:
    """Long texts count, wherever in a span they are."""
    small, _ = appraise_span(span())
    size, _ = appraise_span(large)

    assert 100 < small < 1000
    assert 10_000 <= size - small < 100_000


@pytest.mark.parametrize("fields", [{"body": LONG}, {"attributes": {"a": LONG}}, {"body": {"a": LONG}}])
def test_the_size_of_a_log_record(fields: Any) -> None:
    """Long texts count, in body and attributes; also within a structure."""
    small, _ = appraise_log(log())
    size, _ = appraise_log(log(**fields))

    assert 10_000 <= size - small < 12_000


def test_what_is_dropped_last() -> None:
    """Errors and LLM calls are worth more."""
    chat = {attributes.GEN_AI_OPERATION_NAME: "chat"}
    spans = [span(), span(status=Status(StatusCode.ERROR)), span(attributes=chat), span(status=Status(StatusCode.OK))]
    logs = [
        log(),
        log(severity_number=SeverityNumber.WARN),
        log(severity_number=SeverityNumber.ERROR),
        log(attributes=chat),
    ]

    assert [appraise_span(each)[1] for each in spans] == [False, True, True, False]
    assert [appraise_log(each)[1] for each in logs] == [False, False, True, True]


@pytest.mark.parametrize(
    "broken",
    [
        span(attributes=5),
        span(events=None),
        span(events=[object()]),
        span(status=None),
        None,
    ],
)
def test_what_is_broken(broken: Any) -> None:
    """A broken record gets an estimate and no favour; nothing is raised on the user's thread."""
    for appraise in (appraise_span, appraise_log):
        size, valued = appraise(broken)
        assert size > 100
        assert valued is False


def test_a_body_without_end() -> None:
    """A body that contains itself, or very much, is estimated from a sample."""
    cycle: Any = {}
    cycle["me"] = cycle
    large = {str(number): [LONG] for number in range(1000)}

    assert appraise_log(log(body=cycle))[0] < 2000
    assert 10_000_000 <= appraise_log(log(body=large))[0] < 11_000_000
