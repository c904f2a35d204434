"""Which exporter each signal leaves through: from the plan to processors and readers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aumos_otel import _compat
from aumos_otel._internal import discovery
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.delivery import target
from aumos_otel.delivery.accounting import AccountingLogExporter, AccountingMetricExporter, AccountingSpanExporter
from aumos_otel.delivery.otlp import build_exporter
from aumos_otel.errors import ConfigError
from aumos_otel.processors.logs import LogExportProcessor
from aumos_otel.processors.spans import ExportProcessor
from aumos_otel.providers.meter import periodic_reader

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.trace import SpanProcessor

    from aumos_otel.config import Signal
    from aumos_otel.delivery.ledger import Ledger
    from aumos_otel.delivery.target import Target
    from aumos_otel.exporters.prometheus import PrometheusPage
    from aumos_otel.pipeline import Switch
    from aumos_otel.plan import Plan

_FORCED_PROTOCOL = {"otlp_proto_grpc": "grpc", "otlp_proto_http": "http/protobuf"}


@dataclass(frozen=True, slots=True)
class Route:
    """One signal's way out: an OTLP target, or an exporter that another package registers."""

    name: str
    signal: Signal
    target: Target | None


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
                for otlp in plan.destinations:
                    goal = target.resolve(otlp, signal, environ, plan.sources, local)
                    routes.append(Route(otlp.name, signal, goal))
            else:
                routes.append(Route(exporter, signal, None))
    return routes


def span_processors(routes: Routes, plan: Plan, ledger: Ledger, switch: Switch) -> list[SpanProcessor]:
    """A queue for each destination of traces, and the console."""
    processors: list[SpanProcessor] = []
    for route in _of(routes, "traces"):
        account = ledger.open(route.name, route.signal, _address(route))
        processor = ExportProcessor(AccountingSpanExporter(_exporter(route), account, switch))
        account.queue_length = _length_of(processor)
        processors.append(processor)
    if plan.console is not None and plan.console.spans:
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: PLC0415 - when asked for

        from aumos_otel.exporters.console import ConsoleSpanExporter  # noqa: PLC0415 - rich is loaded when asked for

        processors.append(SimpleSpanProcessor(ConsoleSpanExporter(plan.console)))
    return processors


def log_processors(routes: Routes, plan: Plan, ledger: Ledger, switch: Switch) -> list[LogRecordProcessor]:
    """A queue for each destination of logs, and the console."""
    processors: list[LogRecordProcessor] = []
    for route in _of(routes, "logs"):
        account = ledger.open(route.name, route.signal, _address(route))
        processor = LogExportProcessor(AccountingLogExporter(_exporter(route), account, switch))
        account.queue_length = _length_of(processor)
        processors.append(processor)
    if plan.console is not None and plan.console.logs:
        from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor  # noqa: PLC0415 - when asked for

        from aumos_otel.exporters.console import ConsoleLogExporter  # noqa: PLC0415 - rich is loaded when asked for

        processors.append(SimpleLogRecordProcessor(ConsoleLogExporter(plan.console)))
    return processors


def metric_readers(routes: Routes, plan: Plan, ledger: Ledger, switch: Switch) -> list[MetricReader]:
    """A pushing reader for each destination of metrics."""
    readers: list[MetricReader] = []
    if plan.metrics is None:
        return readers
    for route in _of(routes, "metrics"):
        if route.name == "prometheus":
            continue
        exporter = _exporter(route)
        if hasattr(exporter, "collect"):  # some packages register a reader under the name of an exporter
            readers.append(exporter)
            continue
        account = ledger.open(route.name, route.signal, _address(route))
        readers.append(periodic_reader(AccountingMetricExporter(exporter, account, switch), plan.metrics))
    return readers


def prometheus_page(routes: Routes, plan: Plan) -> PrometheusPage | None:
    """The pull endpoint, when asked for by option or by OTEL_METRICS_EXPORTER."""
    named = any(route.name == "prometheus" for route in _of(routes, "metrics"))
    if plan.metrics is None or not (plan.metrics.prometheus or named):
        return None
    from aumos_otel.exporters.prometheus import PrometheusPage  # noqa: PLC0415 - prometheus_client only when asked for

    return PrometheusPage(host=plan.metrics.prometheus_host, port=plan.metrics.prometheus_port)


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


def _of(routes: Routes, signal: Signal) -> Sequence[Route]:
    return [route for route in routes if route.signal == signal]


def _address(route: Route) -> str:
    return route.target.url if route.target is not None else route.name


def _exporter(route: Route) -> Any:
    if route.target is not None:
        return build_exporter(route.target)
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


def _length_of(processor: Any) -> Any:
    return lambda: _compat.queue_length(processor)
