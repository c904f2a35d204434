"""Telemetry of one test in memory: the ``capture`` fixture and what it is made of."""

from __future__ import annotations

import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry import trace

from aumos_otel.testing.sequences import SequentialIds

if TYPE_CHECKING:
    from collections.abc import Iterator

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.trace import ReadableSpan

    from aumos_otel.pipeline import Telemetry


class Capture:
    """Telemetry of one test, in the order in which it ended."""

    def __init__(self, telemetry: Telemetry, spans: Any, logs: Any, reader: Any) -> None:
        self.telemetry = telemetry
        self._spans = spans
        self._logs = logs
        self._reader = reader

    @property
    def spans(self) -> list[ReadableSpan]:
        """Finished spans."""
        return list(self._spans.get_finished_spans())

    @property
    def logs(self) -> list[ReadableLogRecord]:
        """Emitted log records."""
        return list(self._logs.get_finished_logs())

    @property
    def metrics(self) -> dict[str, list[Any]]:
        """Data points by metric name, collected now."""
        data = self._reader.get_metrics_data()
        points: dict[str, list[Any]] = {}
        for resource in data.resource_metrics if data else ():
            for scope in resource.scope_metrics:
                for metric in scope.metrics:
                    points.setdefault(metric.name, []).extend(metric.data.data_points)
        return points

    def span(self, name: str) -> ReadableSpan:
        """The one finished span of that name.

        Raises:
            AssertionError: there is none, or more than one; the message lists the names seen.
        """
        found = [span for span in self.spans if span.name == name]
        if len(found) != 1:
            seen = ", ".join(span.name for span in self.spans) or "none"
            raise AssertionError(f"expected one span {name!r}, got {len(found)}; finished spans: {seen}")
        return found[0]


def reset() -> None:
    """Shut the current pipeline down and forget it and the global providers."""
    from aumos_otel import _compat, _configure, context, instrumentation  # noqa: PLC0415 - a plugin loads light
    from aumos_otel.llm import settings  # noqa: PLC0415 - same

    telemetry = _configure.forget()
    if telemetry is not None:
        telemetry.shutdown(timeout=5.0)
    instrumentation.disable()
    _compat.reset_globals()
    context.reset_metric_tenants()
    settings.reset()


@contextmanager
def captured(*, ids: SequentialIds | None = None, **options: Any) -> Iterator[Capture]:
    """Configure telemetry into memory for the block; ``options`` go to ``configure()``."""
    from opentelemetry.sdk._logs.export import (  # noqa: PLC0415 - a plugin loads light
        InMemoryLogRecordExporter,
        SimpleLogRecordProcessor,
    )
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader  # noqa: PLC0415 - same
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - same
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter  # noqa: PLC0415 - same

    from aumos_otel import MetricsOptions, _configure, guard  # noqa: PLC0415 - same

    reset()
    spans, reader = InMemorySpanExporter(), InMemoryMetricReader()
    logs = InMemoryLogRecordExporter()  # type: ignore[no-untyped-call]  # the SDK left it untyped
    options.setdefault("instrumentations", False)
    options.setdefault("metrics", MetricsOptions(readers=[reader]))
    was_strict = guard.set_strict(True)
    try:
        telemetry = _configure.configure(
            destinations=[],
            span_processors=[SimpleSpanProcessor(spans)],
            log_record_processors=[SimpleLogRecordProcessor(logs)],
            handle_signals=False,
            **options,
        )
        if ids is not None:
            trace.get_tracer_provider().id_generator = ids  # type: ignore[attr-defined]  # the SDK's provider has it
        yield Capture(telemetry, spans, logs, reader)
    finally:
        reset()
        guard.set_strict(was_strict)


@pytest.fixture
def capture(monkeypatch: pytest.MonkeyPatch) -> Iterator[Capture]:
    """Telemetry of this test, in memory; OTEL_* and AUMOS_* variables are out of the way."""
    for name in list(os.environ):
        if name.startswith(("OTEL_", "AUMOS_")):
            monkeypatch.delenv(name)
    with captured(ids=SequentialIds()) as captured_telemetry:
        yield captured_telemetry
