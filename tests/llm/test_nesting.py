from __future__ import annotations

import pytest
from opentelemetry import trace

import aumos_otel as aumos
from aumos_otel import llm
from aumos_otel.llm import metrics, nesting

#: What a client's own telemetry, or an instrumentor, says of a call.
USAGE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "anthropic",
    "gen_ai.response.model": "claude-sonnet-4-5",
    "gen_ai.response.id": "msg_1",
    "gen_ai.usage.input_tokens": 10,
    "gen_ai.usage.output_tokens": 7,
}


class TestCountedOnce:
    """One call that is seen more than once."""

    def test_own_calls(self, capture, answer, tokens, total) -> None:
        """Of two calls of ours, one inside the other, the inner one counts."""
        response = answer()
        with llm.span("chat", model="gpt-5-mini") as outer:
            with aumos.span("client"), llm.span("chat", model="gpt-5-mini") as inner:
                inner.record(response)
            outer.record(response)

        inner_span, outer_span = capture.spans[0], capture.spans[2]
        assert inner_span.attributes["gen_ai.usage.input_tokens"] == 9
        assert "gen_ai.usage.input_tokens" not in outer_span.attributes
        assert "gen_ai.usage.cost" not in outer_span.attributes
        assert outer_span.attributes["gen_ai.response.id"] == response["id"]
        assert tokens(capture) == (9, 2)
        assert total(capture, "aumos.llm.cost") == pytest.approx(inner_span.attributes["gen_ai.usage.cost"])
        assert total(capture, "gen_ai.client.operation.duration") == 1
        assert metrics.totals().calls == 1

    def test_three_deep(self, capture, answer, tokens) -> None:
        """A chain of three counts once."""
        with llm.span("chat") as first, llm.span("chat") as second, llm.span("chat") as third:
            third.record(answer())
            second.set_usage(input_tokens=9, output_tokens=2)
            first.set_usage(input_tokens=9, output_tokens=2)

        assert tokens(capture) == (9, 2)

    def test_inner_without_usage(self, capture, answer, tokens, total) -> None:
        """When the inner call does not know its usage, the outer one tells it."""
        with llm.span("chat") as outer:
            with llm.span("chat"):
                pass
            outer.record(answer())

        assert tokens(capture) == (9, 2)
        assert total(capture, "aumos.llm.usage_missing") == 0

    def test_nobody_knows(self, capture, total) -> None:
        """When none of them knows it, one call is missed, not two."""
        with llm.span("chat"), llm.span("chat"):
            pass

        assert total(capture, "aumos.llm.usage_missing") == 1

    def test_one_of_two_inner_calls(self, capture, answer, total, tokens) -> None:
        """A missed call beside a counted one stays missed."""
        with llm.span("chat"):
            with llm.span("chat"):
                pass
            with llm.span("chat") as second:
                second.record(answer())

        assert total(capture, "aumos.llm.usage_missing") == 1
        assert tokens(capture) == (9, 2)

    def test_failed_attempt(self, capture, answer, tokens, total) -> None:
        """A retry after a failed inner call is counted, and nothing is missed."""
        with llm.span("chat") as outer:
            with pytest.raises(TimeoutError), llm.span("chat"):
                raise TimeoutError
            outer.record(answer())

        assert tokens(capture) == (9, 2)
        assert total(capture, "aumos.llm.usage_missing") == 0

    def test_different_calls_are_different(self, capture, answer, tokens) -> None:
        """Embeddings, and chats of a tool, are calls of their own."""
        with llm.span("chat") as chat:
            with llm.span("embeddings") as embeddings:
                embeddings.set_usage(input_tokens=5)
            with llm.span("tool", name="t"), llm.span("chat") as nested:
                nested.record(answer(prompt=100, completion=10))
            chat.record(answer())

        assert tokens(capture) == (114, 12)

    def test_agents_have_no_usage(self, capture, answer, tokens, total) -> None:
        """Agents, workflows and tools carry no usage of their own."""
        with llm.span("workflow", name="w"), llm.span("agent", name="a") as agent, llm.span("chat", model="m") as chat:
            chat.record(answer())
            agent.set_usage(input_tokens=9)

        assert "gen_ai.usage.input_tokens" not in capture.span("invoke_agent a").attributes
        assert tokens(capture) == (9, 2)
        assert total(capture, "aumos.llm.usage_missing") == 0

    def test_the_same_response_in_a_row(self, capture, answer, tokens) -> None:
        """One response handed to two calls of a trace counts once."""
        response = answer()
        with aumos.span("request"):
            for _ in range(2):
                with llm.span("chat") as call:
                    call.record(response)

        assert tokens(capture) == (9, 2)
        assert ["gen_ai.usage.input_tokens" in span.attributes for span in capture.spans] == [True, False, False]

    def test_memory_of_responses_is_bounded(self, capture, answer, monkeypatch: pytest.MonkeyPatch) -> None:
        """Only the newest responses are remembered."""
        monkeypatch.setattr(nesting, "CLAIM_LIMIT", 3)
        with aumos.span("request"):
            for _ in range(10):
                with llm.span("chat") as call:
                    call.record(answer())

        assert len(nesting._claims.get()) == 3

    def test_servers_that_reuse_ids(self, capture, answer, tokens) -> None:
        """The same id in another trace, or with other counts, is another response."""
        for prompt in (9, 9):
            with llm.span("chat") as call:
                call.record(answer(id="chatcmpl-fixed", prompt=prompt))
        with aumos.span("request"):
            for prompt in (9, 10):
                with llm.span("chat") as call:
                    call.record(answer(id="chatcmpl-fixed", prompt=prompt))

        assert tokens(capture) == (37, 8)


