from __future__ import annotations

import asyncio
import threading
from unittest.mock import MagicMock

import pytest
from opentelemetry import trace
from opentelemetry.trace import SpanKind, StatusCode

import aumos_otel as aumos
from aumos_otel import guard, llm
from aumos_otel.llm import metrics


class TestSpan:
    """`llm.span` and the call it yields."""

    @pytest.mark.parametrize(
        ("operation", "options", "name", "kind", "expected"),
        [
            ("chat", {"provider": "openai", "model": "m"}, "chat m", SpanKind.CLIENT, {"gen_ai.request.model": "m"}),
            ("text_completion", {"model": "m"}, "text_completion m", SpanKind.CLIENT, {}),
            ("generate_content", {"model": "m"}, "generate_content m", SpanKind.CLIENT, {}),
            ("embeddings", {"model": "m"}, "embeddings m", SpanKind.CLIENT, {}),
            ("retrieval", {"name": "kb"}, "retrieval kb", SpanKind.CLIENT, {"gen_ai.data_source.id": "kb"}),
            ("execute_tool", {"name": "t"}, "execute_tool t", SpanKind.INTERNAL, {"gen_ai.tool.name": "t"}),
            ("tool", {"name": "t"}, "execute_tool t", SpanKind.INTERNAL, {"gen_ai.operation.name": "execute_tool"}),
            (
                "invoke_agent",
                {"name": "a", "model": "m"},
                "invoke_agent a",
                SpanKind.INTERNAL,
                {"gen_ai.agent.name": "a", "gen_ai.request.model": "m"},
            ),
            ("workflow", {"name": "w"}, "invoke_workflow w", SpanKind.INTERNAL, {"gen_ai.workflow.name": "w"}),
            ("chat", {}, "chat", SpanKind.CLIENT, {}),
            ("plan", {"name": "p"}, "plan p", SpanKind.INTERNAL, {"gen_ai.operation.name": "plan"}),
        ],
    )
    def test_names_and_kinds(self, *, capture, operation, options, name, kind, expected) -> None:
        """Each operation has the name, kind and naming attribute of the conventions."""
        with llm.span(operation, **options):
            pass

        span = capture.span(name)
        assert span.kind is kind
        assert expected.items() <= dict(span.attributes).items()
        assert span.instrumentation_scope.name == "aumos_otel.llm"
        assert span.instrumentation_scope.schema_url == "https://opentelemetry.io/schemas/1.37.0"

    def test_attributes_are_there_at_the_start(self, configured) -> None:
        """What a sampler may decide on is given when the span starts."""
        from opentelemetry.sdk.trace import SpanProcessor

        started: list[dict[str, object]] = []

        class Seen(SpanProcessor):
            def on_start(self, span, parent_context=None) -> None:
                started.append(dict(span.attributes))

        configured()
        trace.get_tracer_provider().add_span_processor(Seen())
        with llm.span("chat", provider="openai", model="m", attributes={"server.address": "h", "server.port": 1}):
            pass

        assert started == [
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "openai",
                "gen_ai.request.model": "m",
                "server.address": "h",
                "server.port": 1,
            }
        ]

    def test_usage_by_hand(self, capture, tokens) -> None:
        """Counts given by hand are on the span and in the metric."""
        with llm.span("chat", provider="openai", model="gpt-5-mini") as call:
            call.set_usage(input_tokens=100, output_tokens=40, cache_read_tokens=60)
            call.set_usage(cache_write_tokens=5, reasoning_tokens=30)

        attributes = capture.span("chat gpt-5-mini").attributes
        assert attributes["gen_ai.usage.input_tokens"] == 100
        assert attributes["gen_ai.usage.output_tokens"] == 40
        assert attributes["gen_ai.usage.cache_read.input_tokens"] == 60
        assert attributes["gen_ai.usage.cache_creation.input_tokens"] == 5
        assert attributes["gen_ai.usage.reasoning.output_tokens"] == 30
        assert "gen_ai.usage.cache_write.input_tokens" not in attributes
        assert tokens(capture) == (100, 40)

    def test_record(self, capture, answer, tokens) -> None:
        """A recorded response gives id, model, provider, finish reasons, usage and cost."""
        response = answer(id="chatcmpl-x")
        with llm.span("chat", model="gpt-5-mini") as call:
            call.record(response)

        attributes = capture.span("chat gpt-5-mini").attributes
        assert attributes["gen_ai.response.id"] == "chatcmpl-x"
        assert attributes["gen_ai.response.model"] == "gpt-5-mini-2025-08-07"
        assert attributes["gen_ai.provider.name"] == "openai"
        assert attributes["gen_ai.response.finish_reasons"] == ("stop",)
        assert attributes["gen_ai.usage.cost"] == pytest.approx(9 * 0.25e-6 + 2 * 2e-6)
        assert attributes["gen_ai.usage.cost.currency"] == "USD"
        assert attributes["aumos.llm.price.version"] >= "2025"
        assert tokens(capture) == (9, 2)

    def test_several_responses_add_up(self, capture, answer, tokens) -> None:
        """Two responses in one call are two bills; the same one twice is one."""
        first, second = answer(prompt=10, completion=1), answer(prompt=20, completion=2)
        with llm.span("chat", model="gpt-5-mini") as call:
            for response in (first, second, second):
                call.record(response)

        attributes = capture.span("chat gpt-5-mini").attributes
        assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (30, 3)
        assert attributes["gen_ai.response.id"] == second["id"]
        assert tokens(capture) == (30, 3)

    def test_by_hand_outdoes_the_response(self, capture, answer) -> None:
        """A count set by hand replaces that of the response, others stay."""
        with llm.span("chat", model="m") as call:
            call.record(answer(prompt=10, completion=1))
            call.set_usage(output_tokens=7)

        attributes = capture.span("chat m").attributes
        assert (attributes["gen_ai.usage.input_tokens"], attributes["gen_ai.usage.output_tokens"]) == (10, 7)

    def test_record_chunk(self, capture, chunks, tokens, total) -> None:
        """Chunks recorded by hand give usage and the times of the stream."""
        with llm.span("chat", model="gpt-5-mini") as call:
            for chunk in chunks():
                call.record_chunk(chunk)

        attributes = capture.span("chat gpt-5-mini").attributes
        assert attributes["gen_ai.request.stream"] is True
        assert attributes["gen_ai.response.time_to_first_chunk"] > 0
        assert tokens(capture) == (9, 2)
        assert total(capture, "gen_ai.client.operation.time_to_first_chunk") == 1
        assert total(capture, "gen_ai.client.operation.time_per_output_chunk") == 2

    def test_attributes(self, capture) -> None:
        """Attributes set on the call are on the span, and on metrics that know them."""
        with llm.span("chat", model="m") as call:
            call.set_attribute("app.route", "a")
            call.set_attributes({"server.address": "h"})

        assert capture.span("chat m").attributes["app.route"] == "a"
        (point,) = capture.metrics["gen_ai.client.operation.duration"]
        assert point.attributes["server.address"] == "h"
        assert "app.route" not in point.attributes

    async def test_async_block(self, capture) -> None:
        """`async with` works alike."""
        async with llm.span("chat", model="m") as call:
            await asyncio.sleep(0)
            assert llm.current() is call
            assert trace.get_current_span() is call.span

        assert capture.span("chat m")

    def test_one_call_used_again(self, capture, answer) -> None:
        """A call object can be entered again after it ended; it starts anew."""
        call = llm.span("chat", model="m")
        for expected in (True, False):
            with call:
                if expected:
                    call.record(answer())

        assert ["gen_ai.response.id" in span.attributes for span in capture.spans] == [True, False]

    def test_exit_in_another_thread(self, capture, caplog: pytest.LogCaptureFixture) -> None:
        """A block may be left in another thread than it was entered in."""
        call = llm.span("chat", model="m")
        thread = threading.Thread(target=call.__enter__)
        thread.start()
        thread.join()
        call.__exit__(None, None, None)

        assert capture.span("chat m")
        assert caplog.records == []


