"""Exporters that keep the books: each wraps another one and settles its batches in an account."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk._logs.export import LogRecordExporter, LogRecordExportResult
from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from aumos_otel import _compat

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from opentelemetry.sdk._logs import ReadableLogRecord
    from opentelemetry.sdk.metrics.export import MetricsData
    from opentelemetry.sdk.trace import ReadableSpan

    from aumos_otel.delivery.ledger import Account


class _Books:
    """What the three wrappers share: send, then write down what came of it."""

    def __init__(self, inner: Any, account: Account, paused: Callable[[], bool]) -> None:
        self.inner = inner
        self.account = account
        self._paused = paused

    def _send(self, count: int, export: Callable[[], Any], success: Any, failure: Any) -> Any:
        if self._paused():
            self.account.drop(count, "paused")
            return success
        self.account.begin(count)
        error: str | None = "the export did not finish"
        try:
            result = export()
            error = None if result is success else "the receiver did not accept the batch"
        except Exception as problem:  # noqa: BLE001 - an exporter may raise anything; it is written down
            result, error = failure, f"{type(problem).__name__}: {problem}"[:300]
        finally:
            self.account.settle(count, error)
        return result


class AccountingSpanExporter(_Books, SpanExporter):
    """Spans, with their outcome written down."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Export and settle."""
        done: SpanExportResult = self._send(
            len(spans), lambda: self.inner.export(spans), SpanExportResult.SUCCESS, SpanExportResult.FAILURE
        )
        return done

    def shutdown(self) -> None:
        """Shut the transport down."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 30000) -> bool:
        """Flush the transport."""
        return bool(self.inner.force_flush(timeout_millis))


class AccountingLogExporter(_Books, LogRecordExporter):
    """Log records, with their outcome written down."""

    def export(self, batch: Sequence[ReadableLogRecord]) -> LogRecordExportResult:
        """Export and settle."""
        done: LogRecordExportResult = self._send(
            len(batch), lambda: self.inner.export(batch), LogRecordExportResult.SUCCESS, LogRecordExportResult.FAILURE
        )
        return done

    def shutdown(self) -> None:
        """Shut the transport down."""
        self.inner.shutdown()

    def force_flush(self, timeout_millis: int = 10000) -> bool:
        """Flush the transport."""
        return bool(self.inner.force_flush(timeout_millis))


class AccountingMetricExporter(_Books, MetricExporter):
    """Metric points, with their outcome written down; a point counts when it is collected."""

    def __init__(self, inner: MetricExporter, account: Account, paused: Callable[[], bool]) -> None:
        _Books.__init__(self, inner, account, paused)
        MetricExporter.__init__(self, **_compat.metric_preferences(inner))

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export and settle."""
        count = sum(
            len(metric.data.data_points)
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        self.account.emit(count)
        done: MetricExportResult = self._send(
            count,
            lambda: self.inner.export(metrics_data, timeout_millis=timeout_millis, **kwargs),
            MetricExportResult.SUCCESS,
            MetricExportResult.FAILURE,
        )
        return done

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the transport down."""
        self.inner.shutdown(timeout_millis=timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the transport."""
        return bool(self.inner.force_flush(timeout_millis=timeout_millis))
