"""Private names of other packages: contrib's instrumentors, FastAPI, grpcio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from aumos_otel._compat import required
from aumos_otel._compat.required import require

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


#: GRPC_CHANNEL_READY.
_GRPC_READY = 2


def instrumented_by_contrib(app: Any) -> bool:
    """Whether contrib's FastAPIInstrumentor has instrumented this application."""
    return bool(getattr(app, "_is_instrumented_by_opentelemetry", False))


def native_telemetry(app: Any) -> dict[str, Any]:
    """The settings of FastAPI's own telemetry (since 0.142), live; empty where it has none."""
    settings = getattr(app, "_telemetry", None)
    return settings if isinstance(settings, dict) else {}


def prefer_stable_http(environ: Mapping[str, str]) -> Callable[[], None]:
    """Make contrib instrumentors emit the stable HTTP names unless OTEL_SEMCONV_STABILITY_OPT_IN is set.

    The same as that variable with ``http``, without writing to the environment, which child
    processes inherit.  Returns what undoes it.
    """
    if environ.get("OTEL_SEMCONV_STABILITY_OPT_IN", "").strip():
        return lambda: None
    from opentelemetry.instrumentation import _semconv  # noqa: PLC0415 - not needed where nothing is instrumented

    stability = require(_semconv, "_OpenTelemetrySemanticConventionStability")
    kinds, modes = require(_semconv, "_OpenTelemetryStabilitySignalType"), require(_semconv, "_StabilityMode")
    initialize = getattr(stability, "_initialize", None)
    chosen = getattr(stability, "_OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING", None)
    if initialize is None or chosen is None:
        required.MISSING.append("_OpenTelemetrySemanticConventionStability._initialize")
        return lambda: None
    initialize()
    chosen = stability._OTEL_SEMCONV_STABILITY_SIGNAL_MAPPING  # noqa: SLF001 - replaced by _initialize
    before = chosen.get(kinds.HTTP)
    chosen[kinds.HTTP] = modes.HTTP

    def restore() -> None:
        chosen[kinds.HTTP] = before

    return restore


def is_grpc_connected(channel: Any) -> bool:
    """Whether a channel of grpcio has a connection, which it tells in public only through a thread of its own.

    True where a version does not tell: what was sent may have arrived.
    """
    state = getattr(getattr(channel, "_channel", None), "check_connectivity_state", None)
    return state is None or state(try_to_connect=False) == _GRPC_READY
