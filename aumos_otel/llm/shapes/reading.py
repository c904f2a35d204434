"""What one response says: the two records that every shape is read into."""

from __future__ import annotations

from dataclasses import dataclass, fields


@dataclass(slots=True)  # a frozen one takes five times as long to make
class Usage:
    """Token counts of one call; None means that the provider did not say.

    The sums follow the semantic conventions, whatever the provider's own habit: the input
    includes what was read from and written to a cache, the output includes reasoning.

    Attributes:
        input_tokens: all input tokens.
        output_tokens: all output tokens.
        cache_read_tokens: the part of the input that was served from a cache.
        cache_write_tokens: the part of the input that was stored in a cache.
        reasoning_tokens: the part of the output that was spent on reasoning.
        cache_write_1h_tokens: the part of `cache_write_tokens` kept for an hour, which costs more.
        audio_tokens: audio among the input and output, which has prices of its own.

    >>> from aumos_otel.llm.usage import Usage
    >>> Usage(input_tokens=142, output_tokens=67, cache_read_tokens=96).input_tokens
    142
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_1h_tokens: int | None = None
    audio_tokens: int | None = None

    def plus(self, other: Usage) -> Usage:
        """The sum of both; a count that neither states stays None."""
        pairs = {field.name: (getattr(self, field.name), getattr(other, field.name)) for field in fields(Usage)}
        return Usage(**{name: a if b is None else b + (a or 0) for name, (a, b) in pairs.items()})


@dataclass(slots=True)
class Reading:
    """What one response says about itself; None (or an empty tuple) where it does not.

    Attributes:
        provider: ``gen_ai.provider.name`` as far as the shape tells it.
        response_id: the provider's id of the response.
        model: the model that answered.
        finish_reasons: one a choice, in the provider's own words.
        usage: the token counts.
        output: the messages in the ``gen_ai.output.messages`` format, unrendered.
        service_tier: the processing tier that served the call, which may change its price.
        system_fingerprint: OpenAI's fingerprint of the backend.
        api_type: which of OpenAI's APIs answered, ``chat_completions`` or ``responses``.
        dimensions: the length of an embedding vector.
    """

    provider: str | None = None
    response_id: str | None = None
    model: str | None = None
    finish_reasons: tuple[str, ...] = ()
    usage: Usage | None = None
    output: list[dict[str, object]] | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    api_type: str | None = None
    dimensions: int | None = None
