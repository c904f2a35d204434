from __future__ import annotations

import asyncio
import functools
import inspect

import pytest
from opentelemetry import trace

from aumos_otel import llm


def kinds(function: object) -> tuple[bool, ...]:
    """What `inspect` says of a function's kind."""
    return (
        inspect.iscoroutinefunction(function),
        inspect.isgeneratorfunction(function),
        inspect.isasyncgenfunction(function),
    )


@pytest.mark.parametrize(
    ("decorator", "name"),
    [
        (llm.chat, "chat"),
        (llm.chat(), "chat"),
        (llm.chat(provider="openai", model="m"), "chat m"),
        (llm.text_completion, "text_completion"),
        (llm.text_completion(model="m"), "text_completion m"),
        (llm.embeddings, "embeddings"),
        (llm.embeddings(model="m"), "embeddings m"),
        (llm.retrieval, "retrieval work"),
        (llm.retrieval("kb"), "retrieval kb"),
        (llm.tool, "execute_tool work"),
        (llm.tool("weather", type="datastore"), "execute_tool weather"),
        (llm.agent, "invoke_agent work"),
        (llm.agent("planner", model="m"), "invoke_agent planner"),
        (llm.workflow, "invoke_workflow work"),
        (llm.workflow("triage"), "invoke_workflow triage"),
    ],
)
class TestEachDecorator:
    """Every decorator, bare and with arguments, on every kind of function."""

    def test_plain(self, capture, decorator, name) -> None:
        """A plain function."""

        @decorator
        def work(value: int) -> int:
            """Work."""
            assert llm.current().span is trace.get_current_span()
            return value

        assert work(3) == 3
        assert (work.__name__, work.__doc__, kinds(work)) == ("work", "Work.", (False, False, False))
        assert capture.span(name)

    async def test_async(self, capture, decorator, name) -> None:
        """An async function."""

        @decorator
        async def work(value: int) -> int:
            await asyncio.sleep(0)
            assert llm.current().is_open
            return value

        assert await work(3) == 3
        assert kinds(work) == (True, False, False)
        assert capture.span(name)

    def test_generator(self, capture, decorator, name) -> None:
        """A generator function."""

        @decorator
        def work(value: int):
            assert llm.current().is_open
            yield value
            return value

        assert list(work(3)) == [3]
        assert kinds(work) == (False, True, False)
        assert capture.span(name)
        assert not llm.current().is_open

    async def test_async_generator(self, capture, decorator, name) -> None:
        """An async generator function."""

        @decorator
        async def work(value: int):
            assert llm.current().is_open
            yield value

        assert [item async for item in work(3)] == [3]
        assert kinds(work) == (False, False, True)
        assert capture.span(name)


