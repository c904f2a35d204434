"""Provider names: what libraries say, and the names of the semantic conventions."""

from __future__ import annotations

from aumos_otel.semconv import attributes as attr

from .fields import count, get, items, label

#: litellm's ``custom_llm_provider``, its model prefixes and the deprecated values of ``gen_ai.system``.
_SYNONYMS = {
    "azure": attr.GEN_AI_PROVIDER_NAME_AZURE_AI_OPENAI,
    "az.ai.openai": attr.GEN_AI_PROVIDER_NAME_AZURE_AI_OPENAI,
    "azure_ai": attr.GEN_AI_PROVIDER_NAME_AZURE_AI_INFERENCE,
    "az.ai.inference": attr.GEN_AI_PROVIDER_NAME_AZURE_AI_INFERENCE,
    "bedrock": attr.GEN_AI_PROVIDER_NAME_AWS_BEDROCK,
    "bedrock_converse": attr.GEN_AI_PROVIDER_NAME_AWS_BEDROCK,
    "cohere_chat": attr.GEN_AI_PROVIDER_NAME_COHERE,
    "gemini": attr.GEN_AI_PROVIDER_NAME_GCP_GEMINI,
    "google": attr.GEN_AI_PROVIDER_NAME_GCP_GEMINI,
    "google_genai": attr.GEN_AI_PROVIDER_NAME_GCP_GEMINI,
    "mistral": attr.GEN_AI_PROVIDER_NAME_MISTRAL_AI,
    "moonshot": attr.GEN_AI_PROVIDER_NAME_MOONSHOT_AI,
    "text-completion-openai": attr.GEN_AI_PROVIDER_NAME_OPENAI,
    "vertex_ai": attr.GEN_AI_PROVIDER_NAME_GCP_VERTEX_AI,
    "vertex_ai_beta": attr.GEN_AI_PROVIDER_NAME_GCP_VERTEX_AI,
    "watsonx": attr.GEN_AI_PROVIDER_NAME_IBM_WATSONX_AI,
    "xai": attr.GEN_AI_PROVIDER_NAME_X_AI,
}


def provider_name(name: str) -> str:
    """The ``gen_ai.provider.name`` for a name that a library uses; unknown names pass through.

    >>> from aumos_otel.llm.shapes.providers import provider_name
    >>> provider_name("bedrock"), provider_name("openai")
    ('aws.bedrock', 'openai')
    """
    return _SYNONYMS.get(name.lower(), name)


def provider_of(response: object) -> str:
    """Who answered in OpenAI's protocol, as far as the response tells; else the owner of the protocol."""
    named = label(get(response, "_hidden_params", "custom_llm_provider"))
    if named is not None:
        return provider_name(named)
    if items(get(response, "prompt_filter_results")):
        return attr.GEN_AI_PROVIDER_NAME_AZURE_AI_OPENAI
    if label(get(response, "x_groq", "id")) is not None:
        return attr.GEN_AI_PROVIDER_NAME_GROQ
    if count(get(response, "usage", "prompt_cache_hit_tokens")) is not None:
        return attr.GEN_AI_PROVIDER_NAME_DEEPSEEK
    return attr.GEN_AI_PROVIDER_NAME_OPENAI
