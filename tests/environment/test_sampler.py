"""OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG: which traces are kept."""

from __future__ import annotations

import logging
from collections.abc import Callable

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanContext, TraceFlags
from servers.work import in_memory

#: A trace id whose lowest 56 bits are small is kept by any ratio above zero, a large one by none below one.
LOW, HIGH = 1 << 100 | 1, (1 << 128) - 1


def kept(parent: str) -> bool:
    """Whether a span under this parent is sampled: none, a remote parent that was sampled, or one that was not."""
    flags = {"sampled": TraceFlags.SAMPLED, "dropped": TraceFlags.DEFAULT}.get(parent)
    context = None
    if flags is not None:
        remote = SpanContext(HIGH, 2, is_remote=True, trace_flags=TraceFlags(flags))
        context = trace.set_span_in_context(trace.NonRecordingSpan(remote))
    with trace.get_tracer("tests").start_as_current_span("work", context=context) as span:
        return span.get_span_context().trace_flags.sampled


@pytest.mark.parametrize(
    ("sampler", "argument", "root", "after_sampled", "after_dropped"),
    [
        ("always_on", "", True, True, True),
        ("always_off", "", False, False, False),
        ("parentbased_always_on", "", True, True, False),
        ("parentbased_always_off", "", False, True, False),
        ("traceidratio", "0", False, False, False),
        ("traceidratio", "1.0", True, True, True),
        ("traceidratio", "", True, True, True),
        ("parentbased_traceidratio", "0", False, True, False),
        ("parentbased_traceidratio", "1", True, True, False),
        ("Always_Off", "", False, False, False),
        ("", "0", True, True, False),
    ],
)
def test_sampler(  # noqa: PLR0917 - pytest passes them by name
    sampler: str,
    argument: str,
    root: bool,
    after_sampled: bool,
    after_dropped: bool,
    spans: InMemorySpanExporter,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each sampler of the specification decides about roots and about children of remote parents as it says."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)
    in_memory(spans)

    assert (kept("none"), kept("sampled"), kept("dropped")) == (root, after_sampled, after_dropped)


def test_ratio(spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch) -> None:
    """A ratio between 0 and 1 keeps some traces and drops others."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.5")
    in_memory(spans)

    assert 50 < sum(kept("none") for _ in range(400)) < 350


@pytest.mark.parametrize("sampler", ["jaeger_remote", "parentbased_jaeger_remote", "xray", "bogus"])
def test_a_sampler_that_is_not_there(
    sampler: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A sampler that no package provides is logged and ignored, as the specification says."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)

    telemetry = in_memory(spans)

    assert kept("none")
    assert [
        record for record in caplog.records if "OTEL_TRACES_SAMPLER" in record.message and sampler in record.message
    ]
    assert sampler in telemetry.describe()["sources"]["sampling.sampler"]


@pytest.mark.parametrize("argument", ["2", "-1", "half", "nan"])
def test_a_ratio_that_is_none(
    argument: str, spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad OTEL_TRACES_SAMPLER_ARG is logged, and everything is kept."""
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", argument)

    in_memory(spans)

    assert kept("none")
    assert [record for record in caplog.records if record.levelno == logging.WARNING and argument in record.message]


def test_a_sampler_of_another_package(
    plugin: Callable[..., object], spans: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sampler that a package registers is made with OTEL_TRACES_SAMPLER_ARG."""
    plugin(
        "from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON\n"
        "def make(argument):\n"
        "    return {'quiet': ALWAYS_OFF}.get(argument, ALWAYS_ON)\n",
        opentelemetry_traces_sampler="mood = make",
    )
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "mood")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "quiet")
    in_memory(spans)

    assert not kept("none")