class TestWhatIsRead:
    """Requests and responses of decorated functions."""

    def test_response(self, capture, answer, tokens) -> None:
        """Usage, model, id and finish reasons are read from the result, which comes back as it is."""
        response = answer()

        @llm.chat
        def ask(question: str) -> dict:
            return response

        assert ask("?") is response
        attributes = capture.span("chat").attributes
        assert attributes["gen_ai.response.id"] == response["id"]
        assert attributes["gen_ai.usage.input_tokens"] == 9
        assert tokens(capture) == (9, 2)

    def test_yielded_chunks(self, capture, chunks, tokens) -> None:
        """The chunks that a generator passes on are read."""

        @llm.chat(model="gpt-5-mini")
        def ask():
            yield from chunks()

        list(ask())
        attributes = capture.span("chat gpt-5-mini").attributes
        assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
        assert attributes["gen_ai.request.stream"] is True
        assert tokens(capture) == (9, 2)

    def test_returned_by_a_generator(self, capture, answer, tokens) -> None:
        """A generator of words may return the response."""

        @llm.chat
        def ask():
            yield "Hel"
            yield "lo"
            return answer()

        assert list(ask()) == ["Hel", "lo"]
        assert tokens(capture) == (9, 2)

    def test_recorded_outdoes_returned(self, capture, answer, tokens) -> None:
        """What was recorded inside counts, what is returned does not count again."""

        @llm.chat
        def ask() -> dict:
            llm.current().record(answer(prompt=1, completion=1))
            return answer()

        ask()
        assert tokens(capture) == (1, 1)

    def test_recorded_in_a_helper(self, capture, answer, tokens) -> None:
        """A function that returns something else hands the response over, from however deep."""

        def helper() -> str:
            llm.current().record(answer())
            return "Hello"

        @llm.chat
        async def ask() -> str:
            return await asyncio.to_thread(helper)

        assert asyncio.run(ask()) == "Hello"
        assert tokens(capture) == (9, 2)

    def test_chunks_by_hand_are_not_counted_twice(self, capture, chunks, tokens, total) -> None:
        """When chunks are recorded by hand, the words that are yielded are no chunks."""

        @llm.chat
        def ask():
            for chunk in chunks():
                llm.current().record_chunk(chunk)
                yield chunk["choices"][0]["delta"]["content"] if chunk["choices"] else ""

        assert "".join(ask()) == "Hello"
        assert tokens(capture) == (9, 2)
        assert total(capture, "gen_ai.client.operation.time_per_output_chunk") == 2

    @pytest.mark.parametrize(
        ("args", "kwargs"), [(("?", "m"), {}), (("?",), {"model": "m"}), ((), {"model": "m", "question": "?"})]
    )
    def test_model_from_the_arguments(self, capture, args, kwargs) -> None:
        """The model may be a positional or a keyword argument."""

        @llm.chat(model="other")
        def ask(question: str, model: str = "default", temperature: float = 0.5, **more: object) -> None:
            """Ask."""

        ask(*args, **kwargs)
        attributes = capture.span("chat m").attributes
        assert attributes["gen_ai.request.model"] == "m"
        assert attributes["gen_ai.request.temperature"] == 0.5

    def test_defaults_and_keyword_only(self, capture) -> None:
        """Defaults count, keyword-only ones too."""

        @llm.chat
        def ask(question: str, *, model: str = "default", max_tokens: int = 7) -> None:
            """Ask."""

        ask("?")
        assert capture.span("chat default").attributes["gen_ai.request.max_tokens"] == 7

    def test_methods(self, capture) -> None:
        """`self` and `cls` do not shift the arguments, whatever kind of method it is."""

        class Bot:
            @llm.chat
            def plain(self, question: str, model: str) -> None:
                """Ask."""

            @llm.chat
            async def coroutine(self, question: str, model: str) -> None:
                """Ask."""

            @llm.chat
            def generator(self, question: str, model: str):
                yield 1

            @llm.chat
            @classmethod
            def of_class(cls, question: str, model: str) -> None:
                """Ask."""

            @staticmethod
            @llm.chat
            def static(question: str, model: str) -> None:
                """Ask."""

        bot = Bot()
        bot.plain("?", "m1")
        asyncio.run(bot.coroutine("?", "m2"))
        list(bot.generator("?", "m3"))
        Bot.of_class("?", "m4")
        bot.static("?", "m5")
        assert [span.name for span in capture.spans] == [f"chat m{number}" for number in range(1, 6)]

    def test_partial(self, capture) -> None:
        """The arguments of a partial are those that are left."""

        def ask(question: str, model: str) -> None:
            """Ask."""

        llm.chat(functools.partial(ask, "?"))("m")
        assert capture.span("chat m")

    def test_wrong_arguments_are_the_functions_business(self, capture) -> None:
        """A call with wrong arguments raises Python's own error."""

        @llm.chat
        def ask(question: str) -> None:
            """Ask."""

        with pytest.raises(TypeError, match="missing 1 required positional argument"):
            ask()
        with pytest.raises(TypeError, match="takes 1 positional argument but 3 were given"):
            ask(1, 2, 3)

    def test_builtin(self, capture) -> None:
        """A function without a signature works too."""
        assert llm.tool("largest")(max)(1, 2) == 2
        assert capture.span("execute_tool largest")

    def test_concurrent_calls(self, capture, answer, tokens) -> None:
        """Calls that run at the same time keep to themselves."""

        @llm.chat
        async def ask(model: str) -> dict:
            await asyncio.sleep(0)
            response = answer(prompt=int(model), completion=0)
            llm.current().set_attribute("app.model", model)
            return response

        async def main() -> None:
            await asyncio.gather(*(ask(model=str(number)) for number in range(1, 6)))

        asyncio.run(main())
        for span in capture.spans:
            assert span.attributes["app.model"] == span.attributes["gen_ai.request.model"]
            assert span.attributes["gen_ai.usage.input_tokens"] == int(span.attributes["app.model"])
        assert tokens(capture) == (15, 0)

    def test_error_before_the_answer(self, capture, total) -> None:
        """The user's exception passes, the span has its type, no usage is missed."""

        class OverloadedError(Exception):
            """The model is overloaded."""

        @llm.chat
        def ask() -> None:
            raise OverloadedError

        with pytest.raises(OverloadedError):
            ask()
        assert capture.span("chat").attributes["error.type"].endswith("OverloadedError")
        assert total(capture, "aumos.llm.usage_missing") == 0


class TestUnconfigured:
    """Without an SDK."""

    def test_nothing_happens(self, answer) -> None:
        """Functions of every kind just run."""

        @llm.chat
        def ask() -> str:
            llm.current().record(answer())
            return "Hello"

        @llm.chat
        def stream():
            yield 1

        @llm.chat
        async def later() -> int:
            return 2

        assert ask() == "Hello"
        assert list(stream()) == [1]
        assert asyncio.run(later()) == 2

    def test_metrics_without_traces(self, answer) -> None:
        """With a meter provider alone the metrics are recorded."""
        from opentelemetry import metrics
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader

        reader = InMemoryMetricReader()
        metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))

        @llm.chat
        def ask() -> dict:
            return answer()

        ask()
        (resource,) = reader.get_metrics_data().resource_metrics
        names = [metric.name for scope in resource.scope_metrics for metric in scope.metrics]
        assert "gen_ai.client.token.usage" in names

    def test_metrics_of_unsampled_calls(self, configured, answer, tokens) -> None:
        """Sampling drops spans, never metrics."""
        from aumos_otel import SamplingOptions

        capture = configured(sampling=SamplingOptions(ratio=0.0))

        @llm.chat
        def ask() -> dict:
            return answer()

        ask()
        assert capture.spans == []
        assert tokens(capture) == (9, 2)
