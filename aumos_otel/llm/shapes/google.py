"""Google's generateContent (google-genai and REST): responses, stream chunks and embeddings."""

from __future__ import annotations

from aumos_otel.semconv import attributes as attr

from .chunks import ChunkStream
from .fields import counted, first, get, items, label, total
from .messages import Message, to_parts
from .reading import Reading, Usage
from .tokens import read_google_tokens

_TRAFFIC = "ON_DEMAND"


def read(response: object, *, content: bool) -> Reading | None:
    """A response or one chunk of a stream; None if ``response`` is none."""
    candidates = items(get(response, "candidates"))
    metadata = first(response, "usage_metadata", "usageMetadata")
    usage = read_google_tokens(metadata)
    told = any(first(c, "content", "finish_reason", "finishReason") is not None for c in candidates)
    if usage is None and not told:
        return None
    reasons = [label(first(candidate, "finish_reason", "finishReason")) for candidate in candidates]
    return Reading(
        provider=_provider(metadata),
        response_id=label(first(response, "response_id", "responseId")),
        model=label(first(response, "model_version", "modelVersion")),
        finish_reasons=tuple(reason for reason in reasons if reason),
        usage=usage,
        output=[_output(candidate) for candidate in candidates] if content else None,
        service_tier=_service_tier(metadata),
    )


def _provider(metadata: object) -> str:
    """Vertex AI states a traffic type, the Gemini API does not."""
    traffic = label(first(metadata, "traffic_type", "trafficType"))
    return attr.GEN_AI_PROVIDER_NAME_GCP_VERTEX_AI if traffic else attr.GEN_AI_PROVIDER_NAME_GCP_GEMINI


def _service_tier(metadata: object) -> str | None:
    """The tier in words; ON_DEMAND_PRIORITY is ``priority``, and plain ON_DEMAND is the default."""
    tier = label(first(metadata, "service_tier", "serviceTier"))
    traffic = label(first(metadata, "traffic_type", "trafficType"))
    if tier is None and traffic is not None and traffic != _TRAFFIC:
        tier = traffic.removeprefix(f"{_TRAFFIC}_").lower()
    return tier


def _output(candidate: object) -> Message:
    message: Message = {"role": "assistant", "parts": to_parts(items(get(candidate, "content", "parts")))}
    reason = label(first(candidate, "finish_reason", "finishReason"))
    return message if reason is None else {**message, "finish_reason": reason}


def read_embeddings(response: object, *, content: bool) -> Reading | None:  # noqa: ARG001 - vectors are no content
    """An embedContent response; None if ``response`` is none."""
    vectors = items(get(response, "embeddings")) or [get(response, "embedding")]
    length = len(items(get(vectors[0], "values")))
    if not length:
        return None
    usage = read_google_tokens(first(response, "usage_metadata", "usageMetadata"))
    if usage is None:
        tokens = total(*(counted(first(vector, "statistics"), "token_count", "tokenCount") for vector in vectors))
        usage = Usage(input_tokens=tokens) if tokens else None
    return Reading(provider=attr.GEN_AI_PROVIDER_NAME_GCP_GEMINI, usage=usage, dimensions=length)


def stream(*, content: bool) -> ChunkStream:
    """A collector for the chunks of one ``generate_content_stream``."""
    return ChunkStream(read, additive=False, content=content)
