"""AUMOS_OTEL_* variables of delivery: what waits in memory and on disk, and what is redacted before it leaves."""

from __future__ import annotations

from pathlib import Path

import pytest
from opentelemetry import trace
from servers.otlp import HTTPSink, attributes
from servers.work import configure, eventually

from aumos_otel import RedactionOptions, Telemetry

#: A token of GitHub that was never issued.
TOKEN = "ghp_" + "a1B2" * 9


def sent(collector: HTTPSink, value: str, name: str = "note", **options: object) -> object:
    """The attribute of a span as the collector got it; None if it is gone."""
    telemetry = configure(metrics=False, logs=False, **options)
    trace.get_tracer("tests").start_span("work", attributes={name: value}).end()
    assert telemetry.force_flush(10.0), telemetry.status()
    return attributes(collector.spans()[0]).get(name)


def book(telemetry: Telemetry) -> dict[str, object]:
    """The only account."""
    (found,) = telemetry.status().destinations
    return dict(found)


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_QUEUE_BYTES"])
def test_queue_bytes(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """Behind a collector that hangs no more bytes wait than the variable says; the rest is counted as lost."""
    monkeypatch.setenv(variable, "65536")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    collector.answering.clear()
    telemetry = configure(metrics=False, logs=False)
    tracer = trace.get_tracer("tests")

    tracer.start_span("work").end()
    collector.wait_for_arrival()
    for _ in range(10):
        tracer.start_span("work", attributes={"text": "word " * 4_000}).end()

    eventually(lambda: book(telemetry)["dropped"] == {"queue_bytes": 7})
    assert 60_000 < book(telemetry)["queue_bytes"] <= 65_536
    assert book(telemetry)["queued"] == 3 + 1  # one more is on its way


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_SPOOL", "AUMOS_OTEL_SPOOL_DIR"])
def test_spool(variable: str, collector: HTTPSink, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a collector does not take stays on disk, in the user's state directory unless another is named."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setenv("AUMOS_OTEL_SPOOL", "true")
    directory = tmp_path / "aumos-otel" / "spool"
    if variable == "AUMOS_OTEL_SPOOL_DIR":
        directory = tmp_path / "elsewhere"
        monkeypatch.setenv(variable, str(directory))
    collector.status = 503
    telemetry = configure(metrics=False, logs=False)

    trace.get_tracer("tests").start_span("work").end()

    assert telemetry.shutdown(2.0) is False
    assert book(telemetry)["spooled"] == 1
    assert any(path.stat().st_size for path in directory.rglob("*") if path.is_file())


@pytest.mark.parametrize(
    ("variable", "value", "text", "there"),
    [
        ("AUMOS_OTEL_REDACTION_SECRETS", "keep", f"it is {TOKEN}", f"it is {TOKEN}"),
        ("AUMOS_OTEL_REDACTION_SECRETS", "mask", f"it is {TOKEN}", "it is [REDACTED:github]"),
        ("AUMOS_OTEL_REDACTION_SECRETS", "drop", f"it is {TOKEN}", None),
        ("AUMOS_OTEL_REDACTION_PERSONAL", "keep", "ask ann@example.com", "ask ann@example.com"),
        ("AUMOS_OTEL_REDACTION_PERSONAL", "mask", "ask ann@example.com", "ask [REDACTED:email]"),
        ("AUMOS_OTEL_REDACTION_NATIONAL_IDS", "keep", "SSN 536-90-4399", "SSN 536-90-4399"),
        ("AUMOS_OTEL_REDACTION_NATIONAL_IDS", "mask", "SSN 536-90-4399", "SSN [REDACTED:us_ssn]"),
        ("AUMOS_OTEL_REDACTION_KEYS", "badge, note", "anything", "[REDACTED:name]"),
    ],
)
def test_redaction(  # noqa: PLR0917 - pytest passes them by name
    variable: str, value: str, text: str, there: str | None, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What of its kind is found is kept, masked, or goes with its attribute."""
    monkeypatch.setenv(variable, value)

    assert sent(collector, text) == there


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_REDACTION_HASH_KEY"])
def test_hash_key(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """With it values may be hashed: equal ones are equal, and none can be read."""
    monkeypatch.setenv("AUMOS_OTEL_REDACTION_PERSONAL", "hash")
    monkeypatch.setenv(variable, "a key of the tests")

    found = str(sent(collector, "ann@example.com wrote to ann@example.com"))

    first, _, second = found.partition(" wrote to ")
    assert first == second
    assert first.startswith("[HASH:email:")


@pytest.mark.parametrize("variable", ["AUMOS_OTEL_REDACTION_FAIL_CLOSED"])
def test_fail_closed(variable: str, collector: HTTPSink, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record that cannot be told clean is dropped and counted."""
    monkeypatch.setenv(variable, "true")
    telemetry = configure(metrics=False, logs=False, redaction=RedactionOptions(custom=lambda _key, _text: 1 / 0))

    trace.get_tracer("tests").start_span("work").end()

    assert telemetry.force_flush(10.0) is False
    assert book(telemetry)["dropped"] == {"redaction_failed": 1}
    assert collector.spans() == []
