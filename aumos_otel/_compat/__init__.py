"""Every private name of OpenTelemetry and of others that we touch, checked at import.

A missing name is reported in `MISSING` (shown by ``aumos-otel doctor`` and ``describe()``) and
what needs it does the next best public thing.  Private names of the API alone are in `aumos_otel._internal.ambient`.
"""

from aumos_otel._compat.forks import reset_metrics_after_fork, running_threads, survive_forks
from aumos_otel._compat.global_providers import (
    BaseConfigurator,
    enable,
    logger_configurator,
    meter_configurator,
    reset_globals,
    tracer_configurator,
    update_resource,
)
from aumos_otel._compat.metering import (
    ConfiguredMeter,
    Stream,
    ViewInstrumentMatch,
    adopt_matches,
    exemplar_filter,
    instruments_of,
    is_recording,
    matches_of,
    metric_preferences,
    stream_of,
)
from aumos_otel._compat.neighbours import (
    instrumented_by_contrib,
    is_grpc_connected,
    native_telemetry,
    prefer_stable_http,
)
from aumos_otel._compat.records import (
    SUPPRESSION_KEY,
    LoggerNames,
    http_suppressed,
    instrumentation_suppressed,
    suppress_instrumentation,
)
from aumos_otel._compat.required import MISSING
from aumos_otel._compat.tracing import (
    CONTEXT_IS_TUPLE,
    RecordedSpan,
    SpanNames,
    TracerNames,
    bounded,
    ending,
    new_span_context,
    parts_of,
    root_sampler,
    wishes_of_span,
    wishes_of_use_span,
)

__all__ = [
    "CONTEXT_IS_TUPLE",
    "MISSING",
    "SUPPRESSION_KEY",
    "BaseConfigurator",
    "ConfiguredMeter",
    "LoggerNames",
    "RecordedSpan",
    "SpanNames",
    "Stream",
    "TracerNames",
    "ViewInstrumentMatch",
    "adopt_matches",
    "bounded",
    "enable",
    "ending",
    "exemplar_filter",
    "http_suppressed",
    "instrumentation_suppressed",
    "instrumented_by_contrib",
    "instruments_of",
    "is_grpc_connected",
    "is_recording",
    "logger_configurator",
    "matches_of",
    "meter_configurator",
    "metric_preferences",
    "native_telemetry",
    "new_span_context",
    "parts_of",
    "prefer_stable_http",
    "reset_globals",
    "reset_metrics_after_fork",
    "root_sampler",
    "running_threads",
    "stream_of",
    "suppress_instrumentation",
    "survive_forks",
    "tracer_configurator",
    "update_resource",
    "wishes_of_span",
    "wishes_of_use_span",
]
