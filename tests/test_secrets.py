"""A secret that is planted anywhere in telemetry leaves neither over the wire nor onto the disk."""

from __future__ import annotations

import base64
import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import metrics, trace
from opentelemetry.trace import Link, SpanContext, Status, StatusCode, TraceFlags
from servers.otlp import HTTPSink

import aumos_otel as aumos
from aumos_otel import OTLP, LLMOptions, SpoolOptions, Telemetry, llm, testing

#: One of each family, and what of it must not be found anywhere.
SECRETS = {
    "password=hunter2hunter2": "hunter2hunter2",
    "sk-proj-T3BlbkFJabcdefghijklmnopqrstuvwxyz0123456789ABCD": "T3BlbkFJabcdefghijklmnopqrstuvwxyz",
    "AKIAIOSFODNN7EXAMPLE": "IOSFODNN7EXAMPLE",
    "postgres://app:s3cr3tpassw0rd@db/app": "s3cr3tpassw0rd",
    "ghp_abcdefghijklmnopqrstuvwxyz0123456789": "abcdefghijklmnopqrstuvwxyz0123456789",
    "Authorization: Basic dXNlcjpwYXNzd29yZDEyMw==": "dXNlcjpwYXNzd29yZDEyMw",
    "4111 1111 1111 1111": "4111 1111 1111 1111",
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U": (
        "dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
    ),
}
LINK = SpanContext(1, 2, is_remote=True, trace_flags=TraceFlags(1))


def broken(text: str) -> BaseException:
    """An exception with the text in its message, and in the local names of its traceback."""
    try:
        int(text, base=10)
    except ValueError as error:
        return ValueError(f"{text}: {error}").with_traceback(error.__traceback__)
    return ValueError(text)


def in_span(place: str, text: str) -> None:
    """A span with ``text`` at a place."""
    tracer = trace.get_tracer("tests.secrets")
    if place == "name":
        tracer.start_span(text).end()
        return
    with tracer.start_as_current_span("work", links=[Link(LINK, {"why": text})] if place == "link" else ()) as span:
        {
            "status": lambda: span.set_status(Status(StatusCode.ERROR, text)),
            "value": lambda: span.set_attribute("note", text),
            "key": lambda: span.set_attribute(text, 1),
            "list": lambda: span.set_attribute("notes", ["fine", text]),
            "nested": lambda: span.set_attribute("deep", {"a": {"b": [text]}}),
            "bytes": lambda: span.set_attribute("raw", text.encode()),
            "url": lambda: span.set_attribute("url.full", f"https://api.example/v1?q={text}&x=1"),
            "query": lambda: span.set_attribute("url.query", f"q={text}"),
            "event name": lambda: span.add_event(text),
            "event": lambda: span.add_event("happened", {"how": text}),
            "exception": lambda: span.record_exception(broken(text)),
            "link": lambda: None,
        }[place]()


def in_log(place: str, text: str) -> None:
    """A log record with ``text`` at a place."""
    logger = logging.getLogger(text if place == "logger" else "tests.secrets")
    {
        "message": lambda: logger.warning(text),
        "argument": lambda: logger.warning("told %s", text),
        "extra": lambda: logger.warning("told", extra={"detail": text}),
        "body": lambda: logger.warning({"told": [text]}),
        "exc_info": lambda: logger.error("failed", exc_info=broken(text)),
        "logger": lambda: logger.warning("told"),
    }[place]()


def in_llm(place: str, text: str) -> None:
    """An LLM call with ``text`` at a place of its content."""
    with llm.span("chat", provider="openai", model="m") as call:
        message: dict[str, Any] = {"role": "user", "parts": [{"type": "text", "content": text}]}
        if place == "arguments":
            message = {
                "role": "assistant",
                "parts": [{"type": "tool_call", "id": "1", "name": "f", "arguments": {"token": text}}],
            }
        call.set_output([message]) if place == "output" else call.set_input([message])


def in_metric(place: str, text: str) -> None:
    """A data point with ``text`` in a label."""
    metrics.get_meter("tests.secrets").create_counter("told").add(1, {text: "x"} if place == "label" else {"l": text})


PLACES = [
    *((in_span, place) for place in ("name", "status", "value", "key", "list", "nested", "bytes")),
    *((in_span, place) for place in ("url", "query", "event name", "event", "exception", "link")),
    *((in_log, place) for place in ("message", "argument", "extra", "body", "exc_info", "logger")),
    *((in_llm, place) for place in ("input", "output", "arguments")),
    *((in_metric, place) for place in ("value", "label")),
]


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Where the spool lies."""
    path = tmp_path / "spool"
    path.mkdir(mode=0o700)
    return path


@pytest.fixture
def sink() -> Iterator[HTTPSink]:
    """A receiver."""
    with HTTPSink() as receiver:
        yield receiver
        testing.reset()


@pytest.fixture
def telemetry(sink: HTTPSink, spool: Path) -> Telemetry:
    """Everything on: content, a receiver that takes all, and one that is not there, with a spool."""
    return aumos.configure(
        service_name="secrets",
        destinations=[
            OTLP(name="wire", endpoint=sink.url),
            OTLP(
                name="disk",
                endpoint="http://127.0.0.1:9",
                spool=SpoolOptions(enabled=True, directory=str(spool), min_free=0),
            ),
        ],
        llm=LLMOptions(content="full", capture="both"),
        resource_attributes={"deployment.note": "password=hunter2hunter2"},
        instrumentations=False,
    )


def kept(spool: Path) -> bytes:
    """Every byte on the disk."""
    return b"".join(path.read_bytes() for path in sorted(spool.rglob("*")) if path.is_file())


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    planted=st.sampled_from(sorted(SECRETS)),
    place=st.sampled_from(PLACES),
    before=st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=40),
    after=st.text(st.characters(codec="utf-8", exclude_categories=("Cc",)), max_size=40),
)
def test_a_planted_secret_never_leaves(
    telemetry: Telemetry, sink: HTTPSink, spool: Path, *, planted: str, place: Any, before: str, after: str
) -> None:
    """Whatever the secret, wherever it stands, between whatever words: no byte of it is sent or written."""
    sink.exports.clear()
    swallowed = telemetry.status().guard
    put, where = place

    put(where, f"{before} {planted} {after}")
    telemetry.force_flush(1.0 if put is in_metric else 0.05)  # the SDK gives up a collection that takes longer
    sink.wait({in_span: "traces", in_log: "logs", in_llm: "traces", in_metric: "metrics"}[put])

    secret = SECRETS[planted]
    forms = [secret, base64.b64encode(secret.encode()).decode().rstrip("="), json.dumps(secret)[1:-1]]
    sent = b"".join(export.body.SerializeToString() for export in sink.exports)
    written = kept(spool)
    assert sent
    for form in forms:
        assert form.encode() not in sent, where
        assert form.encode() not in written, where
    assert telemetry.status().guard == swallowed


def test_the_check_can_fail(sink: HTTPSink, spool: Path, telemetry: Telemetry) -> None:
    """What is no secret does arrive, and is written: the search above looks at the right bytes."""
    sink.exports.clear()
    in_span("value", "an ordinary remark")
    telemetry.force_flush(1.0)

    assert b"an ordinary remark" in b"".join(export.body.SerializeToString() for export in sink.exports)
    assert b"an ordinary remark" in kept(spool)
    with contextlib.suppress(OSError):
        assert all(path.stat().st_mode & 0o077 == 0 for path in spool.rglob("*"))
