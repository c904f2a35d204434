"""The engine beside a real Prometheus that evaluates the compiled rules over the same month."""

from __future__ import annotations

import math
import re
import time
from dataclasses import replace
from decimal import Decimal

import pytest
from servers.backends import Prometheus as Server
from servers.backends import backfill
from slo import months

from aumos_otel.semconv import rules as names
from aumos_otel.slo import alerts, policy
from aumos_otel.slo.backtest import backtest
from aumos_otel.slo.history import History
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Definitions, Gate, Objective
from aumos_otel.slo.rules import Recorder
from aumos_otel.slo.slices import weighed
from aumos_otel.slo.status import evaluate
from aumos_otel.slo.window import Calendar, Rolling, Timeslices
from aumos_otel.sources.file import File
from aumos_otel.sources.prometheus import Prometheus

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

DAY = months.DAY
#: Whole days, so that instants are those of samples.
BEGUN = (int(time.time_ns() // 10**9) // DAY - months.DAYS - 1) * DAY
ENDED = BEGUN + months.DAYS * DAY

BASE = Objective(name="workbook", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))
OBJECTIVES = (
    BASE,
    replace(BASE, name="seed-week", policy=policy.AUMOS_SEED, window=Rolling(7 * DAY)),
    replace(BASE, name="sloth-month", policy=policy.SLOTH_30D, window=Calendar("month"), target=Decimal("0.995")),
    replace(BASE, name="gated", gate=Gate(bad_events=40, confidence=Decimal("0.95"))),
    replace(BASE, name="slices", budgeting=Timeslices(300, Decimal("0.99")), target=Decimal("0.99")),
)
DEFINITIONS = Definitions(objectives=OBJECTIVES)
COUNTERS = Objective(name="raw", service="chat", target=Decimal("0.999"), indicator=Counted("raw"))

#: Quiet, in and after each incident, at night, and at the end; whole minutes.
INSTANTS = [
    BEGUN + round(day * 288) * 300
    for day in (0.25, 2, 3.5, 3.51, 3.6, 7.65, 12.5, 12.9, 17.555, 17.6, 20.5, 21.9, 23.4, 27.11, 27.2, 30)
]


def counted(objective):
    """The history of an objective in the generated month, as the rules record it."""
    events = History.of(months.samples(BEGUN), step=60.0)
    return weighed(events, objective.budgeting)


@pytest.fixture(scope="module")
def text():
    """The month as OpenMetrics text: level 0 of each objective, and some hours of raw counters."""
    lines = []
    for metric, position in ((names.AUMOS_SLO_GOOD_INCREASE, 1), (names.AUMOS_SLO_TOTAL_INCREASE, 2)):
        lines.append(f"# TYPE {metric}1m gauge")
        for objective in OBJECTIVES:
            series = Recorder(objective, DEFINITIONS).series(metric, 60)
            lines += [f"{series} {sample[position]!r} {sample.at:.0f}" for sample in counted(objective)]
    for metric, share in (("events", 1.0), ("good_events", 0.75)):
        lines.append(f"# TYPE aumos_sli_{metric} counter")
        lines += [
            f'aumos_sli_{metric}_total{{aumos_sli_name="raw",job="prod/chat"}} {share * 8 * tick} {ENDED - 43_200 + 15 * tick}'
            for tick in range(2_880)
        ]
    return "\n".join([*lines, "# EOF\n"])


@pytest.fixture(scope="module")
def server(tmp_path_factory, text):
    """A Prometheus that has the month on its disk."""
    folder = tmp_path_factory.mktemp("month")
    storage = backfill(folder / "blocks", text)
    with Server(folder / "prometheus", storage=storage) as running:
        yield running


class Compiled:
    """The compiled rules of an objective, each as one expression over level 0."""

    def __init__(self, objective: Objective, server: Server) -> None:
        self._recorder = Recorder(objective, DEFINITIONS)
        self._server = server
        self._expressions: dict[str, str] = {}
        level0 = {f"{name}1m" for name in (names.AUMOS_SLO_GOOD_INCREASE, names.AUMOS_SLO_TOTAL_INCREASE)}
        for rule in [*self._recorder.levels(), *self._recorder.budget()]:
            if rule["record"] not in level0:
                self._expressions[rule["record"]] = self._inlined(rule["expr"])
        for rule in alerts.burning(self._recorder, {}):
            self._expressions[rule["labels"]["severity"]] = self._inlined(rule["expr"])

    def _inlined(self, expression: str) -> str:
        """The expression with those of the rules before it in the place of what they record."""
        for record, inner in self._expressions.items():
            selector = re.escape(self._recorder.series(record))
            # A range over what is recorded each minute is that of a subquery.
            expression = re.sub(
                rf"{selector}\[(\w+)\]", lambda found, inner=inner: f"({inner})[{found[1]}:1m]", expression
            )
            expression = re.sub(selector, lambda _found, inner=inner: f"({inner})", expression)
        return expression

    def value(self, record: str, at: float) -> float | None:
        """What Prometheus says the rule would have recorded at an instant; None: nothing."""
        result = self._server.query(self._expressions[record], at)
        assert len(result) <= 1, result
        return float(result[0]["value"][1]) if result else None

    def fires(self, severity: str, at: float) -> bool:
        """Whether the burn alert of a severity fires; there is none of a severity that has no tier."""
        return severity in self._expressions and self.value(severity, at) is not None


def same(ours, theirs):
    """Both nothing, or the same number to 1e-9."""
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


@pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: objective.name)
def test_the_engine_says_what_prometheus_says(server, objective):
    """Ratios, burn rates, budgets, coverage, exhaustion are the same at each instant, to 1e-9, and the same alerts fire."""
    compiled, history = Compiled(objective, server), counted(objective)
    compared, alerted = 0, set()
    # Without recorded series, each calendar sum goes through the month minute by minute.
    for at in INSTANTS[::3] if isinstance(objective.window, Calendar) else INSTANTS:
        found = evaluate(objective, history, float(at))
        exhausted = found.forecast.exhausted_at
        expected = {
            names.AUMOS_SLO_PERIOD_TOTAL: found.budget.total_events or None,
            names.AUMOS_SLO_BUDGET_REMAINING_RATIO: found.budget.remaining_ratio,
            names.AUMOS_SLO_BUDGET_REMAINING_EVENTS: found.budget.remaining_events,
            names.AUMOS_SLO_BUDGET_REMAINING_MINUTES: found.budget.remaining_minutes,
            names.AUMOS_SLO_WINDOW_COVERAGE_RATIO: found.budget.coverage or None,
            names.AUMOS_SLO_BUDGET_EXHAUSTION_SECONDS: None if exhausted is None else exhausted - at,
        }
        for seconds, counts in found.counts.items():
            window = f"{seconds // 60}m" if seconds < 3_600 else f"{seconds // 3_600}h"
            window = f"{seconds // DAY}d" if seconds >= DAY else window
            expected[names.AUMOS_SLO_ERRORS_RATIO + window] = counts.error_ratio
            expected[names.AUMOS_SLO_BURN_RATE + window] = found.burns[seconds]
        burning = {tier.severity for tier in found.burning}
        fires = {severity for severity in ("page", "ticket") if compiled.fires(severity, at)}
        assert fires == burning, at - BEGUN
        alerted |= fires
        for record, ours in expected.items():
            theirs = compiled.value(record, at)
            tolerance_in_seconds = record == names.AUMOS_SLO_BUDGET_EXHAUSTION_SECONDS and ours is not None
            close = (
                math.isclose(ours, theirs, abs_tol=1e-6)
                if tolerance_in_seconds and theirs is not None
                else same(ours, theirs)
            )
            assert close, (record, at - BEGUN, ours, theirs)
            compared += ours is not None
    assert compared >= 60
    assert "page" in alerted


