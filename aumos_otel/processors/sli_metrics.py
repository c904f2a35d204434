"""The counts of SLIs as OpenTelemetry metrics, with the traces behind them as exemplars.

The instruments are observable: each reader sees the same counts, whatever its temporality, and views apply.
The SDK has no exemplars for what is observed; `Exemplars` adds them to what a reader of ours has collected.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from opentelemetry.metrics import Observation
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import Sum

from aumos_otel import guard
from aumos_otel.semconv import attributes
from aumos_otel.semconv import metrics as names
from aumos_otel.semconv.spans import SCOPE_AUMOS_OTEL

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.metrics import CallbackOptions
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import Metric, MetricsData, NumberDataPoint

    from aumos_otel.processors.sli import Counted, SliCounter
    from aumos_otel.processors.sli_series import Traces
    from aumos_otel.slo.objective import Objective

_EVENTS: Final = names.AUMOS_SLI_EVENTS.name
_GOOD_EVENTS: Final = names.AUMOS_SLI_GOOD_EVENTS.name


def observe(provider: MeterProvider, counter: SliCounter, objectives: Sequence[Objective] = ()) -> None:
    """Let the readers of ``provider`` see the counts, and the target of each objective."""
    meter = provider.get_meter(SCOPE_AUMOS_OTEL, version("aumos-otel"))
    counts = _Counts(counter)
    # In this order: the SDK asks the instruments in the order of their making, and both are to tell of one moment.
    for metric, read in ((names.AUMOS_SLI_GOOD_EVENTS, counts.good_events), (names.AUMOS_SLI_EVENTS, counts.events)):
        meter.create_observable_counter(metric.name, [read], metric.unit, metric.description)
    if objectives:
        from aumos_otel.processors.slo_targets import targets  # noqa: PLC0415 - loads the model of objectives

        told, metric = targets(objectives), names.AUMOS_SLO_TARGET
        meter.create_observable_gauge(metric.name, [lambda _options: told], metric.unit, metric.description)


class _Counts:
    """What the two counters tell in one collection; the SDK runs one collection at a time."""

    def __init__(self, counter: SliCounter) -> None:
        self._counter = counter
        self._kept: Counted | None = None

    def good_events(self, _options: CallbackOptions) -> list[Observation]:
        """Read the cells: good events; the reading is kept for the question that comes next."""
        counted, kept = self._counter.read(), self._kept
        if kept is None or kept.number < counted.number:  # else this one took too long, and nobody waits for it
            self._kept = counted
        return self._observed(counted, 1)

    def events(self, _options: CallbackOptions) -> list[Observation]:
        """All events, as of the same moment."""
        counted, self._kept = self._kept, None
        return self._observed(counted or self._counter.read(), 0)

    def _observed(self, counted: Counted, column: int) -> list[Observation]:
        observed, slis = [], self._counter.slis
        for (number, tenant), counts in counted.series.items():
            labels = {attributes.AUMOS_SLI_NAME: slis[number].name}
            if tenant is not None:
                labels[attributes.AUMOS_TENANT_ID] = tenant
            observed.append(Observation(counts[column], labels))
        return observed


class Exemplars:
    """Adds the traces behind events to what one reader has collected: those that it has not told yet.

    ``aumos.sli.events`` gets traces of bad events, a good one's where there is none; good events get a good one's.
    """

    def __init__(self, counter: SliCounter) -> None:
        self._counter = counter
        self._table = counter.table
        self._told = 0

    def __call__(self, data: MetricsData) -> MetricsData:
        """``data`` with exemplars; itself where nothing has to be added."""
        with guard.swallow("processors.sli.exemplars"):
            return self._with_exemplars(data) if self._counter.exemplars else data
        return data

    def _with_exemplars(self, data: MetricsData) -> MetricsData:
        table = self._counter.table
        if table is not self._table:  # another one since the process was forked
            self._table, self._told = table, 0
        told, self._told = self._told, table.readings
        numbers = {sli.name: number for number, sli in enumerate(self._counter.slis)}

        def added(metric: Metric) -> Metric:
            if metric.name not in {_EVENTS, _GOOD_EVENTS} or not isinstance(metric.data, Sum):
                return metric
            points = [
                _pointed(point, table.traces.get(_key(numbers, point.attributes or {})), metric.name, told)
                for point in metric.data.data_points
            ]
            return replace(metric, data=replace(metric.data, data_points=points))

        return replace(
            data,
            resource_metrics=[
                replace(
                    of_resource,
                    scope_metrics=[
                        replace(of_scope, metrics=[added(metric) for metric in of_scope.metrics])
                        if of_scope.scope.name == SCOPE_AUMOS_OTEL
                        else of_scope
                        for of_scope in of_resource.scope_metrics
                    ],
                )
                for of_resource in data.resource_metrics
            ],
        )


def _key(numbers: Mapping[str, int], known: Mapping[str, Any]) -> tuple[int, str | None]:
    """The series of a point; one that there is not where a view has taken its attributes."""
    return numbers.get(known.get(attributes.AUMOS_SLI_NAME, ""), -1), known.get(attributes.AUMOS_TENANT_ID)


def _pointed(point: NumberDataPoint, traces: Traces | None, metric: str, told: int) -> NumberDataPoint:
    """``point`` with the exemplars that came after the reading ``told``."""
    if traces is None:
        return point
    chosen = [(trace, False) for reading, trace in traces.bad if reading > told] if metric == _EVENTS else []
    if not chosen and traces.good is not None and traces.good[0] > told:
        chosen = [(traces.good[1], True)]
    exemplars = [
        Exemplar({attributes.AUMOS_SLI_GOOD: good}, 1, trace.time, trace.span_id, trace.trace_id)
        for trace, good in chosen
    ]
    return replace(point, exemplars=exemplars) if exemplars else point