class TestErrors:
    """What goes wrong, in the user's code and in ours."""

    def test_exception(self, capture, total) -> None:
        """The user's exception passes as it is; span and metric have its type; no usage is missed."""
        error = LookupError("nothing")
        with pytest.raises(LookupError) as raised, llm.span("chat", model="m"):
            raise error

        span = capture.span("chat m")
        assert raised.value is error
        assert span.status.status_code is StatusCode.ERROR
        assert span.attributes["error.type"] == "LookupError"
        assert len(span.events) == 1
        (point,) = capture.metrics["gen_ai.client.operation.duration"]
        assert point.attributes["error.type"] == "LookupError"
        assert total(capture, "aumos.llm.usage_missing") == 0

    def test_fail(self, capture) -> None:
        """An error that is handled inside is told with `fail`, once even if it is raised after."""
        error = TimeoutError("late")

        def work() -> None:
            with llm.span("chat", model="m") as call:
                call.fail(error)
                call.fail(error)
                raise error

        with pytest.raises(TimeoutError):
            work()
        span = capture.span("chat m")
        assert span.attributes["error.type"] == "TimeoutError"
        assert len(span.events) == 1

    def test_cancellation(self, capture) -> None:
        """A cancelled call is no error, and says so."""

        async def main() -> None:
            async with llm.span("chat", model="m"):
                raise asyncio.CancelledError

        with pytest.raises(asyncio.CancelledError):
            asyncio.run(main())

        span = capture.span("chat m")
        assert span.attributes["aumos.llm.outcome"] == "cancelled"
        assert span.status.status_code is StatusCode.UNSET

    @pytest.mark.parametrize("nonsense", [None, 3, "text", [], object(), {"usage": "none"}, {"usage": {"input": -1}}])
    def test_unknown_responses(self, capture, nonsense: object, total) -> None:
        """A response of no known shape changes nothing and is counted as missing usage."""
        with llm.span("chat", model="m") as call:
            call.record(nonsense)
            call.record_chunk(nonsense)

        assert "gen_ai.usage.input_tokens" not in capture.span("chat m").attributes
        assert total(capture, "aumos.llm.usage_missing") == 1
        assert metrics.totals().usage_missing == 1

    def test_hostile_response(self, capture) -> None:
        """A response whose attributes raise stays the user's business."""

        class Hostile:
            def __getattr__(self, name: str) -> object:
                raise RuntimeError(name)

        guard.set_strict(False)
        with llm.span("chat", model="m") as call:
            call.record(Hostile())

        assert capture.span("chat m")

    def test_mock_client(self, capture, total) -> None:
        """A mock in the place of a response, as in users' own tests, is no response."""
        with llm.span("chat", model="m") as call:
            call.record(MagicMock())

        assert not [name for name in capture.span("chat m").attributes if "usage" in name or "response" in name]

    def test_wrong_attribute(self, capture, caplog: pytest.LogCaptureFixture) -> None:
        """An attribute that OpenTelemetry refuses does not raise."""
        guard.set_strict(False)
        with llm.span("chat", model="m") as call:
            call.set_attributes(None)
            call.set_attribute("ok", 1)

        assert capture.span("chat m").attributes["ok"] == 1


