"""Recording rules of an objective, in the order in which a group has to evaluate them.

| level | names | of what |
|---|---|---|
| 0 | ``aumos_slo:total:increase1m`` and ``good`` | the only rules that see the user's series: events of the last minute |
| 0 | ``aumos_slo_period:…`` | the same, marked with the calendar period that the minute belongs to |
| 1 | ``aumos_slo:total:increase{window}`` and ``good`` | sums of level 0 |
| 2 | ``aumos_slo:errors:ratio{window}``, ``aumos_slo:burn:rate{window}`` | one division, at the end |
| budget | ``aumos_slo:period:…``, ``aumos_slo:budget:…`` | sums of level 0 over the objective's period, in a slower group |
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfoNotFoundError

from aumos_otel.semconv import attributes
from aumos_otel.semconv import rules as names
from aumos_otel.slo import promql, promql_calendar, quantity
from aumos_otel.slo.forecast import BLENDED
from aumos_otel.slo.policy import BUILT_IN
from aumos_otel.slo.promql import Events, label, number
from aumos_otel.slo.window import Calendar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aumos_otel.slo.objective import Definitions, Objective
    from aumos_otel.slo.promql_calendar import Period

#: A rule as Prometheus reads it: ``record`` or ``alert``, ``expr``, ``labels`` …
Rule = dict[str, Any]

#: Whose rules they are when nobody says otherwise.
OWNER: Final = "aumos-otel"
SERVICE: Final = label(attributes.AUMOS_SLO_SERVICE)
NAME: Final = label(attributes.AUMOS_SLO_NAME)
VERSION: Final = label(attributes.AUMOS_SLO_VERSION)
OWNED_BY: Final = label(attributes.AUMOS_OWNER)
_PERIOD: Final = label(attributes.AUMOS_SLO_PERIOD)
_NOT_IN_LABELS: Final = re.compile(r"[^a-zA-Z0-9_]")

_MINUTE: Final = 60
#: Seconds between two evaluations of a budget.
SLOWER: Final = 300
_MARKED_TOTAL: Final = names.AUMOS_SLO_PERIOD_TOTAL_INCREASE1M
_MARKED_GOOD: Final = names.AUMOS_SLO_PERIOD_GOOD_INCREASE1M


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes the rules of one objective for one owner, and knows their series."""

    objective: Objective
    definitions: Definitions
    owner: str = OWNER

    @property
    def labels(self) -> dict[str, str]:
        """What every series of the objective carries, beside ``group_by``."""
        objective = self.objective
        return {
            SERVICE: objective.service,
            NAME: objective.name,
            VERSION: objective.version,
            OWNED_BY: self.owner,
        }

    def series(self, name: str, seconds: int | None = None, more: str = "") -> str:
        """The selector of a recorded series; of the one for a window when ``seconds`` are given."""
        window = "" if seconds is None else quantity.duration_text(seconds)
        matchers = ",".join(f"{key}={promql.quoted(value)}" for key, value in self.labels.items())
        return f"{name}{window}{{{matchers}{',' + more if more else ''}}}"

    def levels(self) -> list[Rule]:
        """Level 0 to burn rates.

        Raises:
            ObjectiveError: the indicator has no expression, or nobody knows the time zone.
        """
        recorded = promql.events(self.objective, self.definitions, self._recorded)
        rules = [
            self.rule(names.AUMOS_SLO_TARGET_RATIO, f"vector({number(self.objective.target)})"),
            self.rule(names.AUMOS_SLO_TOTAL_INCREASE + "1m", recorded.total),
            self.rule(names.AUMOS_SLO_GOOD_INCREASE + "1m", recorded.good),
        ]
        if (calendar := self.calendar()) is not None:
            mark = f'on () group_left ({_PERIOD}) count_values("{_PERIOD}", {calendar.before})'
            rules += [
                self.rule(_MARKED_TOTAL, f"{self.series(names.AUMOS_SLO_TOTAL_INCREASE, _MINUTE)} * {mark}"),
                self.rule(_MARKED_GOOD, f"{self.series(names.AUMOS_SLO_GOOD_INCREASE, _MINUTE)} * {mark}"),
            ]
        policy = self.objective.burn_policy.windows
        summed = [window for window in policy if window != _MINUTE]
        for name in (names.AUMOS_SLO_TOTAL_INCREASE, names.AUMOS_SLO_GOOD_INCREASE):
            rules += [self.rule(name + quantity.duration_text(window), self.over(name, window)) for window in summed]
        for seconds in policy:
            counts = self.counts(seconds)
            rules.append(self.rule(names.AUMOS_SLO_ERRORS_RATIO + quantity.duration_text(seconds), ratio(counts)))
        for seconds in policy:
            error_ratio = self.series(names.AUMOS_SLO_ERRORS_RATIO, seconds)
            burn = f"{error_ratio} / {number(self.objective.budget)}"
            rules.append(self.rule(names.AUMOS_SLO_BURN_RATE + quantity.duration_text(seconds), burn))
        return rules

    def counts(self, seconds: int) -> Events:
        """The recorded counts of a window of the policy."""
        return Events(
            self.series(names.AUMOS_SLO_TOTAL_INCREASE, seconds), self.series(names.AUMOS_SLO_GOOD_INCREASE, seconds)
        )

    def over(self, name: str, seconds: int) -> str:
        """The events of so many seconds, from level 0."""
        return f"sum_over_time({self.series(name, _MINUTE)}[{quantity.duration_text(seconds)}]){self.weight}"

    def period(self) -> Events:
        """The recorded counts of the period, without the label that tells periods apart: there is only one at a time."""
        total, good = (self.series(name) for name in (names.AUMOS_SLO_PERIOD_TOTAL, names.AUMOS_SLO_PERIOD_GOOD))
        if isinstance(self.objective.window, Calendar):
            return Events(f"(sum without ({_PERIOD}) ({total}))", f"(sum without ({_PERIOD}) ({good}))")
        return Events(total, good)

    def budget(self) -> list[Rule]:
        """The period's counts, and what they leave of the budget.

        Raises:
            ObjectiveError: nobody knows the time zone of the period.
        """
        return _BudgetRules(self, self.calendar()).rules()

    def calendar(self) -> Period | None:
        """The expressions of a calendar period; None of a rolling one."""
        window = self.objective.window
        if not isinstance(window, Calendar):
            return None
        try:
            return promql_calendar.period(window, self.definitions.prometheus.interval)
        except (ZoneInfoNotFoundError, ValueError):
            expected = "a time zone of the IANA database, e.g. Europe/Berlin"
            raise promql.problem(self.objective, window.time_zone, expected) from None

    def rule(self, record: str, expr: str, **more: str) -> Rule:
        """A recording rule; ``more`` are further labels."""
        return {"record": record, "expr": expr, "labels": {**self.labels, **more}}

    @property
    def weight(self) -> str:
        """A sample of level 0 stands for a minute, and there may be more of them, or fewer."""
        interval = self.definitions.prometheus.interval
        return "" if interval == _MINUTE else f" * {interval} / {_MINUTE}"

    def _recorded(self, part: Objective) -> Events:
        return Recorder(part, self.definitions, self.owner).counts(_MINUTE)


