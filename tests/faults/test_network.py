"""A network that is slow, cuts, resets and loses, through the real pipeline (rows 2 to 4)."""

from __future__ import annotations

import pytest
from servers.toxics import Toxiproxy
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.testing import OTLPSink

from .accounts import agree, book, lost, settled, work

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

#: Kind of toxic, the way that it is on, and how bad it is.
Toxic = tuple[str, str, dict[str, int]]
TOXICS: list[Toxic] = [
    ("latency", "downstream", {"latency": 300}),
    ("slicer", "upstream", {"average_size": 64, "size_variation": 32, "delay": 100}),
    ("bandwidth", "upstream", {"rate": 20}),
    ("limit_data", "upstream", {"bytes": 3000}),
    ("reset_peer", "downstream", {"timeout": 20}),
    ("timeout", "downstream", {"timeout": 0}),
]


@pytest.mark.parametrize("toxic", TOXICS, ids=lambda toxic: toxic[0])
@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_a_spoilt_way(
    protocol: str, toxic: Toxic, toxiproxy: Toxiproxy, impatient: None, request: pytest.FixtureRequest
) -> None:
    """While it lasts nothing is lost but what the books say; when it is over, what waits arrives."""
    sink: OTLPSink = request.getfixturevalue("grpc_sink" if protocol == "grpc" else "sink")
    kind, way, attributes = toxic
    proxy = toxiproxy.proxy(sink.port)
    otlp = OTLP(endpoint=proxy.url, protocol="grpc" if protocol == "grpc" else None, timeout=1)
    telemetry = configure(destinations=[otlp], metrics=False, logs=False)
    work(10)
    assert telemetry.force_flush(20)
    with proxy.toxic(kind, stream=way, **attributes):
        work(200)
        settled(telemetry, lambda now: now["retries"] >= 1 or now["delivered"] == 210)
    work(10)

    telemetry.force_flush(20)

    done = settled(telemetry, lambda now: not now["queued"])
    print(f"\n{protocol}, {kind}: {done['retries']} retries, {sink.tally('traces')}, {done['unconfirmed']} unconfirmed")
    assert (done["emitted"], lost(done)) == (220, 0)
    assert sink.tally("traces").distinct == 220
    agree(done, sink)


def test_a_cut(toxiproxy: Toxiproxy, sink: OTLPSink, impatient: None) -> None:
    """Connections that are cut and refused for a while cost nothing but time."""
    proxy = toxiproxy.proxy(sink.port)
    telemetry = configure(destinations=[OTLP(endpoint=proxy.url)], metrics=False, logs=False)
    work(100)
    assert telemetry.force_flush(20)
    with proxy.down():
        work(100)
        settled(telemetry, lambda now: now["retries"] >= 2)

    assert telemetry.force_flush(20)
    assert book(telemetry)["delivered"] == 200
    assert (sink.tally("traces").distinct, sink.tally("traces").duplicates) == (200, 0)
