"""Counting the events of SLIs."""

from __future__ import annotations

import asyncio
import os
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, AlwaysRecordSampler
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from aumos_otel import guard
from aumos_otel._compat import tracing
from aumos_otel.processors.sli import SliCounter, SliLogProcessor, SliProcessor
from aumos_otel.processors.verdict import Weighted

from .slis import Demand, PythonSli, counting, end

SERVER = PythonSli("server", lambda facts: facts.kind == "server", discriminator=Demand(kinds=frozenset({"server"})))
EVERYTHING = PythonSli("everything")


def test_every_span_is_counted_once_by_each_of_its_slis() -> None:
    """A span counts for the SLIs that it is an event of, well or badly, and for no other one."""
    counter = SliCounter([SERVER, EVERYTHING])
    provider = counting(counter)

    end(provider, kind=SpanKind.SERVER)
    end(provider, kind=SpanKind.SERVER, error=True)
    end(provider, error=True)

    assert counter.counts() == {"server": (2, 1), "everything": (3, 1)}


def test_what_sampling_drops_is_counted() -> None:
    """A span that is recorded and not sampled counts like any other, but no exemplar leads to it."""
    counter = SliCounter([EVERYTHING])
    provider = counting(counter, sampler=AlwaysRecordSampler(ALWAYS_OFF))

    end(provider)
    end(provider, error=True)

    assert counter.counts() == {"everything": (2, 1)}
    (traces,) = counter.table.traces.values()
    assert traces.bad == []
    assert traces.good is None


def test_facts() -> None:
    """A predicate sees the kind, name, scope, status, attributes, resource, duration and events of a span."""
    seen: list[Any] = []

    def look(facts: Any) -> bool:
        of_span = (facts.kind, facts.name, facts.scope, facts.status, facts.duration)
        events = [(name, dict(attributes)) for name, attributes in facts.events]
        seen.append((*of_span, dict(facts.attributes), dict(facts.resource), events))
        return True

    counter = SliCounter([PythonSli("any", look, look)])
    provider = counting(counter, resource=Resource({"team": "red"}))
    span = provider.get_tracer("shop").start_span("pay", kind=SpanKind.CLIENT, attributes={"n": 1}, start_time=10**9)
    span.add_event("retry", {"after": 2})
    span.set_status(StatusCode.OK)
    span.end(end_time=10**9 + 250_000_000)

    wanted = ("client", "pay", "shop", "ok", 0.25, {"n": 1}, {"team": "red"}, [("retry", {"after": 2})])
    assert seen == [wanted, wanted]


@pytest.mark.parametrize("kind", list(SpanKind))
def test_kinds(kind: SpanKind) -> None:
    """Each kind is its word."""
    counter = SliCounter([PythonSli("it", lambda facts: facts.kind == kind.name.lower())])

    end(counting(counter), kind=kind)

    assert counter.counts() == {"it": (1, 1)}


def test_without_attributes_scope_or_times() -> None:
    """A span of another package that lacks everything that can be lacking is counted."""
    counter = SliCounter([PythonSli("it", good=lambda facts: facts.duration == 0 and facts.scope == "")])
    processor = SliProcessor(counter)

    processor.on_end(ReadableSpan("bare", resource=Resource.get_empty()))
    processor.on_end(ReadableSpan("back", resource=Resource.get_empty(), start_time=9, end_time=1))

    assert counter.counts() == {"it": (2, 2)}


def test_spans_of_other_types() -> None:
    """What is made of a finished span by others is read by its public names."""

    class Other:
        name, kind, status, attributes = "other", SpanKind.SERVER, Status(StatusCode.ERROR), {"aumos.tenant.id": "acme"}
        context = SpanContext(1, 2, False, TraceFlags(1))
        start_time, end_time, events, resource, instrumentation_scope = 1, 2, (), Resource({}), None

    counter = SliCounter([SERVER])
    processor: Any = SliProcessor(counter)
    provider = TracerProvider(shutdown_on_exit=False)
    span = end(provider, kind=SpanKind.SERVER, tenant="acme")

    processor.on_end(Other())
    processor.on_end(Weighted(span, 10.0, span.context))
    processor.on_end(span)

    assert counter.counts() == {"server": (3, 2)}
    assert set(counter.read().series) == {(0, None), (0, "acme")}


