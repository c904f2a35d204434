"""LLM calls, tools, agents and workflows as spans, metrics and events.

Works on OpenTelemetry's API alone: without ``configure()`` and without an SDK all of it costs
next to nothing and does nothing.
"""

from __future__ import annotations

from aumos_otel.llm.decorators import agent, chat, embeddings, retrieval, text_completion, tool, workflow
from aumos_otel.llm.evaluation import record_evaluation
from aumos_otel.llm.spans import Call, current, span

__all__ = [
    "Call",
    "agent",
    "chat",
    "current",
    "embeddings",
    "record_evaluation",
    "retrieval",
    "span",
    "text_completion",
    "tool",
    "workflow",
]
