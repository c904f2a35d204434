"""``aumos-otel doctor``: who owns the providers, what clashes, what would be sent where.

It looks at this environment as ``configure()`` would; nothing is sent but one TCP connection
to each endpoint, to tell whether somebody listens.
"""

from __future__ import annotations

import os
import socket
from dataclasses import asdict, dataclass
from importlib.metadata import entry_points, version
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

from aumos_otel import _compat, destinations, plan
from aumos_otel._internal import discovery, statement
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.delivery.ledger import INTENDED
from aumos_otel.errors import AumosOtelError, ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

Grade = Literal["ok", "warn", "fail"]

#: Seconds that a connection to an endpoint may take.
CONNECT_TIMEOUT = 1.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the report."""

    grade: Grade
    subject: str
    seen: str
    remedy: str = ""

    def to_dict(self) -> dict[str, Any]:
        """The finding as plain data."""
        return asdict(self)


def examine(environ: Mapping[str, str] | None = None) -> list[Finding]:
    """Every finding about this environment (default: the process's)."""
    environ = os.environ if environ is None else environ
    findings = list(_versions())
    try:
        wanted = plan.resolve({}, environ)
        routes = destinations.plan_routes(wanted)
    except AumosOtelError as error:
        remedy = getattr(error, "remedy", "correct it")
        return [*findings, Finding("fail", "configuration", str(error), remedy)]
    findings += [Finding("warn", "configuration", warning, "correct or unset it") for warning in wanted.warnings]
    if wanted.disabled:
        return [*findings, Finding("warn", "telemetry", "disabled", "unset OTEL_SDK_DISABLED to switch it on")]
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _endpoints(routes, wanted),
        _local_backend,
        _processes,
        lambda: _zero_code(environ),
        _clashes,
        lambda: _prometheus(wanted),
    )
    for check in checks:
        findings += check()
    return findings


def _versions() -> Iterator[Finding]:
    yield Finding("ok", "aumos-otel", version("aumos-otel") + ", opentelemetry-sdk " + version("opentelemetry-sdk"))
    if _compat.MISSING:
        missing = ", ".join(_compat.MISSING)
        yield Finding("warn", "opentelemetry-sdk", f"lacks {missing}", "use a version that SUPPORT lists, or report it")


def _endpoints(routes: destinations.Routes, wanted: plan.Plan) -> Iterator[Finding]:
    if wanted.config_file is not None:
        yield Finding("ok", "destinations", "OTEL_CONFIG_FILE says where telemetry goes")
    elif not routes:
        yield Finding("warn", "destinations", "none", "set OTEL_TRACES_EXPORTER or pass destinations=")
    seen: dict[str, list[str]] = {}
    for route in routes:
        if route.target is None:
            yield _registered(route)
            continue
        goal = route.target
        seen.setdefault("://".join(urlsplit(goal.url)[:2]), []).append(route.signal)
        security = "TLS" if goal.tls else "plaintext"
        yield Finding(
            "ok",
            f"{route.signal} -> {route.name}",
            f"{goal.url.partition('?')[0]} ({goal.protocol}, {security}, {goal.source})",
        )
    for url, signals in seen.items():
        problem = _unreachable(url)
        if problem:
            remedy = "start the collector, or: aumos-otel ui"
            yield Finding("fail", f"reach {url}", f"{problem} ({', '.join(signals)})", remedy)
        else:
            yield Finding("ok", f"reach {url}", "somebody listens")


def _registered(route: destinations.Route) -> Finding:
    """Whether an exporter that is not ours is there."""
    subject = f"{route.signal} -> {route.name}"
    if (route.signal, route.name) == ("metrics", "prometheus"):
        return Finding("ok", subject, "our own page")
    variable = f"OTEL_{route.signal.upper()}_EXPORTER"
    try:
        load_entry_point(f"opentelemetry_{route.signal}_exporter", route.name, variable)
    except ConfigError as error:
        return Finding("fail", subject, str(error), error.remedy)
    return Finding("ok", subject, "exporter of another package")


def _unreachable(url: str) -> str | None:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    try:
        with socket.create_connection((parts.hostname or "", port), timeout=CONNECT_TIMEOUT):
            return None
    except OSError as error:
        return f"{type(error).__name__}: {error}"


def _local_backend() -> Iterator[Finding]:
    local = discovery.read()
    if local is None:
        yield Finding("ok", "local backend", "not running")
    else:
        yield Finding("ok", "local backend", f"pid {local.pid}, OTLP {local.otlp}, page {local.ui}")


def _processes() -> Iterator[Finding]:
    """What every process of this user says of its telemetry; see `aumos_otel._internal.statement`."""
    for said in statement.read_all():
        state = "running" if said.running else "ended"
        subject = f"process {said.pid} ({said.service})"
        for account in said.status.get("destinations", ()):
            lost = {reason: n for reason, n in account["dropped"].items() if reason not in INTENDED}
            columns = ("emitted", "delivered", "unconfirmed", "spooled", "queued")
            seen = ", ".join(f"{name} {account[name]}" for name in columns if account[name] or name in columns[:2])
            dropped = ", ".join(f"{reason} {count}" for reason, count in account["dropped"].items())
            told = f"{seen}; dropped: {dropped}" if dropped else seen
            error = f"; last error: {account['last_error']}" if account["last_error"] else ""
            grade: Grade = "warn" if lost or account["unconfirmed"] or account["state"] == "retrying" else "ok"
            yield Finding(
                grade,
                f"{subject} {account['signal']} -> {account['name']}",
                f"{state}, {said.age:.0f} s ago: {told}{error}",
                f"look at {account['endpoint']}, or switch the spool on: AUMOS_OTEL_SPOOL=true"
                if grade != "ok"
                else "",
            )


def _zero_code(environ: Mapping[str, str]) -> Iterator[Finding]:
    distros = sorted(entry.name for entry in entry_points(group="opentelemetry_distro"))
    others = [name for name in distros if name != "aumos"]
    if others and environ.get("OTEL_PYTHON_DISTRO") != "aumos":
        seen = f"several distros are installed: {', '.join(distros)}"
        yield Finding("warn", "opentelemetry-instrument", seen, "set OTEL_PYTHON_DISTRO=aumos")
    else:
        yield Finding("ok", "opentelemetry-instrument", "uses aumos")


def _clashes() -> Iterator[Finding]:
    claims: dict[str, set[str]] = {}
    for entry in entry_points(group="opentelemetry_instrumentor"):
        claims.setdefault(entry.name, set()).add(entry.dist.name if entry.dist else entry.value)
    for name, owners in sorted(claims.items()):
        if len(owners) > 1:
            seen = f"claimed by {', '.join(sorted(owners))}"
            yield Finding("warn", f"instrumentor {name}", seen, "uninstall all but one; describe() says which is used")


def _prometheus(wanted: plan.Plan) -> Iterator[Finding]:
    options = wanted.metrics
    if options is None or not (options.prometheus or "prometheus" in wanted.exporters["metrics"]):
        return
    address = f"{options.prometheus_host}:{options.prometheus_port}"
    try:
        with socket.create_server((options.prometheus_host, options.prometheus_port)):
            yield Finding("ok", "prometheus page", f"{address} is free")
    except OSError as error:
        remedy = "stop who listens there, or set AUMOS_OTEL_PROMETHEUS_PORT"
        yield Finding("warn", "prometheus page", f"{address}: {error}", remedy)
