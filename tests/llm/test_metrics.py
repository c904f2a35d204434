from __future__ import annotations

import json
import threading

import pytest

from aumos_otel import LLMOptions, llm
from aumos_otel.llm import metrics

DURATIONS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
TOKENS = tuple(4**power for power in range(14))
AGENTS = tuple(round(0.1 * 2**power, 1) for power in range(13))
COMMON = {
    "gen_ai.client.operation.duration",
    "gen_ai.execute_tool.duration",
    "gen_ai.invoke_agent.duration",
    "aumos.llm.cost",
}
OLD = {
    "gen_ai.client.operation.time_to_first_chunk",
    "gen_ai.client.operation.time_per_output_chunk",
    "gen_ai.client.token.usage",
    "gen_ai.invoke_workflow.duration",
}
NEW = {
    "gen_ai.client.inference.duration",
    "gen_ai.client.inference.time_to_first_chunk",
    "gen_ai.client.inference.time_per_output_chunk",
    "gen_ai.client.inference.usage.input_tokens",
    "gen_ai.client.inference.usage.output_tokens",
    "gen_ai.client.inference.operation.input_tokens",
    "gen_ai.client.inference.operation.output_tokens",
}
WORKFLOWS = (1, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200)


def llm_metrics(capture) -> set[str]:
    """Names of the LLM metrics that were recorded."""
    return {name for name in capture.metrics if name.startswith(("gen_ai.", "aumos.llm."))}


def run_everything(answer, chunks) -> None:
    """One operation of each kind; the chat is streamed."""
    with llm.span("workflow", name="w"), llm.span("agent", name="a"), llm.span("tool", name="t"):
        pass
    with llm.span("chat", provider="openai", model="gpt-5-mini") as call:
        for chunk in chunks():
            call.record_chunk(chunk)
    with llm.span("embeddings", provider="openai", model="text-embedding-3-small") as call:
        call.set_usage(input_tokens=5)
    with llm.span("retrieval", name="kb"):
        pass


class TestProfiles:
    """Which names are emitted."""

    @pytest.mark.parametrize(
        ("profile", "expected"), [("1.37", COMMON | OLD), ("genai-0.1", COMMON | NEW), ("dup", COMMON | OLD | NEW)]
    )
    def test_metrics(self, configured, answer, chunks, profile, expected) -> None:
        """Each profile emits the metrics of its generation, and `dup` both."""
        capture = configured(llm=LLMOptions(profile=profile))
        run_everything(answer, chunks)

        assert llm_metrics(capture) == expected

    def test_embeddings_are_no_inference(self, configured, total) -> None:
        """Embeddings and retrievals keep the old duration metric, once, in every profile."""
        capture = configured(llm=LLMOptions(profile="dup"))
        with llm.span("embeddings", model="m"), llm.span("retrieval", name="kb"):
            pass

        assert total(capture, "gen_ai.client.operation.duration") == 2
        assert total(capture, "gen_ai.client.inference.duration") == 0

    @pytest.mark.parametrize(
        ("profile", "expected"),
        [
            ("1.37", {"gen_ai.usage.cache_creation.input_tokens"}),
            ("genai-0.1", {"gen_ai.usage.cache_write.input_tokens"}),
            ("dup", {"gen_ai.usage.cache_creation.input_tokens", "gen_ai.usage.cache_write.input_tokens"}),
        ],
    )
    def test_cache_write_attribute(self, configured, profile, expected) -> None:
        """Tokens written to a cache have the profile's attribute name."""
        capture = configured(llm=LLMOptions(profile=profile))
        with llm.span("chat", model="m") as call:
            call.set_usage(input_tokens=9, output_tokens=1, cache_write_tokens=4)

        attributes = capture.span("chat m").attributes
        assert {name for name in attributes if "cache" in name} == expected

    @pytest.mark.parametrize(
        ("profile", "expected"),
        [
            ("1.37", {"gen_ai.workflow.name"}),
            ("genai-0.1", {"gen_ai.agent.name"}),
            ("dup", {"gen_ai.workflow.name", "gen_ai.agent.name"}),
        ],
    )
    def test_workflow_attribute(self, configured, profile, expected) -> None:
        """A workflow's name has the profile's attribute name; the operation stays invoke_workflow."""
        capture = configured(llm=LLMOptions(profile=profile))
        with llm.span("workflow", name="triage"):
            pass

        attributes = capture.span("invoke_workflow triage").attributes
        assert {name for name, value in attributes.items() if value == "triage"} == expected
        assert attributes["gen_ai.operation.name"] == "invoke_workflow"

    def test_counters_of_the_new_profile(self, configured, total) -> None:
        """genai-0.1 counts each kind of token on its own."""
        capture = configured(llm=LLMOptions(profile="genai-0.1"))
        with llm.span("chat", model="m") as call:
            call.set_usage(
                input_tokens=9, output_tokens=5, cache_read_tokens=3, cache_write_tokens=2, reasoning_tokens=4
            )

        prefix = "gen_ai.client.inference.usage"
        kinds = ("input", "output", "cache_read.input", "cache_write.input", "reasoning.output")
        assert [total(capture, f"{prefix}.{kind}_tokens") for kind in kinds] == [9, 5, 3, 2, 4]


