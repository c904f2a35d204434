"""Span processors of ours, in the order in which they must run.

1. `IdentityProcessor` stamps tenant, session and user, and remembers the local root.
2. `NestedUsageProcessor` tells an open LLM call that a client instrumentor inside it has
   reported token usage, so that nothing is counted twice.
3. `ExportProcessor` hands ended spans to delivery.  It comes last.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.trace import StatusCode

from aumos_otel import context, guard
from aumos_otel.delivery.appraisal import LARGE, appraise_span
from aumos_otel.delivery.packing import cut_down
from aumos_otel.delivery.reading import span_record
from aumos_otel.llm import nesting
from aumos_otel.recording.span import Span as RecordedSpan
from aumos_otel.semconv import attributes, spans

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from aumos_otel.delivery.dispatch import Dispatch
    from aumos_otel.delivery.record import SpanRecord

#: Bytes that the objects of a span take while it waits, beside its texts; measured with tracemalloc.
OBJECTS: Final = 2_500

_ERROR: Final = StatusCode.ERROR.value
_OPERATION: Final = attributes.GEN_AI_OPERATION_NAME


class IdentityProcessor(SpanProcessor):
    """Stamps the bound identity on every span as it starts."""

    #: See `aumos_otel.processors.foreign.SpanProcessors`; the local root of a span of ours is its tracer's business.
    wakes_on: Final = (context.IDENTITY_KEY,)

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp ``span``."""
        with guard.swallow("processors.identity"):
            context.mark_local_root(span, parent_context)
            values = context.current(parent_context).attributes()
            if values:
                span.set_attributes(values)


class NestedUsageProcessor(SpanProcessor):
    """Tells the enclosing LLM call about usage that somebody else's span reports."""

    #: See `aumos_otel.processors.foreign.SpanProcessors`.
    wakes_on: Final = (nesting.CALL_KEY,)
    wakes_while: Final = nesting.watched

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember a span that started inside a call."""
        with guard.swallow("processors.nested_usage"):
            if span.context is not None and not _is_ours(span):
                nesting.watch(span.context.span_id, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Look for usage on a span that started inside a call."""
        known = span.context
        if known is not None and known.span_id in nesting.watched:
            with guard.swallow("processors.nested_usage"):
                scope = span.instrumentation_scope
                nesting.settle(known.span_id, scope.name if scope else "", span.attributes or {})


def _is_ours(span: ReadableSpan) -> bool:
    scope = span.instrumentation_scope
    return scope is not None and scope.name == spans.SCOPE_AUMOS_OTEL_LLM


class ExportProcessor(SpanProcessor):
    """Hands ended spans to delivery; one that is not sampled is counted as such."""

    def __init__(self, dispatch: Dispatch[ReadableSpan | SpanRecord]) -> None:
        self._dispatch = dispatch
        self._books = dispatch.books
        self._put = dispatch.intake.put

    def on_end(self, span: ReadableSpan) -> None:
        """Hand ``span`` over."""
        try:
            if type(span) is not RecordedSpan:
                self._hand_over(span)
            elif not span.sampled:
                self._books.skip()
            else:
                size, valued = span.size, span.code == _ERROR or _OPERATION in span.values
                if size > LARGE:
                    self._hand_over_large(span, valued=valued)
                else:
                    self._put(span, size, valued=valued)
        except Exception as error:  # noqa: BLE001 - it is counted
            self._books.refuse(1, attributes.AUMOS_OTEL_REASON_ENCODE_ERROR)  # e.g. no memory to cut it down
            guard.told("processors.export", error)

    def _hand_over(self, span: ReadableSpan) -> None:
        """Hand over a span that is not of our tracer."""
        if span.context is None or not span.context.trace_flags.sampled:
            self._books.skip()
            return
        size, valued = appraise_span(span)
        if size > LARGE:
            self._hand_over_large(span, valued=valued)
        else:
            self._put(span, size + OBJECTS, valued=valued)

    def _hand_over_large(self, span: ReadableSpan, *, valued: bool) -> None:
        record = span_record(span)
        self._put(record, cut_down(record), valued=valued)

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        """Send what has been handed over."""
        return self._dispatch.flush(time.monotonic() + timeout_millis / 1000)

    def shutdown(self) -> None:
        """Send what is left, take no more."""
        self._dispatch.close()
