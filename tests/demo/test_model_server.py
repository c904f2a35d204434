"""The demo's model server, asked through the real openai client."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import openai
import pytest

from aumos_otel.demo.model import MODELS, take_turn, tokens
from aumos_otel.demo.model_server import BROKEN_STREAM, RATE_LIMIT, SERVER_ERROR, SLOW_START, ModelServer, Reported

ASKED = [{"role": "user", "content": "Which drill bit?"}]
CHAT = {"model": "gpt-5-mini", "messages": ASKED}
WITH_USAGE = {"stream": True, "stream_options": {"include_usage": True}}


@pytest.fixture
def server() -> Any:
    """A running server."""
    with ModelServer(slow_start=0.05) as running:
        yield running


@pytest.fixture
def client(server) -> Any:
    """A client of it."""
    with openai.OpenAI(base_url=server.base_url, api_key="none", max_retries=0) as connected:
        yield connected


def test_the_same_question_has_the_same_answer_and_counts() -> None:
    """Answers and counts follow from the text alone."""
    one, other = (
        take_turn([("user", "Which drill bit?")], model="gpt-5-mini", limit=None, tool=None, as_json=False)
        for _ in range(2)
    )
    assert one == other
    assert one.input_tokens == len(tokens("Which drill bit?")) + 4
    assert one.output_tokens == one.reasoning_tokens + len(tokens(one.text))
    assert "".join(tokens(one.text)) == one.text


def test_the_ledger_is_what_clients_were_told(server, client) -> None:
    """Whole answers, streams with usage, responses and embeddings add up in the ledger."""
    usages = [client.chat.completions.create(**CHAT).usage]
    usages += [chunk.usage for chunk in client.chat.completions.create(**CHAT, **WITH_USAGE) if chunk.usage]
    response = client.responses.create(model="gpt-5-mini", input="Which drill bit?").usage
    embedded = client.embeddings.create(model="text-embedding-3-small", input=["one two"]).usage
    told = server.reported
    assert told.input_tokens == sum(u.prompt_tokens for u in [*usages, embedded]) + response.input_tokens
    assert told.output_tokens == sum(u.completion_tokens for u in usages) + response.output_tokens
    assert (told.calls, told.requests, told.failures) == (4, 4, 0)


def test_a_stream_that_asks_for_no_usage_is_told_none(server, client) -> None:
    """As with the provider, the usage of a stream has to be asked for."""
    chunks = list(client.chat.completions.create(**CHAT, stream=True))
    assert all(chunk.usage is None for chunk in chunks)
    assert server.reported == Reported(requests=1)


def test_stream_and_whole_answer_are_the_same(client) -> None:
    """Both ways give the same text, in both APIs."""
    whole = client.chat.completions.create(**CHAT).choices[0].message.content
    pieces = [chunk.choices[0].delta.content for chunk in client.chat.completions.create(**CHAT, stream=True)]
    events = client.responses.create(model="gpt-5-mini", input="Which drill bit?", stream=True)
    typed = [event.delta for event in events if event.type == "response.output_text.delta"]
    assert "".join(piece or "" for piece in pieces) == "".join(typed) == whole


@pytest.mark.parametrize("by", ["script", "prompt"])
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("fault", "error"),
    [
        (RATE_LIMIT, openai.RateLimitError),
        (SERVER_ERROR, openai.InternalServerError),
        (BROKEN_STREAM, (httpx.RemoteProtocolError, openai.APIConnectionError)),
    ],
)
def test_faults_come_by_script_and_by_prompt(server, client, fault, error, stream, by) -> None:  # noqa: PLR0917 - fixtures and a cross product
    """A fault is answered once when it is scripted, and each time when the prompt asks for it; nobody is told tokens."""
    if by == "script":
        server.fail_next(fault)
    asked = ASKED if by == "script" else [{"role": "user", "content": f"Which drill bit? [[{fault}]]"}]
    with pytest.raises(error):
        for _ in client.chat.completions.create(model="gpt-5-mini", messages=asked, **(WITH_USAGE if stream else {})):
            pass
    assert server.reported == Reported(requests=1, failures=1)
    assert client.chat.completions.create(**CHAT).usage is not None


def test_a_broken_stream_begins_well(server, client) -> None:
    """Some of the answer arrives before the break."""
    server.fail_next(BROKEN_STREAM)
    arrived = []
    chunks = client.chat.completions.create(**CHAT, **WITH_USAGE)
    with pytest.raises(httpx.RemoteProtocolError):
        arrived.extend(chunk.choices[0].delta.content for chunk in chunks)
    assert len("".join(arrived)) > 3


def test_a_slow_start_is_slow_and_no_failure(server, client) -> None:
    """The first chunk comes late, the answer is whole."""
    server.fail_next(SLOW_START)
    before = time.monotonic()
    assert client.chat.completions.create(**CHAT).choices[0].finish_reason == "stop"
    assert time.monotonic() - before >= 0.05
    assert server.reported.failures == 0


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_embeddings_have_the_length_that_was_asked_for(client, encoding) -> None:
    """Both encodings carry the same vector."""
    asked = {"model": "text-embedding-3-small", "input": "one", "dimensions": 6}
    vector = client.embeddings.create(**asked, encoding_format=encoding).data[0].embedding
    plain = client.embeddings.create(**asked).data[0].embedding
    assert len(plain) == 6
    if encoding == "float":
        assert vector == pytest.approx(plain)


def test_models_are_found_by_name(client) -> None:
    """A known model is described, another is not there."""
    assert client.models.retrieve("gpt-5-mini").id in MODELS
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-none")


def test_calls_at_the_same_time_are_all_counted(server, client) -> None:
    """The ledger loses nothing under concurrency."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: client.chat.completions.create(**CHAT), range(40)))
    assert server.reported.calls == len(answers) == 40
    assert server.reported.output_tokens == sum(answer.usage.completion_tokens for answer in answers)
    assert len({answer.id for answer in answers}) == 40
