"""The meter provider: readers, views, cardinality limits and exemplars."""

from __future__ import annotations

import logging
import math
from typing import TYPE_CHECKING, Any

from opentelemetry.metrics import NoOpMeter
from opentelemetry.sdk.metrics import (
    AlwaysOffExemplarFilter,
    AlwaysOnExemplarFilter,
    Counter,
    Histogram,
    MeterProvider,
    ObservableCounter,
    ObservableGauge,
    ObservableUpDownCounter,
    TraceBasedExemplarFilter,
    UpDownCounter,
)
from opentelemetry.sdk.metrics.export import MetricExporter, MetricReader, PeriodicExportingMetricReader

from aumos_otel import _compat, guard
from aumos_otel.providers.instruments import guarded_meter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import ExemplarFilter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

    from aumos_otel._internal.quantities import Quantities
    from aumos_otel.config import MetricsOptions

logger = logging.getLogger("aumos_otel")

_INSTRUMENTS = (Counter, Histogram, ObservableCounter, ObservableGauge, ObservableUpDownCounter, UpDownCounter)

_FILTERS: dict[str, type[ExemplarFilter]] = {
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
    "trace_based": TraceBasedExemplarFilter,
}


class QuietMeterProvider(MeterProvider):
    """The SDK's provider; what is asked of it after the end is answered without a warning on stderr."""

    _over = False

    def shutdown(self, timeout_millis: float = 30_000) -> None:
        """Shut the readers down."""
        self._over = True
        super().shutdown(timeout_millis)

    def get_meter(
        self, name: str, version: str | None = None, schema_url: str | None = None, attributes: Attributes = None
    ) -> Meter:
        """The meter of an instrumentation scope; after the end, one that does nothing."""
        if self._over:
            return NoOpMeter(name, version, schema_url)
        meter: Meter = guarded_meter(super().get_meter(name, version, schema_url, attributes))
        return meter


def build(
    resource: Resource, options: MetricsOptions, readers: Sequence[MetricReader], environ: Mapping[str, str]
) -> MeterProvider:
    """A meter provider with the given readers, the user's readers and the user's views."""
    provider = QuietMeterProvider(
        metric_readers=[*readers, *options.readers],
        resource=resource,
        exemplar_filter=_exemplar_filter(environ),
        shutdown_on_exit=False,
        views=list(options.views),
        **_compat.meter_configurator(environ),
    )
    _compat.enable(provider)
    _compat.survive_forks(provider)
    return provider


def periodic_reader(
    exporter: MetricExporter, options: MetricsOptions, quantities: Quantities
) -> PeriodicExportingMetricReader:
    """A reader that pushes; where no thread can be started, only at a flush and at the end."""
    limits: Any = dict.fromkeys(_INSTRUMENTS, options.cardinality_limit)
    timeout = quantities["OTEL_METRIC_EXPORT_TIMEOUT"]
    try:
        return PeriodicExportingMetricReader(
            exporter, quantities["OTEL_METRIC_EXPORT_INTERVAL"], timeout, cardinality_limits=limits
        )
    except RuntimeError as error:
        guard.record("providers.meter.thread", error)
        return PeriodicExportingMetricReader(exporter, math.inf, timeout, cardinality_limits=limits)


def _exemplar_filter(environ: Mapping[str, str]) -> ExemplarFilter:
    name = environ.get("OTEL_METRICS_EXEMPLAR_FILTER", "").strip().lower()
    if name and name not in _FILTERS:
        logger.warning(
            "OTEL_METRICS_EXEMPLAR_FILTER: got %r, expected one of %s; trace_based is used", name, ", ".join(_FILTERS)
        )
    return _FILTERS.get(name, TraceBasedExemplarFilter)()