def ratio(counts: Events) -> str:
    """The share of the bad; nothing when there were no events, 0 when there were more good ones than events."""
    return f"clamp_min({counts.total} - {counts.good}, 0) / ({counts.total} > 0)"


class _BudgetRules:
    """The slower group."""

    def __init__(self, recorder: Recorder, calendar: Period | None) -> None:
        self._recorder = recorder
        self._objective = recorder.objective
        self._calendar = calendar
        self._length = str(recorder.objective.window.seconds) if calendar is None else calendar.length

    def rules(self) -> list[Rule]:
        """In order."""
        rule, budget, counts = self._recorder.rule, number(self._objective.budget), self._recorder.period()
        left = self._recorder.series(names.AUMOS_SLO_BUDGET_REMAINING_RATIO)
        passed = "" if self._calendar is None else f" * {self._calendar.elapsed} / {self._length}"
        whole = "" if self._calendar is None else f" * {self._length} / {self._calendar.elapsed}"
        return [
            *self._sums(),
            rule(names.AUMOS_SLO_BUDGET_REMAINING_RATIO, f"1 - {ratio(counts)} / {budget}{passed}"),
            rule(names.AUMOS_SLO_BUDGET_REMAINING_EVENTS, f"{left} * {counts.total} * {budget}{whole}"),
            rule(names.AUMOS_SLO_BUDGET_REMAINING_MINUTES, f"{left} * {budget} * {self._length} / {_MINUTE}"),
            rule(names.AUMOS_SLO_BUDGET_EXHAUSTION_SECONDS, self._exhaustion(left)),
            rule(names.AUMOS_SLO_INFO, "vector(1)", **self._facts()),
        ]

    def _sums(self) -> list[Rule]:
        """No range begins with a calendar period: each minute is marked with the one that it belongs to."""
        rule, series, calendar = self._recorder.rule, self._recorder.series, self._calendar
        weight, interval = self._recorder.weight, self._recorder.definitions.prometheus.interval
        seconds = quantity.duration_text(self._objective.window.seconds)
        if calendar is None:
            total, good = (
                series(name, _MINUTE) for name in (names.AUMOS_SLO_TOTAL_INCREASE, names.AUMOS_SLO_GOOD_INCREASE)
            )
            current, passed, counted = "", self._length, f"count_over_time({total}[{seconds}])"
        else:
            total, good = series(_MARKED_TOTAL), series(_MARKED_GOOD)
            current, passed = f' and on ({_PERIOD}) count_values("{_PERIOD}", {calendar.current})', calendar.elapsed
            counted = f"(sum without ({_PERIOD}) (count_over_time({total}[{seconds}]){current}))"
        return [
            rule(names.AUMOS_SLO_PERIOD_TOTAL, f"sum_over_time({total}[{seconds}]){weight}{current}"),
            rule(names.AUMOS_SLO_PERIOD_GOOD, f"sum_over_time({good}[{seconds}]){weight}{current}"),
            rule(names.AUMOS_SLO_WINDOW_COVERAGE_RATIO, f"clamp_max({counted} * {interval} / {passed}, 1)"),
        ]

    def _exhaustion(self, left: str) -> str:
        """Seconds until nothing is left at the blended burn rate; 0 when nothing is, absent when it lasts the period."""
        windows = self._objective.burn_policy.windows
        windows = tuple(seconds for seconds in BLENDED if seconds in windows) or windows
        burns = [self._recorder.series(names.AUMOS_SLO_BURN_RATE, seconds) for seconds in windows]
        # A window without events takes the rate of the next longer one.
        blend = " + ".join(f"({' or '.join(burns[index:])})" for index in range(len(burns)))
        limit = self._length if self._calendar is None else f"{self._length} - {self._calendar.elapsed}"
        lasts = f"({left} > 0) * {self._length} / ((({blend}) / {len(burns)}) > 0)"
        return f"{lasts} <= {limit} or clamp({left} <= 0, 0, 0)"

    def _facts(self) -> dict[str, str]:
        """What is known of the objective, for dashboards to join with."""
        objective, window, policy = self._objective, self._objective.window, self._objective.policy
        built_in = BUILT_IN.get(policy.name) == policy
        facts = {
            label(attributes.AUMOS_SLO_WINDOW): (
                window.unit if isinstance(window, Calendar) else quantity.duration_text(window.seconds)
            ),
            label(attributes.AUMOS_SLO_POLICY): policy.name if built_in else objective.burn_policy.expression,
            "budgeting": type(objective.budgeting).__name__.lower(),
            "description": objective.description,
            "display_name": objective.display_name,
            "indicator": type(objective.indicator).__name__.lower(),
            "owner": objective.owner,
            "runbook": objective.runbook,
            "target": quantity.percent_text(objective.target),
        }
        return {**plain_labels(objective.labels), **{key: value for key, value in facts.items() if value}}


def plain_labels(labels: Mapping[str, str]) -> dict[str, str]:
    """Labels of the user as every Prometheus takes them, sorted; ours cannot be overridden."""
    plain = {_NOT_IN_LABELS.sub("_", key): value for key, value in sorted(labels.items())}
    return {
        (key if key[:1].isalpha() else f"label_{key.lstrip('_')}"): value
        for key, value in plain.items()
        if key not in {SERVICE, NAME, VERSION, OWNED_BY}
    }
