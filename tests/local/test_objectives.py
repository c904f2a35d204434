"""Where objectives stand, by what services send."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from decimal import Decimal

import pytest

from aumos_otel._internal import discovery
from aumos_otel.errors import ObjectiveError, SourceError
from aumos_otel.local import LocalServer, counted
from aumos_otel.local.objectives import LocalSource, Objectives
from aumos_otel.slo.history import Counts
from aumos_otel.slo.indicator import Counted, Gauge
from aumos_otel.slo.objective import Objective
from aumos_otel.slo.status import evaluate
from aumos_otel.slo.window import Timeslices

from .conftest import NOW, TRACE, metrics
from .slo_metrics import SECOND, counter, counts, exemplar, number, run, target
from .test_store import take

AT = NOW / SECOND


def send(store, *found, service="chat-api"):
    """Store metrics of a service."""
    take(store, "metrics", metrics(*found, service=service))


def standing(store, key="chat-api/available", at=AT):
    """Where an objective stands."""
    found = Objectives(store).standing(key, at)
    assert found is not None
    return found


def test_an_objective_is_what_its_service_tells(store):
    """Target, window, policy, SLI and owner come from the metric; the numbers from the counters."""
    send(store, target(), *counts(run({-1: 3})))
    found = standing(store)
    assert (found.told.sli, found.told.owner, found.problem) == ("requests", "team-a", "")
    assert (found.state, found.at) == ("critical", pytest.approx(AT))
    assert found.evaluation.counts[15] == Counts(147, 150)
    assert found.evaluation.fast_burn_rate == pytest.approx(3 / 30 / 0.001)
    assert found.evaluation.budget.total_events == 610
    assert found.to_dict()["burning"] == ["page 3s/15s"]


def test_the_worst_comes_first(store):
    """Critical, warning, unknown, ok; then by service and name."""
    send(store, target(), *counts(run({-1: 3})))
    send(store, target(), *counts(run({-9: 3})), service="b")
    send(store, target(name="never"), target(), *counts(run({})), service="c")
    send(store, target(name="later", sli="other"), service="a")
    board = Objectives(store).board(AT)
    assert [(each.state, each.key) for each in board.standings] == [
        ("critical", "chat-api/available"),
        ("warning", "b/available"),
        ("unknown", "a/later"),
        ("ok", "c/available"),
        ("ok", "c/never"),
    ]


def test_silence_is_unknown(store):
    """Until the next point is overdue the last one tells; then nothing is known, and never all is well."""
    send(store, target(), *counts(run({})))
    assert standing(store, at=AT + 4).state == "ok"
    late = standing(store, at=AT + 10)
    assert (late.state, late.at) == ("unknown", AT + 10)
    assert late.history.last == pytest.approx(AT)


def test_no_traffic_is_unknown(store):
    """A counter that stays at zero is data, and no event."""
    send(store, target(), *counts([(float(at), 0.0, 0.0) for at in range(-20, 1)]))
    found = standing(store)
    assert (found.state, found.problem, found.evaluation.budget.remaining_ratio) == ("unknown", "", None)


def test_instances_and_tenants_are_summed(store):
    """Each process and each tenant has counters of its own; the service is all of them."""
    send(store, target(), *counts(run({-1: 1}), tenant="acme"), *counts(run({}), tenant="globex"))
    other = metrics(*counts(run({-1: 1})))
    other["resourceMetrics"][0]["resource"]["attributes"].append({"key": "service.instance.id", "value": {"stringValue": "2"}})  # fmt: skip
    take(store, "metrics", other)
    whole = standing(store).evaluation.budget
    assert (whole.total_events, whole.bad_events) == (3 * 610, 2)


def test_a_restart_loses_nothing(store):
    """A counter that begins anew, in the same process or the next, goes on where the last one ended."""
    before, after = run({}, 60)[:40], [(at, good - 400, total - 400) for at, good, total in run({}, 60)[40:]]
    send(store, target(), *counts(before), *counts(after, start=-20.5))
    assert standing(store).evaluation.budget.total_events == 610


def test_late_points_find_their_place(store):
    """The order of arrival does not matter."""
    rows = run({-1: 3})
    send(store, target(), *counts(rows[30:], start=-61))
    send(store, *counts(rows[:30], start=-61))
    assert standing(store).evaluation.budget.total_events == 610


def test_delta_counters_are_understood(store):
    """A sender may tell what was counted since the point before."""
    send(store, target(), *counts([(float(at), 9.0, 10.0) for at in range(-20, 1)], temporality=1))
    assert standing(store).evaluation.budget.total_events == 210


def test_two_services_with_the_same_objective_stay_apart(store):
    """The name belongs to the service, and so do the counters of an SLI of that name."""
    send(store, target(), *counts(run({})))
    send(store, target(0.99), *counts(run({-1: 10})), service="billing")
    assert standing(store).state == "ok"
    other = standing(store, "billing/available")
    assert (other.state, other.objective.target) == ("critical", Decimal("0.99"))


def test_an_sli_without_objective_is_told(store):
    """What is counted shows, even if nothing says how good it must be."""
    send(store, *counts(run({-1: 3}), "alone"))
    board = Objectives(store).board(AT)
    assert board.standings == []
    assert [(each.service, each.name, each.good, each.total) for each in board.loose] == [
        ("chat-api", "alone", 607, 610)
    ]


@pytest.mark.parametrize(
    ("gauge", "problem"),
    [
        (target(sli="later"), "nothing was counted for its SLI later yet"),
        (target(sli=None), "its indicator is not counted by the service: ask Prometheus where it stands"),
        (target(policy="when it hurts"), "burn policy 'when it hurts': expected tiers such as"),
        (target(policy=""), "burn policy '': expected tiers such as"),
        (target(window="a while"), "target 0.999, window 'a while': expected a duration such as"),
        (target(window="300ms"), "expected a window of whole seconds"),
        (target(1.0), "target 1, window '30d': expected a share of more than 0 and less than 1"),
        (target(-3.0), "expected a share of more than 0 and less than 1"),
    ],
)
def test_what_cannot_be_evaluated_says_why(store, gauge, problem):
    """An objective without data, or that cannot be read, is unknown, with the reason."""
    send(store, gauge, *counts(run({-1: 3})))
    found = standing(store)
    assert found.state == "unknown"
    assert problem in found.problem
    assert json.loads(json.dumps(found.to_dict()))["state"] == "unknown"
    assert "burns" not in found.to_dict() or not any(found.to_dict()["burns"].values())


def test_a_policy_of_ones_own_is_read(store):
    """A policy that is not built in comes as its tiers."""
    send(store, target(policy="page: 2s>=1 & 10s>=1; ticket: 20s>=1", window="month"), *counts(run({-1: 3})))
    found = standing(store)
    assert [(each.severity, each.long.seconds) for each in found.evaluation.burning] == [("page", 10), ("ticket", 20)]


def test_points_that_come_too_seldom_are_told(store):
    """When a window is shorter than the way from point to point, that is said, with the remedy."""
    send(store, target(), *counts([(60.0 * at, 10.0 * at + 100, 10.0 * at + 100) for at in range(-9, 1)]))
    found = standing(store)
    assert found.problem == "points come every 60 s, more seldom than the window of 3s needs: set OTEL_METRIC_EXPORT_INTERVAL lower"  # fmt: skip


def test_a_service_that_has_just_begun_is_not_blamed(store):
    """One point does not tell how often points come."""
    send(store, target(), *counts([(0.0, 10.0, 10.0)]))
    assert (standing(store).state, standing(store).problem) == ("ok", "")


def test_more_good_events_than_events_are_told(store):
    """Counters that contradict each other are no good news."""
    send(store, target(), *counts([(at, total + 5, total) for at, _, total in run({})]))
    assert standing(store).problem == "615 good events of 610: the counters are at fault"


def test_the_latest_definition_counts(store):
    """A service that was started with another target is judged by that one."""
    send(store, target(0.5, at=-100))
    send(store, target(0.99, at=-10))
    send(store, target(0.9, at=-50))
    assert standing(store).objective.target == Decimal("0.99")


def test_the_traces_behind_bad_events_are_kept(store):
    """Exemplars of bad events name their traces, newest first, each once; those of good events do not."""
    first = [exemplar(TRACE, "a" * 16, at=-3), exemplar("b" * 32, "b" * 16, at=-2), exemplar("c" * 32, "c" * 16, good=True)]  # fmt: skip
    send(store, target(), *counts(run({-1: 3}), exemplars=first))
    again = number(611, 1, {"aumos.sli.name": "requests"}, start=-61) | {"exemplars": [exemplar(TRACE, "d" * 16, at=1)]}
    send(store, counter("aumos.sli.events", [again]))
    assert [(each.trace_id, each.span_id) for each in standing(store, at=AT + 1).bad] == [
        (TRACE, "d" * 16),
        ("b" * 32, "b" * 16),
    ]


def test_numbers_that_are_none_are_left_out(store):
    """NaN, negative counts, gauges of that name, and clocks of another century change nothing."""
    rows = counts(run({}))
    broken = [number(0, 0.5, {"aumos.sli.name": "requests"}) | {"asDouble": wrong} for wrong in ("NaN", -5.0)]
    broken[1]["timeUnixNano"] = str(NOW + SECOND // 4)
    far = number(610, 0, {"aumos.sli.name": "requests"}, start=-61) | {"timeUnixNano": str(2**63 - 1)}
    send(store, target(), *rows, counter("aumos.sli.events", broken))
    send(store, {"name": "aumos.sli.events", "gauge": {"dataPoints": [number(9e9, 0, {"aumos.sli.name": "requests"})]}})
    assert standing(store).evaluation.budget.total_events == 610
    send(store, counter("aumos.sli.events", [far]))
    found = standing(store)
    assert (found.at, found.evaluation.budget.total_events) == (AT, 610)


def test_more_points_than_are_read(store, monkeypatch):
    """Of a very long past the newest points are read, and both counters from the same moment on."""
    monkeypatch.setattr(counted, "MAX_POINTS", 20)
    send(store, target(), *counts(run({-30: 5, -1: 3}, 300)))
    budget = standing(store).evaluation.budget
    assert (budget.total_events, budget.bad_events) == (200, 3)


def test_it_is_read_anew_when_points_arrive(store):
    """The same board tells what has arrived since."""
    board = Objectives(store)
    assert board.board(AT).standings == []
    send(store, target(), *counts(run({})))
    assert board.standing("chat-api/available", AT).state == "ok"
    assert board.standing("chat-api/nothing", AT) is None


OBJECTIVE = Objective(name="available", service="chat-api", target=Decimal("0.999"), indicator=Counted("requests"))


def test_the_database_is_a_source(store):
    """The command asks the database; the answer is what the page says."""
    send(store, target(policy="sre-workbook"), *counts(run({-1: 3})))
    source = LocalSource(store.path)
    assert abs(source.now() - time.time_ns() / 1e9) < 60
    ((group, history),) = source.histories(OBJECTIVE, AT - 1000, AT).items()
    assert group == ()
    assert evaluate(OBJECTIVE, history, AT).burns == standing(store).evaluation.burns
    assert source.histories(replace(OBJECTIVE, service="nobody"), 0, AT)[()].last is None
    assert source.histories(OBJECTIVE, AT - 1.5, AT)[()].counts(AT, 100) == Counts(17, 20)


def test_the_source_counts_apart_and_in_slices(store):
    """An objective by tenant has a history a tenant; one of time slices counts slices."""
    send(store, *counts(run({-1: 3}), tenant="acme"), *counts(run({}), tenant="globex"))
    found = LocalSource(store.path).histories(replace(OBJECTIVE, group_by=("aumos.tenant.id",)), 0, AT)
    assert {group: history.counts(AT, 1000).bad for group, history in found.items()} == {("acme",): 3, ("globex",): 0}
    sliced = replace(OBJECTIVE, budgeting=Timeslices(10, Decimal("0.99")))
    (history,) = LocalSource(store.path).histories(sliced, 0, AT).values()
    assert history.counts(AT, 2).good == 0


def test_the_source_of_the_running_backend(tmp_path, monkeypatch):
    """Without a path it is the database of the backend that runs."""
    monkeypatch.setenv(discovery.STATE_DIR_VARIABLE, str(tmp_path / "state"))
    with LocalServer(tmp_path / "chosen.db", otlp_port=0, ui_port=0) as server:
        send(server.store, *counts(run({})))
        assert LocalSource().histories(OBJECTIVE, 0, AT)[()].counts(AT, 1000).total == 610


def test_a_source_that_is_not_there(tmp_path, monkeypatch):
    """Without a database, with another file, or for an indicator that is a query, the error says what to do."""
    monkeypatch.setenv(discovery.STATE_DIR_VARIABLE, str(tmp_path / "none"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    with pytest.raises(SourceError, match="run: aumos-otel ui"):
        LocalSource()
    other = tmp_path / "other.db"
    other.write_text("not a database")
    with pytest.raises(SourceError, match="a database of the local backend"):
        LocalSource(other).histories(OBJECTIVE, 0, AT)
    with pytest.raises(ObjectiveError, match="ask its Prometheus"):
        LocalSource(other).histories(replace(OBJECTIVE, indicator=Gauge("up")), 0, AT)
