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
from aumos_otel.providers.metric_recorder import adopting, recorder_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from opentelemetry.metrics import Meter
    from opentelemetry.sdk.metrics import ExemplarFilter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.util.types import Attributes

    from aumos_otel._internal.quantities import Quantities
    from aumos_otel.config import MetricsOptions
    from aumos_otel.providers.metric_recorder import Recorder

logger = logging.getLogger("aumos_otel")

_INSTRUMENTS = (Counter, Histogram, ObservableCounter, ObservableGauge, ObservableUpDownCounter, UpDownCounter)

_FILTERS: dict[str, type[ExemplarFilter]] = {
    "always_on": AlwaysOnExemplarFilter,
    "always_off": AlwaysOffExemplarFilter,
    "trace_based": TraceBasedExemplarFilter,
}


class QuietMeterProvider(MeterProvider):
    """The SDK's provider, with instruments that record by themselves.

    What is asked of it after the end is answered without a warning on stderr.
    """

    _over = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _compat.adopt_matches(self, adopting)

    def add_metric_reader(self, metric_reader: MetricReader) -> None:
        """Let a further reader collect what comes from now on."""
        super().add_metric_reader(metric_reader)
        self._look_up_anew()

    def remove_metric_reader(self, metric_reader: MetricReader) -> None:
        """Let a reader go."""
        super().remove_metric_reader(metric_reader)
        self._look_up_anew()

    def start_over(self) -> None:
        """In a forked child: count from zero, with no lock that another thread of the parent held."""
        for recorder in self._recorders():
            recorder.index.renew()
        _compat.adopt_matches(self, adopting)

    def _look_up_anew(self) -> None:
        _compat.adopt_matches(self, adopting)
        for recorder in self._recorders():
            recorder.index.empty()

    def _recorders(self) -> Iterator[Recorder]:
        return filter(None, map(recorder_of, _compat.instruments_of(self)))

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
