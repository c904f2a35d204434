"""Who the service is, and the switches of the process."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aumos_otel._internal import hosts
from aumos_otel._internal.values import boolean, instances, mapping, names, number, path, signal_name, text
from aumos_otel.config.declaration import Options, option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.trace import SpanProcessor


@dataclass(frozen=True, kw_only=True)
class Identity(Options):
    """Who the service is, and the switches of the process; the scalar arguments of ``configure()``."""

    service_name: str | None = option(
        None, "AUMOS_SERVICE_NAME", "OTEL_SERVICE_NAME", parse=text, doc="Name of the service."
    )
    service_version: str | None = option(None, "AUMOS_SERVICE_VERSION", parse=text, doc="Version of the service.")
    service_namespace: str | None = option(None, "AUMOS_SERVICE_NAMESPACE", parse=text, doc="Namespace of the service.")
    environment: str | None = option(None, "AUMOS_ENVIRONMENT", parse=text, doc="Deployment environment, e.g. prod.")
    product: str | None = option(None, "AUMOS_PRODUCT", parse=text, doc="AumOS product.")
    tier: str | None = option(None, "AUMOS_TIER", parse=text, doc="AumOS tier.")
    phase: str | None = option(None, "AUMOS_PHASE", parse=text, doc="AumOS delivery phase.")
    resource_attributes: Mapping[str, Any] = option({}, parse=mapping, doc="Further resource attributes.")
    enabled: bool = option(
        True, "AUMOS_OTEL_ENABLED", "AUMOS_OTEL__ENABLED", parse=boolean, doc="False: no telemetry, no cost."
    )
    shutdown_timeout: float = option(
        5.0, "AUMOS_OTEL_SHUTDOWN_TIMEOUT", parse=number(0, 300, " seconds"), doc="Seconds that leaving may take."
    )
    handle_signals: bool = option(
        True, "AUMOS_OTEL_HANDLE_SIGNALS", parse=boolean, doc="Flush on SIGTERM, then what was there before."
    )
    pause_signal: str | None = option(
        None, "AUMOS_OTEL_PAUSE_SIGNAL", parse=signal_name, doc="Signal that pauses and resumes telemetry."
    )
    pause_file: str | None = option(
        None, "AUMOS_OTEL_PAUSE_FILE", parse=path, doc="Telemetry is paused while this file exists."
    )
    propagators: Sequence[str] = option(
        ("tracecontext", "baggage"), "OTEL_PROPAGATORS", parse=names, doc="Propagators by name."
    )
    baggage_hosts: Sequence[str] = option(
        ("localhost", "127.0.0.1", "::1", "*.svc", "*.svc.cluster.local"),
        "AUMOS_OTEL_BAGGAGE_HOSTS",
        parse=hosts.patterns,
        doc="Hosts that outbound baggage may reach.",
    )
    span_processors: Sequence[SpanProcessor] = option(
        (), parse=instances("on_start", "on_end", "shutdown"), doc="Further span processors, run after ours."
    )
    log_record_processors: Sequence[LogRecordProcessor] = option(
        (), parse=instances("on_emit", "shutdown"), doc="Further log record processors, run after ours."
    )