def test_an_sdk_that_keeps_spans_differently(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the SDK's private names are others, spans are read by their public ones."""
    monkeypatch.setattr(tracing, "_can_read_spans", False)
    counter = SliCounter([SERVER, PythonSli("route", lambda facts: facts.attributes.get("route") == "/a")])
    provider = counting(counter)

    end(provider, kind=SpanKind.SERVER, tenant="acme", route="/a")

    assert counter.counts() == {"server": (1, 1), "route": (1, 1)}
    assert (0, "acme") in counter.read().series


def test_the_sdk_keeps_spans_as_expected() -> None:
    """With this SDK the private names are there."""
    assert tracing._can_read_spans


def test_ended_twice() -> None:
    """A span that is ended again counts once."""
    counter = SliCounter([EVERYTHING])

    end(counting(counter)).end()

    assert counter.counts() == {"everything": (1, 1)}


def test_after_shutdown() -> None:
    """What ends after its provider was shut down is still counted: it happened."""
    counter = SliCounter([EVERYTHING])
    provider = counting(counter)
    span = provider.get_tracer("tests").start_span("late")
    provider.shutdown()

    span.end()

    assert counter.counts() == {"everything": (1, 1)}


def test_a_predicate_that_fails_costs_its_own_sli_the_event() -> None:
    """The other SLIs go on, the user's code sees nothing, and the failure is counted by SLI."""

    def fail(facts: Any) -> bool:
        raise ValueError(facts.name)

    counter = SliCounter([PythonSli("first"), PythonSli("broken", fail), PythonSli("last")])
    before = guard.swallowed().get("processors.sli.broken", 0)

    end(counting(counter))

    assert counter.counts() == {"first": (1, 1), "broken": (0, 0), "last": (1, 1)}
    assert guard.swallowed()["processors.sli.broken"] == before + 1


def test_a_span_without_a_usable_context() -> None:
    """Its events count, for all of its SLIs; only the trace behind them is not known."""
    counter = SliCounter([PythonSli("first"), PythonSli("last")])
    context: Any = SimpleNamespace(trace_flags=None)
    before = guard.swallowed().get("processors.sli.first", 0)

    SliProcessor(counter).on_end(ReadableSpan("odd", context, resource=Resource.get_empty()))

    assert counter.counts() == {"first": (1, 1), "last": (1, 1)}
    assert guard.swallowed()["processors.sli.first"] == before + 1


def test_a_span_that_cannot_be_read() -> None:
    """A span whose parts raise is counted as a failure of ours and harms nobody."""

    class Broken(ReadableSpan):
        @property
        def kind(self) -> SpanKind:
            raise RuntimeError

    counter = SliCounter([EVERYTHING])
    before = guard.swallowed().get("processors.sli", 0)

    SliProcessor(counter).on_end(Broken("broken", resource=Resource.get_empty()))

    assert guard.swallowed()["processors.sli"] == before + 1
    assert counter.counts() == {"everything": (0, 0)}


@pytest.mark.parametrize("kind", [KeyboardInterrupt, SystemExit, asyncio.CancelledError])
def test_what_ends_the_users_work_passes_through(kind: type[BaseException]) -> None:
    """An interruption while a span is counted reaches the user; what was counted before it stays."""

    def interrupt(_facts: Any) -> bool:
        raise kind

    counter = SliCounter([PythonSli("first"), PythonSli("second", interrupt)])
    provider = counting(counter)

    with pytest.raises(kind):
        end(provider)

    assert counter.counts() == {"first": (1, 1), "second": (0, 0)}


def test_a_predicate_that_ends_a_span() -> None:
    """A span that ends while another one is counted is counted too."""
    counter = SliCounter()
    provider = counting(counter)

    def nested(facts: Any) -> bool:
        if facts.name == "outer":
            end(provider, "inner")
        return True

    counter.add(PythonSli("it", nested))
    end(provider, "outer")

    assert counter.counts() == {"it": (2, 2)}


def test_an_sli_that_comes_later() -> None:
    """It is counted from then on, and has a place behind the others."""
    counter = SliCounter([SERVER])
    provider = counting(counter)
    end(provider)

    counter.add(EVERYTHING)
    end(provider)

    assert counter.counts() == {"server": (0, 0), "everything": (1, 1)}
    assert counter.find("everything") is EVERYTHING
    assert counter.find("other") is None


def test_two_slis_of_one_name(caplog: pytest.LogCaptureFixture) -> None:
    """The same again is nothing new; another one is told and not counted."""
    counter = SliCounter([SERVER, SERVER])
    assert counter.slis == (SERVER,)

    counter.add(PythonSli("server", lambda _facts: True))

    assert counter.slis == (SERVER,)
    assert "'server' is defined twice" in caplog.text


def test_tenants() -> None:
    """Events of a tenant have a series of their own, those without one have theirs."""
    counter = SliCounter([EVERYTHING])
    provider = counting(counter)

    end(provider, tenant="acme")
    end(provider, tenant="acme", error=True)
    end(provider, tenant="")
    SliProcessor(counter).on_end(
        ReadableSpan("odd", resource=Resource.get_empty(), attributes={"aumos.tenant.id": ["a"]})  # type: ignore[dict-item]  # that is what is tested
    )

    assert counter.read().series == {(0, None): (2, 2), (0, "acme"): (2, 1)}


def test_attributes_beyond_the_limit() -> None:
    """A predicate sees what the SDK has kept of the attributes."""
    counter = SliCounter([PythonSli("it", lambda facts: len(facts.attributes) == 2)])

    end(counting(counter, span_limits=SpanLimits(max_span_attributes=2)), a=1, b=2, c=3)

    assert counter.counts() == {"it": (1, 1)}


class TestEvents:
    """Log records that are events."""

    def emit(self, counter: SliCounter, **record: Any) -> None:
        """Emit one log record."""
        record = {"severity_number": SeverityNumber.INFO, **record}
        provider = LoggerProvider(resource=Resource({"team": "red"}), shutdown_on_exit=False)
        provider.add_log_record_processor(SliLogProcessor(counter))
        provider.get_logger("tests").emit(LogRecord(**record))

    def test_an_event(self) -> None:
        """A log record with an event name is one: kind event, by its name, attributes, scope and resource."""
        sli = PythonSli(
            "score",
            lambda facts: (
                (facts.kind, facts.name, facts.scope, dict(facts.resource))
                == ("event", "evaluation", "tests", {"team": "red"})
            ),
            lambda facts: facts.attributes["score"] > 0.5 and not facts.duration and facts.status == "unset",
            Demand(kinds=frozenset({"event"}), names=frozenset({"evaluation"})),
        )
        counter = SliCounter([sli])

        for score in (0.9, 0.1):
            self.emit(counter, event_name="evaluation", attributes={"score": score})
        self.emit(counter, event_name="other", attributes={"score": 1})

        assert counter.counts() == {"score": (2, 1)}

    def test_a_line_of_a_log(self) -> None:
        """A log record without an event name is none, and one without attributes is."""
        counter = SliCounter([EVERYTHING])

        self.emit(counter, body="hello", attributes={"a": 1})
        self.emit(counter, event_name="it")

        assert counter.counts() == {"everything": (1, 1)}

    def test_its_trace(self) -> None:
        """A bad event leads to the span in which it happened."""
        counter = SliCounter([PythonSli("it", good=lambda _facts: False)])
        with TracerProvider(shutdown_on_exit=False).get_tracer("tests").start_as_current_span("work") as span:
            self.emit(counter, event_name="it", timestamp=7)
        self.emit(counter, event_name="it")

        counter.read()
        (traces,) = counter.table.traces.values()
        assert [(trace.trace_id, trace.span_id, trace.time) for _, trace in traces.bad] == [
            (span.get_span_context().trace_id, span.get_span_context().span_id, 7)
        ]

    def test_a_broken_record(self) -> None:
        """A record that cannot be read harms nobody."""
        before = guard.swallowed().get("processors.sli", 0)
        processor: Any = SliLogProcessor(SliCounter([EVERYTHING]))

        processor.on_emit(SimpleNamespace(log_record=None))
        processor.shutdown()

        assert guard.swallowed()["processors.sli"] == before + 1
        assert processor.force_flush()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_a_fork_starts_at_zero() -> None:
    """What was counted before a fork is the parent's alone, and the child counts on with the same SLIs."""
    counter = SliCounter([EVERYTHING])
    provider = counting(counter)
    end(provider)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        end(provider, error=True)
        end(provider)
        os.write(write, repr(counter.counts()).encode())
        os._exit(0)
    os.waitpid(child, 0)

    assert os.read(read, 1000).decode() == repr({"everything": (2, 1)})
    assert counter.counts() == {"everything": (1, 1)}


def test_without_slis_a_span_is_not_looked_at() -> None:
    """With nothing to count nothing is read of the span."""
    processor: Any = SliProcessor(SliCounter())

    before = guard.swallowed()

    processor.on_end(object())

    assert guard.swallowed() == before
