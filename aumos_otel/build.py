"""From the plan to the running pipeline: one function a signal, own provider or joined one.

A provider of the SDK that somebody else installed (Langfuse, logfire, a configuration file) is
joined: our processors are added to it, and `describe()` says which guarantees are lost.
"""

from __future__ import annotations

import functools
import logging
import os
import time
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Final

from opentelemetry import _logs, metrics, trace
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider

from aumos_otel import _compat, destinations, guard, instrumentation, resource
from aumos_otel._internal.values import log_level
from aumos_otel.config import SIGNALS
from aumos_otel.delivery.ledger import Ledger
from aumos_otel.errors import ConfigError
from aumos_otel.objectives import Objectives
from aumos_otel.pipeline import Part, Switch, Telemetry, Wiring
from aumos_otel.processors.border import Border
from aumos_otel.processors.log_handler import StandardLibraryHandler
from aumos_otel.providers import logger as logger_provider
from aumos_otel.providers import meter as meter_provider
from aumos_otel.providers import propagator
from aumos_otel.providers import sampler as span_sampler
from aumos_otel.providers import tracer as tracer_provider
from aumos_otel.semconv import attributes
from aumos_otel.semconv import metrics as names
from aumos_otel.workshop import Workshop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from opentelemetry.metrics import CallbackOptions, Observation
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace.sampling import Sampler

    from aumos_otel.config import Signal
    from aumos_otel.exporters.prometheus import PrometheusPage
    from aumos_otel.plan import Plan

log = logging.getLogger("aumos_otel")

_LOST = {
    "traces": "its resource, sampler, limits and ids are not ours; pause() cannot stop its own exporters",
    "metrics": "its resource, views and exemplar filter are not ours",
    "logs": "its resource and limits are not ours",
}


#: The SDK's and contrib's variables for a handler on the root logger: ours, too, stays off when told so.
_ROOT_HANDLER = ("OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED", "OTEL_PYTHON_LOG_AUTO_INSTRUMENTATION")

#: Seconds of the time to leave that are kept for writing down what is left.
MARGIN: Final = 0.2


@dataclass(slots=True)
class _Site:
    """What the building steps share."""

    plan: Plan
    resource: Resource
    ledger: Ledger = field(default_factory=Ledger)
    switch: Switch = field(default_factory=Switch)
    parts: list[Part] = field(default_factory=list)
    providers: dict[str, str] = field(default_factory=dict)
    teardown: list[Any] = field(default_factory=list)
    page: PrometheusPage | None = None
    page_state: list[str] = field(default_factory=list)
    own: list[Any] = field(default_factory=list)
    from_file: list[Any] = field(default_factory=list)


def pipeline(plan: Plan, identity: Resource) -> Telemetry:
    """Build the pipeline of ``plan`` and make it the global one."""
    site = _Site(plan, identity)
    _current_providers()
    if plan.config_file is not None:
        _apply_config_file(site)
    _set_internal_log_level(site)
    goals = Objectives(plan, lambda: wiring.instance)
    sampler = span_sampler.build(plan.sampling, plan.environ, plan.sources, goals.boost)
    routes = destinations.plan_routes(plan)
    instrumentation.check(os.environ)
    _install_llm(plan)
    service = str(identity.attributes.get(attributes.SERVICE_NAME, ""))
    workshop = Workshop(plan, service, site.ledger, site.switch)
    exits = destinations.build(routes, plan, workshop, goals.exemplars)
    _build_traces(site, sampler, exits, goals)
    _build_metrics(site, exits, workshop, goals)
    handler = _build_logs(site, exits, goals)
    site.parts += goals.parts()
    site.teardown.append(goals.stop)
    wiring = Wiring(
        ledger=site.ledger,
        switch=site.switch,
        parts=site.parts,
        description={},
        instance=str(identity.attributes.get(attributes.SERVICE_INSTANCE_ID, "")),
        service=service,
        shutdown_timeout=plan.scalars.shutdown_timeout,
        log_handler=handler,
        instrument=lambda app: app,
        llm_counts=_llm_counts,
        instrumentations=lambda: [report.to_dict() for report in instrumentation.reports()],
        teardown=site.teardown,
    )
    telemetry = Telemetry(wiring)
    instrumentation.enable(
        plan.instrumentations,
        os.environ,
        identity=plan.identity,
        on_lifespan_shutdown=telemetry.flush_before_end,
    )
    wiring.instrument = instrumentation.instrument_app
    wiring.description.update(_describe(site, routes))
    wiring.description["slos"] = goals.describe(boosted=site.providers["traces"] == "ours")
    if hasattr(os, "register_at_fork"):  # after the SDK's own hooks, which run in the order of registration
        os.register_at_fork(after_in_child=lambda: _after_fork(site, wiring))
    telemetry.watch(
        handle_signals=plan.scalars.handle_signals,
        pause_signal=plan.scalars.pause_signal,
        pause_file=plan.scalars.pause_file,
    )
    exits.start()
    goals.start()
    for warning in plan.warnings:
        log.warning("%s", warning)
    return telemetry


