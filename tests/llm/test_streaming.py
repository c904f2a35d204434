from __future__ import annotations

import asyncio
import gc
import io
import json
import logging

import anthropic
import httpx2
import openai
import pytest
from opentelemetry import trace
from opentelemetry.trace import StatusCode

import aumos_otel as aumos
from aumos_otel import llm

MESSAGES = [{"role": "user", "content": "hi"}]
MODEL = "claude-opus-4-7"
ANTHROPIC_EVENTS = [
    {
        "type": "message_start",
        "message": {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "model": MODEL,
            "content": [],
            "stop_reason": None,
            "stop_sequence": None,
            "usage": {"input_tokens": 10, "output_tokens": 1},
        },
    },
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hel"}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "lo"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"output_tokens": 7},
    },
    {"type": "message_stop"},
]


class CustomStreamWrapper:
    """Iterated either way, as litellm's."""

    def __init__(self, chunks: list) -> None:
        self.left = chunks
        self.model = "m"

    def __iter__(self):
        return self

    def __aiter__(self):
        return self

    def __next__(self):
        if not self.left:
            raise StopIteration
        return self.left.pop(0)

    async def __anext__(self):
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(0)

    async def aclose(self) -> str:
        """Close."""
        return "closed"


def outcome(span) -> str | None:
    """How a stream ended, if not at its end."""
    return span.attributes.get("aumos.llm.outcome")


@pytest.fixture(autouse=True)
def _no_complaints(caplog: pytest.LogCaptureFixture) -> object:
    """No stream may make OpenTelemetry log anything."""
    with caplog.at_level(logging.DEBUG, "opentelemetry"):
        yield
    assert [record for record in caplog.records if record.name.startswith("opentelemetry")] == []


@pytest.fixture
def serve(chunks):
    """A transport that streams what the path asks for, without a network."""

    def respond(request: httpx2.Request) -> httpx2.Response:
        if "messages" in request.url.path:
            lines = [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in ANTHROPIC_EVENTS]
        else:
            lines = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks()] + ["data: [DONE]\n\n"]
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content="".join(lines).encode())

    return httpx2.MockTransport(respond)


@pytest.fixture
def openai_client(serve):
    """OpenAI's client."""
    return openai.OpenAI(api_key="k", http_client=httpx2.Client(transport=serve))


@pytest.fixture
def anthropic_client(serve):
    """Anthropic's client, whose own telemetry is off."""
    return anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=serve), open_telemetry=False)


class TestGenerators:
    """Streams of decorated generator functions; `tests/test_spans.py` has the rest."""

    @pytest.fixture
    def ask(self, chunks):
        """A decorated generator function."""

        @llm.chat
        def ask():
            yield from chunks()

        return ask

    def test_dropped(self, capture, ask, total) -> None:
        """A dropped stream is abandoned, its usage is missing, the caller's span is left alone."""
        with aumos.span("caller") as caller:
            for _ in ask():
                break
            assert trace.get_current_span() is caller

        span = capture.span("chat")
        assert outcome(span) == "abandoned"
        assert span.status.status_code is StatusCode.UNSET
        assert total(capture, "aumos.llm.usage_missing") == 1

    def test_closed(self, capture, ask) -> None:
        """A closed stream is closed."""
        stream = ask()
        next(stream)
        stream.close()
        stream.close()
        assert outcome(capture.span("chat")) == "closed"

    def test_dropped_after_the_answer(self, capture, ask) -> None:
        """A stream dropped after its finish reason was whole."""
        stream = ask()
        next(stream)
        next(stream)
        del stream
        assert outcome(capture.span("chat")) is None

    def test_dropped_in_a_cycle(self, capture, ask) -> None:
        """The garbage collector ends the call."""
        cycle: list[object] = [ask()]
        next(cycle[0])
        cycle.append(cycle)
        del cycle
        gc.collect()
        assert outcome(capture.span("chat")) == "abandoned"

    async def test_async_dropped_closed_cancelled(self, capture, chunks) -> None:
        """Async streams tell the same three ends."""
        waiting = asyncio.Event()

        @llm.chat
        async def ask(model: str):
            yield chunks()[0]
            waiting.set()
            await asyncio.Event().wait()

        async for _ in ask("dropped"):
            break
        stream = ask("closed")
        await anext(stream)
        await stream.aclose()

        async def consume() -> None:
            async for _ in ask("cancelled"):
                pass

        task = asyncio.create_task(consume())
        await waiting.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        ends = [(span.name, outcome(span)) for span in capture.spans]
        assert ends == [("chat dropped", "abandoned"), ("chat closed", "closed"), ("chat cancelled", "cancelled")]

    def test_error_in_the_middle(self, capture) -> None:
        """An error after some chunks is the call's error."""

        @llm.chat
        def ask():
            yield "Hel"
            raise ConnectionError("lost")

        with pytest.raises(ConnectionError):
            list(ask())
        span = capture.span("chat")
        assert span.attributes["error.type"] == "ConnectionError"
        assert span.attributes["gen_ai.response.time_to_first_chunk"] > 0


