from __future__ import annotations

import asyncio
import inspect

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from aumos_otel._internal.wrapping import wrap


class Operation:
    """Remembers what it is told."""

    def __init__(self, told: list[object]) -> None:
        from opentelemetry.context import Context

        self.context = Context()
        self.told = told

    def yielded(self, item: object) -> None:
        """An item."""
        self.told.append(("item", item))

    def returned(self, value: object) -> None:
        """The result."""
        self.told.append(("result", value))

    def ended(self, error: BaseException | None = None, *, abandoned_at: int | None = None) -> None:
        """The end."""
        self.told.append(("end", error))


def plain(value: int, *, more: int = 0) -> int:
    """A plain function."""
    return value + more


async def later(value: int) -> int:
    """An async one."""
    return value


def several(value: int):
    """A generator function."""
    yield value


async def several_later(value: int):
    """An async one."""
    yield value


def call(function: object) -> object:
    """What a function of any kind gives for 3."""
    result = function(3)
    if inspect.isgenerator(result):
        return list(result)
    if inspect.isasyncgen(result):

        async def read() -> list[object]:
            return [item async for item in result]

        return asyncio.run(read())
    return asyncio.run(result) if inspect.iscoroutine(result) else result


@pytest.mark.parametrize("function", [plain, later, several, several_later])
class TestSilence:
    """While there is no provider."""

    def test_nothing_begins(self, function) -> None:
        """No operation is even asked for, and the result is that of the function."""
        begun: list[object] = []
        wrapped = wrap(function, lambda *_: begun.append(1))
        assert call(wrapped) == call(function)
        assert begun == []

    def test_generators_come_back_as_they_are(self, function) -> None:
        """There is no wrapper around a stream."""
        if function in (several, several_later):
            stream = wrap(function, lambda *_: None)(3)
            assert type(stream) is type(function(3))
            assert stream.__name__ == function.__name__

    @pytest.mark.parametrize("install", ["tracer", "meter"])
    def test_a_provider_that_comes_later_is_noticed(self, function, install) -> None:
        """What was decorated and called before tells its operations from then on."""
        told: list[object] = []
        wrapped = wrap(function, lambda *_: Operation(told))
        call(wrapped)
        assert told == []
        if install == "tracer":
            trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
        else:
            metrics.set_meter_provider(MeterProvider(shutdown_on_exit=False))
        call(wrapped)
        assert told[-1] == ("end", None)


def test_wrong_arguments_raise_at_the_call(capture) -> None:
    """A generator function that is called wrongly says so at once, not at the first item."""
    wrapped = wrap(several, lambda *_: None)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        wrapped()


def test_another_sdk_is_served() -> None:
    """Spans go to a provider that is none of ours."""
    import aumos_otel as aumos

    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    decorated = aumos.span("work")(plain)
    assert decorated(1, more=2) == 3
    trace.set_tracer_provider(provider)
    assert decorated(1, more=2) == 3
    assert [span.name for span in exporter.get_finished_spans()] == ["work"]
