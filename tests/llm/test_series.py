"""Attribute sets that are resolved once, and what must not be mixed up by that."""

from __future__ import annotations

import threading

import pytest
from opentelemetry import metrics as api
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from aumos_otel import LLMOptions, llm
from aumos_otel.llm import installation, metrics, settings
from aumos_otel.llm.usage import Usage

DURATION = "gen_ai.client.operation.duration"


def ask(model: str, address: str | None, error: type[Exception] | None) -> None:
    """A call that learns an address, or fails."""
    with llm.span("chat", provider="p", model=model) as call:
        if address:
            call.set_attribute("server.address", address)
        if error:
            raise error


def test_each_set_of_attributes_counts_for_itself(capture) -> None:
    """Calls of one place that differ in what they learn go to series of their own, again and again."""
    for _ in range(3):
        ask("a", None, None)
        ask("b", None, None)
        ask("a", "h", None)
        with pytest.raises(KeyError):
            ask("a", None, KeyError)
    counts = {
        (
            attributes["gen_ai.request.model"],
            attributes.get("server.address"),
            attributes.get("error.type"),
        ): point.count
        for point in capture.metrics[DURATION]
        if (attributes := point.attributes)
    }
    assert counts == {
        ("a", None, None): 3,
        ("b", None, None): 3,
        ("a", "h", None): 3,
        ("a", None, "KeyError"): 3,
    }


def test_a_list_among_the_attributes(capture, total) -> None:
    """A value that cannot be looked up is counted all the same."""
    for _ in range(2):
        with llm.span("chat", model="m", attributes={"server.address": ["a", "b"]}):
            pass
    assert total(capture, DURATION) == 2


def test_more_sets_than_are_kept(capture, total, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is over the limit is counted, and its place is not taken in memory."""
    monkeypatch.setattr(metrics, "SERIES_LIMIT", 3)
    table = installation.current().series
    for number in range(10):
        with llm.span("chat", model=f"m{number}") as call:
            call.set_usage(input_tokens=1, output_tokens=1)
    assert total(capture, DURATION) == 10
    assert total(capture, "gen_ai.client.token.usage") == 20
    series = [
        table.of("chat", {"gen_ai.operation.name": "chat", "gen_ai.request.model": f"m{number}"}) for number in (0, 9)
    ]
    again = [
        table.of("chat", {"gen_ai.operation.name": "chat", "gen_ai.request.model": f"m{number}"}) for number in (0, 9)
    ]
    assert [one is other for one, other in zip(series, again, strict=True)] == [True, False]


def test_another_verb_of_the_users(capture, total) -> None:
    """An operation that has no metric of its own has that of an inference."""
    with llm.span("plan", name="p"):
        pass
    assert total(capture, DURATION) == 1


def test_settings_that_change(configured, total) -> None:
    """A place that was measured under one profile is measured under the next."""

    @llm.chat(model="m")
    def ask() -> None:
        """Ask."""

    first = configured(llm=LLMOptions(profile="1.37"))
    ask()
    assert total(first, DURATION) == 1
    settings.install(LLMOptions(content="none", capture="span", profile="genai-0.1", prices=None))
    ask()
    assert total(first, DURATION) == 1
    assert total(first, "gen_ai.client.inference.duration") == 1


def test_another_meter_provider(answer) -> None:
    """The SDK's own instruments are served, with their attributes and contexts."""
    reader = InMemoryMetricReader()
    api.set_meter_provider(MeterProvider(metric_readers=[reader], shutdown_on_exit=False))
    for _ in range(2):
        with llm.span("chat", model="gpt-5-mini") as call:
            call.record(answer(prompt=9, completion=2))
    (resource,) = reader.get_metrics_data().resource_metrics
    found = {metric.name: list(metric.data.data_points) for scope in resource.scope_metrics for metric in scope.metrics}
    (duration,) = found[DURATION]
    assert duration.count == 2
    assert duration.attributes["gen_ai.response.model"] == "gpt-5-mini-2025-08-07"
    assert {(point.attributes["gen_ai.token.type"], point.sum) for point in found["gen_ai.client.token.usage"]} == {
        ("input", 18),
        ("output", 4),
    }


def test_many_threads_count_exactly(capture, total, tokens) -> None:
    """Calls of many threads at one place are all there."""

    @llm.chat(model="gpt-5-mini")
    def ask() -> None:
        llm.current().set_usage(input_tokens=2, output_tokens=1)

    threads = [threading.Thread(target=lambda: [ask() for _ in range(200)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert total(capture, DURATION) == 800
    assert tokens(capture) == (1600, 800)
    assert metrics.totals().calls == 800


def test_a_declaration_is_as_it_was_made(capture) -> None:
    """Attributes of a decorator that change later are not seen, and no call changes them for the next."""
    attributes = {"server.address": "before"}

    @llm.chat(model="m", attributes=attributes)
    def ask() -> None:
        llm.current().set_attribute("app.own", 1)

    ask()
    attributes["server.address"] = "after"
    ask()
    assert [span.attributes["server.address"] for span in capture.spans] == ["before", "before"]
    with llm.span("chat", model="m") as call:
        call.set_attribute("server.port", 1)
    with llm.span("chat", model="m"):
        pass
    assert "server.port" not in capture.spans[-1].attributes


def test_what_is_no_text(capture) -> None:
    """Words of another type than text cost no span."""
    for model in (1, True, ["a"], {"a": 1}):
        with llm.span("chat", model=model):
            pass
    assert len(capture.spans) == 4


def test_prices_of_today_are_those_of_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is remembered of a model ends with the day."""
    from aumos_otel.llm import pricing

    table = pricing.PriceTable.load(None)
    usage = Usage(input_tokens=1_000, output_tokens=1_000)
    days = [1_749_427_200, 1_749_513_600]  # the o3 price fell on 10 June 2025
    costs = []
    for day in days:
        monkeypatch.setattr(pricing.time, "time_ns", lambda day=day: day * 1_000_000_000)
        costs.append(table.cost("openai", "o3", usage))
    assert costs[0] == pytest.approx(0.05)
    assert costs[1] == pytest.approx(0.01)