class TestReturnedStreams:
    """Iterators that a plain function returns."""

    def test_iterator(self, capture, chunks, tokens) -> None:
        """Any iterator is followed to its end."""

        @llm.chat
        def ask():
            return iter(chunks())

        stream = ask()
        assert capture.spans == []
        assert len(list(stream)) == 3
        assert list(stream) == []
        assert tokens(capture) == (9, 2)

    async def test_async_iterator(self, capture, chunks, tokens) -> None:
        """An async iterator too, returned by an async function."""

        async def work():
            for chunk in chunks():
                yield chunk

        @llm.chat
        async def ask():
            return work()

        assert len([chunk async for chunk in await ask()]) == 3
        assert tokens(capture) == (9, 2)

    def test_object_of_both_kinds(self, capture, chunks, tokens) -> None:
        """An object that is iterated either way, such as litellm's, stays both."""

        @llm.chat
        def ask():
            return CustomStreamWrapper(chunks())

        async def read() -> int:
            return len([chunk async for chunk in ask()])

        async def close() -> str:
            stream = ask()
            next(stream)
            return await stream.aclose()

        assert isinstance(ask(), CustomStreamWrapper)
        assert ask().model == "m"
        assert len(list(ask())) == 3
        assert asyncio.run(read()) == 3
        assert asyncio.run(close()) == "closed"
        assert [outcome(span) for span in capture.spans] == ["abandoned", "abandoned", None, None, "closed"]
        assert tokens(capture) == (18, 4)

    def test_values_that_are_no_streams(self, capture) -> None:
        """Files, lists and mappings come back as they are, and the span has ended."""

        @llm.chat
        def ask(value: object) -> object:
            return value

        for value in (io.StringIO("a"), [1], {"a": 1}, range(3), "text", None):
            assert ask(value) is value
        assert len(capture.spans) == 6


class TestOpenAI:
    """OpenAI's client."""

    def test_stream(self, capture, openai_client, tokens) -> None:
        """A stream is followed; it stays an instance of its class, with its attributes."""

        @llm.chat
        def ask(model: str):
            return openai_client.chat.completions.create(model=model, messages=MESSAGES, stream=True)

        stream = ask("gpt-5-mini")
        assert isinstance(stream, openai.Stream)
        assert stream.response.status_code == 200
        assert capture.spans == []
        assert "".join(chunk.choices[0].delta.content for chunk in stream if chunk.choices) == "Hello"
        attributes = capture.span("chat gpt-5-mini").attributes
        assert attributes["gen_ai.provider.name"] == "openai"
        assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
        assert attributes["gen_ai.response.time_to_first_chunk"] > 0
        assert tokens(capture) == (9, 2)

    def test_block(self, capture, openai_client) -> None:
        """Leaving the stream's own block early closes it."""

        @llm.chat
        def ask():
            return openai_client.chat.completions.create(model="m", messages=MESSAGES, stream=True)

        with ask() as stream:
            next(stream)
        assert outcome(capture.span("chat")) == "closed"

    def test_consumers_error(self, capture, openai_client) -> None:
        """An error of the consumer closes the stream and is no error of the model."""

        @llm.chat
        def ask():
            return openai_client.chat.completions.create(model="m", messages=MESSAGES, stream=True)

        with pytest.raises(ZeroDivisionError), ask():
            raise ZeroDivisionError
        span = capture.span("chat")
        assert outcome(span) == "closed"
        assert span.status.status_code is StatusCode.UNSET

    def test_async_stream(self, capture, serve, tokens) -> None:
        """The async stream is followed, closed and dropped alike."""
        client = openai.AsyncOpenAI(api_key="k", http_client=httpx2.AsyncClient(transport=serve))

        @llm.chat
        async def ask():
            return await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)

        async def main() -> None:
            stream = await ask()
            assert isinstance(stream, openai.AsyncStream)
            assert len([chunk async for chunk in stream]) == 3
            closed = await ask()
            await anext(closed)
            await closed.close()
            async with await ask() as left:
                await anext(left)

        asyncio.run(main())
        assert [outcome(span) for span in capture.spans] == [None, "closed", "closed"]
        assert tokens(capture) == (9, 2)

    @pytest.mark.parametrize("read", [list, lambda stream: stream.get_final_completion(), lambda s: s.until_done()])
    def test_helper(self, capture, openai_client, read, tokens) -> None:
        """The helper's manager and its stream are one call, however it is read."""

        @llm.chat
        def ask():
            return openai_client.chat.completions.stream(model="m", messages=MESSAGES)

        with ask() as stream:
            read(stream)
            assert stream.get_final_completion().usage.completion_tokens == 2
        assert outcome(capture.span("chat")) is None
        assert tokens(capture) == (9, 2)


