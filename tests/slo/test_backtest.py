from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from slo import months

from aumos_otel.slo import policy, report
from aumos_otel.slo.backtest import backtest
from aumos_otel.slo.history import History
from aumos_otel.slo.incident import Incident
from aumos_otel.slo.indicator import Counted
from aumos_otel.slo.objective import Gate, Objective
from aumos_otel.slo.policy import KEPT
from aumos_otel.slo.status import evaluate

OBJECTIVE = Objective(name="chat-available", service="chat", target=Decimal("0.999"), indicator=Counted("requests"))


@pytest.fixture(scope="module")
def month():
    """The generated month, replayed."""
    return backtest(OBJECTIVE, months.history(), months.incidents())


def trial(result, name):
    """The trial of a policy by its name."""
    return next(each for each in result.trials if each.policy.name == name)


def minutes(*stretches, count=3_000, total=1000.0):
    """Good minutes, but for (first, last, share that goes wrong)."""
    shares = dict.fromkeys(range(1, count + 1), 0.0)
    for first, last, share in stretches:
        shares |= dict.fromkeys(range(first, last + 1), share)
    return History.of(((60.0 * at, total * (1 - share), total) for at, share in shares.items()), step=60)


def seed(history, incidents=(), objective=OBJECTIVE):
    """The trial of the seed pair."""
    return backtest(replace(objective, policy=policy.AUMOS_SEED), history, incidents, policies=()).trials[0]


def test_the_seeds_blind_band_is_seen_in_what_it_misses(month):
    """The seed pair is quick for what burns fast, and never sees a constant burn of 10 nor the slow leak."""
    found = trial(month, "aumos-seed")
    assert [each.name for each in found.missed] == ["burn 10", "leak"]
    assert found.blind == (1, 14.4)
    assert [each.used > 0.15 for each in found.detections if each.noticed_after is None] == [True, True]


def test_the_workbook_sees_all_but_the_short_spike(month):
    """Three tiers see outage, burn 10 and, by ticket, the leak; what uses 2 percent in five minutes is over before."""
    found = trial(month, "sre-workbook")
    assert [each.name for each in found.missed] == ["spike"]
    after = {each.incident.name: (each.paged_after, each.ticketed_after) for each in found.detections}
    assert after["outage"][0] <= 120
    assert 2 * 3_600 < after["burn 10"][0] < 4 * 3_600
    assert after["leak"][0] is None
    assert 86_400 < after["leak"][1] < 2 * 86_400


def test_no_policy_pages_while_nothing_happens(month):
    """On good days and in thin nights nobody is called."""
    assert [each.false_pages for each in month.trials] == [0, 0, 0]
    assert {each.policy.name for each in month.trials} == {"sre-workbook", "aumos-seed", "sloth-30d"}


@pytest.mark.parametrize(
    ("share", "after", "used"), [(1.0, 60, 0.0231), (0.1, 240, 0.00926), (0.02, 1_080, 0.00833), (0.01, None, None)]
)
def test_the_time_to_detect_is_the_arithmetic_of_the_windows(share, after, used):
    """From a clean start the seed pair fires when the hour has 6 times its share: 0.36, 3.6, 18 minutes, or never."""
    incident = Incident(1_000 * 60.0, 1_300 * 60.0)
    history = minutes((1_001, 1_300, share), count=43_200)
    (found,) = seed(history, [incident]).detections
    assert found.paged_after == after
    assert found.used_when_noticed == (used if used is None else pytest.approx(used, rel=0.01))
    assert found.used == pytest.approx(share * 300 / 43.2)


def test_an_alert_stays_for_a_while_and_does_not_flap():
    """It ends some minutes after its tier stopped burning; a shorter pause is the same alert."""
    alone = seed(minutes((1_000, 1_009, 0.5))).alerts
    assert [(each.start, each.end) for each in alone] == [(1_000 * 60, (1_013 + KEPT) * 60)]
    twice = seed(minutes((1_000, 1_009, 0.5), (1_018, 1_027, 0.5))).alerts
    assert len(twice) == 1
    assert len(seed(minutes((1_000, 1_009, 0.5), (1_030, 1_039, 0.5))).alerts) == 2


def test_an_alert_that_still_fires_has_no_end():
    """At the end of the history it goes on."""
    (alert,) = seed(minutes((2_980, 3_000, 0.5))).alerts
    assert alert.end is None


def test_a_page_while_no_incident_was_is_false():
    """An alert belongs to an incident that it overlaps, or whose last minutes it still sees."""
    history = minutes((1_000, 1_009, 0.5), (2_000, 2_009, 0.5))
    found = seed(history, [Incident(999 * 60.0, 1_009 * 60.0)])
    assert [each.false for each in found.alerts] == [False, True]
    assert found.false_pages == 1
    assert found.per_week("page") == pytest.approx(2 * 7 * 1440 / 3_000)


def test_what_fired_already_notices_at_once():
    """An incident that begins while a page is still open was noticed after no time."""
    history = minutes((1_000, 1_060, 0.5))
    (found,) = seed(history, [Incident(1_050 * 60.0, 1_060 * 60.0)]).detections
    assert found.paged_after == 0
    assert found.used_when_noticed == 0


