"""A running backend, and telemetry to send to it."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from aumos_otel.local import LocalServer, Store

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
NOW = time.time_ns()
JSON = {"Content-Type": "application/json"}


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """OTLP/JSON attributes of plain values."""
    kinds = {bool: "boolValue", int: "intValue", float: "doubleValue", str: "stringValue"}

    def encode(value: Any) -> dict[str, Any]:
        if isinstance(value, list):
            return {"arrayValue": {"values": [encode(item) for item in value]}}
        return {kinds[type(value)]: str(value) if type(value) is int else value}

    return [{"key": key, "value": encode(value)} for key, value in values.items()]


def span(span_id: str, *, trace: str = TRACE, parent: str = "", name: str = "work", **more: Any) -> dict[str, Any]:
    """An OTLP/JSON span; ``start`` and ``ms`` (milliseconds), ``given`` (attributes), ``error`` are shorthands."""
    start = NOW + more.pop("start", 0) * 1_000_000
    made = {
        "traceId": trace,
        "spanId": span_id,
        "parentSpanId": parent,
        "name": name,
        "kind": more.pop("kind", 1),
        "startTimeUnixNano": str(start),
        "endTimeUnixNano": str(start + more.pop("ms", 10) * 1_000_000),
        "attributes": attributes(more.pop("given", {})),
    }
    if "error" in more:
        made["status"] = {"code": 2, "message": more.pop("error")}
    return made | more


def traces(*spans: dict[str, Any], service: str = "chat-api") -> dict[str, Any]:
    """An OTLP/JSON traces request."""
    resource = {"attributes": attributes({"service.name": service})}
    return {
        "resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": {"name": "tests"}, "spans": list(spans)}]}]
    }


def logs(*records: dict[str, Any], service: str = "chat-api") -> dict[str, Any]:
    """An OTLP/JSON logs request."""
    resource = {"attributes": attributes({"service.name": service})}
    scope = {"scope": {"name": "tests"}, "logRecords": list(records)}
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [scope]}]}


def log(text: str, **more: Any) -> dict[str, Any]:
    """An OTLP/JSON log record of severity INFO."""
    return {"timeUnixNano": str(NOW), "severityNumber": 9, "severityText": "INFO", "body": {"stringValue": text}} | more


def metrics(*found: dict[str, Any], service: str = "chat-api") -> dict[str, Any]:
    """An OTLP/JSON metrics request."""
    resource = {"attributes": attributes({"service.name": service})}
    return {"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"scope": {"name": "tests"}, "metrics": list(found)}]}]}  # fmt: skip


def llm_trace(trace: str = TRACE, *, start: int = 0, **llm: Any) -> dict[str, Any]:
    """A server span over a model call over an HTTP call."""
    given = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-5-mini",
        "gen_ai.usage.input_tokens": 142,
        "gen_ai.usage.output_tokens": 67,
        "gen_ai.usage.cost": 0.00021,
        "gen_ai.response.time_to_first_chunk": 0.312,
        "gen_ai.response.finish_reasons": ["stop"],
    }
    return traces(
        span("a" * 16, trace=trace, name="POST /chat", kind=2, start=start, ms=2000, given={"http.route": "/chat", "http.response.status_code": 200, "aumos.tenant.id": "acme"}),
        span("b" * 16, trace=trace, name="chat gpt-5-mini", kind=3, parent="a" * 16, start=start + 50, ms=1840, given=given | llm),
        span("c" * 16, trace=trace, name="POST", kind=3, parent="b" * 16, start=start + 60, ms=1800, given={"http.request.method": "POST", "url.full": "http://127.0.0.1:8200/v1/chat"}),
    )  # fmt: skip


@dataclass
class Backend:
    """A running `LocalServer` and a client that has its token."""

    server: LocalServer
    client: httpx.Client = field(default_factory=lambda: httpx.Client(timeout=20, trust_env=False))

    @property
    def store(self) -> Store:
        """The server's store."""
        return self.server.store

    def send(self, signal: str, body: Any, headers: dict[str, str] | None = None) -> httpx.Response:
        """POST to the receiver; a dict goes as JSON."""
        content = json.dumps(body) if isinstance(body, dict) else body
        return self.client.post(f"{self.server.otlp_url}/v1/{signal}", content=content, headers=JSON if headers is None else headers)  # fmt: skip

    def get(self, path: str, **headers: str) -> httpx.Response:
        """GET from the page with the token."""
        bearer = {"Authorization": f"Bearer {self.server.token}"}
        return self.client.get(self.server.page_url + path, headers=bearer | headers)


@pytest.fixture
def backend(tmp_path):
    """A running backend on free ports with an empty database."""
    with LocalServer(tmp_path / "local.db", otlp_port=0, ui_port=0) as server:
        running = Backend(server)
        with running.client:
            yield running


@pytest.fixture
def store(tmp_path):
    """A store without servers."""
    with Store(tmp_path / "local.db") as opened:
        yield opened
