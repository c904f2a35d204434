from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aumos_otel._internal.lines import (
    LogView,
    SpanView,
    clock,
    duration,
    escape,
    log_line,
    log_lines,
    money,
    plain,
    span_line,
    span_lines,
)
from aumos_otel.semconv import attributes

CLOCK = re.compile(r"^\d\d:\d\d:\d\d\.\d\d\d  ")


TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


#: 2026-11-22T20:59:01.123Z, in nanoseconds.
NOW = 1795381141_123_000_000


CHAT = {
    attributes.GEN_AI_OPERATION_NAME: "chat",
    attributes.GEN_AI_PROVIDER_NAME: "openai",
    attributes.GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: 0.312,
    attributes.GEN_AI_USAGE_INPUT_TOKENS: 142,
    attributes.GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: 96,
    attributes.GEN_AI_USAGE_OUTPUT_TOKENS: 67,
    attributes.GEN_AI_USAGE_COST: 0.00021,
    attributes.GEN_AI_RESPONSE_FINISH_REASONS: ("stop",),
    attributes.AUMOS_TENANT_ID: "acme",
}


def span_view(**changes):
    """A server span of 12 ms."""
    given = {"name": "GET /chat", "kind": "SERVER", "start": NOW - 12_000_000, "end": NOW, "trace_id": TRACE}
    return SpanView(**given | changes)


def log_view(**changes):
    """A warning of ``app.chat``."""
    given = {"timestamp": NOW, "severity_number": 13, "severity_text": "WARN", "logger": "app.chat", "body": "slow"}
    return LogView(**given | changes)


def after_clock(line):
    """The text of a line without its time."""
    text = plain(line)
    assert CLOCK.match(text)
    return text[len("20:59:01.123  ") :]


def test_server_span_is_one_line():
    """Time, name, kind, status code, duration, start of the trace id."""
    line = span_line(span_view(attributes={attributes.HTTP_RESPONSE_STATUS_CODE: 200}))

    assert after_clock(line) == "GET /chat  SERVER  200  12ms  4bf92f35"


def test_llm_span_has_the_designed_line():
    """Provider, time to first chunk, tokens, cost, finish reason and tenant of a call."""
    line = span_line(span_view(name="chat gpt-5-mini", kind="CLIENT", start=NOW - 1_840_000_000, attributes=CHAT))

    assert after_clock(line) == (
        "chat gpt-5-mini  openai  1.84s  first 312ms  in 142 (cached 96) out 67  $0.00021  stop  tenant=acme  4bf92f35"
    )


def test_llm_span_leaves_out_what_it_does_not_know():
    """A call without usage, cost and finish reason has a shorter line, not a line of zeros."""
    line = span_line(span_view(name="chat", attributes={attributes.GEN_AI_OPERATION_NAME: "chat"}))

    assert after_clock(line) == "chat  12ms  4bf92f35"


def test_clock_is_local_and_never_fails(monkeypatch):
    """Times are those of the wall; what no calendar reaches is shown as unknown."""
    assert re.fullmatch(r"\d\d:\d\d:01\.123", clock(NOW))
    assert clock(10**40) == "--:--:--.---"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0us"),
        (-3, "0us"),
        (0.00042, "420us"),
        (0.0009996, "1ms"),
        (0.012, "12ms"),
        (0.9996, "1.00s"),
        (1.84, "1.84s"),
        (9.996, "10.0s"),
        (59.97, "1m00s"),
        (125, "2m05s"),
    ],
)
def test_durations_are_short(seconds, text):
    """Three digits or so, in the unit that suits; no unit ever shows its own limit."""
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("dollars", "text"),
    [(0, "$0.00000"), (0.000001, "<$0.00001"), (0.00021, "$0.00021"), (0.0123, "$0.0123"), (1.5, "$1.50")],
)
def test_costs_are_never_rounded_to_nothing(dollars, text):
    """A cost that is not zero does not look like zero."""
    assert money(dollars) == text


def test_failed_span_without_exception_shows_its_status():
    """A status description stands in for the exception."""
    lines = span_lines(span_view(error=True, status_message="upstream said 502"))

    assert [plain(line) for line in lines[1:]] == ["    upstream said 502"]
    assert {segment.role for segment in lines[0] if segment.text.strip()} == {"error"}


def test_content_is_shown_only_when_captured():
    """Captured messages give two short lines; otherwise there is none."""
    said = '[{"role": "system", "parts": [{"type": "text", "content": "be kind"}]}, {"role": "user", "parts": [{"type": "text", "content": "hi\\u001b[2J"}]}]'
    captured = {attributes.GEN_AI_INPUT_MESSAGES: said, attributes.GEN_AI_OUTPUT_MESSAGES: "x" * 500}

    lines = [plain(line) for line in span_lines(span_view(attributes=CHAT | captured))]

    assert lines[1:] == ["    > hi\\x1b[2J", "    < " + "x" * 119 + "…"]
    assert len(span_lines(span_view(attributes=CHAT))) == 1


def test_log_record_is_one_line():
    """Time, level in Python's words, logger, message, start of the trace id."""
    assert after_clock(log_line(log_view(trace_id=TRACE))) == "WARNING  app.chat  slow  4bf92f35"


@pytest.mark.parametrize(
    ("number", "text", "level"),
    [(9, "", "INFO"), (17, "", "ERROR"), (21, "FATAL", "CRITICAL"), (0, "", "LOG"), (10, "NOTICE", "NOTICE")],
)
def test_levels_are_in_the_words_of_logging(number, text, level):
    """OpenTelemetry's words become Python's; a level of one's own keeps its name."""
    assert after_clock(log_line(log_view(severity_number=number, severity_text=text))).startswith(level + "  ")


@pytest.mark.parametrize(
    ("body", "text"), [({"a": [1, "é"]}, '{"a": [1, "é"]}'), (5, "5"), ({1: object}, "{"), (b"x", "b'x'")]
)
def test_body_of_any_type_is_shown(body, text):
    """A structured body is shown as JSON where it can be."""
    assert f"app.chat  {text}" in plain(log_line(log_view(body=body)))


@given(st.text(st.characters(exclude_categories=[]), max_size=50))
def test_nothing_that_a_terminal_obeys_gets_through(text):
    """Whatever the data is, an escaped text has one line and no control character."""
    shown = escape(text, 1000)

    assert len((shown + "x").splitlines()) == 1
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", shown)


def test_letters_and_emoji_are_left_alone():
    """Escaping is for what harms; people's names and their emoji are text."""
    assert escape("Zoë 东京 👩\u200d💻 a\u00a0b") == "Zoë 东京 👩\u200d💻 a\u00a0b"


def test_long_names_are_cut():
    """A name cannot fill the screen."""
    assert len(escape("x" * 10_000)) == 200


def test_exception_without_stack_trace_is_named():
    """Where the record has no stack trace, type and message stand below it."""
    lines = log_lines(log_view(attributes={attributes.EXCEPTION_TYPE: "E", attributes.EXCEPTION_MESSAGE: "m"}))

    assert [plain(line) for line in lines[1:]] == ["    E: m"]
