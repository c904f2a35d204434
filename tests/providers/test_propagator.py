"""How context crosses process borders: which headers, and to whom baggage goes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import TextMapPropagator
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from aumos_otel import ConfigError, guard
from aumos_otel.config import PropagationOptions
from aumos_otel.processors import border
from aumos_otel.providers import propagator

HOSTS = ("localhost", "*.svc", "10.0.0.0/16")
PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "baggage": "tenant=acme"}


def inject(kind: SpanKind, host: str | None, provider: TracerProvider | None = None) -> dict[str, str]:
    """The headers that a span of this kind to this host sends."""
    attributes = {} if host is None else {"server.address": host}
    tracer = (provider or TracerProvider(shutdown_on_exit=False)).get_tracer("tests")
    context = baggage.set_baggage("tenant", "acme", Context())
    span = tracer.start_span("call", context, kind=kind, attributes=attributes)
    carrier: dict[str, str] = {}
    build("tracecontext", "baggage").inject(carrier, trace.set_span_in_context(span, context))
    return carrier


@pytest.fixture
def lenient() -> Iterator[None]:
    """Swallow as in production."""
    strict = guard.set_strict(False)
    yield
    guard.set_strict(strict)


def build(*names: str, **options: Any) -> TextMapPropagator:
    """The named propagators with these options, internal hosts as above."""
    return propagator.build(names, HOSTS, PropagationOptions(**options).resolve({}, {}, {}))


def sent(chosen: TextMapPropagator, host: str | None) -> dict[str, str]:
    """The headers of a call to this host, with two entries of baggage."""
    attributes = {} if host is None else {"server.address": host}
    context = baggage.set_baggage("user", "u-1", baggage.set_baggage("tenant", "acme", Context()))
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    call = tracer.start_span("GET", context, kind=SpanKind.CLIENT, attributes=attributes)
    carrier: dict[str, str] = {}
    chosen.inject(carrier, trace.set_span_in_context(call, context))
    return carrier


@pytest.mark.parametrize(
    ("host", "carried"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("orders.shop.svc", True),
        ("10.0.3.7", True),
        ("api.openai.com", False),
        ("orders.shop.svc.evil.example", False),
        ("evil-localhost", False),
        (None, False),
    ],
)
def test_client_spans(host: str | None, carried: bool) -> None:
    """A call to an allowed host carries baggage, any other does not; all carry the trace."""
    carrier = inject(SpanKind.CLIENT, host)

    assert ("baggage" in carrier) is carried
    assert "traceparent" in carrier


@pytest.mark.parametrize("kind", [SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.PRODUCER])
def test_other_spans(kind: SpanKind) -> None:
    """Inside other spans the program injects by hand, into a queue or a job, and is not restricted."""
    assert "baggage" in inject(kind, None)


def test_a_span_that_is_not_recorded() -> None:
    """An unsampled call does not know its host, so it carries no baggage."""
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)

    assert "baggage" not in inject(SpanKind.CLIENT, "localhost", provider)


def test_without_a_span() -> None:
    """Outside any span the program injects by hand."""
    carrier: dict[str, str] = {}

    build("baggage").inject(carrier, baggage.set_baggage("tenant", "acme", Context()))

    assert carrier == {"baggage": "tenant=acme"}


def test_inbound_baggage_is_dropped() -> None:
    """Nobody may plant baggage in us: without a list of keys none is taken, and the trace goes on."""
    context = build("tracecontext", "baggage").extract(PARENT, Context())

    assert not baggage.get_all(context)
    assert trace.get_current_span(context).get_span_context().is_remote


@pytest.mark.parametrize(
    ("keys", "taken"), [(["tenant"], {"tenant": "acme"}), (["team"], {}), (["*"], {"tenant": "acme", "role": "admin"})]
)
def test_inbound_baggage_by_key(keys: list[str], taken: dict[str, str]) -> None:
    """Only listed keys are taken; what the program itself had put into the context stays."""
    chosen = build("tracecontext", "baggage", inbound_baggage_keys=keys)
    before = baggage.set_baggage("local", "1", baggage.set_baggage("role", "none", Context()))

    context = chosen.extract({"baggage": "tenant=acme,role=admin"}, before)

    assert dict(baggage.get_all(context)) == {"local": "1", "role": "none", **taken}


@pytest.mark.parametrize("name", ["tracecontext", "b3", "b3multi", "jaeger"])
@pytest.mark.parametrize(("host", "traced"), [("orders.svc", True), ("api.openai.com", False), (None, False)])
def test_trace_context_goes_to_listed_hosts_only(name: str, host: str | None, traced: bool) -> None:
    """Whichever propagator writes it: outside the list nothing at all is sent."""
    chosen = build(name, "baggage", traceparent_hosts=["*.svc"])

    carrier = sent(chosen, host)

    assert bool(set(carrier) - {"baggage"}) is traced
    assert ("baggage" in carrier) is traced


@pytest.mark.parametrize(("host", "carried"), [("orders.svc", True), ("api.openai.com", False)])
def test_baggage_that_a_propagator_sends_along(host: str, carried: bool) -> None:
    """Jaeger's headers of baggage are baggage, whichever propagator writes them."""
    carrier = sent(build("jaeger"), host)

    assert ("uberctx-tenant" in carrier) is carried
    assert "uber-trace-id" in carrier