class TestForeignSpans:
    """Spans that a client or an instrumentor makes inside a call."""

    @pytest.fixture
    def foreign(self, capture):
        """Starts a span of another scope."""
        return lambda scope, name="foreign": trace.get_tracer(scope).start_as_current_span(name)

    def test_client_that_only_makes_spans(self, capture, foreign, answer, tokens, total) -> None:
        """Its usage stays on its span; our call adds the metrics and the cost, and ignores its own response."""
        with llm.span("chat", model="claude-sonnet-4-5") as call:
            with aumos.span("between"), foreign("com.anthropic.sdk.python") as span:
                span.set_attributes(USAGE)
            call.record(answer(prompt=99, completion=99))

        ours = capture.span("chat claude-sonnet-4-5").attributes
        assert "gen_ai.usage.input_tokens" not in ours
        assert ours["gen_ai.usage.cost"] == pytest.approx(10 * 3e-6 + 7 * 15e-6)
        assert tokens(capture) == (10, 7)
        assert total(capture, "aumos.llm.cost") == pytest.approx(ours["gen_ai.usage.cost"])
        assert total(capture, "gen_ai.client.operation.duration") == 1
        assert total(capture, "aumos.llm.usage_missing") == 0

    def test_instrumentor_with_metrics(self, capture, foreign, tokens, total) -> None:
        """An instrumentor that records metrics itself is not repeated, but for the cost."""
        with llm.span("chat"), foreign("opentelemetry.instrumentation.genai.openai") as span:
            span.set_attributes(USAGE)

        assert tokens(capture) == (0, 0)
        assert total(capture, "gen_ai.client.operation.duration") == 0
        assert total(capture, "aumos.llm.cost") > 0
        assert metrics.totals() == metrics.Totals(calls=1, usage_missing=0, price_missing=0)

    def test_cost_of_somebody_else(self, capture, foreign, total) -> None:
        """A cost that is on the foreign span is not put on ours as well."""
        with llm.span("chat"), foreign("openlit") as span:
            span.set_attributes({**USAGE, "gen_ai.usage.cost": 0.1})

        assert "gen_ai.usage.cost" not in capture.span("chat").attributes
        assert total(capture, "aumos.llm.cost") > 0

    def test_nested_instrumentors(self, capture, foreign, tokens) -> None:
        """Of two foreign spans, one inside the other, the inner one counts."""
        with llm.span("chat"), foreign("litellm", "outer") as outer, foreign("com.anthropic.sdk.python") as inner:
            outer.set_attributes(USAGE | {"gen_ai.response.id": "chatcmpl-made-up"})
            inner.set_attributes(USAGE)

        assert tokens(capture) == (10, 7)

    @pytest.mark.parametrize(
        "attributes",
        [
            {},
            {"gen_ai.operation.name": "chat"},
            {"gen_ai.operation.name": "invoke_agent", "gen_ai.usage.input_tokens": 5},
            {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": "many"},
        ],
    )
    def test_spans_without_usage_of_the_call(self, capture, foreign, answer, tokens, attributes) -> None:
        """Other spans, such as an HTTP request, an agent or a broken one, change nothing."""
        with llm.span("chat") as call:
            with foreign("some.library") as span:
                span.set_attributes(attributes)
            call.record(answer())

        assert tokens(capture) == (9, 2)

    def test_span_that_outlives_the_call(self, capture, foreign, tokens) -> None:
        """A foreign span that ends after the call changes nothing any more."""
        with llm.span("chat") as call:
            span = trace.get_tracer("late").start_span("late")
            call.set_usage(input_tokens=1, output_tokens=1)
        span.set_attributes(USAGE)
        span.end()

        assert tokens(capture) == (1, 1)
