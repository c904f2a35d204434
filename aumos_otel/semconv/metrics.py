"""Metrics as data: name, instrument, unit, buckets and attributes.

Generated from registry.yaml by tools/semconv.py; do not edit.
"""

from __future__ import annotations


from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: what is needed to create its instrument."""

    name: str
    instrument: str
    unit: str
    description: str
    buckets: tuple[float, ...] | None
    attributes: tuple[str, ...]


GEN_AI_CLIENT_OPERATION_DURATION: Final = Metric(
    name="gen_ai.client.operation.duration",
    instrument="histogram",
    unit="s",
    description="Duration of a GenAI client operation.",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "server.address", "server.port", "error.type", "aumos.tenant.id"),
)

GEN_AI_CLIENT_OPERATION_TIME_TO_FIRST_CHUNK: Final = Metric(
    name="gen_ai.client.operation.time_to_first_chunk",
    instrument="histogram",
    unit="s",
    description="Time from the request to the first chunk.",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_OPERATION_TIME_PER_OUTPUT_CHUNK: Final = Metric(
    name="gen_ai.client.operation.time_per_output_chunk",
    instrument="histogram",
    unit="s",
    description="Time between two chunks after the first.",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_TOKEN_USAGE: Final = Metric(
    name="gen_ai.client.token.usage",
    instrument="histogram",
    unit="{token}",
    description="Tokens used by a call.",
    buckets=(1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "gen_ai.token.type", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_DURATION: Final = Metric(
    name="gen_ai.client.inference.duration",
    instrument="histogram",
    unit="s",
    description="Duration of an inference (genai-0.1).",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "error.type", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_TIME_TO_FIRST_CHUNK: Final = Metric(
    name="gen_ai.client.inference.time_to_first_chunk",
    instrument="histogram",
    unit="s",
    description="Time to the first chunk of an inference (genai-0.1).",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_TIME_PER_OUTPUT_CHUNK: Final = Metric(
    name="gen_ai.client.inference.time_per_output_chunk",
    instrument="histogram",
    unit="s",
    description="Time between two chunks of an inference (genai-0.1).",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_USAGE_INPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.usage.input_tokens",
    instrument="counter",
    unit="{token}",
    description="Input tokens (genai-0.1).",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_USAGE_OUTPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.usage.output_tokens",
    instrument="counter",
    unit="{token}",
    description="Output tokens (genai-0.1).",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_USAGE_CACHE_READ_INPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.usage.cache_read.input_tokens",
    instrument="counter",
    unit="{token}",
    description="Input tokens read from a cache (genai-0.1).",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_USAGE_CACHE_WRITE_INPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.usage.cache_write.input_tokens",
    instrument="counter",
    unit="{token}",
    description="Input tokens written to a cache (genai-0.1).",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_USAGE_REASONING_OUTPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.usage.reasoning.output_tokens",
    instrument="counter",
    unit="{token}",
    description="Reasoning tokens (genai-0.1).",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_OPERATION_INPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.operation.input_tokens",
    instrument="histogram",
    unit="{token}",
    description="Input tokens of one inference (genai-0.1).",
    buckets=(1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_CLIENT_INFERENCE_OPERATION_OUTPUT_TOKENS: Final = Metric(
    name="gen_ai.client.inference.operation.output_tokens",
    instrument="histogram",
    unit="{token}",
    description="Output tokens of one inference (genai-0.1).",
    buckets=(1.0, 4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0, 16384.0, 65536.0, 262144.0, 1048576.0, 4194304.0, 16777216.0, 67108864.0),
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

GEN_AI_EXECUTE_TOOL_DURATION: Final = Metric(
    name="gen_ai.execute_tool.duration",
    instrument="histogram",
    unit="s",
    description="Duration of a tool execution.",
    buckets=(0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92),
    attributes=("gen_ai.tool.name", "gen_ai.tool.type", "error.type", "aumos.tenant.id"),
)

GEN_AI_INVOKE_AGENT_DURATION: Final = Metric(
    name="gen_ai.invoke_agent.duration",
    instrument="histogram",
    unit="s",
    description="Duration of an agent invocation (genai-0.1: of a workflow too).",
    buckets=(0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6, 51.2, 102.4, 204.8, 409.6),
    attributes=("gen_ai.operation.name", "gen_ai.agent.name", "gen_ai.request.model", "error.type", "aumos.tenant.id"),
)

GEN_AI_INVOKE_WORKFLOW_DURATION: Final = Metric(
    name="gen_ai.invoke_workflow.duration",
    instrument="histogram",
    unit="s",
    description="Duration of a workflow.",
    buckets=(1.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0, 7200.0),
    attributes=("gen_ai.workflow.name", "error.type", "aumos.tenant.id"),
)

GEN_AI_EVALUATION_SCORE: Final = Metric(
    name="gen_ai.evaluation.score",
    instrument="histogram",
    unit="1",
    description="Scores of evaluations.",
    buckets=(0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0),
    attributes=("gen_ai.evaluation.name", "gen_ai.evaluation.score.label", "error.type", "aumos.tenant.id"),
)

AUMOS_LLM_COST: Final = Metric(
    name="aumos.llm.cost",
    instrument="counter",
    unit="{USD}",
    description="Cost of LLM calls in US dollars, by the price table.",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model", "gen_ai.response.model", "aumos.tenant.id"),
)

AUMOS_LLM_USAGE_MISSING: Final = Metric(
    name="aumos.llm.usage_missing",
    instrument="counter",
    unit="{call}",
    description="LLM calls whose token usage could not be learned.",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"),
)

AUMOS_LLM_PRICE_MISSING: Final = Metric(
    name="aumos.llm.price_missing",
    instrument="counter",
    unit="{call}",
    description="LLM calls with usage whose model is not in the price table.",
    buckets=None,
    attributes=("gen_ai.operation.name", "gen_ai.provider.name", "gen_ai.request.model"),
)

AUMOS_SLI_EVENTS: Final = Metric(
    name="aumos.sli.events",
    instrument="observable_counter",
    unit="{event}",
    description="Events of a service-level indicator; also those that sampling drops.",
    buckets=None,
    attributes=("aumos.sli.name", "aumos.tenant.id"),
)

AUMOS_SLI_GOOD_EVENTS: Final = Metric(
    name="aumos.sli.good_events",
    instrument="observable_counter",
    unit="{event}",
    description="Events of a service-level indicator that were good.",
    buckets=None,
    attributes=("aumos.sli.name", "aumos.tenant.id"),
)

AUMOS_SLO_TARGET: Final = Metric(
    name="aumos.slo.target",
    instrument="observable_gauge",
    unit="1",
    description="Share of the events that must be good.",
    buckets=None,
    attributes=("aumos.slo.name", "aumos.sli.name", "aumos.slo.window", "aumos.slo.policy", "aumos.owner"),
)

AUMOS_SLO_EVENTS: Final = Metric(
    name="aumos.slo.events",
    instrument="observable_counter",
    unit="{event}",
    description="Events about objectives by what became of them.",
    buckets=None,
    attributes=("aumos.slo.event",),
)

AUMOS_OTEL_GUARD_SWALLOWED: Final = Metric(
    name="aumos.otel.guard.swallowed",
    instrument="observable_counter",
    unit="{failure}",
    description="Internal failures kept away from the application.",
    buckets=None,
    attributes=("aumos.otel.site",),
)

AUMOS_OTEL_REDACTIONS: Final = Metric(
    name="aumos.otel.redactions",
    instrument="observable_counter",
    unit="{finding}",
    description="Findings that were redacted before they could leave.",
    buckets=None,
    attributes=("aumos.otel.class",),
)

AUMOS_OTEL_RECORDS: Final = Metric(
    name="aumos.otel.records",
    instrument="observable_counter",
    unit="{record}",
    description="Records by what became of them.",
    buckets=None,
    attributes=("aumos.otel.signal", "aumos.otel.destination", "aumos.otel.outcome", "aumos.otel.reason"),
)

AUMOS_OTEL_QUEUE_RECORDS: Final = Metric(
    name="aumos.otel.queue.records",
    instrument="observable_gauge",
    unit="{record}",
    description="Records that wait in memory.",
    buckets=None,
    attributes=("aumos.otel.signal", "aumos.otel.destination"),
)

AUMOS_OTEL_QUEUE_BYTES: Final = Metric(
    name="aumos.otel.queue.bytes",
    instrument="observable_gauge",
    unit="By",
    description="Encoded bytes that wait in memory.",
    buckets=None,
    attributes=("aumos.otel.signal", "aumos.otel.destination"),
)

AUMOS_OTEL_SPOOL_RECORDS: Final = Metric(
    name="aumos.otel.spool.records",
    instrument="observable_gauge",
    unit="{record}",
    description="Records that wait on disk.",
    buckets=None,
    attributes=("aumos.otel.signal", "aumos.otel.destination"),
)

HTTP_SERVER_REQUEST_DURATION: Final = Metric(
    name="http.server.request.duration",
    instrument="histogram",
    unit="s",
    description="Duration of HTTP server requests.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    attributes=("http.request.method", "http.route", "http.response.status_code", "url.scheme", "network.protocol.version", "error.type"),
)

HTTP_SERVER_ACTIVE_REQUESTS: Final = Metric(
    name="http.server.active_requests",
    instrument="up_down_counter",
    unit="{request}",
    description="Number of active HTTP server requests.",
    buckets=None,
    attributes=("http.request.method", "url.scheme"),
)

HTTP_CLIENT_REQUEST_DURATION: Final = Metric(
    name="http.client.request.duration",
    instrument="histogram",
    unit="s",
    description="Duration of HTTP client requests.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
    attributes=("http.request.method", "server.address", "server.port", "http.response.status_code", "error.type"),
)
