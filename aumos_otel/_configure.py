"""``configure()``: read the body from top to bottom, it is the way that telemetry takes."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, Any, Literal, Never

from aumos_otel import build, plan, resource
from aumos_otel._internal import forking
from aumos_otel.errors import AlreadyConfiguredError
from aumos_otel.providers import propagator

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from os import PathLike

    from opentelemetry.sdk._logs import LogRecordProcessor
    from opentelemetry.sdk.trace import SpanProcessor

    from aumos_otel.config import (
        ConsoleOptions,
        Destination,
        LLMOptions,
        LogsOptions,
        MetricsOptions,
        PropagationOptions,
        RedactionOptions,
        SamplingOptions,
        SLOOptions,
        SpoolOptions,
    )
    from aumos_otel.pipeline import Telemetry
    from aumos_otel.slo.objective import Definitions

_lock = threading.RLock()
_current: Telemetry | None = None
_current_arguments: dict[str, Any] = {}
_zero_code = False


def configure(
    *,
    service_name: str | None = None,
    service_version: str | None = None,
    service_namespace: str | None = None,
    environment: str | None = None,
    product: str | None = None,
    tier: str | None = None,
    phase: str | None = None,
    resource_attributes: Mapping[str, Any] | None = None,
    destinations: Sequence[Destination] | None = None,
    sampling: SamplingOptions | None = None,
    llm: LLMOptions | Literal[False] | None = None,
    metrics: MetricsOptions | Literal[False] | None = None,
    logs: LogsOptions | Literal[False] | None = None,
    console: ConsoleOptions | bool | None = None,
    redaction: RedactionOptions | Literal[False] | None = None,
    spool: SpoolOptions | bool | None = None,
    propagation: PropagationOptions | None = None,
    slos: SLOOptions | Definitions | str | PathLike[str] | Sequence[str | PathLike[str]] | None = None,
    identity: Callable[[Mapping[str, Any]], Mapping[str, str | None]] | None = None,
    instrumentations: bool | Mapping[str, bool] | None = None,
    propagators: Sequence[str] | None = None,
    baggage_hosts: Sequence[str] | None = None,
    span_processors: Sequence[SpanProcessor] | None = None,
    log_record_processors: Sequence[LogRecordProcessor] | None = None,
    enabled: bool | None = None,
    shutdown_timeout: float | None = None,
    handle_signals: bool | None = None,
    pause_signal: str | None = None,
    pause_file: str | None = None,
    **unknown: Never,
) -> Telemetry:
    """Set up traces, metrics and logs for this process, once.

    Every argument may be left out: it then comes from its ``AUMOS_*`` variable, the
    configuration file, its ``OTEL_*`` variable or its default, in this order; see
    docs/reference/configuration.md.  No network is touched and nothing is printed.  Called
    again with the same arguments it returns the same handle.

    Raises:
        ConfigError: an unknown option or a wrong value; the message names the remedy.
        AlreadyConfiguredError: it was called before with other arguments.

    >>> import aumos_otel as aumos
    >>> telemetry = aumos.configure(service_name="docs")
    >>> telemetry is aumos.configure(service_name="docs")
    True
    """
    arguments = dict(locals())  # nothing but the arguments is there yet
    arguments |= arguments.pop("unknown")
    return _configure({name: value for name, value in arguments.items() if value is not None}, zero_code=False)


def configure_zero_code() -> Telemetry:
    """What ``opentelemetry-instrument`` calls before the program starts: everything from the environment."""
    return _configure({}, zero_code=True)


def _configure(given: dict[str, Any], *, zero_code: bool) -> Telemetry:
    global _current, _current_arguments, _zero_code
    with _lock:
        if _current is not None:
            return _again(_current, given)
        wanted = plan.resolve(given, os.environ)
        propagator.install(wanted.scalars.propagators, wanted.scalars.baggage_hosts, wanted.propagation)
        if wanted.disabled:
            telemetry = build.disabled(wanted)
        else:
            identity = resource.build(**build.identity_arguments(wanted), environ=wanted.environ)
            telemetry = build.pipeline(wanted, identity)
        _current, _current_arguments, _zero_code = telemetry, given, zero_code
        return telemetry


def _again(telemetry: Telemetry, given: dict[str, Any]) -> Telemetry:
    """A second call: the same arguments, more about a zero-code start, or a mistake."""
    if given == _current_arguments:
        return telemetry
    if _zero_code:
        build.refine(telemetry, plan.resolve(given, os.environ), given)
        _current_arguments.update(given)
        return telemetry
    changed = sorted(name for name in {*given, *_current_arguments} if given.get(name) != _current_arguments.get(name))
    raise AlreadyConfiguredError(
        "configure()",
        seen="other values for " + ", ".join(changed),
        expected="the arguments of the first call",
        remedy="call configure() once, at the start of the program, and pass its handle on",
    )


def _renew_lock() -> None:
    global _lock  # noqa: PLW0603 - the parent's may be held by a thread that is not here
    _lock = threading.RLock()


forking.in_child(_renew_lock)


def forget() -> Telemetry | None:
    """Let the next call configure anew; for test fixtures.  Returns the handle that was current."""
    global _current, _current_arguments, _zero_code
    with _lock:
        telemetry, _current = _current, None
        _current_arguments, _zero_code = {}, False
        return telemetry
