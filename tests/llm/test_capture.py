from __future__ import annotations

import asyncio

import pytest

from aumos_otel import LLMOptions, llm

MESSAGES = [{"role": "user", "content": "hi"}]


class TestPolicy:
    """Prompts and answers under the content policy."""

    def test_none_by_default(self, capture, answer) -> None:
        """By default nothing that was said is captured anywhere."""
        with llm.span("chat", model="m") as call:
            call.set_input(MESSAGES)
            call.set_output("secret answer")
            call.record(answer())

        assert not [name for name in capture.span("chat m").attributes if "messages" in name]
        assert capture.logs == []

    def test_full_on_the_span(self, configured, answer) -> None:
        """`full` puts messages on the span, in the format of the conventions."""
        capture = configured(llm=LLMOptions(content="full"))
        with llm.span("chat", model="m") as call:
            call.set_input(MESSAGES)
            call.record(answer())

        attributes = capture.span("chat m").attributes
        assert attributes["aumos.llm.content.policy"] == "full"
        assert attributes["gen_ai.input.messages"] == '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
        assert '"content":"Hello"' in attributes["gen_ai.output.messages"]
        assert capture.logs == []

    def test_event_only(self, configured, answer) -> None:
        """`event` puts messages, with structure, into an event of the span, and none on the span."""
        capture = configured(llm=LLMOptions(content="full", capture="event"))
        with llm.span("chat", model="m") as call:
            call.set_input(MESSAGES)
            call.record(answer(id="c-1"))

        span = capture.span("chat m")
        (record,) = [log.log_record for log in capture.logs]
        assert "gen_ai.input.messages" not in span.attributes
        assert record.event_name == "gen_ai.client.inference.operation.details"
        assert record.span_id == span.context.span_id
        assert record.severity_number.name == "DEBUG"
        assert record.attributes["gen_ai.response.id"] == "c-1"
        assert record.attributes["gen_ai.usage.input_tokens"] == 9
        (message,) = record.attributes["gen_ai.input.messages"]
        assert message["role"] == "user"
        assert message["parts"][0]["content"] == "hi"

    def test_both(self, configured) -> None:
        """`both` does both."""
        capture = configured(llm=LLMOptions(content="full", capture="both"))
        with llm.span("chat", model="m") as call:
            call.set_output("Hello")

        assert "gen_ai.output.messages" in capture.span("chat m").attributes
        assert len(capture.logs) == 1

    def test_hash(self, configured) -> None:
        """`hash` leaves fingerprints."""
        capture = configured(llm=LLMOptions(content="hash"))
        with llm.span("chat", model="m") as call:
            call.set_input("the secret")

        captured = capture.span("chat m").attributes["gen_ai.input.messages"]
        assert "secret" not in captured
        assert "sha256:" in captured

    def test_later_changes_are_not_seen(self, configured) -> None:
        """What the caller does with the messages afterwards is not captured."""
        capture = configured(llm=LLMOptions(content="full"))
        messages = [{"role": "user", "content": "before"}]
        with llm.span("chat", model="m") as call:
            call.set_input(messages)
            messages[0]["content"] = "after"

        assert "before" in capture.span("chat m").attributes["gen_ai.input.messages"]


class TestDecoratedFunctions:
    """Prompts, answers, arguments and results of decorated functions."""

    @pytest.fixture
    def full(self, configured):
        """Telemetry with full content."""
        return configured(llm=LLMOptions(content="full"))

    def test_question_and_words(self, full) -> None:
        """A prompt that is a str, and an answer that is one, become messages."""

        @llm.chat
        def ask(question: str, model: str = "m") -> str:
            return "Hello"

        ask("hi")
        attributes = full.span("chat m").attributes
        assert attributes["gen_ai.input.messages"] == '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]'
        assert '"content":"Hello"' in attributes["gen_ai.output.messages"]

    def test_streamed_words(self, full) -> None:
        """The words that a generator yields become one answer."""

        @llm.chat
        async def ask(question: str):
            yield "Hel"
            yield "lo"

        async def main() -> None:
            async for _ in ask("hi"):
                pass

        asyncio.run(main())
        assert '"content":"Hello"' in full.span("chat").attributes["gen_ai.output.messages"]

    def test_client_arguments(self, full) -> None:
        """Messages, instructions and tools are taken from arguments of those names."""

        @llm.chat
        def ask(messages: list, system: str, tools: list) -> None:
            """Ask."""

        ask([{"role": "user", "content": "hi"}], system="be kind", tools=[{"name": "t", "input_schema": {}}])
        attributes = full.span("chat").attributes
        assert "hi" in attributes["gen_ai.input.messages"]
        assert "be kind" in attributes["gen_ai.system_instructions"]
        assert '"name":"t"' in attributes["gen_ai.tool.definitions"]

    def test_tool(self, full) -> None:
        """A tool's arguments and result are captured as they are."""

        @llm.tool
        def weather(city: str, days: int = 1) -> dict:
            return {"sky": "rain"}

        weather("Bern")
        attributes = full.span("execute_tool weather").attributes
        assert attributes["gen_ai.tool.call.arguments"] == '{"city":"Bern","days":1}'
        assert attributes["gen_ai.tool.call.result"] == '{"sky":"rain"}'

    def test_retrieval(self, full) -> None:
        """A retrieval's query and documents are captured."""

        @llm.retrieval("kb")
        def search(query: str) -> list[str]:
            return ["a page"]

        search("how")
        attributes = full.span("retrieval kb").attributes
        assert attributes["gen_ai.retrieval.query.text"] == "how"
        assert attributes["gen_ai.retrieval.documents"] == '["a page"]'

    def test_agent(self, full) -> None:
        """An agent's task and answer are messages."""

        @llm.agent("planner")
        def plan(goal: str) -> str:
            return "step 1"

        plan("win")
        attributes = full.span("invoke_agent planner").attributes
        assert "win" in attributes["gen_ai.input.messages"]
        assert "step 1" in attributes["gen_ai.output.messages"]

    def test_hash_hides_everything(self, configured) -> None:
        """Under `hash` no argument of a tool shows, not even one called name or modality."""
        capture = configured(llm=LLMOptions(content="hash"))

        @llm.tool
        def pay(name: str, modality: str) -> dict:
            return {"name": name, "type": "secret-type"}

        pay("secret-name", "secret-id")
        attributes = capture.span("execute_tool pay").attributes
        assert "sha256:" in attributes["gen_ai.tool.call.arguments"]
        assert not [value for value in attributes.values() if "secret" in str(value)]

    def test_embeddings_have_none(self, full) -> None:
        """The texts of embeddings are not captured."""

        @llm.embeddings
        def embed(texts: list[str]) -> list[list[float]]:
            return [[0.0]]

        embed(["hi"])
        assert not [name for name in full.span("embeddings").attributes if "messages" in name]