class TestShape:
    """Buckets, units and attributes."""

    @pytest.mark.parametrize(
        ("name", "edges"),
        [
            ("gen_ai.client.operation.duration", DURATIONS),
            ("gen_ai.client.operation.time_to_first_chunk", DURATIONS),
            ("gen_ai.client.operation.time_per_output_chunk", DURATIONS),
            ("gen_ai.execute_tool.duration", DURATIONS),
            ("gen_ai.client.token.usage", TOKENS),
            ("gen_ai.invoke_agent.duration", AGENTS),
            ("gen_ai.invoke_workflow.duration", WORKFLOWS),
        ],
    )
    def test_buckets(self, capture, answer, chunks, name, edges) -> None:
        """Histograms have the bucket edges of the conventions."""
        run_everything(answer, chunks)

        assert capture.metrics[name][0].explicit_bounds == pytest.approx(edges)

    def test_attributes(self, capture, answer) -> None:
        """A metric has the attributes that are declared for it, and no others."""
        with llm.span("chat", provider="openai", model="gpt-5-mini", attributes={"server.address": "h"}) as call:
            call.set_attribute("app.user", "u-1")
            call.record(answer())

        (duration,) = capture.metrics["gen_ai.client.operation.duration"]
        assert dict(duration.attributes) == {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "openai",
            "gen_ai.request.model": "gpt-5-mini",
            "gen_ai.response.model": "gpt-5-mini-2025-08-07",
            "server.address": "h",
        }
        by_type = {
            point.attributes["gen_ai.token.type"]: point.sum for point in capture.metrics["gen_ai.client.token.usage"]
        }
        assert by_type == {"input": 9, "output": 2}

    def test_exemplars_point_to_the_call(self, capture) -> None:
        """Metrics are recorded in the context of the call's span."""
        with llm.span("chat", model="m"):
            pass

        (point,) = capture.metrics["gen_ai.client.operation.duration"]
        assert [exemplar.span_id for exemplar in point.exemplars] == [capture.span("chat m").context.span_id]


class TestMissing:
    """What could not be learned is counted, never told as zero."""

    def test_usage(self, capture) -> None:
        """A call without usage has no usage attribute and counts as missing."""
        with llm.span("chat", provider="openai", model="gpt-5-mini"):
            pass

        assert not [name for name in capture.span("chat gpt-5-mini").attributes if "usage" in name]
        (point,) = capture.metrics["aumos.llm.usage_missing"]
        assert point.value == 1
        assert point.attributes["gen_ai.request.model"] == "gpt-5-mini"
        assert "gen_ai.client.token.usage" not in capture.metrics

    def test_price(self, capture, total) -> None:
        """A model without a price has no cost attribute and counts as missing."""
        with llm.span("chat", provider="openai", model="house-model") as call:
            call.set_usage(input_tokens=9, output_tokens=1)

        assert "gen_ai.usage.cost" not in capture.span("chat house-model").attributes
        assert total(capture, "aumos.llm.price_missing") == 1
        assert total(capture, "aumos.llm.cost") == 0

    def test_tools_miss_nothing(self, capture, total) -> None:
        """Operations that have no usage do not miss any."""
        with llm.span("tool", name="t"), llm.span("retrieval", name="kb"):
            pass

        assert total(capture, "aumos.llm.usage_missing") == 0

    def test_price_file(self, configured, tmp_path) -> None:
        """An override file gives a house model its price, and its date is told."""
        prices = tmp_path / "prices.json"
        model = {"source": "contract", "periods": [{"input": 1.0, "output": 2.0}]}
        table = {
            "version": "2026-11-20",
            "currency": "USD",
            "providers": {"openai": {"models": {"house-model": model}}},
        }
        prices.write_text(json.dumps(table))
        capture = configured(llm=LLMOptions(prices=str(prices)))
        with llm.span("chat", provider="openai", model="house-model") as call:
            call.set_usage(input_tokens=1_000_000, output_tokens=1_000_000)

        attributes = capture.span("chat house-model").attributes
        assert attributes["gen_ai.usage.cost"] == pytest.approx(3.0)
        assert "2026-11-20" in attributes["aumos.llm.price.version"]

    def test_totals(self, capture, answer) -> None:
        """The totals that the status shows are exact, also among threads."""

        def work() -> None:
            for _ in range(50):
                with llm.span("chat", model="gpt-5-mini") as call:
                    call.record(answer())
                with llm.span("chat", model="house-model") as call:
                    call.set_usage(input_tokens=1, output_tokens=1)
                with llm.span("chat", model="gpt-5-mini"):
                    pass

        threads = [threading.Thread(target=work) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert metrics.totals() == metrics.Totals(calls=600, usage_missing=200, price_missing=200)