def test_no_data_ends_an_alert_and_burns_nothing():
    """In a gap of the samples the windows run empty: the alert ends, and begins again with the data."""
    samples = [sample for sample in minutes((1_000, 1_600, 0.5)) if not 1_100 < sample.at / 60 <= 1_400]
    alerts = seed(History.of(samples, step=60)).alerts
    assert [(each.start / 60, each.end / 60) for each in alerts] == [(1_000, 1_104 + 5), (1_401, 1_604 + 5)]


def test_a_gate_keeps_single_failures_quiet():
    """One failure an hour among ten events pages without a gate, and does not with one."""
    history = minutes(*((at, at, 1.0) for at in range(600, 3_000, 600)), total=1.0)
    assert len(seed(history).alerts) == 4
    assert seed(history, objective=replace(OBJECTIVE, gate=Gate(bad_events=2))).alerts == ()
    confident = Gate(bad_events=1, confidence=Decimal("0.95"))
    assert seed(history, objective=replace(OBJECTIVE, gate=confident)).alerts == ()


@pytest.mark.parametrize("name", ["aumos-seed", "sre-workbook", "sloth-30d", "pyrra"])
def test_the_replay_is_what_evaluations_would_have_said(name):
    """At each instant some tier of a severity burns exactly when an evaluation says so, but for the kept minutes."""
    objective = replace(OBJECTIVE, policy=policy.BUILT_IN[name], gate=Gate(bad_events=3, confidence=Decimal("0.9")))
    history = minutes((300, 320, 0.1), (900, 1_500, 0.01), (2_000, 2_002, 0.9), total=50.0)
    alerts = backtest(objective, history, (), policies=()).trials[0].alerts
    for minute in range(1, 3_001, 3):
        at = minute * 60.0
        burning = {tier.severity for tier in evaluate(objective, history, at).burning}
        open_ = {
            each.severity for each in alerts if each.start <= at and (each.end is None or at <= each.end - KEPT * 60)
        }
        assert burning <= open_
        kept = {each.severity for each in alerts if each.start <= at < (each.end or at + 1)}
        assert open_ - kept == set()
    starts = {(each.severity, each.start) for each in alerts}
    for severity, start in starts:
        assert severity in {tier.severity for tier in evaluate(objective, history, start).burning}


def test_an_empty_history_has_no_backtest():
    """There is nothing to replay."""
    assert backtest(OBJECTIVE, History(60, 3_600)) is None


def test_one_sample_has_one():
    """A single minute is replayed like any."""
    found = backtest(OBJECTIVE, History.of([(60.0, 0.0, 10.0)], step=60))
    assert found.start == found.end == 60
    assert found.coverage == 1
    assert [len(each.alerts) for each in found.trials] == [2, 1, 2]


def test_incidents_are_looked_for_when_none_are_given():
    """Without a list, the history tells; an empty list means that there were none."""
    assert len(backtest(OBJECTIVE, months.history()).incidents) == len(months.PLANTED)
    assert backtest(OBJECTIVE, months.history(), ()).incidents == ()


def test_an_incident_outside_of_the_history_is_not_missed():
    """What was not replayed is not held against a policy."""
    found = backtest(OBJECTIVE, minutes(), [Incident(-600.0, -60.0), Incident(200_000.0, 200_100.0)])
    assert found.incidents == ()


def test_a_policy_that_only_shares_a_name_is_tried_beside_it():
    """The objective's own tiers come first, even when they are called like built-in ones."""
    own = replace(policy.AUMOS_SEED, name="sre-workbook")
    trials = backtest(replace(OBJECTIVE, policy=own), minutes()).trials
    assert [len(each.policy.tiers) for each in trials] == [1, 1, 3, 4]
    assert [len(each.policy.tiers) for each in backtest(OBJECTIVE, minutes()).trials] == [3, 1, 4]


def test_the_table_has_a_line_for_each_policy_and_incident(month):
    """Titles and lines have as many cells each, and name what was missed."""
    lines = report.policies(month)
    assert {len(line) for line in lines} == {len(lines[0])}
    assert ("aumos-seed", "0.9", "0.0", "0", "4/6", "1 to 14.4", "1 to 14.4") in lines
    lines = report.incidents(month)
    assert {len(line) for line in lines} == {len(lines[0])}
    assert lines[0] == ("incident", "began (UTC)", "lasted", "budget", "sre-workbook", "aumos-seed", "sloth-30d")
    assert lines[3][:3] == ("burn 10", "2026-10-13 07:12", "12h")
    assert lines[3][4].startswith("page 2h")
    assert lines[3][5] == "missed"
    assert lines[5][4].startswith("ticket 1d")


def test_the_guide_shows_what_really_comes_out(month):
    """Each line of both tables stands in the guide."""
    page = (Path(__file__).parents[2] / "docs" / "guides" / "slo-backtest.md").read_text(encoding="utf-8")
    shown = [re.split(r" {2,}", line) for line in page.splitlines()]
    for line in (*report.policies(month), *report.incidents(month)):
        assert list(line) in shown


def test_it_can_be_written_as_json(month):
    """All of the result is plain data."""
    found = json.loads(json.dumps(month.to_dict(), allow_nan=False))
    assert [each["policy"] for each in found["policies"]] == ["sre-workbook", "aumos-seed", "sloth-30d"]
    assert found["policies"][1]["missed"] == ["burn 10", "leak"]
    assert found["policies"][1]["alerts"][0]["tier"] == "page 5m/1h"
    assert found["incidents"][0]["name"] == "outage"
