"""The proxy does what its name for it says, seen by the plain sender and the sink."""

from __future__ import annotations

import http.client
import time
import urllib.error

import pytest
from servers.senders import post, spans
from servers.toxics import Proxy, Toxiproxy

from aumos_otel.testing import OTLPSink, Reply

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
BODY = spans(1).SerializeToString()


@pytest.fixture
def way(toxiproxy: Toxiproxy, sink: OTLPSink) -> Proxy:
    """A way to the sink."""
    return toxiproxy.proxy(sink.port)


def seconds(way: Proxy, body: bytes = BODY, timeout: float = 10.0) -> float:
    """How long a request took that was answered 200."""
    started = time.monotonic()
    assert post(way, body, timeout=timeout)[0] == 200
    return time.monotonic() - started


def test_nothing(way: Proxy, sink: OTLPSink) -> None:
    """Without a toxic all passes."""
    assert seconds(way) < 5
    assert sink.tally("traces").received == 1


def test_latency(way: Proxy) -> None:
    """Answers are late."""
    with way.toxic("latency", latency=300):
        assert seconds(way) >= 0.3


def test_bandwidth(way: Proxy) -> None:
    """A large request takes its time, and arrives."""
    body = spans(*range(1, 2000)).SerializeToString()
    with way.toxic("bandwidth", stream="upstream", rate=100):
        assert seconds(way, body) >= len(body) / 1024 / 100 / 2


def test_timeout(way: Proxy, sink: OTLPSink) -> None:
    """Nothing passes, and the connection stays open: the sender waits until it gives up."""
    with way.toxic("timeout", stream="upstream", timeout=0), pytest.raises(TimeoutError):
        post(way, BODY, timeout=0.3)
    assert sink.arrived == 0


def test_timeout_of_the_answer(way: Proxy, sink: OTLPSink) -> None:
    """The answer alone is lost: the receiver has the records, the sender cannot know."""
    with way.toxic("timeout", timeout=0), pytest.raises(http.client.RemoteDisconnected):
        post(way, BODY)
    assert sink.tally("traces").received == 1


def test_reset(way: Proxy) -> None:
    """The connection is reset."""
    with way.toxic("reset_peer", timeout=0), pytest.raises((ConnectionResetError, urllib.error.URLError)):
        post(way, BODY)


def test_slices(way: Proxy, sink: OTLPSink) -> None:
    """A request in small pieces is one request."""
    with way.toxic("slicer", stream="upstream", average_size=16, size_variation=8, delay=10):
        assert seconds(way, spans(*range(1, 20)).SerializeToString()) < 10
    assert sink.tally("traces").received == 19


def test_limit(way: Proxy, sink: OTLPSink) -> None:
    """The connection ends after so many bytes: the answer is cut."""
    sink.reply = Reply(body=b"x" * 1000)
    with way.toxic("limit_data", bytes=100), pytest.raises(http.client.IncompleteRead):
        post(way, BODY)


def test_down_and_up(way: Proxy) -> None:
    """Refused while it is down."""
    with way.down(), pytest.raises(urllib.error.URLError, match="refused"):
        post(way, BODY)
    assert seconds(way) < 5
