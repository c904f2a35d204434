"""The counter counts what the predicates say, whatever the index spares it: by the vectors shared with the collector."""

from __future__ import annotations

import itertools
import json
from types import SimpleNamespace
from typing import Any

import pytest
from opentelemetry.attributes import BoundedAttributes
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanKind, Status, StatusCode
from slo.otlp_facts import Facts, facts, vectors

from aumos_otel.processors.sli import SliCounter
from aumos_otel.slo import sli
from aumos_otel.slo.sli import Sli

FILES = ["built_in", "checks", "conditions", "generated"]
BEGIN = 1_764_000_000_000_000_000


def definitions() -> list[Sli]:
    """Each SLI of the vectors once, under a name of its own."""
    texts = {json.dumps(vector["sli"], sort_keys=True) for name in FILES for vector in vectors(name)}
    return [sli.from_data({**json.loads(text), "name": str(number)}) for number, text in enumerate(sorted(texts))]


def count(counter: SliCounter, known: Facts, *, plain: bool) -> None:
    """Count an event of these facts; ``plain``: of a span whose attributes are not the SDK's."""
    resource: Any = SimpleNamespace(attributes=known.resource)
    scope = InstrumentationScope(known.scope)
    attributes = BoundedAttributes()
    attributes._dict.update(known.attributes)
    if known.kind == "event":
        given = SimpleNamespace(
            event_name=known.name, attributes=attributes, trace_id=0, span_id=0, trace_flags=None, timestamp=1
        )
        record: Any = SimpleNamespace(log_record=given, resource=resource, instrumentation_scope=scope)
        counter.count_event(record)
        return
    span = ReadableSpan(
        known.name,
        resource=resource,
        attributes=known.attributes if plain else attributes,
        events=[Event(name, described, BEGIN) for name, described in known.events],
        kind=SpanKind[known.kind.upper()],
        status=Status(StatusCode[known.status.upper()]),
        start_time=BEGIN,
        end_time=BEGIN + round(known.duration * 1e9),
        instrumentation_scope=scope,
    )
    counter.count_span(span)


@pytest.mark.parametrize("plain", [False, True])
def test_vectors(*, plain: bool) -> None:
    """All SLIs of the vectors at once, over the spans and log records of all of them."""
    slis = definitions()
    counter = SliCounter(slis)
    seen = [facts(vector) for name in FILES for vector in vectors(name)]
    expected = {each.name: (0, 0) for each in slis}
    for each, known in itertools.product(slis, seen):
        verdict = each.verdict(known)
        if verdict is not None:
            events, good = expected[each.name]
            expected[each.name] = (events + 1, good + verdict)

    for known in seen:
        count(counter, known, plain=plain)

    assert counter.counts() == expected
    assert sum(events for events, _ in expected.values()) > len(seen)
