"""Several destinations: each gets its signals and records, with its content and redaction, and nobody else's."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from opentelemetry import metrics, trace
from servers.otlp import HTTPSink, attributes

import aumos_otel as aumos
from aumos_otel import OTLP, LLMOptions, RedactionOptions, Selector, Telemetry, llm, testing

logger = logging.getLogger("tests.router")


@pytest.fixture
def sinks() -> Iterator[dict[str, HTTPSink]]:
    """Two receivers."""
    with ExitStack() as stack:
        yield {name: stack.enter_context(HTTPSink()) for name in ("a", "b")}
        testing.reset()


@pytest.fixture
def start(sinks: dict[str, HTTPSink]) -> Callable[..., Telemetry]:
    """Configures the two destinations with options of their own."""

    def configure(a: dict[str, Any], b: dict[str, Any], **options: Any) -> Telemetry:
        own = {"a": a, "b": b}
        destinations = [OTLP(name=name, endpoint=sink.url, **own[name]) for name, sink in sinks.items()]
        return aumos.configure(service_name="router", destinations=destinations, instrumentations=False, **options)

    return configure


def names(sink: HTTPSink) -> list[str]:
    """Names of the spans that arrived, in order."""
    return sorted(span.name for span in sink.spans())


def span(name: str, **values: Any) -> None:
    """One span."""
    trace.get_tracer("tests.router").start_span(name, attributes=values).end()


def books(telemetry: Telemetry, signal: str) -> dict[str, dict[str, Any]]:
    """The accounts of a signal by destination; each must add up."""
    found = {book["name"]: book for book in telemetry.status().destinations if book["signal"] == signal}
    for book in found.values():
        settled = book["delivered"] + sum(book["dropped"].values()) + book["unconfirmed"]
        assert book["emitted"] == settled + book["spooled"] + book["queued"]
    return dict(found)


def test_a_destination_is_added_not_replaced(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """Every destination gets everything, unless it says otherwise."""
    telemetry = start({}, {})

    span("work")
    logger.warning("hello")
    assert telemetry.force_flush(10.0)

    assert [names(sink) for sink in sinks.values()] == [["work"], ["work"]]
    assert [len(sink.logs()) for sink in sinks.values()] == [1, 1]
    assert all(sink.metrics() for sink in sinks.values())


def test_signals(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """A destination gets the signals that it names."""
    telemetry = start({"signals": ["traces"]}, {"signals": ["logs", "metrics"]})

    span("work")
    logger.warning("hello")
    assert telemetry.force_flush(10.0)

    assert (names(sinks["a"]), sinks["a"].logs(), sinks["a"].metrics()) == (["work"], [], {})
    assert (names(sinks["b"]), len(sinks["b"].logs())) == ([], 1)
    assert "traces" not in {book["signal"] for book in telemetry.status().destinations if book["name"] == "b"}


def test_a_tenant_is_kept_apart(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """A destination that names a tenant gets no record, and no data point, of another one or of none."""
    telemetry = start({"select": Selector(tenants=["acme"])}, {"select": Selector(tenants=["globex"])})
    counter = metrics.get_meter("tests.router").create_counter("work.done")

    for tenant in ("acme", "globex", "initech"):
        with aumos.bind(tenant_id=tenant):
            span(f"of {tenant}")
            logger.warning("of %s", tenant)
        counter.add(1, {"aumos.tenant.id": tenant})
    span("of nobody")
    counter.add(5)
    assert telemetry.force_flush(10.0)

    for name, tenant in (("a", "acme"), ("b", "globex")):
        sink = sinks[name]
        assert names(sink) == [f"of {tenant}"]
        assert [log.body.string_value for log in sink.logs()] == [f"of {tenant}"]
        (metric,) = sink.metrics().values()
        assert [attributes(point)["aumos.tenant.id"] for point in metric.sum.data_points] == [tenant]
    assert books(telemetry, "traces")["a"]["dropped"] == {"filtered": 3}
    assert telemetry.status().state == "ok"


def test_scopes_operations_attributes_and_severity(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """Every condition of a selector must hold."""
    telemetry = start(
        {"select": Selector(scopes=["tests.*"], attributes={"kind": "big"})},
        {"select": Selector(operations=["chat"], severity="ERROR")},
    )

    span("big", kind="big")
    span("small", kind="small")
    with llm.span("chat", provider="openai", model="m"):
        pass
    logger.warning("warned")
    logger.error("failed")
    assert telemetry.force_flush(10.0)

    assert names(sinks["a"]) == ["big"]
    assert names(sinks["b"]) == ["chat m"]
    assert sinks["b"].logs() == []  # no log record is of that operation


def test_severity(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """A destination may get the worse log records alone."""
    telemetry = start({"select": Selector(severity="ERROR")}, {})

    logger.warning("warned")
    logger.error("failed")
    assert telemetry.force_flush(10.0)

    assert [log.body.string_value for log in sinks["a"].logs()] == ["failed"]
    assert len(sinks["b"].logs()) == 2


def test_a_share_of_the_traces(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """A destination may get a share of the traces: whole ones, and every span is accounted for."""
    telemetry = start({"sampling": 0.5}, {})
    tracer = trace.get_tracer("tests.router")

    for _ in range(200):
        with tracer.start_as_current_span("root"), tracer.start_as_current_span("child"):
            pass
    assert telemetry.force_flush(10.0)

    kept = sinks["a"].spans()
    traces = {span.trace_id for span in kept}
    assert 50 < len(traces) < 150
    assert len(kept) == 2 * len(traces)
    assert books(telemetry, "traces")["a"]["dropped"] == {"sampled": 400 - len(kept)}
    assert len(sinks["b"].spans()) == 400


SECRET_WISH = "my wish is a pony, ask ann@example.com"


def ask() -> None:
    """One LLM call with content."""
    with llm.span("chat", provider="openai", model="m") as call:
        call.set_input(SECRET_WISH)
        call.set_output("granted")


@pytest.mark.parametrize(
    ("level", "expected"),
    [("full", SECRET_WISH), ("redacted", "my wish is a pony, ask [REDACTED:email]"), ("hash", "sha256:")],
)
def test_content_for_one_and_none_for_the_other(
    start: Callable[..., Telemetry], sinks: dict[str, HTTPSink], level: str, expected: str
) -> None:
    """In one process a destination sees prompts and answers up to its level, and another one nothing of them."""
    telemetry = start({"content": level}, {"content": "none"})

    ask()
    assert telemetry.force_flush(10.0)

    shown = attributes(sinks["a"].spans()[0])
    (message,) = json.loads(shown["gen_ai.input.messages"])
    assert message["role"] == "user"
    assert message["parts"][0]["content"].startswith(expected)
    assert shown["aumos.llm.content.policy"] == level
    hidden = sinks["b"].exports
    assert not any(b"pony" in export.body.SerializeToString() for export in hidden)
    assert "gen_ai.input.messages" not in attributes(sinks["b"].spans()[0])
    assert attributes(sinks["b"].spans()[0])["gen_ai.request.model"] == "m"


def test_content_on_events(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """The same holds where content goes to an event."""
    telemetry = start({"content": "full"}, {}, llm=LLMOptions(content="none", capture="event"))

    ask()
    assert telemetry.force_flush(10.0)

    assert any(b"pony" in export.body.SerializeToString() for export in sinks["a"].of("logs"))
    assert not any(b"pony" in export.body.SerializeToString() for export in sinks["b"].exports)


def test_no_content_is_a_ceiling(
    start: Callable[..., Telemetry], sinks: dict[str, HTTPSink], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An explicit NO_CONTENT is lifted by no destination."""
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "NO_CONTENT")
    telemetry = start({"content": "full"}, {})

    ask()
    assert telemetry.force_flush(10.0)

    assert not any(b"pony" in export.body.SerializeToString() for sink in sinks.values() for export in sink.exports)


