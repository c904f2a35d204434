"""Attribute names and their well-known values.

Generated from registry.yaml by tools/semconv.py; do not edit.
"""

from __future__ import annotations


from typing import Final


SERVICE_NAME: Final = "service.name"
"""Logical name of the service."""

SERVICE_NAMESPACE: Final = "service.namespace"
"""Namespace of the service."""

SERVICE_VERSION: Final = "service.version"
"""Version of the service."""

SERVICE_INSTANCE_ID: Final = "service.instance.id"
"""Unique id of this process; the user's value is kept as prefix in forked workers."""

DEPLOYMENT_ENVIRONMENT_NAME: Final = "deployment.environment.name"
"""Deployment environment, e.g. prod."""

TELEMETRY_DISTRO_NAME: Final = "telemetry.distro.name"
"""Name of this distribution."""

TELEMETRY_DISTRO_VERSION: Final = "telemetry.distro.version"
"""Version of this distribution."""

TELEMETRY_SDK_LANGUAGE: Final = "telemetry.sdk.language"
"""Language of the SDK."""
TELEMETRY_SDK_LANGUAGE_PYTHON: Final = "python"

TELEMETRY_SDK_NAME: Final = "telemetry.sdk.name"
"""Name of the SDK."""
TELEMETRY_SDK_NAME_OPENTELEMETRY: Final = "opentelemetry"

TELEMETRY_SDK_VERSION: Final = "telemetry.sdk.version"
"""Version of the SDK."""

PROCESS_PID: Final = "process.pid"
"""Process id."""

PROCESS_EXECUTABLE_NAME: Final = "process.executable.name"
"""Name of the executable."""

PROCESS_RUNTIME_NAME: Final = "process.runtime.name"
"""Name of the runtime, e.g. cpython."""

PROCESS_RUNTIME_VERSION: Final = "process.runtime.version"
"""Version of the runtime."""

HOST_NAME: Final = "host.name"
"""Host name."""

HOST_ARCH: Final = "host.arch"
"""CPU architecture in OpenTelemetry's words."""

OS_TYPE: Final = "os.type"
"""Operating system, e.g. linux."""

OS_VERSION: Final = "os.version"
"""Version of the operating system."""

CONTAINER_ID: Final = "container.id"
"""Container id read from the cgroup or mount table."""

K8S_POD_NAME: Final = "k8s.pod.name"
"""Pod name from the downward API."""

K8S_POD_UID: Final = "k8s.pod.uid"
"""Pod uid from the downward API."""

K8S_NAMESPACE_NAME: Final = "k8s.namespace.name"
"""Namespace from the downward API."""

K8S_NODE_NAME: Final = "k8s.node.name"
"""Node name from the downward API."""

K8S_CONTAINER_NAME: Final = "k8s.container.name"
"""Container name in the pod."""

K8S_DEPLOYMENT_NAME: Final = "k8s.deployment.name"
"""Deployment name."""

K8S_CLUSTER_NAME: Final = "k8s.cluster.name"
"""Cluster name."""

AUMOS_PRODUCT: Final = "aumos.product"
"""AumOS product that the service belongs to."""

AUMOS_TIER: Final = "aumos.tier"
"""AumOS tier, e.g. foundation."""

AUMOS_PHASE: Final = "aumos.phase"
"""AumOS delivery phase, e.g. 1A."""

AUMOS_TENANT_ID: Final = "aumos.tenant.id"
"""Tenant of the request. On metrics bounded to the first 200 tenants, the rest is `_other`; never an access decision."""
AUMOS_TENANT_ID_OTHER: Final = "_other"

SESSION_ID: Final = "session.id"
"""Session of the request."""

USER_ID: Final = "user.id"
"""User of the request; on spans and logs only."""

ERROR_TYPE: Final = "error.type"
"""Class of the error; `_OTHER` when unknown."""
ERROR_TYPE_OTHER: Final = "_OTHER"

SERVER_ADDRESS: Final = "server.address"
"""Host of the called server."""

SERVER_PORT: Final = "server.port"
"""Port of the called server."""

