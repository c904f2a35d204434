"""Span operations, instrumentation scopes and schema URLs.

Generated from registry.yaml by tools/semconv.py; do not edit.
"""

from __future__ import annotations


from typing import Final


CHAT: Final = "chat"

TEXT_COMPLETION: Final = "text_completion"

EMBEDDINGS: Final = "embeddings"

RETRIEVAL: Final = "retrieval"

EXECUTE_TOOL: Final = "execute_tool"

INVOKE_AGENT: Final = "invoke_agent"

INVOKE_WORKFLOW: Final = "invoke_workflow"

SCOPE_AUMOS_OTEL: Final = "aumos_otel"

SCOPE_AUMOS_OTEL_HTTP: Final = "aumos_otel.http"

SCOPE_AUMOS_OTEL_LLM: Final = "aumos_otel.llm"

SCOPE_AUMOS_OTEL_SELF: Final = "aumos_otel.self"

SCHEMA_URL_GEN_AI_1_37: Final = "https://opentelemetry.io/schemas/1.37.0"
