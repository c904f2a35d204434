from __future__ import annotations

import math

import pytest

import aumos_otel as aumos
from aumos_otel import guard, llm


def events(capture) -> list:
    """The evaluation events."""
    return [log.log_record for log in capture.logs if log.log_record.event_name == "gen_ai.evaluation.result"]


def test_event_and_metric(capture) -> None:
    """An evaluation is an event with all that was given, and a score in the histogram."""
    llm.record_evaluation(
        name="faithfulness", score=0.92, label="pass", explanation="all cited", response_id="chatcmpl-1"
    )

    (event,) = events(capture)
    assert dict(event.attributes) == {
        "gen_ai.evaluation.name": "faithfulness",
        "gen_ai.evaluation.score.value": 0.92,
        "gen_ai.evaluation.score.label": "pass",
        "gen_ai.evaluation.explanation": "all cited",
        "gen_ai.response.id": "chatcmpl-1",
    }
    assert event.timestamp
    (point,) = capture.metrics["gen_ai.evaluation.score"]
    assert (point.count, point.sum) == (1, 0.92)
    assert dict(point.attributes) == {
        "gen_ai.evaluation.name": "faithfulness",
        "gen_ai.evaluation.score.label": "pass",
    }


def test_belongs_to_the_current_span(capture, answer) -> None:
    """Inside a call the event is part of its span and takes the response id from it."""
    with llm.span("chat", model="m") as call:
        call.record(answer(id="chatcmpl-2"))
        llm.record_evaluation(name="length", label="short")

    (event,) = events(capture)
    assert event.span_id == capture.span("chat m").context.span_id
    assert event.attributes["gen_ai.response.id"] == "chatcmpl-2"
    assert "gen_ai.evaluation.score" not in capture.metrics


def test_failed_evaluation(capture) -> None:
    """An evaluation that failed has an error type instead of a score."""
    llm.record_evaluation(name="judge", error_type="TimeoutError")

    (event,) = events(capture)
    assert event.attributes["error.type"] == "TimeoutError"
    assert "gen_ai.evaluation.score.value" not in event.attributes


def test_tenant(capture) -> None:
    """A bound tenant is on the event and on the metric."""
    with aumos.bind(tenant_id="acme"):
        llm.record_evaluation(name="length", score=1)

    (point,) = capture.metrics["gen_ai.evaluation.score"]
    assert point.attributes["aumos.tenant.id"] == "acme"
    assert events(capture)[0].attributes["aumos.tenant.id"] == "acme"


@pytest.mark.parametrize("score", [math.nan, math.inf, "high", object()])
def test_wrong_scores_do_not_raise(capture, score: object) -> None:
    """A score that is no finite number is not recorded, and the caller is not disturbed."""
    guard.set_strict(False)
    llm.record_evaluation(name="length", score=score)
    llm.record_evaluation(name="length", score=0.5)

    (point,) = capture.metrics["gen_ai.evaluation.score"]
    assert (point.count, point.sum) == (1, 0.5)


def test_without_an_sdk() -> None:
    """Without an SDK nothing happens."""
    llm.record_evaluation(name="length", score=1)