EXCEPTION_TYPE: Final = "exception.type"
"""Type of the exception."""

EXCEPTION_MESSAGE: Final = "exception.message"
"""Message of the exception."""

EXCEPTION_STACKTRACE: Final = "exception.stacktrace"
"""Stack trace of the exception."""

LOG_RECORD_UID: Final = "log.record.uid"
"""Unique id of the log record."""

EVENT_NAME: Final = "event.name"
"""Name of the event that a log record is; older spelling."""

OTEL_EVENT_NAME: Final = "otel.event.name"
"""Name of the event that a log record is."""

EXCEPTION_ESCAPED: Final = "exception.escaped"
"""Whether the exception left the span's block."""

CODE_FUNCTION_NAME: Final = "code.function.name"
"""Qualified name of the function."""

CODE_FILE_PATH: Final = "code.file.path"
"""Source file."""

CODE_LINE_NUMBER: Final = "code.line.number"
"""Line in the source file."""

HTTP_REQUEST_METHOD: Final = "http.request.method"
"""HTTP method."""

HTTP_REQUEST_METHOD_ORIGINAL: Final = "http.request.method_original"
"""Method as received when it is not a known one."""

HTTP_RESPONSE_STATUS_CODE: Final = "http.response.status_code"
"""HTTP status code."""

HTTP_ROUTE: Final = "http.route"
"""Route template."""

URL_FULL: Final = "url.full"
"""Full URL without credentials; values of secret parameters are redacted."""

URL_PATH: Final = "url.path"
"""Path of the URL."""

URL_SCHEME: Final = "url.scheme"
"""Scheme of the URL."""

URL_QUERY: Final = "url.query"
"""Query of the URL; values of secret parameters are redacted."""

HTTP_URL: Final = "http.url"
"""Full URL in the conventions before 1.21."""

HTTP_TARGET: Final = "http.target"
"""Path and query in the conventions before 1.21."""

CLIENT_ADDRESS: Final = "client.address"
"""Address of the client."""

USER_AGENT_ORIGINAL: Final = "user_agent.original"
"""User-Agent header."""

NETWORK_PROTOCOL_NAME: Final = "network.protocol.name"
"""Application protocol when it is not http."""
NETWORK_PROTOCOL_NAME_WEBSOCKET: Final = "websocket"

NETWORK_PROTOCOL_VERSION: Final = "network.protocol.version"
"""Version of the protocol, e.g. 1.1."""

DB_SYSTEM_NAME: Final = "db.system.name"
"""Database product."""

DB_QUERY_TEXT: Final = "db.query.text"
"""Database query text."""

MCP_METHOD_NAME: Final = "mcp.method.name"
"""MCP method."""

MCP_SESSION_ID: Final = "mcp.session.id"
"""MCP session."""

GEN_AI_OPERATION_NAME: Final = "gen_ai.operation.name"
"""Operation being performed."""
GEN_AI_OPERATION_NAME_CHAT: Final = "chat"
GEN_AI_OPERATION_NAME_GENERATE_CONTENT: Final = "generate_content"
GEN_AI_OPERATION_NAME_TEXT_COMPLETION: Final = "text_completion"
GEN_AI_OPERATION_NAME_EMBEDDINGS: Final = "embeddings"
GEN_AI_OPERATION_NAME_RETRIEVAL: Final = "retrieval"
GEN_AI_OPERATION_NAME_EXECUTE_TOOL: Final = "execute_tool"
GEN_AI_OPERATION_NAME_CREATE_AGENT: Final = "create_agent"
GEN_AI_OPERATION_NAME_INVOKE_AGENT: Final = "invoke_agent"
GEN_AI_OPERATION_NAME_INVOKE_WORKFLOW: Final = "invoke_workflow"