class TestCurrent:
    """`llm.current`."""

    def test_innermost(self, capture) -> None:
        """The innermost operation that runs is the current one, also inside other spans."""
        with llm.span("agent", name="a") as outer, aumos.span("between"):
            assert llm.current() is outer
            with llm.span("chat") as inner:
                assert llm.current() is inner
            assert llm.current() is outer

        assert not llm.current().is_open

    def test_inert_outside(self, capture, answer) -> None:
        """Outside a call all methods do nothing."""
        call = llm.current()
        call.record(answer())
        call.record_chunk({})
        call.set_usage(input_tokens=1)
        call.set_attribute("a", 1)
        call.set_input("hi")
        call.set_output("hi")
        call.fail(ValueError())

        assert not call.span.is_recording()
        assert call.response_id is None
        assert capture.spans == []
        assert not [name for name in capture.metrics if name.startswith(("gen_ai", "aumos.llm"))]

    def test_ended_call_is_inert(self, capture, answer) -> None:
        """A call that somebody kept does nothing after its end."""
        with llm.span("chat", model="m") as call:
            pass
        call.record(answer())
        call.set_attribute("a", 1)

        assert "gen_ai.response.id" not in capture.span("chat m").attributes

    def test_without_an_sdk(self, answer) -> None:
        """Without an SDK a call does nothing and costs no state."""
        with llm.span("chat", model="m") as call:
            assert not call.is_open
            assert not llm.current().is_open
            call.record(answer())

    def test_nothing_is_kept(self, capture, answer) -> None:
        """An ended call holds neither its context nor the response."""
        import weakref

        class Response(dict):
            pass

        response = Response(answer())
        with llm.span("chat", model="m") as call:
            call.record(response)
        gone = weakref.ref(response)
        del response
        assert gone() is None
        assert call.context == {}


class TestIdentity:
    """Tenants."""

    def test_tenant_on_metrics(self, capture, answer) -> None:
        """A bound tenant is on the metrics, without one there is no attribute."""
        with aumos.bind(tenant_id="acme"), llm.span("chat", model="gpt-5-mini") as call:
            call.record(answer())
        with llm.span("chat", model="gpt-5-mini") as call:
            call.record(answer())

        for name in ("gen_ai.client.token.usage", "gen_ai.client.operation.duration", "aumos.llm.cost"):
            tenants = {point.attributes.get("aumos.tenant.id") for point in capture.metrics[name]}
            assert tenants == {"acme", None}, name
