"""The books of a metric exporter of another package, which the SDK hands its points to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.metrics.export import MetricExporter, MetricExportResult

from aumos_otel import _compat
from aumos_otel.delivery.outcome import Outcome
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk.metrics.export import MetricsData

    from aumos_otel.delivery.ledger import Account


class AccountingMetricExporter(MetricExporter):
    """Exports through ``inner`` and books what came of it; a point counts when it is collected."""

    def __init__(self, inner: MetricExporter, account: Account, paused: Callable[[], bool]) -> None:
        super().__init__(**_compat.metric_preferences(inner))
        self._inner = inner
        self._account = account
        self._paused = paused

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **kwargs: Any) -> MetricExportResult:
        """Export and settle."""
        account, books = self._account, self._account.books
        count = sum(
            len(metric.data.data_points)
            for resource in metrics_data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        )
        if self._paused():
            books.refuse(count, attributes.AUMOS_OTEL_REASON_PAUSED)
            return MetricExportResult.SUCCESS
        with books.lock:
            books.emitted += count
            account.queued += count
        result, message = MetricExportResult.FAILURE, "the exporter returned a failure"
        try:
            result = self._inner.export(metrics_data, timeout_millis=timeout_millis, **kwargs)
        except BaseException as error:  # noqa: BLE001 - an exporter may raise anything; it is booked
            message = f"{type(error).__name__}: {error}"[:300]
        if result is MetricExportResult.SUCCESS:
            account.settle(count, Outcome("accepted"))
        else:
            account.give_up(count, attributes.AUMOS_OTEL_REASON_EXPORT_FAILED, message)
        return result

    def shutdown(self, timeout_millis: float = 30_000, **kwargs: Any) -> None:
        """Shut the transport down."""
        self._inner.shutdown(timeout_millis=timeout_millis, **kwargs)

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Flush the transport."""
        return bool(self._inner.force_flush(timeout_millis=timeout_millis))
