"""The sides that are compared, each set up as its own documentation says: the SDK, logfire, and aumos-otel.

Imported in the process of a scenario only; each side imports what it needs when it starts.
"""

from __future__ import annotations

import logging
import os
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from opentelemetry import _logs, metrics, trace

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    Stream = Callable[[], AsyncGenerator[int, None]]


class Side(Protocol):
    """One way to send telemetry to the endpoint in OTEL_EXPORTER_OTLP_ENDPOINT, over HTTP."""

    def start(self, *, processors: Sequence[Any] = (), ratio: float | None = None) -> None:
        """Set up all three signals; ``processors`` are the user's own, asked before the export."""

    def flush(self, seconds: float) -> bool:
        """Send what is queued."""

    def stop(self) -> None:
        """Shut down."""

    def claimed(self) -> int | None:
        """How many spans this side says were delivered; None if it keeps no books."""

    def lost(self) -> int | None:
        """How many spans this side says were lost; None if it keeps no books."""

    def instrument(self, app: Any = None) -> None:
        """Instrument httpx, and the FastAPI application if there is one."""

    def traced_stream(self, name: str, chunks: Stream) -> Stream:
        """The async generator function with a span around it, as this side's users do it."""


class Stock:
    """The SDK, its batch processors and its OTLP exporters; ``opentelemetry-instrument`` does the same."""

    def start(self, *, processors: Sequence[Any] = (), ratio: float | None = None) -> None:
        """See `Side`."""
        from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.instrumentation.logging import LoggingInstrumentor
        from opentelemetry.sdk._logs import LoggerProvider
        from opentelemetry.sdk._logs.export import BatchLogRecordProcessor
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader, PeriodicExportingMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio

        os.environ["OTEL_PYTHON_SDK_INTERNAL_METRICS_ENABLED"] = "true"
        self._books = InMemoryMetricReader()
        about_itself = MeterProvider([self._books])
        self._meter = MeterProvider([PeriodicExportingMetricReader(OTLPMetricExporter())])
        metrics.set_meter_provider(self._meter)
        self._tracer = TracerProvider(sampler=None if ratio is None else ParentBasedTraceIdRatio(ratio))
        exporter = OTLPSpanExporter(meter_provider=about_itself)
        for processor in (*processors, BatchSpanProcessor(exporter, meter_provider=about_itself)):
            self._tracer.add_span_processor(processor)
        trace.set_tracer_provider(self._tracer)
        self._logger = LoggerProvider()
        self._logger.add_log_record_processor(BatchLogRecordProcessor(OTLPLogExporter()))
        _logs.set_logger_provider(self._logger)
        LoggingInstrumentor().instrument()

    def flush(self, seconds: float) -> bool:
        """See `Side`."""
        milliseconds = int(seconds * 1000)
        done = [each.force_flush(milliseconds) for each in (self._tracer, self._meter, self._logger)]
        return all(done)

    def stop(self) -> None:
        """See `Side`."""
        for provider in (self._tracer, self._meter, self._logger):
            provider.shutdown()

    def claimed(self) -> int | None:
        """Exported spans without an error, in the SDK's metrics about itself."""
        return sum(int(point.value) for point in self._points() if "error.type" not in point.attributes)

    def lost(self) -> int | None:
        """Exported spans with an error; those that the queue dropped are in `otel.sdk.processor.span.processed`."""
        return sum(int(point.value) for point in self._points() if "error.type" in point.attributes)

    def _points(self) -> list[Any]:
        data: Any = self._books.get_metrics_data()
        names = {"otel.sdk.exporter.span.exported", "otel.sdk.processor.span.processed"}
        return [
            point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            for point in metric.data.data_points
            if metric.name in names and (metric.name.endswith("exported") or "error.type" in point.attributes)
        ]

    def instrument(self, app: Any = None) -> None:
        """See `Side`."""
        import_module("opentelemetry.instrumentation.httpx").HTTPXClientInstrumentor().instrument()
        if app is not None:
            import_module("opentelemetry.instrumentation.fastapi").FastAPIInstrumentor.instrument_app(app)

    def traced_stream(self, name: str, chunks: Stream) -> Stream:
        """See `Side`."""

        async def traced() -> AsyncGenerator[int, None]:
            with trace.get_tracer("compare").start_as_current_span(name):
                async for chunk in chunks():
                    yield chunk

        return traced


class Logfire:
    """Logfire with its own backend off and the collector of the environment on, which it supports."""

    def start(self, *, processors: Sequence[Any] = (), ratio: float | None = None) -> None:
        """See `Side`."""
        self._logfire: Any = import_module("logfire")
        sampling = None if ratio is None else self._logfire.SamplingOptions(head=ratio)
        self._logfire.configure(
            send_to_logfire=False,
            console=False,
            inspect_arguments=False,
            additional_span_processors=list(processors),
            sampling=sampling,
        )
        logging.getLogger().addHandler(self._logfire.LogfireLoggingHandler())

    def flush(self, seconds: float) -> bool:
        """See `Side`."""
        return bool(self._logfire.force_flush(int(seconds * 1000)))

    def stop(self) -> None:
        """See `Side`."""
        self._logfire.shutdown()

    def claimed(self) -> int | None:
        """Nothing."""
        return None

    def lost(self) -> int | None:
        """Nothing."""
        return None

    def instrument(self, app: Any = None) -> None:
        """See `Side`."""
        self._logfire.instrument_httpx()
        if app is not None:
            self._logfire.instrument_fastapi(app)

    def traced_stream(self, name: str, chunks: Stream) -> Stream:
        """See `Side`."""
        traced: Stream = self._logfire.instrument(name, allow_generator=True)(chunks)
        return traced


class Ours:
    """``configure()`` with the endpoint as its destination."""

    def start(self, *, processors: Sequence[Any] = (), ratio: float | None = None) -> None:
        """See `Side`."""
        import aumos_otel as aumos

        self._telemetry = aumos.configure(
            destinations=[aumos.OTLP(endpoint=os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"])],
            span_processors=list(processors),
            sampling=None if ratio is None else aumos.SamplingOptions(ratio=ratio),
        )

    def flush(self, seconds: float) -> bool:
        """See `Side`."""
        return self._telemetry.force_flush(seconds)

    def stop(self) -> None:
        """See `Side`."""
        self._telemetry.shutdown()

    def claimed(self) -> int | None:
        """Delivered spans of the ledger."""
        return int(self._book()["delivered"])

    def lost(self) -> int | None:
        """Dropped spans of the ledger, all reasons, and those of which it cannot know."""
        book = self._book()
        return sum(int(count) for count in book["dropped"].values()) + int(book.get("unconfirmed", 0))

    def _book(self) -> dict[str, Any]:
        books = self._telemetry.status().to_dict()["destinations"]
        return next(book for book in books if book["signal"] == "traces")

    def instrument(self, app: Any = None) -> None:
        """The application alone: `start` has done the rest."""
        if app is not None:
            self._telemetry.instrument(app)

    def traced_stream(self, name: str, chunks: Stream) -> Stream:
        """See `Side`."""
        import aumos_otel as aumos

        return aumos.span(name)(chunks)


SIDES: dict[str, type[Side]] = {"stock": Stock, "logfire": Logfire, "ours": Ours}
