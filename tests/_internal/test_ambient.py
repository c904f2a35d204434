from __future__ import annotations

import contextvars
import subprocess
import sys

import pytest
from opentelemetry import context as otel_context
from opentelemetry import metrics, trace

from aumos_otel._internal import ambient
from aumos_otel._internal.attachment import Attachment, give_back


def test_nothing_private_is_missing() -> None:
    """This version of the API has all the names that are read past its functions."""
    assert ambient.MISSING == []


def test_context_is_the_apis() -> None:
    """What is attached here is current for the API, and the other way round."""
    mine = otel_context.Context({"a": 1})
    token = ambient.attach_context(mine)
    assert otel_context.get_current() is mine
    theirs = otel_context.attach(otel_context.Context({"b": 2}))
    assert ambient.current_context() == {"b": 2}
    otel_context.detach(theirs)
    ambient.detach_context(token)
    assert otel_context.get_current() == {}


def test_span_key_is_the_apis() -> None:
    """A span under the key is the API's current span."""
    span = trace.NonRecordingSpan(trace.SpanContext(1, 2, is_remote=False))
    assert trace.get_current_span(otel_context.Context({ambient.SPAN_KEY: span})) is span


def test_providers_appear_as_they_are_installed(capture) -> None:
    """The global providers are seen; before there are any, there is None."""
    assert ambient.TRACERS[ambient.TRACER] is trace.get_tracer_provider()
    assert ambient.METERS[ambient.METER] is metrics.get_meter_provider()


def test_without_providers_there_is_none() -> None:
    """Nobody has installed one."""
    assert ambient.TRACERS[ambient.TRACER] is None
    assert ambient.METERS[ambient.METER] is None


def test_provider_that_the_environment_names_is_asked_for() -> None:
    """With OTEL_PYTHON_TRACER_PROVIDER set the API makes the provider itself, and a decorated call gets its span."""
    program = """
import aumos_otel as aumos
from opentelemetry import trace

@aumos.span("work")
def work():
    return trace.get_current_span().is_recording()

print(work())
"""
    environ = {"OTEL_PYTHON_TRACER_PROVIDER": "sdk_tracer_provider", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", program], env=environ, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "True"


class TestFallback:
    """Where the API's context variable cannot be reached."""

    @pytest.fixture(autouse=True)
    def _public(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ambient, "MISSING", [])
        monkeypatch.setattr(otel_context, "_RUNTIME_CONTEXT", None)
        functions = ambient._context_functions()
        monkeypatch.undo()
        self.current, self.attach, self.detach = functions

    def test_same_behaviour(self) -> None:
        """The public functions do the same."""
        token = self.attach(otel_context.Context({"a": 1}))
        assert self.current() == {"a": 1}
        self.detach(token)
        assert self.current() == {}

    def test_token_of_another_context(self) -> None:
        """A token of another thread or task is refused with ValueError, and nothing is logged."""
        token = contextvars.copy_context().run(self.attach, otel_context.Context())
        with pytest.raises(ValueError, match="different Context"):
            self.detach(token)


class TestAttachment:
    """Contexts for a block."""

    def test_release_tells_what_was_current(self) -> None:
        """What the block made current in its turn comes back, and what was before it is current again."""
        attachment = Attachment(otel_context.Context({"a": 1}))
        inner = otel_context.Context({"b": 2})
        otel_context.attach(inner)
        assert attachment.release() is inner
        assert otel_context.get_current() == {}

    def test_release_elsewhere(self) -> None:
        """Released in a copy of its context, what was before it is current there; in any other nothing changes."""
        mine, before = otel_context.Context({"a": 1}), otel_context.Context({"before": 1})

        def elsewhere(token: object) -> object:
            assert give_back(token, mine) is mine
            return otel_context.get_current()

        def attach() -> tuple[object, contextvars.Context]:
            otel_context.attach(before)
            return ambient.attach_context(mine), contextvars.copy_context()

        token, copied = contextvars.copy_context().run(attach)
        assert copied.run(elsewhere, token) == before
        assert contextvars.copy_context().run(elsewhere, token) == {}
