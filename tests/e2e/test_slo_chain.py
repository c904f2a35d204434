"""One definition, from the span to the page: SDK, Prometheus, compiled rules, Alertmanager, and the engine beside them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from servers import backends
from servers.sockets import Listener

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

ACCEPTED = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"

#: Seconds in the place of minutes and hours, so that the whole takes one minute.
FILE = """
version: aumos/v1
service: chat-api
owner: team-assistant
burn_policy: "page: 10s>=10 & 20s>=5"
prometheus: {scrape_interval: 1s, interval: 1s}
slos:
  - name: chat-available
    target: 99%
    sli: http.availability
    where: {http.route: /chat}
    runbook: https://runbooks.example/chat
"""

#: Serves five requests a tenth of a second, of which the share in the file of faults fails; ends when that is gone.
SERVICE = """
import pathlib, sys, threading
from opentelemetry import trace
import aumos_otel as aumos

faults = pathlib.Path(sys.argv[1])
telemetry = aumos.configure(service_name="chat-api", instrumentations=False, slos=sys.argv[2],
                            sampling=aumos.SamplingOptions(ratio=0.01))
tracer, never, served, failed = trace.get_tracer("tests"), threading.Event(), 0, 0
while faults.exists():
    broken = faults.read_text() == "broken"
    for number in range(5):
        code = 500 if broken and number < 2 else 200
        known = {"http.request.method": "GET", "http.route": "/chat", "http.response.status_code": code}
        with tracer.start_as_current_span("GET /chat", kind=trace.SpanKind.SERVER, attributes=known):
            pass
        served, failed = served + 1, failed + (code == 500)
    never.wait(0.1)
assert telemetry.shutdown(timeout=10)
print(served, failed)
"""


def test_from_the_span_to_the_page_and_back(tmp_path: Path) -> None:
    """Faults page with their budget and runbook in the text, the alert ends after them, and all counts agree exactly."""
    file, faults, rules = tmp_path / "slo.yaml", tmp_path / "faults", tmp_path / "rules"
    file.write_text(FILE)
    faults.write_text("none")
    compiled = run("compile", str(file), "-o", str(rules))
    assert compiled.returncode == 0, compiled.stderr
    with (
        Listener(ACCEPTED) as webhook,
        backends.Alertmanager(tmp_path / "alertmanager", f"{webhook.url}/hook") as alertmanager,
        backends.Prometheus(
            tmp_path / "prometheus", rules=[rules / "*.yml"], config=alertmanager.alerting
        ) as prometheus,
    ):

        def value(query: str) -> float | None:
            found = prometheus.query(query)
            return float(found[0]["value"][1]) if found else None

        def state() -> str:
            asked = run("status", str(file), "--from", prometheus.url, "--json")
            return str(json.loads(asked.stdout)[0]["state"])

        environ = {name: each for name, each in os.environ.items() if not name.startswith(("OTEL_", "AUMOS_"))}
        environ |= {
            "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{prometheus.url}/api/v1/otlp/v1/metrics",
            "OTEL_TRACES_EXPORTER": "none",
            "OTEL_LOGS_EXPORTER": "none",
            "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        }
        with subprocess.Popen(
            [sys.executable, "-c", SERVICE, str(faults), str(file)], env=environ, stdout=subprocess.PIPE, text=True
        ) as service:
            backends.eventually(
                "it is well", lambda: (value("aumos_slo:errors:ratio20s") == 0.0 and state() == "ok") or None
            )
            faults.write_text("broken")
            backends.eventually("a page", lambda: [each for each in alerts(webhook) if each["status"] == "firing"])
            assert state() == "critical"
            (page,) = [each for each in alerts(webhook) if each["status"] == "firing"][:1]
            faults.write_text("none")
            backends.eventually("its end", lambda: [each for each in alerts(webhook) if each["status"] == "resolved"])
            faults.unlink()
            out, _ = service.communicate(timeout=60)
        served, failed = map(float, out.split())
        counted = 'aumos_sli_events_total{aumos_sli_name="chat-available",job="chat-api"}'
        backends.eventually("all is counted", lambda: value(f"last_over_time({counted}[1h])") == served)
        good = counted.replace("_events_", "_good_events_")
        assert value(f"last_over_time({good}[1h])") == served - failed

    assert page["labels"]["alertname"] == "SLOErrorBudgetBurn"
    assert page["labels"]["severity"] == "page"
    assert "99% of the events of chat-api" in page["annotations"]["description"]
    assert page["annotations"]["runbook_url"] == "https://runbooks.example/chat"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as a user runs it."""
    command = [sys.executable, "-m", "aumos_otel", "slo", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def alerts(webhook: Listener) -> list[dict[str, Any]]:
    """Burn alerts that the webhook has got so far."""
    bodies = [json.loads(request.partition(b"\r\n\r\n")[2]) for request in list(webhook.received)]
    found = [alert for body in bodies for alert in body["alerts"]]
    return [alert for alert in found if alert["labels"]["alertname"] == "SLOErrorBudgetBurn"]
