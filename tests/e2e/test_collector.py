"""What leaves over OTLP is understood by a real OpenTelemetry collector, over both protocols."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from servers import backends
from servers.go_programs import free_port, wait_for_port

pytestmark = pytest.mark.e2e

SERVICE = """
import logging
from opentelemetry import metrics
import aumos_otel as aumos
from aumos_otel import llm

telemetry = aumos.configure(service_name="collected", environment="test", product="assistant")
logging.getLogger().setLevel(logging.INFO)

@llm.chat(provider="openai", model="gpt-5-mini")
def answer():
    logging.getLogger("shop").info("inside the call")
    return {"id": "r-1", "object": "chat.completion", "model": "gpt-5-mini",
            "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": "hi"}}],
            "usage": {"prompt_tokens": 11, "completion_tokens": 7, "total_tokens": 18}}

with aumos.bind(tenant_id="acme"), aumos.span("checkout"):
    answer()
metrics.get_meter("shop").create_counter("orders").add(3)
assert telemetry.shutdown(timeout=10)
print(__import__("json").dumps(telemetry.status().to_dict()))
"""


@pytest.fixture(scope="session")
def collector_binary() -> Path:
    """The collector of tests/backends/collector."""
    return backends.collector_program()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_collector_receives_three_signals(
    protocol: str, compression: str, collector_binary: Path, tmp_path: Path
) -> None:
    """A real collector gets the span tree, the counter and the log of one run, and we count it as delivered."""
    port, received = free_port(), tmp_path / "received.json"
    config = {
        "receivers": {"otlp": {"protocols": {protocol.partition("/")[0]: {"endpoint": f"127.0.0.1:{port}"}}}},
        "exporters": {"file": {"path": str(received)}},
        "service": {
            "telemetry": {"metrics": {"level": "none"}},
            "pipelines": {
                signal: {"receivers": ["otlp"], "exporters": ["file"]} for signal in ("traces", "metrics", "logs")
            },
        },
    }
    collector = subprocess.Popen(
        [str(collector_binary), "--config", f"yaml:{json.dumps(config)}"], stderr=subprocess.PIPE
    )
    try:
        wait_for_port(port, collector)
        environ = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_"))}
        environ |= {
            "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}",
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_EXPORTER_OTLP_COMPRESSION": compression,
        }
        ran = subprocess.run(
            [sys.executable, "-c", SERVICE], env=environ, capture_output=True, text=True, check=False, timeout=60
        )
        assert ran.returncode == 0, ran.stderr
    finally:
        collector.terminate()
        collector.communicate(timeout=20)

    lines = [json.loads(line) for line in received.read_text().splitlines()]
    spans = [
        span
        for line in lines
        for resource in line.get("resourceSpans", ())
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    ]
    named = {span["name"]: span for span in spans}
    assert sorted(named) == ["chat gpt-5-mini", "checkout"]
    assert named["chat gpt-5-mini"]["parentSpanId"] == named["checkout"]["spanId"]
    attributes = {item["key"]: next(iter(item["value"].values())) for item in named["chat gpt-5-mini"]["attributes"]}
    assert attributes["gen_ai.usage.input_tokens"] == "11"
    assert attributes["aumos.tenant.id"] == "acme"

    metrics = {
        metric["name"]: metric
        for line in lines
        for resource in line.get("resourceMetrics", ())
        for scope in resource["scopeMetrics"]
        for metric in scope["metrics"]
    }
    assert metrics["orders"]["sum"]["dataPoints"][0]["asInt"] == "3"
    assert "gen_ai.client.token.usage" in metrics

    logs = [
        record
        for line in lines
        for resource in line.get("resourceLogs", ())
        for scope in resource["scopeLogs"]
        for record in scope["logRecords"]
    ]
    assert [record["body"]["stringValue"] for record in logs] == ["inside the call"]
    assert logs[0]["traceId"] == named["checkout"]["traceId"]

    books = {book["signal"]: book for book in json.loads(ran.stdout)["destinations"]}
    assert books["traces"]["delivered"] == 2
    assert books["logs"]["delivered"] == 1
    assert all(not book["dropped"] and not book["queued"] for book in books.values())