GEN_AI_PROVIDER_NAME: Final = "gen_ai.provider.name"
"""Provider of the model."""
GEN_AI_PROVIDER_NAME_OPENAI: Final = "openai"
GEN_AI_PROVIDER_NAME_ANTHROPIC: Final = "anthropic"
GEN_AI_PROVIDER_NAME_AWS_BEDROCK: Final = "aws.bedrock"
GEN_AI_PROVIDER_NAME_AZURE_AI_INFERENCE: Final = "azure.ai.inference"
GEN_AI_PROVIDER_NAME_AZURE_AI_OPENAI: Final = "azure.ai.openai"
GEN_AI_PROVIDER_NAME_COHERE: Final = "cohere"
GEN_AI_PROVIDER_NAME_DEEPSEEK: Final = "deepseek"
GEN_AI_PROVIDER_NAME_GCP_GEMINI: Final = "gcp.gemini"
GEN_AI_PROVIDER_NAME_GCP_GEN_AI: Final = "gcp.gen_ai"
GEN_AI_PROVIDER_NAME_GCP_VERTEX_AI: Final = "gcp.vertex_ai"
GEN_AI_PROVIDER_NAME_GROQ: Final = "groq"
GEN_AI_PROVIDER_NAME_IBM_WATSONX_AI: Final = "ibm.watsonx.ai"
GEN_AI_PROVIDER_NAME_MISTRAL_AI: Final = "mistral_ai"
GEN_AI_PROVIDER_NAME_MOONSHOT_AI: Final = "moonshot_ai"
GEN_AI_PROVIDER_NAME_PERPLEXITY: Final = "perplexity"
GEN_AI_PROVIDER_NAME_X_AI: Final = "x_ai"

GEN_AI_CONVERSATION_ID: Final = "gen_ai.conversation.id"
"""Conversation or thread."""

GEN_AI_OUTPUT_TYPE: Final = "gen_ai.output.type"
"""Requested type of output."""
GEN_AI_OUTPUT_TYPE_TEXT: Final = "text"
GEN_AI_OUTPUT_TYPE_JSON: Final = "json"
GEN_AI_OUTPUT_TYPE_IMAGE: Final = "image"
GEN_AI_OUTPUT_TYPE_SPEECH: Final = "speech"

GEN_AI_REQUEST_MODEL: Final = "gen_ai.request.model"
"""Model asked for."""

GEN_AI_REQUEST_TEMPERATURE: Final = "gen_ai.request.temperature"
"""Temperature."""

GEN_AI_REQUEST_TOP_P: Final = "gen_ai.request.top_p"
"""Top p."""

GEN_AI_REQUEST_TOP_K: Final = "gen_ai.request.top_k"
"""Top k."""

GEN_AI_REQUEST_MAX_TOKENS: Final = "gen_ai.request.max_tokens"
"""Most tokens to generate."""

GEN_AI_REQUEST_FREQUENCY_PENALTY: Final = "gen_ai.request.frequency_penalty"
"""Frequency penalty."""

GEN_AI_REQUEST_PRESENCE_PENALTY: Final = "gen_ai.request.presence_penalty"
"""Presence penalty."""

GEN_AI_REQUEST_SEED: Final = "gen_ai.request.seed"
"""Seed."""

GEN_AI_REQUEST_CHOICE_COUNT: Final = "gen_ai.request.choice.count"
"""Number of choices when not 1."""

GEN_AI_REQUEST_STOP_SEQUENCES: Final = "gen_ai.request.stop_sequences"
"""Stop sequences."""

GEN_AI_REQUEST_STREAM: Final = "gen_ai.request.stream"
"""Whether a stream was asked for."""

GEN_AI_REQUEST_ENCODING_FORMATS: Final = "gen_ai.request.encoding_formats"
"""Encodings of embeddings."""

GEN_AI_RESPONSE_ID: Final = "gen_ai.response.id"
"""Id of the response."""

GEN_AI_RESPONSE_MODEL: Final = "gen_ai.response.model"
"""Model that answered."""

GEN_AI_RESPONSE_FINISH_REASONS: Final = "gen_ai.response.finish_reasons"
"""Why generation stopped"""

GEN_AI_RESPONSE_TIME_TO_FIRST_CHUNK: Final = "gen_ai.response.time_to_first_chunk"
"""Seconds from the request to the first chunk."""

