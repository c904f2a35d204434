"""Which exporter each signal leaves through: from the plan to processors and readers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from aumos_otel._internal import discovery, quantities
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.config import OTLP, SIGNALS, OTLPFile
from aumos_otel.delivery import target
from aumos_otel.delivery.accounting import AccountingMetricExporter
from aumos_otel.delivery.metric_exporter import DeliveryMetricExporter
from aumos_otel.errors import ConfigError
from aumos_otel.processors.logs import LogExportProcessor
from aumos_otel.processors.spans import ExportProcessor
from aumos_otel.processors.tail import TailSampler
from aumos_otel.providers.meter import periodic_reader
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Callable

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader, MetricsData
    from opentelemetry.sdk.trace import SpanProcessor

    from aumos_otel.config import Destination, MetricsOptions, Signal
    from aumos_otel.delivery.dispatch import Dispatch
    from aumos_otel.delivery.target import Target
    from aumos_otel.exporters.prometheus import PrometheusPage
    from aumos_otel.plan import Plan
    from aumos_otel.workshop import Workshop

    Amend = Callable[[MetricsData], MetricsData]

_EXPORT_TIMEOUT: dict[Signal, str] = {
    "traces": "OTEL_BSP_EXPORT_TIMEOUT",
    "metrics": "OTEL_METRIC_EXPORT_TIMEOUT",
    "logs": "OTEL_BLRP_EXPORT_TIMEOUT",
}
_FORCED_PROTOCOL = {"otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}


@dataclass(frozen=True, slots=True)
class Route:
    """One signal's way out: to a destination of ours, or an exporter that another package registers.

    Attributes:
        destination: None for an exporter of another package.
        target: where the OTLP destination is; None for every other.
    """

    name: str
    signal: Signal
    destination: Destination | None = None
    target: Target | None = None


Routes = list[Route]


def plan_routes(plan: Plan) -> Routes:
    """Every way out that the plan names; nothing is built or contacted.

    Raises:
        ConfigError: an OTEL_EXPORTER_OTLP_* variable that cannot be used.
    """
    local = discovery.read()
    routes = []
    for signal, exporters in plan.exporters.items():
        for exporter in exporters:
            if exporter == "otlp" or exporter in _FORCED_PROTOCOL:
                environ = dict(plan.environ)
                if exporter in _FORCED_PROTOCOL:
                    environ[f"OTEL_EXPORTER_OTLP_{signal.upper()}_PROTOCOL"] = _FORCED_PROTOCOL[exporter]
                longest = (plan.quantities[_EXPORT_TIMEOUT[signal]] or quantities.LARGEST) / 1000
                for way in (wanted for wanted in plan.destinations if signal in wanted.signals):
                    goal = None
                    if isinstance(way, OTLP):
                        goal = target.resolve(way, signal, environ, plan.sources, local=local, longest=longest)
                    routes.append(Route(way.name, signal, way, goal))
            else:
                routes.append(Route(exporter, signal))
    return routes


@dataclass(slots=True)
class Exits:
    """What telemetry leaves through, built but not yet attached to a provider."""

    spans: list[SpanProcessor] = field(default_factory=list)
    logs: list[LogRecordProcessor] = field(default_factory=list)
    readers: list[MetricReader] = field(default_factory=list)
    dispatches: dict[Signal, list[Dispatch[Any]]] = field(default_factory=lambda: {signal: [] for signal in SIGNALS})
    page: PrometheusPage | None = None

    def unsampled(self, count: int = 1) -> None:
        """Count spans that a sampler did not keep."""
        for dispatch in self.dispatches["traces"]:
            if count == 1:
                dispatch.books.skip()
            else:
                dispatch.books.refuse(count, attributes.AUMOS_OTEL_REASON_SAMPLED)

    def start(self) -> None:
        """Begin to send what ended processes left in the spools."""
        for dispatches in self.dispatches.values():
            for dispatch in dispatches:
                dispatch.start()

    def leave_by(self, signal: Signal, deadline: float) -> None:
        """Shutting down the signal may take until ``deadline``, in monotonic seconds."""
        for dispatch in self.dispatches[signal]:
            dispatch.leave_by(deadline)

    def all_sent(self, signal: Signal) -> bool:
        """Whether nothing was left when the signal was shut down."""
        return all(dispatch.all_sent for dispatch in self.dispatches[signal])

    def close(self) -> None:
        """Stop what runs; for a build that fails half-way."""
        parts: list[Any] = [*self.spans, *self.logs, *self.readers]
        for part in parts:
            part.shutdown()


def build(routes: Routes, plan: Plan, workshop: Workshop, amend: Callable[[], Amend]) -> Exits:
    """Every exit of the plan.

    Args:
        routes: of `plan_routes`.
        plan: what was asked for.
        workshop: builds the delivery of a signal.
        amend: makes what adds to the metrics that one reader has collected.

    Raises:
        ConfigError: an exporter that cannot be built; nothing is left running.
    """
    exits = Exits()
    try:
        for signal in SIGNALS:
            wanted = [route for route in routes if route.signal == signal and _wanted(signal, plan)]
            ours = [(way.destination, way.target) for way in wanted if way.destination is not None]
            if ours:
                _add(exits, signal, workshop.dispatch(signal, ours), plan, amend)
            for route in wanted:
                if route.destination is None and route.name != "prometheus":
                    _add_exporter(exits, route, workshop, plan, amend)
        if plan.sampling.tail is not None and exits.spans:
            exits.spans = [TailSampler(plan.sampling.tail, exits.spans, exits.unsampled)]
        _add_console(exits, plan)
        exits.page = _prometheus_page(routes, plan, amend)
    except BaseException:
        exits.close()
        raise
    return exits


def _add(exits: Exits, signal: Signal, dispatch: Dispatch[Any], plan: Plan, amend: Callable[[], Amend]) -> None:
    exits.dispatches[signal].append(dispatch)
    if signal == "metrics":
        exporter = DeliveryMetricExporter(dispatch, plan.environ, amend())
        exits.readers.append(periodic_reader(exporter, cast("MetricsOptions", plan.metrics), plan.quantities))
    elif signal == "traces":
        exits.spans.append(ExportProcessor(dispatch))
    else:
        exits.logs.append(LogExportProcessor(dispatch))


def _add_exporter(exits: Exits, route: Route, workshop: Workshop, plan: Plan, amend: Callable[[], Amend]) -> None:
    """An exporter of another package: it gets redacted objects of the SDK's types."""
    exporter = _exporter(route)
    if hasattr(exporter, "collect"):  # some packages register a metric reader under the name of an exporter
        exits.readers.append(exporter)
    elif route.signal == "metrics":
        counting = AccountingMetricExporter(exporter, workshop.account(route.signal, route.name), workshop.paused)
        exits.readers.append(periodic_reader(counting, cast("MetricsOptions", plan.metrics), plan.quantities))
    else:
        _add(exits, route.signal, workshop.exporter_dispatch(route.signal, route.name, exporter), plan, amend)


