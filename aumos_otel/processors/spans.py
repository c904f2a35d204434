"""Span processors of ours, in the order in which they must run.

1. `IdentityProcessor` stamps tenant, session and user, and remembers the local root.
2. `NestedUsageProcessor` tells an open LLM call that a client instrumentor inside it has
   reported token usage, so that nothing is counted twice.
3. `ExportProcessor` queues sampled spans for one destination.  It comes last.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from aumos_otel import context, guard
from aumos_otel.llm import nesting
from aumos_otel.semconv import spans

if TYPE_CHECKING:
    from opentelemetry.context import Context

    from aumos_otel.delivery.accounting import AccountingSpanExporter


class IdentityProcessor(SpanProcessor):
    """Stamps the bound identity on every span as it starts."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Stamp ``span``."""
        with guard.swallow("processors.identity"):
            context.mark_local_root(span, parent_context)
            values = context.current(parent_context).attributes()
            if values:
                span.set_attributes(values)


class NestedUsageProcessor(SpanProcessor):
    """Tells the enclosing LLM call about usage that somebody else's span reports."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Remember a span that started inside a call."""
        with guard.swallow("processors.nested_usage"):
            if span.context is not None and not _is_ours(span):
                nesting.watch(span.context.span_id, parent_context)

    def on_end(self, span: ReadableSpan) -> None:
        """Look for usage on a span that started inside a call."""
        with guard.swallow("processors.nested_usage"):
            if span.context is not None and not _is_ours(span):
                scope = span.instrumentation_scope
                nesting.settle(span.context.span_id, scope.name if scope else "", span.attributes or {})


def _is_ours(span: ReadableSpan) -> bool:
    scope = span.instrumentation_scope
    return scope is not None and scope.name == spans.SCOPE_AUMOS_OTEL_LLM


class ExportProcessor(BatchSpanProcessor):
    """The stock batch processor, counting what is handed to it; a full queue refuses new spans."""

    def __init__(self, exporter: AccountingSpanExporter, **batch: Any) -> None:
        super().__init__(exporter, **batch)
        self._account = exporter.account
        self._room: int = batch["max_queue_size"]

    def on_end(self, span: ReadableSpan) -> None:
        """Queue ``span`` when it is sampled."""
        if span.context is not None and span.context.trace_flags.sampled and self._account.admit(self._room):
            super().on_end(span)

    def shutdown(self) -> None:
        """Send what is queued, take no more."""
        self._account.refuse("shut_down")
        super().shutdown()  # type: ignore[no-untyped-call]  # the SDK left it untyped
