"""How context crosses process borders: which headers, and to whom baggage goes."""

from __future__ import annotations

import pytest
from opentelemetry import baggage, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF
from opentelemetry.trace import SpanKind

from aumos_otel import ConfigError
from aumos_otel.providers import propagator

HOSTS = ("localhost", "*.svc", "10.0.*")
PARENT = {"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "baggage": "tenant=acme"}


def inject(kind: SpanKind, host: str | None, provider: TracerProvider | None = None) -> dict[str, str]:
    """The headers that a span of this kind to this host sends."""
    attributes = {} if host is None else {"server.address": host}
    tracer = (provider or TracerProvider(shutdown_on_exit=False)).get_tracer("tests")
    context = baggage.set_baggage("tenant", "acme", Context())
    span = tracer.start_span("call", context, kind=kind, attributes=attributes)
    carrier: dict[str, str] = {}
    propagator.build(("tracecontext", "baggage"), HOSTS).inject(carrier, trace.set_span_in_context(span, context))
    return carrier


@pytest.mark.parametrize(
    ("host", "sent"),
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
def test_client_spans(host: str | None, sent: bool) -> None:
    """A call to an allowed host carries baggage, any other does not; all carry the trace."""
    carrier = inject(SpanKind.CLIENT, host)

    assert ("baggage" in carrier) is sent
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

    propagator.build(("baggage",), ()).inject(carrier, baggage.set_baggage("tenant", "acme", Context()))

    assert carrier == {"baggage": "tenant=acme"}


def test_extraction_is_not_restricted() -> None:
    """Inbound baggage is read from everybody."""
    context = propagator.build(("tracecontext", "baggage"), ()).extract(PARENT, Context())

    assert baggage.get_baggage("tenant", context) == "acme"
    assert trace.get_current_span(context).get_span_context().is_remote


def test_fields() -> None:
    """The headers are known, for frameworks that ask."""
    assert propagator.build(("tracecontext", "baggage"), ()).fields == {"traceparent", "tracestate", "baggage"}


def test_an_unknown_name() -> None:
    """A name that no package registers is a ConfigError that lists those that are."""
    with pytest.raises(ConfigError) as caught:
        propagator.build(("tracecontext", "pigeon"), ())

    assert caught.value.seen == "pigeon"
    assert "b3multi" in caught.value.expected