def _set_internal_log_level(site: _Site) -> None:
    """OTEL_LOG_LEVEL is for what the SDK and we say about ourselves, not for the application's records."""
    word = site.plan.environ.get("OTEL_LOG_LEVEL", "").strip()
    if not word:
        return
    try:
        level = log_level(word)
    except ValueError as error:
        site.plan.warnings.append(f"OTEL_LOG_LEVEL: got {word!r}, expected {error}; it is ignored")
        return
    for logger in (logging.getLogger("opentelemetry"), log):
        site.teardown.append(functools.partial(logger.setLevel, logger.level))
        logger.setLevel(level)


def disabled(plan: Plan) -> Telemetry:
    """A handle that does nothing; no provider is installed."""
    switch = Switch()
    switch.set(off=True)
    description = {"state": "disabled", "sources": dict(plan.sources), "warnings": list(plan.warnings)}
    handler = logging.NullHandler()
    return Telemetry(
        Wiring(
            ledger=Ledger(),
            switch=switch,
            parts=[],
            description=description,
            instance="",
            service="",
            shutdown_timeout=0.0,
            log_handler=handler,
            instrument=lambda app: app,
            llm_counts=_llm_counts,
            instrumentations=list,
        )
    )


def refine(telemetry: Telemetry, plan: Plan, given: Mapping[str, Any]) -> None:
    """More about a pipeline that a zero-code start built: identity and LLM options are taken over."""
    taken = {"service_name", "service_version", "service_namespace", "environment", "product", "tier", "phase"}
    taken |= {"resource_attributes", "llm", "identity"}
    if taken & set(given) - {"llm", "identity"}:
        identity = resource.build(**identity_arguments(plan), environ=plan.environ)
        changed = identity.attributes.items()
        for provider in (trace.get_tracer_provider(), metrics.get_meter_provider(), _logs.get_logger_provider()):
            known = getattr(provider, "resource", None)
            instance = attributes.SERVICE_INSTANCE_ID
            keep = {key: value for key, value in changed if key != instance or known is None}
            _compat.update_resource(provider, type(identity)(keep, identity.schema_url))
    _install_llm(plan)
    if plan.identity is not None:
        instrumentation.set_identity(plan.identity)
    left_out = sorted(set(given) - taken)
    if left_out:
        log.warning(
            "configure(): opentelemetry-instrument has set telemetry up before; %s ignored, set them by environment",
            ", ".join(left_out),
        )
    telemetry.amend(refined=sorted(given))


def identity_arguments(plan: Plan) -> dict[str, Any]:
    """The arguments of `resource.build`."""
    scalars = plan.scalars
    extra = dict(scalars.resource_attributes)
    if scalars.service_namespace is not None:
        extra[attributes.SERVICE_NAMESPACE] = scalars.service_namespace
    return {
        "service_name": scalars.service_name,
        "service_version": scalars.service_version,
        "environment": scalars.environment,
        "product": scalars.product,
        "tier": scalars.tier,
        "phase": scalars.phase,
        "attributes": extra,
    }


def _build_traces(site: _Site, sampler: Sampler, exits: destinations.Exits, goals: Objectives) -> None:
    plan, current = site.plan, trace.get_tracer_provider()
    exporting = exits.spans
    extra = plan.scalars.span_processors
    # They are shown every span, also one that will not be exported: what they count is exact.
    sampler = span_sampler.ExhaustiveSampler(sampler, lambda: bool(extra) or goals.counts_any())
    border = Border.of(plan.propagation, plan.scalars.baggage_hosts)
    if isinstance(current, TracerProvider):
        tracer_provider.attach(current, [goals.spans, *exporting], extra, border)
        _join(site, "traces", current, [_exporting_part("traces", exits, exporting)])
        return
    provider = tracer_provider.build(
        site.resource,
        sampler,
        [goals.spans, *exporting],
        extra,
        border=border,
        environ=plan.environ,
        quantities=plan.quantities,
        paused=site.switch,
        on_drop=exits.unsampled,
    )
    site.own.append(provider)
    trace.set_tracer_provider(provider)
    site.providers["traces"] = _owner(trace.get_tracer_provider(), provider)
    site.parts.append(_exporting_part("traces", exits, exporting, provider))


