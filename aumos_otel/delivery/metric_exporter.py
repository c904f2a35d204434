"""Where collected metrics enter delivery: an exporter of the SDK's type that prepares and queues, and never waits."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, Final, cast

from opentelemetry.sdk.metrics import Counter, Histogram, ObservableCounter, ObservableUpDownCounter, UpDownCounter
from opentelemetry.sdk.metrics.export import AggregationTemporality, MetricExporter, MetricExportResult
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation, ExponentialBucketHistogramAggregation

from aumos_otel import guard
from aumos_otel.delivery.measurements import metric_records
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from opentelemetry.sdk.metrics.export import MetricsData

    from aumos_otel.delivery.dispatch import Dispatch
    from aumos_otel.delivery.preparation import Preparation
    from aumos_otel.delivery.record import MetricRecord

logger = logging.getLogger("aumos_otel")

_TEMPORALITY: Final = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
_HISTOGRAM: Final = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"

#: The instruments whose points are deltas, by preference; all others are cumulative.
#: https://opentelemetry.io/docs/specs/otel/metrics/sdk_exporters/otlp/
_DELTAS: Final[dict[str, tuple[type, ...]]] = {
    "cumulative": (),
    "delta": (Counter, Histogram, ObservableCounter),
    "lowmemory": (Counter, Histogram),
}
_HISTOGRAMS: Final[dict[str, type]] = {
    "explicit_bucket_histogram": ExplicitBucketHistogramAggregation,
    "base2_exponential_bucket_histogram": ExponentialBucketHistogramAggregation,
}


class DeliveryMetricExporter(MetricExporter):
    """Hands the collected points to delivery.

    Args:
        dispatch: what takes them on.
        environ: the OTEL_* preferences are read from it.
        amend: adds to what has been collected; it does not raise.
    """

    def __init__(
        self,
        dispatch: Dispatch[MetricRecord],
        environ: Mapping[str, str],
        amend: Callable[[MetricsData], MetricsData] | None = None,
    ) -> None:
        deltas = _preferred(environ, _TEMPORALITY, _DELTAS, "cumulative")
        histogram = _preferred(environ, _HISTOGRAM, _HISTOGRAMS, "explicit_bucket_histogram")
        kinds = (Counter, UpDownCounter, Histogram, ObservableCounter, ObservableUpDownCounter)
        temporality: dict[type, AggregationTemporality] = {
            kind: AggregationTemporality.DELTA if kind in deltas else AggregationTemporality.CUMULATIVE
            for kind in kinds
        }
        super().__init__(preferred_temporality=temporality, preferred_aggregation={Histogram: histogram()})
        self._dispatch = dispatch
        self._amend = amend
        self._preparation = cast("Preparation[MetricRecord]", dispatch.preparation)

    def export(
        self,
        metrics_data: MetricsData,
        timeout_millis: float = 10_000,  # noqa: ARG002 - the SDK's signature
        **_more: Any,
    ) -> MetricExportResult:
        """Prepare and queue every point."""
        with guard.swallow("delivery.metrics"):
            records, broken = metric_records(self._amend(metrics_data) if self._amend else metrics_data)
            if self._dispatch.closed:  # the SDK's reader collects once more in each forked child
                late = broken + sum(record.count for record in records)
                self._dispatch.books.refuse(late, attributes.AUMOS_OTEL_REASON_ALREADY_SHUTDOWN)
            else:
                self._preparation.take(records, broken)
        return MetricExportResult.SUCCESS

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        """Send what has been collected."""
        return self._dispatch.flush(time.monotonic() + timeout_millis / 1000)

    def shutdown(self, timeout_millis: float = 30_000, **_more: Any) -> None:  # noqa: ARG002 - the SDK's signature
        """Send what is left, take no more."""
        self._dispatch.close()


def _preferred(environ: Mapping[str, str], variable: str, known: Mapping[str, Any], default: str) -> Any:
    word = environ.get(variable, "").strip().lower() or default
    if word not in known:
        logger.warning("%s: got %r, expected one of %s; %s is used", variable, word, ", ".join(known), default)
    return known.get(word, known[default])
