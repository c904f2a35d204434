"""What is read from a receiver's answer, whatever it wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse

from aumos_otel.delivery.answer import JSON, PROTOBUF, explanation, one_line, partial_success

SIGNALS = st.sampled_from(["traces", "metrics", "logs"])
MEDIA = st.sampled_from([JSON, PROTOBUF, "", "text/html", "text/plain"])
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["partialSuccess", "partial_success", "rejectedSpans", "errorMessage", "message"]), inner
        )
    ),
    max_leaves=8,
)


@given(
    signal=SIGNALS, media=MEDIA, body=st.binary(max_size=200) | ANYTHING.map(lambda value: json.dumps(value).encode())
)
def test_any_body(signal: Any, media: str, body: bytes) -> None:
    """A body is a count and a line, or a ValueError; a count is never negative, a line has no line break."""
    assert explanation(media, body).isprintable()
    try:
        refused, message = partial_success(signal, media, body)
    except ValueError:
        return
    assert refused >= 0
    assert message.isprintable()


@pytest.mark.parametrize(
    "text",
    [
        '{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"no"}}',
        '{"partialSuccess":{"rejectedLogRecords":3,"errorMessage":"no"}}',
        '{"partial_success":{"rejected_log_records":"3","error_message":"no"}}',
    ],
)
def test_spellings(text: str) -> None:
    """A number may be text, and names may be those of protobuf's fields."""
    assert partial_success("logs", JSON, text.encode()) == (3, "no")


def test_protobuf() -> None:
    """Every signal's answer is read from protobuf."""
    answer = ExportLogsServiceResponse()
    answer.partial_success.rejected_log_records = 3
    answer.partial_success.error_message = "no"

    assert partial_success("logs", PROTOBUF, answer.SerializeToString()) == (3, "no")


@pytest.mark.parametrize("body", [b"{}", b'{"partialSuccess":{}}', b'{"partialSuccess":null}', b""])
def test_nothing_was_refused(body: bytes) -> None:
    """An empty answer means that all of it was taken."""
    assert partial_success("traces", JSON, body) == (0, "")


def test_explanations() -> None:
    """The reason is read from a status in either encoding, or from plain text; a page is not repeated."""
    status = Status(code=3, message="bad\x1b[31m tenant\n")

    assert explanation(PROTOBUF, status.SerializeToString()) == "bad [31m tenant"
    assert explanation(JSON, b'{"code":3,"message":"bad tenant"}') == "bad tenant"
    assert explanation("text/plain", b"bad tenant\xff\n") == "bad tenant\N{REPLACEMENT CHARACTER}"
    assert explanation("text/html", b"<html>") == ""


def test_a_long_line() -> None:
    """A line is cut, however long the text is."""
    assert len(one_line("x" * 10**6)) == 301
