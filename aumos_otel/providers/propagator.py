"""How context crosses process borders: W3C trace context and baggage by default.

The chosen propagators read and write the headers; what they may is the `Border`'s to say, since
the stock ones hand trace and baggage to every server on the internet, and take both from
everybody.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from opentelemetry import propagate
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context, get_current
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from aumos_otel import guard
from aumos_otel._internal.entry_points import load_entry_point
from aumos_otel.processors.border import Border

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aumos_otel.config import PropagationOptions

_GROUP: Final = "opentelemetry_propagator"

#: These read the headers that they write, and no others.
_OF_W3C: Final = (TraceContextTextMapPropagator, W3CBaggagePropagator)


class BorderPropagator(TextMapPropagator):
    """The propagators by name, held to what may cross the border.

    Every propagator but that of W3C baggage counts as one of trace context; baggage that it sends
    along, as Jaeger's does, is held to the rules of baggage.

    Attributes:
        header_names: the headers without which `extract` changes nothing; None where that is not known.
    """

    def __init__(self, inner: Sequence[TextMapPropagator], border: Border) -> None:
        self._propagators = tuple(inner)
        self._border = border
        self.header_names = frozenset(self.fields) if all(type(each) in _OF_W3C for each in inner) else None

    @property
    def fields(self) -> set[str]:
        """The headers that may be written."""
        return {field for propagator in self._propagators for field in propagator.fields}

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        """Write what the host of this call may see."""
        context = get_current() if context is None else context
        with guard.swallow("providers.propagator"):
            traced = self._border.may_trace(context)
            context = self._border.outward(context)
            for propagator in self._propagators:
                if traced or isinstance(propagator, W3CBaggagePropagator):
                    with guard.shield("providers.propagator.inject"):
                        propagator.inject(carrier, context, setter)

    def extract(
        self,
        carrier: CarrierT,
        context: Context | None = None,
        getter: Getter[CarrierT] = default_getter,
    ) -> Context:
        """Read what is taken from this client."""
        before = get_current() if context is None else context
        with guard.swallow("providers.propagator"):
            after = before
            for propagator in self._propagators:
                with guard.shield("providers.propagator.extract"):
                    after = propagator.extract(carrier, after, getter)
            return self._border.inward(before, after)
        return before


def install(names: Sequence[str], baggage_hosts: Sequence[str], options: PropagationOptions) -> None:
    """Make the named propagators the global ones, also where telemetry is disabled, as the specification says."""
    propagate.set_global_textmap(build(names, baggage_hosts, options))


def build(names: Sequence[str], baggage_hosts: Sequence[str], options: PropagationOptions) -> TextMapPropagator:
    """The propagators by name: tracecontext, baggage, b3, b3multi, jaeger, … or none.

    Args:
        names: of the propagators.
        baggage_hosts: hosts that get baggage where ``options`` name none.
        options: what may cross the border, resolved.

    Raises:
        ConfigError: a name that no installed package registers.
    """
    chosen: list[TextMapPropagator] = []
    for name in dict.fromkeys(word.lower() for word in names):
        if name == "none":
            continue
        if name == "baggage":
            chosen.append(W3CBaggagePropagator())
        elif name == "tracecontext":  # the default must not cost a search through all installed distributions
            chosen.append(TraceContextTextMapPropagator())
        else:
            chosen.append(load_entry_point(_GROUP, name, "OTEL_PROPAGATORS")())
    return BorderPropagator(chosen, Border.of(options, baggage_hosts))
