"""The service of the fault tests reports its books, and its failures are the test's."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from aumos_otel.testing import OTLPSink

Service = Callable[..., dict[str, Any]]


def test_books_of_a_healthy_service(service: Service, sink: OTLPSink) -> None:
    """What the service says it delivered is what the sink has."""
    script = """
telemetry = configure()
for number in range(10):
    trace.get_tracer("tests").start_span(str(number)).end()
telemetry.force_flush(5)
report(telemetry, pid=os.getpid())
"""
    reported = service(script, sink.url, environment={"AUMOS_SERVICE_NAME": "shop"})

    assert reported["books"]["traces"]["delivered"] == sink.tally("traces").distinct == 10
    assert reported["pid"] > 0


def test_a_service_that_fails(service: Service, sink: OTLPSink) -> None:
    """An exit code that was not expected fails the test, with the stderr of the service."""
    with pytest.raises(AssertionError, match="typo"):
        service("raise LookupError('typo')", sink.url)
