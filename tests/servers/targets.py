"""Targets and deadlines for tests of the transports."""

from __future__ import annotations

import time
from typing import Any

from aumos_otel.delivery.target import Target
from aumos_otel.testing import OTLPSink

DEFAULTS = {"timeout": 10.0, "compression": "none"}


def soon(seconds: float = 10.0) -> float:
    """A deadline."""
    return time.monotonic() + seconds


def http_target(url: str, signal: Any = "traces", protocol: Any = "http/protobuf", **options: Any) -> Target:
    """A target over HTTP; ``url`` is that of a sink."""
    return Target(signal, protocol, f"{url}/v1/{signal}", url.startswith("https"), "tests", DEFAULTS | options)


def grpc_target(sink: OTLPSink, signal: Any = "traces", **options: Any) -> Target:
    """A target over gRPC."""
    return Target(signal, "grpc", sink.url, sink.url.startswith("https"), "tests", DEFAULTS | options)
