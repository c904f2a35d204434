"""The test kit that users get: captured telemetry, counting ids, a ticking clock."""

from __future__ import annotations

import logging

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider

import aumos_otel as aumos
from aumos_otel import guard, testing
from aumos_otel.testing import Capture, SequentialIds, TickingClock

pytest_plugins = ["pytester"]


def test_capture_has_all_signals(capture: Capture) -> None:
    """Spans, log records and metrics of the test are there, with nothing sent."""
    with trace.get_tracer("tests").start_as_current_span("work"):
        logging.getLogger("tests").warning("hello")
    metrics.get_meter("tests").create_counter("work.done").add(2, {"kind": "a"})

    assert [span.name for span in capture.spans] == ["work"]
    assert [log.log_record.body for log in capture.logs] == ["hello"]
    assert [(point.value, dict(point.attributes)) for point in capture.metrics["work.done"]] == [(2, {"kind": "a"})]
    assert capture.telemetry.describe()["destinations"] == []


def test_ids_count(capture: Capture) -> None:
    """Ids are the same in every run."""
    with (
        trace.get_tracer("tests").start_as_current_span("outer"),
        trace.get_tracer("tests").start_as_current_span("inner"),
    ):
        pass

    inner, outer = capture.spans
    assert (outer.context.trace_id, outer.context.span_id) == (1, 1)
    assert (inner.context.trace_id, inner.context.span_id, inner.parent.span_id) == (1, 2, 1)


def test_the_one_span(capture: Capture) -> None:
    """span() returns the one of a name, or says what was there."""
    for name in ("a", "b", "b"):
        with aumos.span(name):
            pass

    assert capture.span("a").name == "a"
    with pytest.raises(AssertionError, match="expected one span 'b', got 2; finished spans: a, b, b"):
        capture.span("b")
    with pytest.raises(AssertionError, match="got 0"):
        capture.span("c")


def test_variables_are_out_of_the_way(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """The developer's own OTEL_* and AUMOS_* variables do not change a test."""
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    monkeypatch.setenv("AUMOS_OTEL_SAMPLING_RATIO", "0")

    capture: Capture = request.getfixturevalue("capture")
    with aumos.span("work"):
        pass

    assert len(capture.spans) == 1


def test_an_internal_error_is_raised(capture: Capture) -> None:
    """What is swallowed in production is raised inside the fixture, and swallowed again after it."""
    with pytest.raises(ValueError, match="ours"), guard.swallow("tests.testing"):
        raise ValueError("ours")


def test_strictness_ends_with_the_block() -> None:
    """captured() leaves no strictness, no provider and no pipeline behind."""
    with testing.captured(service_name="chat-api") as capture:
        assert isinstance(trace.get_tracer_provider(), TracerProvider)
        assert capture.telemetry.describe()["resource"]["service.name"] == "chat-api"

    with guard.swallow("tests.testing"):
        raise ValueError("ours")
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)


def test_one_after_the_other() -> None:
    """Each block begins from nothing, whatever instruments and tracers the code has kept."""
    tracer, meter = trace.get_tracer("tests"), metrics.get_meter("tests")
    for _ in range(3):
        with testing.captured() as capture:
            with trace.get_tracer("tests").start_as_current_span("work"):
                pass
            metrics.get_meter("tests").create_counter("work.done").add(1)
            assert len(capture.spans) == 1
            assert capture.metrics["work.done"][0].value == 1
    assert tracer is not None
    assert meter is not None


def test_reset_without_a_pipeline() -> None:
    """reset() may be called at any time, also twice."""
    testing.reset()
    testing.reset()


def test_clock() -> None:
    """The clock moves by one step each time it is read."""
    clock = TickingClock(start=10, step=5)

    assert [clock(), clock(), clock()] == [15, 20, 25]
    assert clock.now == 25


def test_sequential_ids() -> None:
    """Trace and span ids count apart; they do not claim to be random."""
    ids = SequentialIds()

    assert [ids.generate_trace_id(), ids.generate_trace_id()] == [1, 2]
    assert [ids.generate_span_id(), ids.generate_span_id()] == [1, 2]
    assert ids.is_trace_id_random() is False


def test_the_fixture_comes_with_the_package(pytester: pytest.Pytester) -> None:
    """A user's test has the fixture without importing anything: the package registers a pytest plugin."""
    pytester.makepyfile(
        """
        import aumos_otel as aumos

        def test_answer(capture):
            with aumos.span("load"):
                pass
            assert capture.span("load").name == "load"
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)


def test_the_plugin_is_light(pytester: pytest.Pytester) -> None:
    """A suite that does not use the fixture does not load the SDK."""
    pytester.makepyfile(
        """
        import sys

        def test_nothing():
            assert "opentelemetry.sdk" not in sys.modules
        """
    )

    result = pytester.runpytest_subprocess("-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)
