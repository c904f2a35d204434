"""The example service as a user starts it: uvicorn, real requests, SIGTERM, everything delivered."""

from __future__ import annotations

import gzip
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "fastapi_service"


class Sink(BaseHTTPRequestHandler):
    """Keeps what is posted."""

    received: list[tuple[str, bytes]]

    def do_POST(self) -> None:
        """Keep the body."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        self.received.append((self.path, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def sink() -> Iterator[tuple[str, list[tuple[str, bytes]]]]:
    """Address of an OTLP/HTTP server and the requests that it got."""
    received: list[tuple[str, bytes]] = []
    http = ThreadingHTTPServer(("127.0.0.1", 0), type("OneSink", (Sink,), {"received": received}))
    thread = threading.Thread(target=http.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}", received
    http.shutdown()
    thread.join()
    http.server_close()


def address(lines: IO[str], workers: int) -> str:
    """The base URL that uvicorn prints, once all workers answer."""
    seen = ""
    for line in lines:
        seen += line
        found = re.search(r"running on (http://\S+)", seen)
        if found and seen.count("Application startup complete") == workers:
            return found[1]
    pytest.fail(seen)


def plain(values: list[KeyValue]) -> dict[str, str]:
    """Attributes with string values."""
    return {each.key: each.value.string_value for each in values if each.value.string_value}


@pytest.mark.parametrize("workers", [1, 2])
def test_everything_of_the_example_is_delivered_when_uvicorn_is_terminated(
    sink: tuple[str, list[tuple[str, bytes]]], workers: int
) -> None:
    """Server, client and server span in one trace with the tenant; the flush at the end of the lifespan sends them."""
    endpoint, received = sink
    environ = {
        **os.environ,
        "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
        "OTEL_METRICS_EXPORTER": "none",
        "OTEL_BSP_SCHEDULE_DELAY": "600000",
        "OTEL_BLRP_SCHEDULE_DELAY": "600000",
        "OTEL_RESOURCE_ATTRIBUTES": "service.instance.id=pod-7",
    }
    command = [sys.executable, "-m", "uvicorn", "app:app", "--port", "0", "--workers", str(workers)]
    with subprocess.Popen(command, cwd=EXAMPLE, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            url = address(process.stderr, workers)
            with httpx.Client(base_url=url, headers={"X-Tenant-ID": "acme"}, trust_env=False) as client:
                answer = client.get("/forecast/oslo?api_key=k-123")
                assert (answer.status_code, answer.json()["forecast"]) == (200, "coat")
                assert client.get("/forecast/atlantis").status_code == 404
                assert client.get("/health").status_code == 200
        finally:
            process.send_signal(signal.SIGTERM)
            output = process.stderr.read()
    traces = [ExportTraceServiceRequest.FromString(body) for path, body in received if path == "/v1/traces"]
    logs = [ExportLogsServiceRequest.FromString(body) for path, body in received if path == "/v1/logs"]
    spans = [span for each in traces for r in each.resource_spans for scope in r.scope_spans for span in scope.spans]
    records = [log for each in logs for r in each.resource_logs for scope in r.scope_logs for log in scope.log_records]
    assert len(spans) == 6, output
    by_trace: dict[bytes, list[str]] = {}
    for span in sorted(spans, key=lambda span: span.start_time_unix_nano):
        assert "k-123" not in str(span)
        assert plain(span.attributes)["aumos.tenant.id"] == "acme"
        by_trace.setdefault(span.trace_id, []).append(f"{Span.SpanKind.Name(span.kind)[10:]} {span.name}")
    shape = ["SERVER GET /forecast/{city}", "CLIENT GET", "SERVER GET /stations/{city}"]
    assert list(by_trace.values()) == [shape, shape]
    assert [log.trace_id in by_trace for log in records if log.body.string_value == "oslo has -3 degrees"] == [True]
    instances = {plain(r.resource.attributes)["service.instance.id"] for each in traces for r in each.resource_spans}
    assert instances == {"pod-7"} if workers == 1 else all(instance.startswith("pod-7-") for instance in instances)