def test_redaction_profiles(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """Each destination has its own profile; secrets are masked where nothing is said."""
    telemetry = start({}, {"redaction": RedactionOptions(personal="mask")})

    span("work", note="ann@example.com has password=hunter2")
    assert telemetry.force_flush(10.0)

    (first,), (second,) = sinks["a"].spans(), sinks["b"].spans()
    assert attributes(first)["note"] == "ann@example.com has password=[REDACTED:password]"
    assert attributes(second)["note"] == "[REDACTED:email] has password=[REDACTED:password]"


def test_headers_are_kept_apart(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """The key of one destination is never sent to another."""
    telemetry = start({"headers": {"authorization": "Bearer a"}}, {"headers": {"x-key": "b"}})

    span("work")
    assert telemetry.force_flush(10.0)

    assert sinks["a"].of("traces")[0].headers["authorization"] == "Bearer a"
    assert "authorization" not in sinks["b"].of("traces")[0].headers


def test_a_dead_destination_holds_nobody_up(start: Callable[..., Telemetry], sinks: dict[str, HTTPSink]) -> None:
    """While one receiver hangs the other gets everything."""
    sinks["a"].answering.clear()
    telemetry = start({}, {})

    for number in range(2000):
        span(f"work {number}")
    telemetry.force_flush(0.5)
    sinks["b"].wait("traces")

    assert telemetry.force_flush(0.2) is False
    assert books(telemetry, "traces")["b"]["delivered"] == 2000
    assert books(telemetry, "traces")["a"]["delivered"] == 0
    sinks["a"].answering.set()
