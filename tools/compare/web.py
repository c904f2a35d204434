"""Rows 14 and 16: what leaves with an outgoing request, and what an incoming one can do to the metrics."""

from __future__ import annotations

import asyncio
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

from lab import Finding, say
from opentelemetry import baggage, context

if TYPE_CHECKING:
    from lab import Lab
    from sides import Side

HOSTS = 50


def call_a_stranger(side: Side) -> None:
    """Scenario: httpx calls a server that is nobody's friend."""
    import httpx

    headers: dict[str, str] = {}

    class Stranger(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            headers.update({name.lower(): text for name, text in self.headers.items()})
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Say nothing."""

    side.start()
    side.instrument()
    context.attach(baggage.set_baggage("tenant.id", "acme"))
    with HTTPServer(("127.0.0.1", 0), Stranger) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        # By way of a proxy the stranger has a name without a name server.
        proxy = f"http://127.0.0.1:{server.server_address[1]}"
        httpx.get("http://stranger.example/?api_key=SECRET&q=1", proxy=proxy)
        thread.join()
    side.flush(5)
    say(baggage=headers.get("baggage", ""))


def outbound(lab: Lab) -> Finding:
    """Row 14: the baggage that the stranger got, and the key on the exported span."""
    from aumos_otel.testing import OTLPSink
    from aumos_otel.testing.records import attributes

    with OTLPSink() as sink:
        baggage = lab.run("web:call_a_stranger", sink.url).report["baggage"]
        exported = [attributes(span) for span in sink.spans()]
    leaked = any("SECRET" in str(value) for span in exported for value in span.values())
    text = f"{'sends ' + baggage if baggage else 'sends no baggage'}, key {'exported' if leaked else 'not exported'}"
    return Finding(text, bool(exported) and not baggage and not leaked)


def serve_forged_hosts(side: Side) -> None:
    """Scenario: a FastAPI application gets the same request under many host names."""
    import fastapi
    import httpx

    app = fastapi.FastAPI()

    @app.get("/items/{number}")
    def item(number: int) -> int:
        return number

    side.start()
    side.instrument(app)

    async def ask() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app)) as client:
            for number in range(HOSTS):
                await client.get(f"http://forged-{number}.example/items/1")

    asyncio.run(ask())
    side.flush(5)
    say(done=True)


def forged_hosts(lab: Lab) -> Finding:
    """Row 16: series of the server's duration."""
    from aumos_otel.testing import OTLPSink

    with OTLPSink() as sink:
        lab.run("web:serve_forged_hosts", sink.url)
        durations = {
            name: (len(metric.histogram.data_points) or len(metric.exponential_histogram.data_points), metric.unit)
            for name, metric in sink.metrics().items()
            if name.startswith("http.server") and "duration" in name
        }
    text = "; ".join(f"{name} ({unit}): {series} series" for name, (series, unit) in durations.items())
    return Finding(text or "no metric", [series for series, _ in durations.values()] == [1])