GEN_AI_USAGE_INPUT_TOKENS: Final = "gen_ai.usage.input_tokens"
"""Input tokens"""

GEN_AI_USAGE_OUTPUT_TOKENS: Final = "gen_ai.usage.output_tokens"
"""Output tokens"""

GEN_AI_USAGE_CACHE_READ_INPUT_TOKENS: Final = "gen_ai.usage.cache_read.input_tokens"
"""Input tokens served from a cache."""

GEN_AI_USAGE_CACHE_WRITE_INPUT_TOKENS: Final = "gen_ai.usage.cache_write.input_tokens"
"""Input tokens written to a cache (genai-0.1)."""

GEN_AI_USAGE_CACHE_CREATION_INPUT_TOKENS: Final = "gen_ai.usage.cache_creation.input_tokens"
"""Input tokens written to a cache (1.37; renamed to cache_write)."""

GEN_AI_USAGE_REASONING_OUTPUT_TOKENS: Final = "gen_ai.usage.reasoning.output_tokens"
"""Output tokens spent on reasoning."""

GEN_AI_USAGE_COST: Final = "gen_ai.usage.cost"
"""Cost of the call in US dollars, from the price table; de-facto name that Langfuse and others read."""

GEN_AI_USAGE_COST_CURRENCY: Final = "gen_ai.usage.cost.currency"
"""Currency of the cost (draft)."""
GEN_AI_USAGE_COST_CURRENCY_USD: Final = "USD"

GEN_AI_USAGE_COST_SOURCE: Final = "gen_ai.usage.cost.source"
"""Where the cost comes from (draft)."""
GEN_AI_USAGE_COST_SOURCE_LOCAL: Final = "local"
GEN_AI_USAGE_COST_SOURCE_PROVIDER: Final = "provider"

GEN_AI_TOKEN_TYPE: Final = "gen_ai.token.type"
"""Kind of token."""
GEN_AI_TOKEN_TYPE_INPUT: Final = "input"
GEN_AI_TOKEN_TYPE_OUTPUT: Final = "output"

GEN_AI_INPUT_MESSAGES: Final = "gen_ai.input.messages"
"""Messages sent to the model as JSON (opt-in content)."""

GEN_AI_OUTPUT_MESSAGES: Final = "gen_ai.output.messages"
"""Messages returned as JSON (opt-in content)."""

GEN_AI_SYSTEM_INSTRUCTIONS: Final = "gen_ai.system_instructions"
"""System instructions as JSON (opt-in content)."""

GEN_AI_TOOL_DEFINITIONS: Final = "gen_ai.tool.definitions"
"""Tools offered to the model as JSON (opt-in content)."""

GEN_AI_TOOL_NAME: Final = "gen_ai.tool.name"
"""Name of the tool."""

GEN_AI_TOOL_TYPE: Final = "gen_ai.tool.type"
"""Type of the tool."""
GEN_AI_TOOL_TYPE_FUNCTION: Final = "function"
GEN_AI_TOOL_TYPE_EXTENSION: Final = "extension"
GEN_AI_TOOL_TYPE_DATASTORE: Final = "datastore"

GEN_AI_TOOL_DESCRIPTION: Final = "gen_ai.tool.description"
"""Description of the tool."""

GEN_AI_TOOL_CALL_ID: Final = "gen_ai.tool.call.id"
"""Id of the tool call."""

GEN_AI_TOOL_CALL_ARGUMENTS: Final = "gen_ai.tool.call.arguments"
"""Arguments of the tool call as JSON (opt-in content)."""

GEN_AI_TOOL_CALL_RESULT: Final = "gen_ai.tool.call.result"
"""Result of the tool call as JSON (opt-in content)."""

GEN_AI_AGENT_ID: Final = "gen_ai.agent.id"
"""Id of the agent."""

GEN_AI_AGENT_NAME: Final = "gen_ai.agent.name"
"""Name of the agent."""

GEN_AI_AGENT_DESCRIPTION: Final = "gen_ai.agent.description"
"""Description of the agent."""