def _wanted(signal: Signal, plan: Plan) -> bool:
    return {"traces": True, "metrics": plan.metrics is not None, "logs": plan.logs is not None}[signal]


def _add_console(exits: Exits, plan: Plan) -> None:
    if plan.console is None:
        return
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor  # noqa: PLC0415 - when asked for
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - same

    from aumos_otel.exporters.console import ConsoleLogExporter, ConsoleSpanExporter  # noqa: PLC0415 - loads rich

    if plan.console.spans:
        exits.spans.append(SimpleSpanProcessor(ConsoleSpanExporter(plan.console)))
    if plan.console.logs and plan.logs is not None:
        exits.logs.append(SimpleLogRecordProcessor(ConsoleLogExporter(plan.console)))


def _prometheus_page(routes: Routes, plan: Plan, amend: Callable[[], Amend]) -> PrometheusPage | None:
    """The pull endpoint, when asked for by option or by OTEL_METRICS_EXPORTER."""
    named = any(route.name == "prometheus" for route in routes if route.signal == "metrics")
    if plan.metrics is None or not (plan.metrics.prometheus or named):
        return None
    from aumos_otel.exporters.prometheus import PrometheusPage  # noqa: PLC0415 - prometheus_client only when asked for

    return PrometheusPage(
        host=plan.metrics.prometheus_host,
        port=plan.metrics.prometheus_port,
        cardinality_limit=plan.metrics.cardinality_limit,
        amend=amend(),
    )


def describe(routes: Routes) -> list[dict[str, Any]]:
    """The ways out as plain data; header values are secrets and stay out."""
    described = []
    for route in routes:
        line: dict[str, Any] = {"name": route.name, "signal": route.signal, "endpoint": _address(route)}
        if route.target is not None:
            goal = route.target
            line |= {"protocol": goal.protocol, "tls": goal.tls, "source": goal.source}
        described.append(line)
    return described


def _address(route: Route) -> str:
    """Where a route leads; the query of a URL may hold a key and stays out."""
    if isinstance(route.destination, OTLPFile):
        return route.destination.path
    return route.target.url.partition("?")[0] if route.target is not None else route.name


def _exporter(route: Route) -> Any:
    variable = f"OTEL_{route.signal.upper()}_EXPORTER"
    factory = load_entry_point(f"opentelemetry_{route.signal}_exporter", route.name, variable)
    try:
        return factory()
    except Exception as error:
        raise ConfigError(
            variable,
            seen=f"{route.name} ({type(error).__name__}: {error})",
            expected="an exporter that can be built without arguments",
            remedy="set what the exporter needs, or choose another",
        ) from error