def test_outbound_baggage_by_key() -> None:
    """With a list of keys the rest of the baggage stays here, also inside."""
    carrier = sent(build("baggage", baggage_keys=["tenant"]), "orders.svc")

    assert carrier == {"baggage": "tenant=acme"}


def test_a_call_that_names_its_host() -> None:
    """A call that is not recorded carries baggage and trace where its instrumentation tells the host."""
    chosen = build("tracecontext", "baggage", traceparent_hosts=["*.svc"])
    provider = TracerProvider(sampler=ALWAYS_OFF, shutdown_on_exit=False)
    context = baggage.set_baggage("tenant", "acme", Context())
    call = provider.get_tracer("tests").start_span("GET", context, kind=SpanKind.CLIENT)
    context = trace.set_span_in_context(call, context)
    inside: dict[str, str] = {}
    outside: dict[str, str] = {}
    unknown: dict[str, str] = {}

    chosen.inject(inside, border.towards(context, "orders.svc"))
    chosen.inject(outside, border.towards(context, "api.openai.com"))
    chosen.inject(unknown, context)

    assert set(inside) == {"traceparent", "baggage"}
    assert int(inside["traceparent"][-2:], 16) & 1 == 0
    assert outside == unknown == {}


def test_the_host_of_the_url() -> None:
    """A call whose instrumentation records the URL alone is judged by the URL."""
    provider = TracerProvider(shutdown_on_exit=False)
    for url, sends in (("http://orders.svc/a", True), ("http://api.openai.com/", False), ("http://[", False)):
        call = provider.get_tracer("tests").start_span("GET", kind=SpanKind.CLIENT, attributes={"url.full": url})
        carrier: dict[str, str] = {}
        build("tracecontext", traceparent_hosts=["*.svc"]).inject(carrier, trace.set_span_in_context(call))

        assert ("traceparent" in carrier) is sends


@pytest.mark.parametrize("flag", ["00", "01"])
def test_edge(flag: str) -> None:
    """At the edge a client's span is no parent, whatever its flag says; it is remembered for the link."""
    context = build("tracecontext", edge=True).extract(
        {"traceparent": f"{PARENT['traceparent'][:-2]}{flag}"}, Context()
    )

    assert not trace.get_current_span(context).get_span_context().is_valid
    assert border.stranger(context).span_id == 0x00F067AA0BA902B7


def test_edge_without_a_client() -> None:
    """Where nothing was sent, the span that is current stays the parent."""
    provider = TracerProvider(shutdown_on_exit=False)
    before = trace.set_span_in_context(provider.get_tracer("tests").start_span("work"), Context())

    assert build("tracecontext", edge=True).extract({}, before) is before


class Broken(TextMapPropagator):
    """A propagator that fails."""

    fields = frozenset({"x"})

    def inject(self, *args: object, **kwargs: object) -> None:
        """Fail."""
        raise RuntimeError("inject")

    def extract(self, *args: object, **kwargs: object) -> Context:
        """Fail."""
        raise RuntimeError("extract")


def test_a_propagator_that_fails(lenient: None) -> None:
    """Its failure is counted; the others do their work and the user's call goes on."""
    whole = build("tracecontext", "baggage", inbound_baggage_keys=["*"])
    broken = propagator.BorderPropagator([Broken(), *whole._propagators], whole._border)
    before = guard.swallowed()

    assert "traceparent" in sent(broken, "orders.svc")
    assert baggage.get_baggage("tenant", broken.extract(PARENT, Context())) == "acme"
    assert guard.swallowed()["providers.propagator.inject"] == before.get("providers.propagator.inject", 0) + 1
    assert guard.swallowed()["providers.propagator.extract"] == before.get("providers.propagator.extract", 0) + 1


def test_fields() -> None:
    """The headers are known, for frameworks that ask."""
    assert build("tracecontext", "baggage").fields == {"traceparent", "tracestate", "baggage"}


def test_an_unknown_name() -> None:
    """A name that no package registers is a ConfigError that lists those that are."""
    with pytest.raises(ConfigError) as caught:
        build("tracecontext", "pigeon")

    assert caught.value.seen == "pigeon"
    assert "b3multi" in caught.value.expected
