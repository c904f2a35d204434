"""Token counts in each provider's vocabulary, brought to the sums of the semantic conventions.

Two habits differ.  OpenAI, Google and LangChain count cached tokens within the input;
Anthropic and Bedrock count them beside it.  OpenAI, Anthropic and LangChain count reasoning
within the output; Google and xAI count it beside it.
"""

from __future__ import annotations

from .fields import counted, first, get, items, text, total
from .reading import Usage


def read_tokens(usage: object) -> Usage | None:
    """The counts in a ``usage`` object of OpenAI, Anthropic, LangChain or one that imitates them.

    None when neither input nor output is a count, and when all are 0: some gateways and
    client libraries fill an absent usage with zeros.
    """
    prompt = counted(usage, "prompt_tokens")
    found = _input_tokens_vocabulary(usage) if prompt is None else _prompt_tokens_vocabulary(usage, prompt)
    return found if found.input_tokens or found.output_tokens else None


def _prompt_tokens_vocabulary(usage: object, prompt: int) -> Usage:
    """OpenAI's chat completions, and everything that speaks their protocol."""
    inputs, outputs = get(usage, "prompt_tokens_details"), get(usage, "completion_tokens_details")
    output, reasoning = counted(usage, "completion_tokens"), counted(outputs, "reasoning_tokens")
    if output is not None and reasoning and counted(usage, "total_tokens") == prompt + output + reasoning:
        output += reasoning  # xAI counts reasoning beside the completion; its total tells
    cache_read, cache_write = counted(inputs, "cached_tokens"), counted(inputs, "cache_write_tokens")
    if cache_read is None:  # DeepSeek's name, and litellm's for Anthropic models
        cache_read = counted(usage, "prompt_cache_hit_tokens", "cache_read_input_tokens")
    if cache_write is None:
        cache_write = counted(usage, "cache_creation_input_tokens")
    return Usage(
        input_tokens=prompt,
        output_tokens=output,
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        reasoning_tokens=reasoning,
        cache_write_1h_tokens=counted(get(inputs, "cache_creation_token_details"), "ephemeral_1h_input_tokens"),
        audio_tokens=total(counted(inputs, "audio_tokens"), counted(outputs, "audio_tokens")),
    )


def _input_tokens_vocabulary(usage: object) -> Usage:
    """OpenAI's responses, Anthropic (told by its cache counters, which are beside the input) and LangChain."""
    inputs = first(usage, "input_tokens_details", "input_token_details")
    outputs = first(usage, "output_tokens_details", "output_token_details")
    beside = total(counted(usage, "cache_read_input_tokens"), counted(usage, "cache_creation_input_tokens"))
    given = counted(usage, "input_tokens")
    cache_read, cache_write = counted(usage, "cache_read_input_tokens"), counted(usage, "cache_creation_input_tokens")
    if beside is None:
        cache_read = counted(inputs, "cached_tokens", "cache_read")
        cache_write = counted(inputs, "cache_write_tokens", "cache_creation")
    return Usage(
        input_tokens=None if given is None else given + (beside or 0),
        output_tokens=counted(usage, "output_tokens"),
        cache_read_tokens=cache_read,
        cache_write_tokens=cache_write,
        reasoning_tokens=counted(outputs, "reasoning_tokens", "thinking_tokens", "reasoning"),
        cache_write_1h_tokens=counted(get(usage, "cache_creation"), "ephemeral_1h_input_tokens"),
        audio_tokens=total(counted(inputs, "audio_tokens", "audio"), counted(outputs, "audio_tokens", "audio")),
    )


def read_google_tokens(metadata: object) -> Usage | None:
    """The counts in Google's ``usage_metadata`` (or ``usageMetadata``); None if there are none."""
    prompt = counted(metadata, "prompt_token_count", "promptTokenCount")
    tools = counted(metadata, "tool_use_prompt_token_count", "toolUsePromptTokenCount")
    answer = counted(metadata, "candidates_token_count", "candidatesTokenCount")
    thoughts = counted(metadata, "thoughts_token_count", "thoughtsTokenCount")
    inputs, outputs = None if prompt is None else prompt + (tools or 0), total(answer, thoughts)
    if outputs is None and inputs and counted(metadata, "total_token_count", "totalTokenCount") == inputs:
        outputs = 0  # the wire format leaves out a 0; the total tells
    if not inputs and not outputs:
        return None
    return Usage(
        input_tokens=inputs,
        output_tokens=outputs,
        cache_read_tokens=counted(metadata, "cached_content_token_count", "cachedContentTokenCount"),
        reasoning_tokens=thoughts,
        audio_tokens=_google_audio(metadata),
    )


def _google_audio(metadata: object) -> int | None:
    names = ("prompt_tokens_details", "promptTokensDetails", "candidates_tokens_details", "candidatesTokensDetails")
    return total(
        *(
            counted(detail, "token_count", "tokenCount")
            for name in names
            for detail in items(get(metadata, name))
            if text(get(detail, "modality")) == "AUDIO"
        )
    )


def read_bedrock_tokens(usage: object) -> Usage | None:
    """The counts in the ``usage`` of Bedrock's Converse API; None if there are none."""
    given, output = counted(usage, "inputTokens"), counted(usage, "outputTokens")
    if not given and not output:
        return None
    read, write = counted(usage, "cacheReadInputTokens"), counted(usage, "cacheWriteInputTokens")
    kept = (item for item in items(get(usage, "cacheDetails")) if text(get(item, "ttl")) == "1h")
    return Usage(
        input_tokens=None if given is None else given + (read or 0) + (write or 0),
        output_tokens=output,
        cache_read_tokens=read,
        cache_write_tokens=write,
        cache_write_1h_tokens=total(*(counted(item, "inputTokens") for item in kept)),
    )
