"""What a destination may see: what is remembered about a text holds for the place where it was found."""

from __future__ import annotations

from delivery.written import Recorder, redactor

from aumos_otel.delivery.policy import Policy
from aumos_otel.delivery.reading import span_record


def test_a_key_that_has_the_name_of_a_place() -> None:
    """A text that is clean as the name of a span is still a secret under a key that the user calls one."""
    policy = Policy("full", "full", redactor(keys=("name",)))
    span = Recorder().span({"name": "swordfish"}, "swordfish")

    for _ in range(2):
        record = policy.applied(span_record(span))
        assert (record.name, record.attributes["name"]) == ("swordfish", "[REDACTED:name]")


def test_many_texts() -> None:
    """What is remembered is bounded, and forgetting changes nothing."""
    policy = Policy("full", "full", redactor())
    spans = [Recorder().span({"a": f"value {number}", "b": "password=hunter22"}) for number in range(5000)]

    records = [policy.applied(span_record(span)) for span in spans]

    assert [record.attributes["a"] for record in records] == [f"value {number}" for number in range(5000)]
    assert {record.attributes["b"] for record in records} == {"password=[REDACTED:password]"}
    assert len(policy._clean_values) <= 4096
