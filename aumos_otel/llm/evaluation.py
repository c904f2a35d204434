"""Scores that somebody gave an answer: an event and a metric."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from opentelemetry._logs import SeverityNumber

from aumos_otel import context, guard
from aumos_otel.llm import events, metrics, settings, spans
from aumos_otel.semconv import attributes as attr
from aumos_otel.semconv.events import GEN_AI_EVALUATION_RESULT

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue


def record_evaluation(
    *,
    name: str,
    score: float | None = None,
    label: str | None = None,
    explanation: str | None = None,
    response_id: str | None = None,
    error_type: str | None = None,
) -> None:
    """Record one evaluation as event ``gen_ai.evaluation.result`` and metric ``gen_ai.evaluation.score``.

    The event belongs to the current span; ``response_id`` ties it to an answer given
    elsewhere, and inside an LLM call is that call's own unless given.

    Args:
        name: what was evaluated, e.g. ``"faithfulness"``.
        score: the score, commonly from 0 to 1.
        label: the verdict in a word, e.g. ``"pass"``.
        explanation: why, in words; goes to the event only.
        response_id: id of the answer as its provider gave it.
        error_type: class of the error when the evaluation itself failed.

    >>> from aumos_otel import llm
    >>> llm.record_evaluation(name="faithfulness", score=0.92, label="pass", response_id="chatcmpl-1")
    """
    if not settings.current().enabled:
        return
    with guard.swallow("llm.evaluation"):
        value = None if score is None else float(score)
        if value is not None and not math.isfinite(value):
            raise ValueError(f"evaluation {name!r}: score is {value}, expected a finite number")
        answer = response_id if response_id is not None else spans.current().response_id
        found: dict[str, AttributeValue | None] = {
            attr.GEN_AI_EVALUATION_NAME: name,
            attr.GEN_AI_EVALUATION_SCORE_VALUE: value,
            attr.GEN_AI_EVALUATION_SCORE_LABEL: label,
            attr.GEN_AI_EVALUATION_EXPLANATION: explanation,
            attr.GEN_AI_RESPONSE_ID: answer,
            attr.ERROR_TYPE: error_type,
        }
        told: metrics.Bag = {key: value for key, value in found.items() if value is not None}
        events.emit(GEN_AI_EVALUATION_RESULT, told, SeverityNumber.INFO)
        tenant = context.metric_tenant()
        if tenant is not None:
            told[attr.AUMOS_TENANT_ID] = tenant
        if value is not None:
            metrics.evaluation(value, told)
