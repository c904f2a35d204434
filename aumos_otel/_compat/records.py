"""Private names of the SDK's log records, and of what keeps telemetry from telling of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry import context as otel_context
from opentelemetry.context import _SUPPRESS_INSTRUMENTATION_KEY, attach, get_value, set_value
from opentelemetry.sdk import _logs as sdk_logs

from aumos_otel._compat import required
from aumos_otel._compat.required import require

if TYPE_CHECKING:
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope


#: Under which a context tells that its telemetry is not wanted.
SUPPRESSION_KEY: str = _SUPPRESS_INSTRUMENTATION_KEY


def instrumentation_suppressed() -> bool:
    """Whether the current context is the SDK's own export, or the user's ``suppress_instrumentation()``."""
    return bool(get_value(SUPPRESSION_KEY))


def suppress_instrumentation() -> None:
    """Make no telemetry of what the current thread does from now on; for threads of ours, as the SDK does in its own."""
    attach(set_value(SUPPRESSION_KEY, True))  # noqa: FBT003 - the value of the key


class LoggerNames(sdk_logs.Logger):
    """The SDK's private names of a logger's fields for `aumos_otel.providers.logger.Logger`."""

    active: bool
    measures: bool
    processor: Any

    def adopt(self) -> tuple[sdk_logs.LogRecordLimits, Resource, InstrumentationScope] | None:
        """Read the fields of a logger that the SDK has made; returns its limits, resource and scope.

        None where this SDK keeps them otherwise.
        """
        try:
            self.active = self._logger_config.is_enabled
            self.measures = type(self._logger_metrics).__name__ != "NoOpLoggerMetrics"
            self.processor = self._multi_log_record_processor
            found = self._log_record_limits, self._resource, self._instrumentation_scope
        except AttributeError as error:
            required.MISSING.extend({f"Logger.{error.name}"}.difference(required.MISSING))
            return None
        return found

    def spoken_by(self, resource: Resource, scope: InstrumentationScope) -> None:
        """This is who speaks from now on."""

    def _set_logger_config(self, logger_config: Any) -> None:
        super()._set_logger_config(logger_config)
        self.active = logger_config.is_enabled

    def _set_resource(self, resource: Resource) -> None:
        super()._set_resource(resource)
        self.spoken_by(resource, self._instrumentation_scope)


#: Further keys under which a context says that HTTP calls are not to be instrumented.
_SUPPRESS_HTTP: str = require(otel_context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY") or ""

_SUPPRESS_OF_OLD: str = "suppress_instrumentation"


def http_suppressed(context: otel_context.Context) -> bool:
    """Whether calls over HTTP are not to be instrumented in ``context``."""
    return bool(context.get(SUPPRESSION_KEY) or context.get(_SUPPRESS_HTTP) or context.get(_SUPPRESS_OF_OLD))
