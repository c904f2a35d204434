"""Logs that the export path writes about itself (row 20)."""

from __future__ import annotations

import logging

import pytest
from servers.work import configure

from aumos_otel import OTLP
from aumos_otel.testing import OTLPSink, Reply

from .accounts import agree, book, settled


@pytest.mark.parametrize("protocol", ["http", "grpc"])
def test_no_loop(protocol: str, impatient: None, request: pytest.FixtureRequest) -> None:
    """With everything at DEBUG and a receiver that refuses, one record of the application stays one record."""
    sink: OTLPSink = request.getfixturevalue("grpc_sink" if protocol == "grpc" else "sink")
    sink.reply = Reply(503)
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)
    try:
        otlp = OTLP(endpoint=sink.url, protocol="grpc" if protocol == "grpc" else None)
        telemetry = configure(destinations=[otlp], metrics=False)
        logging.getLogger("application").debug("once")
        settled(telemetry, lambda now: now["retries"] >= 10, signal="logs")
        assert book(telemetry, signal="logs")["emitted"] == 1

        sink.reply = Reply()

        assert telemetry.force_flush(20)
        done = book(telemetry, signal="logs")
        assert (done["emitted"], done["delivered"], len(sink.kept("logs"))) == (1, 1, 1)
        agree(done, sink)
    finally:
        root.setLevel(level)
