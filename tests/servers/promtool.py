"""Objectives compiled and run by promtool: Prometheus' own engine over series that are written down in a test."""

from __future__ import annotations

import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import yaml
from servers import backends

from aumos_otel.slo import rulefile
from aumos_otel.slo.indicator import (
    Indicator,
    Query,
    Ratio,
)
from aumos_otel.slo.objective import Definitions, Objective, Prometheus

BURN = 'ALERTS{{alertname="SLOErrorBudgetBurn",severity="{severity}",alertstate="firing"}}'
PAGE, TICKET = BURN.format(severity="page"), BURN.format(severity="ticket")
RATIO = Ratio(total=Query('requests_total{job="shop"}'), bad=Query('requests_total{job="shop",code=~"5.."}'))


def objective(indicator: Indicator = RATIO, target: str = "0.999", **more: Any) -> Objective:
    """An objective called ``buy`` of the service ``shop``."""
    return Objective(**{"name": "buy", "service": "shop", "target": Decimal(target), "indicator": indicator, **more})


def requests(good: str, bad: str, instance: str = "a") -> dict[str, str]:
    """Two counters in promtool's notation."""
    return {
        f'requests_total{{job="shop",code="200",instance="{instance}"}}': good,
        f'requests_total{{job="shop",code="500",instance="{instance}"}}': bad,
    }


def ramp(*pieces: tuple[float, int], first: float = 100) -> str:
    """A counter in promtool's notation: pieces of (increase a sample, samples) without a jump between them.

    It does not begin at 0: near it Prometheus extrapolates less, see `promql`.
    """
    written, value = [], first
    for increase, samples in pieces:
        written.append(f"{value:g}+{increase:g}x{samples - 1}")
        value += increase * samples
    return " ".join(written)


class Bench:
    """Runs promtool over rules and series."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def compile(self, *objectives: Objective, prometheus: Prometheus | None = None, names: Any = "aumos") -> Path:
        """The rule file."""
        path = self.directory / "rules.yml"
        definitions = Definitions(objectives=objectives, prometheus=prometheus or Prometheus())
        path.write_text(rulefile.rule_file(rulefile.groups(definitions, names=names)))
        return path

    def run(
        self,
        series: dict[str, str],
        expected: dict[tuple[str, str], float | None],
        *,
        every: str = "15s",
        evaluated: str = "1m",
        start: int = 0,
        alerts: list[dict[str, Any]] | None = None,
    ) -> None:
        """Assert the value of each (expression, time), which have to give one sample; None: none at all."""
        samples: list[dict[str, Any]] = []
        for (text, at), value in expected.items():
            found = f"sum({text})"
            if value is None:
                samples.append({"expr": found, "eval_time": at, "exp_samples": []})
                continue
            # Two sums of floats are the same up to here; promtool shows what was there instead.
            near = f"abs({found} - {value!r}) <= {1e-9 * max(1, math.fabs(value))!r}"
            samples.append({"expr": f"{found} unless {near}", "eval_time": at, "exp_samples": []})
            samples.append({"expr": f"count({found})", "eval_time": at, "exp_samples": [{"labels": "{}", "value": 1}]})
        test = {
            "interval": every,
            "start_timestamp": start,
            "input_series": [{"series": name, "values": values} for name, values in series.items()],
            "promql_expr_test": samples,
            "alert_rule_test": alerts or [],
        }
        groups = yaml.safe_load((self.directory / "rules.yml").read_text())["groups"]
        path = self.directory / "test.yml"
        path.write_text(
            yaml.safe_dump(
                {
                    "rule_files": ["rules.yml"],
                    "evaluation_interval": evaluated,
                    "group_eval_order": [group["name"] for group in groups],
                    "tests": [test],
                }
            )
        )
        done = backends.promtool("test", "rules", str(path))
        assert done.returncode == 0, done.stdout + done.stderr