def _build_metrics(site: _Site, exits: destinations.Exits, workshop: Workshop, goals: Objectives) -> None:
    plan, current = site.plan, metrics.get_meter_provider()
    if plan.metrics is None:
        site.providers["metrics"] = "off"
        return
    readers, page = exits.readers, exits.page
    if page is not None:
        readers.append(page.reader)
    if isinstance(current, MeterProvider):
        _compat.survive_forks(current)
        for reader in readers:
            current.add_metric_reader(reader)
        provider: MeterProvider = current
        _join(site, "metrics", current, [_reader_part(reader, exits) for reader in readers])
    else:
        provider = meter_provider.build(site.resource, plan.metrics, readers, plan.environ)
        site.own.append(provider)
        metrics.set_meter_provider(provider)
        site.providers["metrics"] = _owner(metrics.get_meter_provider(), provider)
        site.parts.append(
            Part(
                "metrics",
                lambda timeout: _flush_metrics(provider, timeout),
                lambda timeout: _leave(exits, "metrics", timeout, lambda: provider.shutdown(_millis(timeout))),
            )
        )
    if page is not None:
        site.page = page
        site.page_state = [page.start() or page.url]
        site.teardown.append(page.stop)
    site.ledger.observe(provider)
    _observe(provider, names.AUMOS_OTEL_GUARD_SWALLOWED, attributes.AUMOS_OTEL_SITE, guard.swallowed)
    _observe(provider, names.AUMOS_OTEL_REDACTIONS, attributes.AUMOS_OTEL_CLASS, workshop.redactions)
    _observe(provider, names.AUMOS_SLO_EVENTS, attributes.AUMOS_SLO_EVENT, goals.told)
    goals.observe(provider)


def _build_logs(site: _Site, exits: destinations.Exits, goals: Objectives) -> logging.Handler:
    plan, current = site.plan, _logs.get_logger_provider()
    if plan.logs is None:
        site.providers["logs"] = "off"
        return logging.NullHandler()
    exporting = exits.logs
    extra = plan.scalars.log_record_processors
    if isinstance(current, LoggerProvider):
        logger_provider.attach(current, [goals.logs, *exporting], extra)
        provider = current
        _join(site, "logs", current, [_exporting_part("logs", exits, exporting)])
    else:
        provider = logger_provider.build(site.resource, [goals.logs, *exporting], extra, plan.environ, plan.quantities)
        site.own.append(provider)
        _logs.set_logger_provider(provider)
        site.providers["logs"] = _owner(_logs.get_logger_provider(), provider)
        site.parts.append(_exporting_part("logs", exits, exporting, provider))
    options = plan.logs
    if any(plan.environ.get(variable, "").strip().lower() == "false" for variable in _ROOT_HANDLER):
        return StandardLibraryHandler(options, provider, site.switch)
    installation = logger_provider.Installation(options, provider, site.switch)
    site.teardown.append(installation.remove)
    root = logging.getLogger()
    if plan.sources.get("logs.level") != "default" and root.getEffectiveLevel() > options.level:
        log.warning(
            "logs.level is %s but the root logger lets only %s and above through; call logging.basicConfig(level=…)",
            logging.getLevelName(options.level),
            logging.getLevelName(root.getEffectiveLevel()),
        )
    return installation.handler


def _install_llm(plan: Plan) -> None:
    from aumos_otel.llm import settings  # noqa: PLC0415 - the OTel API must be set up first

    settings.install(plan.llm)


def _llm_counts() -> dict[str, int]:
    from aumos_otel.llm import metrics as llm_metrics  # noqa: PLC0415 - see _install_llm

    return asdict(llm_metrics.totals())


def _observe(provider: MeterProvider, metric: Any, label: str, counts: Callable[[], Mapping[str, int]]) -> None:
    """Export counts of ours as a counter."""
    from opentelemetry.metrics import Observation  # noqa: PLC0415 - used by the callback alone

    def read(_options: CallbackOptions) -> Iterable[Observation]:
        for key, count in counts().items():
            yield Observation(count, {label: key})

    provider.get_meter("aumos_otel.self").create_observable_counter(
        metric.name, [read], metric.unit, metric.description
    )


def _after_fork(site: _Site, wiring: Wiring) -> None:
    """Give a forked child an instance id of its own; the SDK would overwrite the user's."""
    child = resource.after_fork(site.resource)
    wiring.instance = str(child.attributes[attributes.SERVICE_INSTANCE_ID])
    for provider in site.own:
        _compat.update_resource(provider, child)
    if site.page is not None:  # the inherited socket is the parent's
        wiring.description["prometheus"] = [site.page.start() or site.page.url]


