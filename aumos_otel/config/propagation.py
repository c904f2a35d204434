"""What of a trace may cross the border of the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from aumos_otel._internal import hosts
from aumos_otel._internal.values import boolean, names
from aumos_otel.config.declaration import Options, option

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, kw_only=True)
class PropagationOptions(Options):
    """What of a trace may cross the border of this service.

    A host is a name, ``*.suffix``, an address, a network such as ``10.0.0.0/8``, or ``*``.

    >>> from aumos_otel import PropagationOptions
    >>> PropagationOptions(traceparent_hosts=["*.svc", "10.0.0.0/8"], edge=True).edge
    True
    """

    prefix: ClassVar[str] = "propagation"

    traceparent_hosts: Sequence[str] = option(
        ("*",),
        "AUMOS_OTEL_TRACEPARENT_HOSTS",
        parse=hosts.patterns,
        doc="Hosts that get the trace context, whichever propagator writes it.",
    )
    baggage_hosts: Sequence[str] | None = option(
        None,
        parse=hosts.patterns,
        doc="Hosts that get baggage; to others queries are third-party. Default: `baggage_hosts` of `configure()`.",
    )
    baggage_keys: Sequence[str] | None = option(
        None, "AUMOS_OTEL_BAGGAGE_KEYS", parse=names, doc="Baggage that is sent, by key; default: all."
    )
    inbound_baggage_keys: Sequence[str] = option(
        (), "AUMOS_OTEL_INBOUND_BAGGAGE_KEYS", parse=names, doc="Baggage that is accepted, by key; `*` for all."
    )
    edge: bool = option(
        False,
        "AUMOS_OTEL_EDGE",
        parse=boolean,
        doc="True: clients are strangers; each request is a new trace, linked to theirs.",
    )
    query_keys: Sequence[str] = option(
        (),
        "AUMOS_OTEL_QUERY_KEYS",
        parse=names,
        doc="Query parameters of third parties whose value is recorded; `*` for all.",
    )
