"""How context crosses process borders: W3C trace context and baggage by default.

Baggage goes only to hosts on the allow-list (`baggage_hosts`): it carries identity, and the
stock propagator hands it to every server on the internet that is called.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Final

from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import CarrierT, Setter, TextMapPropagator, default_setter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, get_current_span
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.context import Context

_GROUP: Final = "opentelemetry_propagator"


class ScopedBaggagePropagator(W3CBaggagePropagator):
    """W3C baggage, sent to allowed hosts only."""

    def __init__(self, hosts: Sequence[str]) -> None:
        self._hosts = tuple(host.lower() for host in hosts)

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write the baggage header unless the call goes to a host that is not allowed."""
        if self._allowed(context):
            super().inject(carrier, context, setter)

    def _allowed(self, context: Context | None) -> bool:
        span = get_current_span(context)
        if not isinstance(span, ReadableSpan):
            # No span: the user injects by hand.  A span that is not recorded does not know its host.
            return not span.get_span_context().is_valid
        if span.kind is not SpanKind.CLIENT:
            return True
        host = str((span.attributes or {}).get(attributes.SERVER_ADDRESS, "")).lower()
        return any(fnmatchcase(host, pattern) for pattern in self._hosts)


def install(names: Sequence[str], baggage_hosts: Sequence[str]) -> None:
    """Make the named propagators the global ones, also where telemetry is disabled, as the specification says."""
    propagate.set_global_textmap(build(names, baggage_hosts))


def build(names: Sequence[str], baggage_hosts: Sequence[str]) -> TextMapPropagator:
    """The propagators by name: tracecontext, baggage, b3, b3multi, jaeger, … or none.

    Raises:
        ConfigError: a name that no installed package registers.
    """
    chosen: list[TextMapPropagator] = []
    for name in dict.fromkeys(word.lower() for word in names):
        if name == "none":
            continue
        if name == "baggage":
            chosen.append(ScopedBaggagePropagator(baggage_hosts))
        elif name == "tracecontext":  # the default must not cost a search through all installed distributions
            chosen.append(TraceContextTextMapPropagator())
        else:
            chosen.append(load_entry_point(_GROUP, name, "OTEL_PROPAGATORS")())
    return CompositePropagator(chosen)
