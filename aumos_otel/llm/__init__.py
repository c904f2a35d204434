"""LLM calls, tools, agents and workflows as spans, metrics and events.

Works on OpenTelemetry's API alone: without ``configure()`` and without an SDK all of it costs
next to nothing and does nothing.  The names below are loaded on first use, so that a service
without LLM calls does not pay for them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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

#: Where the names live that are no decorators.
_HOMES = {"Call": "spans", "current": "spans", "record_evaluation": "evaluation", "span": "spans"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'aumos_otel.llm' has no attribute {name!r}")
    value = getattr(import_module(f"aumos_otel.llm.{_HOMES.get(name, 'decorators')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
