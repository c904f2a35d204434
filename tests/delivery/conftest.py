"""What the tests of the HTTP transport share."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from servers.targets import http_target

from aumos_otel.delivery.http import HTTPTransport
from aumos_otel.testing import OTLPSink


@pytest.fixture
def sink() -> Iterator[OTLPSink]:
    """A receiver."""
    with OTLPSink() as started:
        yield started


@pytest.fixture
def connect() -> Iterator[Callable[..., HTTPTransport]]:
    """Makes transports, which are closed after the test."""
    made = []

    def make(url: str, **options: object) -> HTTPTransport:
        made.append(HTTPTransport(http_target(url, **options)))
        return made[-1]

    yield make
    for transport in made:
        transport.close()
