"""`aumos.slo`: SLIs declared at functions."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import AsyncIterator, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import aumos_otel as aumos
from aumos_otel import indicators
from aumos_otel.errors import ConfigError
from aumos_otel.indicators import slo, subscribe
from aumos_otel.processors.sli import SliCounter, SliProcessor
from aumos_otel.testing import OTLPSink, captured
from aumos_otel.testing.records import attributes


@pytest.fixture(autouse=True)
def _nothing_declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test declares is forgotten after it."""
    monkeypatch.setattr(indicators, "_declared", {})
    monkeypatch.setattr(indicators, "_listeners", [])


@pytest.fixture
def counter() -> SliCounter:
    """Counts the spans of the global provider for what is declared, before and after."""
    made = SliCounter()
    subscribe(made.add)
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SliProcessor(made))
    trace.set_tracer_provider(provider)
    return made


def raising() -> None:
    """Fail."""
    raise ValueError("broken")


class TestCounting:
    """Calls are events."""

    def test_sync(self, counter: SliCounter) -> None:
        """A call that returns is a good one, one that raises a bad one, and its error comes through."""

        @slo("checkout")
        def checkout(*, well: bool) -> int:
            if not well:
                raising()
            return 7

        assert checkout(well=True) == 7
        with pytest.raises(ValueError, match="broken"):
            checkout(well=False)

        assert counter.counts() == {"checkout": (2, 1)}

    async def test_async(self, counter: SliCounter) -> None:
        """An async function counts when it is done; one that is cancelled has not failed."""

        @slo("wait")
        async def wait(seconds: float) -> str:
            await asyncio.sleep(seconds)
            return "done"

        assert inspect.iscoroutinefunction(wait)
        assert await wait(0) == "done"
        task = asyncio.create_task(wait(60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

        assert counter.counts() == {"wait": (2, 2)}

    async def test_generators(self, counter: SliCounter) -> None:
        """A generator, sync or async, counts once, at its end."""

        @slo("items")
        def items() -> Iterator[int]:
            yield 1
            yield 2

        @slo("chunks")
        async def chunks() -> AsyncIterator[int]:
            yield 1
            raising()

        started = items()
        next(started)
        assert counter.counts()["items"] == (0, 0)
        assert list(started) == [2]
        with pytest.raises(ValueError, match="broken"):
            [item async for item in chunks()]

        assert counter.counts() == {"items": (1, 1), "chunks": (1, 0)}

    def test_methods(self, counter: SliCounter) -> None:
        """Methods, class methods and static methods of one class may each have an SLI."""

        class Shop:
            @slo("shop-buy")
            def buy(self) -> int:
                return 1

            @classmethod
            @slo("shop-open")
            def open(cls) -> str:
                return cls.__name__

            @slo("shop-sum")
            @staticmethod
            def total(number: int) -> int:
                return number

        assert (Shop().buy(), Shop.open(), Shop.total(3)) == (1, "Shop", 3)
        assert counter.counts() == {"shop-buy": (1, 1), "shop-open": (1, 1), "shop-sum": (1, 1)}

    def test_its_own_spans_alone(self, counter: SliCounter) -> None:
        """Spans of the same name and scope that are not the function's are no events."""

        @slo("load")
        def load() -> None:
            """Do nothing."""

        @aumos.span
        def other() -> None:
            """Do nothing."""

        with aumos.span(load.__qualname__):
            load()
        other()
        trace.get_tracer("aumos_otel").start_span(load.__qualname__).end()

        assert counter.counts() == {"load": (1, 1)}

    @pytest.mark.parametrize("below", ["300ms", 0.3])
    def test_below(self, counter: SliCounter, below: str | float) -> None:
        """A call that takes no longer than the limit is good, also one that takes as long."""
        counted = slo("fast", below=below)(raising)
        assert callable(counted)
        (sli,) = counter.slis

        facts: Any = SimpleNamespace(scope="aumos_otel", status="unset", attributes={"aumos.sli.name": "fast"})
        verdicts = []
        for duration in (0.299, 0.3, 0.301):
            facts.duration = duration
            verdicts.append(sli.verdict(facts))
        assert verdicts == [True, True, False]

    def test_declared_later(self, counter: SliCounter) -> None:
        """What is declared after the counter began is counted from then on; what unsubscribed is told no more."""
        told: list[str] = []
        end = subscribe(lambda sli: told.append(sli.name))
        slo("one")(raising)
        end()
        end()
        slo("two")(raising)

        assert [sli.name for sli in counter.slis] == ["one", "two"]
        assert told == ["one"]

    def test_a_nested_call(self, counter: SliCounter) -> None:
        """A function that calls itself is an event each time."""

        @slo("recursion")
        def recursion(depth: int) -> int:
            return depth and recursion(depth - 1)

        recursion(3)

        assert counter.counts() == {"recursion": (4, 4)}


class TestDeclaring:
    """Names are taken once."""

    def test_the_same_again(self) -> None:
        """A function that is made anew, or a module that is loaded again, declares what is there already."""

        def make() -> Any:
            @slo("again", below="1s")
            def again() -> None:
                """Do nothing."""

            return again

        make()
        make()

        assert list(indicators._declared) == ["again"]

    def test_another_function(self) -> None:
        """The error names both functions, and the second is not decorated."""
        slo("taken")(raising)

        with pytest.raises(ConfigError) as caught:

            @slo("taken")
            def other() -> None:
                """Do nothing."""

        assert "test_another_function.<locals>.other" in str(caught.value)
        assert f"{raising.__module__}.raising" in str(caught.value)

    def test_another_limit(self) -> None:
        """The error tells both limits."""
        slo("limit", below="1s")(raising)

        with pytest.raises(ConfigError, match=r"below='2s'.*below='1s'"):
            slo("limit", below="2s")(raising)

    @pytest.mark.parametrize("name", ["", " ", None, 7, raising, "\ud800"])
    def test_names(self, name: Any) -> None:
        """What is no name is refused where it is written, also the function itself when the brackets are missing."""
        with pytest.raises(ConfigError, match=r"@aumos\.slo"):
            slo(name)

    @pytest.mark.parametrize("below", ["", "fast", "0s", 0, -1, True, float("inf"), float("nan"), [1], 1e-12, "31d"])
    def test_limits(self, below: Any) -> None:
        """What is no duration is refused where it is written."""
        with pytest.raises(ConfigError, match="a duration"):
            slo("limit", below=below)

    def test_a_class(self) -> None:
        """A class is no function, and takes no name."""
        with pytest.raises(TypeError, match="a function is needed"):
            slo("class")(type("Class", (), {}))

        assert indicators._declared == {}

    def test_a_listener_that_fails(self) -> None:
        """It harms neither the declaration nor the other listeners."""
        told: list[str] = []

        def fail(_sli: object) -> None:
            raise RuntimeError

        subscribe(fail)
        subscribe(lambda sli: told.append(sli.name))
        slo("fine")(raising)

        assert told == ["fine"]


def test_unconfigured() -> None:
    """Without an SDK the function is called and nothing else happens."""
    decorated = slo("idle")(lambda number: number + 1)

    assert decorated(1) == 2


def test_the_span() -> None:
    """It is the span that `aumos.span` gives, with the name of the SLI on it."""
    spans = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(spans))
    trace.set_tracer_provider(provider)

    decorated = slo("named")(raising)
    with pytest.raises(ValueError, match="broken"):
        decorated()

    (span,) = spans.get_finished_spans()
    assert span.name == "raising"
    assert span.attributes == {"aumos.sli.name": "named", "error.type": "ValueError"}
    assert span.status.is_ok is False


def exported(sink: OTLPSink) -> dict[tuple[str, str], Any]:
    """Points by metric and SLI, as they arrived."""
    return {
        (name, attributes(point)["aumos.sli.name"]): point
        for name, metric in sink.metrics().items()
        if name.startswith("aumos.sli.")
        for point in metric.sum.data_points
    }


def test_configured() -> None:
    """With `configure` the counts arrive at an OTLP receiver, each bad event with the trace behind it."""
    declared_before = slo("before")(raising)
    with OTLPSink() as sink:
        telemetry = aumos.configure(destinations=[aumos.OTLP(endpoint=sink.url)], logs=False, instrumentations=False)
        declared_later = slo("later")(lambda: None)
        declared_later()
        with pytest.raises(ValueError, match="broken"):
            declared_before()
        assert telemetry.force_flush(20)
        points = exported(sink)
        (span,) = [span for span in sink.spans() if span.name == "raising"]
        telemetry.shutdown(5)

    assert points["aumos.sli.events", "before"].as_int == 1
    assert points["aumos.sli.good_events", "before"].as_int == 0
    assert points["aumos.sli.good_events", "later"].as_int == 1
    (exemplar,) = points["aumos.sli.events", "before"].exemplars
    assert (exemplar.trace_id, exemplar.span_id) == (span.trace_id, span.span_id)
    assert [(each.key, each.value.bool_value) for each in exemplar.filtered_attributes] == [("aumos.sli.good", False)]


def test_sampled_away() -> None:
    """A call whose trace is not kept counts all the same."""
    counted = slo("all")(lambda: None)
    with captured(sampling=aumos.SamplingOptions(ratio=0.0)) as capture:
        counted()
        (point,) = capture.metrics["aumos.sli.events"]

    assert point.value == 1
