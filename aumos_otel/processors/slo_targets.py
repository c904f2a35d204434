"""The targets of objectives as observations, which tell a reader of metrics how each objective is defined."""

from __future__ import annotations

from typing import TYPE_CHECKING

from opentelemetry.metrics import Observation

from aumos_otel.semconv import attributes
from aumos_otel.slo import quantity
from aumos_otel.slo.indicator import Counted, Spans
from aumos_otel.slo.policy import BUILT_IN
from aumos_otel.slo.window import Rolling

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aumos_otel.slo.objective import Objective


def targets(objectives: Iterable[Objective]) -> list[Observation]:
    """The share that must be good, of each objective."""
    return [Observation(float(objective.target), _described(objective)) for objective in objectives]


def _described(objective: Objective) -> dict[str, str]:
    """The attributes of an objective's target."""
    window, policy, indicator = objective.window, objective.policy, objective.indicator
    known = {
        attributes.AUMOS_SLO_NAME: objective.name,
        attributes.AUMOS_SLO_WINDOW: quantity.duration_text(window.seconds)
        if isinstance(window, Rolling)
        else window.unit,
        attributes.AUMOS_SLO_POLICY: policy.name if BUILT_IN.get(policy.name) == policy else policy.expression,
    }
    if isinstance(indicator, Spans):
        known[attributes.AUMOS_SLI_NAME] = indicator.sli.name
    elif isinstance(indicator, Counted):
        known[attributes.AUMOS_SLI_NAME] = indicator.name
    if objective.owner:
        known[attributes.AUMOS_OWNER] = objective.owner
    return known