class TestAnthropic:
    """Anthropic's client."""

    def test_stream(self, capture, anthropic_client, tokens) -> None:
        """A stream of events is followed."""

        @llm.chat
        def ask(model: str):
            return anthropic_client.messages.create(model=model, max_tokens=5, messages=MESSAGES, stream=True)

        assert len(list(ask(MODEL))) == 7
        attributes = capture.span(f"chat {MODEL}").attributes
        assert attributes["gen_ai.provider.name"] == "anthropic"
        assert attributes["gen_ai.response.finish_reasons"] == ("end_turn",)
        assert tokens(capture) == (10, 7)

    @pytest.mark.parametrize(
        "read",
        [
            list,
            lambda stream: "".join(stream.text_stream),
            lambda stream: stream.get_final_text(),
            lambda stream: stream.get_final_message(),
            lambda stream: stream.until_done(),
        ],
    )
    def test_helper(self, capture, anthropic_client, read, tokens) -> None:
        """The helper's manager and its stream are one call, however it is read."""

        @llm.chat
        def ask():
            return anthropic_client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        with ask() as stream:
            assert isinstance(stream, anthropic.MessageStream)
            read(stream)
            assert stream.get_final_message().usage.output_tokens == 7
        assert len(capture.spans) == 1
        assert outcome(capture.span("chat")) is None
        assert tokens(capture) == (10, 7)

    def test_words_are_chunks(self, capture, anthropic_client, total) -> None:
        """Words read from the helper's text stream give the times of the stream."""

        @llm.chat
        def ask():
            return anthropic_client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        with ask() as stream:
            for _ in stream.text_stream:
                assert not llm.current().is_open
        assert total(capture, "gen_ai.client.operation.time_to_first_chunk") == 1
        assert total(capture, "gen_ai.client.operation.time_per_output_chunk") == 1

    def test_helper_left_early(self, capture, anthropic_client, total) -> None:
        """A helper left early is closed; what is known of its usage is told, the rest is missing."""

        @llm.chat
        def ask():
            return anthropic_client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        with ask() as stream:
            next(iter(stream.text_stream))
        attributes = capture.span("chat").attributes
        assert attributes["aumos.llm.outcome"] == "closed"
        assert attributes["gen_ai.usage.input_tokens"] == 10
        assert total(capture, "aumos.llm.usage_missing") == 1

    def test_manager_never_entered(self, capture, anthropic_client) -> None:
        """A manager that nobody entered is abandoned."""

        @llm.chat
        def ask():
            return anthropic_client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        ask()
        assert outcome(capture.span("chat")) == "abandoned"

    def test_stream_outlives_its_manager(self, capture, anthropic_client, tokens) -> None:
        """The call goes on when only the stream is still referred to."""

        @llm.chat
        def ask():
            return anthropic_client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        stream = ask().__enter__()
        gc.collect()
        assert capture.spans == []
        list(stream)
        assert tokens(capture) == (10, 7)

    def test_async_helper(self, capture, serve, tokens) -> None:
        """The async helper is followed alike, with its coroutine methods."""
        client = anthropic.AsyncAnthropic(
            api_key="k", http_client=httpx2.AsyncClient(transport=serve), open_telemetry=False
        )

        @llm.chat
        def ask():
            return client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        async def main() -> None:
            async with ask() as stream:
                assert "".join([words async for words in stream.text_stream]) == "Hello"
            async with ask() as stream:
                assert await stream.get_final_text() == "Hello"

        asyncio.run(main())
        assert [outcome(span) for span in capture.spans] == [None, None]
        assert tokens(capture) == (20, 14)

    def test_native_telemetry_is_not_repeated(self, capture, serve, tokens, total) -> None:
        """With the client's own spans, usage is on those, and the metrics count it once."""
        client = anthropic.Anthropic(api_key="k", http_client=httpx2.Client(transport=serve))

        @llm.chat
        def ask():
            return client.messages.stream(model=MODEL, max_tokens=5, messages=MESSAGES)

        with ask() as stream:
            list(stream)
        native, ours = sorted(capture.spans, key=lambda span: span.name)
        assert native.parent.span_id == ours.context.span_id
        assert native.attributes["gen_ai.usage.input_tokens"] == 10
        assert "gen_ai.usage.input_tokens" not in ours.attributes
        assert ours.attributes["gen_ai.usage.cost"] > 0
        assert tokens(capture) == (10, 7)
        assert total(capture, "gen_ai.client.operation.duration") == 1