GEN_AI_WORKFLOW_NAME: Final = "gen_ai.workflow.name"
"""Name of the workflow."""

GEN_AI_DATA_SOURCE_ID: Final = "gen_ai.data_source.id"
"""Data source of a retrieval."""

GEN_AI_RETRIEVAL_QUERY_TEXT: Final = "gen_ai.retrieval.query.text"
"""Query of a retrieval (opt-in content)."""

GEN_AI_RETRIEVAL_DOCUMENTS: Final = "gen_ai.retrieval.documents"
"""Documents found as JSON (opt-in content)."""

GEN_AI_EMBEDDINGS_DIMENSION_COUNT: Final = "gen_ai.embeddings.dimension.count"
"""Dimensions of the embedding."""

GEN_AI_EVALUATION_NAME: Final = "gen_ai.evaluation.name"
"""Name of the evaluation."""

GEN_AI_EVALUATION_SCORE_VALUE: Final = "gen_ai.evaluation.score.value"
"""Score of the evaluation."""

GEN_AI_EVALUATION_SCORE_LABEL: Final = "gen_ai.evaluation.score.label"
"""Label of the evaluation, e.g. pass."""

GEN_AI_EVALUATION_EXPLANATION: Final = "gen_ai.evaluation.explanation"
"""Why that score."""

OPENAI_API_TYPE: Final = "openai.api.type"
"""OpenAI API that was called."""
OPENAI_API_TYPE_CHAT_COMPLETIONS: Final = "chat_completions"
OPENAI_API_TYPE_RESPONSES: Final = "responses"

OPENAI_REQUEST_SERVICE_TIER: Final = "openai.request.service_tier"
"""Service tier asked for."""

OPENAI_RESPONSE_SERVICE_TIER: Final = "openai.response.service_tier"
"""Service tier used."""

OPENAI_RESPONSE_SYSTEM_FINGERPRINT: Final = "openai.response.system_fingerprint"
"""Fingerprint of the backend."""

HTTP_METHOD: Final = "http.method"
"""Method of a request, before version 1.21."""

HTTP_STATUS_CODE: Final = "http.status_code"
"""Status of a response, before version 1.21."""

RPC_SYSTEM_NAME: Final = "rpc.system.name"
"""System of a remote call, e.g. grpc."""

RPC_SYSTEM: Final = "rpc.system"
"""System of a remote call; older spelling."""

RPC_RESPONSE_STATUS_CODE: Final = "rpc.response.status_code"
"""Status of a remote call."""

RPC_GRPC_STATUS_CODE: Final = "rpc.grpc.status_code"
"""Status of a gRPC call; older spelling."""

AUMOS_LLM_PRICE_VERSION: Final = "aumos.llm.price.version"
"""Date of the price table that the cost comes from."""

AUMOS_LLM_TIME_PER_OUTPUT_CHUNK: Final = "aumos.llm.time_per_output_chunk"
"""Mean seconds between two chunks after the first."""

AUMOS_LLM_OUTCOME: Final = "aumos.llm.outcome"
"""How a stream ended when it did not reach its end."""
AUMOS_LLM_OUTCOME_ABANDONED: Final = "abandoned"
AUMOS_LLM_OUTCOME_CANCELLED: Final = "cancelled"
AUMOS_LLM_OUTCOME_CLOSED: Final = "closed"

AUMOS_LLM_CONTENT_POLICY: Final = "aumos.llm.content.policy"
"""Policy that shaped captured content: hash, redacted or full."""
AUMOS_LLM_CONTENT_POLICY_HASH: Final = "hash"
AUMOS_LLM_CONTENT_POLICY_REDACTED: Final = "redacted"
AUMOS_LLM_CONTENT_POLICY_FULL: Final = "full"

AUMOS_SAMPLING_ADJUSTED_COUNT: Final = "aumos.sampling.adjusted_count"
"""How many spans this one stands for, because others like it were not kept."""

AUMOS_SLI_NAME: Final = "aumos.sli.name"
"""Name of a service-level indicator."""

AUMOS_SLI_GOOD: Final = "aumos.sli.good"
"""On an exemplar: whether the event was a good one."""

