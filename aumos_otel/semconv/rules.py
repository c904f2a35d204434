"""Recording rules and alerts; a name that ends in its operation is followed by a window.

Generated from registry.yaml by tools/semconv.py; do not edit.
"""

from __future__ import annotations


from typing import Final


AUMOS_SLO_GOOD_INCREASE: Final = "aumos_slo:good:increase"

AUMOS_SLO_TOTAL_INCREASE: Final = "aumos_slo:total:increase"

AUMOS_SLO_PERIOD_GOOD_INCREASE1M: Final = "aumos_slo_period:good:increase1m"

AUMOS_SLO_PERIOD_TOTAL_INCREASE1M: Final = "aumos_slo_period:total:increase1m"

AUMOS_SLO_ERRORS_RATIO: Final = "aumos_slo:errors:ratio"

AUMOS_SLO_BURN_RATE: Final = "aumos_slo:burn:rate"

AUMOS_SLO_TARGET_RATIO: Final = "aumos_slo:target:ratio"

AUMOS_SLO_PERIOD_GOOD: Final = "aumos_slo:period:good"

AUMOS_SLO_PERIOD_TOTAL: Final = "aumos_slo:period:total"

AUMOS_SLO_BUDGET_REMAINING_RATIO: Final = "aumos_slo:budget:remaining_ratio"

AUMOS_SLO_BUDGET_REMAINING_EVENTS: Final = "aumos_slo:budget:remaining_events"

AUMOS_SLO_BUDGET_REMAINING_MINUTES: Final = "aumos_slo:budget:remaining_minutes"

AUMOS_SLO_BUDGET_EXHAUSTION_SECONDS: Final = "aumos_slo:budget:exhaustion_seconds"

AUMOS_SLO_WINDOW_COVERAGE_RATIO: Final = "aumos_slo:window:coverage_ratio"

AUMOS_SLO_INFO: Final = "aumos_slo:info"

SLO_SLI_ERROR_RATIO_RATE: Final = "slo:sli_error:ratio_rate"

SLO_OBJECTIVE_RATIO: Final = "slo:objective:ratio"

SLO_ERROR_BUDGET_RATIO: Final = "slo:error_budget:ratio"

SLO_TIME_PERIOD_DAYS: Final = "slo:time_period:days"

SLO_CURRENT_BURN_RATE_RATIO: Final = "slo:current_burn_rate:ratio"

SLO_PERIOD_BURN_RATE_RATIO: Final = "slo:period_burn_rate:ratio"

SLO_PERIOD_ERROR_BUDGET_REMAINING_RATIO: Final = "slo:period_error_budget_remaining:ratio"

SLOTH_SLO_INFO: Final = "sloth_slo_info"

ALERT_SLO_ERROR_BUDGET_BURN: Final = "SLOErrorBudgetBurn"

ALERT_SLO_METRIC_ABSENT: Final = "SLOMetricAbsent"

ALERT_SLO_EVALUATION_STALE: Final = "SLOEvaluationStale"

ALERT_SLO_GOOD_EXCEEDS_TOTAL: Final = "SLOGoodExceedsTotal"