def _describe(site: _Site, routes: destinations.Routes) -> dict[str, Any]:
    plan = site.plan
    return {
        "providers": site.providers,
        "resource": dict(site.resource.attributes),
        "destinations": destinations.describe(routes),
        "prometheus": site.page_state,
        "propagators": list(plan.scalars.propagators),
        "sources": dict(plan.sources),
        "warnings": list(plan.warnings),
        "missing_sdk_names": list(_compat.MISSING),
    }


def _apply_config_file(site: _Site) -> None:
    """Let the file make its providers: flushed and shut down like ours, with the identity that we were given."""
    from opentelemetry.configuration import configure_sdk  # noqa: PLC0415 - an extra, present once the file was read

    before = _current_providers()
    try:
        configure_sdk(site.plan.config_file)
    except Exception as error:
        raise ConfigError(
            "OTEL_CONFIG_FILE",
            seen=f"{type(error).__name__}: {error}",
            expected="components that are installed",
            remedy="correct the file, or install the package that provides the component",
        ) from error
    scalars = site.plan.scalars
    if site.plan.sources["propagators"] == "argument":
        propagator.install(scalars.propagators, scalars.baggage_hosts, site.plan.propagation)
    given = type(site.resource)(resource.chosen(**identity_arguments(site.plan)))
    for signal, provider in _current_providers().items():
        if provider is not before[signal]:
            site.from_file.append(provider)
            _compat.enable(provider)
            _compat.update_resource(provider, given)
            site.parts.append(_provider_part(signal, provider))


def _current_providers() -> dict[str, Any]:
    """The global provider of each signal; the API makes those that OTEL_PYTHON_*_PROVIDER name."""
    found: dict[str, Any] = {}
    getters = (trace.get_tracer_provider, metrics.get_meter_provider, _logs.get_logger_provider)
    for signal, kind, get in zip(SIGNALS, ("TRACER", "METER", "LOGGER"), getters, strict=True):
        try:
            found[signal] = get()
        except Exception as error:
            variable = f"OTEL_PYTHON_{kind}_PROVIDER"
            raise ConfigError(
                variable,
                seen=os.environ.get(variable),
                expected="a provider that an installed package registers",
                remedy="unset it: configure() makes the provider",
            ) from error
    return found


def _join(site: _Site, signal: str, provider: object, parts: list[Part]) -> None:
    """Note that somebody else's provider is used, and what of ours in it is to be flushed and shut down."""
    if provider in site.from_file:
        site.providers[signal] = f"made by OTEL_CONFIG_FILE: {_LOST[signal]}"
        return
    site.providers[signal] = f"joined {_origin(provider)}: {_LOST[signal]}"
    site.parts += parts


def _provider_part(name: str, provider: Any) -> Part:
    return Part(name, lambda timeout: provider.force_flush(_millis(timeout)), lambda _timeout: provider.shutdown())


def _exporting_part(signal: Signal, exits: destinations.Exits, exporting: Sequence[Any], provider: Any = None) -> Part:
    """Spans or log records: our own processors leave first, so that nobody else's can hold them up."""

    def flush(timeout: float) -> bool:
        flushed = [processor.force_flush(_millis(timeout)) for processor in ([provider] if provider else exporting)]
        return all(flushed)

    def leave() -> None:
        for processor in (*exporting, *([provider] if provider else ())):
            with guard.swallow("build.shutdown"):
                processor.shutdown()

    return Part(signal, flush, lambda timeout: _leave(exits, signal, timeout, leave))


def _flush_metrics(provider: MeterProvider, timeout: float) -> bool:
    """Collect and send; the SDK raises where a callback was not done in time."""
    try:
        return provider.force_flush(_millis(timeout))
    except Exception as error:  # noqa: BLE001 - the SDK raises no narrower one
        if "MetricsTimeoutError" not in str(error):
            guard.record("build.flush", error)
        return False


def _reader_part(reader: Any, exits: destinations.Exits) -> Part:
    return Part(
        "metrics",
        lambda timeout: reader.force_flush(_millis(timeout)),
        lambda timeout: _leave(exits, "metrics", timeout, lambda: reader.shutdown(timeout_millis=_millis(timeout))),
    )


def _leave(exits: destinations.Exits, signal: Signal, timeout: float, shut_down: Callable[[], object]) -> bool:
    """Shut down within ``timeout`` seconds, a little of which is kept for writing down what is left; False if any is."""
    exits.leave_by(signal, time.monotonic() + timeout - min(MARGIN, timeout / 10))
    shut_down()
    return exits.all_sent(signal)


def _origin(provider: object) -> str:
    return f"{type(provider).__module__}.{type(provider).__qualname__}"


def _owner(current: object, ours: object) -> str:
    if current is ours:
        return "ours"
    return f"{_origin(current)} is in the way: it is no SDK provider, nothing can be added to it"


def _millis(seconds: float) -> int:
    return max(1, int(seconds * 1000))
