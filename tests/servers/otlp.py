"""`OTLPSink` in the words of the tests: a status to answer with, a switch that makes it hang, patient waiting.

>>> with HTTPSink() as sink:
...     telemetry = aumos_otel.configure(destinations=[aumos_otel.OTLP(endpoint=sink.url)])
...     telemetry.force_flush()
...     sink.spans()
"""

from __future__ import annotations

from typing import Any

from aumos_otel.testing import TLS, OTLPSink, Reply, Request
from aumos_otel.testing.records import attributes, scopes
from aumos_otel.testing.sink import PATIENCE

__all__ = ["PATIENCE", "TLS", "GRPCSink", "HTTPSink", "Sink", "attributes"]


class _Answering:
    """Cleared, requests are neither answered nor kept until it is set again."""

    def __init__(self, sink: OTLPSink) -> None:
        self.set = sink.release
        self.clear = sink.hold


class Sink(OTLPSink):
    """What both receivers share."""

    def __init__(self, tls: TLS | None = None, **options: Any) -> None:
        super().__init__(tls=tls, **options)
        self.answering = _Answering(self)

    @property
    def status(self) -> int:
        """HTTP status that is answered, or its gRPC counterpart; 200 takes the request."""
        return self.reply.status

    @status.setter
    def status(self, status: int) -> None:
        self.reply = Reply(status)

    @property
    def exports(self) -> list[Request]:
        """The requests that were taken."""
        return self.kept()

    def of(self, signal: str) -> list[Request]:
        """The requests of ``signal`` that were taken."""
        return self.kept(signal)

    def wait_for_arrival(self, count: int = 1) -> None:
        """Wait until ``count`` requests have come in, answered or not."""
        self.wait_for(lambda: self.arrived >= count)

    def wait(self, signal: str, count: int = 1) -> list[Request]:
        """The requests of ``signal``, once ``count`` of them were taken."""
        self.wait_for(lambda: len(self.kept(signal)) >= count)
        return self.kept(signal)

    def resource(self, signal: str = "traces") -> dict[str, Any]:
        """The attributes of the latest resource of ``signal``."""
        *_, (resource, _) = scopes(self.wait(signal)[-1].body)
        return attributes(resource)


class HTTPSink(Sink):
    """OTLP/HTTP; ``url`` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""


class GRPCSink(Sink):
    """OTLP over gRPC; ``url`` is what OTEL_EXPORTER_OTLP_ENDPOINT takes."""

    def __init__(self, tls: TLS | None = None) -> None:
        super().__init__(tls, protocol="grpc")