def test_the_source_reads_what_is_on_the_disk(server, tmp_path, text):
    """Sample by sample, Prometheus and the file have the same history, and so the same backtest."""
    path = tmp_path / "month.openmetrics"
    path.write_text(text)
    file = File(path)
    client = Prometheus(server.url, DEFINITIONS)
    try:
        for objective in OBJECTIVES:
            (ours,) = client.histories(objective, BEGUN, ENDED).values()
            (theirs,) = file.histories(objective, BEGUN, ENDED).values()
            assert list(ours) == list(theirs) == list(counted(objective))
            incidents = months.incidents(BEGUN)
            assert backtest(objective, ours, incidents).to_dict() == backtest(objective, theirs, incidents).to_dict()
        assert abs(client.now() - time.time_ns() / 1e9) < 60
        assert client.notes == []
    finally:
        client.close()


def test_counters_are_evaluated_where_nothing_was_recorded(server):
    """The increments of all minutes add up to what the counters grew by."""
    client = Prometheus(server.url, Definitions(objectives=(COUNTERS,)))
    try:
        history = client.histories(COUNTERS, ENDED - 43_200, ENDED)[()]
    finally:
        client.close()
    whole = history.counts(ENDED - 600, 36_000)
    assert whole.total == pytest.approx(36_000 / 15 * 8, rel=1e-9)
    assert whole.good == pytest.approx(36_000 / 15 * 6, rel=1e-9)
    assert history.coverage(ENDED - 600, 36_000) == 1