AUMOS_SLO_NAME: Final = "aumos.slo.name"
"""Name of a service-level objective."""

AUMOS_SLO_SERVICE: Final = "aumos.slo.service"
"""Service that the objective is about."""

AUMOS_SLO_VERSION: Final = "aumos.slo.version"
"""Changes when target, window or indicator do: what was recorded before is another objective's."""

AUMOS_SLO_WINDOW: Final = "aumos.slo.window"
"""Period of the objective: 30d, or a calendar unit such as month."""

AUMOS_SLO_POLICY: Final = "aumos.slo.policy"
"""Burn policy: its name when built in, else its tiers, e.g. page: 5m>=14.4 & 1h>=6."""

AUMOS_SLO_PERIOD: Final = "aumos.slo.period"
"""Calendar period that a count belongs to, e.g. 202611."""

AUMOS_SLO_EVENT: Final = "aumos.slo.event"
"""What became of an event about an objective."""
AUMOS_SLO_EVENT_DELIVERED: Final = "delivered"
AUMOS_SLO_EVENT_DROPPED: Final = "dropped"
AUMOS_SLO_EVENT_FAILED: Final = "failed"

AUMOS_OWNER: Final = "aumos.owner"
"""Who applied a rule; only rules of the same owner are ever changed or deleted."""

AUMOS_OTEL_SIGNAL: Final = "aumos.otel.signal"
"""Signal."""
AUMOS_OTEL_SIGNAL_TRACES: Final = "traces"
AUMOS_OTEL_SIGNAL_METRICS: Final = "metrics"
AUMOS_OTEL_SIGNAL_LOGS: Final = "logs"

AUMOS_OTEL_DESTINATION: Final = "aumos.otel.destination"
"""Name of a destination."""

AUMOS_OTEL_OUTCOME: Final = "aumos.otel.outcome"
"""What became of records; emitted = delivered + dropped + unconfirmed + spooled + queued."""
AUMOS_OTEL_OUTCOME_EMITTED: Final = "emitted"
AUMOS_OTEL_OUTCOME_DELIVERED: Final = "delivered"
AUMOS_OTEL_OUTCOME_DROPPED: Final = "dropped"
AUMOS_OTEL_OUTCOME_UNCONFIRMED: Final = "unconfirmed"

AUMOS_OTEL_REASON: Final = "aumos.otel.reason"
"""Why records were dropped."""
AUMOS_OTEL_REASON_QUEUE_FULL: Final = "queue_full"
AUMOS_OTEL_REASON_QUEUE_BYTES: Final = "queue_bytes"
AUMOS_OTEL_REASON_ENCODE_ERROR: Final = "encode_error"
AUMOS_OTEL_REASON_TOO_LARGE: Final = "too_large"
AUMOS_OTEL_REASON_EXPORT_FAILED: Final = "export_failed"
AUMOS_OTEL_REASON_PARTIAL_REJECTED: Final = "partial_rejected"
AUMOS_OTEL_REASON_ALREADY_SHUTDOWN: Final = "already_shutdown"
AUMOS_OTEL_REASON_SHUTDOWN_DEADLINE: Final = "shutdown_deadline"
AUMOS_OTEL_REASON_SPOOL_FULL: Final = "spool_full"
AUMOS_OTEL_REASON_SPOOL_CORRUPT: Final = "spool_corrupt"
AUMOS_OTEL_REASON_SPOOL_EXPIRED: Final = "spool_expired"
AUMOS_OTEL_REASON_SAMPLED: Final = "sampled"
AUMOS_OTEL_REASON_FILTERED: Final = "filtered"
AUMOS_OTEL_REASON_REDACTION_FAILED: Final = "redaction_failed"
AUMOS_OTEL_REASON_PAUSED: Final = "paused"

AUMOS_OTEL_CLASS: Final = "aumos.otel.class"
"""Detector whose findings were redacted, e.g. jwt."""

AUMOS_OTEL_SITE: Final = "aumos.otel.site"
"""Place in our code where a failure was swallowed."""
