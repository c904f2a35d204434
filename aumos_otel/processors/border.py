"""What of a trace crosses the border of the service, in both directions.

Outward, the `Border` says which host may see trace context, which baggage, and which parts of a
query get into telemetry.  Inward, it says which baggage is taken, and whether a client may be the
parent of our spans.  Where it may not, its span context is kept beside the context (`estrange`),
and `BorderProcessor` links the new root to it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_plus, urlsplit

from opentelemetry import baggage, trace
from opentelemetry import context as otel_context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import INVALID_SPAN, SpanContext, SpanKind

from aumos_otel import guard
from aumos_otel._internal.hosts import Hosts
from aumos_otel.recording.span import known
from aumos_otel.semconv import attributes

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from opentelemetry.context import Context

    from aumos_otel.config import PropagationOptions

REDACTED: Final = "REDACTED"

#: A fragment is no part of a query, but nobody listed it either.
_SEPARATORS: Final = re.compile("([&;#])")

_STRANGER: Final = otel_context.create_key("aumos-stranger")
_PEER: Final = otel_context.create_key("aumos-peer")


@dataclass(frozen=True, slots=True)
class Border:
    """What may cross.

    Attributes:
        traced: hosts that get the trace context.
        internal: hosts that get baggage; others are third parties.
        outbound: keys of baggage that is sent; None for all.
        inbound: keys of baggage that is taken; None for all.
        edge: whether clients are strangers, whose trace is not continued.
        query: query parameters of third parties whose value is recorded; None for all.
    """

    traced: Hosts
    internal: Hosts
    outbound: frozenset[str] | None
    inbound: frozenset[str] | None
    edge: bool
    query: frozenset[str] | None

    @classmethod
    def of(cls, options: PropagationOptions, baggage_hosts: Sequence[str]) -> Border:
        """The border that resolved options draw; ``baggage_hosts`` where they name none."""
        internal = baggage_hosts if options.baggage_hosts is None else options.baggage_hosts
        return cls(
            traced=Hosts(options.traceparent_hosts),
            internal=Hosts(internal),
            outbound=None if options.baggage_keys is None else _keys(options.baggage_keys),
            inbound=_keys(options.inbound_baggage_keys),
            edge=options.edge,
            query=_keys(options.query_keys),
        )

    def outward(self, context: Context) -> Context:
        """``context`` with the baggage that may go where this call goes."""
        found = baggage.get_all(context)
        if not found:
            return context
        allowed = bool(self.internal.everyone or _is_by_hand(context) or peer(context) in self.internal)
        kept = {key: value for key, value in found.items() if allowed and _has(self.outbound, key)}
        return context if len(kept) == len(found) else _with_baggage(context, kept)

    def may_trace(self, context: Context) -> bool:
        """Whether the trace context may go where this call goes."""
        return self.traced.everyone or _is_by_hand(context) or peer(context) in self.traced

    def inward(self, before: Context, after: Context) -> Context:
        """What is taken of what a client sent: ``after`` is ``before`` with everything that it sent."""
        was, now = baggage.get_all(before), baggage.get_all(after)
        if now != was and self.inbound is not None:
            kept = {key: value for key, value in now.items() if key in self.inbound}
            after = _with_baggage(after, {**was, **kept})
        sent = trace.get_current_span(after)
        if self.edge and sent is not trace.get_current_span(before) and sent.get_span_context().is_remote:
            after = estrange(after, sent.get_span_context())
        return after

    def trim(self, url: str) -> str:
        """``url``; of a third party's query only the values of listed parameters are left."""
        if self.query is None or "?" not in url or _host(url) in self.internal:
            return url
        before, _, query = url.partition("?")
        return f"{before}?{_trimmed(query, self.query)}"


def towards(context: Context, host: str) -> Context:
    """``context`` for a call to ``host``: for propagators, where the span does not tell."""
    return otel_context.set_value(_PEER, host, context)


def peer(context: Context) -> str:
    """The host that a call in ``context`` goes to; empty when it is not known."""
    host = otel_context.get_value(_PEER, context)
    if isinstance(host, str):
        return host
    about = known(trace.get_current_span(context))
    host = about.get(attributes.SERVER_ADDRESS)
    return _host(str(about.get(attributes.URL_FULL, ""))) if host is None else str(host)


def estrange(context: Context, sent: SpanContext) -> Context:
    """``context`` in which the next span is a root, linked to the span ``sent`` of a client."""
    return otel_context.set_value(_STRANGER, sent, trace.set_span_in_context(INVALID_SPAN, context))


def stranger(context: Context | None) -> SpanContext | None:
    """The span of a client that is not the parent of what begins in ``context``."""
    found = otel_context.get_value(_STRANGER, context)
    return found if isinstance(found, SpanContext) else None


class BorderProcessor(SpanProcessor):
    """Links roots to the client's span, and trims the queries of third parties, whoever instruments."""

    def __init__(self, border: Border) -> None:
        self._border = border
        #: See `aumos_otel.processors.foreign.SpanProcessors`.
        self.wakes_on = (
            *([_STRANGER] if border.edge else []),
            *([SpanKind.CLIENT] if border.query is not None else []),
        )

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Link and trim ``span``."""
        with guard.swallow("processors.border"):
            if span.parent is None and self._border.edge:
                sent = stranger(parent_context)
                if sent is not None:
                    span.add_link(sent)
            if span.kind is SpanKind.CLIENT:
                self._trim(span)

    def _trim(self, span: Span) -> None:
        url = known(span).get(attributes.URL_FULL)
        if isinstance(url, str):
            trimmed = self._border.trim(url)
            if trimmed != url:
                span.set_attribute(attributes.URL_FULL, trimmed)


def _is_by_hand(context: Context) -> bool:
    """Whether the program itself injects, e.g. into a message: inside no span, or one that is no call."""
    if otel_context.get_value(_PEER, context) is not None:
        return False
    span = trace.get_current_span(context)
    if not isinstance(span, ReadableSpan):  # one that is not recorded tells nothing of itself
        return not span.get_span_context().is_valid
    return span.kind is not SpanKind.CLIENT


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _keys(names: Collection[str]) -> frozenset[str] | None:
    return None if "*" in names else frozenset(names)


def _has(keys: frozenset[str] | None, key: str) -> bool:
    return keys is None or key in keys


def _with_baggage(context: Context, entries: dict[str, object]) -> Context:
    context = baggage.clear(context)
    for key, value in entries.items():
        context = baggage.set_baggage(key, value, context)
    return context


def _trimmed(query: str, keys: frozenset[str]) -> str:
    parts = []
    for part in _SEPARATORS.split(query):
        name, equals, _ = part.partition("=")
        if not part or _SEPARATORS.fullmatch(part) or unquote_plus(name) in keys:
            parts.append(part)
        else:
            parts.append(f"{name}={REDACTED}" if equals else REDACTED)
    return "".join(parts)
